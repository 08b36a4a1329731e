"""`mol distill`: what a molecule turned out to be, as a formula of the tier, with its values back to variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import CookError, FileInTheWayError, MmpmError, MoleculeRefusedError, UsageError, printable
from mmpm.model.checksums import Checksum
from mmpm.model.formula import parse_formula
from mmpm.model.names import FormulaName
from mmpm.molecule.cook.cooking import cook
from mmpm.molecule.cook.inheritance import Ingredient
from mmpm.molecule.cook.uncooking import uncook
from mmpm.molecule.distilling import distill
from mmpm.molecule.proto import Proto, Source
from mmpm.ops.mol_catalogue import read_catalogue
from mmpm.ops.mol_cook import chosen_folder, cook_formula
from mmpm.plan import Plan, WriteFiles
from mmpm.project.files import read_project, real_path
from mmpm.project.tiers import TIERS
from mmpm.reconcile import FLAT_SUFFIX
from mmpm_store.errors import StoreError
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.context import Context
    from mmpm.molecule.events import Provenance
    from mmpm.molecule.state import Molecule
    from mmpm.ops.mol_state import Workspace


@dataclass(frozen=True, slots=True)
class Distillate:
    """A formula made of a molecule.

    Attributes:
        molecule: its id.
        proto: what cooking the formula gives.
        text: of the formula.
        path: absolute, of the file.
        values: that give the molecule's texts again.
    """

    molecule: str
    proto: Proto
    text: str
    path: str
    values: Mapping[str, str]
    plan: Plan


def plan_distill(
    workspace: Workspace, context: Context, cwd: str, operand: str, name: str, *, output: str | None, force: bool
) -> Distillate:
    """Plan the file of a formula that gives a molecule's work again.

    Args:
        workspace: of the root whose molecule it is; its tier gets the formula.
        context: where the protos that the molecule was bonded from are looked for.
        cwd: absolute path of the working folder.
        operand: id of a molecule, running or squashed.
        name: of the formula.
        output: absolute path of the file, instead of the tier's own.
        force: write over a file that is there; never over one that was installed.

    Raises:
        UsageError: the name is none, or has a scope, or the operand is a step.
        MoleculeNotHereError, MoleculeLogError: there is no such molecule, or it cannot be read.
        MoleculeRefusedError: only its digest is left, or no formula says what it became.
        FileInTheWayError: the file is there already.
    """
    molecule = _molecule(workspace, operand)
    try:
        if FormulaName.parse(name).scope is not None:
            raise UsageError(f"{name}: give a name without a scope", f"run `mmpm mol distill {operand} NAME`")
    except ValueError as error:
        raise UsageError(str(error)) from None
    path = output or _path_in_tier(workspace.context, name, force=force)
    namesake = () if output else _namesake(workspace.context, cwd, name)
    origins, notes = _origins(context, cwd, molecule)
    try:
        made = distill(molecule, name, origins)
        said = uncook(made.proto)
        text = _heading(molecule) + said.text
        data = text.encode()
        _check(data, name, said.proto)
    except (ValueError, CookError) as error:
        reason = error.fact if isinstance(error, CookError) else str(error)
        raise MoleculeRefusedError(
            f"no formula says what {molecule.id} became: {reason}", "write the formula by hand: `mmpm new` begins one"
        ) from None
    plan = Plan(
        (WriteFiles(((path, data, 0o644),), overwrite=force),),
        notes=(*namesake, *notes, *made.notes, *said.notes),
    )
    return Distillate(molecule.id, said.proto, text, path, made.values, plan)


def _molecule(workspace: Workspace, operand: str) -> Molecule:
    found = workspace.find(operand)
    if found is None:
        if "." not in operand and workspace.outcome(operand) is not None:
            raise MoleculeRefusedError(
                f"of {operand} nothing but its end is kept: the texts of its steps are gone",
                "distill a wisp before it is squashed or burned",
            )
        found = workspace.address(operand)
    if found.step:
        raise UsageError(
            f"{found.id} is a step: a formula is made of a whole molecule",
            f"run `mmpm mol distill {found.molecule.id} NAME`",
        )
    return found.molecule


def _path_in_tier(context: Context, name: str, *, force: bool) -> str:
    folder = context.project.formulas
    real_path(context.project, folder)
    path = os.path.join(folder, name + FLAT_SUFFIX)
    entries = read_project(context.project).receipt.entries
    if any(name == entry.installed_name for entry in entries):
        raise FileInTheWayError(path)
    if not force and os.path.lexists(path):
        raise FileInTheWayError(path)
    return path


def _namesake(context: Context, cwd: str, name: str) -> tuple[str, ...]:
    """Say whether a catalogue has a molecule of that name, and which of the two is found."""
    entry = read_catalogue(context.places, cwd, chosen_folder(context)).get(name)
    if entry is None:
        return ()
    is_hidden = entry.layer not in TIERS or TIERS.index(context.project.tier) <= TIERS.index(entry.layer)
    which = "this formula is found before it" if is_hidden else "that is found first"
    return (f"there is a molecule {name} in the {entry.layer} catalogue, and {which}",)


def _origins(context: Context, cwd: str, molecule: Molecule) -> tuple[dict[str, Proto], list[str]]:
    """Give the protos that a molecule and its arms were bonded from, by arm, and say which are not to be found."""
    found: dict[str, Proto] = {}
    known: dict[str, Proto | None] = {}
    notes: dict[str, None] = {}
    provenances = {"": molecule.provenance, **{step: arm.provenance for step, arm in molecule.arms.items()}}
    for step, provenance in provenances.items():
        if provenance.object_id not in known:
            known[provenance.object_id] = _origin(context, cwd, provenance)
        proto = known[provenance.object_id]
        if proto is not None:
            found[step] = proto
            continue
        about = f"{provenance.name} {provenance.version}".rstrip()
        notes[f"{about} as it was bonded is no longer here: defaults and choices of its variables are not known"] = None
    return found, list(notes)


def _origin(context: Context, cwd: str, provenance: Provenance) -> Proto | None:
    """Give a proto by its object id: from the store, else by cooking what has its name now."""
    try:
        wanted = ObjectId.parse(provenance.object_id)
    except ValueError:
        return None
    try:
        if context.store.has(wanted):
            return Proto.parse(context.store.read(wanted))
    except (StoreError, MmpmError, ValueError, OSError):
        pass  # the store is only one of two places
    try:
        proto = cook_formula(context, cwd, provenance.name).cooked.proto
    except (MmpmError, ValueError):
        return None
    return proto if proto.object_id == wanted else None


def _heading(molecule: Molecule) -> str:
    origin = molecule.provenance
    about = " ".join(text for text in (origin.name, origin.version, origin.checksum) if text)
    return f"# What {molecule.id} became, bonded from {printable(about, 300)} at {printable(molecule.bonded_at, 40)}.\n"


def _check(data: bytes, name: str, proto: Proto) -> None:
    """Cook the text: what a person will get is what was meant.

    Raises:
        ValueError, CookError: it is not.
    """
    try:
        formula = parse_formula(data, name + FLAT_SUFFIX)
    except MmpmError as error:
        raise ValueError(error.fact) from None
    source = Source(name, str(formula.version), str(Checksum.of(data)), "file")
    if cook(Ingredient(formula, source), lambda _: None).proto.graph_id != proto.graph_id:
        raise ValueError("its text would be cooked to something else")
