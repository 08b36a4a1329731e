"""``pack.json``, the head of a pack, both ways. Pure; docs/formats.md, "Packs".

    pack.json       what it is and what it is based on; at most 1 MiB
    files.jsonl     a line for every file that comes out of it, in the order of the members (`entries.py`)
    ...             the members: files under their own paths, and patches, in the order of files.jsonl

Nothing here is believed: what a receiver may use is decided by the signed metadata alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.model.names import RegistryId
from mmpm.trust.facts import is_sha256, parse_time
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT: Final = 1
HEAD: Final = "pack.json"

WINDOW_LOG: Final = 27
"""Of a pack's one zstd frame: what `zstd -d --long=27` takes."""
MAX_HEAD_BYTES: Final = 1 << 20
MAX_REGISTRIES: Final = 1000
MAX_ROOTS: Final = 1024


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
