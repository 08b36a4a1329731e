"""Learning what a registry says now: the one step that asks a network, and the one that decides what to believe.

    timestamp -> root chain -> snapshot -> targets, bins -> bin-xx -> index documents, pages, catalog shards

Rules, in the words of `docs/architecture.md`:

* Present but bad always fails (exit 4). An older valid copy is not bad, only unused: a warning.
* A place that cannot answer (5xx, time-out, TLS, refused, garbage in place of a timestamp) is passed over for the next
  one of the same registry; 401, 403 and 404 end the attempt. If the attempt fails and a verified snapshot inside
  `policy.max_age` is here, it goes on deciding, with one warning; else the command stops (exit 5). No other registry
  ever stands in.
* Everything is verified before it is put into this machine's copy, and the trusted state is promoted last.
* A listed index that no place has, while its timestamp stays what it is, is *not mirrored*: the name exists, and what
  is listed of it is not known here.
* What could be answered offline before can be answered offline afterwards: changed documents of names that were here
  are brought along.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from mmpm.errors import (
    NotFetchedError,
    RegistryUnreachableError,
    RegistryUntrustedError,
    RolledBackError,
    RootMismatchError,
    UntrustedMetadataError,
)
from mmpm.registry import layout
from mmpm.registry.authenticate import Authenticator, RegistrySource, looks_signed, serial_of
from mmpm.registry.belief import Belief, state_of
from mmpm.registry.bring import Bringer, untrusted
from mmpm.registry.changes import NameChange, changes_between
from mmpm.registry.evidence import bring_signatures
from mmpm.registry.folder import FolderTransport
from mmpm.registry.gather import MissingFileError, describe, unreachable
from mmpm.registry.snapshot import Snapshot
from mmpm.registry.tidy import remove_superseded
from mmpm.registry.transport import NotFound, TransportError, Unavailable
from mmpm.trust.clock import AgePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.registry.state import TrustState
    from mmpm.registry.transport import Transport
    from mmpm.trust.metadata import Chain

__all__ = ["ALL", "RefreshSession", "Refreshed", "RegistrySource", "refresh"]

ALL: Final = "all"
MAX_TIMESTAMP_BYTES: Final = 1 << 16
# A publisher that prunes while we read costs one more round; one that never stops is broken.
_ROUNDS: Final = 4
_STEPS_BACK: Final = 16


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did.

    Attributes:
        registry_id: of the registry.
        old_serial, new_serial: of the snapshots believed before (None: none) and now.
        is_held: the registry could not answer, and the snapshot from before goes on deciding.
        changes: by name, where old and new could be compared.
        warnings: sentences for the person.
    """

    registry_id: str
    old_serial: int | None
    new_serial: int
    is_held: bool = False
    changes: tuple[NameChange, ...] = ()
    warnings: tuple[str, ...] = ()


