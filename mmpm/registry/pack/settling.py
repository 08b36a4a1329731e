"""A state that a pack brought comes to rest: looked at first, then shown, extended, passed over, or waiting.

Rule: every registry of a pack is looked at before any of them is shown, so that a pack which is refused shows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, Protocol

from mmpm.errors import PackRefusedError, UntrustedMetadataError
from mmpm.registry import layout
from mmpm.registry.pack.completing import NAMED, Before, Completion, Wholeness
from mmpm.registry.pack.entries import tree_path
from mmpm.registry.pack.selecting import choose_of, united
from mmpm.registry.verified import MAX_ROOT_BYTES
from mmpm.trust.documents import fingerprint_of, is_as_written
from mmpm.trust.facts import ROOT
from mmpm.trust.metadata import Chain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmpm.model.release import Release
    from mmpm.registry.destination import Destination
    from mmpm.registry.documents import ReleaseDocument
    from mmpm.registry.mirror.selection import Chosen, Selection
    from mmpm.registry.pack.format import PackedRegistry
    from mmpm.registry.pack.judging import Judgement
    from mmpm.registry.pack.waiting import Parcel
    from mmpm.registry.verified import Read, VerifiedState
    from mmpm.trust.facts import RoleKeys

Kind = Literal["shown", "extended", "same", "older", "waiting"]


class Landing(Protocol):
    """Where packs are imported to: a mirror's folder, or a machine's store.

    Attributes:
        staging, quarantine: folders of its own, on the destination's disk.
        must_be_whole: a state is shown only with every file of the releases that are carried.
    """

    staging: str
    quarantine: str
    must_be_whole: bool

    def registries(self) -> list[str]:
        """Give the ids of the registries that are here."""

    def destination(self, registry_id: str) -> Destination:
        """Give where a registry's files go; the same one for the whole import."""

    def elsewhere(self, registry_id: str, path: str, max_bytes: int) -> bytes | None:
        """Give a file from the trees of the other registries that are here; what it is has to be proved."""

    def selection(self, registry_id: str) -> Selection | None:
        """Give what is carried of a registry; None where nothing of it is here yet."""

    def on_release(self, registry_id: str) -> Callable[[Release, ReleaseDocument], None] | None:
        """Give what is to be done for each release that is about to be shown, if anything."""

    def settled(self, state: VerifiedState, chosen: Chosen, selection: Selection, fingerprint: str) -> None:
        """Note what is shown now; harmless to repeat."""

    def keep(self) -> None:
        """Keep what came so far, whatever becomes of the next pack."""

    def take_back(self) -> None:
        """Remove, where that is certain, what came since `keep` and is not needed by what is shown."""

    def keep_policy(self, data: bytes) -> None:
        """Keep a policy that travelled with a pack."""

    def request(self) -> bytes:
        """Give an inventory of what is here."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What came of one registry in a pack.

    Attributes:
        kind: `shown`: its state is; `extended`: the state stays, more of its releases are here; `same`: all of it was
            here already; `older`: a newer state is shown; `waiting`: something is missing.
        old_serial: shown before, or None.
        serial: that the pack brings.
        issued: when the state was signed that is shown now, RFC 3339; empty where none is.
        missing: paths, not all of them where they are many; `missing_count` says how many.
        notes: sentences for a person.
    """

    registry_id: str
    kind: Kind
    old_serial: int | None
    serial: int
    issued: str = ""
    missing: tuple[str, ...] = ()
    missing_count: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrival:
    """One registry of one pack, judged.

    Attributes:
        landing: where it goes.
        parcel: the pack; `told`: what it says of the registry; `brought`: what it carries of it.
        fingerprint: of the accepted root.
        judgement: what its state is to what is shown.
    """

    landing: Landing
    parcel: Parcel
    told: PackedRegistry
    brought: Selection
    fingerprint: str
    judgement: Judgement

    def look(self, others: Mapping[str, Callable[[], VerifiedState | None]]) -> Landed | Ready | Kept:
        """Find out whether the state is whole.

        Args:
            others: the other registries that are here, where a selection reaches into them.

        Raises:
            MmpmError: something in it is not to be believed.
        """
        shown, kind = self.judgement.here, self.judgement.kind
        state = self.judgement.state or shown
        if state is None:  # older than what was seen, and nothing else is here: nothing to show
            return self._as_base(others)
        here = self.landing.selection(self.told.id)
        selection = united(here, self.brought, brought_is_newer=kind == "new")
        chosen, notes = choose_of(state, selection, others)
        before = None
        if shown is not None and here is not None:
            before = Before(shown, choose_of(shown, here, others)[0])
        elsewhere = partial(self.landing.elsewhere, self.told.id)
        destination = self.landing.destination(self.told.id)
        completion = Completion(state, chosen, self.staged, elsewhere, destination, before, self.parcel.name)
        found = completion.look()
        is_held_up = found.missing_count and (self.landing.must_be_whole or not self.parcel.is_empty)
        if is_held_up or not found.can_be_read:
            if kind == "older" and (self.parcel.is_empty or self.brought.everything):
                return self.told_as("older")
            return self.told_as("waiting", found, notes)
        return Ready(self, completion, selection, found, notes)

    def _as_base(self, others: Mapping[str, Callable[[], VerifiedState | None]]) -> Landed | Kept:
        """Keep a state that is whole and older than what was seen for the packs that go on from it."""
        base, landing = self.judgement.base, self.landing
        if base is None or not landing.must_be_whole:
            return self.told_as("older")
        chosen, _ = choose_of(base, self.brought, others)
        elsewhere, destination = partial(landing.elsewhere, self.told.id), landing.destination(self.told.id)
        completion = Completion(base, chosen, self.staged, elsewhere, destination, None, self.parcel.name)
        found = completion.look()
        return self.told_as("older") if found.missing_count else Kept(self, completion, found)

    def staged(self, path: str, max_bytes: int) -> bytes | None:
        """Give a file that the pack brought, by its path in the tree."""
        return self.parcel.read(tree_path(self.told.id, path), max_bytes)

    def told_as(self, kind: Kind, found: Wholeness | None = None, notes: tuple[str, ...] = ()) -> Landed:
        """Give what came of it."""
        shown = self.judgement.here
        missing = () if found is None else tuple(found.missing[:NAMED])
        count = 0 if found is None else found.missing_count
        old = None if shown is None else shown.serial
        issued = "" if shown is None else shown.issued
        return Landed(self.told.id, kind, old, self.told.serial, issued, missing, count, notes)


