"""How a molecule begins and grows: bonds of protos, and who waits for whom.

Rule: as in `lifecycle`, an operation gives one line, or says why not; it changes nothing and reads no clock. Values
that are missing or not allowed are raised as `VariablesRefusedError`, texts that grow too long as `CookError`: whoever
cooks says the same.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json
from mmpm.molecule.answers import Answer, Change, Refusal, Stamp, may, step_may
from mmpm.molecule.arranging import arranged, moved
from mmpm.molecule.cook.cooking import Bound, bound
from mmpm.molecule.events import (
    MAX_ROOT,
    ArmAdded,
    Bonded,
    Connected,
    EdgeAdded,
    Event,
    Provenance,
    StepsAdded,
    is_molecule_id,
)
from mmpm.molecule.graph import check_graph
from mmpm.molecule.lines import Line
from mmpm.molecule.readiness import View
from mmpm.molecule.state import Molecule, StepRecord, did_not_fail
from mmpm.molecule.steps import Edge, Step, edges_of, is_step_id
from mmpm.molecule.transitions import is_over, next_state
from mmpm.molecule.variables import substitute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmpm.molecule.proto import Proto

MAX_STEPS_OF_MOLECULE: Final = 250_000
_SHORT_REF: Final = "give another --ref; dots are for what is below a molecule"


@dataclass(frozen=True, slots=True)
class Bond:
    """What is to be bonded, and how.

    Attributes:
        values: as given; defaults are put in here.
        swaps: protos in the place of steps, by the step's id in the proto.
        without: ids of steps that are left out.
    """

    proto: Proto
    values: Mapping[str, str] = field(default_factory=dict)
    swaps: Mapping[str, Proto] = field(default_factory=dict)
    without: tuple[str, ...] = ()


def pour(bond: Bond, prefix: str, nonce: str, stamp: Stamp, *, phase: str = "mol", ref: str = "") -> Answer:
    """Make a mol, or with `phase` a wisp, of a proto: ``<prefix>-mol-<8 letters>``.

    Args:
        bond: what.
        prefix: of all ids of the rig.
        nonce: what makes two equal bonds two molecules.
        stamp: when and who.
        phase: ``mol`` or ``wisp``.
        ref: stands in the place of the letters, variables in it put in; whether the id is free is the caller's to say.
    """
    made = _made(bond)
    if isinstance(made, Refusal):
        return made
    provenance, done = made
    steps, values = done.proto.steps, dict(done.values)
    ending = substitute(ref, values)
    if not ref:
        known = canonical_json([stamp.at, stamp.actor, phase, provenance.to_dict(), values, nonce])
        ending = base64.b32encode(blake3(known).digest()[:5]).decode().lower()
    molecule_id = f"{prefix}-{phase}-{ending}"
    if not is_molecule_id(molecule_id):
        if ref and len(molecule_id) > MAX_ROOT:
            room = MAX_ROOT - len(molecule_id) + len(ending)
            reason = f"{quoted(ending)} cannot end the id of a molecule: it has more than {room} characters"
            return Refusal(reason, "give a shorter --ref")
        if ref:
            return Refusal(f"{quoted(ending)} cannot end the id of a molecule: letters, digits, - and _", _SHORT_REF)
        return Refusal(f"{quoted(prefix)} cannot begin the id of a molecule: letters, digits, - and _")
    head = Bonded(molecule_id, phase, provenance, done.proto.title or done.proto.name, done.proto.description, values)
    events: tuple[Event, ...] = (head, StepsAdded(steps)) if steps else (head,)
    return Change(molecule_id, Line(stamp.at, stamp.actor, "wisp" if phase == "wisp" else "pour", events, nonce))


def wisp(bond: Bond, prefix: str, nonce: str, stamp: Stamp, *, ref: str = "") -> Answer:
    """Make a wisp of a proto: ``<prefix>-wisp-<8 letters>``."""
    return pour(bond, prefix, nonce, stamp, phase="wisp", ref=ref)


def attach(molecule: Molecule, parent: str, bond: Bond, stamp: Stamp, *, ref: str = "", connection: str = "") -> Answer:
    """Bond a proto below a running molecule: an arm.

    Args:
        molecule: as it stands; the arm is of its phase.
        parent: id of the step it is to be below; empty for the root.
        bond: what.
        stamp: when and who.
        ref: last part of its id, variables in it put in; empty: the proto's name.
        connection: ``parallel`` (what an empty text with a `ref` is), ``sequential`` (after all that is below the
            parent now; an empty text without one) or ``conditional`` (only if the last of these fails).
    """
    refusal = may(molecule, "attach") or _takes_arms(molecule, parent)
    made = refusal or _made(bond)
    if isinstance(made, Refusal):
        return made
    provenance, done = made
    steps, values = done.proto.steps, dict(done.values)
    name = _free_name(molecule, parent, substitute(ref, values), bond.proto)
    if isinstance(name, Refusal):
        return name
    kind = connection or ("parallel" if ref else "sequential")
    beside = molecule.children.get(parent, ())
    if kind == "conditional" and not beside:
        return Refusal(f"nothing is below {molecule.full_id(parent)} whose failure {name} could wait for")
    never = _never_fails(molecule, beside[-1], name) if kind == "conditional" else None
    if never is not None:
        return never
    root = Step(
        id=name,
        title=done.proto.title or done.proto.name,
        description=done.proto.description,
        parent=parent,
        kind="epic" if steps else "task",
        needs=tuple(beside) if kind == "sequential" else (),
        if_failed=(beside[-1],) if kind == "conditional" else (),
        source=bond.proto.name,
    )
    spawners = _spawners(molecule, parent) if kind == "parallel" else ()
    added = (root, *moved(steps, name))
    refusal = _fits(molecule, added, spawners)
    if refusal is not None:
        return refusal
    events = (StepsAdded(added), ArmAdded(name, provenance, values, spawners))
    return Change(molecule.id, Line(stamp.at, stamp.actor, "attach", events), name)


def connect(molecule: Molecule, on: str, connection: str, links: Mapping[str, Iterable[str]], stamp: Stamp) -> Answer:
    """Let a molecule stand with another: after it, beside it, or only if it fails.

    Args:
        molecule: the one that waits.
        on: id of the other.
        connection: one of `events.CONNECTIONS`.
        links: for each molecule the ids of those it waits for.
        stamp: when and who.
    """
    refusal = may(molecule, "connect")
    if refusal is not None:
        return refusal
    if connection != "parallel":
        path = _path(on, molecule.id, links)
        if path:
            return Refusal(f"these would wait for each other: {' -> '.join((molecule.id, *path))}")
    event = Connected(on, connection)
    if event in molecule.connections:
        return Refusal(f"{molecule.id} and {on} are bonded so already")
    return Change(molecule.id, Line(stamp.at, stamp.actor, "connect", (event,)))


def order(molecule: Molecule, step: str, on: str, connection: str, stamp: Stamp) -> Answer:
    """Let a step wait for another of the same molecule: ``sequential`` or ``conditional``."""
    refusal = may(molecule, "connect") or step_may(molecule, step, "wait")
    if refusal is not None:
        return refusal
    if on not in molecule.steps:
        return Refusal(f"there is no step {quoted(molecule.full_id(on))}")
    if connection == "parallel":
        return Refusal("two steps are parallel where nothing else is said")
    kind = "blocks" if connection == "sequential" else "conditional-blocks"
    never = _never_fails(molecule, on, step) if kind != "blocks" else None
    if never is not None:
        return never
    record = molecule.steps[step]
    if on in (record.needs if kind == "blocks" else record.if_failed):
        words = "needs" if kind == "blocks" else "waits for the failure of"
        return Refusal(f"{quoted(step)} {words} {quoted(on)} already")
    edge = Edge(step, on, "blocks" if connection == "sequential" else "conditional-blocks")
    problems = check_graph(molecule.steps, (*molecule.edges(), edge))
    if problems:
        return Refusal(problems[0].sentence)
    return Change(molecule.id, Line(stamp.at, stamp.actor, "connect", (EdgeAdded(step, on, kind),)), step)


def _made(bond: Bond) -> tuple[Provenance, Bound] | Refusal:
    """Give what a bond comes to: where it is from, and the proto with all values put in."""
    try:
        chosen = arranged(bond.proto, bond.swaps, bond.without)
    except ValueError as error:
        return Refusal(str(error), f"`mmpm mol cook {bond.proto.name}` shows its steps")
    done = bound(chosen, bond.values)
    base = chosen.name.rpartition("/")[2]  # a release's name has its scope, a file's may not
    own = next((one.checksum for one in chosen.sources if one.name.rpartition("/")[2] == base), "")
    object_id = str(bond.proto.object_id)
    provenance = Provenance(chosen.name, chosen.version, own, object_id, chosen.sources, chosen.capabilities)
    return provenance, done


def _never_fails(molecule: Molecule, on: str, step: str) -> Refusal | None:
    """Refuse to let a step wait for the failure of one that has ended without one."""
    other = molecule.steps[on]
    if did_not_fail(other):
        return Refusal(f"{quoted(on)} has ended without failing: {quoted(step)} would never run")
    return None


def _takes_arms(molecule: Molecule, parent: str) -> Refusal | None:
    """Refuse an arm below a step that has ended, unless a gate over its children is still closed."""
    if not parent:
        return None
    record = molecule.steps.get(parent)
    if record is None:
        return Refusal(f"{molecule.id} has no step {quoted(parent)}")
    waiters = View(molecule, "").spawners().get(parent, ())
    if is_over(record.state) and not any(_waits(molecule.steps[one]) for one in waiters):
        return Refusal(f"{quoted(parent)} has ended, and nothing waits for its children any more")
    return None


def _waits(record: StepRecord) -> bool:
    return next_state(record.state, "wait") is not None


def _free_name(molecule: Molecule, parent: str, ref: str, proto: Proto) -> str | Refusal:
    """Give the id of an arm below the molecule."""
    stem = ref or proto.name.rpartition("/")[2]
    if not is_step_id(stem) or any(character in ":@#+" for character in stem):
        remedy = "give another --ref" if ref else "give it one: `--ref NAME`"
        return Refusal(f"{quoted(stem)} cannot be a reference: letters, digits, ., - and _", remedy)
    name = f"{parent}.{stem}" if parent else stem
    if name not in molecule.steps:
        return name
    if ref:
        return Refusal(f"there is {quoted(molecule.full_id(name))} already", "give another --ref")
    number = 2
    while f"{name}-{number}" in molecule.steps:
        number += 1
    return f"{name}-{number}"


def _spawners(molecule: Molecule, parent: str) -> tuple[str, ...]:
    """Give the steps beside the arm whose fan-out it is: those in progress, else all whose gate is still closed.

    The seed's patrol bonds its arms to the patrol itself, while the gate waits for the children of a step of it.
    """
    waiting = [
        spawner
        for spawner, waiters in View(molecule, "").spawners().items()
        if spawner in molecule.steps
        and molecule.steps[spawner].step.parent == parent
        and any(_waits(molecule.steps[one]) for one in waiters)
    ]
    live = [
        one
        for one in waiting
        if next_state(molecule.steps[one].state, "start") is None and not is_over(molecule.steps[one].state)
    ]
    return tuple(live or waiting)


def _fits(molecule: Molecule, added: tuple[Step, ...], spawners: Sequence[str]) -> Refusal | None:
    """Refuse steps whose ids are taken or too long, or that make a cycle."""
    for step in added:
        if step.id in molecule.steps:
            return Refusal(f"there is {quoted(molecule.full_id(step.id))} already", "give another --ref")
        if not is_step_id(step.id):
            return Refusal(f"{quoted(step.id)} cannot be an id: it is too long")
    ids = [*molecule.steps, *(step.id for step in added)]
    if len(ids) > MAX_STEPS_OF_MOLECULE:
        return Refusal(f"{molecule.id} would have more than {MAX_STEPS_OF_MOLECULE} steps")
    waiters = View(molecule, "").spawners()
    gates = [Edge(one, added[0].id, "blocks") for spawner in spawners for one in waiters[spawner]]
    problems = check_graph(ids, (*molecule.edges(), *edges_of(added), *gates))
    return Refusal(problems[0].sentence) if problems else None


def _path(start_id: str, goal: str, links: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Give a way from one molecule to another along what they wait for; nothing where there is none."""
    before: dict[str, str] = {start_id: ""}
    waiting = [start_id]
    while waiting:
        current = waiting.pop()
        if current == goal:
            path = [current]
            while before[path[-1]]:
                path.append(before[path[-1]])
            return tuple(reversed(path))
        for following in links.get(current, ()):
            if following not in before:
                before[following] = current
                waiting.append(following)
    return ()
