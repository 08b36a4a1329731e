"""The registry that a mirror copies: its newest state that is whole, verified, and not below what was seen.

Rule: two floors hold, what this machine has seen of the registry and what the mirror shows already. A place that holds
an older copy is passed over; where a publish is going on, or a copy was made in the middle of one, another timestamp
is tried. What a place says is believed for its signatures alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import (
    MissingTreeFileError,
    RegistryTooOldError,
    RegistryUntrustedError,
    RolledBackError,
    RootMismatchError,
    UntrustedMetadataError,
)
from mmpm.registry import layout
from mmpm.registry.authenticate import serial_of
from mmpm.registry.gather import unreachable
from mmpm.registry.transport import NotFound, TooLarge, TransportError, Unavailable
from mmpm.registry.verified import MAX_ROOT_BYTES, MAX_TIMESTAMP_BYTES, VerifiedState, walk_roots
from mmpm.trust.clock import AgePolicy, judge
from mmpm.trust.facts import ROOT, TIMESTAMP, Floors, parse_time
from mmpm.trust.metadata import Chain, peek_root_version

if TYPE_CHECKING:
    from datetime import datetime

    from mmpm.registry.authenticate import RegistrySource
    from mmpm.registry.transport import Transport
    from mmpm.registry.verified import Read

_ROOTS_SEARCHED: Final = 64


@dataclass(frozen=True, slots=True)
class Believed:
    """What this machine believes of a registry.

    Attributes:
        fingerprint: of the accepted root.
        root: the highest root that was verified here, or None where nothing was.
        floors: the state that was seen last.
    """

    fingerprint: str
    root: bytes | None = None
    floors: Floors | None = None

    def trusted_root(self, registry_id: str, read: Read, origin: str = "") -> bytes:
        """Give the root to begin with: the highest that was verified here, else the accepted one out of the tree.

        Raises:
            MissingTreeFileError: the tree has no root.
            RootMismatchError: none of its roots is the accepted one.
        """
        if self.root is not None:
            return self.root
        first = ""
        for version in range(1, _ROOTS_SEARCHED + 1):
            path = layout.role_file(ROOT, version)
            data = read(path, MAX_ROOT_BYTES)
            if data is None:
                if version == 1:
                    raise MissingTreeFileError(registry_id, path, origin)
                break
            found = Chain(data).fingerprint
            if found == self.fingerprint:
                return data
            first = first or found
        raise RootMismatchError(registry_id, self.fingerprint, first, origin)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a mirror's tree shows of a registry.

    Attributes:
        state: it, or None where it shows none, or one that is not whole.
        floors: what its timestamp says, also where the rest is damaged.
    """

    state: VerifiedState | None = None
    floors: Floors | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A state of a registry that may be copied, and the places in the order in which they are asked for its files."""

    state: VerifiedState
    places: tuple[Transport, ...]


@dataclass(slots=True)
class Origin:
    """A registry at its places.

    Attributes:
        source: the registry and its places.
        believed: what this machine believes of it.
        shown: what the mirror shows of it already.
        now, policy: this machine's clock, and how old a registry's word may be.
        warnings: sentences for the person are appended here.
        tried: the serial that was tried last, verified or not.
    """

    source: RegistrySource
    believed: Believed
    shown: Shown
    now: datetime
    policy: AgePolicy
    warnings: list[str] = field(default_factory=list)
    tried: int = 0

    def open(self, below: int | None = None) -> Found:
        """Give the newest state at the first place that has one.

        Args:
            below: a serial whose state turned out not to be whole: the one before it is wanted.

        Raises:
            RegistryUnreachableError: no place answered.
            RegistryUntrustedError, UntrustedMetadataError, RootMismatchError: what a place says is not to be trusted.
            RolledBackError: there is nothing that is not older than what was seen.
            RegistryTooOldError: it is older than policy allows.
            MissingTreeFileError: a place lacks files of its metadata.
        """
        failures: list[TransportError] = []
        older: RolledBackError | None = None
        for place in self.source.places:
            try:
                state = self._open_at(place, below)
            except RolledBackError as error:
                self.warnings.append(f"{place.origin} holds an older copy of {self.source.registry_id}: {error.fact}")
                older = older or error
            except (Unavailable, NotFound) as error:
                failures.append(error)
            except TransportError as error:
                raise unreachable(self.source.registry_id, [error]) from None
            except UntrustedMetadataError as error:
                role, reason = error.details["role"], error.details["reason"]
                cause = f"its {role} metadata is refused: {reason}"
                raise RegistryUntrustedError(self.source.registry_id, cause, place.origin) from None
            else:
                return Found(state, self.source.places_from(place))
        if older is not None:
            raise older
        if not failures:
            failures = [Unavailable("", layout.TIMESTAMP, "there is no place to ask (offline?)")]
        raise unreachable(self.source.registry_id, failures)

    def peek(self) -> bytes:
        """Give the timestamp of the first place that answers, unverified; empty where none does."""
        for place in self.source.places:
            try:
                return place.get(layout.TIMESTAMP, MAX_TIMESTAMP_BYTES)
            except TransportError:
                continue
        return b""

    def _open_at(self, place: Transport, below: int | None) -> VerifiedState:
        def read(path: str, max_bytes: int) -> bytes | None:
            try:
                return place.get(path, max_bytes)
            except NotFound:
                return None
            except TooLarge as error:
                raise RegistryUntrustedError(self.source.registry_id, error.cause, place.origin) from None

        path = layout.TIMESTAMP if below is None else layout.role_file(TIMESTAMP, below - 1)
        timestamp = place.get(path, MAX_TIMESTAMP_BYTES)
        self.tried = serial_of(timestamp)
        state = VerifiedState.open(
            read,
            self.believed.trusted_root(self.source.registry_id, read, place.origin),
            registry_id=self.source.registry_id,
            floors=self.believed.floors,
            timestamp=timestamp,
        )
        self._judge_age(state, place)
        check_not_below(state, self.shown)
        return state

    def _judge_age(self, state: VerifiedState, place: Transport) -> None:
        expires = parse_time(state.facts.expires)
        verdict = judge(parse_time(state.issued), self.now, self.policy, expires=expires, online=place.is_online)
        if verdict.kind == "refuse":
            raise RegistryTooOldError(self.source.registry_id, f"at {place.origin} {verdict.sentence}")
        if verdict.kind == "warn":
            self.warnings.append(f"registry {self.source.registry_id} at {place.origin} {verdict.sentence}")


def check_not_below(state: VerifiedState, shown: Shown) -> None:
    """Hold a verified state against the one that is shown already.

    Raises:
        RolledBackError: it is older; or of the same serial and another one; or a role in it went back.
    """
    if shown.state is not None and state.chain.root_version < shown.state.chain.root_version:
        raise RolledBackError(f"root {state.chain.root_version}", f"root {shown.state.chain.root_version}")
    floors = shown.floors
    if floors is None or state.chain.epoch != floors.epoch:
        return
    if state.serial < floors.serial or state.issued < floors.issued:
        raise RolledBackError(f"serial {state.serial} of {state.issued}", f"serial {floors.serial} of {floors.issued}")
    if state.serial == floors.serial and state.facts.snapshot.sha256 != floors.snapshot_sha256:
        raise RolledBackError(f"another snapshot {state.serial}", f"one with the same serial {floors.serial}")
    before = shown.state.roles() if shown.state is not None else {}
    for role, file in state.roles().items():
        if role in before and file.version < before[role].version:
            raise RolledBackError(f"version {file.version} of {role}", f"version {before[role].version}")


def look_at(read: Read, believed: Believed, registry_id: str) -> Shown:
    """Find out what a mirror's tree shows.

    Raises:
        RootMismatchError: the tree is that of another root key.
    """
    timestamp = read(layout.TIMESTAMP, MAX_TIMESTAMP_BYTES)
    if timestamp is None:
        return Shown()
    refusals = (MissingTreeFileError, UntrustedMetadataError, RegistryUntrustedError)
    try:
        root = believed.trusted_root(registry_id, read)
        chain, _ = walk_roots(read, registry_id, root, peek_root_version(timestamp) or 0)
        facts = chain.accept_timestamp(timestamp)
    except refusals:
        return Shown()
    floors = Floors(chain.epoch, facts.issued, facts.snapshot.version, facts.snapshot.sha256, chain.root_version)
    try:
        state = VerifiedState.open(read, root, registry_id=registry_id)
        return Shown(state, replace(floors, roles=state.chain.offline_versions()))
    except refusals:
        return Shown(None, floors)
