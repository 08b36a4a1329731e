"""Which releases can be installed without a network: from this store, and from registries that lie in a folder here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.execute.connect import folders_at_hand
from mmpm.execute.trees import read_trees
from mmpm.registry import layout
from mmpm.registry.objects import MAX_OBJECT_BYTES
from mmpm.registry.transport import TransportError
from mmpm_store.errors import TreeError
from mmpm_store.ids import ObjectId
from mmpm_store.tree import Tree

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.model.release import Release


class Availability:
    """Says of a release whether its listing and all of its files are at hand; asked once a tree.

    Of what the store lacks, a registry or mirror in a folder (a disk that was carried here) may have the rest.
    """

    def __init__(self, context: Context) -> None:
        self._store = context.store
        self._folders = folders_at_hand(context)
        self._known: dict[str, bool] = {}

    def __call__(self, release: Release) -> bool:
        """Whether `release` is all here."""
        tree = str(release.tree)
        known = self._known.get(tree)
        if known is None:
            known = self._known[tree] = self._look(tree)
        return known

    def _look(self, tree: str) -> bool:
        found, _ = read_trees(self._store, [tree])
        listing = found.get(tree) or self._listing_in_a_folder(tree)
        return listing is not None and all(
            self._store.has(entry.id) or any(folder.has(layout.object_file(entry.id)) for folder in self._folders)
            for entry in listing.entries
        )

    def _listing_in_a_folder(self, tree: str) -> Tree | None:
        identity = ObjectId.parse(tree)
        for folder in self._folders:
            try:
                data = folder.get(layout.object_file(identity), MAX_OBJECT_BYTES)
                if ObjectId.of(data) == identity:
                    return Tree.parse(data)
            except (TransportError, TreeError):
                continue  # nothing is taken from there; what fetches it later says what is wrong with it
        return None
