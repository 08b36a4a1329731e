"""The one archive that a tree has: canonical tar, and gzip of stored blocks around it (README.md, "Canonical bytes").

Rule: the bytes are a pure function of top folder, paths, x bits and contents. No library's default enters.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from mmpm_store.errors import TreeError, UnsafePathError, quoted
from mmpm_store.paths import check_path
from mmpm_store.tar import BLOCK, ArchiveFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mmpm_store.ids import ObjectId
    from mmpm_store.tree import Tree

_MAX_SIZE = 0o77777777777  # eleven octal digits
_STORED_BLOCK = 65535  # the longest stored block of RFC 1951
_GZIP_HEADER = bytes.fromhex("1f8b08000000000000ff")
_END = bytes(2 * BLOCK)
_PAX_NAME = b"././@PaxHeader"


def tree_files(tree: Tree, read: Callable[[ObjectId], bytes]) -> Iterator[ArchiveFile]:
    """Give the tree's files in order, each read (`Store.read`) when its turn comes."""
    for entry in tree.entries:
        yield ArchiveFile(entry.path, entry.executable, read(entry.id))


def canonical_tar(top: str, files: Iterable[ArchiveFile]) -> Iterator[bytes]:
    """Give the canonical tar of `files` below the one folder `top`, in pieces; memory holds one file at a time.

    Args:
        top: one part of a path.
        files: paths below `top`, sorted (as UTF-8) and distinct: what `tree_files` gives.

    Raises:
        UnsafePathError: a path, with `top` before it, is not safe.
        TreeError: `files` is not sorted.
    """
    if "/" in top:
        raise UnsafePathError(top, "is more than one folder")
    previous = ""
    for file in files:
        if file.path <= previous:
            raise TreeError(f"files are not sorted: {quoted(file.path)} after {quoted(previous)}")
        previous = file.path
        size = len(file.data)
        yield member_header(check_path(f"{top}/{file.path}"), size, 0o755 if file.executable else 0o644)
        yield file.data
        if size % BLOCK:
            yield bytes(-size % BLOCK)
    yield _END


def payload_checksum(top: str, files: Iterable[ArchiveFile]) -> tuple[str, int]:
    """Give the SHA-256 (hexadecimal) and the size in bytes of `canonical_tar(top, files)`."""
    checksum = hashlib.sha256()
    size = 0
    for piece in canonical_tar(top, files):
        checksum.update(piece)
        size += len(piece)
    return checksum.hexdigest(), size


def stored_gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give a gzip member that holds `chunks` uncompressed, in stored blocks of 65,535 bytes, the last one shorter."""
    yield _GZIP_HEADER
    checksum = 0
    size = 0
    waiting = bytearray()
    for chunk in chunks:
        checksum = zlib.crc32(chunk, checksum)
        size += len(chunk)
        waiting += chunk
        start = 0
        # A full block waits until more follows: only then is it known not to be the last.
        while len(waiting) - start > _STORED_BLOCK:
            yield _stored_block(waiting[start : start + _STORED_BLOCK], final=False)
            start += _STORED_BLOCK
        del waiting[:start]
    yield _stored_block(waiting, final=True)
    yield checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")


def _stored_block(data: bytearray, *, final: bool) -> bytes:
    length = len(data)
    return bytes([final]) + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little") + data


def member_header(path: str, size: int, mode: int) -> bytes:
    """Give the header of a plain file, with a PAX header before it where `path` does not fit into one of ustar's.

    Raises:
        TreeError: `size` is more than eleven octal digits hold.
    """
    if size > _MAX_SIZE:
        raise TreeError(f"{quoted(path)} is too long for a tar archive")
    split = _split(path)
    if split is not None:
        name, prefix = split
        return _header(name, prefix, size, mode, b"0")
    record = _pax_record("path", path)
    return (
        _header(_PAX_NAME, b"", len(record), 0o644, b"x")
        + record
        + bytes(-len(record) % BLOCK)
        + _header(path.encode("ascii", "replace")[:100], b"", size, mode, b"0")
    )


def _split(path: str) -> tuple[bytes, bytes] | None:
    """Give name (100 bytes) and prefix (155) that hold `path`, or None: then it needs a PAX header."""
    if not path.isascii():
        return None
    if len(path) <= 100:
        return path.encode(), b""
    # The longest prefix that fits; what is left must fit as well.
    cut = path.rfind("/", 0, 156)
    if cut <= 0 or len(path) - cut - 1 > 100:
        return None
    return path[cut + 1 :].encode(), path[:cut].encode()


def _pax_record(key: str, value: str) -> bytes:
    """Give the record ``<length> key=value`` and a newline, where the length counts its own digits."""
    rest = f" {key}={value}\n".encode()
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def _header(name: bytes, prefix: bytes, size: int, mode: int, kind: bytes) -> bytes:
    block = b"".join(
        (
            name.ljust(100, b"\0"),
            b"%07o\0" % mode,
            b"0000000\0",  # uid
            b"0000000\0",  # gid
            b"%011o\0" % size,
            b"00000000000\0",  # mtime
            b"        ",  # checksum, for now
            kind,
            bytes(100),  # link name
            b"ustar\x0000",
            bytes(32),  # user name
            bytes(32),  # group name
            b"0000000\0",  # device major
            b"0000000\0",  # device minor
            prefix.ljust(155, b"\0"),
            bytes(12),
        ),
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
