"""What stands at the head of a pack: ``pack.json`` and ``files.jsonl``, both ways. Pure; docs/formats.md, "Packs".

    pack.json       what it is and what it is based on; at most 1 MiB
    files.jsonl     a line for every file that comes out of it, in the order of the members
    ...             the members: files under their own paths, and patches, in the order of files.jsonl

Rules: nothing here is believed. The lines say what the writer put in, so that a damaged file is told by its name; what
a receiver may use is decided by the signed metadata alone. Paths are checked here, so that none leads out of the folder
that a pack is unpacked into. Reading holds one entry of the list at a time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.model.names import RegistryId
from mmpm.registry import layout
from mmpm.trust.facts import is_sha256, parse_time
from mmpm_store.ids import ObjectId
from mmpm_store.paths import check_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FORMAT: Final = 1
HEAD: Final = "pack.json"
FILES: Final = "files.jsonl"
MIRROR_JSON: Final = "mirror.json"
POLICY_JSON: Final = "policy.json"
MIRRORS: Final = "mirrors"
PATCHES: Final = "patches"

WINDOW_LOG: Final = 27
"""Of a pack's one zstd frame: what `zstd -d --long=27` takes."""
MAX_HEAD_BYTES: Final = 1 << 20
MAX_LINE_BYTES: Final = 4096
MAX_REGISTRIES: Final = 1000
MAX_ROOTS: Final = 1024
MAX_PATCH_FILES: Final = 65_536
"""Files that come out of one patch, and bases that go into it."""
MAX_PATCH_BYTES: Final = 32 << 20
"""Bytes of all bases of a patch together, and of all its files: what a reader holds in memory, each."""

_HASHED: Final = ("objects/", "formulas/", "catalog/", "trust/")
"""Folders of a tree in which every file's path tells its hash, but for the unsigned copies, which no pack carries."""
_FOLDERS: Final = ("metadata/", "signatures/")
_FILES: Final = ("registry.json", "mirrored.json")


# --- pack.json --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Base:
    """What the receiver is taken to have of a registry.

    Attributes:
        kind: how that is known.
        serial: the state whose metadata it has; 0 where it has no state's metadata whole.
        id: the inventory's or acknowledgement's id; empty for a serial that a person gave.
    """

    kind: Literal["serial", "inventory", "acknowledgement"]
    serial: int
    id: str = ""

    def to_json(self) -> dict[str, object]:
        """Give the JSON object; `id` only where there is one."""
        return {"kind": self.kind, "serial": self.serial, **({"id": self.id} if self.id else {})}


@dataclass(frozen=True, slots=True)
class PackedRegistry:
    """What a pack says of one registry in it.

    Attributes:
        id: the registry.
        roots: the fingerprint of every root in the pack (64 hexadecimal digits), version 1 first.
        serial, issued: of the state that the pack brings.
        base: None where the pack needs nothing that is not in it.
        select: everything, or releases that `mirror.json` in the pack lists.
        releases, formulas: how many the state's selection has, whether their files travel or not.
        files, size: what comes out of the pack of it, in bytes.
    """

    id: str
    roots: tuple[str, ...]
    serial: int
    issued: str
    base: Base | None
    select: Literal["all", "releases"]
    releases: int
    formulas: int
    files: int
    size: int

    def to_json(self) -> dict[str, object]:
        """Give the JSON object."""
        return {
            "id": self.id,
            "roots": list(self.roots),
            "serial": self.serial,
            "issued": self.issued,
            **({} if self.base is None else {"base": self.base.to_json()}),
            "select": self.select,
            "releases": self.releases,
            "formulas": self.formulas,
            "files": self.files,
            "size": self.size,
        }


