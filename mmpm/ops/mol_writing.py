"""Records that a person puts into the catalogue of a tier: a compound of two protos, a copy of a molecule."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from mmpm.errors import NotFoundHereError, PayloadRefusedError, RecordInTheWayError, UsageError
from mmpm.execute.install import begin_change
from mmpm.model.names import FormulaName
from mmpm.molecule.beads.catalogue import lines_of
from mmpm.molecule.beads.merging import merge
from mmpm.molecule.beads.records import Record
from mmpm.ops.fragments import read_catalogue_text
from mmpm.ops.mol_cook import Kitchen
from mmpm.plan import Plan, WriteText
from mmpm.project.files import content_id, real_path
from mmpm.project.mol_files import FILE
from mmpm.project.tiers import TIERS
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.execute.context import Context

_LAYERS: Final = ("built-in", "town", "user", "project")


def check_new_name(name: str, option: str) -> None:
    """Hold the name of a new molecule to what every command here finds again.

    Raises:
        UsageError: it is no name of a formula, or has a scope or a dot.
    """
    try:
        parsed = FormulaName.parse(name)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", "give a name such as mol-release") from None
    if parsed.scope is not None or "." in name:
        fact = f"{option}: {name}: a molecule of a catalogue has no scope, and dots are for its steps"
        raise UsageError(fact, "give a name such as mol-release")


def check_no_formula(context: Context, cwd: str, name: str, tier: str, remedy: str, *, may_hide: bool) -> None:
    """Hold the name of a new molecule of a tier's catalogue against the formulas that are found here.

    Args:
        context: its places say where the tiers are.
        cwd: absolute path of the working folder.
        name: of the molecule.
        tier: whose catalogue.
        remedy: how another name is given.
        may_hide: whether it may take the place of a formula of a later tier.

    Raises:
        RecordInTheWayError: a formula of that name would be found before it, or it before a formula.
    """
    try:
        found = Kitchen(context, cwd).find(name)
    except (NotFoundHereError, PayloadRefusedError):
        return
    if not found.tier or TIERS.index(found.tier) <= TIERS.index(tier):
        raise RecordInTheWayError(name, found.path, f"a formula is found first: {remedy}")
    if not may_hide:
        raise RecordInTheWayError(name, found.path, f"{remedy}, or take its place with --force")


def catalogue_path(context: Context) -> str:
    """Give the path of the catalogue of the tier of `context`."""
    return os.path.join(context.project.root, ".beads", FILE)


def plan_records(context: Context, records: Sequence[Record], *, force: bool = False, dry_run: bool = False) -> Plan:
    """Plan that the catalogue of the tier of `context` holds these records, all other lines byte for byte as they are.

    Args:
        context: its project is the tier.
        records: the molecule first, then what is below it.
        force: write over records of these ids, and take out all that is below the first.
        dry_run: read only.

    Raises:
        RecordInTheWayError: a record of the id is there, and `force` is not said.
        DocumentUnreadableError: the catalogue is no plain file, too large or no UTF-8.
        LeadsOutsideError: it is a link out of the project.
        UsageError: a record cannot be one.
    """
    if not dry_run:
        begin_change(context)
    path = catalogue_path(context)
    real_path(context.project, path)
    data = read_catalogue_text(path)
    wanted = {record.id: _line(record) for record in records}
    if len(wanted) != len(records):
        raise UsageError("two of its records would have one id")
    below = f"{records[0].id}."
    there = {one: line for one, line in _ids(data or b"") if one in wanted or one.startswith(below)}
    taken = [one for one in wanted if one in there]
    if taken and not force:
        raise RecordInTheWayError(taken[0], path, "take another name, or write over it with --force")
    ours = {one: str(ObjectId.of(line)) for one, line in there.items()}
    # What goes is taken out first: the order of lines is the order of steps that nothing else orders.
    merged = merge(merge(data or b"", ours, {}).data, {}, wanted)
    if merged.left:
        raise RecordInTheWayError(merged.left[0], f"{path} has it more than once", "take one of these lines out")
    text = WriteText("catalogue", path, merged.data.decode(), content_id(data))
    return Plan((text,) if merged.data != data else (), folder=context.project.formulas)


def hides(layer: str, tier: str) -> bool:
    """Tell whether a record of `layer` is found before one of `tier`."""
    return layer in _LAYERS and tier in _LAYERS and _LAYERS.index(layer) > _LAYERS.index(tier)


def _line(record: Record) -> bytes:
    line = record.to_bytes()
    try:
        Record.parse(line)
    except ValueError as error:
        raise UsageError(f"{record.id} cannot be a record: {error}") from None
    return line


def _ids(data: bytes) -> list[tuple[str, bytes]]:
    found = []
    for _, start, end in lines_of(data):
        line = data[start:end]
        try:
            found.append((Record.parse(line.strip()).id, line))
        except ValueError:
            continue
    return found
