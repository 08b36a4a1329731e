"""Reading archives from anywhere: tar, tar.gz and tar.zst, told apart by their first bytes.

Rule: memory is bounded whatever the input: unpacking goes in pieces, and totals and ratio are checked between them.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

from mmpm_store.errors import ArchiveError
from mmpm_store.tar import BLOCK, DEFAULT_LIMITS, ArchiveFile, Limits, has_right_checksum, read_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PIECE = 64 * 1024
# zstd unpacks a whole input piece at once, and a block of four bytes may claim 128 KiB: 8 MiB a piece at worst.
_ZSTD_PIECE = 256


def read_archive(
    source: bytes | BinaryIO, limits: Limits = DEFAULT_LIMITS, admit: Callable[[str, int], None] | None = None
) -> Iterator[ArchiveFile]:
    """Give the plain files of an archive, in its order, with safe and distinct paths.

    Args:
        source: the archive.
        limits: what it may unfold to.
        admit: called with path and size of a file before memory is taken for it; refuses it by raising.

    Raises:
        ArchiveError: it is no archive, or is refused; if need be only after the last file, so use nothing before.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    first = _read(stream, _PIECE)
    if first.startswith(_GZIP):
        pieces = _gunzip(first, stream, limits)
    elif first.startswith(_ZSTD):
        pieces = _unzstd(first, stream, limits)
    elif first[:BLOCK] == bytes(BLOCK) or (len(first) >= BLOCK and has_right_checksum(first[:BLOCK])):
        pieces = _bounded(first, stream, limits)
    else:
        raise ArchiveError("it is neither tar, tar.gz nor tar.zst")
    return read_tar(pieces, limits, admit)


def collect_archive(source: bytes | BinaryIO, limits: Limits = DEFAULT_LIMITS) -> list[ArchiveFile]:
    """Give all files of an archive at once, sorted by path, and only if nothing about it is refused.

    Raises:
        ArchiveError: as for `read_archive`.
    """
    return sorted(read_archive(source, limits), key=lambda file: file.path)


def strip_top(files: list[ArchiveFile]) -> tuple[str | None, list[ArchiveFile]]:
    """Give the one folder that all `files` are in, and the files seen from inside it.

    Without one such folder: None, and `files` as they are.
    """
    tops = {file.path.partition("/")[0] for file in files}
    if len(tops) != 1 or not all("/" in file.path for file in files):
        return None, files
    top = tops.pop()
    cut = len(top) + 1
    return top, [ArchiveFile(file.path[cut:], file.executable, file.data) for file in files]


def _read(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end (a raw or piped stream may give less at a time)."""
    pieces: list[bytes] = []
    while size > 0 and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class _Meter:
    """Counts packed against unpacked bytes."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._packed = 0
        self._unpacked = 0

    def packed(self, piece: bytes) -> None:
        self._packed += len(piece)

    def unpacked(self, piece: bytes) -> bytes:
        self._unpacked += len(piece)
        limits = self._limits
        if self._unpacked > limits.total_bytes:
            raise ArchiveError(f"it unpacks to more than {limits.total_bytes} bytes")
        if self._unpacked > max(limits.ratio_free_bytes, limits.ratio * self._packed):
            raise ArchiveError(f"it unpacks to more than {limits.ratio} times its size")
        return piece


def _bounded(first: bytes, stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    meter = _Meter(limits)
    piece = first
    while piece:
        meter.packed(piece)
        yield meter.unpacked(piece)
        piece = _read(stream, _PIECE)


def _gunzip(first: bytes, stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    meter = _Meter(limits)
    unpacker = zlib.decompressobj(wbits=31)
    piece = first
    try:
        while piece and not unpacker.eof:
            meter.packed(piece)
            unpacked = unpacker.decompress(piece, _PIECE)
            while unpacked:
                yield meter.unpacked(unpacked)
                unpacked = unpacker.decompress(unpacker.unconsumed_tail, _PIECE)
            if not unpacker.eof:
                piece = _read(stream, _PIECE)
    except zlib.error:
        raise ArchiveError("its gzip data is damaged") from None
    if not unpacker.eof:
        raise ArchiveError("its gzip data is cut off")
    _only_zeros(unpacker.unused_data, stream, limits)


def _unzstd(first: bytes, stream: BinaryIO, limits: Limits) -> Iterator[bytes]:
    import zstandard

    meter = _Meter(limits)
    unpacker = zstandard.ZstdDecompressor(max_window_size=limits.window_bytes).decompressobj()
    piece = first
    rest = b""
    try:
        while piece and not unpacker.eof:
            for start in range(0, len(piece), _ZSTD_PIECE):
                small = piece[start : start + _ZSTD_PIECE]
                meter.packed(small)
                unpacked = unpacker.decompress(small)
                if unpacked:
                    yield meter.unpacked(unpacked)
                if unpacker.eof:
                    rest = unpacker.unused_data + piece[start + _ZSTD_PIECE :]
                    break
            else:
                piece = _read(stream, _PIECE)
    except zstandard.ZstdError as error:
        if "memory" in str(error) or "indow" in str(error):
            raise ArchiveError(f"its zstd window is over {limits.window_bytes} bytes (packed with --long)") from None
        raise ArchiveError("its zstd data is damaged") from None
    if not unpacker.eof:
        raise ArchiveError("its zstd data is cut off")
    _only_zeros(rest, stream, limits)


def _only_zeros(rest: bytes, stream: BinaryIO, limits: Limits) -> None:
    """Refuse anything but (bounded) zero padding behind the packed data, such as a second member or frame."""
    total = 0
    while True:
        total += len(rest)
        if rest.count(0) != len(rest) or total > limits.total_bytes:
            raise ArchiveError("something follows its compressed data")
        rest = _read(stream, _PIECE)
        if not rest:
            return
