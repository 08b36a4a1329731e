"""Which releases can be installed from this store as it is, without asking anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.execute.trees import read_trees

if TYPE_CHECKING:
    from mmpm.model.release import Release
    from mmpm_store.objects import Store


class Availability:
    """Says of a release whether its listing and all of its files are in the store; asked once a tree."""

    def __init__(self, store: Store) -> None:
        self._store = store
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
        return bool(found) and all(self._store.has(entry.id) for entry in found[tree].entries)
