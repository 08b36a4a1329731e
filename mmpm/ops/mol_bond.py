"""`mol bond`, `pour`, `wisp`: work that begins, grows, waits for other work; and two protos made into one.

Rule: what the operands are decides what a bond does, and the table `_ALLOWED` which options then mean something; one
that means nothing is an error, never passed over. Protos are cooked before the root's lock is taken.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import MoleculeLogError, MoleculeRefusedError, ProtoNotFoundError, UsageError
from mmpm.molecule.answers import Refusal
from mmpm.molecule.arranging import left_out_by
from mmpm.molecule.bonding import Bond, attach, connect, order, pour
from mmpm.molecule.events import Bonded, StepsAdded, is_molecule_id
from mmpm.molecule.lines import parse_line
from mmpm.molecule.state import apply
from mmpm.molecule.variables import names_in
from mmpm.ops.mol_cook import cook_formula
from mmpm.ops.mol_state import Address, accepted, written
from mmpm.plan import AppendLine, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.context import Context
    from mmpm.molecule.answers import Change, Stamp
    from mmpm.molecule.proto import Proto
    from mmpm.ops.mol_cook import Dish
    from mmpm.ops.mol_state import Workspace

MAX_REF: Final = 256
MAX_NAMED: Final = 5  # placeholders in one warning
DRAWN: Final = "*"  # in a dry run, for the letters of an id that are drawn when it is done
_DRAWS: Final = 16
_ALLOWED: Final[dict[str, tuple[frozenset[str], str]]] = {
    "pour": (
        frozenset({"--wisp", "--var", "--ref", "--swap", "--without", "--preset"}),
        "where one proto is bonded",
    ),
    "attach": (
        frozenset({"--wisp", "--var", "--ref", "--type", "--swap", "--without", "--preset"}),
        "where a proto is bonded to a molecule",
    ),
    "connect": (frozenset({"--type"}), "where two molecules, or two steps, are bonded"),
    "compound": (frozenset({"--type", "--as", "--force"}), "where two protos become one"),
}
_STANDING: Final = {"sequential": "after {}", "parallel": "beside {}", "conditional": "only if {} fails"}
_ONLY_LATER: Final = {"--var", "--swap", "--without", "--preset", "--ref", "--wisp"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for, as it was typed.

    Attributes:
        operands: one or two.
        is_wisp: whether a wisp is to be made, and no mol.
        values: of variables.
        connection: one of `events.CONNECTIONS`; empty for what is usual.
        swaps: operands in the place of steps, by the step's id in the proto.
        preset: of a convoy: legs that it does not name are left out.
        name: of a compound proto.
        actor: empty for whoever runs the command.
    """

    operands: tuple[str, ...]
    is_wisp: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    ref: str = ""
    connection: str = ""
    swaps: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    preset: str = ""
    name: str = ""
    force: bool = False
    actor: str = ""

    @property
    def options(self) -> frozenset[str]:
        """The options that were given, as they are typed."""
        given = {
            "--wisp": self.is_wisp,
            "--var": self.values,
            "--ref": self.ref,
            "--type": self.connection,
            "--swap": self.swaps,
            "--without": self.without,
            "--preset": self.preset,
            "--as": self.name,
            "--force": self.force,
        }
        return frozenset(option for option, value in given.items() if value)


@dataclass(frozen=True, slots=True)
class Bonding:
    """What a bond comes to.

    Attributes:
        form: ``pour``, ``attach``, ``connect`` or ``compound``.
        id: the full id of what is new, or of what waits from now on; in a dry run it may end with `DRAWN`.
        phase: ``mol``, ``wisp``, or ``proto`` for a compound.
        title: of what is new; of a connection, what it says.
        steps: how many came.
        on: full id of what it was bonded to, of a compound the tier whose catalogue has it; empty for a pour.
        cause: full id of the step without whose failure it does not run; empty where it stands otherwise.
        connection: ``sequential``, ``parallel`` or ``conditional`` where it stands with another.
        is_drawn: whether the id holds letters that another run would draw otherwise.
    """

    form: str
    id: str
    phase: str
    title: str
    steps: int
    plan: Plan
    on: str = ""
    connection: str = ""
    is_drawn: bool = False
    cause: str = ""


