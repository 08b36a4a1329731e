"""A mirror that carries a part says "not mirrored here" of the rest, never "does not exist", and never falls through."""

from __future__ import annotations

import json

import pytest
from mirror_by_hand import MirrorByHand
from world import DONE, FORESEEN, NO_SOLUTION


@pytest.fixture
def registry(world):
    made = world.registry("acme")
    made.release("mol-a", "1.0.0").release("mol-a", "1.1.0").release("mol-b").release(
        "mol-c", requires={"mol-a": "^1.1"}
    )
    return made


@pytest.fixture
def mirror(tmp_path, registry):
    made = MirrorByHand(tmp_path / "stick")
    made.add(registry)
    return made


@pytest.fixture(params=["folder", "http"])
def place(request, world, registry, mirror):
    """Give the address of the registry in the mirror."""
    if request.param == "folder":
        return str(mirror.tree(registry))
    return f"{world.serve(mirror.folder).url}/mirrors/{registry.id}"


@pytest.fixture
def machine(world):
    here = world.machine()
    here.run("init")
    return here


SAID = {"mol-a": ["1.0.0"], "mol-b": ["1.0.0"], "mol-c": ["1.0.0"]}


def test_what_is_carried_is_chosen_and_what_is_newer_is_named(registry, mirror, place, machine):
    mirror.leave_out(registry, "mol-a", "1.1.0")
    mirror.say(registry, releases=SAID)
    machine.add(registry, url=place)
    ran = machine.run("install", "mol-a")
    assert machine.installed()["mol-a"]["version"] == "1.0.0"
    assert "mol-a 1.1.0 is newer, but not mirrored here" in ran.err


def test_a_release_that_is_not_carried_is_explained(world, registry, mirror, place, machine):
    mirror.leave_out(registry, "mol-a", "1.1.0")
    mirror.say(registry, releases=SAID)
    world.registry("public", priority=2).release("mol-a", "1.1.0")
    machine.add(registry, url=place)
    machine.add(world.registry("public"))
    ran = machine.run("install", "mol-a@1.1.0", status=NO_SOLUTION)
    assert "mol-a 1.1.0, which is not mirrored here" in ran.err
    assert "mirror update" in ran.err
    ran = machine.run("install", "mol-c", status=NO_SOLUTION)
    assert "what would fit is not mirrored here" in ran.err
    assert not machine.formulas.exists() or "mol-c" not in (machine.formulas.iterdir())


def test_in_a_folder_it_is_seen_without_being_said(registry, mirror, machine):
    mirror.leave_out(registry, "mol-a", "1.1.0")
    machine.add(registry, url=f"file://{mirror.tree(registry)}")
    ran = machine.run("install", "mol-a")
    assert machine.installed()["mol-a"]["version"] == "1.0.0"
    assert "mol-a 1.1.0 is newer, but not mirrored here" in ran.err


def test_bytes_that_turn_out_not_to_be_carried_are_an_error_of_their_own(registry, mirror, world, machine):
    mirror.leave_out(registry, "mol-a", "1.1.0")
    url = f"{world.serve(mirror.folder).url}/mirrors/{registry.id}"
    machine.add(registry, url=url)
    ran = machine.run("install", "mol-a", status=FORESEEN)
    assert "error[not-mirrored]" in ran.err
    assert url in ran.err
    assert json.loads(machine.run("install", "mol-a", "--json", status=FORESEEN).out)["error"]["code"] == "not-mirrored"


def test_a_lock_from_elsewhere_with_a_release_that_is_not_carried_says_so(registry, mirror, place, machine, world):
    other = world.machine("elsewhere")
    other.run("init")
    other.add(registry)
    other.run("install", "mol-a")
    mirror.leave_out(registry, "mol-a", "1.1.0")
    mirror.say(registry, releases=SAID)
    machine.add(registry, url=place)
    for name in ("mmpm.toml", "mmpm.lock"):
        (machine.project / name).write_bytes((other.project / name).read_bytes())
    ran = machine.run("sync", status=FORESEEN)
    assert "error[not-mirrored]" in ran.err
    assert "mol-a" in ran.err


def test_another_place_that_is_no_mirror_or_a_fuller_one_is_used(registry, mirror, place, machine, tmp_path):
    full = MirrorByHand(tmp_path / "full")
    full.add(registry)
    mirror.leave_out(registry, "mol-a", "1.1.0")
    mirror.say(registry, releases=SAID)
    machine.add(registry, url=place)
    machine.add(registry, url=str(full.tree(registry)))
    machine.run("install", "mol-a")
    assert machine.installed()["mol-a"]["version"] == "1.1.0"


def test_a_listed_index_that_is_not_carried_is_no_absence_and_nothing_falls_through(
    world, registry, mirror, place, machine
):
    world.registry("public", priority=2).release("mol-b", "9.9.9")
    mirror.leave_out_index(registry, "mol-b")
    machine.add(registry, url=place)
    machine.add(world.registry("public"))
    ran = machine.run("install", "mol-b", status=NO_SOLUTION)
    assert "mol-b is listed by acme.example, but not mirrored here" in ran.err
    assert "9.9.9" not in ran.out
    assert "not mirrored here" in machine.run("show", "mol-b", status=FORESEEN).err
    machine.run("install", "mol-a", status=DONE)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format":2}',
        "[" * 5000,
        '{"format":1,"id":"acme.example","serial":1,"releases":{"mol-a":3}}',
    ],
)
def test_what_a_mirror_says_in_another_way_is_not_read(registry, mirror, machine, said):
    (mirror.tree(registry) / "mirrored.json").write_text(said)
    machine.add(registry, url=str(mirror.tree(registry)))
    machine.run("install", "mol-a")
    assert machine.installed()["mol-a"]["version"] == "1.1.0"


def test_it_only_takes_away_and_only_where_it_belongs(registry, mirror, machine, world):
    mirror.say(registry, releases={"mol-a": ["1.0.0", "7.0.0"], "mol-z": ["1.0.0"]}, id="other.example")
    machine.add(registry, url=str(mirror.tree(registry)))
    machine.run("install", "mol-a")
    assert machine.installed()["mol-a"]["version"] == "1.1.0"
    machine.run("install", "mol-z", status=NO_SOLUTION)
    (registry.folder / "mirrored.json").write_bytes((mirror.tree(registry) / "mirrored.json").read_bytes())
    other = world.machine("other")
    other.run("init")
    other.add(registry)
    other.run("install", "mol-a")
    assert other.installed()["mol-a"]["version"] == "1.1.0"
