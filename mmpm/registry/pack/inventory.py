"""What a receiver has, in one file that is carried to the sender: the base of its next pack (docs/formats.md).

An inventory names states (a registry and the serial whose metadata is here, whole) and hashes: of objects by blake3, of
indexes, pages, catalog and trust documents by sha256, all read and hashed anew. The hashes stand there whole, or as a
filter of three bytes each that says "perhaps" of one foreign hash in half a million: what it is wrong about, the
importer finds missing and asks for. Equal folders give equal inventories.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from blake3 import blake3

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.model.names import RegistryId
from mmpm.trust.facts import is_sha256, parse_time
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT: Final = 1
MAX_INVENTORY_BYTES: Final = 1 << 30
MAX_HASHES: Final = 1 << 24
_MAX_HEAD_BYTES: Final = 1 << 20
_RICE_BITS: Final = 19
"""A foreign hash is in the filter with a chance of 2 to the minus this."""
_HASH_BYTES: Final = 32


@dataclass(frozen=True, order=True, slots=True)
class HeldState:
    """A state of a registry whose metadata the receiver has.

    Attributes:
        registry_id: the registry.
        serial: 0 where no state's metadata is here whole.
        issued: of its timestamp; empty with serial 0.
        snapshot: sha256 of its snapshot; empty with serial 0.
    """

    registry_id: str
    serial: int
    issued: str = ""
    snapshot: str = ""

    def to_json(self) -> dict[str, object]:
        """Give the JSON object."""
        return {"id": self.registry_id, "serial": self.serial, "issued": self.issued, "snapshot": self.snapshot}

    @classmethod
    def parse(cls, value: object, what: str) -> HeldState:
        """Read what `to_json` gave; `ValueError` for anything else."""
        fields = Fields(value, f"{what}: a registry")
        found = cls(
            str(RegistryId.parse(fields.text("id", 300))),
            fields.whole("serial"),
            fields.text("issued", 40),
            fields.text("snapshot", 64),
        )
        if found.serial:
            parse_time(found.issued)
            if not is_sha256(found.snapshot):
                raise ValueError(f"{what}: a snapshot is told by its sha256")
        return found


class Hashes(Protocol):
    """A set of hashes, as 64 hexadecimal digits each."""

    def __contains__(self, digits: object) -> bool:
        """Whether the receiver has it."""
        ...


@dataclass(frozen=True, slots=True)
class HashSet:
    """Hashes as they are: 32 bytes each."""

    found: frozenset[bytes]

    def __contains__(self, digits: object) -> bool:
        return isinstance(digits, str) and bytes.fromhex(digits) in self.found

    def __len__(self) -> int:
        return len(self.found)


@dataclass(frozen=True, slots=True)
class HashFilter:
    """Hashes drawn into a range of 2^19 numbers each: may say yes to one that is not in it, never no to one that is.

    Attributes:
        salt: enters each drawing, so that nobody makes an object that every filter takes for another.
        count: of the hashes.
        drawn: their numbers.
    """

    salt: bytes
    count: int
    drawn: frozenset[int]

    def __contains__(self, digits: object) -> bool:
        return isinstance(digits, str) and _draw(self.salt, self.count, bytes.fromhex(digits)) in self.drawn

    def __len__(self) -> int:
        return self.count

    @classmethod
    def of(cls, hashes: Iterable[bytes]) -> HashFilter:
        """Make a filter; the salt is made of the hashes, which whoever would deceive it cannot know beforehand."""
        known = sorted(hashes)
        salt = blake3(b"".join(known)).digest()[:16]
        return cls(salt, len(known), frozenset(_draw(salt, len(known), one) for one in known))


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a receiver has.

    Attributes:
        states: sorted by registry, none twice.
        hashes: of objects and targets of all of them together.
    """

    states: tuple[HeldState, ...]
    hashes: HashSet | HashFilter

    def to_bytes(self) -> bytes:
        """Give the file: a line of JSON, and one of base64."""
        if isinstance(self.hashes, HashSet):
            form, payload = {"hashes": "whole"}, b"".join(sorted(self.hashes.found))
        else:
            form, payload = {"hashes": "filter", "salt": self.hashes.salt.hex()}, _pack_rice(sorted(self.hashes.drawn))
        head = {
            "format": FORMAT,
            "kind": "inventory",
            "registries": [one.to_json() for one in self.states],
            "count": len(self.hashes),
            **form,
        }
        return canonical_json(head) + b"\n" + base64.b64encode(payload) + b"\n"

    @property
    def id(self) -> str:
        """The inventory's id: ``blake3:`` of its file."""
        return str(ObjectId.of(self.to_bytes()))

    @classmethod
    def parse(cls, data: bytes) -> Inventory:
        """Read an inventory.

        Raises:
            ValueError: not one, or of a newer format.
        """
        line, _, payload = data.partition(b"\n")
        fields = Fields(parse_json(line, "the inventory", max_bytes=_MAX_HEAD_BYTES), "the inventory")
        fields.require_format(FORMAT)
        if fields.text("kind") != "inventory":
            raise ValueError("the inventory is a document of another kind")
        states = tuple(HeldState.parse(one, "the inventory") for one in fields.items("registries"))
        ids = [one.registry_id for one in states]
        if sorted(set(ids)) != ids:
            raise ValueError("the inventory does not name its registries in order, each once")
        count = fields.whole("count")
        if count > MAX_HASHES:
            raise ValueError(f"the inventory has {count} hashes; at most {MAX_HASHES} are read")
        try:
            raw = base64.b64decode(payload.rstrip(b"\n"), validate=True)
        except ValueError:
            raise ValueError("the inventory's second line is not base64") from None
        form = fields.text("hashes", 20)
        if form == "whole":
            return cls(states, _whole(raw, count))
        if form != "filter":
            raise ValueError(f"the inventory gives its hashes as {quoted(form)}, which is not known here")
        salt = fields.text("salt", 64)
        try:
            return cls(states, HashFilter(bytes.fromhex(salt), count, _unpack_rice(raw, count)))
        except ValueError:
            raise ValueError("the inventory's filter is damaged") from None

    def state_of(self, registry_id: str) -> HeldState:
        """Give what it says of a registry; serial 0 where it does not name it."""
        return next((one for one in self.states if one.registry_id == registry_id), HeldState(registry_id, 0))


