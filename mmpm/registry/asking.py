"""Asking a registry's places what it says now: the newest timestamp that may be believed, and what it leads to.

Rules: a place that cannot answer (5xx, time-out, TLS, refused, garbage in place of a timestamp) is passed over for the
next one; 401, 403 and 404 end the attempt. An older valid copy is not bad, only unused. Nothing here decides whether
what was believed before goes on deciding, and nothing here is noted.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from mmpm.errors import RegistryUntrustedError, RolledBackError, UntrustedMetadataError
from mmpm.registry import layout
from mmpm.registry.authenticate import looks_signed, serial_of
from mmpm.registry.belief import state_of
from mmpm.registry.bring import Bringer, untrusted
from mmpm.registry.gather import MissingFileError, describe, unreachable
from mmpm.registry.snapshot import Snapshot
from mmpm.registry.transport import NotFound, TransportError, Unavailable

if TYPE_CHECKING:
    from mmpm.registry.authenticate import Authenticator, RegistrySource
    from mmpm.registry.belief import Belief
    from mmpm.registry.transport import Transport
    from mmpm.trust.metadata import Chain

MAX_TIMESTAMP_BYTES: Final = 1 << 16


class Asking:
    """One registry, asked until a state of it can be read whole.

    Attributes:
        timestamp: that was taken last; empty before.
        place: whence; None before, and after `forget`.
        chain: that the timestamp led to; None while nothing is new.
        current: the snapshot that it speaks of, as far as it was fetched; None while nothing is new.
        older: the serial that is asked for in place of the newest, since that is not whole anywhere; None: the newest.
    """

    def __init__(
        self, source: RegistrySource, belief: Belief, authenticator: Authenticator, warnings: list[str]
    ) -> None:
        self.timestamp = b""
        self.place: Transport | None = None
        self.chain: Chain | None = None
        self.current: Snapshot | None = None
        self.older: int | None = None
        self._source = source
        self._belief = belief
        self._authenticator = authenticator
        self._warnings = warnings

    def forget(self) -> None:
        """Ask anew the next time: what was taken led nowhere."""
        self.place = self.chain = self.current = None

    def ask(self) -> bool:
        """Take the newest timestamp of the first place that has one; give False where all have only what is older.

        Raises:
            RegistryUnreachableError: no place answered.
            MissingFileError: a place has no timestamp of the serial that is asked for.
            RegistryUntrustedError, RootMismatchError, RegistryTooOldError: what a place says is not believed.
        """
        failures: list[TransportError] = []
        path = layout.TIMESTAMP if self.older is None else layout.role_file("timestamp", self.older)
        for place in self._source.places:
            try:
                timestamp = place.get(path, MAX_TIMESTAMP_BYTES)
                if not looks_signed(timestamp):
                    what = f"does not answer as a registry: its {path} is {describe(timestamp)}"
                    failures.append(Unavailable(place.origin, path, what))
                elif self._adopt(place, timestamp):
                    return True
            except Unavailable as error:
                failures.append(error)
            except TransportError as error:
                if self.older is not None and isinstance(error, NotFound):
                    raise MissingFileError(path, place.origin) from None
                failures.append(error)
                break
        if failures:
            raise unreachable(self._source.registry_id, failures)
        return False

    def step_back(self) -> bool:
        """Turn to the timestamp before the one that leads nowhere: a copy made in the middle of a publish has it whole.

        Never behind what this machine has seen of the same epoch: then it gives False.
        """
        if self.older is None:
            self.older = serial_of(self.timestamp)
        self.older -= 1
        believed = self._belief.state
        is_same_epoch = believed is not None and (self.chain is None or self.chain.epoch == believed.keyset)
        return self.older >= (believed.serial if believed is not None and is_same_epoch else 1)

    def bringer(self, not_mirrored: set[str]) -> Bringer:
        """Give what brings documents of the state that was taken, from its place first."""
        assert self.place is not None
        if self.chain is None:
            try:
                self.chain = self._authenticator.verify(self.place, self.timestamp)
            except RolledBackError as error:
                raise RegistryUntrustedError(self._source.registry_id, error.fact, self.place.origin) from None
        places = self._source.places_from(self.place)
        return Bringer(self._source.registry_id, self.chain, self._belief.copy, places, not_mirrored)

    def _adopt(self, place: Transport, timestamp: bytes) -> bool:
        """Take `timestamp` from `place`, or give False where it is an older valid one."""
        believed = self._belief.state
        self.timestamp = timestamp
        same = believed is not None and hashlib.sha256(timestamp).hexdigest() == believed.timestamp_sha256
        if believed is not None and same and self._belief.snapshot is not None:
            # The very bytes that were verified before; the chain is built only if more has to be fetched.
            self._authenticator.judge_age(believed.issued, str(json.loads(timestamp)["signed"]["expires"]), place)
            self.place = place
            self._say_incomplete(place)
            return True
        try:
            chain = self._authenticator.verify(place, timestamp)
        except RolledBackError as error:
            if "another snapshot" in error.fact:
                raise RegistryUntrustedError(self._source.registry_id, error.fact, place.origin) from None
            self._warnings.append(f"{place.origin} holds an older copy of {self._source.registry_id}: it is not used")
            return False
        except UntrustedMetadataError as error:
            raise untrusted(self._source.registry_id, error, place) from None
        self._say_incomplete(place)
        current = Snapshot.open(self._belief.copy, state_of(self._source.registry_id, chain, timestamp))
        if self._belief.snapshot is not None and self._belief.snapshot.state.keyset == chain.epoch:
            gone_back = current.gone_back_since(self._belief.snapshot)
            if gone_back:
                cause = f"its snapshot {current.serial} names an older {gone_back} than was seen before"
                raise RegistryUntrustedError(self._source.registry_id, cause, place.origin)
        self.place, self.chain, self.current = place, chain, current
        return True

    def _say_incomplete(self, place: Transport) -> None:
        if self.older is not None:
            self._warnings.append(f"{place.origin} is not a complete copy; its serial {self.older} is used")
