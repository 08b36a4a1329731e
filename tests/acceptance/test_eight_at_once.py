"""Eight equal installs at once into one store all succeed."""

from __future__ import annotations

import pytest
from world import read_tree

EIGHT = range(8)


@pytest.fixture
def machine(world):
    registry = world.registry("acme")
    for number in range(12):
        registry.release(
            f"mol-{number}", files={"README.md": f"# {number}\n".encode(), "scripts/go.sh": b"#!/bin/sh\n"}
        )
    world.settle()
    machine = world.machine()
    machine.run("init")
    machine.add(registry, url=world.serve(registry.folder).url)
    return machine


def all_succeed(running):
    for process in running:
        out, err = process.communicate(timeout=900)
        assert process.returncode == 0, out.decode() + err.decode()


def test_into_eight_projects(machine):
    projects = []
    for number in EIGHT:
        project = machine.home / f"project-{number}"
        project.mkdir()
        (project / "mmpm.toml").write_text("[formulas]\n" + "".join(f'mol-{index} = "*"\n' for index in range(12)))
        projects.append(project)
    all_succeed([machine.start("sync", cwd=project) for project in projects])
    trees = [read_tree(project / ".beads" / "formulas", ignore=[".lock.json"]) for project in projects]
    assert all(tree == trees[0] for tree in trees)
    assert len(trees[0]) >= 12 * 4
    assert len({(project / "mmpm.lock").read_bytes() for project in projects}) == 1
    machine.run("store", "verify")


def test_into_one_project(machine):
    all_succeed([machine.start("install", "mol-1", "mol-2") for _number in EIGHT])
    assert set(machine.installed()) == {"mol-1", "mol-2"}
    machine.run("verify")
    machine.run("sync", "--check")


def test_of_eight_different_names_into_one_project(machine):
    all_succeed([machine.start("install", f"mol-{number}") for number in EIGHT])
    assert set(machine.installed()) == {f"mol-{number}" for number in EIGHT}
    machine.run("sync", "--check")
