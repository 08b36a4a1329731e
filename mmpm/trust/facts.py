"""What signed metadata says, as values: roles, files, times. Light: python-tuf is not imported for these."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from mmpm.model.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS: Final = "x-mmpm"
"""The field of signed metadata that carries what is ours: issue time, root number, identity."""

# The roles. `BIN` names the 256 roles bin-00 .. bin-ff together: they share one key.
ROOT: Final = "root"
TARGETS: Final = "targets"
TRUST: Final = "trust"
BINS: Final = "bins"
BIN: Final = "bin"
SNAPSHOT: Final = "snapshot"
TIMESTAMP: Final = "timestamp"
ROLES: Final = (ROOT, TARGETS, TRUST, BINS, BIN, SNAPSHOT, TIMESTAMP)
ONLINE_ROLES: Final = (BIN, SNAPSHOT, TIMESTAMP)
"""Whose keys every publish needs; the others sign at `registry init` and then lie offline."""

DOCUMENTS: Final = (ROOT, TARGETS, TRUST, BINS)
"""The roles whose documents change rarely and are signed offline, in the order in which they vouch for each other."""
NAMED_IN: Final[Mapping[str, str]] = {
    ROOT: ROOT,
    TARGETS: ROOT,
    SNAPSHOT: ROOT,
    TIMESTAMP: ROOT,
    TRUST: TARGETS,
    BINS: TARGETS,
    BIN: BINS,
}
"""By role: the one of `DOCUMENTS` that names its keys."""

_TWO_YEARS: Final = timedelta(days=730)
LIFETIMES: Final[Mapping[str, timedelta]] = {
    ROOT: _TWO_YEARS,
    TARGETS: _TWO_YEARS,
    TRUST: _TWO_YEARS,
    BINS: timedelta(days=3650),
    BIN: timedelta(days=3650),
    SNAPSHOT: timedelta(days=30),
    TIMESTAMP: timedelta(days=7),
}
_HEX: Final = frozenset("0123456789abcdef")
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a root says it is the root of."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class TargetFile:
    """What the signed metadata says of a target's bytes."""

    sha256: str
    length: int

    @classmethod
    def of(cls, data: bytes) -> TargetFile:
        """Describe `data`."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))


@dataclass(frozen=True, slots=True)
class RoleFile:
    """What snapshot (or timestamp) says of a role's file: ``metadata/<version>.<role>.json``."""

    version: int
    sha256: str
    length: int

    @classmethod
    def of(cls, version: int, data: bytes) -> RoleFile:
        """Describe `data`."""
        return cls(version, hashlib.sha256(data).hexdigest(), len(data))


@dataclass(frozen=True, slots=True)
class TimestampFacts:
    """What a verified timestamp says.

    Attributes:
        issued: when it was signed, RFC 3339 UTC to the second.
        expires: until when an online reader takes it, likewise.
        root: version of the root that was the newest then.
        snapshot: the snapshot that it stands for; its version is the registry's serial.
    """

    issued: str
    expires: str
    root: int
    snapshot: RoleFile


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """Whose signatures count for a role, and how many of them it needs.

    Attributes:
        public: ed25519 keys, 64 hex digits each; sorted, none twice, at least `threshold` of them.
        threshold: at least 1.
    """

    public: tuple[str, ...]
    threshold: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "public", tuple(sorted(set(self.public))))
        if not all(is_sha256(one) for one in self.public):  # the same shape
            raise ValueError("an ed25519 public key is 64 lower-case hexadecimal digits")
        if type(self.threshold) is not int or not 1 <= self.threshold <= len(self.public):
            keys = f"{len(self.public)} key{'s' * (len(self.public) != 1)}"
            raise ValueError(f"of {keys} between 1 and all have to sign, not {self.threshold}")

    @property
    def by_id(self) -> dict[str, str]:
        """The keys by their ids."""
        return {key_id_of(one): one for one in self.public}


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """All that a root, targets, trust or bins document says; what says more is not described by this.

    Attributes:
        role: one of `DOCUMENTS`.
        version: from 1.
        expires: RFC 3339 UTC to the second.
        delegates: of root, the keys of root, targets, snapshot and timestamp; of targets, those of trust and bins; of
            bins, those of `BIN`; of trust, none.
        identity: of root.
        peers: of targets: other registries that it signs.
        targets: of trust: what it lists.
    """

    role: str
    version: int
    expires: str
    delegates: Mapping[str, RoleKeys]
    identity: Identity | None = None
    peers: tuple[str, ...] = ()
    targets: Mapping[str, TargetFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Floors:
    """What a reader has already seen of a registry, below which it never goes back within one epoch.

    Attributes:
        epoch: `Chain.epoch` of the root then.
        issued, serial, snapshot_sha256: of the newest state.
        root: version of that root; a timestamp of a later epoch names a later root. 0 is not known.
        roles: versions of targets, trust and bins then. Whoever has the online keys alone cannot sign these, and
            shall not be able to bring back what the offline keys have withdrawn.
    """

    epoch: str
    issued: str
    serial: int
    snapshot_sha256: str | None = None
    root: int = 0
    roles: Mapping[str, int] = field(default_factory=dict)


def format_time(moment: datetime) -> str:
    """Give RFC 3339 UTC to the second."""
    return moment.astimezone(UTC).strftime(_TIME_FORMAT)


def parse_time(text: str) -> datetime:
    """Read what `format_time` writes, the one spelling of a time in every document: ``2026-11-21T23:48:22Z``.

    Raises:
        ValueError: anything else.
    """
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None or format_time(moment) != text:
        raise ValueError(f"not a time in UTC to the second: {text[:40]!a}")
    return moment


def ed25519_key(public: str) -> dict[str, object]:
    """Give an ed25519 key, 64 hex digits, as signed metadata spells it."""
    return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}


def key_id_of(public: str) -> str:
    """Give the id of an ed25519 key: sha256 of the canonical JSON of its public part."""
    return hashlib.sha256(canonical_json(ed25519_key(public))).hexdigest()


def is_sha256(text: object) -> bool:
    """Whether `text` is 64 lower-case hex digits, and so may become part of a path."""
    return isinstance(text, str) and len(text) == 64 and _HEX.issuperset(text)
