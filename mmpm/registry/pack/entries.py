"""``files.jsonl``: the list of what comes out of a pack, read and written an entry at a time. Pure; docs/formats.md.

Rules: nothing here is believed. The lines say what the writer put in, so that a damaged file is told by its name; what
a receiver may use is decided by the signed metadata alone. Paths are checked here, so that none leads out of the folder
that a pack is unpacked into. Reading holds one entry of the list at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json
from mmpm.model.fields import Fields
from mmpm.model.names import RegistryId
from mmpm.registry import layout
from mmpm.registry.mirrored import POLICY_JSON
from mmpm.trust.facts import is_sha256
from mmpm_store.paths import check_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILES: Final = "files.jsonl"
MIRROR_JSON: Final = "mirror.json"
MIRRORS: Final = "mirrors"
PATCHES: Final = "patches"

MAX_LINE_BYTES: Final = 4096
MAX_PATCH_FILES: Final = 65_536
"""Files that come out of one patch, and bases that go into it."""
MAX_PATCH_BYTES: Final = 32 << 20
"""Bytes of all bases of a patch together, and of all its files: what a reader holds in memory, each."""

_HASHED: Final = ("objects/", "formulas/", "catalog/", "trust/")
"""Folders of a tree in which every file's path tells its hash, but for the unsigned copies, which no pack carries."""
_FOLDERS: Final = ("metadata/", "signatures/")
_FILES: Final = ("registry.json", "mirrored.json")


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file that comes out of a pack.

    Attributes:
        path: ``mirrors/<id>/<path in the tree>``, ``mirror.json`` or ``policy.json``.
        length: its bytes.
        sha256: where its path does not tell what its bytes must be (`proof_of_path`); else None.
    """

    path: str
    length: int
    sha256: str | None = None

    def to_line(self) -> bytes:
        """Give the line, newline included."""
        proof = {} if self.sha256 is None else {"sha256": self.sha256}
        return canonical_json({"path": self.path, "length": self.length, **proof}) + b"\n"

    @property
    def proof(self) -> tuple[Literal["blake3", "sha256"], str]:
        """Kind and hexadecimal digits of what its bytes must hash to."""
        known = proof_of_path(self.path)
        return known if known is not None else ("sha256", self.sha256 or "")


@dataclass(frozen=True, slots=True)
class PatchBase:
    """A file that the receiver has, under its path in the receiver's mirror."""

    path: str
    length: int

    def to_line(self) -> bytes:
        """Give the line, newline included."""
        return canonical_json({"base": self.path, "length": self.length}) + b"\n"


@dataclass(frozen=True, slots=True)
class Patch:
    """A member from which several files come: one zstd frame with a raw-content dictionary.

    Attributes:
        member: its name in the tar.
        length: bytes of the member, compressed.
        bases: files of the receiver, not of this pack; may be empty.
        files: in the order in which their bytes stand in the frame's content; at least one.
    """

    member: str
    length: int
    bases: tuple[PatchBase, ...]
    files: tuple[PackedFile, ...]

    @property
    def content_length(self) -> int:
        """Bytes of its files together: exactly what the frame must give."""
        return sum(one.length for one in self.files)

    def inner_lines(self) -> bytes:
        """Give the lines of its bases and files, which are also the end of its dictionary."""
        return b"".join([*(one.to_line() for one in self.bases), *(one.to_line() for one in self.files)])

    def to_lines(self) -> bytes:
        """Give all its lines."""
        head = {"patch": self.member, "length": self.length, "bases": len(self.bases), "files": len(self.files)}
        return canonical_json(head) + b"\n" + self.inner_lines()

    def dictionary(self, bases: Iterable[bytes]) -> bytes:
        """Give the raw-content dictionary of the frame.

        The bytes of the bases, in order, then this patch's own lines: so that a hash which stands in a path need not
        stand in the frame again, where a document names that file.
        """
        return b"".join(bases) + self.inner_lines()


Entry = PackedFile | Patch
"""A member of the tar behind ``files.jsonl``: the file itself under its own path, or a patch."""


