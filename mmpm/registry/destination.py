"""Where the files of a registry's tree go: the tree of a mirror, or something that stands for one.

Order: tree files in any order, none of which any reader sees; then `show`, which flushes them and then renames
``timestamp.json``: the one moment at which readers see the new state. A crash before it leaves the old state whole, and
a rerun finds what was put already.

Rule: whoever calls `put` has checked the bytes against their `TreeFile`. Files appear whole or not at all.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from mmpm.errors import LinkedFolderError
from mmpm.registry import layout
from mmpm.registry.transport import check_request_path
from mmpm.registry.tree_writer import IMMUTABLE_MODE, TreeWriter
from mmpm.trust.facts import TIMESTAMP
from mmpm_store.durable import fsync_path
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from mmpm.registry.verified import TreeFile, VerifiedState

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READ_BYTES: Final = 1 << 20
_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class Destination(Protocol):
    """Where the files of one registry's tree are put.

    `read` is what `VerifiedState.open` takes, so that what is here already can be verified with what comes.
    """

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Give what lies at `path`, at most one byte more than `max_bytes`; None where there is no plain file."""

    def has(self, file: TreeFile) -> bool:
        """Whether `file` is here, as far as its length tells; metadata, whose versions may repeat, is hashed."""

    def put(self, path: str, pieces: Iterable[bytes]) -> None:
        """Put a verified file at `path`, in the place of whatever lay there; never the timestamp.

        Raises:
            NoSpaceError: the disk is full; nothing lies at `path` that did not before.
        """

    def flush(self) -> None:
        """Make everything put so far outlive a power cut."""

    def show(self, state: VerifiedState) -> None:
        """Show `state`, all of whose wanted files were put."""


class TreeDestination:
    """A registry's tree in a folder: that of a mirror.

    Use it as a context manager: it stages files in a folder of its own, which goes when it is closed.

    Attributes:
        folder: the tree; made with the first file.
    """

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self._writer: TreeWriter | None = None
        self._fresh: bytearray = bytearray()  # of objects that were not here before: 32 bytes each

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was staged."""
        self._fresh.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @property
    def writer(self) -> TreeWriter:
        """The writer of the tree; the folder is made when it is first asked for.

        Raises:
            LinkedFolderError: it is a link.
        """
        if self._writer is None:
            refuse_link(self.folder)
            self._writer = TreeWriter(self.folder, follows_links=False)
        return self._writer

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Give what lies at `path`, at most one byte more than `max_bytes`; None where there is no plain file."""
        return read_plain(f"{self.folder}/{check_request_path(path)}", max_bytes)

    def has(self, file: TreeFile) -> bool:
        """Whether `file` is here: a plain file of its length; metadata, whose versions may repeat, is hashed."""
        if file.path.startswith("metadata/"):
            data = self.read(file.path, file.length)
            return data is not None and file.proves(data)
        try:
            status = os.lstat(f"{self.folder}/{check_request_path(file.path)}")
        except (FileNotFoundError, NotADirectoryError):
            return False
        fits = status.st_size == file.length if file.is_exact else status.st_size <= file.length
        return stat.S_ISREG(status.st_mode) and fits

    def put(self, path: str, pieces: Iterable[bytes]) -> None:
        """Put a verified file at `path` by one rename.

        Raises:
            NoSpaceError: the disk is full; nothing lies at `path` that did not before.
            LinkedFolderError: a folder on the way is a link.
        """
        assert path != layout.TIMESTAMP, "the timestamp is shown, not put"
        checked = check_request_path(path)
        object_id = layout.object_of(checked)
        if object_id is not None and not os.path.lexists(f"{self.folder}/{checked}"):
            self._fresh += bytes.fromhex(object_id.hex)
        self.writer.place(self.writer.stage(pieces), checked)

    def keep(self) -> None:
        """Forget which objects are fresh: they are needed from now on."""
        self._fresh.clear()

    def take_back(self) -> None:
        """Remove the objects that were put since `keep` and were not here before, and folders that are empty then."""
        for at in range(0, len(self._fresh), 32):
            path = f"{self.folder}/{layout.object_file(ObjectId(self._fresh[at : at + 32].hex()))}"
            with suppress(OSError):
                os.unlink(path)
                os.rmdir(os.path.dirname(path))
        self._fresh.clear()

    def flush(self) -> None:
        """Make everything put so far outlive a power cut."""
        self.writer.flush()

    def show(self, state: VerifiedState) -> None:
        """Show `state`: its timestamp under its serial, one flush, and then ``timestamp.json``."""
        data = state.timestamp_bytes
        archived = layout.role_file(TIMESTAMP, state.serial)
        if self.read(archived, len(data)) != data:
            self.writer.replace(archived, data, IMMUTABLE_MODE)
        if self.read(layout.TIMESTAMP, len(data)) == data:
            self.flush()
            return
        staged = self.writer.stage((data,))
        self.flush()
        self.writer.place(staged, layout.TIMESTAMP)
        fsync_path(f"{self.folder}/metadata")


class TrialDestination(TreeDestination):
    """A tree of which nothing changes: what is put goes into a folder of its own, for a copy that only counts.

    Attributes:
        folder: where it goes.
        behind: the tree.
    """

    def __init__(self, folder: str, behind: TreeDestination) -> None:
        super().__init__(folder)
        self.behind = behind

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Give what was put at `path`, else what lies there in the tree."""
        data = super().read(path, max_bytes)
        return self.behind.read(path, max_bytes) if data is None else data

    def has(self, file: TreeFile) -> bool:
        """Whether `file` was put or is in the tree."""
        return super().has(file) or self.behind.has(file)

    def show(self, state: VerifiedState) -> None:
        """Refuse: there is nothing to show.

        Raises:
            AssertionError: always.
        """
        raise AssertionError(f"a trial shows nothing of {state.registry_id}")


def refuse_link(folder: str) -> None:
    """Refuse to write below a folder that is a link.

    Raises:
        LinkedFolderError: it is one.
    """
    if os.path.islink(folder):
        raise LinkedFolderError(folder)


def read_plain(path: str, max_bytes: int) -> bytes | None:
    """Give what the plain file at `path` holds, at most one byte more than `max_bytes`, or None where there is none.

    Links and pipes, which foreign hands may have left, are not there.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return None
        pieces = []
        left = max_bytes + 1
        while left > 0 and (piece := os.read(handle, min(left, _READ_BYTES, status.st_size + 1))):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(handle)
