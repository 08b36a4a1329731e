"""Clocks at 1970, 2001, 2037, 2099 and going backwards: honest media are read, with a warning; nothing goes back."""

from __future__ import annotations

import json
import shutil

import pytest
from mirror_by_hand import MirrorByHand
from world import UNTRUSTED

PUBLISHED = "2026-10-01T00:00:00Z"
CLOCKS = ["1970-01-01T00:00:09Z", "2001-09-09T01:46:40Z", "2037-12-31T23:59:59Z", "2099-12-31T00:00:00Z"]
MAX_AGE = "longer than 30 days (policy.max_age)"


def publish_at(world, clock, *versions):
    """Publish releases of mol-a in a registry whose publisher's clock stands at `clock`."""
    publisher = world.machine("publisher-of-acme")
    publisher.clock = clock
    registry = world.registry("acme")
    for version in versions:
        registry.release("mol-a", version)
    world.settle()
    return registry


def carry(registry, folder):
    """Copy the registry as it is into a mirror's folder."""
    shutil.rmtree(folder, ignore_errors=True)
    made = MirrorByHand(folder)
    made.add(registry)
    return str(made.tree(registry))


def reader_at(world, clock, name="here", **said):
    machine = world.machine(name)
    machine.clock = clock
    machine.run("init")
    for key, value in said.items():
        machine.run("config", "set", f"policy.{key}", value)
    return machine


def believed(machine, registry):
    return json.loads((machine.trust / registry.id / "state.json").read_bytes())


def every_command(machine, registry, place):
    """Add, install, lock, sync and update; give what each of them said."""
    said = [machine.add(registry, url=place)]
    said += [machine.run("install", "mol-a"), machine.run("lock"), machine.run("update")]
    shutil.rmtree(machine.formulas)
    for held in (machine.store / "objects").glob("*/*"):
        held.unlink()
    said.append(machine.run("sync"))
    assert machine.installed()["mol-a"]["version"] == "1.0.0"
    return [one.err for one in said[:4]]


@pytest.mark.parametrize(
    ("published", "read"),
    [
        ("1970-01-02T00:00:00Z", "1970-02-20T00:00:00Z"),
        ("2001-09-01T00:00:00Z", "2001-10-20T00:00:00Z"),
        ("2026-10-01T00:00:00Z", "2026-11-22T00:00:00Z"),
        ("2037-12-20T00:00:00Z", "2038-02-10T00:00:00Z"),
        ("2099-12-20T00:00:00Z", "2100-02-10T00:00:00Z"),
    ],
)
def test_honest_media_of_some_weeks_are_read_in_any_age_with_a_warning(world, tmp_path, published, read):
    registry = publish_at(world, published, "1.0.0")
    said = every_command(reader_at(world, read), registry, carry(registry, tmp_path / "stick"))
    assert all(MAX_AGE in one for one in said), said


@pytest.mark.parametrize("clock", CLOCKS[:2])
def test_a_clock_that_stands_long_before_warns_and_keeps_nobody_from_working(world, tmp_path, clock):
    registry = publish_at(world, PUBLISHED, "1.0.0")
    said = every_command(reader_at(world, clock), registry, carry(registry, tmp_path / "stick"))
    assert all("ahead of this clock: one of the two is wrong" in one for one in said), said


@pytest.mark.parametrize("clock", CLOCKS[2:])
def test_a_clock_that_stands_far_ahead_warns_and_stops_only_where_a_policy_draws_the_line(world, tmp_path, clock):
    registry = publish_at(world, PUBLISHED, "1.0.0")
    place = carry(registry, tmp_path / "stick")
    stopped = reader_at(world, clock, "stopped", red_line="365d")
    words = ["registry", "add", place, "--root", registry.fingerprint]
    assert "(policy.red_line)" in stopped.run(*words, status=UNTRUSTED).err
    said = every_command(reader_at(world, clock), registry, place)
    assert all(MAX_AGE in one for one in said), said


