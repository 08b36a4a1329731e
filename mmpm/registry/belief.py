"""What this machine believes of a registry as a refresh begins, whether that may go on deciding, and what it becomes.

Rule: nothing here asks anyone. What is believed changes in one place, `Belief.promote`, after everything it speaks of
was verified and is on disk.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mmpm.errors import NotFetchedError, RegistryTooOldError, RegistryUnreachableError, RegistryUntrustedError
from mmpm.registry.local import LocalCopy
from mmpm.registry.snapshot import Snapshot
from mmpm.registry.state import TrustFolder, TrustState
from mmpm.trust.clock import AgePolicy, judge, show_age
from mmpm.trust.facts import format_time, parse_time

if TYPE_CHECKING:
    from datetime import datetime

    from mmpm.registry.authenticate import RegistrySource
    from mmpm.trust.metadata import Chain

_UNSTEADY: Final = timedelta(days=1)
"""How far a clock goes back without being doubted: zones that were set wrong, a battery, a synchronisation."""


class Belief:
    """What is believed of one registry.

    Attributes:
        folder: where it is noted.
        copy: the documents that it speaks of.
        state: as it was read; None where nothing is believed yet.
        snapshot: that state's, or None where nothing is believed or its documents lie in another store.
    """

    def __init__(self, source: RegistrySource, store: str, trust: str) -> None:
        self.folder = TrustFolder.of(trust, source.registry_id, source.root, source.project_root)
        self.copy = LocalCopy.of(store, source.registry_id, self.folder.project_root)
        self._registry_id = source.registry_id
        self._stated_root = source.root or self.folder.project_root
        self.read()

    def read(self) -> None:
        """Read anew what is noted.

        Raises:
            TrustStateUnreadableError: it is damaged.
        """
        self.state: TrustState | None = self.folder.read()
        self.snapshot: Snapshot | None = None
        if self.state is not None:
            with contextlib.suppress(NotFetchedError):  # where it was fetched into another store
                self.snapshot = Snapshot.open(self.copy, self.state)

    def doubt_of_clock(self, now: datetime) -> str:
        """Give a warning where this machine's clock went back since the registry was asked last, else nothing.

        Whoever keeps a registry from us and turns the clock back with it would else not be seen to age.
        """
        last = self.state.checked_at if self.state is not None else ""
        if not last or now >= parse_time(last) - _UNSTEADY:
            return ""
        back = show_age(parse_time(last) - now)
        return f"this machine's clock says {format_time(now)}, {back} before it last read {self._registry_id}"

    def judge_alone(self, failure: RegistryUnreachableError | None, now: datetime, policy: AgePolicy) -> str:
        """Find out whether what is believed may go on deciding.

        Args:
            failure: why the registry gave nothing newer; None where it only holds what is older.
            now: this machine's clock.
            policy: how old a registry's word may be.

        Returns:
            A warning, or nothing.

        Raises:
            RegistryUnreachableError, RegistryUntrustedError, RegistryTooOldError: it may not.
        """
        if self.state is None or self.snapshot is None:
            seen = self.state.serial if self.state is not None else 0
            cause = f"it shows an older state than serial {seen}, which was seen before and is not in this store"
            raise failure or RegistryUntrustedError(self._registry_id, cause)
        verdict = judge(parse_time(self.state.issued), now, policy)
        if failure is not None and verdict.is_past_max_age:
            cause = str(failure.details["cause"])
            known = f"what is known of it {verdict.sentence}"
            raise RegistryUnreachableError(self._registry_id, cause, str(failure.details["origin"]), known)
        if verdict.kind == "refuse":
            raise RegistryTooOldError(self._registry_id, verdict.sentence)
        if failure is not None:
            return f"{failure.fact}; going on with its state of {self.state.issued}"
        return f"what is known of registry {self._registry_id} {verdict.sentence}" if verdict.kind == "warn" else ""

    def promote(self, state: TrustState, chain: Chain | None, now: datetime) -> None:
        """Believe `state` from now on, verified by `chain` (None: it is the one believed before)."""
        if self._stated_root is not None:
            self.folder.pin(self._stated_root)
        document = chain.root_bytes if chain is not None else self.folder.root()
        self.folder.promote(replace(state, checked_at=format_time(now)), document or b"")


def state_of(registry_id: str, chain: Chain, timestamp: bytes) -> TrustState:
    """Give the state that a verified chain, begun with `timestamp`, stands for."""
    facts = chain.timestamp
    assert facts is not None
    return TrustState(
        registry_id=registry_id,
        root_version=chain.root_version,
        keyset=chain.epoch,
        serial=facts.snapshot.version,
        issued=facts.issued,
        snapshot_sha256=facts.snapshot.sha256,
        snapshot_length=facts.snapshot.length,
        timestamp_sha256=hashlib.sha256(timestamp).hexdigest(),
        roles=chain.offline_versions(),
    )
