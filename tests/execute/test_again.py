"""What was installed once is installed again in a fresh clone: the same result, or the real command has to look."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import read_tree

from mmpm.execute.again import Memory, circumstances, install_again, memory_path
from mmpm.execute.locking import STAGING_PREFIX, hold_at_once, journal_path, release

SCRIPT = b"#!/bin/sh\nexit 0\n"
RELEASES = ["mol-a@1.0.0", "mol-b@1.0.0", "mol-tree@1.0.0"]

LINE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=12)
LINES = st.lists(LINE, max_size=4)
OBJECTS = st.lists(
    st.tuples(st.text("0123456789abcdef/-x", min_size=1), st.integers(0, 1 << 40), st.lists(LINE, min_size=1)),
    max_size=4,
)


@given(LINE, st.tuples(LINES, LINES, LINES, LINES), OBJECTS, st.dictionaries(LINE, LINE, max_size=3))
def test_a_memory_reads_back_as_it_was_written(line, lists, objects, texts):
    watched, releases, trees, folders = lists
    memory = Memory(
        circumstances=line,
        store="/" + line,
        watched=watched,
        releases=releases,
        trees=trees,
        installed_at="2026-01-10T00:00:00Z",
        folders=folders,
        objects=objects,
        texts=texts,
    )
    data = memory.to_bytes()
    again = Memory.parse(data)
    assert again is not None
    assert all(getattr(again, name) == getattr(memory, name) for name in Memory.__slots__)
    for end in (0, 1, 64, len(data) // 2, len(data) - 1):
        assert Memory.parse(data[:end]) is None


@pytest.fixture
def machine(world):
    """A machine that has installed three releases in its project."""
    registry = world.registry("acme").release("mol-a").release("mol-b", requires={"mol-a": "^1.0.0"})
    registry.release("mol-tree", files={"scripts/go.sh": SCRIPT, "README.md": b"# read me\n", "deep/er/t.md": b"t"})
    machine = world.machine()
    machine.run("init")
    machine.add(registry)
    (machine.project / "mmpm.toml").write_text('[formulas]\nmol-tree = "*"\nmol-b = "*"\n')
    machine.run("sync")
    return machine


@pytest.fixture
def clone(machine):
    return new_clone(machine, "clone")


def new_clone(machine, name):
    folder = machine.home / name
    folder.mkdir()
    for file in ("mmpm.toml", "mmpm.lock"):
        shutil.copyfile(machine.project / file, folder / file)
    return folder


def state(machine):
    return machine.home / ".local" / "state" / "mmpm"


def without_times(tree):
    return {path: (b"" if path == ".lock.json" else data, bit) for path, (data, bit) in tree.items()}


def test_again_gives_what_the_first_time_gave(machine, clone):
    assert install_again(str(clone), machine.environment()) == RELEASES
    formulas = clone / ".beads" / "formulas"
    assert without_times(read_tree(formulas)) == without_times(read_tree(machine.formulas))
    assert os.listdir(clone / ".beads") == ["formulas"]
    here, there = (formulas / "mol-tree" / "scripts" / "go.sh", machine.formulas / "mol-tree" / "scripts" / "go.sh")
    assert here.stat().st_ino == there.stat().st_ino
    machine.run("verify", cwd=clone)
    assert "Nothing to do" in machine.run("sync", "--frozen", cwd=clone).err


def test_the_receipt_and_the_root_are_those_of_the_real_command(machine, clone):
    other = new_clone(machine, "other")
    assert install_again(str(clone), machine.environment())
    shutil.rmtree(state(machine) / "again")
    machine.run("sync", "--frozen", cwd=other)
    receipts = [machine.world and (folder / ".beads/formulas/.lock.json").read_text() for folder in (clone, other)]
    lines = [[line.partition('"installed_at"')[0] for line in text.split("\n")] for text in receipts]
    assert lines[0] == lines[1]
    roots = [path.read_text() for path in (machine.store / "roots").iterdir()]
    assert min(text.replace("/other/", "/clone/") for text in roots if "/project/" not in text) in roots
    assert len(roots) == 3


def test_the_process_plans_nothing_and_says_what_the_real_command_says(machine, clone):
    other = new_clone(machine, "other")
    code = (
        "import sys; sys.argv = ['mmpm', 'sync', '--frozen', '--offline']\n"
        "import mmpm.cli.entry as entry; entry.main()\n"
        "slow = {'mmpm.cli.app', 'mmpm.plan', 'json', 'typing', 'dataclasses', 're'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n{code}"],
        cwd=clone, env=machine.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    shutil.rmtree(state(machine) / "again")
    real = machine.run("sync", "--frozen", "--offline", cwd=other)
    assert (ran.stdout, ran.stderr) == (real.out, real.err.replace(str(other), str(clone)))


def same_size_and_times(path):
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"X" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(status.st_mode & 0o777)


def test_an_edit_that_shows_in_no_time_or_size_is_not_linked(machine, clone):
    same_size_and_times(machine.formulas / "mol-tree" / "README.md")
    assert install_again(str(clone), machine.environment()) is None
    assert not (clone / ".beads" / "formulas").exists()
    machine.run("sync", "--frozen", cwd=clone)
    assert (clone / ".beads" / "formulas" / "mol-tree" / "README.md").read_bytes() == b"# read me\n"
    assert os.listdir(clone / ".beads") == ["formulas"]


def changed_lock(machine, clone):  # noqa: ARG001
    with (clone / "mmpm.lock").open("a") as file:
        file.write("\n")


def damaged_memory(machine, clone):
    path = memory_path(str(state(machine)), (clone / "mmpm.lock").read_bytes())
    with open(path, "r+b") as file:
        file.seek(200)
        file.write(b"?")


def changed_settings(machine, clone):  # noqa: ARG001
    (machine.home / ".config" / "mmpm" / "config.toml").write_text('[install]\nlink = "copy"\n')


def unfinished_change(machine, clone):
    path = journal_path(str(state(machine)), str(clone / ".beads" / "formulas"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("{}")


def left_staging(machine, clone):  # noqa: ARG001
    (clone / ".beads" / f"{STAGING_PREFIX}0123").mkdir(parents=True)


def something_there(machine, clone):  # noqa: ARG001
    (clone / ".beads" / "formulas").mkdir(parents=True)
    (clone / ".beads" / "formulas" / "mol-a.formula.toml").write_text("mine")


def object_gone(machine, clone):  # noqa: ARG001
    for path in (machine.store / "objects").rglob("*-x"):
        path.unlink()


@pytest.mark.parametrize(
    "change",
    [
        changed_lock,
        damaged_memory,
        changed_settings,
        unfinished_change,
        left_staging,
        something_there,
        object_gone,
    ],
)
def test_whatever_is_not_as_it_was_is_for_the_real_command(machine, clone, change):
    change(machine, clone)
    assert install_again(str(clone), machine.environment()) is None
    machine.run("sync", "--frozen", cwd=clone)
    machine.run("verify", cwd=clone)
    assert sorted(os.listdir(clone / ".beads")) == ["formulas"]


@pytest.mark.parametrize("name", ["XDG_DATA_HOME", "MMPM_STORE", "MMPM_INSTALL_LINK", "MMPM_OFFLINE", "HOME"])
def test_another_environment_is_for_the_real_command(machine, clone, name):
    environ = machine.environment() | {"XDG_STATE_HOME": str(machine.home / ".local" / "state"), name: "perhaps"}
    assert install_again(str(clone), environ) is None


def test_a_folder_that_another_process_changes_is_left_to_the_real_command(machine, clone):
    formulas = str(clone / ".beads" / "formulas")
    code = (
        f"import os, sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        "from mmpm.execute.again import install_again\n"
        f"print(install_again({str(clone)!r}, os.environ))\n"
    )
    assert hold_at_once(str(state(machine)), formulas)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", code], env=machine.environment(), capture_output=True, text=True, check=False
        )
    finally:
        release(formulas)
    assert ran.stdout == "None\n", ran.stderr


@pytest.mark.parametrize("place", ["root", ".beads"])
def test_a_link_on_the_way_is_for_the_real_command(machine, clone, place):
    elsewhere = machine.home / "elsewhere"
    if place == "root":
        elsewhere.symlink_to(clone)
        assert install_again(str(elsewhere), machine.environment()) is None
    else:
        elsewhere.mkdir()
        (clone / ".beads").symlink_to(elsewhere)
        assert install_again(str(clone), machine.environment()) is None
        assert os.listdir(elsewhere) == []


def test_a_failure_midway_leaves_nothing_that_the_real_command_does_not_clear(machine, clone, monkeypatch):
    def fail(*_args, **_named):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mmpm.execute.again.sync_filesystem", fail)
        patch.setattr("mmpm.execute.again.fsync_path", fail)
        assert install_again(str(clone), machine.environment()) is None
    assert not (clone / ".beads" / "formulas").exists()
    machine.run("sync", "--frozen", cwd=clone)
    assert os.listdir(clone / ".beads") == ["formulas"]
    machine.run("verify", cwd=clone)


def test_secrets_are_no_circumstances():
    assert "hunter2" not in (circumstances({"HOME": "/h", "MMPM_TOKEN_ACME": "hunter2"}) or "")


def test_old_memories_go(machine):
    folder = state(machine) / "again"
    for number in range(40):
        (folder / f"{number:064}").write_bytes(b"")
        os.utime(folder / f"{number:064}", (number, number))
    (machine.home / "more").mkdir()
    (machine.home / "more" / "mmpm.toml").write_text('[formulas]\nmol-a = "*"\n')
    machine.run("sync", cwd=machine.home / "more")
    assert len(list(folder.iterdir())) == 16
    assert memory_path(str(state(machine)), machine.lock.read_bytes())[-64:] in os.listdir(folder)
