"""The lines of a log, read without trusting what lies there: a pipe, a link, a file of any size, a line of any length.

Rule: one line is in memory at a time; whoever wants to keep it keeps it.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from blake3 import blake3

from mmpm.molecule.compacting import is_mark
from mmpm.molecule.lines import MAX_LINE_BYTES, Line, NewerLineError, parse_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MAX_LOG_BYTES: Final = 512 << 20
MAX_PROBLEMS: Final = 100
_CHUNK_BYTES: Final = 1 << 20

# Inode, size, and the times at which contents and inode changed, ns: another where the file is another.
Stamp: TypeAlias = tuple[int, int, int, int]
NO_STAMP: Final[Stamp] = (-1, -1, -1, -1)


def stamp_of(status: os.stat_result) -> Stamp:
    """Give what tells whether a file has changed."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def open_plain(path: str, max_bytes: int) -> BinaryIO | None:
    """Open a file to read it; None where there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file (a link neither), or larger than it may be.
    """
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for somebody who does. No link: it could lead
        # to a file outside the project.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        if os.path.islink(path):
            raise ValueError("it is a link") from error
        raise
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode) and status.st_size <= max_bytes:
        return open(fd, "rb")
    os.close(fd)
    raise ValueError(
        f"it has more than {max_bytes} bytes" if stat.S_ISREG(status.st_mode) else "it is not a plain file"
    )


@contextmanager
def open_log(path: str) -> Iterator[LogLines | None]:
    """Open a log for as long as the block lasts; None where there is none.

    Raises:
        OSError, ValueError: as `open_plain`.
    """
    file = open_plain(path, MAX_LOG_BYTES)
    if file is None:
        yield None
        return
    with file:
        yield LogLines(file)


def look_at(path: str) -> Stamp:
    """Give what tells whether a file has changed; `NO_STAMP` where it cannot be looked at."""
    try:
        return stamp_of(os.lstat(path))
    except OSError:
        return NO_STAMP


def look(path: str) -> tuple[Stamp, str]:
    """Give the stamp of a log, taken first, and the hash of its bytes; `NO_STAMP` and "" where it cannot be read."""
    try:
        file = open_plain(path, MAX_LOG_BYTES)
        if file is None:
            return NO_STAMP, ""
        with file:
            stamp, found = stamp_of(os.fstat(file.fileno())), blake3()
            while chunk := file.read(_CHUNK_BYTES):
                found.update(chunk)
            return stamp, found.hexdigest()
    except (OSError, ValueError):
        return NO_STAMP, ""


def look_grown(path: str, size: int, fingerprint: str, tail: bytes) -> tuple[Stamp, str] | None:
    """Do as `look` does, if the file is one that had `size` bytes of that hash, and `tail` behind them; else None."""
    try:
        file = open_plain(path, MAX_LOG_BYTES)
        if file is None:
            return None
        with file:
            stamp, found, left = stamp_of(os.fstat(file.fileno())), blake3(), size
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                found.update(chunk)
                left -= len(chunk)
            if found.hexdigest() != fingerprint or file.read(len(tail) + 1) != tail:
                return None
            return stamp, found.update(tail).hexdigest()
    except (OSError, ValueError):
        return None


class LogLines:
    """The lines of an open log, one at a time; what was left out, and what was seen, stands here at the end.

    Attributes:
        stamp: of the file, taken before anything was read.
        problems: what was left out, ``line 3: ..``; at most `MAX_PROBLEMS`.
        size: bytes of whole lines.
        is_torn: whether bytes of a line that was never finished follow them.
        newer: why some of it is for a newer program: nothing may be decided over the rest then; else empty.
        bytes_read: all of them, a torn line's too.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.stamp = stamp_of(os.fstat(file.fileno()))
        self.problems: list[str] = []
        self.size = 0
        self.is_torn = False
        self.newer = ""
        self.bytes_read = 0
        self._file = file
        self._hash = blake3()

    @property
    def fingerprint(self) -> str:
        """The hash of all bytes that were read."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[Line]:
        """Give each line that can be read.

        Raises:
            ValueError: the file grew beyond all measure while it was read.
        """
        number = 0
        while raw := self._file.readline(MAX_LINE_BYTES + 2):
            number += 1
            self._hash.update(raw)
            length = len(raw)
            self.bytes_read += length
            is_whole = raw.endswith(b"\n")
            if length > MAX_LINE_BYTES + 1 and not is_whole:
                raw = b""
                skipped, is_whole = self._skip()
                length += skipped
                self.bytes_read += skipped
            try:
                line = parse_line(raw) if raw else None
                problem = "" if raw else f"it has {length} bytes, more than the {MAX_LINE_BYTES} of a line"
            except NewerLineError as error:
                line, problem = None, str(error)
                self.newer = self.newer or f"line {number}: {error}"
                is_whole = True
            except ValueError as error:
                line, problem = None, _why(raw, error)
            if line is None and not is_whole:
                self.is_torn = True  # of a writer that died, or is at it just now
                return
            self.size += length
            if self.size > MAX_LOG_BYTES:
                raise ValueError(f"it has more than {MAX_LOG_BYTES} bytes")
            if line is not None:
                yield line
            elif problem and len(self.problems) < MAX_PROBLEMS:
                self.problems.append(f"line {number}: {problem}")

    def _skip(self) -> tuple[int, bool]:
        """Pass over the rest of a line that is too long; give its bytes, and whether it ends."""
        skipped = 0
        while raw := self._file.readline(_CHUNK_BYTES):
            self._hash.update(raw)
            skipped += len(raw)
            if raw.endswith(b"\n"):
                return skipped, True
        return skipped, False


def _why(raw: bytes, error: ValueError) -> str:
    """Say why a line is left out; a blank one is so without a word."""
    if is_mark(raw.removesuffix(b"\n")):
        return "it is a mark of a conflict that git left: `mmpm mol gc` takes it out"
    return str(error) if raw.strip() else ""
