"""Which relative paths may name a file of a tree: those that mean the same on Linux, macOS and Windows.

Rule: a path that passed `check_path` can be joined to a folder and never leaves it, on any of the three.
"""

from __future__ import annotations

import functools
import unicodedata

from mmpm_store.errors import UnsafePathError

MAX_PATH_BYTES = 1024
MAX_PART_BYTES = 255
MAX_DEPTH = 32

# Names that Windows gives to devices in every folder, whatever follows their first dot. The superscript digits count.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789\u00b9\u00b2\u00b3"],
)
# Explicit bidirectional overrides, embeddings and isolates make a path read as another one.
_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_path(text: str) -> str:
    """Give `text` back if it is a safe relative path.

    Safe: parts separated by ``/``, none empty, ``.`` or ``..``; NFC; no control, bidirectional or separator
    characters, no lone surrogate, no backslash or colon; no part ends in a dot or space or is a Windows device name;
    at most 255 bytes a part, 1,024 in all, 32 parts (UTF-8).

    Raises:
        UnsafePathError: it is anything else; the reason says which rule.
    """
    parts = text.split("/")
    if len(parts) > MAX_DEPTH:
        raise UnsafePathError(text, f"is more than {MAX_DEPTH} folders deep")
    try:
        for part in parts:
            _check_part(part)
    except _UnsafePartError as error:
        raise UnsafePathError(text, error.args[0]) from None
    if len(text) > MAX_PATH_BYTES // 4 and len(text.encode()) > MAX_PATH_BYTES:
        raise UnsafePathError(text, f"is longer than {MAX_PATH_BYTES} bytes")
    return text


class _UnsafePartError(ValueError):
    """Why one part of a path is refused."""


# The same few names (formula.toml, README.md, templates) make up most paths of a store: remembering the harmless ones
# takes the check out of the time that reading a thousand trees takes. Exceptions are not remembered.
@functools.lru_cache(maxsize=8192)
def _check_part(part: str) -> None:
    if part in {"", ".", ".."}:
        raise _UnsafePartError("is absolute, or has an empty, '.' or '..' part")
    if not part.isascii():
        _check_unicode(part)
    elif not part.isprintable():
        raise _UnsafePartError("has a control character")
    if len(part) > MAX_PART_BYTES // 4 and len(part.encode()) > MAX_PART_BYTES:
        raise _UnsafePartError(f"has a part longer than {MAX_PART_BYTES} bytes")
    if "\\" in part or ":" in part:
        raise _UnsafePartError("has a backslash or a colon")
    if part[-1] in ". ":
        raise _UnsafePartError("has a part that ends in a dot or a space")
    if part.partition(".")[0].rstrip(" ").casefold() in _DEVICES:
        raise _UnsafePartError("has a part that is a device name on Windows")


def _check_unicode(part: str) -> None:
    for character in part:
        if unicodedata.category(character) in {"Cc", "Zl", "Zp"} or character in _BIDI:
            raise _UnsafePartError("has a control character")
        if unicodedata.category(character) == "Cs":
            raise _UnsafePartError("is not UTF-8")
    if not unicodedata.is_normalized("NFC", part):
        raise _UnsafePartError("is not in Unicode normal form C")


def fold(path: str) -> str:
    """Give what paths have in common that one case-insensitive, normalising file system takes for the same.

    Canonical caseless matching of The Unicode Standard, definition D145.
    """
    if path.isascii():
        folded = path.lower()
        return path if folded == path else folded  # one string in place of two, for as long as either is kept
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())


class Taken:
    """The paths seen so far, to refuse a second one that some file system cannot tell from the first."""

    __slots__ = ("_files", "_folders")

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._files) + len(self._folders)

    def add_file(self, path: str) -> None:
        """Take `path` (safe already) for a file, and its parents for folders.

        Raises:
            UnsafePathError: a file or folder has it already, or a parent is a file, or a parent folder has
                another spelling; all after normalising and case folding.
        """
        folded = fold(path)
        other = self._files.get(folded)
        if other is not None:
            raise UnsafePathError(path, _clash(path, other, "is there twice"))
        if folded in self._folders:
            raise UnsafePathError(path, "is both a file and a folder")
        self._add_parents(path)
        self._files[folded] = path

    def add_folder(self, path: str) -> None:
        """Take `path` (safe already) for a folder; the same spelling again is allowed.

        Raises:
            UnsafePathError: as for `add_file`.
        """
        self._add_parents(path + "/")

    def _add_parents(self, path: str) -> None:
        end = path.rfind("/")
        new: dict[str, str] = {}
        while end != -1:
            folder = path[:end]
            folded = fold(folder)
            other = self._folders.get(folded)
            if other == folder:
                break  # its own parents were taken with it
            if other is not None:
                raise UnsafePathError(path, _clash(folder, other, ""))
            if folded in self._files:
                raise UnsafePathError(path, "is below a file")
            new[folded] = folder
            end = path.rfind("/", 0, end)
        self._folders.update(new)


def _clash(path: str, other: str, same: str) -> str:
    return same if path == other else f"differs only in case or normal form from {other!a}"
