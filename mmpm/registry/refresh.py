"""Learning what a registry says now: the one step that asks a network, and the one that decides what to believe.

    timestamp -> root chain -> snapshot -> targets, bins -> bin-xx -> index documents, pages, catalog shards

Rules, in the words of `docs/architecture.md`:

* Present but bad always fails (exit 4). An older valid copy is not bad, only unused: a warning.
* Which place is asked, and which failure ends the attempt, is `mmpm.registry.asking`'s. If the attempt fails and a
  verified snapshot inside `policy.max_age` is here, it goes on deciding, with one warning; else the command stops
  (exit 5). No other registry ever stands in.
* Everything is verified before it is put into this machine's copy, and the trusted state is promoted last.
* A listed index that no place has, while its timestamp stays what it is, is *not mirrored*: the name exists, and what
  is listed of it is not known here.
* What could be answered offline before can be answered offline afterwards: changed documents of names that were here
  are brought along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from mmpm.errors import (
    NotFetchedError,
    RegistryUnreachableError,
    RootMismatchError,
    UntrustedMetadataError,
)
from mmpm.registry import layout
from mmpm.registry.asking import Asking
from mmpm.registry.authenticate import Authenticator, RegistrySource
from mmpm.registry.belief import Belief
from mmpm.registry.bring import untrusted
from mmpm.registry.changes import NameChange, changes_between
from mmpm.registry.evidence import bring_signatures
from mmpm.registry.folder import FolderTransport
from mmpm.registry.gather import MissingFileError, unreachable
from mmpm.registry.tidy import remove_superseded
from mmpm.registry.transport import TransportError
from mmpm.trust.clock import AgePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.registry.snapshot import Snapshot
    from mmpm.registry.state import TrustState

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
        self._asking = self._ask_of(source)
        self._wanted: set[str] | None = set()
        self._wants_catalog = False
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
        self._authenticator(self.source).check_pin()
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
            self._in_rounds(lambda: self._asking.bringer(self._not_mirrored).bring(wanted))
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
            self._in_rounds(lambda: self._asking.bringer(self._not_mirrored).bring_catalog())

    def fetch_signatures(self, releases: Iterable[Release]) -> tuple[tuple[Release, str], ...]:
        """Bring the detached signatures of `releases`, of this session's snapshot; `Snapshot.signature` reads them.

        Returns:
            Release and key id of those that no place has; while held or offline, of those that are not here.

        Raises:
            RegistryUnreachableError: no place could answer, or one answered 401 or 403.
            RegistryUntrustedError: there are other bytes than the signed ones.
        """
        places = () if self.is_held or self._asking.place is None else self.source.places_from(self._asking.place)
        return bring_signatures(self.source.registry_id, self._copy, places, releases)

    def commit(self) -> Refreshed:
        """Make what was verified the state that is believed.

        Raises:
            RegistryUnreachableError, RegistryUntrustedError: as for `begin`.
        """
        old, asking = self._belief.snapshot, self._asking
        if old is not None and asking.current is not None:
            self._in_rounds(lambda: self._asking.bringer(self._not_mirrored).carry_along(old))
        changes: tuple[NameChange, ...] = ()
        if not self.is_held:
            if asking.current is not None:
                # As in a registry's own tree, so that a copy of the store taken now is whole as well.
                self._copy.write(layout.role_file("timestamp", asking.current.serial), asking.timestamp)
                self._copy.write(layout.TIMESTAMP, asking.timestamp)
                changes = changes_between(old, asking.current) if old is not None else ()
            if asking.chain is not None:
                self._copy.flush()
            self._belief.promote(self.snapshot.state, asking.chain, self._now)
            if asking.current is not None:
                remove_superseded(self._copy, asking.current, (change.name for change in changes), self._now)
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
        found = self._asking.current or self._belief.snapshot
        if found is None:
            raise AssertionError("begin() comes first")
        return found

    def _believe_copied_store(self, folder: str) -> None:
        """Verify what others brought into this machine's copy, all of it, and go on as if it had been fetched here."""
        here = replace(self.source, places=(FolderTransport(folder),))
        self.source, offline = here, self.source
        self._asking = self._ask_of(here)
        try:
            self._in_rounds(lambda: self._asking.bringer(self._not_mirrored).verify_local_bins())
        except RootMismatchError:
            if folder != self._copy.behind:
                raise
            # Under this name the store has a registry of another root key, which says nothing of ours.
            raise NotFetchedError(self.source.registry_id, ["the registry's index"]) from None
        self._belief.promote(self.snapshot.state, self._asking.chain, self._now)
        self.source = offline
        self._belief.read()
        self._hold()

    # ---- asking

    def _ask_of(self, source: RegistrySource) -> Asking:
        return Asking(source, self._belief, self._authenticator(source), self.warnings)

    def _authenticator(self, source: RegistrySource) -> Authenticator:
        belief = self._belief
        return Authenticator(source, belief.copy, belief.folder, belief.state, self._now, self._policy, self.warnings)

    def _in_rounds(self, work: Callable[[], None]) -> None:
        """Run `work` on what the registry says; start again from the timestamp where a publish tore the reading.

        Where the registry cannot answer, the snapshot from before goes on deciding, or this raises.
        """
        torn: list[MissingFileError] = []
        try:
            while True:
                try:
                    if self._asking.place is None:
                        if not self._asking.ask():
                            self._hold()  # every place has only what is older than what is here
                        self._repeat()
                    if not self.is_held:
                        work()
                except MissingFileError as error:
                    torn.append(error)
                    if len(torn) >= _ROUNDS and (len(torn) >= _ROUNDS + _STEPS_BACK or not self._asking.step_back()):
                        self._give_up_on(torn[_ROUNDS - 1])
                        torn.clear()
                    self._asking.forget()
                else:
                    return
        except UntrustedMetadataError as error:
            raise untrusted(self.source.registry_id, error, self._asking.place or self.source.places[0]) from None
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
        self._asking.older = None

    def _repeat(self) -> None:
        """Bring under a new timestamp what was brought under one that a publish overtook."""
        if self.is_held or (self._wanted is not None and not self._wanted):
            return
        self._asking.bringer(self._not_mirrored).bring(self._wanted)
        if self._wants_catalog:
            self._asking.bringer(self._not_mirrored).bring_catalog()

    # ---- believing

    def _hold(self, failure: RegistryUnreachableError | None = None) -> None:
        """Let the snapshot from before go on deciding, if there is one and policy allows.

        Args:
            failure: why the registry gave nothing newer; None where it only holds what is older.
        """
        warning = self._belief.judge_alone(failure, self._now, self._policy)
        if warning:
            self.warnings.append(warning)
        self.is_held, self._failure = True, failure
        self._asking.chain = self._asking.current = None


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
