"""A tar reader for hostile input: ustar, PAX and GNU long names; plain files and folders, nothing else.

Rules: every refusal names the member and comes before anything is used, for the caller collects; no member's bytes are
kept but the current one's; what a header claims is checked against the limits before memory is taken for it.
Own code, since `tarfile` reads what we must refuse (sparse, links, second archives) and has had holes of its own.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm_store.errors import ArchiveError, UnsafePathError
from mmpm_store.paths import MAX_PATH_BYTES, Taken, check_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK = 512
_ZERO = bytes(BLOCK)
# A PAX header holds a path, a time or two and vendor attributes; more is an attack on memory.
_MAX_PAX_BYTES = 64 * 1024
_MAX_LONG_NAME_BYTES = 4 * MAX_PATH_BYTES

_REFUSED_KINDS = {
    b"1": "is a hard link",
    b"2": "is a symbolic link",
    b"3": "is a character device",
    b"4": "is a block device",
    b"6": "is a pipe",
    b"7": "is a contiguous file",
    b"S": "is a sparse file",
    b"K": "is a link (GNU long link name)",
    b"D": "is a GNU dump folder",
    b"M": "is the rest of a split file",
    b"V": "is a volume label",
    b"N": "has an old GNU long name",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may unfold to.

    Attributes:
        total_bytes: of the unpacked tar, headers included.
        file_bytes: of one file.
        members: files, folders and headers that only describe others.
        ratio: unpacked bytes a packed byte, looked at beyond `ratio_free_bytes` unpacked bytes.
        window_bytes: how far back zstd data may refer, which is memory that it claims.
    """

    total_bytes: int = 128 * 1024 * 1024
    file_bytes: int = 32 * 1024 * 1024
    members: int = 20_000
    ratio: int = 200
    ratio_free_bytes: int = 16 * 1024 * 1024
    window_bytes: int = 32 * 1024 * 1024


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One plain file of an archive: its safe path, whether its owner may execute it, its bytes."""

    path: str
    executable: bool
    data: bytes


@dataclass(slots=True)
class _Extended:
    """What PAX and GNU headers say about the next member."""

    path: bytes | None = None
    size: int | None = None
    seen: str = ""


class _Reader:
    """Exact reads from a stream of pieces, and what is known of the archive so far."""

    def __init__(self, pieces: Iterable[bytes], limits: Limits, admit: Callable[[str, int], None] | None) -> None:
        self.limits = limits
        self.admit = admit
        self.taken = Taken()
        self._pieces = iter(pieces)
        self._buffer = bytearray()

    def exactly(self, size: int, member: bytes | None) -> bytes:
        while len(self._buffer) < size:
            piece = next(self._pieces, None)
            if piece is None:
                raise ArchiveError("is cut off" if member is not None else "it is cut off", member)
            self._buffer += piece
        data = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return data

    def only_zeros_follow(self) -> bool:
        if self._buffer.count(0) != len(self._buffer):
            return False
        return all(piece.count(0) == len(piece) for piece in self._pieces)


def read_tar(
    pieces: Iterable[bytes], limits: Limits = DEFAULT_LIMITS, admit: Callable[[str, int], None] | None = None
) -> Iterator[ArchiveFile]:
    """Give the plain files of the tar that `pieces` make up, in its order; folders are checked and dropped.

    Paths lose a leading ``./`` and are put in normal form C, then must be safe (`check_path`) and distinct.

    Args:
        pieces: of the tar.
        limits: what it may unfold to.
        admit: called with path and size of a file before memory is taken for it; refuses it by raising.

    Raises:
        ArchiveError: anything is wrong, if need be only after the last file was given: use nothing before the end.
    """
    reader = _Reader(pieces, limits, admit)
    extended = _Extended()
    members = 0
    while (header := reader.exactly(BLOCK, None)) != _ZERO:
        members += 1
        if members > limits.members:
            raise ArchiveError(f"it has more than {limits.members} members")
        kind, name = _check_header(header)
        if kind in {b"x", b"L", b"g"}:
            _read_extension(reader, header, kind, name, extended)
            continue
        file = _read_member(reader, header, kind, extended)
        if file is not None:
            yield file
        extended = _Extended()
    if extended.seen:
        raise ArchiveError("it ends after a header that describes another member")
    if reader.exactly(BLOCK, None) != _ZERO or not reader.only_zeros_follow():
        raise ArchiveError("something follows its end mark")


def _read_member(reader: _Reader, header: bytes, kind: bytes, extended: _Extended) -> ArchiveFile | None:
    raw = extended.path if extended.path is not None else _ustar_path(header)
    size = extended.size if extended.size is not None else _number(header[124:136], "size", raw)
    is_folder = kind == b"5" or (kind == b"\0" and raw.endswith(b"/"))
    if not is_folder and raw.endswith(b"/"):
        raise ArchiveError("is a file whose name ends in a slash", raw)
    path = _safe_path(raw, is_folder)
    if is_folder:
        if size:
            raise ArchiveError("is a folder with content", raw)
        if path:
            _take(reader.taken.add_folder, path, raw)
        return None
    if size > reader.limits.file_bytes:
        raise ArchiveError(f"is longer than {reader.limits.file_bytes} bytes", raw)
    _take(reader.taken.add_file, path, raw)
    if reader.admit is not None:
        reader.admit(path, size)
    data = reader.exactly(size, raw)
    if reader.exactly(-size % BLOCK, raw).strip(b"\0"):
        raise ArchiveError("has something hidden in its padding", raw)
    return ArchiveFile(path, bool(_number(header[100:108], "mode", raw) & 0o100), data)


def _take(add: Callable[[str], None], path: str, raw: bytes) -> None:
    try:
        add(path)
    except UnsafePathError as error:
        raise ArchiveError(error.reason, raw) from None


def _safe_path(raw: bytes, is_folder: bool) -> str:
    """Give the member's path; empty for the top folder itself (``./``)."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ArchiveError("has a name that is not UTF-8", raw) from None
    while text.startswith("./"):
        text = text[2:]
    if is_folder:
        text = text.removesuffix("/")
        if text in {"", "."} and not raw.startswith(b"/"):
            return ""
    try:
        return check_path(text if text.isascii() else unicodedata.normalize("NFC", text))
    except UnsafePathError as error:
        raise ArchiveError(error.reason, raw) from None


