"""Equal requirements and equal snapshots give equal locks and equal trees, whatever else differs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from world import read_tree


@pytest.fixture
def registry(world):
    registry = world.registry("acme")
    registry.release("mol-base", "1.0.0").release("mol-base", "1.2.0")
    registry.release("mol-review", "2.0.0", requires={"mol-base": "^1.0.0"})
    registry.release("@acme/mol-deploy", "3.1.0", files={"scripts/go.sh": b"#!/bin/sh\n", "README.md": b"# go\n"})
    world.settle()
    return registry


def test_locks_and_trees_are_equal_byte_for_byte(world, registry):
    near = world.machine("near")
    far = world.machine("far", folder=world.folder / "elsewhere" / "with a space", TZ="Pacific/Kiritimati", LANG="C")
    far.clock = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")
    far.extra["XDG_DATA_HOME"] = str(far.home / "data of mine")
    server = world.serve(registry.folder)

    near.run("init")
    near.add(registry)
    near.run("install", "mol-review@2")
    near.run("install", "@acme/mol-deploy")

    far.run("registry", "add", server.url, "--name", "other", "--root", registry.fingerprint)
    far.run("install", "@acme/mol-deploy", "--project", str(far.project))
    (far.project / "mmpm.toml").unlink()
    (far.project / "mmpm.toml").write_bytes((near.project / "mmpm.toml").read_bytes())
    far.run("sync")

    assert near.lock.read_bytes() == far.lock.read_bytes()
    assert read_tree(near.formulas, ignore=[".lock.json"]) == read_tree(far.formulas, ignore=[".lock.json"])


def test_a_lock_names_no_place_and_no_time(world, registry):
    machine = world.machine()
    server = world.serve(registry.folder)
    machine.run("init")
    machine.add(registry, url=server.url)
    machine.run("install", "mol-review", "@acme/mol-deploy")
    text = re.sub(r":[0-9a-f]{64}\b", "", machine.lock.read_text())
    assert "http" not in text
    assert "127.0.0.1" not in text
    assert str(world.folder) not in text
    assert not re.search(r"\d{4}-\d\d-\d\d", text)
    assert not re.search(r"\d\d:\d\d", text)


def test_the_order_of_commands_leaves_no_trace(world, registry):
    locks = []
    for number, order in enumerate((["mol-review", "mol-base"], ["mol-base", "mol-review"])):
        machine = world.machine(f"m{number}")
        machine.run("init")
        machine.add(registry)
        for name in order:
            machine.run("install", name)
        locks.append(machine.lock.read_bytes())
    assert locks[0] == locks[1]


def test_a_lock_reproduces_the_bytes_after_newer_releases_came(world, registry):
    first = world.machine("first")
    first.run("init")
    first.add(registry)
    first.run("install", "mol-review")
    registry.release("mol-base", "1.9.0").release("mol-review", "2.5.0")
    second = world.machine("second")
    second.add(registry)
    for name in ("mmpm.toml", "mmpm.lock"):
        (second.project / name).write_bytes((first.project / name).read_bytes())
    second.run("sync", "--locked")
    assert second.lock.read_bytes() == first.lock.read_bytes()
    assert read_tree(second.formulas, ignore=[".lock.json"]) == read_tree(first.formulas, ignore=[".lock.json"])
