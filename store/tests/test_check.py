from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmpm_store.check import clear_quarantine, list_quarantine, quarantine, repair, verify_store
from mmpm_store.ids import ObjectId
from mmpm_store.roots import set_root
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from mmpm_store.objects import Store


def damage(store: Store, data: bytes, executable: bool = False) -> None:
    path = store.path_of(ObjectId.of(data), executable)
    os.chmod(path, 0o644)
    with open(path, "wb") as file:
        file.write(b"damaged")


def test_a_sound_store_is_found_sound_and_progress_is_told(store: Store) -> None:
    store.put_many([(b"a", False), (b"b", True)])
    told: list[tuple[int, int]] = []
    health = verify_store(store, lambda done, all_of_them: told.append((done, all_of_them)))
    assert health.is_sound
    assert (health.objects, health.bytes) == (2, 2)
    assert told == [(1, 2), (2, 2)]


def test_looking_finds_all_and_changes_nothing(store: Store) -> None:
    store.put_many([(b"a", False), (b"b", True), (b"c", False)])
    tree = Tree.of([FileEntry("gone", False, ObjectId.of(b"gone"), 4)])
    set_root(store, "/r", [store.put_tree(tree), ObjectId.of(b"no tree")])
    damage(store, b"a")
    os.chmod(store.path_of(ObjectId.of(b"c")), 0o644)
    with open(f"{store.path}/objects/README", "wb"):
        pass
    os.makedirs(f"{store.path}/objects/zz")
    with open(f"{store.path}/objects/zz/what", "wb"):
        pass
    health = verify_store(store)
    assert health.damaged == ((ObjectId.of(b"a"), False),)
    assert health.wrong_mode == ((ObjectId.of(b"c"), False),)
    assert health.missing == tuple(sorted([(ObjectId.of(b"gone"), False), (ObjectId.of(b"no tree"), False)]))
    assert health.strangers == ("README", "zz/what")
    assert not health.is_sound
    assert verify_store(store) == health
    assert store.status().quarantined == 0


def test_repair_fetches_what_is_damaged_or_missing_and_believes_only_hashes(store: Store) -> None:
    contents = {ObjectId.of(data): data for data in (b"a", b"b", b"c", b"x")}
    tree = Tree.of([FileEntry(name, name == "c", ObjectId.of(name.encode()), 1) for name in "abcd"])
    contents[tree.id] = tree.to_bytes()
    store.put_many([(b"a", False), (b"b", False), (b"b", True), (b"x", False), (b"y", False)])
    for data in (b"a", b"b", b"x", b"y"):
        damage(store, data)
    set_root(store, "/r", [tree.id])  # the tree itself is missing, and so are c and d, which only it names
    asked: list[ObjectId] = []

    def fetch(object_id: ObjectId) -> bytes | None:
        asked.append(object_id)
        return b"garbage" if object_id == ObjectId.of(b"d") else contents.get(object_id)

    done = repair(store, fetch)
    assert ObjectId.of(b"b") not in asked  # its other variant is intact
    assert len(asked) == len(set(asked))
    assert done.mended == tuple(
        sorted(
            [*((ObjectId.of(data), False) for data in (b"a", b"b", b"x")), (ObjectId.of(b"c"), True), (tree.id, False)]
        )
    )
    assert done.lost == ((ObjectId.of(b"d"), False),)
    assert done.unused == ((ObjectId.of(b"y"), False),)
    health = verify_store(store)
    assert health.damaged == ()
    assert health.missing == done.lost
    assert [(one.id, one.size) for one in list_quarantine(store)] == sorted(
        (ObjectId.of(data), 7) for data in (b"a", b"b", b"x", b"y")
    )


def test_repair_sets_modes_right(store: Store) -> None:
    object_id = store.put(b"a", executable=True)
    os.chmod(store.path_of(object_id, True), 0o644)
    assert repair(store, lambda _id: None).modes == ((object_id, True),)
    assert verify_store(store).is_sound


def test_quarantine_holds_what_was_moved_aside_until_it_is_cleared(store: Store) -> None:
    store.put_many([(b"a", False), (b"a", True)])
    assert quarantine(store, ObjectId.of(b"a")) == 2
    assert quarantine(store, ObjectId.of(b"a")) == 0
    assert [(one.id, one.executable) for one in list_quarantine(store)] == [
        (ObjectId.of(b"a"), False),
        (ObjectId.of(b"a"), True),
    ]
    assert clear_quarantine(store) == 2
    assert list_quarantine(store) == ()