@dataclass(frozen=True, slots=True)
class Ready:
    """A state that lacks nothing."""

    arrival: Arrival
    completion: Completion
    selection: Selection
    found: Wholeness
    notes: tuple[str, ...]

    def show(self) -> Landed:
        """Put what was brought, and show it.

        Raises:
            NoSpaceError: the disk is full; what was shown before is shown still.
        """
        arrival, completion = self.arrival, self.completion
        landing, kind = arrival.landing, arrival.judgement.kind
        landing.keep()
        completion.put(self.found, landing.on_release(arrival.told.id))
        if kind == "new":
            completion.destination.show(completion.state)
        landing.settled(completion.state, completion.chosen, self.selection, arrival.fingerprint)
        if kind == "new":
            return replace(arrival.told_as("shown", notes=self.notes), issued=completion.state.issued)
        if completion.before is not None and completion.before.chosen != completion.chosen:
            return arrival.told_as("extended", notes=self.notes)
        return arrival.told_as("same" if kind == "same" else "older", notes=self.notes)


@dataclass(frozen=True, slots=True)
class Kept:
    """A state that lacks nothing and is older than what this machine has seen, where nothing is shown yet."""

    arrival: Arrival
    completion: Completion
    found: Wholeness

    def show(self) -> Landed:
        """Put what was brought, and show nothing.

        Raises:
            NoSpaceError: the disk is full.
        """
        self.arrival.landing.keep()
        self.completion.put(self.found)
        return self.arrival.told_as("older", notes=(f"nothing of {self.arrival.told.id} is shown: {_GO_ON}",))


_GO_ON: Final = "its files are kept for packs that go on from there, and whatever is newer is shown"


def hold_roots(pack: str, told: PackedRegistry, staged: Read, destination: Destination, here: int) -> None:
    """Hold the roots that a pack brings against those that lie here, and against the form in which roots are written.

    Only the content of a root is signed: white space, or a signature that nobody needs, would otherwise come in with
    the first medium and make every honest one after it look wrong.

    Args:
        pack: its name.
        told: the registry.
        staged: reads what the pack brings.
        destination: reads what lies here.
        here: the version of the highest root that is shown here; 0 where none is.

    Raises:
        PackRefusedError: one is another than the one here, or has bytes that its publisher never wrote.
    """
    former: tuple[RoleKeys, ...] = ()
    for version in range(1, max(here, len(told.roots)) + 1):
        path = layout.role_file(ROOT, version)
        brought, ours = staged(path, MAX_ROOT_BYTES), destination.read(path, MAX_ROOT_BYTES)
        data = ours if brought is None else brought
        if data is None:
            return  # what is missing is named when the roots are walked
        try:
            keys = Chain(data).keys_of(ROOT)
            is_plain = len(data) <= MAX_ROOT_BYTES and is_as_written(data, keys, *former)
            is_ours = version > here or ours is None or fingerprint_of(data) == fingerprint_of(ours)
        except UntrustedMetadataError as error:
            raise PackRefusedError(pack, f"is no root: {error.details['reason']}", tree_path(told.id, path)) from None
        if brought is not None and not is_ours:
            reason = "is another root than the one of that version here"
            raise PackRefusedError(pack, reason, tree_path(told.id, path))
        if brought is not None and not is_plain:
            reason = "has other bytes than were signed: white space, or signatures that do not count"
            raise PackRefusedError(pack, reason, tree_path(told.id, path))
        former = (keys,)


def is_superseded(told: PackedRegistry, shown: VerifiedState) -> bool:
    """Whether a state at least as new as the pack says its own is, is shown: what is missing is not needed any more."""
    return told.serial <= shown.serial and len(told.roots) <= shown.chain.root_version
