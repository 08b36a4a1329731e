"""Publishers and marks of a folder registry: what is there, and what an edit makes of it.

Rule: an edit becomes a request like any change of roles (`mmpm.registry.rotate`): it goes onto whatever was published
meanwhile, and never onto another trust than it was made for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.registry import layout
from mmpm.registry.rotate import RoleChange
from mmpm.trust.edits import PutPublisher, Revoke, TrustEdit, edit_marks, edit_publishers
from mmpm.trust.facts import TRUST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.registry.published import PublishedTree
    from mmpm.trust.levels import Mark


def trust_change(base: PublishedTree, edit: TrustEdit) -> RoleChange:
    """Give what `edit` makes of the files that the role trust lists; no files: it is so already.

    Raises:
        ValueError: it does not fit the publishers that there are.
    """
    if isinstance(edit, PutPublisher | Revoke):
        target = layout.PUBLISHERS
        before, after = base.publishers(), edit_publishers(edit, base.publishers())
        is_same = before == after
        text: str | None = after.to_bytes().decode()
    else:
        shard = layout.shard_of(edit.name)
        target = layout.levels_target(shard)
        marks = edit_marks(edit, base.marks(shard))
        is_same = marks == base.marks(shard)
        text = None if marks.is_empty else marks.to_bytes().decode()
    return RoleChange(files={} if is_same else {target: text}, purpose=(edit.words,))


def all_marks(base: PublishedTree) -> Iterator[Mark]:
    """Give every mark of a tree, by name, the official one before audits, these by version text."""
    shards = sorted(path for path in base.bin_targets(TRUST) if path.startswith("trust/levels/"))
    found = [mark for path in shards for mark in _of_shard(base, path[-7:-5])]
    yield from sorted(found, key=lambda mark: (mark.name, bool(mark.checksum), mark.version))


def marks_of(base: PublishedTree, name: str) -> tuple[Mark, ...]:
    """Give the marks of one formula, the official one first."""
    found = _of_shard(base, layout.shard_of(name))
    return tuple(sorted((one for one in found if one.name == name), key=lambda one: (bool(one.checksum), one.version)))


def _of_shard(base: PublishedTree, shard: str) -> list[Mark]:
    marks = base.marks(shard)
    return [*marks.officials.values(), *marks.audits.values()]
