"""What a person wrote survives every command."""

from __future__ import annotations

import shutil

import pytest
from world import formula_text, read_tree

MINE = b'formula = "mol-review"\n# written by hand\n'


@pytest.fixture
def machine(world):
    registry = world.registry("acme")
    registry.release("mol-review", "1.0.0").release("mol-review", "2.0.0").release("mol-other", "1.0.0")
    registry.release("mol-deploy", "1.0.0", files={"scripts/go.sh": b"#!/bin/sh\n"})
    world.settle()
    machine = world.machine()
    machine.run("init")
    machine.add(registry)
    return machine


def everything_under(folder):
    """All contents under the formulas folder, wherever mmpm has put them."""
    return {data for data, _executable in read_tree(folder).values()}


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.unlink()
    path.write_bytes(data)


def test_a_hand_written_file_of_the_same_name_is_kept_beside_and_named(machine):
    write(machine.formulas / "mol-review.formula.toml", MINE)
    ran = machine.run("install", "mol-review")
    assert MINE in everything_under(machine.project)
    assert "mol-review" in ran.err
    assert (machine.formulas / "mol-review.formula.toml").read_bytes() != MINE


def test_an_unmanaged_file_is_listed_and_adopted_on_request(machine):
    text = formula_text("mol-mine", "1.0.0", {}).encode()
    write(machine.formulas / "mol-mine.formula.toml", text)
    machine.run("install", "mol-review")
    assert "unmanaged" in machine.run("list").out
    assert (machine.formulas / "mol-mine.formula.toml").read_bytes() == text
    machine.run("adopt", "mol-mine")
    assert (machine.formulas / "mol-mine.formula.toml").read_bytes() == text
    assert "mol-mine" in machine.installed()


def test_equal_bytes_are_adopted_without_a_question(machine):
    machine.run("install", "mol-review")
    clone = machine.home / "clone"
    clone.mkdir()
    for name in ("mmpm.toml", "mmpm.lock"):
        shutil.copy(machine.project / name, clone / name)
    file = clone / ".beads" / "formulas" / "mol-review.formula.toml"
    write(file, (machine.formulas / "mol-review.formula.toml").read_bytes())
    ran = machine.run("sync", cwd=clone)
    assert "kept" not in ran.err
    assert sorted(path.name for path in file.parent.iterdir() if not path.name.startswith(".")) == [file.name]


EDITS = {
    "sync": ["sync"],
    "install of another": ["install", "mol-other"],
    "upgrade": ["upgrade", "--yes"],
    "install of the same": ["install", "mol-review@2"],
    "uninstall": ["uninstall", "mol-review"],
    "frozen sync": ["sync", "--frozen"],
}


@pytest.mark.parametrize("words", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize("how", ["replaced", "in place"])
def test_an_edit_of_an_installed_file_survives(machine, words, how):
    machine.run("install", "mol-review@1.0.0" if "uninstall" in words else "mol-review@1")
    file = machine.formulas / "mol-review.formula.toml"
    edited = file.read_bytes() + b"# my edit\n"
    if how == "replaced":
        write(file, edited)
    else:
        file.chmod(0o644)
        with file.open("ab") as opened:
            opened.write(b"# my edit\n")
    machine.try_run(*words)
    assert edited in everything_under(machine.project)


def test_uninstall_takes_only_what_the_receipt_lists(machine):
    machine.run("install", "mol-deploy")
    mine = machine.formulas / "mol-deploy" / "notes.txt"
    write(mine, b"mine")
    machine.run("uninstall", "mol-deploy")
    assert b"mine" in everything_under(machine.project)
    assert not (machine.formulas / "mol-deploy.formula.toml").exists()


def test_a_fork_is_writable_and_no_command_touches_it(machine):
    machine.run("install", "mol-review")
    machine.run("fork", "mol-review", "mol-forked")
    file = machine.formulas / "mol-forked.formula.toml"
    with file.open("ab") as opened:
        opened.write(b"# mine\n")
    mine = file.read_bytes()
    for words in (["sync"], ["upgrade", "--yes"], ["uninstall", "mol-review"], ["sync", "--frozen"]):
        machine.run(*words)
        assert file.read_bytes() == mine


def test_comments_of_a_manifest_survive(machine):
    manifest = machine.project / "mmpm.toml"
    manifest.write_text('# what we use\n[formulas]\n# because of the audit\nmol-other = "*" # stays\n')
    machine.run("install", "mol-review@2")
    machine.run("uninstall", "mol-review")
    text = manifest.read_text()
    assert all(comment in text for comment in ("# what we use", "# because of the audit", "# stays"))
