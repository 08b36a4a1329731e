"""What a destination carries once a pack has landed: its selection and the pack's, never less than before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import PackRefusedError
from mmpm.registry.mirror.selected import Mirror
from mmpm.registry.mirror.selection import Chosen, LockSelection, Selection, choose
from mmpm.registry.pack.entries import MIRROR_JSON
from mmpm.registry.pack.reading import MAX_MEMBER_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.registry.pack.waiting import Parcel
    from mmpm.registry.verified import VerifiedState


def united(here: Selection | None, brought: Selection, *, brought_is_newer: bool) -> Selection:
    """Give what is carried once a pack has landed: never less than before.

    Of two locks of one name the one that came with the newer state stands for both, as at the sender.
    """
    if here is None:
        return brought
    if here.everything or brought.everything:
        return Selection()
    older, newer = (here, brought) if brought_is_newer else (brought, here)
    locks: dict[str, LockSelection] = {lock.name: lock for lock in (*older.locks, *newer.locks)}
    return Selection.of(locks.values(), (*here.only, *brought.only))


def choose_of(
    state: VerifiedState, selection: Selection, others: Mapping[str, Callable[[], VerifiedState | None]]
) -> tuple[Chosen, tuple[str, ...]]:
    """Give the releases of `state` that a selection comes to, and what it asks for in vain, which a person hears of."""
    if selection.everything:
        return Chosen(), ()
    known: dict[str, _Lazy] = {registry: _Lazy(opener) for registry, opener in others.items()}
    choice = choose({state.registry_id: state, **known}, {state.registry_id: selection})
    # What a signed state has no more cannot be waited for: a person hears of it.
    return choice.chosen[state.registry_id], (*choice.missing, *choice.notes)


class _Lazy:
    """Another registry, opened when it is first asked."""

    def __init__(self, opener: Callable[[], VerifiedState | None]) -> None:
        self._opener = opener
        self._state: VerifiedState | None = None
        self._is_open = False

    def releases(self, name: FormulaName) -> tuple[Release, ...]:
        """Give all releases of a formula; none where the registry is not shown here."""
        if not self._is_open:
            self._state, self._is_open = self._opener(), True
        return () if self._state is None else self._state.releases(name)


def selections_of(parcel: Parcel) -> dict[str, Selection]:
    """Give what the pack carries of each registry.

    Raises:
        PackRefusedError: it carries releases, and does not say which.
    """
    data = parcel.read(MIRROR_JSON, MAX_MEMBER_BYTES)
    try:
        listed = Mirror.parse(data).registries if data is not None else {}
    except ValueError as error:
        raise PackRefusedError(parcel.name, str(error), MIRROR_JSON) from None
    found = {}
    for told in parcel.head.registries:
        if told.select == "all":
            found[told.id] = Selection()
        elif told.id in listed and not listed[told.id].selection.everything:
            found[told.id] = listed[told.id].selection
        else:
            raise PackRefusedError(parcel.name, f"does not say which releases of {told.id} it carries", MIRROR_JSON)
    return found