def prepare_bond(workspace: Workspace, context: Context, cwd: str, wish: Wish, *, dry_run: bool = False) -> Bonding:
    """Plan what a bond of these operands is: see the forms in docs/molecules.md.

    Args:
        workspace: of the root whose molecules it is about; its lock is held when this comes back, but in a dry run.
        context: where formulas and molecules of the catalogue are looked for.
        cwd: absolute path of the working folder.
        wish: what a person asks for.
        dry_run: read only.

    Raises:
        UsageError: an option means nothing here, or the operands do not go together.
        ProtoNotFoundError, MoleculeNotHereError: an operand names nothing.
        CookError, VariablesRefusedError: a proto cannot be cooked or bonded with these values.
        MoleculeRefusedError: the molecule does not allow it.
    """
    if len(wish.ref) > MAX_REF:
        raise UsageError(f"--ref: a reference has at most {MAX_REF} characters")
    found = [workspace.find(operand) for operand in wish.operands]
    protos = [
        _dish(workspace, context, cwd, operand)
        for operand, address in zip(wish.operands, found, strict=True)
        if address is None
    ]
    here = [address for address in found if address is not None]
    if not protos and len(here) == 1:
        raise UsageError(
            f"{here[0].id} is a molecule already: bond it with another, or bond a proto to it",
            f"run `mmpm mol bond PROTO {here[0].id}`, or `mmpm mol bond {here[0].id} OTHER`",
        )
    form = "connect" if not protos else "attach" if here else "pour" if len(protos) == 1 else "compound"
    _check_options(wish, form)
    if form == "compound":
        from mmpm.ops.mol_compound import plan_compound

        whole, plan = plan_compound(workspace, context, cwd, protos, wish, dry_run=dry_run)
        kind = wish.connection or "sequential"
        tier = workspace.context.project.tier
        return Bonding(form, whole.name, "proto", whole.title, len(whole.steps), plan, tier, kind)
    notes = [note for dish in protos for note in dish.cooked.notes]
    bond = _bond_of(protos[0].proto, wish, _swaps(context, cwd, wish, notes)) if protos else None
    if bond is not None:
        notes += _odd_values(bond, wish.ref)
    if not dry_run:
        workspace.begin(makes=True)
    stamp = workspace.stamp(wish.actor or None)
    if bond is None:
        return _connected(workspace, [workspace.address(one) for one in wish.operands], wish.connection, stamp)
    if form == "pour":
        made = _poured(workspace, bond, wish, stamp, notes)
        if dry_run and made.is_drawn:
            made = _undrawn(made)
    else:
        made = _attached(workspace, workspace.address(here[0].id), bond, wish, stamp)
    actions = (workspace.keeping(bond.proto, made.id.partition(".")[0], made.phase), *made.plan.actions)
    return replace(made, plan=Plan(actions, notes=tuple(dict.fromkeys((*made.plan.notes, *notes)))))


def keep(workspace: Workspace, plan: Plan) -> None:
    """Tell the index what was bonded to molecules, so that nobody reads a long log again for one line."""
    for action in plan.actions:
        if isinstance(action, AppendLine) and not action.creates:
            before = workspace.molecule(action.id)
            assert before is not None, "what was bonded to is here"
            workspace.keep(apply(before, parse_line(action.data)), action.data)


def _dish(workspace: Workspace, context: Context, cwd: str, operand: str) -> Dish:
    """Cook what an operand names, or say what it is instead."""
    molecule_id = operand.partition(".")[0]
    if is_molecule_id(molecule_id) and ("-mol-" in molecule_id or "-wisp-" in molecule_id):
        if workspace.molecule(molecule_id) is None and workspace.outcome(molecule_id) is not None:
            raise MoleculeRefusedError(f"{molecule_id} has ended: nothing is bonded to it any more", "name another")
        try:
            return cook_formula(context, cwd, operand, None)
        except ProtoNotFoundError:
            workspace.address(operand)
    return cook_formula(context, cwd, operand, None)


