from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm_store import collect as collecting
from mmpm_store.collect import collect
from mmpm_store.errors import UnreadableRootError
from mmpm_store.ids import ObjectId
from mmpm_store.materialise import Placement, materialise
from mmpm_store.objects import Store
from mmpm_store.roots import keep_object, list_roots, remove_root, set_root
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = 86400.0


def later(days: float = 30) -> float:
    return time.time() + days * DAY


def exists(_key: str) -> bool:
    return True


def put_tree(store: Store, *texts: str) -> Tree:
    store.put_many((text.encode(), False) for text in texts)
    tree = Tree.of(FileEntry(text, False, ObjectId.of(text.encode()), len(text)) for text in texts)
    store.put_tree(tree)
    return tree


def held(store: Store) -> set[ObjectId]:
    return {object_id for object_id, _, _ in store.objects()}


TREES = st.lists(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4), max_size=5)


@given(TREES, st.data())
def test_exactly_what_roots_and_the_kept_reach_survives(
    fresh: Callable[[], Path], trees: list[list[str]], data: st.DataObject
) -> None:
    store = Store.open(fresh() / "s", durability="none")
    made = [put_tree(store, *texts) for texts in trees]
    rooted = [tree for tree in made if data.draw(st.booleans())]
    kept = [tree.id for tree in made if data.draw(st.booleans())]
    for number, tree in enumerate(rooted):
        set_root(store, f"/receipt/{number}", [tree.id])
    wanted = {one.id for one in rooted} | set(kept)
    wanted |= {entry.id for tree in made if tree.id in wanted for entry in tree.entries}
    before = held(store)
    dry = collect(store, kept, grace_seconds=DAY, now=later(), dry_run=True, user_exists=exists)
    assert held(store) == before
    done = collect(store, kept, grace_seconds=DAY, now=later(), user_exists=exists)
    assert done == dry
    assert held(store) == wanted & before
    assert {object_id for object_id, _ in done.removed} == before - wanted
    assert collect(store, kept, grace_seconds=DAY, now=later(), user_exists=exists).removed == ()


def test_what_is_younger_than_the_grace_time_stays(store: Store) -> None:
    store.put(b"abc")
    assert collect(store, grace_seconds=DAY, now=time.time()).removed == ()
    assert collect(store, grace_seconds=DAY, now=later(0.9)).removed == ()
    assert len(collect(store, grace_seconds=DAY, now=later(1.1)).removed) == 1


def test_an_old_object_that_was_just_linked_stays(store: Store, tmp_path: Path) -> None:
    tree = put_tree(store, "a")
    for object_id in held(store):
        os.utime(store.path_of(object_id), (1, 1))
    materialise(store, str(tmp_path / "out"), [Placement(tree)])
    collect(store, grace_seconds=DAY, now=time.time())
    assert ObjectId.of(b"a") in held(store)


def test_a_size_cap_removes_the_oldest_first_and_no_more_than_it_must(store: Store) -> None:
    ids = []
    for number in range(4):
        ids.append(store.put(b"%d" % number * 100))
        os.utime(store.path_of(ids[-1]), (later(number), later(number)))
    done = collect(store, grace_seconds=0, now=later(), max_bytes=250)
    assert [object_id for object_id, _ in done.removed] == ids[:2]
    assert (done.kept_objects, done.kept_bytes, done.freed_bytes) == (2, 200, 200)
    assert collect(store, grace_seconds=0, now=later(), max_bytes=250).removed == ()


def test_a_cap_never_takes_what_is_in_use(store: Store) -> None:
    set_root(store, "/r", [put_tree(store, "a", "b").id])
    done = collect(store, grace_seconds=0, now=later(), max_bytes=0, user_exists=exists)
    assert done.removed == ()
    assert done.kept_objects == 3


def test_bytes_that_an_install_still_links_are_not_counted_as_freed(store: Store, tmp_path: Path) -> None:
    tree = put_tree(store, "a")
    materialise(store, str(tmp_path / "out"), [Placement(tree)])
    done = collect(store, grace_seconds=0, now=later())
    assert len(done.removed) == 2
    assert done.freed_bytes == len(tree.to_bytes())
    assert (tmp_path / "out" / "a").read_bytes() == b"a"


