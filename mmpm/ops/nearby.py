"""What the catalogs at hand know of a name that cannot be had: who has it all the same, what is spelled like it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import MmpmError
from mmpm.model.spelling import closest
from mmpm.ops.catalog import read_shelves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.execute.context import Context
    from mmpm.ops.catalog import Shelf
    from mmpm.solver.universe import Universe


def names_near(context: Context, name: str) -> list[str]:
    """Give names of the catalogs at hand that a person may have meant, the nearest first; none if one has this name."""
    names = {entry.name for shelf in _shelves(context) for entry in shelf.entries}
    return [] if name in names else closest(name, names)


def with_what_is_near(context: Context, universe: Universe, names: Iterable[str]) -> Universe:
    """Add to what is absent which registries have it that were not asked, and which names are near it.

    Only for an explanation: nothing of it may be chosen. What cannot be read is passed over, for there is an answer
    already. A name near one that is bound to a registry is taken from there alone.
    """
    wanted = [name for name in names if name in universe.absent and universe.absent[name].why == "absent"]
    if not wanted:
        return universe
    names_by_registry = {shelf.config.id: {entry.name for entry in shelf.entries} for shelf in _shelves(context)}
    absent = dict(universe.absent)
    for name in wanted:
        absence = absent[name]
        elsewhere = tuple(registry for registry, theirs in names_by_registry.items() if name in theirs)
        asked = [names_by_registry.get(registry, set()) for registry in absence.registries]
        near = () if elsewhere else tuple(closest(name, set().union(*asked)))
        absent[name] = replace(absence, elsewhere=elsewhere, near=near)
    return replace(universe, absent=absent)


def _shelves(context: Context) -> list[Shelf]:
    try:
        return read_shelves(context)
    except MmpmError:
        return []
