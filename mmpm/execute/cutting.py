"""What a pack is cut against: the far side's inventory or acknowledgement, or the serials that it shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmpm.errors import BaseUnreadableError
from mmpm.registry.destination import read_plain
from mmpm.registry.pack.acknowledgement import Acknowledgement, ObjectSet, digests_of, objects_of
from mmpm.registry.pack.format import Base
from mmpm.registry.pack.inventory import MAX_INVENTORY_BYTES, HeldState, Inventory
from mmpm.registry.pack.receiver import Receiver, find_old_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.execute.packing import Source
    from mmpm.registry.mirror.selection import Chosen
    from mmpm.registry.verified import VerifiedState

    PackBase = Inventory | Acknowledgement | Mapping[str, int]
    """As it was given; a mapping has the serial of each registry that the far side has."""


def read_base(text: str, serials: Sequence[tuple[str, int]], sources: Mapping[str, Source]) -> PackBase | None:
    """Read what a pack is to be cut against.

    Args:
        text: the path of an inventory or an acknowledgement, or one whose last part is the serial of the only registry.
        serials: by registry; what is not named travels whole.
        sources: the registries that the pack is to have.

    Returns:
        None where nothing was given: then everything travels.

    Raises:
        BaseUnreadableError: it is none of these, or a serial is of a registry that is not there, or not reached there.
    """
    for registry, serial in serials:
        if registry not in sources:
            raise BaseUnreadableError(f"{registry}={serial}", f"{registry} is not in the source, or not asked for")
    if serials or not text:
        return dict(serials) or None
    data = read_plain(text, MAX_INVENTORY_BYTES)
    name = os.path.basename(text)
    if data is None:
        if not name.isdecimal() or len(name) > 15:
            raise BaseUnreadableError(text, "there is no such file, and it is no serial")
        if len(sources) != 1:
            each = " ".join(f"--base {registry}=SERIAL" for registry in sorted(sources))
            reason = f"one serial tells nothing of {len(sources)} registries"
            raise BaseUnreadableError(
                name, reason, f"give the serial of each ({each}), or an inventory of the far side"
            )
        return dict.fromkeys(sources, int(name))
    refusals = []
    for parse in (Inventory.parse, Acknowledgement.parse):
        try:
            return parse(data)
        except ValueError as error:
            refusals.append(str(error))
    kind = 1 if b'"acknowledgement"' in data[:65536] else 0
    raise BaseUnreadableError(text, refusals[kind])


def receiver_of(source: Source, chosen: Chosen, base: PackBase, notes: list[str]) -> Receiver | None:
    """Give what the receiver has of a registry; None where it has nothing.

    Args:
        source: the registry.
        chosen: the releases that travel.
        base: what the pack is cut against.
        notes: sentences for the person are appended here.

    Raises:
        BaseUnreadableError: the base is of a serial that is not reached here yet.
    """
    registry = source.state.registry_id
    if isinstance(base, Mapping):
        serial = base.get(registry, 0)
        _check_serial(serial, source)
        return Receiver(Base("serial", serial), None, _old(source, HeldState(registry, serial))) if serial else None
    if isinstance(base, Inventory):
        state = base.state_of(registry)
        if not len(base.hashes):
            return None
        return Receiver(Base("inventory", state.serial, base.id), base.hashes, _old(source, state))
    held = base.of(registry)
    if held is None:
        return None
    _check_serial(held.state.serial, source)
    if ObjectSet.of(digests_of(objects_of(source.state, chosen, held.state.serial))) != held.objects:
        notes.append(
            f"{registry}: the acknowledgement is of other objects than these up to serial {held.state.serial}; the "
            "pack is cut against the serial, and the far side asks for what it lacks (an inventory would tell)"
        )
        return Receiver(Base("serial", held.state.serial), None, _old(source, held.state))
    return Receiver(Base("acknowledgement", held.state.serial, base.id), None, _old(source, held.state))


def _check_serial(serial: int, source: Source) -> None:
    if serial > source.state.serial:
        registry = source.state.registry_id
        raise BaseUnreadableError(str(serial), f"{registry} is at serial {source.state.serial} here")


def _old(source: Source, state: HeldState) -> VerifiedState | None:
    return find_old_state(
        source.read, source.trusted_root, source.state.registry_id, state.serial, state.snapshot or None
    )