def test_what_was_read_is_not_used_any_more_behind_the_red_line_whoever_asks(world, tmp_path):
    registry = publish_at(world, PUBLISHED, "1.0.0")
    machine = reader_at(world, "2026-10-02T00:00:00Z", red_line="365d")
    machine.add(registry, url=carry(registry, tmp_path / "stick"))
    machine.run("install", "mol-a")
    before = believed(machine, registry)
    machine.clock = CLOCKS[2]
    for words in (["install", "mol-a"], ["lock"], ["upgrade", "--yes"], ["update"]):
        assert "registry-too-old" in machine.run(*words, status=UNTRUSTED).err, words
    machine.run("sync")  # a lock that is met asks nobody
    assert believed(machine, registry) == before


@pytest.mark.parametrize("clock", ["2026-11-15T00:00:00Z", *CLOCKS])
def test_an_older_copy_is_never_taken_whatever_the_clock_says(world, tmp_path, clock):
    registry = publish_at(world, PUBLISHED, "1.0.0")
    old = carry(registry, tmp_path / "old")
    publish_at(world, "2026-10-20T00:00:00Z", "1.1.0")
    new = carry(registry, tmp_path / "new")
    machine = reader_at(world, "2026-11-01T00:00:00Z", max_age="never")
    machine.add(registry, url=new)
    machine.run("install", "mol-a")
    seen = {key: value for key, value in believed(machine, registry).items() if key != "checked_at"}
    shutil.rmtree(new)
    shutil.copytree(old, new)
    machine.clock = clock
    ran = machine.try_run("update")
    assert "holds an older copy of acme.example: it is not used" in ran.err
    machine.run("lock")
    assert b'"1.1.0"' in machine.lock.read_bytes()
    assert {key: value for key, value in believed(machine, registry).items() if key != "checked_at"} == seen


def test_a_clock_that_goes_back_is_said_once_and_newer_media_are_still_taken(world, tmp_path):
    registry = publish_at(world, PUBLISHED, "1.0.0")
    machine = reader_at(world, "2026-11-15T00:00:00Z")
    place = carry(registry, tmp_path / "stick")
    machine.add(registry, url=place)
    machine.run("install", "mol-a")
    publish_at(world, "2026-11-10T00:00:00Z", "1.1.0")
    carry(registry, tmp_path / "stick")
    machine.clock = "2026-11-11T00:00:00Z"
    ran = machine.run("update")
    assert "this machine's clock says 2026-11-11T00:00:00Z, 4 days before it last read acme.example" in ran.err
    assert "clock" not in machine.run("update").err
    machine.run("upgrade", "--yes")
    assert machine.installed()["mol-a"]["version"] == "1.1.0"
    machine.clock = CLOCKS[0]
    assert "before it last read" in machine.run("update").err
    machine.clock = "2026-11-16T00:00:00Z"
    assert "clock" not in machine.run("update").err


def test_a_place_that_shows_the_same_for_ever_is_refused_in_the_end(world, tmp_path):
    registry = publish_at(world, PUBLISHED, "1.0.0")
    stick = tmp_path / "stick"
    place = carry(registry, stick)
    behind = reader_at(world, "2026-10-02T00:00:00Z", "behind", red_line="365d")
    behind.add(registry, url=place)
    beside = reader_at(world, "2026-10-02T00:00:00Z", "beside")
    beside.add(registry, url=world.serve(registry.folder).url)
    beside.clock = "2026-10-09T00:00:01Z"  # the registry itself could give a fresh timestamp
    assert "gives no fresh one" in beside.run("update", status=UNTRUSTED).err
    behind.clock = "2027-09-30T00:00:00Z"
    assert MAX_AGE in behind.run("update").err
    behind.clock = "2027-10-02T00:00:01Z"
    assert "beyond the limit of 365 days" in behind.run("update", status=UNTRUSTED).err
