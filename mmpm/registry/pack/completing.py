"""Whether a verified state is whole for what a destination carries of it, with what a pack brought; then it is put.

Rule: a file counts as brought only if its bytes are the ones that are signed. Listings follow from release documents
and are made here. Formulas whose index and selection are as in the state that was shown before are whole already.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mmpm.errors import MissingTreeFileError, PackRefusedError
from mmpm.registry import layout
from mmpm.trust.facts import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.registry.destination import Destination
    from mmpm.registry.documents import ReleaseDocument
    from mmpm.registry.mirror.selection import Chosen
    from mmpm.registry.verified import TreeFile, VerifiedState

NAMED: Final = 1000
"""So many missing files are named; the others are counted."""


@dataclass(slots=True)
class Wholeness:
    """What a state lacks.

    Attributes:
        brought: files that the pack brought and the destination lacks; no objects.
        missing: paths in the tree, the first `NAMED` of them.
        missing_count: how many there are.
        can_be_read: whether all of its documents are there; what is missing then are files of releases.
    """

    brought: list[TreeFile] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    missing_count: int = 0
    can_be_read: bool = True

    def lacks(self, path: str) -> None:
        """Note that a file is nowhere."""
        self.missing_count += 1
        if len(self.missing) < NAMED:
            self.missing.append(path)


@dataclass(frozen=True, slots=True)
class Before:
    """The state that the destination shows, and which releases of it are there."""

    state: VerifiedState
    chosen: Chosen


@dataclass(frozen=True, slots=True)
class Completion:
    """A state that is about to be shown.

    Attributes:
        state: verified from what the pack brought over what is at the destination.
        chosen: the releases that the destination carries of it.
        staged: gives what the pack brought, by path in the tree; None where it brought no such file.
        elsewhere: gives a file from the trees of other registries at the destination, which nobody proved yet.
        destination: where it goes.
        before: what is shown there; None where nothing is.
        pack: its name, for messages.
    """

    state: VerifiedState
    chosen: Chosen
    staged: Callable[[str, int], bytes | None]
    elsewhere: Callable[[str, int], bytes | None]
    destination: Destination
    before: Before | None
    pack: str

    def look(self) -> Wholeness:
        """Find what is brought and what is missing; listings that can be made are put.

        Raises:
            RegistryUntrustedError, UntrustedMetadataError: a document is signed and malformed, or has other bytes.
            PackRefusedError: what the pack brought under a path is another file than the signed one.
        """
        found = Wholeness()
        stamps = {layout.TIMESTAMP, layout.role_file(TIMESTAMP, self.state.serial)}
        for file in self.state.metadata():
            if file.path not in stamps:
                self._consider(file, found)
        if not found.missing_count:
            for _, file in self.state.targets():
                self._consider(file, found)
        if found.missing_count:
            found.can_be_read = False
            return found
        for name in self.state.names():
            if not self._is_as_before(name):
                self._look_at(name, found)
        return found

    def put(self, found: Wholeness, on_release: Callable[[Release, ReleaseDocument], None] | None = None) -> None:
        """Put what was brought, and make it last.

        Args:
            found: what `look` found, and nothing missing that is needed.
            on_release: called for each carried release that was not shown before; all of its files are there.

        Raises:
            NoSpaceError: the disk is full; nothing of it is shown.
        """
        for file in found.brought:
            data = self._brought(file)
            if data is None or not file.proves(data):
                raise PackRefusedError(self.pack, "was changed while it was imported", file.path)
            self.destination.put(file.path, (data,))
        if on_release is not None:
            for name in self.state.names():
                if not self._is_as_before(name):
                    for release in self.state.releases(name):
                        if self.chosen.has(release):
                            on_release(release, self.state.document(release))
        self.destination.flush()

    def _is_as_before(self, name: FormulaName) -> bool:
        if self.before is None:
            return False
        target = layout.index_target(str(name))
        if self.before.state.listed(target) != self.state.listed(target):
            return False
        return _slots(self.before.chosen, name) == _slots(self.chosen, name)

    def _look_at(self, name: FormulaName, found: Wholeness) -> None:
        index = self.state.index(name)
        assert index is not None
        before = found.missing_count
        for file in self.state.page_files(index):
            self._consider(file, found)
        if found.missing_count > before:
            found.can_be_read = False
        else:
            for release in self.state.releases_of(index):
                if self.chosen.has(release):
                    self._look_at_release(release, found)

    def _look_at_release(self, release: Release, found: Wholeness) -> None:
        try:
            files = list(self.state.release_files(release))
        except MissingTreeFileError as error:
            found.lacks(error.path)
            return
        listing = layout.object_file(release.tree)
        for file in files:
            if file.path == listing and not self.destination.has(file):
                self.destination.put(listing, (self.state.document(release).tree.to_bytes(),))
            else:
                self._consider(file, found)

    def _consider(self, file: TreeFile, found: Wholeness) -> None:
        if self.destination.has(file):
            return
        if file.object_id is not None:
            # An inventory is of all registries together, so that what one tree has is not sent for another.
            data = self.elsewhere(file.path, file.length)
            if data is not None and file.proves(data):
                self.destination.put(file.path, (data,))
            else:
                found.lacks(file.path)
            return
        data = self._brought(file)
        if data is None:
            found.lacks(file.path)
        elif not file.proves(data):
            raise PackRefusedError(self.pack, "is not the file that the signed metadata names", file.path)
        else:
            found.brought.append(file)

    def _brought(self, file: TreeFile) -> bytes | None:
        """Give a document as the pack brought it, or as another registry here has it under the same path and hash.

        An inventory tells hashes and not of which registry: a list of no publishers is the same file in each.
        """
        data = self.staged(file.path, file.length)
        if data is None and not file.path.startswith("metadata/"):
            data = self.elsewhere(file.path, file.length)
            return data if data is not None and file.proves(data) else None
        return data


def _slots(chosen: Chosen, name: FormulaName) -> frozenset[str] | None:
    return None if chosen.releases is None else chosen.releases.get(str(name), frozenset())
