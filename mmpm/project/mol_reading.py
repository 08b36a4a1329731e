"""Molecules read from a root: the fold of a log, with the digest that ends it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import MoleculeLogError
from mmpm.molecule.events import Burned, Squashed
from mmpm.molecule.heads import is_of_another
from mmpm.molecule.lines import Line
from mmpm.molecule.state import Molecule, apply, fold
from mmpm.molecule.transitions import is_live
from mmpm.project.mol_lines import open_log
from mmpm.project.mol_log import read_digest

if TYPE_CHECKING:
    from mmpm.project.mol_lines import LogLines
    from mmpm.project.mol_log import MolPlaces

ANOTHER: Final = "nothing was changed; move the digest away until the molecule here has ended, or that one's log"


@dataclass(frozen=True, slots=True)
class FoldedLog:
    """A molecule as its log alone has it.

    Attributes:
        molecule: what was left out of the log is in its `problems`.
        size, fingerprint: of the log's bytes as they were read.
        unread: the first line that could not be read, and why: nobody knows what it said; empty where there is none.
    """

    path: str
    molecule: Molecule
    size: int
    fingerprint: str
    unread: str = ""


def fold_log(path: str, molecule_id: str, phase: str) -> FoldedLog | None:
    """Read the log of a molecule; None where there is none, or nothing but what a killed writer left of its bond.

    Raises:
        MoleculeLogError: it cannot be used.
    """
    try:
        with open_log(path) as log:
            return fold_lines(log, path, molecule_id, phase) if log is not None else None
    except OSError as error:
        raise MoleculeLogError(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise MoleculeLogError(path, str(error)) from error


def fold_lines(log: LogLines, path: str, molecule_id: str, phase: str) -> FoldedLog | None:
    """Do as `fold_log` does with an open log.

    Raises:
        OSError: it cannot be read.
        ValueError: it grew beyond all measure.
        MoleculeLogError: it cannot be used.
    """
    molecule = fold(log)
    if log.newer:
        raise MoleculeLogError(path, log.newer, "install a newer mmpm; nothing was changed")
    if molecule.id != molecule_id:
        if not log.size and log.is_torn:
            return None
        raise MoleculeLogError(path, "it does not begin with the bond of that molecule")
    if molecule.phase != phase:
        raise MoleculeLogError(path, f"it is the log of a {molecule.phase} among those of {phase}s")
    molecule = replace(molecule, problems=(*log.problems, *molecule.problems))
    return FoldedLog(path, molecule, log.bytes_read, log.fingerprint, next(iter(log.problems), ""))


def read_molecule(places: MolPlaces, molecule_id: str) -> tuple[Molecule, FoldedLog] | None:
    """Give a molecule as it stands, and its log; None where it has none.

    Raises:
        MoleculeLogError: log or digest cannot be used.
    """
    for phase in ("mol", "wisp"):
        folded = fold_log(places.log(molecule_id, phase), molecule_id, phase)
        if folded is not None:
            return with_digest(places, folded.molecule), folded
    return None


def with_digest(places: MolPlaces, molecule: Molecule) -> Molecule:
    """Give a molecule squashed if it has a digest, whether its log says so or not.

    Raises:
        MoleculeLogError: the digest cannot be used.
    """
    digest = read_digest(places, molecule.id) if is_live(molecule.state) else None
    if digest is None:
        return molecule
    another = is_of_another(digest, molecule)
    if another:
        raise MoleculeLogError(places.digest(molecule.id), another, ANOTHER)
    return apply(molecule, Line(digest.completed_at, digest.actor, "squash", (Squashed(digest.root),)))


def burned_ids(log: LogLines) -> frozenset[str]:
    """Give the ids that an audit log tells of.

    Raises:
        OSError, ValueError: as reading a log.
    """
    return frozenset(event.id for line in log for event in line.events if isinstance(event, Burned))
