"""What was installed once is installed again in a fresh clone: the same result, or the real command has to look."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import read_tree

from mmpm.cli.app import run
from mmpm.errors import ObjectsMissingError
from mmpm.execute.again import Memory, circumstances, install_again, memory_path
from mmpm.execute.apply import apply
from mmpm.execute.install import end_change
from mmpm.execute.locking import STAGING_PREFIX, hold_at_once, journal_path, release
from mmpm.ops.sync import SyncRequest, plan_sync
from mmpm.project.tiers import Project
from mmpm_store.roots import list_roots

SCRIPT = b"#!/bin/sh\nexit 0\n"
READ_ME = b"# read me\n"
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
def site(site):
    """A machine that has installed three releases in its project."""
    releases = [site.release(f"mol-{letter}", "1.0.0", letter.encode()) for letter in "ab"]
    files = {"scripts/go.sh": SCRIPT, "README.md": READ_ME, "deep/er/t.md": b"t"}
    site.install(*releases, site.release("mol-tree", "1.0.0", files, ("scripts/go.sh",)))
    return site


@pytest.fixture
def clone(site):
    return new_clone(site, "clone")


def new_clone(site, name):
    folder = site.home / name
    folder.mkdir()
    shutil.copyfile(site.root / "mmpm.lock", folder / "mmpm.lock")
    return folder


def really_sync(site, root):
    """What `mmpm sync --frozen` does when it has to look."""
    context = replace(site.context, project=Project("project", str(root)))
    try:
        return apply(context, plan_sync(context, SyncRequest(frozen=True)))
    finally:
        end_change(context)


def state(site):
    return Path(site.context.places.state)


def without_times(folder):
    return {path: (b"" if path == ".lock.json" else data, bit) for path, (data, bit) in read_tree(folder).items()}


def test_again_gives_what_the_first_time_gave(site, clone):
    assert install_again(str(clone), site.environ) == RELEASES
    formulas = clone / ".beads" / "formulas"
    assert without_times(formulas) == without_times(site.formulas)
    assert os.listdir(clone / ".beads") == ["formulas"]
    script = formulas / "mol-tree" / "scripts" / "go.sh"
    assert script.stat().st_ino == (site.formulas / "mol-tree" / "scripts" / "go.sh").stat().st_ino
    assert really_sync(site, clone).linked == 0


def test_the_receipt_and_the_root_are_those_of_the_real_command(site, clone):
    other = new_clone(site, "other")
    assert install_again(str(clone), site.environ)
    shutil.rmtree(state(site) / "again")
    really_sync(site, other)
    texts = [(folder / ".beads" / "formulas" / ".lock.json").read_text() for folder in (clone, other)]
    time = re.compile('"installed_at":"[^"]*"')
    assert time.sub("", texts[0]) == time.sub("", texts[1])
    assert len(set(time.findall(texts[0]))) == 1
    roots = {root.key: root.trees for root in list_roots(site.store)}
    assert len(roots) == 3
    assert len(set(roots.values())) == 1
    assert f"{clone}/.beads/formulas/.lock.json" in roots


def test_the_process_plans_nothing_and_says_what_the_real_command_says(site, clone, capsys):
    code = (
        f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        "sys.argv = ['mmpm', 'sync', '--frozen', '--offline']\n"
        "import mmpm.cli.entry as entry; entry.main()\n"
        "slow = {'mmpm.cli.app', 'mmpm.plan', 'json', 'typing', 'dataclasses', 're'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=clone, env=site.environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    shutil.rmtree(state(site) / "again")
    other = new_clone(site, "other")
    line = ["sync", "--frozen", "--offline"]
    assert run(line, environ=site.environ, cwd=str(other), guard_offline=lambda: None) == 0
    real = capsys.readouterr()
    assert (ran.stdout, ran.stderr) == (real.out, real.err.replace(str(other), str(clone)))


def same_size_and_times(path):
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"X" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(status.st_mode & 0o777)


def test_an_edit_that_shows_in_no_time_or_size_is_not_linked(site, clone):
    same_size_and_times(site.formulas / "mol-tree" / "README.md")
    assert install_again(str(clone), site.environ) is None
    assert not (clone / ".beads" / "formulas").exists()
    with pytest.raises(ObjectsMissingError):
        really_sync(site, clone)
    site.store.put(READ_ME)
    really_sync(site, clone)
    assert (clone / ".beads" / "formulas" / "mol-tree" / "README.md").read_bytes() == READ_ME
    assert os.listdir(clone / ".beads") == ["formulas"]


def changed_lock(site, clone):  # noqa: ARG001
    with (clone / "mmpm.lock").open("a") as file:
        file.write("\n")


def damaged_memory(site, clone):
    path = memory_path(str(state(site)), (clone / "mmpm.lock").read_bytes())
    with open(path, "r+b") as file:
        file.seek(200)
        file.write(b"?")


def changed_settings(site, clone):  # noqa: ARG001
    folder = site.home / ".config" / "mmpm"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[install]\nlink = "copy"\n')


def unfinished_change(site, clone):
    path = journal_path(str(state(site)), str(clone / ".beads" / "formulas"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("{}")


def left_staging(site, clone):  # noqa: ARG001
    (clone / ".beads" / f"{STAGING_PREFIX}0123").mkdir(parents=True)


def something_there(site, clone):  # noqa: ARG001
    (clone / ".beads" / "formulas").mkdir(parents=True)
    (clone / ".beads" / "formulas" / "mol-a.formula.toml").write_text("mine")


def object_gone(site, clone):  # noqa: ARG001
    for path in Path(site.store.path, "objects").rglob("*-x"):
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
def test_whatever_is_not_as_it_was_is_for_the_real_command(site, clone, change):
    change(site, clone)
    assert install_again(str(clone), site.environ) is None
    site.store.put(SCRIPT, executable=True)
    really_sync(site, clone)
    assert sorted(os.listdir(clone / ".beads")) == ["formulas"]


@pytest.mark.parametrize("name", ["XDG_DATA_HOME", "MMPM_STORE", "MMPM_INSTALL_LINK", "MMPM_OFFLINE", "HOME"])
def test_another_environment_is_for_the_real_command(site, clone, name):
    environ = site.environ | {"XDG_STATE_HOME": str(site.home / ".local" / "state"), name: "perhaps"}
    assert install_again(str(clone), environ) is None


def test_a_folder_that_another_process_changes_is_left_to_the_real_command(site, clone):
    formulas = str(clone / ".beads" / "formulas")
    code = (
        f"import os, sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        "from mmpm.execute.again import install_again\n"
        f"print(install_again({str(clone)!r}, os.environ))\n"
    )
    assert hold_at_once(str(state(site)), formulas)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", code], env=site.environ, capture_output=True, text=True, check=False
        )
    finally:
        release(formulas)
    assert ran.stdout == "None\n", ran.stderr


@pytest.mark.parametrize("place", ["root", ".beads"])
def test_a_link_on_the_way_is_for_the_real_command(site, clone, place):
    elsewhere = site.home / "elsewhere"
    if place == "root":
        elsewhere.symlink_to(clone)
        assert install_again(str(elsewhere), site.environ) is None
    else:
        elsewhere.mkdir()
        (clone / ".beads").symlink_to(elsewhere)
        assert install_again(str(clone), site.environ) is None
        assert os.listdir(elsewhere) == []


def test_a_failure_midway_leaves_nothing_that_the_real_command_does_not_clear(site, clone, monkeypatch):
    def fail(*_args, **_named):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mmpm.execute.again.sync_filesystem", fail)
        patch.setattr("mmpm.execute.again.fsync_path", fail)
        assert install_again(str(clone), site.environ) is None
    assert not (clone / ".beads" / "formulas").exists()
    really_sync(site, clone)
    assert os.listdir(clone / ".beads") == ["formulas"]


def test_secrets_are_no_circumstances():
    assert "hunter2" not in (circumstances({"HOME": "/h", "MMPM_TOKEN_ACME": "hunter2"}) or "")


def test_old_memories_go(site):
    folder = state(site) / "again"
    for number in range(40):
        (folder / f"{number:064}").write_bytes(b"")
        os.utime(folder / f"{number:064}", (number, number))
    shutil.rmtree(site.formulas)
    site.install(site.release("mol-z", "1.0.0", b"z"))
    assert len(list(folder.iterdir())) == 16
    assert memory_path(str(state(site)), (site.root / "mmpm.lock").read_bytes())[-64:] in os.listdir(folder)
