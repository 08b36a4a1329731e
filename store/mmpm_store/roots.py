"""Roots: which trees are in use, and by whom; one small file for each user, named by the hash of its key.

``{"format":1,"key":"<path of a receipt>","trees":["blake3:<hex>",...]}`` in roots/<hash>.json. A root whose receipt
was found missing is called <hash>.vanished from then on, and its age counts from then.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm_store.errors import UnreadableRootError
from mmpm_store.ids import ObjectId
from mmpm_store.layout import root_path, vanished_path
from mmpm_store.rooting import FORMAT, write_root
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm_store.objects import Store


@dataclass(frozen=True, slots=True)
class Root:
    """The trees that one user needs.

    Attributes:
        key: names the user: the absolute path of its receipt.
        trees: sorted, distinct.
        path: of the root's file.
        is_marked_vanished: an earlier collection found no receipt at `key`.
        touched_at: when it was set, or marked vanished; seconds since the epoch.
    """

    key: str
    trees: tuple[ObjectId, ...]
    path: str
    is_marked_vanished: bool
    touched_at: float


def set_root(store: Store, key: str, trees: Iterable[ObjectId]) -> None:
    """Say that the user `key` needs exactly `trees` from now on. Do so before linking them.

    Raises:
        NoSpaceError: the root is as it was.
    """
    write_root(store.path, key, sorted({str(one) for one in trees}), durable=store.durability == "durable")


def remove_root(store: Store, key: str) -> bool:
    """Say that the user `key` needs nothing any more; False if it had no root."""
    path = root_path(store.path, key)
    removed = [_unlink(path), _unlink(vanished_path(path))]
    return any(removed)


def list_roots(store: Store) -> tuple[Root, ...]:
    """Give all roots, sorted by key.

    Raises:
        UnreadableRootError: one cannot be read.
    """
    folder = f"{store.path}/roots"
    roots = []
    for name in os.listdir(folder):
        if name.endswith((".json", ".vanished")):
            root = _read(f"{folder}/{name}")
            if root is not None:
                roots.append(root)
    return tuple(sorted(roots, key=lambda root: (root.key, root.is_marked_vanished)))


def read_root(store: Store, key: str) -> Root | None:
    """Give the root of the user `key`; None where it has none.

    Raises:
        UnreadableRootError: it cannot be read.
    """
    path = root_path(store.path, key)
    return _read(path) or _read(vanished_path(path))


def keep_object(store: Store, key: str, object_id: ObjectId, size: int) -> bool:
    """Say that the user `key` needs one object as well, which is here; False if that was said before.

    A root keeps trees, so this one gets a tree of that file alone: the same for all who need the object. Nobody else
    may change the root of `key` meanwhile.

    Args:
        store: which has the object.
        key: the path of a file: the object stays as long as it is there.
        object_id: of the object.
        size: of its bytes.

    Raises:
        NoSpaceError, UnreadableRootError: the root is as it was.
    """
    tree = Tree((FileEntry(object_id.hex, False, object_id, size),))
    root = read_root(store, key)
    if root is not None and tree.id in root.trees and store.has(tree.id):
        return False
    set_root(store, key, (*(root.trees if root else ()), store.put_tree(tree)))
    return True


def mark_vanished(root: Root, now: float) -> None:
    """Remember that there is no receipt at `root.key`, as of `now`. Needs no free space."""
    if not root.is_marked_vanished:
        with contextlib.suppress(FileNotFoundError):
            os.utime(root.path, (now, now))
            os.rename(root.path, vanished_path(root.path))


def unmark_vanished(root: Root) -> None:
    """The receipt is back: the root is an ordinary one again, unless it was set anew meanwhile."""
    target = root.path.removesuffix(".vanished") + ".json"
    with contextlib.suppress(FileNotFoundError):
        if os.path.lexists(target):
            os.unlink(root.path)
        else:
            os.rename(root.path, target)


def _unlink(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _read(path: str) -> Root | None:
    try:
        with open(path, "rb") as file:
            touched_at = os.fstat(file.fileno()).st_mtime
            document = json.load(file)
        if document["format"] == FORMAT and isinstance(document["key"], str):
            trees = tuple(sorted({ObjectId.parse(text) for text in document["trees"]}))
            return Root(document["key"], trees, path, path.endswith(".vanished"), touched_at)
    except FileNotFoundError:
        return None  # removed meanwhile
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise UnreadableRootError(path)