def _bond_of(proto: Proto, wish: Wish, swaps: Mapping[str, Proto]) -> Bond:
    """Give what is bonded; a preset of a convoy leaves out the legs that it does not name.

    Raises:
        UsageError: a step is swapped twice.
        MoleculeRefusedError: there is no such preset, or a leg that it leaves out is to be swapped.
    """
    present = {step.id for step in proto.steps}

    def own(step: str) -> str:
        """Take a step's id as trees show it, too: with the proto's name, or with the dot alone."""
        below = step.removeprefix(proto.name)
        return below[1:] if step not in present and below.startswith(".") and below[1:] in present else step

    named = [own(step) for step in swaps]
    if len(set(named)) != len(named):
        raise UsageError("--swap: a step is swapped twice", "name each step once")
    swaps = dict(zip(named, swaps.values(), strict=True))
    left_by_hand = tuple(map(own, wish.without))
    if not wish.preset:
        return Bond(proto, wish.values, swaps, left_by_hand)
    try:
        left_out = left_out_by(proto, wish.preset)
    except ValueError as error:
        raise MoleculeRefusedError(str(error), f"`mmpm mol cook {proto.name}` names its presets") from None
    idle = [step for step in swaps if step in left_out]
    if idle:
        raise MoleculeRefusedError(
            f"--preset {wish.preset} leaves {idle[0]} out, and --swap names it", "leave one of them out"
        )
    return Bond(proto, wish.values, swaps, tuple(dict.fromkeys((*left_by_hand, *left_out))))


def _odd_values(bond: Bond, ref: str) -> list[str]:
    """Say which values nothing takes, and which texts keep a placeholder."""
    parts = [bond.proto, *bond.swaps.values()]
    declared = {one.name for part in parts for one in part.variables}
    used = dict.fromkeys(name for part in parts for name in part.names_used)
    notes = [
        f"--var {name}: nothing in {bond.proto.name} asks for it"
        for name in bond.values
        if name not in declared and name not in used and name not in names_in(ref)
    ]
    left = [f"{{{{{name}}}}}" for name in used if name not in declared and name not in bond.values]
    if left:
        more = f" and {len(left) - MAX_NAMED} more" if len(left) > MAX_NAMED else ""
        notes.append(
            f"{', '.join(left[:MAX_NAMED])}{more} stays in its texts: no --var gives it, and it is not declared"
        )
    return notes


def _check_options(wish: Wish, form: str) -> None:
    allowed, where = _ALLOWED[form]
    for option in sorted(wish.options - allowed):
        remedy = f"leave {option} out"
        if form == "compound" and option in _ONLY_LATER:
            remedy = f"give {option} when the compound is bonded: `mmpm mol bond NAME {option} ..`"
        raise UsageError(f"{option} means nothing {where}", remedy)


def _swaps(context: Context, cwd: str, wish: Wish, notes: list[str]) -> dict[str, Proto]:
    swaps = {}
    for step, operand in wish.swaps.items():
        dish = cook_formula(context, cwd, operand, None)
        notes += dish.cooked.notes
        swaps[step] = dish.proto
    return swaps


def _poured(workspace: Workspace, bond: Bond, wish: Wish, stamp: Stamp, notes: list[str]) -> Bonding:
    phase = "wisp" if wish.is_wisp else "mol"
    name = bond.proto.name
    if bond.proto.phase == "vapor" and phase == "mol":
        notes.append(f"{name} is made to be a wisp (its phase is vapor): `mmpm mol wisp {name}` makes one")
    if bond.proto.kind in {"aspect", "expansion"} and not bond.proto.steps:
        notes.append(f"{name} is an {bond.proto.kind}: it has no steps of its own, other formulas use it")
    for _ in range(_DRAWS):
        change = accepted(pour(bond, workspace.prefix, os.urandom(8).hex(), stamp, phase=phase, ref=wish.ref))
        if not _is_taken(workspace, change.id):
            break
        if wish.ref:
            raise MoleculeRefusedError(_taken(workspace, change.id), "give another --ref, or none")
    head = next(event for event in change.line.events if isinstance(event, Bonded))
    steps = _count(change)
    what = change.id if wish.ref else f"a new {phase}"
    sentence = f"bond {name} as {what}: {head.title}, {steps} step{'s' * (steps != 1)}"
    plan = _plan(workspace, change, phase, sentence, creates=True)
    return Bonding("pour", change.id, phase, head.title, steps, plan, is_drawn=not wish.ref)


def _undrawn(made: Bonding) -> Bonding:
    """Put `DRAWN` in the place of letters that will be drawn anew: nobody may wait for an id that never comes."""
    shown = f"{made.id.rpartition('-')[0]}-{DRAWN}"
    actions = tuple(replace(one, id=shown) if isinstance(one, AppendLine) else one for one in made.plan.actions)
    return replace(made, id=shown, plan=replace(made.plan, actions=actions))


