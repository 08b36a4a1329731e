"""One mirror from nginx, from its folder, as file:// and from a bucket: byte-equal locks and installed trees."""

from __future__ import annotations

import os

import pytest
from nginx_server import Nginx, find_nginx
from s3_server import s3_bucket
from world import NO_SOLUTION, World, read_tree

ASKED = ["mol-deploy", "mol-tools@^1", "@acme/mol-x"]
PLACES = ["origin", "folder", "file", "nginx", "s3"]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Give a world with two registries, and by place the addresses to add and what a machine needs for them."""
    program = find_nginx()
    if program is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("nginx is not installed")
    folder = tmp_path_factory.mktemp("places")
    with World(folder) as world, s3_bucket(folder / "swift") as bucket:
        acme = world.registry("acme", priority=1)
        acme.release("mol-deploy", requires={"mol-git": "^1"}).release(
            "mol-deploy", "1.1.0", requires={"mol-git": "^1.2"}
        )
        acme.release("@acme/mol-x", "2.0.0", files={"scripts/run.sh": b"#!/bin/sh\n", "data/ü a.txt": b"x" * 5000})
        public = world.registry("public", priority=2)
        for version in ("1.0.0", "1.2.0", "1.3.0", "2.0.0"):
            public.release("mol-git", version)
            public.release("mol-tools", version, requires={"mol-git": "*"})
        operator = world.machine("operator")
        world.settle()
        froms = [word for one in (acme, public) for word in ("--from", str(one.folder), "--root", one.fingerprint)]
        stick = folder / "stick"
        operator.run("mirror", "create", str(stick), *froms, "--yes")
        part = folder / "part"
        only = ["--only", "mol-deploy@^1", "--only", "mol-git@>=1,<1.3"]
        operator.run("mirror", "create", str(part), *froms, *only, "--yes")
        bucket.put_tree(stick, "mirror")
        bucket.put_tree(part, "part")
        server = Nginx(program, folder, folder / "nginx")
        try:
            yield (
                world,
                {
                    "origin": ([str(acme.folder), str(public.folder)], {}),
                    "folder": ([str(stick)], {}),
                    "file": ([stick.as_uri()], {}),
                    "nginx": ([f"{server.url}/stick"], {}),
                    "s3": ([bucket.url("mirror")], bucket.environ),
                },
            )
        finally:
            server.stop()


def machine_on(places, place, *, part=False):
    """Give a machine that knows the registries at `place`, or at the partial mirror there."""
    world, known = places
    urls, environ = known[place]
    if part:
        urls = [f"{urls[0].removesuffix('/mirror').removesuffix('/stick')}/part"]
    machine = world.machine(f"{place}{'-part' * part}", **environ)
    machine.run("init")
    for url in urls:
        roots = [word for one in world.registries.values() for word in ("--root", one.fingerprint)]
        machine.run("registry", "add", url, *roots)
    return machine


def outcome(machine):
    return machine.lock.read_bytes(), read_tree(machine.formulas, ignore=[".lock.json", ".installed.json"])


def test_locks_and_trees_are_the_same_from_everywhere(places):
    found = {}
    for place in PLACES:
        machine = machine_on(places, place)
        machine.run("install", *ASKED)
        found[place] = outcome(machine)
        again = places[0].machine(f"{place}-again", **places[1][place][1])
        roots = [word for one in places[0].registries.values() for word in ("--root", one.fingerprint)]
        for url in places[1][place][0]:
            again.run("registry", "add", url, *roots)
        for name in ("mmpm.toml", "mmpm.lock"):
            (again.project / name).write_bytes((machine.project / name).read_bytes())
        again.run("sync", "--locked")
        assert outcome(again) == found[place]
    lock, tree = found["origin"]
    assert b"file:" not in lock
    assert len(tree) >= 5
    for place in PLACES:
        assert found[place] == (lock, tree), place


def test_of_a_partial_mirror_too_and_what_it_lacks_is_told_the_same(places):
    found = {}
    for place in PLACES[1:]:
        machine = machine_on(places, place, part=True)
        ran = machine.run("install", "mol-deploy")
        refused = machine.run("install", "mol-tools", status=NO_SOLUTION)
        told = [line for line in (ran.err + refused.err).splitlines() if "mirrored" in line]
        found[place] = (outcome(machine), told)
    assert any("mol-git 1.3.0 is newer" in line or "mol-git 2.0.0 is newer" in line for line in found["folder"][1])
    assert any("mol-tools" in line and "not mirrored here" in line for line in found["folder"][1])
    for place in PLACES[1:]:
        assert found[place] == found["folder"], place


@pytest.mark.parametrize("place", ["s3", "nginx"])
def test_a_mirror_made_from_there_is_the_same_tree(places, place):
    world, known = places
    [url], environ = known[place]
    roots = [word for one in world.registries.values() for word in ("--root", one.fingerprint)]
    copy = world.folder / f"copy-of-{place}"
    world.machine(f"mirrors-{place}", **environ).run("mirror", "create", str(copy), "--from", url, *roots, "--yes")
    assert read_tree(copy / "mirrors") == read_tree(world.folder / "stick" / "mirrors")
