"""`mol fork`: a copy of a molecule of the catalogue that is a person's to edit, to bond and to publish."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import MmpmError, MoleculeNotFoundError, RecordInTheWayError, UsageError
from mmpm.molecule.beads.extras import KEY
from mmpm.molecule.beads.records import TEMPLATE
from mmpm.ops.mol_catalogue import read_catalogue, show_molecule
from mmpm.ops.mol_cook import Kitchen, chosen_folder
from mmpm.ops.mol_writing import catalogue_path, check_new_name, check_no_formula, hides, plan_records
from mmpm.plan import Plan, WriteFiles

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.molecule.beads.catalogue import Catalogue
    from mmpm.molecule.beads.records import Record


@dataclass(frozen=True, slots=True)
class Fork:
    """A copy of a molecule.

    Attributes:
        steps: how many records are below it.
        path: of the file that it is written to.
        overrides: the layer whose molecule it takes the place of; empty for a new id.
    """

    id: str
    title: str
    steps: int
    path: str
    overrides: str = ""


def plan_mol_fork(
    context: Context,
    cwd: str,
    name: str,
    new: str | None,
    output: str | None,
    *,
    force: bool = False,
    dry_run: bool = False,
) -> tuple[Fork, Plan]:
    """Plan a copy of a molecule, or of a step of one, and of all that is below it.

    Args:
        context: its project is the tier whose catalogue gets the copy.
        cwd: absolute path of the working folder.
        name: id of a record.
        new: id of the copy; None: its own ids stay.
        output: absolute path of a file that gets the copy instead of a catalogue; None: the catalogue.
        force: write over what is there.
        dry_run: read only.

    Raises:
        MoleculeNotFoundError: no catalogue has it.
        UsageError: it is a formula.
        RecordInTheWayError: the id means something already.
        UsageError: `new` cannot be an id.
        DocumentUnreadableError, LeadsOutsideError: as for `plan_records`.
    """
    catalogue = read_catalogue(context.places, cwd, chosen_folder(context))
    try:
        show_molecule(catalogue, name)
    except MoleculeNotFoundError:
        _refuse_formula(context, cwd, name)
        raise
    if new is not None:
        check_new_name(new, "NEW")
    # Into a file under its own id: as it is, for whoever publishes it.
    records = _copy(catalogue, name, new or name, is_fork=new is not None or output is None)
    tier = context.project.tier
    if output is not None:
        lines = b"".join(record.to_bytes() + b"\n" for record in records)
        plan = Plan((WriteFiles(((output, lines, 0o644),), overwrite=force),))
        return Fork(records[0].id, records[0].title or records[0].id, len(records) - 1, output), plan
    notes = []
    there = catalogue.get(new or name)
    if there is not None and not force and new not in (None, name):
        remedy = "give the copy another id, or take its place with --force"
        raise RecordInTheWayError(new or name, f"{there.layer}, {there.path}", remedy)
    if there is not None and there.layer == tier and not force:
        remedy = f"edit it there, or give the copy another id: `mmpm mol fork {name} NEW`"
        raise RecordInTheWayError(there.record.id, f"{tier}, {there.path}", remedy)
    is_own = new is None or new == name
    check_no_formula(context, cwd, new or name, tier, "give the copy another id", may_hide=force or is_own)
    if there is not None and hides(there.layer, tier):
        notes.append(f"{there.layer} has a {there.record.id}, too, and that is found first")
    plan = plan_records(context, records, force=force, dry_run=dry_run)
    overrides = there.layer if there is not None and there.layer != tier else ""
    path = catalogue_path(context)
    fork = Fork(records[0].id, records[0].title or records[0].id, len(records) - 1, path, overrides)
    return fork, replace(plan, notes=(*notes, *plan.notes))


def _refuse_formula(context: Context, cwd: str, name: str) -> None:
    """Say of a formula how it is copied.

    Raises:
        UsageError: `name` is one.
    """
    try:
        found = Kitchen(context, cwd).find(name)
    except MmpmError:
        return
    raise UsageError(
        f"{name} is a formula, and molecules of a catalogue are copied here",
        f"run `mmpm fork {name}` if it was installed, else copy its file: {found.path}",
    )


def _copy(catalogue: Catalogue, root: str, new: str, *, is_fork: bool) -> tuple[Record, ...]:
    """Give a record and all below it with ids below `new`; edges among them follow, the root's to others go."""
    found = [entry.record for _, entry in catalogue.tree(root)]
    names, taken = {root: new}, {new}
    for record in found[1:]:
        name = stem = f"{new}.{record.id.removeprefix(f'{root}.')}" if new != root else record.id
        number = 2
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        names[record.id] = name
    if not is_fork:
        return tuple(found)
    first = _marked(found[0], is_moved=new != root)
    return tuple(_renamed(record, names) for record in (first, *found[1:]))


def _marked(root: Record, *, is_moved: bool) -> Record:
    """Give the root of a fork: it says what it was made of, and is of no version any more; moved, it stands alone."""
    said = root.extra.get(KEY)
    version = said.get("version") if isinstance(said, dict) else None
    extra = {key: value for key, value in root.extra.items() if key != KEY}
    kept = {key: value for key, value in said.items() if key != "version"} if isinstance(said, dict) else said
    if kept:
        extra[KEY] = kept
    extra["forked_from"] = f"{root.id}@{version}" if isinstance(version, str) else root.id
    if not is_moved:
        return replace(root, extra=extra)
    below = f"{root.id}."
    edges = tuple(edge for edge in root.dependencies if edge.depends_on_id.startswith(below))
    return replace(root, labels=tuple(dict.fromkeys((TEMPLATE, *root.labels))), dependencies=edges, extra=extra)


def _renamed(record: Record, names: dict[str, str]) -> Record:
    edges = tuple(
        replace(
            edge,
            issue_id=names.get(edge.issue_id, edge.issue_id),
            depends_on_id=names.get(edge.depends_on_id, edge.depends_on_id),
        )
        for edge in record.dependencies
    )
    return replace(record, id=names[record.id], dependencies=edges)
