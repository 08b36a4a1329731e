"""Collection: what no root reaches and nobody made or linked lately is unlinked.

Rules: no lock and no free space are needed. An install sets its root before it links; a root that changes while this
runs is read again before the next object goes. Linking an object renews its ctime, putting it again its mtime: both
count as its age, so the grace time covers whoever has not set a root yet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm_store.errors import TreeError
from mmpm_store.roots import list_roots, mark_vanished, unmark_vanished
from mmpm_store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mmpm_store.ids import ObjectId
    from mmpm_store.objects import Store
    from mmpm_store.roots import Root

# What lies in staging longer than this belongs to no running process.
_STAGING_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection did, or would do.

    Attributes:
        removed: the objects unlinked (id, executable), oldest first.
        freed_bytes: of those that no install links any more.
        kept_objects: what stays, both variants counted.
        kept_bytes: of these.
        vanished: keys of roots whose receipt is missing, still kept; sorted.
        dropped: keys of roots whose receipt has been missing for longer than the grace time; sorted.
        unreadable: trees in use whose listing is missing or damaged: then nothing is removed, unless forced.
    """

    removed: tuple[tuple[ObjectId, bool], ...]
    freed_bytes: int
    kept_objects: int
    kept_bytes: int
    vanished: tuple[str, ...]
    dropped: tuple[str, ...]
    unreadable: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    touched_at: float
    id: ObjectId
    executable: bool
    size: int
    links: int


def collect(
    store: Store,
    keep: Iterable[ObjectId] = (),
    *,
    grace_seconds: float,
    now: float,
    max_bytes: int | None = None,
    dry_run: bool = False,
    force: bool = False,
    user_exists: Callable[[str], bool] = os.path.lexists,
) -> Collected:
    """Unlink what is neither reached by a root or `keep` nor younger than the grace time, oldest first.

    Args:
        store: to collect in.
        keep: objects; if one is a tree, its files as well. Those that are not here do not matter.
        grace_seconds: what was put or linked within it stays.
        now: seconds since the epoch.
        max_bytes: stop as soon as the store holds no more than this; None: remove all that may go.
        dry_run: only say what would be done.
        force: remove although a tree in use cannot be read, and so its files are not known.
        user_exists: whether the user of a root (the path of a receipt) is there.

    Raises:
        UnreadableRootError: a root cannot be read; nothing was removed.
    """
    keep = frozenset(keep)
    roots = _Roots(store, keep, grace_seconds, now, user_exists)
    roots.read()
    if not dry_run:
        roots.settle()
        _clear_staging(store, max(grace_seconds, _STAGING_SECONDS), now)
    candidates: list[_Candidate] = []
    kept_objects = kept_bytes = 0
    for object_id, executable, status in store.objects():
        kept_objects += 1
        kept_bytes += status.st_size
        touched_at = max(status.st_mtime, status.st_ctime)
        if object_id not in roots.reached and now - touched_at >= grace_seconds:
            candidates.append(_Candidate(touched_at, object_id, executable, status.st_size, status.st_nlink))
    candidates.sort(key=lambda one: (one.touched_at, one.id, one.executable))
    removed: list[tuple[ObjectId, bool]] = []
    freed_bytes = 0
    for one in candidates:
        if (roots.unreadable and not force) or (max_bytes is not None and kept_bytes <= max_bytes):
            break
        if not dry_run and (roots.reaches_now(one.id) or not _unlink(store, one, now - grace_seconds)):
            continue
        removed.append((one.id, one.executable))
        kept_objects -= 1
        kept_bytes -= one.size
        freed_bytes += one.size if one.links == 1 else 0
    return Collected(
        tuple(removed),
        freed_bytes,
        kept_objects,
        kept_bytes,
        tuple(sorted(root.key for root in roots.vanished)),
        tuple(sorted(root.key for root in roots.dropped)),
        tuple(sorted(roots.unreadable)),
    )


class _Roots:
    """What is reached, as of the last change of the folder roots/."""

    def __init__(
        self,
        store: Store,
        keep: frozenset[ObjectId],
        grace_seconds: float,
        now: float,
        user_exists: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._keep = keep
        self._grace_seconds = grace_seconds
        self._now = now
        self._user_exists = user_exists
        self._stamp = 0
        self.reached: set[ObjectId] = set()
        self.unreadable: set[ObjectId] = set()
        self.vanished: list[Root] = []
        self.back: list[Root] = []
        self.dropped: list[Root] = []

    def read(self) -> None:
        self._stamp = self._stamp_now()
        self.vanished, self.back, self.dropped = [], [], []
        reached = set(self._keep)
        expanded: set[ObjectId] = set()
        self.unreadable = set()
        for root in list_roots(self._store):
            if self._user_exists(root.key):
                if root.is_marked_vanished:
                    self.back.append(root)
            elif root.is_marked_vanished and self._now - root.touched_at >= self._grace_seconds:
                self.dropped.append(root)
                continue
            else:
                self.vanished.append(root)
            expanded.update(root.trees)
        reached |= expanded
        for tree in expanded:
            data = self._store.peek(tree)
            try:
                reached.update(entry.id for entry in Tree.parse(data or b"").entries)
            except TreeError:
                self.unreadable.add(tree)
        for one in self._keep:
            data = self._store.peek(one)
            if data is not None and data.startswith(b'{"files":['):
                with contextlib.suppress(TreeError):
                    reached.update(entry.id for entry in Tree.parse(data).entries)
        self.reached = reached

    def settle(self) -> None:
        """Write down what was found about receipts that went away or came back."""
        for root in self.vanished:
            mark_vanished(root, self._now)
        for root in self.back:
            unmark_vanished(root)
        for root in self.dropped:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(root.path)
        self._stamp = self._stamp_now() if self.vanished or self.back or self.dropped else self._stamp

    def reaches_now(self, object_id: ObjectId) -> bool:
        if self._stamp_now() != self._stamp:
            dropped = self.dropped
            self.read()
            self.dropped = dropped + self.dropped
        return object_id in self.reached

    def _stamp_now(self) -> int:
        return os.stat(f"{self._store.path}/roots").st_mtime_ns


def _unlink(store: Store, one: _Candidate, touched_before: float) -> bool:
    path = store.path_of(one.id, one.executable)
    try:
        status = os.lstat(path)
        if max(status.st_mtime, status.st_ctime) > touched_before:
            return False  # put or linked since it was listed
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _clear_staging(store: Store, older_than_seconds: float, now: float) -> None:
    with os.scandir(f"{store.path}/staging") as entries:
        for entry in entries:
            try:
                if now - entry.stat(follow_symlinks=False).st_mtime < older_than_seconds:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
            except FileNotFoundError:
                continue
