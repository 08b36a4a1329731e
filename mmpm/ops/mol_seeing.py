"""What `mol show` and `mol graph` look at: a molecule of the catalogue, one that runs, a digest, a formula.

An operand is looked for in this order: a path is a formula's file; then the catalogue, as `mol list` has it; the
molecules of this root, running or ended; the digests; at last formulas by their names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mmpm.errors import MoleculeNotFoundError, NotFoundHereError, StepUnknownError
from mmpm.model.spelling import closest
from mmpm.molecule.events import is_molecule_id
from mmpm.molecule.picture.chart import STANDINGS, Chart, alone
from mmpm.molecule.picture.charting import of_catalogue, of_digest, of_molecule, of_proto
from mmpm.ops.mol_catalogue import ShownMolecule, show_molecule
from mmpm.ops.mol_cook import Dish, cook_formula
from mmpm.ops.mol_verify import against_log
from mmpm.plan import Plan, WriteFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmpm.molecule.beads.catalogue import Catalogue
    from mmpm.molecule.digest import Digest
    from mmpm.molecule.readiness import Outcome
    from mmpm.ops.mol_state import Address, Workspace

_FILES = (".toml", ".json")


@dataclass(frozen=True, slots=True)
class Running:
    """A molecule or step that has a log here.

    Attributes:
        others: how the molecules stand that it is connected to.
        standing: of the step, as `STANDINGS` names it; empty for a molecule.
        has_digest: whether its digest is here.
        doubts: what the digest says otherwise than the log that is shown, a sentence each.
    """

    address: Address
    now: str
    others: Mapping[str, Outcome]
    standing: str
    has_digest: bool
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A digest, or one step of it.

    Attributes:
        step: its id; empty for the whole.
        standing: of the step, as `STANDINGS` names it.
    """

    digest: Digest
    step: str
    standing: str = ""


Subject: TypeAlias = ShownMolecule | Dish | Running | Outcomes


@dataclass(frozen=True, slots=True)
class Seen:
    """What an operand names, and its chart.

    Attributes:
        chart: of all that is below it.
        alone: of a step that nothing is below; None for all else.
    """

    subject: Subject
    chart: Chart
    alone: Chart | None = None


def is_file(operand: str, cwd: str) -> bool:
    """Tell whether an operand names a formula by its path."""
    if operand.endswith(_FILES) or operand.startswith((".", "/")):
        return True
    return "/" in operand and os.path.exists(os.path.join(cwd, operand))


def see(operand: str, cwd: str, catalogue: Catalogue, workspace: Callable[[], Workspace]) -> Seen:
    """Find what an operand names.

    Args:
        operand: an id, a name, a path.
        cwd: absolute path of the working folder.
        catalogue: as `mol list` has it.
        workspace: gives the molecules of this root; only asked where the catalogue has no such record.

    Raises:
        MoleculeNotFoundError: nothing here is named so.
        MoleculeNotHereError, StepUnknownError: there is the molecule or its digest, and not the step.
        MoleculeLogError: its log or digest cannot be used.
        CookError, FormulaSyntaxError, FormulaInvalidError, PayloadRefusedError: a formula cannot be cooked.
    """
    if not is_file(operand, cwd) and catalogue.get(operand) is not None:
        return Seen(show_molecule(catalogue, operand), of_catalogue(catalogue, operand))
    here = workspace()
    if not is_file(operand, cwd):
        found = _at_work(operand, here) or _squashed(operand, here)
        if found is not None:
            return found
    try:
        dish = cook_formula(here.context, cwd, operand)
    except NotFoundHereError:
        known = [*(one.record.id for one in catalogue.templates()), *here.ids()]
        raise MoleculeNotFoundError(operand, closest(operand, known)) from None
    return Seen(dish, of_proto(dish.proto))


def _at_work(operand: str, workspace: Workspace) -> Seen | None:
    """Find a molecule or step with a log."""
    molecule_id = operand.partition(".")[0]
    if not is_molecule_id(molecule_id) or workspace.molecule(molecule_id) is None:
        return None
    address = workspace.address(operand)
    now = workspace.stamp("nobody").at
    others = workspace.others(address.molecule)
    chart = of_molecule(address.molecule, now, others)
    standing = next((STANDINGS[node.standing] for node in chart.nodes if node.id == address.step), "")
    digest = workspace.digest(molecule_id)
    doubts = () if digest is None else tuple(against_log(digest, address.molecule))
    running = Running(address, now, others, standing, digest is not None, doubts)
    return _part(running, chart, address.step, address.id)


def _squashed(operand: str, workspace: Workspace) -> Seen | None:
    """Find a digest, or a step of one."""
    molecule_id, _, step = operand.partition(".")
    digest = workspace.digest(molecule_id) if is_molecule_id(molecule_id) else None
    if digest is None:
        return None
    known = [one.step for one in digest.outcomes]
    if step and step not in known:
        raise StepUnknownError(step, molecule_id, closest(step, known))
    chart = of_digest(digest)
    standing = next((STANDINGS[node.standing] for node in chart.nodes if node.id == step), "")
    return _part(Outcomes(digest, step, standing), chart, step, operand)


def _part(subject: Subject, chart: Chart, step: str, full_id: str) -> Seen:
    if not step:
        return Seen(subject, chart)
    below = chart.below(step, full_id)
    return Seen(subject, below, None if below.nodes else alone(chart, step))


def plan_picture(path: str, data: bytes, *, force: bool) -> Plan:
    """Plan to write a picture.

    Args:
        path: absolute.
        data: of the file.
        force: write over a file that is there.
    """
    return Plan((WriteFiles(((path, data, 0o644),), overwrite=force),))
