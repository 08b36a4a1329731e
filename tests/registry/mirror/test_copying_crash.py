"""A copy that ends at any change, killed or on a full disk, shows the old state or the new; a rerun finishes it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest
from killing import dying_at, end_of, in_child
from mirroring import mirror, opened, tree_bytes
from registry_tree import FolderRegistry, bundle, formula

# Python 3.12 warns of any fork beside threads, such as those of a parallel test run; the children here start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def registry(tmp_path):
    made = FolderRegistry(tmp_path)
    made.publish(formula("mol-a", "1.0.0"), bundle("tool"))
    return made


@pytest.fixture
def old(registry, tmp_path):
    """A mirror of an older state; what a case does to it is done to a copy that shares its files."""
    where = tmp_path / "old"
    mirror(registry, where)
    registry.later(hours=1)
    registry.publish(formula("mol-a", "1.1.0"), bundle("tool", "2.0.0"), formula("mol-b"))
    return where


def changes_of(registry, tree):
    counted = [0]

    def note(count, _event, _arguments):
        counted[0] = count

    def work():
        mirror(registry, tree)
        total = counted[0]
        Path(f"{tree}.count").write_text(str(total))

    assert end_of(in_child(work, note)) == 0
    return int(Path(f"{tree}.count").read_text())


def copy_of(old, where):
    if old.exists():
        shutil.copytree(old, where, copy_function=os.link)
    return where


@pytest.mark.parametrize("is_first", [True, False])
def test_killed_before_any_change_it_shows_the_old_state_or_the_new(registry, old, tmp_path, is_first):
    start = tmp_path / "nothing" if is_first else old
    total = changes_of(registry, copy_of(start, tmp_path / "counted"))
    assert total > 30
    whole = tree_bytes(registry, registry.root)
    step = max(1, total // 6)
    for number in sorted({*range(1, total, step), *range(max(1, total - 20), total + 1, 4)}):
        tree = copy_of(start, tmp_path / f"case-{number}")
        assert end_of(in_child(lambda tree=tree: mirror(registry, tree), dying_at(number))) == -signal.SIGKILL
        if (tree / "metadata" / "timestamp.json").exists():
            assert set(tree_bytes(registry, tree)) in (set(whole), set(tree_bytes(registry, old)))
        else:
            assert is_first
        mirror(registry, tree)
        assert tree_bytes(registry, tree) == whole
        shown = {str(path.relative_to(tree)) for path in tree.rglob("download")}
        assert shown == {str(path.relative_to(registry.root)) for path in Path(registry.root).rglob("download")}
        shutil.rmtree(tree)


def test_a_disk_that_is_full_at_any_change_leaves_the_old_state_and_room_finishes_it(registry, old, tmp_path):
    total = changes_of(registry, copy_of(old, tmp_path / "counted"))
    before, whole = tree_bytes(registry, old), tree_bytes(registry, registry.root)
    for number in range(1, total, max(1, total // 8)):
        tree = copy_of(old, tmp_path / f"case-{number}")

        def full(count, event, _arguments, number=number):
            if count >= number and event in {"open", "os.mkdir", "os.link"}:
                raise OSError(errno.ENOSPC, "no room")

        assert end_of(in_child(lambda tree=tree: mirror(registry, tree), full)) == 1
        assert tree_bytes(registry, tree) in (before, whole)
        mirror(registry, tree)
        assert tree_bytes(registry, tree) == whole
        shutil.rmtree(tree)


def test_what_lies_there_already_is_not_fetched_again(registry, tmp_path):
    tree = tmp_path / "tree"
    total = changes_of(registry, tmp_path / "counted")
    assert end_of(in_child(lambda: mirror(registry, tree), dying_at(total // 2))) == -signal.SIGKILL
    there = sum(1 for path in tree.rglob("*") if path.is_file() and ".staging" not in str(path))
    done = mirror(registry, tree)
    assert 0 < done.counts.files <= len(tree_bytes(registry, tree)) - there
    assert opened(registry, tree).serial == 2