def proof_of_path(path: str) -> tuple[Literal["blake3", "sha256"], str] | None:
    """Give what the bytes of ``mirrors/<id>/<path>`` must hash to, where the path tells it; else None."""
    parts = path.split("/", 2)
    if len(parts) != 3:
        return None
    inner = parts[2]
    if inner.startswith("objects/"):
        digits = inner[len("objects/") :].replace("/", "", 1)
        return ("blake3", digits) if inner == f"objects/{digits[:2]}/{digits[2:]}" else None
    if inner.startswith(_HASHED):
        hashed = layout.parse_hashed(inner)
        return None if hashed is None else ("sha256", hashed[1])
    return None


def registry_of_path(path: str) -> tuple[str, str] | None:
    """Give registry id and path inside its tree, or None for ``mirror.json`` and ``policy.json``."""
    parts = path.split("/", 2)
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == MIRRORS else None


def tree_path(registry_id: str, path: str) -> str:
    """Give the path in a pack of a tree's file."""
    return f"{MIRRORS}/{registry_id}/{path}"


def patch_member(number: int) -> str:
    """Give the name of patch `number`, counted from 1."""
    return f"{PATCHES}/{number}.zst"


def read_entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Read the lines of ``files.jsonl``, one entry at a time.

    Args:
        lines: with their newlines, as iterating a file gives them; none longer than `MAX_LINE_BYTES` need be read.

    Raises:
        ValueError: a line is not what it should be, a path leads elsewhere, a patch is larger than may be.
    """
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        fields = _fields(line, number)
        if b'"patch":' not in line:  # a canonical line; in a path the quotes would be escaped
            yield _file(fields)
            continue
        member, length = fields.text("patch", 80), fields.whole("length")
        if not member.startswith(f"{PATCHES}/") or "/" in member[len(PATCHES) + 1 :]:
            raise ValueError(f"{FILES}, line {number}: {quoted(member)} is no member of a patch")
        check_path(member)
        counts = fields.whole("bases"), fields.whole("files")
        if max(counts) > MAX_PATCH_FILES or not counts[1]:
            raise ValueError(f"{FILES}, line {number}: a patch of {counts[1]} files against {counts[0]}")
        bases = tuple(_base_line(fields) for fields in _take(numbered, counts[0]))
        files = tuple(_file(fields) for fields in _take(numbered, counts[1]))
        patch = Patch(member, length, bases, files)
        if max(patch.content_length, sum(one.length for one in bases), length) > MAX_PATCH_BYTES:
            raise ValueError(f"{FILES}, line {number}: a patch of more than {MAX_PATCH_BYTES} bytes")
        yield patch


def _take(numbered: Iterator[tuple[int, bytes]], count: int) -> Iterator[Fields]:
    for _ in range(count):
        following = next(numbered, None)
        if following is None:
            raise ValueError(f"{FILES} ends in the middle of a patch")
        yield _fields(following[1], following[0])


def _fields(line: bytes, number: int) -> Fields:
    what = f"{FILES}, line {number}"
    if len(line) > MAX_LINE_BYTES or not line.endswith(b"\n"):
        raise ValueError(f"{what} is not a line of at most {MAX_LINE_BYTES} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"{what} is not JSON") from None
    return Fields(value, what)


def _file(fields: Fields) -> PackedFile:
    path = fields.text("path", 1024)
    _check(path)
    known = proof_of_path(path)
    sha256 = None if known is not None else fields.text("sha256", 64)
    if not is_sha256(sha256 if known is None else known[1]):  # 64 digits, whichever hash they are of
        raise ValueError(f"{FILES}: {quoted(path)} has no proof of 64 hexadecimal digits")
    return PackedFile(path, fields.whole("length"), sha256)


def _base_line(fields: Fields) -> PatchBase:
    path = fields.text("base", 1024)
    _check(path)
    return PatchBase(path, fields.whole("length"))


def _check(path: str) -> None:
    if path in (MIRROR_JSON, POLICY_JSON):
        return
    check_path(path)
    place = registry_of_path(path)
    is_known = place is not None and (
        place[1].startswith(_FOLDERS)
        or place[1] in _FILES
        or (place[1].startswith(_HASHED) and proof_of_path(path) is not None)
    )
    if place is None or not is_known:
        raise ValueError(f"{FILES}: {quoted(path)} is no file of a registry tree")
    if str(RegistryId.parse(place[0])) != place[0]:
        raise ValueError(f"{FILES}: {quoted(path)} is no file of a registry tree")
