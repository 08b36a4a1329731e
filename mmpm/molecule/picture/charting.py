"""Charts of all that can be seen: a proto, the records of a catalogue, a molecule as it stands, a digest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.molecule.beads.protos import step_of
from mmpm.molecule.picture.chart import DIGEST, Chart, Link, Node, Standing, make_chart
from mmpm.molecule.readiness import View, ready
from mmpm.molecule.state import is_failure
from mmpm.molecule.transitions import has_run, is_over, next_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mmpm.molecule.beads.catalogue import Catalogue
    from mmpm.molecule.digest import Digest, StepOutcome
    from mmpm.molecule.proto import Proto
    from mmpm.molecule.readiness import Hold, Outcome
    from mmpm.molecule.state import Molecule, StepRecord
    from mmpm.molecule.steps import Gate, Step


def of_proto(proto: Proto) -> Chart:
    """Give a template's chart."""
    nodes = [
        _node(step, proto.name, gate=gate_words(step.gate), waits=tuple(_template_waits(step))) for step in proto.steps
    ]
    return make_chart(proto.name, proto.kind, proto.title, "", nodes, _links_of(proto.steps))


def of_catalogue(catalogue: Catalogue, record_id: str) -> Chart:
    """Give the chart of a record and all below it, sound or not; steps of another layer are marked."""
    names: dict[str, str] = {}
    taken: set[str] = {""}
    parents: list[str] = []
    rows = []
    root = None
    for depth, entry in catalogue.tree(record_id):
        del parents[depth:]
        if root is None:
            root = entry
            names[record_id] = ""
        else:
            names[entry.record.id] = _free(entry.record.id.removeprefix(f"{record_id}."), taken)
            rows.append((entry, parents[-1]))
        parents.append(names[entry.record.id])
    if root is None:
        raise KeyError(record_id)
    steps: list[Step] = []
    nodes: list[Node] = []
    for entry, parent in rows:
        step = step_of(entry.record, parent, names, record_id)
        steps.append(step)
        also = f", over {', '.join(entry.overrides)}" if entry.overrides else ""
        node = _node(step, record_id, gate=gate_words(step.gate), waits=tuple(_template_waits(step)))
        full_id = entry.record.id
        nodes.append(
            replace(
                node,
                full_id=full_id,
                name=full_id if node.name == node.full_id else node.name,
                note=f"({entry.layer}{also})" if entry.layer != root.layer else "",
            )
        )
    record = root.record
    return make_chart(record_id, record.issue_type, record.title, "", nodes, _links_of(steps))


def of_molecule(molecule: Molecule, now: str, others: Mapping[str, Outcome] | None = None) -> Chart:
    """Give a molecule's chart as it stands.

    Args:
        molecule: running or ended.
        now: the moment, as timers see it.
        others: how the molecules stand that this one is connected to.
    """
    view = View(molecule, now, others)
    may_start = {one.id for one in ready(molecule, now, others)}
    nodes = []
    for step_id, record in molecule.steps.items():
        standing = _standing(record, is_ready=step_id in may_start)
        nodes.append(
            replace(
                _node(record.step, molecule.id, gate=gate_words(record.step.gate, is_open=record.is_gate_open)),
                standing=standing,
                waits=tuple(_holds(record.step, view.own_holds(record))) if standing == "open" else (),
                note=_note(record, standing),
                since=record.started_at if standing == "in_progress" else "",
                is_arm=step_id in molecule.arms,
            )
        )
    return make_chart(molecule.id, molecule.phase, molecule.title, molecule.state, nodes, _links(molecule))


def of_digest(digest: Digest) -> Chart:
    """Give the chart of what is left of a molecule: its steps and their outcomes; who waited for whom is gone."""
    known: set[str] = set()
    arms = {arm.step for arm in digest.arms}
    nodes = []
    for one in digest.outcomes:
        parent = one.step.rpartition(".")[0]
        while parent and parent not in known:
            parent = parent.rpartition(".")[0]
        known.add(one.step)
        name = one.step.removeprefix(f"{parent}.") if parent else one.step
        full_id = f"{digest.id}.{one.step}"
        nodes.append(
            Node(
                id=one.step,
                full_id=full_id,
                name=full_id if name.isdecimal() else name,
                title=one.title,
                parent=parent,
                standing=_ended_as(one),
                note=one.reason if one.has_failed or not one.has_run else "",
                is_arm=one.step in arms,
            )
        )
    return make_chart(digest.id, DIGEST, digest.title, "squashed", nodes, ())


