"""`registry add` of a mirror: by its URL, by that of one registry in it, by its folder, by a file:// URL."""

from __future__ import annotations

import json
import shutil

import pytest
from mirror_by_hand import MirrorByHand
from world import UNREACHABLE, UNTRUSTED, USAGE


@pytest.fixture
def registries(world):
    return [
        world.registry("acme", priority=1).release("mol-a"),
        world.registry("public", priority=2).release("mol-b"),
    ]


@pytest.fixture
def mirror(tmp_path, registries):
    made = MirrorByHand(tmp_path / "a stick, 100% ours ü")
    for registry in registries:
        made.add(registry)
    made.write_head()
    return made


@pytest.fixture
def machine(world):
    here = world.machine()
    here.run("init")
    return here


def roots(registries):
    return [word for one in registries for word in ("--root", one.fingerprint)]


def added(machine):
    listed = machine.run("registry", "list", "--json").json["registries"]
    return {one["id"]: one["urls"] for one in listed}


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_url_of_a_mirror_adds_each_registry_in_it(world, registries, mirror, machine, slash):
    url = world.serve(mirror.folder).url
    machine.run("registry", "add", url + slash, *roots(registries))
    assert added(machine) == {one.id: [f"{url}/mirrors/{one.id}"] for one in registries}
    machine.run("install", "mol-a", "mol-b")
    assert set(machine.installed()) == {"mol-a", "mol-b"}


def test_the_url_of_one_registry_in_it_adds_that_alone(world, registries, mirror, machine):
    url = f"{world.serve(mirror.folder).url}/mirrors/{registries[1].id}"
    machine.run("registry", "add", url, *roots(registries[1:]))
    assert added(machine) == {registries[1].id: [url]}


def test_a_file_url_is_percent_encoded(registries, mirror, machine):
    machine.run("registry", "add", mirror.folder.as_uri(), *roots(registries))
    assert added(machine) == {one.id: [str(mirror.tree(one))] for one in registries}
    machine.run("install", "mol-a")


def test_each_root_key_is_compared_and_nothing_is_added_if_one_is_another(world, registries, mirror, machine):
    url = world.serve(mirror.folder).url
    ran = machine.run("registry", "add", url, *roots(registries[:1]), "--root", "ab" * 32, status=UNTRUSTED)
    assert "error[root-mismatch]" in ran.err
    assert "error[root-not-pinned]" in machine.run(
        "registry", "add", url, *roots(registries[:1]), status=UNTRUSTED
    ).err  # fmt: skip
    assert machine.run("registry", "add", url, status=UNTRUSTED).err.count("error[root-not-pinned]") == 1
    assert added(machine) == {}


@pytest.mark.parametrize("kind", ["folder", "url"])
def test_a_registry_under_the_name_of_another_is_refused(world, registries, mirror, machine, kind):
    shutil.rmtree(mirror.tree(registries[0]))
    shutil.copytree(mirror.tree(registries[1]), mirror.tree(registries[0]))
    place = world.serve(mirror.folder).url if kind == "url" else str(mirror.folder)
    ran = machine.run("registry", "add", place, *roots(registries), status=UNTRUSTED)
    assert "it lies in a mirror under the name acme.example" in ran.err


@pytest.mark.parametrize(
    "said",
    ["", "[]", '{"format":9}', '{"format":1,"registries":{"../..":{}}}', '{"format":1,"registries":{}}', "[" * 9999],
)
def test_a_mirror_json_that_is_none_is_refused_in_one_line(world, mirror, machine, said):
    (mirror.folder / "mirror.json").write_text(said)
    ran = machine.run("registry", "add", world.serve(mirror.folder).url, status=UNREACHABLE)
    assert "does not answer as a mirror" in ran.err
    assert len(ran.err.splitlines()) == 2


def test_neither_a_registry_nor_a_mirror_is_said(world, machine, tmp_path):
    (tmp_path / "empty").mkdir()
    ran = machine.run("registry", "add", world.serve(tmp_path / "empty").url, status=UNREACHABLE)
    assert "404" in ran.err


@pytest.mark.parametrize("url", ["file://other.host/media", "file:///media?x", "file://media"])
def test_a_file_url_that_names_no_folder_here_is_refused(machine, url):
    assert "file:///PATH" in machine.run("registry", "add", url, status=USAGE).err


def test_dry_run_shows_each_and_adds_none(world, registries, mirror, machine):
    url = world.serve(mirror.folder).url
    ran = machine.run("registry", "add", url, "--dry-run", "--json", *roots(registries))
    assert {one.id for one in registries} <= set(json.dumps(ran.json).replace('"', " ").split())
    assert added(machine) == {}


def test_a_catalog_that_is_not_the_signed_one_is_refused_before_anything_is_added(registries, mirror, machine):
    shard = next((mirror.tree(registries[0]) / "catalog").glob("*.jsonl"))
    shard.chmod(0o644)
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + b"x")
    ran = machine.run("registry", "add", str(mirror.tree(registries[0])), *roots(registries[:1]), status=UNTRUSTED)
    assert shard.name in ran.err
    assert added(machine) == {}
    shard.unlink()
    ran = machine.run("registry", "add", str(mirror.tree(registries[0])), *roots(registries[:1]))
    assert "is not a complete copy" in ran.err
    assert set(added(machine)) == {registries[0].id}
