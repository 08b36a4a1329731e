"""Trees: the sorted listing of a release's files, itself an object.

Rule: a `Tree` that exists is valid, and one tree has one text. The text (FORMAT 1) is canonical JSON:
``{"files":[[path,0|1,"blake3:<hex>",size],...],"format":1}``, keys sorted, no spaces, UTF-8 unescaped.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm_store.errors import TreeError, UnsafePathError, quoted
from mmpm_store.ids import PREFIX, ObjectId
from mmpm_store.paths import Taken, check_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self

FORMAT = 1
MAX_TREE_BYTES = 32 * 1024 * 1024
MAX_FILE_BYTES = 2**40

_QUOTE = '"'
_ESCAPED = '\\"'


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a tree.

    Attributes:
        path: safe, relative, ``/``-separated (`mmpm_store.paths.check_path`).
        executable: whether the file has its x bits (0555) or not (0444).
        id: the object with the file's bytes.
        size: of those bytes.
    """

    path: str
    executable: bool
    id: ObjectId
    size: int

    def __post_init__(self) -> None:
        check_path(self.path)
        # Exactly int: JSON's true and 1.0 are equal to 1 and would be written back as they came.
        if type(self.size) is not int or not 0 <= self.size <= MAX_FILE_BYTES:
            raise TreeError(f"size of {quoted(self.path)} is out of range")


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a release.

    Attributes:
        entries: sorted by path (as UTF-8 bytes), unique also after normalising and case folding; no file is also
            a folder. May be empty.
    """

    entries: tuple[FileEntry, ...]

    def __post_init__(self) -> None:
        _check_order([entry.path for entry in self.entries])

    @classmethod
    def of(cls, entries: Iterable[FileEntry]) -> Self:
        """Make a tree of `entries` in any order.

        Raises:
            UnsafePathError: two of them cannot live side by side.
        """
        return cls(tuple(sorted(entries, key=lambda entry: entry.path.encode())))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a tree's text.

        Raises:
            TreeError: `data` is not, byte for byte, the canonical text of a valid tree.
        """
        if len(data) > MAX_TREE_BYTES:
            raise TreeError("tree listing is too long")
        try:
            rows = _rows(json.loads(data))
            tree = cls(tuple(FileEntry(path, bit == 1, ObjectId.parse(name), size) for path, bit, name, size in rows))
            canonical = tree.to_bytes()
        except (TreeError, UnsafePathError) as error:
            raise TreeError(f"tree listing refused: {error}") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise TreeError("tree listing is malformed") from None
        if canonical != data:
            raise TreeError("tree listing is not in canonical form")
        return tree

    def to_bytes(self) -> bytes:
        """Give the tree's one text."""
        # Joined here and not by `json` (three times the time): of all that a safe path may hold, JSON escapes only the
        # quotation mark.
        rows = [
            f'["{entry.path.replace(_QUOTE, _ESCAPED)}",{entry.executable:d},"{PREFIX}{entry.id.hex}",{entry.size}]'
            for entry in self.entries
        ]
        return f'{{"files":[{",".join(rows)}],"format":{FORMAT}}}'.encode()

    @property
    def id(self) -> ObjectId:
        """The id that the tree's text has as an object."""
        return ObjectId.of(self.to_bytes())

    @property
    def size(self) -> int:
        """The sum of the files' sizes in bytes."""
        return sum(entry.size for entry in self.entries)


def _rows(document: Any) -> list[Any]:
    if document["format"] != FORMAT:
        raise TreeError(f"its format is not {FORMAT}")
    rows: list[Any] = document["files"]
    return rows


def _check_order(paths: list[str]) -> None:
    # Text without surrogates sorts by code point as its UTF-8 does.
    for before, after in itertools.pairwise(paths):
        if before >= after:
            raise UnsafePathError(after, "is there twice" if before == after else "is out of order")
    if not _cannot_clash(paths):
        taken = Taken()
        for path in paths:
            taken.add_file(path)


def _cannot_clash(paths: list[str]) -> bool:
    """Whether sorted, distinct `paths` are plainly harmless side by side; False: look closer. The usual, fast case."""
    text = "\n".join(paths)
    if not text.isascii():
        return False
    folders = set()
    for path in paths:
        end = path.rfind("/")
        while end != -1 and (folder := path[:end]) not in folders:
            folders.add(folder)
            end = folder.rfind("/")
    folded = set(text.lower().split("\n"))
    return len(folded) == len(paths) and len(folded | {folder.lower() for folder in folders}) == len(paths) + len(
        folders
    )