def _free(name: str, taken: set[str]) -> str:
    """Give an id that no other step has: where a record's does not begin with its root's, two may come to the same."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}#{number}", number + 1
    taken.add(free)
    return free


def gate_words(gate: Gate | None, *, is_open: bool = False) -> str:
    """Give a gate in words: ``human approval``, ``timer 30m``, ``mail (open)``."""
    if gate is None:
        return ""
    opened = "(open)" if is_open else ""
    return " ".join(part for part in (gate.kind, gate.id, gate.timeout, gate.condition, opened) if part)


def _node(step: Step, root: str, *, gate: str = "", waits: tuple[str, ...] = ()) -> Node:
    name = step.id.removeprefix(f"{step.parent}.") if step.parent else step.id
    full_id = f"{root}.{step.id}"
    return Node(
        id=step.id,
        full_id=full_id,
        name=full_id if name.isdecimal() else name,
        title=step.title,
        parent=step.parent,
        gate=gate,
        waits=waits,
    )


def _links_of(steps: Iterable[Step]) -> Iterator[Link]:
    for step in steps:
        yield from (Link(step.id, need, "needs") for need in step.needs)
        yield from (Link(step.id, cause, "if-failed") for cause in step.if_failed)
        yield from (Link(step.id, wait.spawner, "waits-for") for wait in step.waits_for)


def _links(molecule: Molecule) -> Iterator[Link]:
    for step_id, record in molecule.steps.items():
        yield from (Link(step_id, need, "needs") for need in record.needs)
        yield from (Link(step_id, cause, "if-failed") for cause in record.if_failed)
        for wait in record.step.waits_for:
            yield Link(step_id, wait.spawner, "waits-for")
            yield from (Link(step_id, arm, "waits-for") for arm in molecule.spawned.get(wait.spawner, ()))
        arm = molecule.arms.get(step_id)
        if arm is not None:
            yield from (Link(step_id, spawner, "spawned") for spawner in arm.spawners)


def _template_waits(step: Step) -> Iterator[str]:
    if step.needs:
        yield f"Needs: {_short(step.needs)}"
    if step.if_failed:
        yield f"IfFailed: {_short(step.if_failed)}"
    for wait in step.waits_for:
        yield f"WaitsFor: {wait.gate} of .{wait.spawner}"
    if step.gate is not None:
        yield f"Gate: {gate_words(step.gate)}"
    if step.condition:
        yield f"If: {step.condition}"


def _holds(step: Step, holds: Iterable[Hold]) -> Iterator[str]:
    """Give what still holds a step, in the words of `_template_waits`."""
    by_kind: dict[str, list[Hold]] = {}
    for hold in holds:
        by_kind.setdefault(hold.kind, []).append(hold)
    for kind, found in by_kind.items():
        on = tuple(hold.on for hold in found)
        if kind == "needs":
            yield f"Needs: {_short(on)}"
        elif kind == "if-failed":
            yield f"IfFailed: {_short(on)}"
        elif kind == "fan-out":
            for wait in step.waits_for:
                if wait.spawner in on:
                    yield f"WaitsFor: {wait.gate} of .{wait.spawner}"
        elif kind == "gate":
            yield f"Gate: {gate_words(step.gate)}"
        else:
            yield from map(str, found)


def _short(ids: Sequence[str], most: int = 12) -> str:
    """Give ids as in the seed, below the root: ``.1, .2``."""
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(f".{one}" for one in ids[:most]) + more


def _standing(record: StepRecord, *, is_ready: bool) -> Standing:
    if is_over(record.state):
        if not has_run(record.state):
            return "skipped"
        return "failed" if is_failure(record.reason) else "closed"
    if next_state(record.state, "start") is None:
        return "in_progress"
    return "ready" if is_ready else "open"


def _ended_as(outcome: StepOutcome) -> Standing:
    if is_over(outcome.state):
        return "failed" if outcome.has_failed else "closed" if outcome.has_run else "skipped"
    return "open" if next_state(outcome.state, "start") is not None else "in_progress"


def _note(record: StepRecord, standing: Standing) -> str:
    if standing == "in_progress":
        return f"by {record.started_by}"
    return record.reason if standing in {"failed", "skipped"} else ""