def _attached(workspace: Workspace, parent: Address, bond: Bond, wish: Wish, stamp: Stamp) -> Bonding:
    molecule = parent.molecule
    if wish.is_wisp and molecule.phase != "wisp":
        raise UsageError(
            f"{molecule.id} is a {molecule.phase}, and what is bonded to it is of its phase",
            "leave --wisp out, or bond the proto by itself",
        )
    answer = attach(molecule, parent.step, bond, stamp, ref=wish.ref, connection=wish.connection)
    change = accepted(answer, molecule.id)
    added = next(event for event in change.line.events if isinstance(event, StepsAdded))
    full, title = molecule.full_id(change.step), added.steps[0].title
    plan = _plan(workspace, change, molecule.phase, f"bond {bond.proto.name} as {full}: {title}")
    plan = replace(plan, notes=molecule.problems)
    connection = wish.connection or ("parallel" if wish.ref else "sequential")
    cause = "".join(molecule.full_id(one) for one in added.steps[0].if_failed)
    return Bonding("attach", full, molecule.phase, title, _count(change), plan, parent.id, connection, cause=cause)


def _connected(workspace: Workspace, pair: list[Address], connection: str, stamp: Stamp) -> Bonding:
    """Let the second wait for the first, as bd has it."""
    first, second = pair
    said = connection or "sequential"
    if first.molecule.id == second.molecule.id:
        if not first.step or not second.step or first.step == second.step:
            raise UsageError(
                f"{first.id} and {second.id} cannot wait for each other: bond two molecules, or two steps of one",
                "a molecule ends with its steps, and they are ordered among themselves",
            )
        answer = order(second.molecule, second.step, first.step, said, stamp)
    elif first.step or second.step:
        raise UsageError(
            f"{first.id} and {second.id} are not of one molecule: steps wait for steps of their own one",
            f"bond the molecules: `mmpm mol bond {first.molecule.id} {second.molecule.id}`",
        )
    else:
        answer = _never(workspace, first, second, said) or connect(
            second.molecule, first.id, said, _links_from(workspace, first.id), stamp
        )
    change = accepted(answer, second.molecule.id)
    words = _STANDING[said].format(first.id)
    plan = _plan(workspace, change, second.molecule.phase, f"let {second.id} run {words}")
    plan = replace(plan, notes=second.molecule.problems)
    return Bonding("connect", second.id, second.molecule.phase, words, 0, plan, first.id, said)


def _never(workspace: Workspace, first: Address, second: Address, connection: str) -> Refusal | None:
    """Refuse to wait for the failure of what has ended without one."""
    outcome = workspace.outcome(first.id) if connection == "conditional" else None
    if outcome is None or not outcome.is_over or outcome.has_failed:
        return None
    return Refusal(f"{first.id} has ended without failing: {second.id} would never run")


def _links_from(workspace: Workspace, start: str) -> dict[str, tuple[str, ...]]:
    """Give what a molecule waits for, and what these wait for: a cycle through it is found without reading the rest."""
    found: dict[str, tuple[str, ...]] = {}
    waiting = [start]
    while waiting:
        current = waiting.pop()
        molecule = workspace.molecule(current)
        if molecule is None or current in found:
            continue
        found[current] = tuple(one.on for one in molecule.connections if one.connection != "parallel")
        waiting += found[current]
    return found


def _is_taken(workspace: Workspace, molecule_id: str) -> bool:
    """Tell whether an id has a meaning here: of what runs, of what was squashed, or of what the audit log knows."""
    try:
        return workspace.outcome(molecule_id) is not None
    except MoleculeLogError:
        return True


def _taken(workspace: Workspace, molecule_id: str) -> str:
    try:
        has_ended = workspace.molecule(molecule_id) is None or workspace.digest(molecule_id) is not None
    except MoleculeLogError:
        has_ended = False
    if has_ended:
        return f"{molecule_id} was given already, to a molecule that has ended: an id means one thing for good"
    return f"there is a molecule {molecule_id} already"


def _count(change: Change) -> int:
    return sum(len(event.steps) for event in change.line.events if isinstance(event, StepsAdded))


def _plan(workspace: Workspace, change: Change, phase: str, sentence: str, *, creates: bool = False) -> Plan:
    data = written(change.line, change.id, "shorten its texts, or the values")  # which its values may have made long
    action = AppendLine(workspace.places.root, change.id, phase, data, creates, sentence)
    return Plan((action,))