def test_a_root_whose_receipt_vanished_is_kept_for_the_grace_time(store: Store, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt"
    tree = put_tree(store, "a")
    set_root(store, str(receipt), [tree.id])
    first = collect(store, grace_seconds=DAY, now=later(10))
    assert (first.removed, first.vanished, first.dropped) == ((), (str(receipt),), ())
    assert collect(store, grace_seconds=DAY, now=later(10.5)).vanished == (str(receipt),)
    receipt.touch()  # the disk is back
    back = collect(store, grace_seconds=DAY, now=later(20))
    assert (back.removed, back.vanished) == ((), ())
    receipt.unlink()
    assert collect(store, grace_seconds=DAY, now=later(30)).vanished == (str(receipt),)
    last = collect(store, grace_seconds=DAY, now=later(32))
    assert (len(last.removed), last.dropped) == (2, (str(receipt),))
    assert list_roots(store) == ()


def test_a_dry_run_does_not_mark_roots(store: Store) -> None:
    set_root(store, "/gone", [put_tree(store, "a").id])
    collect(store, grace_seconds=DAY, now=later(10), dry_run=True)
    assert not list_roots(store)[0].is_marked_vanished


def test_nothing_is_removed_while_a_tree_in_use_cannot_be_read(store: Store) -> None:
    tree = put_tree(store, "a")
    set_root(store, "/r", [tree.id])
    os.unlink(store.path_of(tree.id))
    done = collect(store, grace_seconds=0, now=later(), user_exists=exists)
    assert (done.removed, done.unreadable) == ((), (tree.id,))
    assert ObjectId.of(b"a") in held(store)
    assert len(collect(store, grace_seconds=0, now=later(), force=True, user_exists=exists).removed) == 1


def test_nothing_is_removed_while_a_root_cannot_be_read(store: Store) -> None:
    store.put(b"abc")
    for data in (
        b"",
        b"{}",
        b"[]",
        b'{"format":2,"key":"x","trees":[]}',
        b'{"format":1,"key":"x","trees":["y"]}',
        b"\xff",
    ):
        with open(f"{store.path}/roots/x.json", "wb") as file:
            file.write(data)
        with pytest.raises(UnreadableRootError):
            collect(store, grace_seconds=0, now=later())
    assert len(held(store)) == 1


def test_a_root_that_is_set_while_collecting_counts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = put_tree(store, "a", "b", "c")
    real = collecting._unlink
    calls: list[ObjectId] = []

    def unlink_then_install(store: Store, one: collecting._Candidate, touched_before: float) -> bool:
        calls.append(one.id)
        done = real(store, one, touched_before)
        if len(calls) == 1:
            time.sleep(0.02)  # the clock of many file systems ticks a hundred times a second
            set_root(store, "/r", [tree.id])
        return done

    monkeypatch.setattr(collecting, "_unlink", unlink_then_install)
    done = collect(store, grace_seconds=0, now=later(), user_exists=exists)
    assert len(done.removed) == len(calls) == 1


def test_collection_writes_no_bytes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is when it is needed."""
    set_root(store, "/gone", [put_tree(store, "a").id])
    store.put(b"unused")

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(os, "mkdir", full)
    assert len(collect(store, grace_seconds=DAY, now=later(2)).removed) == 1


def test_what_crashed_writers_left_in_staging_goes_after_an_hour(store: Store) -> None:
    path = f"{store.path}/staging/put.1.x"
    os.mkdir(f"{store.path}/staging/folder")
    with open(path, "wb") as file:
        file.write(b"x")
    collect(store, grace_seconds=0, now=time.time())
    assert os.path.exists(path)
    collect(store, grace_seconds=0, now=later(1))
    assert os.listdir(f"{store.path}/staging") == []


def test_roots_are_listed_set_and_removed(store: Store) -> None:
    one, two = ObjectId.of(b"1"), ObjectId.of(b"2")
    set_root(store, "/b", [two, one, two])
    set_root(store, "/a\udcff", [])
    assert [(root.key, root.trees) for root in list_roots(store)] == [
        ("/a\udcff", ()),
        ("/b", tuple(sorted([one, two]))),
    ]
    set_root(store, "/b", [one])
    assert list_roots(store)[1].trees == (one,)
    assert remove_root(store, "/b")
    assert not remove_root(store, "/b")
    assert [root.key for root in list_roots(store)] == ["/a\udcff"]


def test_an_object_that_a_file_needs_stays_as_long_as_the_file_is_there(store: Store, tmp_path: Path) -> None:
    proto, other = store.put(b"a proto"), store.put(b"another one")
    log, arm = tmp_path / "log", tmp_path / "other"
    log.touch()
    arm.touch()
    assert keep_object(store, str(log), proto, 7)
    assert not keep_object(store, str(log), proto, 7)
    assert keep_object(store, str(log), other, 11)
    assert keep_object(store, str(arm), proto, 7)
    assert collect(store, grace_seconds=0, now=later()).removed == ()
    log.unlink()
    collect(store, grace_seconds=0, now=later())
    collect(store, grace_seconds=0, now=later(31))
    assert (store.has(proto), store.has(other)) == (True, False)
    assert [root.key for root in list_roots(store)] == [str(arm)]
