"""An import that ends at any change, killed or on a full disk, shows the old state or the new; a rerun finishes it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest
from far_side import FarSide, tree_files
from killing import dying_at, end_of, in_child
from near_side import cut_pack, inventory_of
from registry_tree import HOST, FolderRegistry, bundle, formula

# Python 3.12 warns of any fork beside threads, such as those of a parallel test run; the children here start none.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")]


class Crossing:
    """A far side at an older state, and a pack of the newest: whole, or cut against what is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = FolderRegistry(folder / "origin")
        self.origin.publish(formula("mol-a"), bundle("mol-b"))
        far = FarSide(folder / "old", HOST, self.origin.made.fingerprint)
        self.belief = far.belief
        far.receive(cut_pack(Path(self.origin.root), HOST, self.belief))
        self.old = tree_files(far.tree, HOST, self.belief)
        self.origin.later(hours=1)
        self.origin.publish(formula("mol-a", "1.1.0"), bundle("mol-b", "2.0.0"), formula("mol-c"))
        self.new = tree_files(Path(self.origin.root), HOST, self.belief)
        self.full = cut_pack(Path(self.origin.root), HOST, self.belief)
        self.increment = cut_pack(Path(self.origin.root), HOST, self.belief, inventory_of(far.folder, HOST))

    def far(self, name: str, *, is_first: bool) -> FarSide:
        """A far side of its own, whose files are those of the old one."""
        if not is_first:
            shutil.copytree(self.folder / "old", self.folder / name, copy_function=os.link)
        return FarSide(self.folder / name, HOST, self.origin.made.fingerprint)

    def count_changes(self, pack: bytes, *, is_first: bool) -> int:
        far, counted = self.far("counted", is_first=is_first), [0]

        def note(count, _event, _arguments):
            counted[0] = count

        def work():
            far.receive(pack)
            total = counted[0]
            (self.folder / "count").write_text(str(total))

        assert end_of(in_child(work, note)) == 0
        shutil.rmtree(far.folder)
        return int((self.folder / "count").read_text())

    def check(self, far: FarSide, *, is_first: bool) -> None:
        """What it shows is whole, and one of the two."""
        if far.verify() is None:
            assert is_first
        else:
            assert tree_files(far.tree, HOST, self.belief) in (self.old, self.new)

    def finish(self, far: FarSide, pack: bytes) -> None:
        far.receive(pack)
        assert tree_files(far.tree, HOST, self.belief) == self.new
        assert far.waiting() == []
        shown = {str(path.relative_to(far.tree)) for path in far.tree.rglob("download")}
        assert shown == {str(path.relative_to(self.origin.root)) for path in Path(self.origin.root).rglob("download")}
        shutil.rmtree(far.folder)


@pytest.fixture(scope="module")
def crossing(tmp_path_factory):
    return Crossing(tmp_path_factory.mktemp("crossing"))


@pytest.mark.parametrize("kind", ["first", "full", "increment"])
def test_killed_before_any_change_it_shows_the_old_state_or_the_new(crossing, kind, sampled):
    is_first, pack = kind == "first", crossing.increment if kind == "increment" else crossing.full
    total = crossing.count_changes(pack, is_first=is_first)
    assert total > 20
    for number in [*sampled(range(1, total - 30), 2), *sampled(range(max(1, total - 30), total + 1), 3)]:
        far = crossing.far(f"case-{number}", is_first=is_first)
        assert end_of(in_child(lambda far=far: far.receive(pack), dying_at(number))) == -signal.SIGKILL
        crossing.check(far, is_first=is_first)
        crossing.finish(far, pack)


@pytest.mark.parametrize("kind", ["first", "increment"])
def test_a_disk_that_is_full_at_any_change_leaves_the_old_state_and_room_finishes_it(crossing, kind, sampled):
    is_first, pack = kind == "first", crossing.increment if kind == "increment" else crossing.full
    total = crossing.count_changes(pack, is_first=is_first)
    for number in sampled(range(1, total), 3):
        far = crossing.far(f"full-{number}", is_first=is_first)

        def full(count, event, _arguments, number=number):
            if count >= number and event in {"open", "os.mkdir", "os.link"}:
                raise OSError(errno.ENOSPC, "no room")

        # Behind the last file that is written, only staging is cleared away.
        assert end_of(in_child(lambda far=far: far.receive(pack), full)) == 1 or number > total * 0.8
        crossing.check(far, is_first=is_first)
        crossing.finish(far, pack)


def test_killed_while_it_waits_or_is_tried_again_nothing_is_lost(crossing, sampled):
    """The increment first, then what it is based on: wherever that ends, carrying both again ends well."""
    base = crossing.full

    def both(far):
        far.receive(crossing.increment)
        far.receive(base)

    for number in sampled(range(1, 150), 2):
        far = FarSide(crossing.folder / f"both-{number}", HOST, crossing.origin.made.fingerprint)
        end_of(in_child(lambda far=far: both(far), dying_at(number)))
        crossing.check(far, is_first=True)
        far.receive(crossing.increment)
        crossing.finish(far, base)