def _whole(raw: bytes, count: int) -> HashSet:
    found = frozenset(raw[at : at + _HASH_BYTES] for at in range(0, len(raw), _HASH_BYTES))
    if len(raw) != count * _HASH_BYTES or len(found) != count:
        raise ValueError("the inventory has another number of hashes than it says")
    return HashSet(found)


def _draw(salt: bytes, count: int, digest: bytes) -> int:
    """Give a number below count * 2^19, the same for the same hash."""
    number = int.from_bytes(hashlib.sha256(salt + digest).digest()[:8], "big")
    return number * (count << _RICE_BITS) >> 64


def _pack_rice(numbers: list[int]) -> bytes:
    """Write the differences of sorted numbers: as many ones as 2^19 is in it and a zero, then the rest in 19 bits."""
    packed = bytearray()
    waiting = length = last = 0
    for number in numbers:
        difference, last = number - last, number
        times = difference >> _RICE_BITS
        waiting = waiting << times + 1 | (1 << times + 1) - 2
        waiting = waiting << _RICE_BITS | difference & (1 << _RICE_BITS) - 1
        length += times + 1 + _RICE_BITS
        whole, length = divmod(length, 8)
        packed += (waiting >> length).to_bytes(whole, "big")
        waiting &= (1 << length) - 1
    if length:
        packed.append(waiting << 8 - length)
    return bytes(packed)


def _unpack_rice(packed: bytes, count: int) -> frozenset[int]:
    found = set()
    waiting = length = number = at = times = 0
    while True:
        # Whole differences in `waiting`, whose lowest `length` bits are unread; a byte more where one is cut short.
        while length and (ones := (waiting >> length - 1) & 1):
            times += ones
            length -= 1
        if length > _RICE_BITS:
            length -= 1 + _RICE_BITS
            number += times << _RICE_BITS | waiting >> length & (1 << _RICE_BITS) - 1
            found.add(number)
            times = 0
            waiting &= (1 << length) - 1
        elif at < len(packed):
            taken = packed[at : at + 4]
            waiting = (waiting & (1 << length) - 1) << 8 * len(taken) | int.from_bytes(taken, "big")
            length += 8 * len(taken)
            at += 4
        else:
            break
        if len(found) > count:
            break
    # A few hashes in a million share a number; a file that was cut off lacks many.
    if not count - count // 1000 - 8 <= len(found) <= count:
        raise ValueError("other numbers than there may be")
    return frozenset(found)
