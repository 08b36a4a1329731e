"""Looking the whole store over, and mending it from whatever still has the bytes."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm_store.errors import TreeError
from mmpm_store.ids import ObjectId
from mmpm_store.layout import EXECUTABLE_MODE, PLAIN_MODE
from mmpm_store.objects import Store, parse_object_name
from mmpm_store.roots import list_roots
from mmpm_store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

Variant = tuple[ObjectId, bool]


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """What a look at every byte found; all lists sorted.

    Attributes:
        objects: looked at, both variants counted.
        bytes: of these.
        damaged: variants whose bytes do not match their id. They were left where they are.
        wrong_mode: intact variants that are writable or lack their x bits.
        missing: variants that a root's tree lists, or the tree itself, and that are not here.
        strangers: paths below ``objects/`` that are no objects.
    """

    objects: int
    bytes: int
    damaged: tuple[Variant, ...]
    wrong_mode: tuple[Variant, ...]
    missing: tuple[Variant, ...]
    strangers: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing needs mending."""
        return not (self.damaged or self.wrong_mode or self.missing)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did; all lists sorted.

    Attributes:
        mended: variants that have their right bytes again.
        modes: variants whose mode was set right.
        lost: variants in use that are damaged or missing, and whose bytes nobody gave.
        unused: damaged variants that no root needs, and whose bytes nobody gave; they are in quarantine.
    """

    mended: tuple[Variant, ...]
    modes: tuple[Variant, ...]
    lost: tuple[Variant, ...]
    unused: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A damaged file that was moved aside."""

    id: ObjectId
    executable: bool
    path: str
    size: int


def verify_store(store: Store, progress: Callable[[int, int], None] | None = None) -> StoreHealth:
    """Re-hash every object; change nothing.

    `progress` is called with the number of objects done and of all.

    Raises:
        UnreadableRootError: a root cannot be read.
    """
    found = list(store.objects())
    damaged: list[Variant] = []
    wrong_mode: list[Variant] = []
    for done, (object_id, executable, status) in enumerate(found, 1):
        if not store.is_intact(object_id, executable):
            if os.path.lexists(store.path_of(object_id, executable)):  # else collected or quarantined meanwhile
                damaged.append((object_id, executable))
        elif stat.S_IMODE(status.st_mode) != _mode(executable):
            wrong_mode.append((object_id, executable))
        if progress is not None:
            progress(done, len(found))
    present = {(object_id, executable) for object_id, executable, _ in found}
    return StoreHealth(
        len(found),
        sum(status.st_size for _, _, status in found),
        tuple(damaged),
        tuple(wrong_mode),
        tuple(sorted(_needed(store) - present)),
        tuple(_strangers(store)),
    )


def repair(
    store: Store,
    fetch: Callable[[ObjectId], bytes | None],
    progress: Callable[[int, int], None] | None = None,
) -> Repaired:
    """Quarantine what is damaged, then bring back that and what is missing: from the other variant, or by `fetch`.

    What `fetch` gives is believed only if its hash is right.

    Raises:
        UnreadableRootError: a root cannot be read.
        NoSpaceError: the disk is full.
    """
    health = verify_store(store, progress)

    def bring(ids: Sequence[ObjectId]) -> None:
        fetched = ((object_id, fetch(object_id)) for object_id in ids)
        store.put_many((data, False) for object_id, data in fetched if data and ObjectId.of(data) == object_id)

    return mend(store, health, bring)


def mend(store: Store, health: StoreHealth, bring: Callable[[Sequence[ObjectId]], None]) -> Repaired:
    """Do what `repair` does about what `verify_store` found; what changed since then is looked at again.

    `bring` puts those of the objects into the store (plain) that it can get. It is called again for what only a tree
    that came back names.

    Raises:
        UnreadableRootError: a root cannot be read.
        NoSpaceError: the disk is full.
    """
    for object_id, executable in health.wrong_mode:
        with contextlib.suppress(FileNotFoundError):
            os.chmod(store.path_of(object_id, executable), _mode(executable))
    for object_id, executable in health.damaged:
        if not store.is_intact(object_id, executable):
            store.quarantine(object_id, executable)
    mended: set[Variant] = set()
    failed: set[Variant] = set()
    wanted = {*health.damaged, *health.missing}
    while wanted:
        absent = sorted({object_id for object_id, _ in wanted if store.peek(object_id) is None})
        if absent:
            bring(absent)
        for object_id, executable in sorted(wanted):
            data = store.peek(object_id)
            if data is None:
                failed.add((object_id, executable))
            else:
                store.put(data, executable)
                mended.add((object_id, executable))
        # A tree that came back may name files that are missing as well.
        wanted = {one for one in _needed(store) if not store.has(*one)} - failed
    needed = _needed(store)
    return Repaired(
        tuple(sorted(mended)),
        health.wrong_mode,
        tuple(sorted(failed & needed)),
        tuple(sorted(failed - needed)),
    )


def users_of(store: Store, ids: Collection[ObjectId]) -> dict[ObjectId, tuple[str, ...]]:
    """Give, for each of `ids` that a root reaches, the keys of those roots, sorted.

    Raises:
        UnreadableRootError: a root cannot be read.
    """
    users: dict[ObjectId, set[str]] = {}
    for root in list_roots(store):
        for object_id, _ in _reached(store, root.trees):
            if object_id in ids:
                users.setdefault(object_id, set()).add(root.key)
    return {object_id: tuple(sorted(keys)) for object_id, keys in users.items()}


def quarantine(store: Store, object_id: ObjectId) -> int:
    """Move all variants of the object aside; gives how many there were."""
    return sum(store.quarantine(object_id, executable) for executable in (False, True))


def list_quarantine(store: Store) -> tuple[Quarantined, ...]:
    """Give what was moved aside, sorted by id."""
    held = []
    folder = f"{store.path}/quarantine"
    for name in os.listdir(folder):
        known = parse_object_name(name[:2], name[2:].partition(".")[0])
        if known is not None:
            held.append(Quarantined(*known, f"{folder}/{name}", os.lstat(f"{folder}/{name}").st_size))
    return tuple(sorted(held, key=lambda one: (one.id, one.executable, one.path)))


def clear_quarantine(store: Store) -> int:
    """Unlink what was moved aside, because a person said so; gives the number of files."""
    held = list_quarantine(store)
    for one in held:
        os.unlink(one.path)
    return len(held)


def _mode(executable: bool) -> int:
    return EXECUTABLE_MODE if executable else PLAIN_MODE


def _needed(store: Store) -> set[Variant]:
    """Give all variants that the roots reach."""
    return _reached(store, {tree for root in list_roots(store) for tree in root.trees})


def _reached(store: Store, trees: Iterable[ObjectId]) -> set[Variant]:
    """Give these trees and the variants they list; a tree that cannot be read stands for itself alone."""
    reached: set[Variant] = set()
    for tree in trees:
        reached.add((tree, False))
        data = store.peek(tree)
        if data is not None:
            with contextlib.suppress(TreeError):
                reached.update((entry.id, entry.executable) for entry in Tree.parse(data).entries)
    return reached


def _strangers(store: Store) -> list[str]:
    objects = f"{store.path}/objects"
    found = []
    for folder in sorted(os.listdir(objects)):
        names = sorted(os.listdir(f"{objects}/{folder}")) if os.path.isdir(f"{objects}/{folder}") else [""]
        found += [f"{folder}/{name}".rstrip("/") for name in names if parse_object_name(folder, name) is None]
    return found
