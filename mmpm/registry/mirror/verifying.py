"""Whether a mirror's tree is whole and right: every file that the selection reaches is read and hashed.

Rule: nothing is changed, and nothing that is damaged ends the looking: each file that is damaged, missing or foreign is
named. What is signed but superseded, or no longer selected, is no fault; `mirror prune` removes it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from mmpm.errors import MissingTreeFileError, RegistryUntrustedError, UntrustedMetadataError
from mmpm.registry import layout
from mmpm.registry.local import MAX_DOCUMENT_BYTES
from mmpm.registry.mirror.shapes import shape_of
from mmpm.registry.verified import TreeFile
from mmpm.trust.facts import TRUST
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.registry.destination import TreeDestination
    from mmpm.registry.mirror.selection import Chosen
    from mmpm.registry.verified import VerifiedState

_REFUSALS: Final = (MissingTreeFileError, RegistryUntrustedError, UntrustedMetadataError)


class Listener(Protocol):
    """Who listens."""

    def advance(self, amount: int = 1) -> None:
        """Say that `amount` more files were looked at."""


@dataclass(slots=True)
class Report:
    """What was found in a tree; paths are relative to it, sorted.

    Attributes:
        releases: that were looked at.
        files: that were looked at, each object once.
        bytes: of these.
        damaged: files that are there with other bytes than those that are signed.
        missing: files that the selection reaches and that are not there.
        foreign: files that belong to no tree, or bear the name of one that they are not.
        unneeded: files that nothing shown reaches: superseded, or not selected any more.
    """

    releases: int = 0
    files: int = 0
    bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unneeded: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.damaged or self.missing or self.foreign)


@dataclass(slots=True)
class Verifying:
    """One look through a tree.

    Attributes:
        destination: the tree.
        state: what it shows.
        chosen: the releases that it is to carry.
        listener: hears of each file.
        quick: objects are taken by their length, nothing that is not reached is read.
    """

    destination: TreeDestination
    state: VerifiedState
    chosen: Chosen
    listener: Listener
    quick: bool = False
    report: Report = field(default_factory=Report)
    _seen: set[str] = field(default_factory=set)
    _bad: set[str] = field(default_factory=set)

    def look(self) -> Report:
        """Look at every file."""
        for file in self.state.metadata():
            self._check(file)
        for name in sorted(self._check_targets()):
            self._look_at(name)
        self._sweep()
        for paths in (self.report.damaged, self.report.missing, self.report.foreign):
            paths.sort()
        return self.report

    def _check_targets(self) -> Iterator[FormulaName]:
        from mmpm.registry.snapshot import listed_name

        for role in (TRUST, *layout.bin_roles()):
            try:
                targets = list(self.state.targets_of(role))
            except _REFUSALS as error:
                self._note_refusal(error)
                continue
            for target, file in targets:
                name = layout.name_of_index(target)
                if self._check(file) and name is not None:
                    yield listed_name(self.state.registry_id, name)

    def _look_at(self, name: FormulaName) -> None:
        try:
            index = self.state.index(name)
            assert index is not None
            pages = [self._check(page) for page in self.state.page_files(index)]
            if all(pages):
                for release in self.state.releases_of(index):
                    if self.chosen.has(release):
                        self._look_at_release(release)
        except _REFUSALS as error:
            self._note_refusal(error)

    def _look_at_release(self, release: Release) -> None:
        self.report.releases += 1
        path = layout.object_file(release.document)
        document = TreeFile(path, MAX_DOCUMENT_BYTES, object_id=release.document, is_exact=False)
        # Without its document nobody can tell which files it has.
        if self._check(document, always=True):
            for file in self.state.release_files(release):
                self._check(file)

    def _check(self, file: TreeFile, *, always: bool = False) -> bool:
        if file.path in self._seen:
            return file.path not in self._bad
        self._seen.add(file.path)
        self.report.files += 1
        self.listener.advance()
        is_right = self._is_right(file, always=always)
        if not is_right:
            self._bad.add(file.path)
            there = os.path.lexists(f"{self.destination.folder}/{file.path}")  # perhaps a link, or a pipe
            (self.report.damaged if there else self.report.missing).append(file.path)
        return is_right

    def _is_right(self, file: TreeFile, *, always: bool) -> bool:
        if self.quick and not always and file.path.startswith("objects/"):
            is_right = self.destination.has(file)
            self.report.bytes += file.length if is_right else 0
            return is_right
        data = self.destination.read(file.path, file.length)
        if data is None or not file.proves(data):
            return False
        self.report.bytes += len(data)
        return True

    def _note_refusal(self, error: MissingTreeFileError | RegistryUntrustedError | UntrustedMetadataError) -> None:
        """Note what reading refused, where no check of a file has named it already."""
        path = error.path if isinstance(error, MissingTreeFileError) else error.fact
        if path not in self._bad and not any(bad in path for bad in self._bad):
            self._bad.add(path)
            (self.report.missing if isinstance(error, MissingTreeFileError) else self.report.damaged).append(path)

    # ---- what nothing reaches

    def _sweep(self) -> None:
        for path, status in files_below(self.destination.folder):
            if path in self._seen:
                continue
            shape = shape_of(path) if stat.S_ISREG(status.st_mode) else "foreign"
            if shape in {"note", "release alias", "page alias"}:
                continue
            if shape == "foreign" or not (self.quick or self._is_what_it_says(path)):
                self.report.foreign.append(path)
            else:
                self.report.unneeded += 1

    def _is_what_it_says(self, path: str) -> bool:
        """Whether a file that nothing reaches has the hash that its name tells; where it tells none, it may be any."""
        if path.startswith("objects/"):
            data = self.destination.read(path, MAX_DOCUMENT_BYTES)
            return data is not None and ObjectId.of(data).hex == path[len("objects/") :].replace("/", "")
        hashed = layout.parse_hashed(path)
        if hashed is None:
            return True
        data = self.destination.read(path, MAX_DOCUMENT_BYTES)
        return data is not None and hashlib.sha256(data).hexdigest() == hashed[1]


def files_below(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Give every file of a tree but for what is staged: its path in the tree, and its status, links not followed.

    A link to a folder is a file here, whatever it leads to.
    """
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            entries = sorted(os.scandir(f"{folder}/{below}"), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            path = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if path != layout.STAGING:
                    waiting.append(f"{path}/")
            else:
                yield path, entry.stat(follow_symlinks=False)
