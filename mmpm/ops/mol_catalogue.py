"""`mol list` and `mol show`: what the layers of the catalogue hold, read from this machine alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import MoleculeNotFoundError
from mmpm.model.spelling import closest
from mmpm.molecule.beads.catalogue import Catalogue, Entry, load
from mmpm.project.mol_files import read_layers

if TYPE_CHECKING:
    from mmpm.project.places import Places


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a tree.

    Attributes:
        depth: 0 for the molecule itself.
        is_last: whether no sibling follows.
    """

    depth: int
    entry: Entry
    is_last: bool


@dataclass(frozen=True, slots=True)
class ShownMolecule:
    """A molecule with all its steps.

    Attributes:
        rows: the molecule first, parents before their children, siblings in the order of their work.
    """

    entry: Entry
    rows: tuple[Row, ...]


def read_catalogue(places: Places, start: str, folder: str | None = None) -> Catalogue:
    """Read all layers that are there; what could not be read is among the problems.

    Args:
        places: the person's folders.
        start: absolute path of the working folder.
        folder: what `--project` says.
    """
    layers, unread = read_layers(places, start, folder)
    found = load(layers)
    return Catalogue(found.entries, (*unread, *found.problems), found.below)


def show_molecule(catalogue: Catalogue, record_id: str) -> ShownMolecule:
    """Give a molecule, or a step of one, and all below it.

    Raises:
        MoleculeNotFoundError: there is no such record, or a tombstone hides it.
    """
    entry = catalogue.get(record_id)
    if entry is None:
        known = [one.record.id for one in catalogue.templates()]
        raise MoleculeNotFoundError(record_id, closest(record_id, known))
    pairs = list(catalogue.tree(record_id))
    rows: list[Row] = []
    open_depths: set[int] = set()  # levels that a later row still stands on
    for depth, one in reversed(pairs):
        rows.append(Row(depth, one, depth not in open_depths))
        open_depths.discard(depth + 1)
        open_depths.add(depth)
    return ShownMolecule(entry, tuple(reversed(rows)))
