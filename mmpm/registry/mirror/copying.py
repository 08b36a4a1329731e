"""Copying one registry into the tree of a mirror: what is missing, from its places, in parallel, and resumed.

    bring_metadata   roots, roles, bins; targets; pages; each wave verified by the one before it
    count            which of the chosen releases are whole here, and what the others lack, to the byte
    bring_files      the objects that are lacking
    show             listings, unsigned copies, one flush, and ``timestamp.json``

Rule: files are put into the tree as they come, under names that nothing shown points to yet. Whatever ends this in
between, the tree shows the state from before, and the next run takes what lies there. Documents, which are read anyway,
are held against their hashes each time; objects are taken by their length, and `verifying` re-hashes them.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mmpm.errors import MirrorNoRoomError, MissingTreeFileError, MmpmError, SelectionIncompleteError
from mmpm.registry import layout
from mmpm.registry.authenticate import serial_of
from mmpm.registry.gather import MissingFileError, gather
from mmpm.registry.local import MAX_DOCUMENT_BYTES
from mmpm.registry.mirror.aliases import write_pages, write_release_aliases
from mmpm.registry.mirrored import MIRRORED_JSON, Mirrored
from mmpm.registry.prune import GRACE_SECONDS, prune
from mmpm.registry.verified import TreeFile, VerifiedState
from mmpm.trust.facts import TIMESTAMP, parse_time
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.model.release import Release
    from mmpm.registry.destination import TreeDestination
    from mmpm.registry.mirror.origin import Found, Origin
    from mmpm.registry.mirror.selection import Chosen
    from mmpm.registry.objects import FetchProgress

_ATTEMPTS: Final = 8
_SPARE_BYTES: Final = 8 << 20
_BLOCK: Final = 4096


@dataclass(slots=True)
class Counts:
    """What a copy amounts to.

    Attributes:
        releases: that are carried.
        new: of these, how many lacked something when it began.
        files: that had to be fetched.
        bytes: of these.
        fetched_bytes: that were fetched by now.
    """

    releases: int = 0
    new: int = 0
    files: int = 0
    bytes: int = 0
    fetched_bytes: int = 0


@dataclass(slots=True)
class Copying:
    """A copy of one registry, stage by stage.

    Attributes:
        origin: where it comes from.
        destination: the tree that it goes into; nobody else writes to it meanwhile.
        progress: who listens.
        counts: what it amounts to, as far as is known.
    """

    origin: Origin
    destination: TreeDestination
    progress: FetchProgress
    counts: Counts = field(default_factory=Counts)
    _found: Found | None = None
    _state: VerifiedState | None = None
    _lacking: dict[str, int] = field(default_factory=dict)
    _archive_bytes: int = 0  # of bundles whose ``download`` is to be written beside their files

    @property
    def registry_id(self) -> str:
        """The registry."""
        return self.origin.source.registry_id

    @property
    def state(self) -> VerifiedState:
        """The state that is copied, read from the destination; there since `bring_metadata`."""
        assert self._state is not None
        return self._state

    # ---- metadata, targets, pages

    def bring_metadata(self) -> VerifiedState:
        """Bring everything that is signed but for releases, of the newest state that is whole.

        Raises:
            MmpmError: as for `Origin.open`.
            MissingTreeFileError: no state is whole.
        """
        failed: int | None = None
        first: MissingTreeFileError | None = None
        for _ in range(_ATTEMPTS):
            try:
                self._found = self._newest_but(failed)
                self._state = self._bring(self._found)
            except (MissingTreeFileError, MissingFileError) as error:
                where = error.origin if isinstance(error, MissingFileError) else ""
                first = first or MissingTreeFileError(self.registry_id, error.path, where)
                failed = self.origin.tried
            except MmpmError:
                if first is not None:  # there is no older state that could be used in its place
                    break
                raise
            else:
                if failed is not None and self._state.serial <= failed:
                    told = f"its serial {self._state.serial} is used"
                    self.progress.warn(f"{self.registry_id} is not whole at {self._found.places[0].origin}; {told}")
                return self._state
        assert first is not None
        raise first

    def _newest_but(self, failed: int | None) -> Found:
        if failed is None:
            return self.origin.open()
        if serial_of(self.origin.peek()) > failed:  # somebody published meanwhile
            return self.origin.open()
        return self.origin.open(below=failed)

    def _bring(self, found: Found) -> VerifiedState:
        stamps = {layout.TIMESTAMP, layout.role_file(TIMESTAMP, found.state.serial)}
        self._gather(found, "metadata", (file for file in found.state.metadata() if file.path not in stamps))
        root = self.origin.believed.trusted_root(self.registry_id, self.destination.read)
        state = VerifiedState.open(
            self.destination.read, root, registry_id=self.registry_id, timestamp=found.state.timestamp_bytes
        )
        self._gather(found, "indexes", (file for _, file in state.targets()))
        self._gather(found, "older indexes", _pages_of(state))
        return state

    def _gather(self, found: Found, what: str, files: Iterable[TreeFile]) -> None:
        wanted = [file for file in files if self._lacks(file)]
        with self._told(f"Reading {what} of {self.registry_id}", sum(file.length for file in wanted), "bytes"):
            for file, data in gather(self.registry_id, found.places, wanted):
                self._put(file, data)
                self.progress.advance(len(data))

    @contextmanager
    def _told(self, label: str, total: int, unit: str) -> Iterator[None]:
        """Tell the listener of a stretch of work, where there is any."""
        if total:
            self.progress.start(label, total, unit)
        yield
        if total:
            self.progress.finish()

    def _lacks(self, file: TreeFile) -> bool:
        data = self.destination.read(file.path, file.length)
        return data is None or not file.proves(data)

    def _put(self, file: TreeFile, data: bytes) -> None:
        self.destination.put(file.path, (data,))
        self.counts.files += 1
        self.counts.bytes += len(data)
        self.counts.fetched_bytes += len(data)

    # ---- releases

    def count(self, chosen: Chosen) -> Counts:
        """Bring documents and signatures of the chosen releases, and find what else they lack.

        Raises:
            SelectionIncompleteError: no place has the documents of some of them.
            MmpmError: as for `gather`.
        """
        came = self._bring_documents(chosen)
        for release in self._releases(chosen):
            lacked = self._count_files(release)
            if lacked and release.kind == "bundle":
                self._archive_bytes += release.size
            self.counts.releases += 1
            self.counts.new += lacked or str(release.document) in came
        return self.counts

    def _releases(self, chosen: Chosen) -> Iterator[Release]:
        for name in self.state.names():
            for release in self.state.releases(name):
                if chosen.has(release):
                    yield release

    def _bring_documents(self, chosen: Chosen) -> set[str]:
        assert self._found is not None
        asked: dict[str, str] = {}

        def wanted() -> Iterator[TreeFile]:
            for release in self._releases(chosen):
                path = layout.object_file(release.document)
                document = TreeFile(path, MAX_DOCUMENT_BYTES, object_id=release.document, is_exact=False)
                for file in (document, *self.state.signature_files(release)):
                    if file.path not in asked and self._lacks(file):
                        asked[file.path] = f"{release.name}@{release.version}"
                        yield file

        missing: dict[TreeFile, MissingFileError] = {}
        came: set[str] = set()
        files = list(wanted())
        with self._told(f"Reading releases of {self.registry_id}", len(files), "files"):
            for file, data in gather(self.registry_id, self._found.places, files, missing=missing):
                self._put(file, data)
                self.progress.advance()
                if file.object_id is not None:
                    came.add(str(file.object_id))
        if missing:
            self._refuse({asked[file.path] for file in missing})
        return came

    def _count_files(self, release: Release) -> bool:
        lacks = False
        for file in self.state.release_files(release):
            if file.object_id in {None, release.document} or self.destination.has(file):
                continue
            lacks = True
            if file.object_id is not None and file.object_id != release.tree and file.path not in self._lacking:
                self._lacking[file.path] = file.length
                self.counts.files += 1
                self.counts.bytes += file.length
        return lacks

    def bring_files(self, chosen: Chosen) -> None:
        """Bring the objects that `count` found lacking.

        Raises:
            MirrorNoRoomError: there is no room for them; nothing was fetched.
            SelectionIncompleteError: no place has some of them; the others are here.
            MmpmError: as for `gather`.
        """
        assert self._found is not None
        total = sum(self._lacking.values())
        if not total:
            return
        self._check_room(total + self._archive_bytes)
        missing: dict[TreeFile, MissingFileError] = {}
        wanted = (
            TreeFile(path, length, object_id=ObjectId(path.removeprefix("objects/").replace("/", "", 1)))
            for path, length in self._lacking.items()
        )
        with self._told(f"Copying {self.registry_id}", total, "bytes"):
            for file, data in gather(self.registry_id, self._found.places, wanted, missing=missing):
                self.destination.put(file.path, (data,))
                self.counts.fetched_bytes += len(data)
                self.progress.advance(len(data))
        if missing:
            lost = {file.path for file in missing}
            self._refuse({f"{one.name}@{one.version}" for one in self._releases(chosen) if self._needs(one, lost)})

    def _needs(self, release: Release, lost: set[str]) -> bool:
        return any(file.path in lost for file in self.state.release_files(release))

    def _refuse(self, releases: Iterable[str]) -> None:
        assert self._found is not None
        place = self._found.places[0].origin
        raise SelectionIncompleteError(
            [f"{one}: {self.registry_id} at {place} lacks its files" for one in sorted(releases)]
        )

    def has_moved_on(self) -> bool:
        """Whether the registry shows a newer state by now: what is missing of this one may have been taken down."""
        return serial_of(self.origin.peek()) > self.state.serial

    def _check_room(self, needed: int) -> None:
        needed += _SPARE_BYTES + len(self._lacking) * _BLOCK
        status = os.statvfs(self.destination.folder)
        free = status.f_bavail * status.f_frsize
        if free < needed:
            raise MirrorNoRoomError(self.destination.folder, needed, free)

    # ---- showing

    def show(self, chosen: Chosen) -> None:
        """Show the state: all its wanted files are here."""
        carried: dict[str, list[str]] = {}
        for release in self._releases(chosen):
            document = self.state.document(release)
            listing = layout.object_file(release.tree)
            if not self.destination.has(TreeFile(listing, len(text := document.tree.to_bytes()))):
                self.destination.put(listing, (text,))
            write_release_aliases(self.destination, release, document)
            if chosen.releases is not None:
                carried.setdefault(str(release.name), []).append(str(release.version))
        self.destination.show(self.state)
        listed = {name: frozenset(versions) for name, versions in carried.items()}
        note = Mirrored(self.registry_id, self.state.serial, chosen.releases is None, listed)
        self.destination.writer.replace(MIRRORED_JSON, note.to_bytes())
        write_pages(self.destination, self.state, chosen)
        prune(self.destination.folder, parse_time(self.state.issued), GRACE_SECONDS, ())


def _pages_of(state: VerifiedState) -> Iterator[TreeFile]:
    for name in state.names():
        data = state.target(layout.index_target(str(name)))
        if data is not None and b'"pages"' in data:  # most have none, and reading an index takes longer than looking
            index = state.index(name)
            assert index is not None
            yield from state.page_files(index)


def clear_staging(tree: str) -> None:
    """Remove what a copy that was ended left; only whoever holds the mirror's lock may."""
    shutil.rmtree(f"{tree}/{layout.STAGING}", ignore_errors=True)
