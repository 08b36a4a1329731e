"""Withdraws a release: from choice, so that locks and exact pins still get it with a warning, or its bytes as well."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import NotPublishedError, UnpublishableError
from mmpm.registry import history
from mmpm.registry.commit import Change, Committing, commit
from mmpm.registry.documents import MAX_YANK_REASON
from mmpm.registry.indexing import prepare_catalog, prepare_index, write_pages
from mmpm.registry.publish import catalog_line, tombstone_line
from mmpm.registry.take_down import note_taking_down, remove_bytes
from mmpm.registry.tree_writer import TreeWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.model.versions import Version
    from mmpm.registry.documents import CatalogLine
    from mmpm.registry.published import PublishedTree
    from mmpm.trust.facts import TargetFile


@dataclass(frozen=True, slots=True)
class Yanked:
    """What a yank did; `changed` is False where the release was withdrawn like that and for that reason already."""

    serial: int
    changed: bool


def yank(
    root: str, name: FormulaName, version: Version, reason: str, how: Committing, *, take_down: bool = False
) -> Yanked:
    """Mark a release of the tree at `root` as yanked.

    Args:
        root: the tree's folder.
        name: the formula.
        version: build metadata is ignored, as in paths.
        reason: one line that readers see; not empty.
        how: keys, time and limits.
        take_down: leave a tombstone, and remove the bytes that nothing else reaches. A later yank without it changes
            the reason of a tombstone, no more.

    Raises:
        NotPublishedError: there is no such release.
        UnpublishableError: the reason is empty or too long.
    """
    if not reason.strip() or len(reason) > MAX_YANK_REASON:
        raise UnpublishableError(str(name), f"a yank needs a reason of 1 to {MAX_YANK_REASON} characters")
    edit = _Withdrawal(name, version, reason, take_down=take_down)
    with TreeWriter(root) as writer:
        note = note_taking_down(writer) if take_down else None  # before the tombstone, so that no publisher misses both
        serial = commit(writer.root, how, edit, writer)
        if note is not None:
            assert edit.withdrawn is not None
            remove_bytes(writer, edit.withdrawn, how)
            writer.set_aside(note)
    return Yanked(serial, bool(edit.lines))


class _Withdrawal:
    """The edit that yanks one release, or takes it down."""

    def __init__(self, name: FormulaName, version: Version, reason: str, *, take_down: bool) -> None:
        self._name = name
        self._version = version
        self._reason = reason
        self._take_down = take_down
        self.withdrawn: Release | None = None
        self.lines: dict[FormulaName, tuple[CatalogLine, tuple[Release, ...]]] = {}

    def prepare(self, base: PublishedTree, serial: int, writer: TreeWriter) -> Change:  # noqa: ARG002 - the protocol's
        """Prepare the index with the mark, and the catalog line of what is the latest now."""
        self.lines.clear()
        name = self._name
        index = base.index(name)
        past = history.read_history(name, index, base.older_lines(index) if index else ())
        found = next((one for one in past if one.version.slot == self._version.slot), None)
        if index is None or found is None:
            raise NotPublishedError(str(name), str(self._version))
        withdrawn = replace(found, yanked=self._reason, tombstone=found.tombstone or self._take_down)
        self.withdrawn = withdrawn
        if withdrawn == found:
            return Change()
        grown = history.change(index, past, withdrawn)
        targets: dict[str, TargetFile] = {}
        prepare_index(grown, writer, targets)
        latest = history.latest(grown.releases)
        # Where nothing else is left, no document is either, or it goes with the rest of what was taken down.
        line = tombstone_line(latest) if latest.tombstone else catalog_line(base.document(latest))
        self.lines[name] = (line, grown.releases)
        return Change(targets | prepare_catalog(base, {name: line}, writer))

    def names(self) -> Iterable[FormulaName]:
        """Give the formula that changes."""
        return self.lines

    def write_aliases(self, base: PublishedTree, writer: TreeWriter) -> None:
        """Write what the seed's URL of the formula answers now."""
        write_pages(base, self.lines, 0, writer)