@dataclass(frozen=True, slots=True)
class PackHead:
    """``pack.json``.

    Attributes:
        registries: sorted by id, none twice.
        list_length, list_id: of ``files.jsonl``.
        files, size: how many come out of the pack, and their bytes together.
        makes_listings: whether the listing (tree object) of each release document in the pack is left out, to be
            made from the document.
    """

    registries: tuple[PackedRegistry, ...]
    list_length: int
    list_id: ObjectId
    files: int
    size: int
    makes_listings: bool

    @property
    def is_increment(self) -> bool:
        """Whether it needs something that is not in it."""
        return any(one.base is not None for one in self.registries)

    @property
    def id(self) -> str:
        """The pack's id: ``blake3:`` of ``pack.json`` without its `id`."""
        return str(ObjectId.of(canonical_json(self._body())))

    def _body(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "kind": "tree",
            "registries": [one.to_json() for one in self.registries],
            "list": {"length": self.list_length, "id": str(self.list_id)},
            "files": self.files,
            "size": self.size,
            "listings": "made" if self.makes_listings else "carried",
        }

    def to_bytes(self) -> bytes:
        """Give the text of ``pack.json``, canonical."""
        return canonical_json({**self._body(), "id": self.id})

    @classmethod
    def parse(cls, data: bytes) -> PackHead:
        """Read ``pack.json``.

        Raises:
            ValueError: not one, of another kind or a newer format, or its id is not its own.
        """
        fields = Fields(parse_json(data, HEAD, max_bytes=MAX_HEAD_BYTES), HEAD)
        fields.require_format(FORMAT)
        if fields.text("kind") != "tree":
            raise ValueError(f"{HEAD}: a pack of kind {quoted(fields.text('kind'))} is not known here")
        registries = tuple(_registry(one) for one in fields.items("registries"))
        ids = [one.id for one in registries]
        if not 0 < len(ids) <= MAX_REGISTRIES or sorted(set(ids)) != ids:
            raise ValueError(f"{HEAD}: the registries are not sorted by id, each once")
        listing = Fields(fields.table("list"), f"{HEAD}: list")
        head = cls(
            registries=registries,
            list_length=listing.whole("length"),
            list_id=ObjectId.parse(listing.text("id", 80)),
            files=fields.whole("files"),
            size=fields.whole("size"),
            makes_listings=_one_of(fields, "listings", ("made", "carried")) == "made",
        )
        if fields.text("id", 80) != head.id:
            raise ValueError(f"{HEAD}: its id is not that of its content")
        return head


def _registry(value: object) -> PackedRegistry:
    fields = Fields(value, f"{HEAD}: a registry")
    roots = fields.texts("roots")
    if not 0 < len(roots) <= MAX_ROOTS:
        raise ValueError(f"{HEAD}: a registry has {len(roots)} roots; 1 to {MAX_ROOTS} are allowed")
    parse_time(fields.text("issued", 40))
    if not all(map(is_sha256, roots)):
        raise ValueError(f"{HEAD}: a root is told by its fingerprint, 64 hexadecimal digits")
    return PackedRegistry(
        id=str(RegistryId.parse(fields.text("id", 300))),
        roots=roots,
        serial=_serial(fields),
        issued=fields.text("issued", 40),
        base=_base(value["base"]) if isinstance(value, dict) and "base" in value else None,
        select="all" if _one_of(fields, "select", ("all", "releases")) == "all" else "releases",
        releases=fields.whole("releases"),
        formulas=fields.whole("formulas"),
        files=fields.whole("files"),
        size=fields.whole("size"),
    )


def _base(value: object) -> Base:
    base = Fields(value, f"{HEAD}: base")
    kind = _one_of(base, "kind", ("serial", "inventory", "acknowledgement"))
    return Base(kind, base.whole("serial"), base.optional("id", 80) or "")  # type: ignore[arg-type]


def _serial(fields: Fields) -> int:
    serial = fields.whole("serial")
    if not serial:
        raise ValueError(f"{HEAD}: serials begin with 1")
    return serial


def _one_of(fields: Fields, key: str, allowed: Sequence[str]) -> str:
    found = fields.text(key, 40)
    if found not in allowed:
        raise ValueError(f"{HEAD}: {key} is {quoted(found)}; known are {', '.join(allowed)}")
    return found


# --- files.jsonl ------------------------------------------------------------------------------------------------------


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