class RefreshSession:
    """One refresh of one registry, in steps that may repeat: `begin`, any number of `fetch`, `commit`.

    Names turn up while requirements are followed, so that `fetch` is cheap to call again: the verified chain stays.

    Args:
        source: the registry.
        store: path of the store.
        trust: path of the folder of trusted states (`Places.trust`).
        now: this machine's clock.
        policy: how old a registry's word may be.
    """

    def __init__(
        self, source: RegistrySource, store: str, trust: str, now: datetime, policy: AgePolicy | None = None
    ) -> None:
        self.source = source
        self.is_held = False
        self.warnings: list[str] = []
        self._now = now
        self._policy = policy or AgePolicy()
        self._belief = Belief(source, store, trust)
        self._copy = self._belief.copy
        self._authenticator = Authenticator(
            source, self._copy, self._belief.folder, self._belief.state, now, self._policy, self.warnings
        )
        # The timestamp that was taken, whence, and what it led to. No chain and no snapshot while nothing is new.
        self._timestamp = b""
        self._place: Transport | None = None
        self._chain: Chain | None = None
        self._current: Snapshot | None = None
        self._wanted: set[str] | None = set()
        self._wants_catalog = False
        self._older: int | None = None
        self._not_mirrored: set[str] = set()
        self._failure: RegistryUnreachableError | None = None
        self._answering: TrustState | None = None  # the state that `fetch` was answered from last

    # ---- the three steps

    def begin(self) -> None:
        """Find out what the registry says now, or that what is here has to do.

        With no place to ask (offline), what is here decides without a word, policy permitting. A copied store of
        which this machine believes nothing yet is verified from the accepted root, and believed from then on.

        Raises:
            NotFetchedError: there is no place to ask, and nothing is here.
            RegistryUnreachableError: it cannot answer, and nothing inside `policy.max_age` is here.
            RegistryUntrustedError, RootMismatchError, RootNotPinnedError, RegistryTooOldError: it is not believed.
        """
        self._authenticator.check_pin()
        if doubt := self._belief.doubt_of_clock(self._now):
            self.warnings.append(doubt)
        if self.source.places:
            self._in_rounds(lambda: None)
        elif self._belief.snapshot is not None:
            self._hold()
        elif (brought := self._copy.folder_with(layout.TIMESTAMP)) is not None:
            self._believe_copied_store(brought)
        else:
            raise NotFetchedError(self.source.registry_id, ["the registry's index"])

    def fetch(self, names: Iterable[str | FormulaName] | Literal["all"]) -> None:
        """Bring what answers for `names`: their bins, index documents and pages; `ALL` for every name there is.

        Raises:
            RegistryUnreachableError: it cannot answer, and what is here cannot either for one of `names`, or could
                only from an older snapshot than the one that answered for names before.
            RegistryUntrustedError: as for `begin`.
        """
        wanted = None if names == ALL else self._lacking(names)
        answering, self._answering = self._answering, self.snapshot.state
        if wanted is not None and not wanted:
            return
        if not self.is_held:
            self._wanted = None if wanted is None or self._wanted is None else self._wanted | wanted
            self._in_rounds(lambda: self._bringer().bring(wanted))
            if self._failure is not None and answering is not None and answering != self.snapshot.state:
                raise self._failure  # one command does not choose from two states of a registry
            self._answering = self.snapshot.state
        if self._failure is not None and wanted and (unknown := self.snapshot.needs(wanted)):
            cause, origin = str(self._failure.details["cause"]), str(self._failure.details["origin"])
            known = f"what is known of it does not say whether it has {', '.join(sorted(unknown)[:5])}"
            raise RegistryUnreachableError(self.source.registry_id, cause, origin, known)

    def _lacking(self, names: Iterable[str | FormulaName]) -> set[str]:
        """Give those of `names` of which something has to be brought: what answers for them, or their marks."""
        asked = {str(name) for name in names} - self._not_mirrored
        return self.snapshot.needs(asked) | self.snapshot.evidence.lacking(asked)

    def fetch_catalog(self) -> None:
        """Bring every bin, the marks, and what changed of the catalog: absence and search are answered offline."""
        if not self.is_held and not (self.snapshot.has_catalog and self.snapshot.evidence.is_whole):
            self._wants_catalog = True
            self._in_rounds(lambda: self._bringer().bring_catalog())

    def fetch_signatures(self, releases: Iterable[Release]) -> tuple[tuple[Release, str], ...]:
        """Bring the detached signatures of `releases`, of this session's snapshot; `Snapshot.signature` reads them.

        Returns:
            Release and key id of those that no place has; while held or offline, of those that are not here.

        Raises:
            RegistryUnreachableError: no place could answer, or one answered 401 or 403.
            RegistryUntrustedError: there are other bytes than the signed ones.
        """
        places = () if self.is_held or self._place is None else self.source.places_from(self._place)
        return bring_signatures(self.source.registry_id, self._copy, places, releases)

    def commit(self) -> Refreshed:
        """Make what was verified the state that is believed.

        Raises:
            RegistryUnreachableError, RegistryUntrustedError: as for `begin`.
        """
        old = self._belief.snapshot
        if old is not None and self._current is not None:
            self._in_rounds(lambda: self._bringer().carry_along(old))
        changes: tuple[NameChange, ...] = ()
        if not self.is_held:
            if self._current is not None:
                # As in a registry's own tree, so that a copy of the store taken now is whole as well.
                self._copy.write(layout.role_file("timestamp", self._current.serial), self._timestamp)
                self._copy.write(layout.TIMESTAMP, self._timestamp)
                changes = changes_between(old, self._current) if old is not None else ()
            if self._chain is not None:
                self._copy.flush()
            self._belief.promote(self.snapshot.state, self._chain, self._now)
            if self._current is not None:
                remove_superseded(self._copy, self._current, (change.name for change in changes), self._now)
        return Refreshed(
            registry_id=self.source.registry_id,
            old_serial=self._belief.state.serial if self._belief.state is not None else None,
            new_serial=self.snapshot.serial,
            is_held=self.is_held,
            changes=changes,
            warnings=tuple(dict.fromkeys(self.warnings)),
        )

    @property
    def not_mirrored(self) -> frozenset[str]:
        """Names that are listed, and whose indexes no place has."""
        return frozenset(self._not_mirrored)

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that decides: the new one as far as it was fetched, or the old one while held or unchanged."""
        found = self._current or self._belief.snapshot
        if found is None:
            raise AssertionError("begin() comes first")
        return found

    def _believe_copied_store(self, folder: str) -> None:
        """Verify what others brought into this machine's copy, all of it, and go on as if it had been fetched here."""
        here = FolderTransport(folder)
        self._authenticator = replace(self._authenticator, source=replace(self.source, places=(here,)))
        self.source, offline = self._authenticator.source, self.source
        try:
            self._in_rounds(lambda: self._bringer().verify_local_bins())
        except RootMismatchError:
            if folder != self._copy.behind:
                raise
            # Under this name the store has a registry of another root key, which says nothing of ours.
            raise NotFetchedError(self.source.registry_id, ["the registry's index"]) from None
        self._belief.promote(self.snapshot.state, self._chain, self._now)
        self.source = offline
        self._belief.read()
        self._hold()

    # ---- asking

    def _in_rounds(self, work: Callable[[], None]) -> None:
        """Run `work` on what the registry says; start again from the timestamp where a publish tore the reading.

        Where the registry cannot answer, the snapshot from before goes on deciding, or this raises.
        """
        torn: list[MissingFileError] = []
        try:
            while True:
                try:
                    if self._place is None:
                        self._ask_places()
                        self._repeat()
                    if not self.is_held:
                        work()
                except MissingFileError as error:
                    torn.append(error)
                    if len(torn) >= _ROUNDS and (len(torn) >= _ROUNDS + _STEPS_BACK or not self._step_back()):
                        self._give_up_on(torn[_ROUNDS - 1])
                        torn.clear()
                    self._place = self._chain = self._current = None
                else:
                    return
        except UntrustedMetadataError as error:
            raise untrusted(self.source.registry_id, error, self._place or self.source.places[0]) from None
        except TransportError as error:
            self._hold(unreachable(self.source.registry_id, [error]))
        except RegistryUnreachableError as error:
            self._hold(error)

    def _give_up_on(self, newest: MissingFileError) -> None:
        """Go on with the newest state and without the formulas whose indexes no place has.

        Raises:
            RegistryUnreachableError: what is missing is needed for more, or a place that may have it cannot answer.
        """
        if not newest.names or newest.failed:
            cause = f"it lacks {newest.path}, which its signed metadata names: the copy is not complete"
            others = "".join(f"; {each}" for each in dict.fromkeys(map(str, newest.failed)))
            raise RegistryUnreachableError(self.source.registry_id, cause + others, newest.origin) from None
        self._not_mirrored |= newest.names
        self._older = None

    def _step_back(self) -> bool:
        """Turn to the timestamp before the one that leads nowhere: a copy made in the middle of a publish has it whole.

        Never behind what this machine has seen of the same epoch.
        """
        if self._older is None:
            self._older = serial_of(self._timestamp)
        self._older -= 1
        believed = self._belief.state
        is_same_epoch = believed is not None and (self._chain is None or self._chain.epoch == believed.keyset)
        return self._older >= (believed.serial if believed is not None and is_same_epoch else 1)

    def _repeat(self) -> None:
        """Bring under a new timestamp what was brought under one that a publish overtook."""
        if self.is_held or (self._wanted is not None and not self._wanted):
            return
        self._bringer().bring(self._wanted)
        if self._wants_catalog:
            self._bringer().bring_catalog()

    def _ask_places(self) -> None:
        failures: list[TransportError] = []
        path = layout.TIMESTAMP if self._older is None else layout.role_file("timestamp", self._older)
        for place in self.source.places:
            try:
                timestamp = place.get(path, MAX_TIMESTAMP_BYTES)
                if not looks_signed(timestamp):
                    what = f"does not answer as a registry: its {path} is {describe(timestamp)}"
                    failures.append(Unavailable(place.origin, path, what))
                elif self._adopt(place, timestamp):
                    return
            except Unavailable as error:
                failures.append(error)
            except TransportError as error:
                if self._older is not None and isinstance(error, NotFound):
                    raise MissingFileError(path, place.origin) from None
                failures.append(error)
                break
        if failures:
            raise unreachable(self.source.registry_id, failures)
        self._hold()  # every place has only what is older than what is here

    def _adopt(self, place: Transport, timestamp: bytes) -> bool:
        """Take `timestamp` from `place`, or give False where it is an older valid one."""
        believed = self._belief.state
        self._timestamp = timestamp
        same = believed is not None and hashlib.sha256(timestamp).hexdigest() == believed.timestamp_sha256
        if believed is not None and same and self._belief.snapshot is not None:
            # The very bytes that were verified before; the chain is built only if more has to be fetched.
            self._authenticator.judge_age(believed.issued, str(json.loads(timestamp)["signed"]["expires"]), place)
            self._place = place
            self._say_incomplete(place)
            return True
        try:
            chain = self._authenticator.verify(place, timestamp)
        except RolledBackError as error:
            if "another snapshot" in error.fact:
                raise RegistryUntrustedError(self.source.registry_id, error.fact, place.origin) from None
            self.warnings.append(f"{place.origin} holds an older copy of {self.source.registry_id}: it is not used")
            return False
        except UntrustedMetadataError as error:
            raise untrusted(self.source.registry_id, error, place) from None
        self._say_incomplete(place)
        current = Snapshot.open(self._copy, state_of(self.source.registry_id, chain, timestamp))
        if self._belief.snapshot is not None and self._belief.snapshot.state.keyset == chain.epoch:
            gone_back = current.gone_back_since(self._belief.snapshot)
            if gone_back:
                cause = f"its snapshot {current.serial} names an older {gone_back} than was seen before"
                raise RegistryUntrustedError(self.source.registry_id, cause, place.origin)
        self._place, self._chain, self._current = place, chain, current
        return True

    def _say_incomplete(self, place: Transport) -> None:
        if self._older is not None:
            self.warnings.append(f"{place.origin} is not a complete copy; its serial {self._older} is used")

    def _bringer(self) -> Bringer:
        assert self._place is not None
        if self._chain is None:
            try:
                self._chain = self._authenticator.verify(self._place, self._timestamp)
            except RolledBackError as error:
                raise RegistryUntrustedError(self.source.registry_id, error.fact, self._place.origin) from None
        places = self.source.places_from(self._place)
        return Bringer(self.source.registry_id, self._chain, self._copy, places, self._not_mirrored)

    # ---- believing

    def _hold(self, failure: RegistryUnreachableError | None = None) -> None:
        """Let the snapshot from before go on deciding, if there is one and policy allows.

        Args:
            failure: why the registry gave nothing newer; None where it only holds what is older.
        """
        warning = self._belief.judge_alone(failure, self._now, self._policy)
        if warning:
            self.warnings.append(warning)
        self.is_held, self._current, self._chain, self._failure = True, None, None, failure


def refresh(
    source: RegistrySource,
    store: str,
    trust: str,
    now: datetime,
    names: Iterable[str | FormulaName] | Literal["all"] = (),
    *,
    policy: AgePolicy | None = None,
    catalog: bool = False,
) -> Refreshed:
    """Refresh one registry: what was here before, and `names` besides.

    Raises:
        MmpmError: as for `RefreshSession.begin`.
    """
    session = RefreshSession(source, store, trust, now, policy)
    session.begin()
    session.fetch(names)
    if catalog:
        session.fetch_catalog()
    return session.commit()
