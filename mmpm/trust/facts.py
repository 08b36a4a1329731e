"""What signed metadata says, as values: roles, files, times. Light: python-tuf is not imported for these."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
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
class Floors:
    """What a reader has already seen of a registry, below which it never goes back within one epoch."""

    epoch: str
    issued: str
    serial: int
    snapshot_sha256: str | None = None


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
