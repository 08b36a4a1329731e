"""The near side of a gap: packs cut from a registry's own tree, as `mirror export` cuts them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from far_side import reader_of

from mmpm.registry.mirror.selected import Mirror, MirroredRegistry
from mmpm.registry.mirror.selection import Selection, choose
from mmpm.registry.pack.contents import lay_out
from mmpm.registry.pack.format import Base
from mmpm.registry.pack.inventory import HeldState, Inventory
from mmpm.registry.pack.receiver import Receiver, find_old_state
from mmpm.registry.pack.volumes import PackSink
from mmpm.registry.pack.writing import Options, write_pack
from mmpm.registry.verified import VerifiedState

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.registry.mirror.origin import Believed


def cut_pack(
    tree: Path, registry_id: str, belief: Believed, base: bytes | int | None = None, only: tuple[str, ...] = ()
) -> bytes:
    """Give a pack of what the tree shows now.

    Args:
        tree: the registry's.
        registry_id: its id.
        belief: what the sender believes.
        base: an inventory's bytes, a serial, or None for a pack that needs nothing.
        only: requirements; none means everything.
    """
    read = reader_of(tree)
    root = belief.trusted_root(registry_id, read)
    state = VerifiedState.open(read, root, registry_id=registry_id)
    selection = Selection.of((), only)
    choice = choose({registry_id: state}, {registry_id: selection})
    receiver = _receiver(
        base, registry_id, lambda held: find_old_state(read, root, registry_id, held.serial, held.snapshot or None)
    )
    contents = lay_out(state, choice.chosen[registry_id], receiver)
    mirror = Mirror({registry_id: MirroredRegistry(selection, (), contents.roots[0])})
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pack")
        with PackSink(path, None) as sink:
            write_pack([contents], Options(mirror.to_bytes(), level=3), sink, spool=folder)
        return Path(path).read_bytes()


def _receiver(
    base: bytes | int | None, registry_id: str, find_old: Callable[[HeldState], VerifiedState | None]
) -> Receiver | None:
    if base is None or base == 0:
        return None
    if isinstance(base, int):
        return Receiver(Base("serial", base), None, find_old(HeldState(registry_id, base)))
    inventory = Inventory.parse(base)
    if not len(inventory.hashes):
        return None
    held = inventory.state_of(registry_id)
    return Receiver(Base("inventory", held.serial, inventory.id), inventory.hashes, find_old(held))


def inventory_of(mirror: Path, registry_id: str, *, as_filter: bool = False) -> bytes:
    """What `mirror inventory` writes on the far side."""
    from mmpm.registry.pack.stocktaking import take_stock

    tree = mirror / "mirrors" / registry_id
    return take_stock({registry_id: str(tree)}, as_filter=as_filter).inventory.to_bytes()