def _check_header(header: bytes) -> tuple[bytes, bytes]:
    """Give type and name of a header whose checksum is right and whose type may be read."""
    name = _ustar_path(header)
    if not has_right_checksum(header):
        raise ArchiveError("has a header with a wrong checksum", name)
    kind = header[156:157]
    if kind in _REFUSED_KINDS:
        raise ArchiveError(_REFUSED_KINDS[kind], name)
    if kind not in {b"0", b"\0", b"5", b"x", b"g", b"L"}:
        raise ArchiveError("is of a kind that is neither file nor folder", name)
    return kind, name


def has_right_checksum(header: bytes) -> bool:
    """Whether `header` sums up to what it says: the sum of its bytes, with the field itself as eight spaces."""
    digits = header[148:156].strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return False
    return sum(header) - sum(header[148:156]) + 8 * 0x20 == int(digits, 8)


def _ustar_path(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    # GNU's old format ("ustar  ") keeps times where POSIX ("ustar", NUL) keeps the prefix.
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes, what: str, name: bytes) -> int:
    """Read an octal field, or GNU's base-256 form of one that fits; never negative."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40 or value >= 2**63:
            raise ArchiveError(f"has a {what} that is negative or too large", name)
        return value
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise ArchiveError(f"has a {what} that is no number", name)
    return int(digits, 8) if digits else 0


def _read_extension(reader: _Reader, header: bytes, kind: bytes, name: bytes, extended: _Extended) -> None:
    size = _number(header[124:136], "size", name)
    if size > (_MAX_LONG_NAME_BYTES if kind == b"L" else _MAX_PAX_BYTES):
        raise ArchiveError("has a header that is too long", name)
    data = reader.exactly(size, name)
    reader.exactly(-size % BLOCK, name)
    if kind == b"g":
        if _pax_values(data, name):
            raise ArchiveError("gives all members one path or size", name)
        return
    if kind.decode() in extended.seen:
        raise ArchiveError("has two headers of one kind before it", name)
    extended.seen += kind.decode()
    if kind == b"L":
        _set_path(extended, data.partition(b"\0")[0], name)
        return
    values = _pax_values(data, name)
    if b"path" in values:
        _set_path(extended, values[b"path"], name)
    if b"size" in values:
        digits = values[b"size"]
        if not digits.isdigit() or len(digits) > 18:
            raise ArchiveError("has a size that is no number or too large", name)
        extended.size = int(digits)


def _set_path(extended: _Extended, path: bytes, name: bytes) -> None:
    if not path or (extended.path is not None and extended.path != path):
        raise ArchiveError("has an empty name, or two names", name)
    extended.path = path


def _pax_values(data: bytes, name: bytes) -> dict[bytes, bytes]:
    """Read the records (``<length> key=value``, newline) and give path and size; the rest is harmless and dropped."""
    values: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        digits, space, _ = data[position : position + 8].partition(b" ")
        end = position + int(digits) if space and digits.isdigit() else 0
        key, equals, value = data[position + len(digits) + 1 : end - 1].partition(b"=")
        if not position < end <= len(data) or data[end - 1 : end] != b"\n" or not equals or not key:
            raise ArchiveError("has a malformed PAX header", name)
        if key.startswith(b"GNU.sparse") or (key == b"hdrcharset" and value != b"ISO-IR 10646 2000 UTF-8"):
            raise ArchiveError("is a sparse file or has names that are not UTF-8", name)
        if key in {b"path", b"size"}:
            if key in values:
                raise ArchiveError("has two names or sizes", name)
            values[key] = value
        position = end
    return values
