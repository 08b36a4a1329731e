"""Who signs releases: publishers, their keys, what they own and what was revoked. Pure.

The document is a target of the role trust: `docs/formats.md`, "Publishers and levels". Readers take it from
`mmpm.trust.levels`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.model.names import FormulaName
from mmpm.trust.facts import key_id_of
from mmpm.trust.key_ids import ED25519, KeyKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

FORMAT: Final = 1
MAX_BYTES: Final = 32 * 1024 * 1024
MAX_CERTIFICATE: Final = 256 * 1024
MAX_LISTED: Final = 10_000
"""Keys, scopes, names or revocations of one publisher."""
MAX_NAME: Final = 200
MAX_NOTE: Final = 1000


@dataclass(frozen=True, order=True, slots=True)
class PublisherKey:
    """A key by which a publisher signs.

    Attributes:
        key_id: 64 hex digits (ed25519), or an OpenPGP certificate's fingerprint, 40.
        kind: as the id's length tells.
        public: the ed25519 key's 64 hex digits, or the armored certificate.
    """

    key_id: str
    kind: KeyKind
    public: str

    def __post_init__(self) -> None:
        if kind_of(self.key_id) != self.kind:
            raise ValueError(f"the key {self.key_id} is not of the kind {self.kind}")
        if self.kind == ED25519 and key_id_of(self.public) != self.key_id:
            raise ValueError(f"the key {self.key_id} does not have the id of its public part")
        if len(self.public) > MAX_CERTIFICATE:
            raise ValueError(f"the key {self.key_id} is longer than {MAX_CERTIFICATE} characters")


@dataclass(frozen=True, order=True, slots=True)
class Revocation:
    """From where on a key counts no more.

    Attributes:
        key_id: the key; empty for every key of the publisher.
        from_serial: the first serial of the registry whose signatures do not count; 0 takes all of them.
        reason: one line for people.
    """

    key_id: str
    from_serial: int
    reason: str


@dataclass(frozen=True, order=True, slots=True)
class Publisher:
    """Who signs releases; lists are sorted, nothing twice.

    Attributes:
        id: short name, unique in the registry.
        name: for people.
        scopes: owned outright, such as ``@acme``.
        names: formulas owned beside these, scoped or not.
        revoked: what counts no more; a revocation is never taken back, its key never listed again as good.
    """

    id: str
    name: str
    keys: tuple[PublisherKey, ...] = ()
    scopes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    revoked: tuple[Revocation, ...] = ()

    def __post_init__(self) -> None:
        FormulaName(None, self.id)
        if not self.name or len(self.name) > MAX_NAME:
            raise ValueError(f"the name of the publisher {self.id} does not have 1 to {MAX_NAME} characters")
        for scope in self.scopes:
            if not scope.startswith("@"):
                raise ValueError(f"{quoted(scope)} is not a scope such as @acme")
            FormulaName(scope[1:], "x")
        for name in self.names:
            FormulaName.parse(name)
        for one in self.revoked:
            if one.key_id:
                kind_of(one.key_id)
        for key in ("keys", "scopes", "names", "revoked"):
            listed = getattr(self, key)
            if len(listed) > MAX_LISTED:
                raise ValueError(f"the publisher {self.id} has more than {MAX_LISTED} {key}")
            object.__setattr__(self, key, tuple(sorted(set(listed))))

    def owns(self, name: FormulaName) -> bool:
        """Whether its signature says something of the formula `name`."""
        return str(name) in self.names or (name.scope is not None and f"@{name.scope}" in self.scopes)

    def to_json(self) -> dict[str, object]:
        """Give one entry of ``publishers.json``."""
        return {
            "id": self.id,
            "name": self.name,
            "keys": [{"id": one.key_id, "kind": one.kind, "public": one.public} for one in self.keys],
            "scopes": list(self.scopes),
            "names": list(self.names),
            "revoked": [
                {"key": one.key_id, "from_serial": one.from_serial, "reason": one.reason} for one in self.revoked
            ],
        }


@dataclass(frozen=True, slots=True)
class Publishers:
    """``trust/publishers.json``: sorted by id; every key, scope and name belongs to at most one publisher."""

    publishers: tuple[Publisher, ...] = ()
    _keys: Mapping[str, tuple[Publisher, PublisherKey]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.publishers))
        keys: dict[str, tuple[Publisher, PublisherKey]] = {}
        owners: dict[str, Publisher] = {}
        ids: set[str] = set()
        for one in ordered:
            if one.id in ids:
                raise ValueError(f"there are two publishers with the id {one.id}")
            ids.add(one.id)
            for key in one.keys:
                if key.key_id in keys:
                    raise ValueError(f"the key {key.key_id} is listed twice")
                keys[key.key_id] = (one, key)
            for owned in (*one.scopes, *one.names):
                if owned in owners:
                    raise ValueError(f"{owned} belongs to two publishers, {owners[owned].id} and {one.id}")
                owners[owned] = one
        object.__setattr__(self, "publishers", ordered)
        object.__setattr__(self, "_keys", keys)

    def find(self, publisher_id: str) -> Publisher | None:
        """Give the publisher of that id."""
        return next((one for one in self.publishers if one.id == publisher_id), None)

    def key(self, key_id: str) -> tuple[Publisher, PublisherKey] | None:
        """Give a key and whose it is; None where nobody's."""
        return self._keys.get(key_id)

    def is_revoked(self, publisher: Publisher, key_id: str, serial: int) -> str | None:
        """Give why a signature by a key of `publisher` does not count at `serial`; None where it does."""
        found = [one for one in publisher.revoked if one.key_id in ("", key_id) and serial >= one.from_serial]
        return min(found).reason or "no reason given" if found else None

    def with_publisher(self, publisher: Publisher) -> Publishers:
        """Give these with `publisher` added, or put in the place of the one with its id.

        Raises:
            ValueError: a key, scope or name of it belongs to another.
        """
        return Publishers((*(one for one in self.publishers if one.id != publisher.id), publisher))

    def to_bytes(self) -> bytes:
        """Give the canonical document."""
        return canonical_json({"format": FORMAT, "publishers": [one.to_json() for one in self.publishers]})

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the document.

        Raises:
            ValueError: it is not one; one sentence that says what is wrong.
        """
        what = "publishers.json"
        fields = Fields(parse_json(data, what, max_bytes=MAX_BYTES), what)
        fields.require_format(FORMAT)
        return cls(tuple(_read_publisher(one) for one in fields.items("publishers")))


def _read_publisher(value: object) -> Publisher:
    what = "a publisher of publishers.json"
    fields = Fields(value, what)
    for key in ("keys", "scopes", "names", "revoked"):
        if len(fields.items(key)) > MAX_LISTED:
            raise ValueError(f"{what} has more than {MAX_LISTED} {key}")
    return Publisher(
        fields.text("id", 64),
        fields.text("name", MAX_NAME),
        tuple(_read_key(one) for one in fields.items("keys")),
        fields.texts("scopes"),
        fields.texts("names"),
        tuple(_read_revocation(one) for one in fields.items("revoked")),
    )


def _read_key(value: object) -> PublisherKey:
    fields = Fields(value, "a publisher's key")
    key_id = fields.text("id", 64)
    kind = kind_of(key_id)
    if fields.text("kind", 16) != kind:
        raise ValueError(f"the key {key_id} is not of the kind that it names")
    return PublisherKey(key_id, kind, fields.text("public", MAX_CERTIFICATE))


def _read_revocation(value: object) -> Revocation:
    fields = Fields(value, "a revocation")
    return Revocation(fields.text("key", 64), fields.whole("from_serial"), fields.text("reason", MAX_NOTE))
