"""`mol bond P Q`: two protos as one, written as records into a catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import MoleculeRefusedError, RecordInTheWayError, UsageError
from mmpm.molecule.arranging import compound
from mmpm.molecule.beads.catalogue import Layer, load
from mmpm.molecule.beads.protos import of_records, to_records
from mmpm.ops.mol_catalogue import read_catalogue
from mmpm.ops.mol_cook import chosen_folder
from mmpm.ops.mol_writing import check_new_name, check_no_formula, hides, plan_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.execute.context import Context
    from mmpm.molecule.proto import Proto
    from mmpm.ops.mol_bond import Wish
    from mmpm.ops.mol_cook import Dish
    from mmpm.ops.mol_state import Workspace
    from mmpm.plan import Plan


def plan_compound(
    workspace: Workspace, context: Context, cwd: str, dishes: Sequence[Dish], wish: Wish, *, dry_run: bool
) -> tuple[Proto, Plan]:
    """Plan the compound of two protos as a molecule of the catalogue of the workspace's tier.

    Returns:
        The compound under its name, and the plan.

    Raises:
        UsageError: the name is none.
        RecordInTheWayError: the name means something already, and `wish.force` is not said; a formula that is found
            first is always in the way.
        MoleculeRefusedError, CookError: what comes of the two is no sound proto.
    """
    first, second = (dish.proto for dish in dishes)
    name = wish.name or default_name(first.name, second.name)
    try:
        check_new_name(name, "--as")
    except UsageError:
        if wish.name:
            raise
        raise UsageError(f"{name} cannot be the name of the compound", "give it one: `--as NAME`") from None
    tier = workspace.context.project.tier
    notes = [note for dish in dishes for note in dish.cooked.notes]
    entry = read_catalogue(context.places, cwd, chosen_folder(context)).get(name)
    if entry is not None and not wish.force:
        where = f"{entry.layer}, {entry.path}"
        raise RecordInTheWayError(name, where, "give another name with --as, or take its place with --force")
    if entry is not None and hides(entry.layer, tier):
        notes.append(f"{entry.layer} has a {name}, too, and that is found first")
    check_no_formula(context, cwd, name, tier, "give another name with --as", may_hide=wish.force)
    try:
        made = replace(compound(first, second, wish.connection or "sequential"), name=name)
    except ValueError as error:
        raise MoleculeRefusedError(f"{first.name} and {second.name} make no proto: {error}") from None
    records = to_records(made)
    # Read back before anything is written: what could not be bonded again is refused here.
    of_records(load([Layer(tier, name, b"\n".join(record.to_bytes() for record in records))]), name)
    plan = plan_records(workspace.context, records, force=wish.force, dry_run=dry_run)
    return made, replace(plan, notes=(*dict.fromkeys(notes), *plan.notes))


def default_name(first: str, second: str) -> str:
    """Give the usual name of a compound: ``mol-a`` and ``mol-b`` are ``mol-a-and-b``."""
    left, right = (name.rpartition("/")[2] for name in (first, second))
    return f"{left}-and-{right.removeprefix('mol-') if left.startswith('mol-') else right}"
