"""The listings of releases, read and re-hashed once in a process: planning asks for them, staging asks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import ListingMalformedError
from mmpm_store.errors import DamagedObjectError, MissingObjectError, TreeError
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm_store.objects import Store
    from mmpm_store.tree import Tree

_read: dict[tuple[str, str], Tree] = {}


def know_tree(store: Store, tree: Tree) -> None:
    """Answer `read_trees` with this listing, which was made just now and is not in the store: for a dry run."""
    _read[store.path, str(tree.id)] = tree


def read_trees(store: Store, ids: Iterable[str]) -> tuple[dict[str, Tree], list[str]]:
    """Read listings by ``blake3:..``.

    Returns:
        Those that are here and intact, and the ids of the others, in order.

    Raises:
        ListingMalformedError: an object is intact but no listing, so that whoever named it is not to be trusted.
    """
    found: dict[str, Tree] = {}
    absent: list[str] = []
    for identity in ids:
        key = (store.path, identity)
        tree = _read.get(key)
        if tree is None:
            try:
                tree = store.read_tree(ObjectId.parse(identity))
            except (MissingObjectError, DamagedObjectError):
                absent.append(identity)
                continue
            except TreeError as error:
                raise ListingMalformedError(identity, error.fact) from None
            _read[key] = tree
        found[identity] = tree
    return found, absent
