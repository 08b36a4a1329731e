"""A signed word of the far side, less than 2 kB: which state of each registry it holds whole, and how many objects.

The sender, who has the same trees, finds the objects that releases up to that serial have; where their number and hash
are those of the acknowledgement, it is as good an inventory as one that lists them all. Pure but for the walk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.registry.pack.inventory import HeldState
from mmpm.registry.pack.novelty import files_of
from mmpm.trust.facts import is_sha256
from mmpm.trust.keys import PublicKey
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.registry.mirror.selection import Chosen
    from mmpm.registry.verified import TreeFile, VerifiedState
    from mmpm.trust.keys import SigningKey

FORMAT: Final = 1
MAX_BYTES: Final = 1 << 20
_WHAT: Final = "the acknowledgement"


@dataclass(frozen=True, slots=True)
class ObjectSet:
    """How many objects, and blake3 over their 32 bytes each, sorted."""

    count: int
    hash: str

    @classmethod
    def of(cls, digests: Iterable[bytes]) -> ObjectSet:
        """Describe a set of objects."""
        known = sorted(set(digests))
        return cls(len(known), blake3(b"".join(known)).hexdigest())


@dataclass(frozen=True, slots=True)
class Held:
    """What is acknowledged of one registry."""

    state: HeldState
    objects: ObjectSet

    def to_json(self) -> dict[str, object]:
        """Give the JSON object."""
        return {**self.state.to_json(), "objects": {"count": self.objects.count, "hash": self.objects.hash}}


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the far side holds, and whose word that is.

    Attributes:
        held: sorted by registry, none twice.
        public: of the key that signed it.
        id: ``blake3:`` of the document.
    """

    held: tuple[Held, ...]
    public: PublicKey
    id: str

    def of(self, registry_id: str) -> Held | None:
        """Give what it says of a registry."""
        return next((one for one in self.held if one.state.registry_id == registry_id), None)

    @classmethod
    def parse(cls, data: bytes) -> Acknowledgement:
        """Read an acknowledgement and verify its signature.

        Raises:
            ValueError: not one, of a newer format, or its signature is not that of its key.
        """
        document = parse_json(data, _WHAT, max_bytes=MAX_BYTES)
        fields = Fields(document, _WHAT)
        fields.require_format(FORMAT)
        if fields.text("kind", 40) != "acknowledgement":
            raise ValueError(f"{_WHAT} is a document of another kind")
        public = PublicKey(fields.text("key", 64))
        try:
            signature = bytes.fromhex(fields.text("signature", 128))
        except ValueError:
            raise ValueError(f"{_WHAT} has no signature in hexadecimal digits") from None
        signed = {key: value for key, value in document.items() if key != "signature"}
        if not public.verifies(signature, canonical_json(signed)):
            raise ValueError(f"{_WHAT} was changed after it was signed")
        held = tuple(_held(one) for one in fields.items("registries"))
        ids = [one.state.registry_id for one in held]
        if not ids or sorted(set(ids)) != ids:
            raise ValueError(f"{_WHAT} does not name its registries in order, each once")
        return cls(held, public, str(ObjectId.of(data)))


def sign_acknowledgement(held: Iterable[Held], key: SigningKey) -> bytes:
    """Give a signed acknowledgement."""
    document: dict[str, object] = {
        "format": FORMAT,
        "kind": "acknowledgement",
        "registries": [one.to_json() for one in sorted(held, key=lambda one: one.state)],
        "key": key.public.hex,
    }
    return canonical_json({**document, "signature": key.sign(canonical_json(document)).hex()}) + b"\n"


def objects_of(state: VerifiedState, chosen: Chosen, until: int) -> Iterator[TreeFile]:
    """Give the objects of chosen releases that were published up to the serial `until`; some more than once."""
    for name in state.names():
        for release in state.releases(name):
            if chosen.has(release) and release.serial <= until:
                yield from (file for _, file, _ in files_of(state, release) if file.object_id is not None)


def digests_of(files: Iterable[TreeFile]) -> set[bytes]:
    """Give the 32 bytes of each object's id."""
    return {bytes.fromhex(file.object_id.hex) for file in files if file.object_id is not None}


def _held(value: object) -> Held:
    fields = Fields(value, f"{_WHAT}: a registry")
    state = HeldState.parse(value, _WHAT)
    if not state.serial:
        raise ValueError(f"{_WHAT}: serials begin with 1")
    objects = Fields(fields.table("objects"), f"{_WHAT}: objects")
    found = ObjectSet(objects.whole("count"), objects.text("hash", 64))
    if not is_sha256(found.hash):
        raise ValueError(f"{_WHAT}: the hash of its objects is not 64 hexadecimal digits")
    return Held(state, found)
