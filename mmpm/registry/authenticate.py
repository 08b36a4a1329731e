"""From a timestamp and a trusted root to a verified chain: what a registry's places say is held against its keys.

Rule: nothing here changes what is believed; verified documents are put into this machine's copy, which is bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import RegistryTooOldError, RegistryUntrustedError, RootMismatchError, RootNotPinnedError
from mmpm.registry import layout
from mmpm.registry.gather import MissingFileError, Wanted, gather
from mmpm.registry.transport import NotFound
from mmpm.trust.clock import AgePolicy, judge
from mmpm.trust.facts import parse_time

if TYPE_CHECKING:
    from datetime import datetime

    from mmpm.registry.local import LocalCopy
    from mmpm.registry.state import TrustFolder, TrustState
    from mmpm.registry.transport import Transport
    from mmpm.trust.facts import RoleFile
    from mmpm.trust.metadata import Chain

MAX_ROOT_BYTES: Final = 1 << 20
_ROOTS_AT_ONCE: Final = 256
_ROOTS_SEARCHED: Final = 64


@dataclass(frozen=True, slots=True)
class RegistrySource:
    """A registry as it is read: its identity, and where.

    Attributes:
        registry_id: its id.
        places: transports in the order in which they are asked; may be empty (then only what is here is used).
        root: the fingerprint that the person's configuration names, 64 hex digits, or None.
        project_root: the one that a project states and the person does not, or None.
    """

    registry_id: str
    places: tuple[Transport, ...]
    root: str | None = None
    project_root: str | None = None

    def places_from(self, first: Transport) -> tuple[Transport, ...]:
        """Give the places with `first` in front."""
        return (first, *(place for place in self.places if place is not first))


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Verifies what `source` says, from what is believed of it so far.

    Attributes:
        source: the registry.
        copy: where verified documents go.
        folder: what is believed.
        believed: the state in `folder`, read once.
        now, policy: this machine's clock, and how old a registry's word may be.
        warnings: sentences for the person are appended here.
    """

    source: RegistrySource
    copy: LocalCopy
    folder: TrustFolder
    believed: TrustState | None
    now: datetime
    policy: AgePolicy
    warnings: list[str]

    def check_pin(self) -> str | None:
        """Give the accepted fingerprint: the pinned one, or that of configuration where none is pinned yet.

        Raises:
            RootMismatchError: the two differ.
        """
        return self.folder.accepted(self.source.root, self.source.project_root)

    def verify(self, place: Transport, timestamp: bytes) -> Chain:
        """Walk from the trusted root to the role trust and to the roles that delegate to bins.

        Raises:
            UntrustedMetadataError, RolledBackError: what `Chain` refuses.
            TransportError: a root cannot be had from `place`.
        """
        from mmpm.trust.facts import BINS, TARGETS, TRUST
        from mmpm.trust.metadata import Chain, peek_root_version

        chain = Chain(self.folder.root() or self._find_pinned_root(place))
        newest = peek_root_version(timestamp) or 0
        for version in range(chain.root_version + 1, min(newest, chain.root_version + _ROOTS_AT_ONCE) + 1):
            data = self._get_root(place, version)
            chain.advance_root(data)
            self.copy.write(layout.role_file("root", version), data)
        if chain.identity.id != self.source.registry_id:
            cause = f"it calls itself {chain.identity.id}"
            raise RegistryUntrustedError(self.source.registry_id, cause, place.origin)
        old = self.believed
        facts = chain.accept_timestamp(timestamp, None if old is None else old.floors())
        self.judge_age(facts.issued, facts.expires, place)
        chain.accept_snapshot(self._get_role(place, "snapshot", facts.snapshot))
        for role in (TARGETS, TRUST, BINS):
            chain.accept_targets(role, self._get_role(place, role, chain.role_file(role)))
        return chain

    def judge_age(self, issued: str, expires: str, place: Transport) -> None:
        """Hold a verified timestamp against this machine's clock.

        Raises:
            RegistryTooOldError: it expired, or is older than the red line.
        """
        verdict = judge(parse_time(issued), self.now, self.policy, expires=parse_time(expires), online=place.is_online)
        if verdict.kind == "refuse":
            raise RegistryTooOldError(self.source.registry_id, f"at {place.origin} {verdict.sentence}")
        if verdict.kind == "warn":
            self.warnings.append(f"registry {self.source.registry_id} at {place.origin} {verdict.sentence}")

    def _find_pinned_root(self, place: Transport) -> bytes:
        """Give the root document whose fingerprint was accepted, looking from the first root upwards."""
        from mmpm.trust.metadata import Chain

        accepted = self.check_pin()
        first = ""
        for version in range(1, _ROOTS_SEARCHED + 1):
            try:
                data = self._get_root(place, version)
            except MissingFileError:
                if version == 1:
                    raise
                break
            found = Chain(data).fingerprint
            if accepted is None:
                raise RootNotPinnedError(self.source.registry_id, found, place.origin)
            if found == accepted:
                self.copy.write(layout.role_file("root", version), data)
                return data
            first = first or found
        raise RootMismatchError(self.source.registry_id, accepted or "", first, place.origin)

    def _get_root(self, place: Transport, version: int) -> bytes:
        path = layout.role_file("root", version)
        try:
            return place.get(path, MAX_ROOT_BYTES)
        except NotFound:
            raise MissingFileError(path, place.origin) from None

    def _get_role(self, place: Transport, role: str, file: RoleFile) -> bytes:
        path = layout.role_file(role, file.version)
        data = self.copy.read(path, file.sha256, file.length)
        if data is None:
            wanted = [Wanted(path, file.sha256, file.length)]
            [(_, data)] = gather(self.source.registry_id, self.source.places_from(place), wanted)
            self.copy.write(path, data)
        return data


def looks_signed(data: bytes) -> bool:
    """Whether `data` has the shape of signed metadata; what has not is no answer of a registry at all."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "signed" in value and "signatures" in value


def serial_of(timestamp: bytes) -> int:
    """Give the serial that a timestamp names, unverified; 0 where it names none."""
    try:
        found = json.loads(timestamp)["signed"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return found if type(found) is int else 0
