"""What a pack brought and is no object, kept in one file until its state is shown: a line of JSON, then the bytes.

    {"length":1234,"path":"mirrors/molmall.example.org/metadata/timestamp.json"}
    ...1234 bytes...

One file, because a folder and a file for each of ten thousand indexes take longer to make and to remove than all of
the rest of an import.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from mmpm.model.canonical import canonical_json
from mmpm_store.durable import no_space_named, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator

_READ_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_MAX_HEAD_BYTES: Final = 1 << 15
_GATHERED_BYTES: Final = 1 << 20


class StagedFiles:
    """The files in one such file, which need not be there yet.

    What follows a place that cannot be read counts as missing: bytes are believed by their signed hashes alone.

    Args:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        self._gathered = bytearray()
        self._written = 0
        for name, start, length in self._read_heads():
            self._places[name] = (start, length)
            self._written = start + length

    def put(self, path: str, data: bytes) -> None:
        """Add a file; `flush` writes it at the latest.

        Raises:
            NoSpaceError: the disk is full.
        """
        head = canonical_json({"length": len(data), "path": path}) + b"\n"
        self._places[path] = (self._written + len(self._gathered) + len(head), len(data))
        self._gathered += head + data
        if len(self._gathered) > _GATHERED_BYTES:
            self.flush()

    def get(self, path: str, max_bytes: int) -> bytes | None:
        """Give a file, at most one byte more than `max_bytes`; None where there is none."""
        found = self._places.get(path)
        if found is None:
            return None
        self.flush()
        start, length = found
        wanted = min(length, max_bytes + 1)
        try:
            handle = os.open(self._path, _READ_FLAGS)
        except FileNotFoundError:
            return None
        try:
            data = os.pread(handle, wanted, start)
        finally:
            os.close(handle)
        return data if len(data) == wanted else None

    def flush(self) -> None:
        """Write what was gathered, in the place of what cannot be read.

        Raises:
            NoSpaceError: the disk is full.
        """
        if not self._gathered:
            return
        with no_space_named(self._path):
            handle = os.open(self._path, _WRITE_FLAGS, 0o600)
            try:
                os.ftruncate(handle, self._written)
                os.lseek(handle, self._written, os.SEEK_SET)
                write_all(handle, bytes(self._gathered))
            finally:
                os.close(handle)
        self._written += len(self._gathered)
        self._gathered.clear()

    def _read_heads(self) -> Iterator[tuple[str, int, int]]:
        try:
            handle = os.open(self._path, _READ_FLAGS)
        except FileNotFoundError:
            return
        try:
            size = os.fstat(handle).st_size
            at = 0
            while at < size:
                line, newline, _ = os.pread(handle, _MAX_HEAD_BYTES, at).partition(b"\n")
                start = at + len(line) + len(newline)
                head = _parse_head(line, size - start)
                if head is None:
                    return
                yield head[0], start, head[1]
                at = start + head[1]
        finally:
            os.close(handle)


def _parse_head(line: bytes, left: int) -> tuple[str, int] | None:
    try:
        head = json.loads(line)
        name, length = head["path"], head["length"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (name, length) if isinstance(name, str) and type(length) is int and 0 <= length <= left else None
