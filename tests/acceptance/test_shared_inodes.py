"""A hardlinked install shares its inode with the store; an edit through it never reaches another install unseen."""

from __future__ import annotations

import os

import pytest
from world import DONE


@pytest.fixture
def machine(world):
    registry = world.registry("acme")
    registry.release("mol-review", files={"scripts/go.sh": b"#!/bin/sh\nexit 0\n", "README.md": b"# read me\n"})
    world.settle()
    machine = world.machine()
    machine.run("init")
    machine.add(registry)
    machine.run("install", "mol-review")
    return machine


def other_project(machine, name):
    folder = machine.home / name
    folder.mkdir()
    for file in ("mmpm.toml", "mmpm.lock"):
        (folder / file).write_bytes((machine.project / file).read_bytes())
    return folder


def edit_in_place(path, data):
    path.chmod(0o755)
    with path.open("ab") as file:
        file.write(data)


def test_installs_share_an_inode_and_are_read_only(machine):
    other = other_project(machine, "other")
    machine.run("sync", cwd=other)
    here = machine.formulas / "mol-review" / "README.md"
    there = other / ".beads" / "formulas" / "mol-review" / "README.md"
    assert os.stat(here).st_ino == os.stat(there).st_ino
    assert os.stat(here).st_mode & 0o222 == 0


@pytest.mark.parametrize("flags", [[], ["--frozen"], ["--frozen", "--offline"]])
def test_an_edit_in_place_is_not_linked_again(machine, flags):
    edit_in_place(machine.formulas / "mol-review" / "scripts" / "go.sh", b"rm -rf /\n")
    other = other_project(machine, "other")
    ran = machine.try_run("sync", *flags, cwd=other)
    script = other / ".beads" / "formulas" / "mol-review" / "scripts" / "go.sh"
    if ran.status == DONE:
        assert script.read_bytes() == b"#!/bin/sh\nexit 0\n"
    else:
        assert not script.exists()
        assert "error[" in ran.err
    if "--offline" not in flags:
        assert ran.status == DONE, ran


def test_verify_sees_the_edit_in_every_project(machine):
    other = other_project(machine, "other")
    machine.run("sync", cwd=other)
    edit_in_place(machine.formulas / "mol-review" / "README.md", b"changed\n")
    for folder in (machine.project, other):
        ran = machine.run("verify", cwd=folder, status=1)
        assert "mol-review" in ran.out + ran.err


def test_the_other_project_mends_and_the_edit_is_kept_where_it_was_made(machine):
    other = other_project(machine, "other")
    machine.run("sync", cwd=other)
    edit_in_place(machine.formulas / "mol-review" / "README.md", b"changed\n")
    machine.run("sync", cwd=other)
    assert (other / ".beads" / "formulas" / "mol-review" / "README.md").read_bytes() == b"# read me\n"
    machine.run("verify", cwd=other)
    machine.run("sync")
    contents = [path.read_bytes() for path in machine.project.rglob("*") if path.is_file()]
    assert b"# read me\nchanged\n" in contents
    machine.run("verify")


def test_store_verify_and_repair_bring_the_object_back(machine):
    edit_in_place(machine.formulas / "mol-review" / "README.md", b"changed\n")
    machine.run("store", "verify", status=1)
    machine.run("store", "repair")
    machine.run("store", "verify")


def test_copies_share_nothing_where_the_setting_says_copy(machine):
    machine.run("config", "set", "install.link", "copy")
    other = other_project(machine, "other")
    machine.run("sync", cwd=other)
    here = machine.formulas / "mol-review" / "README.md"
    there = other / ".beads" / "formulas" / "mol-review" / "README.md"
    assert os.stat(here).st_ino != os.stat(there).st_ino
