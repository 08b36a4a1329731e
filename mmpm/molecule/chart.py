"""A molecule as it is looked at: steps with how they stand, and the lines between them.

Whatever can be seen (a proto, the records of a catalogue, a running molecule, a digest) becomes one `Chart`, from which
the terminal's tree (`drawing`), the waves and the pictures (`picture`) are made.

Rule: a chart need not be sound. Steps that wait for each other, or for what is not there, are shown and not refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mmpm.molecule.graph import check_graph, groups
from mmpm.molecule.readiness import View, ready
from mmpm.molecule.record_protos import step_of
from mmpm.molecule.state import is_failure
from mmpm.molecule.steps import Edge
from mmpm.molecule.transitions import has_run, is_over, next_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mmpm.molecule.catalogue import Catalogue
    from mmpm.molecule.digest import Digest, StepOutcome
    from mmpm.molecule.proto import Proto
    from mmpm.molecule.readiness import Hold, Outcome
    from mmpm.molecule.state import Molecule, StepRecord
    from mmpm.molecule.steps import Gate, Step

Standing: TypeAlias = Literal["template", "open", "ready", "in_progress", "closed", "failed", "skipped"]
LinkKind: TypeAlias = Literal["needs", "if-failed", "waits-for", "spawned"]

DIGEST: Final = "digest"
STANDINGS: Final[Mapping[str, str]] = {
    "template": "template",
    "ready": "ready",
    "in_progress": "in progress",
    "open": "open",
    "failed": "failed",
    "closed": "closed",
    "skipped": "skipped",
}
"""How a step can stand, in words; those somebody looks for first come first."""


@dataclass(frozen=True, slots=True)
class Node:
    """A step as it is looked at.

    Attributes:
        id: below the root.
        full_id: by which people name it.
        name: the last part of its id, below its parent; the full id where that is a number.
        parent: id of the step it is drawn below; empty for the root's.
        gate: what has to happen outside, in words; empty for nothing.
        waits: what it waits for, as in the seed: ``Needs: .1``.
        note: who is at it, or why it ended.
        since: since when somebody is at it; else empty.
        is_arm: whether it was bonded while the molecule ran.
    """

    id: str
    full_id: str
    name: str
    title: str = ""
    parent: str = ""
    gate: str = ""
    standing: Standing = "template"
    waits: tuple[str, ...] = ()
    note: str = ""
    since: str = ""
    is_arm: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One line of the graph: `step` comes after `on`.

    Attributes:
        kind: ``needs``; ``if-failed``; ``waits-for`` (for the children of `on`, or for the arm `on`); ``spawned``
            (`step` is an arm that hangs on `on`).
    """

    step: str
    on: str
    kind: LinkKind


@dataclass(frozen=True, slots=True)
class Chart:
    """What is to be drawn.

    Attributes:
        id: full id of the root.
        kind: a word for it: the record's type, ``workflow``, ``mol``, ``wisp``, ``digest``.
        state: of a molecule or digest; empty for a template.
        nodes: a parent before its children.
        links: in the order of their steps; both ends are among the nodes.
    """

    id: str
    kind: str
    title: str = ""
    state: str = ""
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    children: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def has_standings(self) -> bool:
        """Whether its steps stand somewhere: those of a template do not."""
        return bool(self.state)

    @property
    def ended(self) -> int:
        """How many steps have ended."""
        return sum(1 for node in self.nodes if node.standing in _ENDED)

    def counts(self) -> dict[str, int]:
        """Give how many steps stand how, in the order of `STANDINGS`; what none does is left out."""
        found = dict.fromkeys(STANDINGS, 0)
        for node in self.nodes:
            found[node.standing] += 1
        return {standing: count for standing, count in found.items() if count}

    def waves(self) -> tuple[tuple[str, ...], ...]:
        """Give the steps that may run at once, wave by wave; nothing where steps wait for each other.

        Arms stand after what they hang on, where that leads to no circle. A digest does not know who waited for whom.
        """
        if self.kind == DIGEST:
            return ()
        ids = [node.id for node in self.nodes]
        edges = self._edges()
        arms = [Edge(link.step, link.on, "blocks") for link in self.links if link.kind == "spawned"]
        for wanted in ([*edges, *arms], edges):
            try:
                return groups(ids, wanted)
            except ValueError:
                continue
        return ()

    def circle(self) -> str:
        """Say which steps wait for each other; empty where none do."""
        problems = check_graph([node.id for node in self.nodes], self._edges())
        return problems[0].sentence if problems else ""

    def _edges(self) -> list[Edge]:
        edges = [Edge(node.id, node.parent, "parent-child") for node in self.nodes if node.parent]
        return edges + [Edge(link.step, link.on, "blocks") for link in self.links if link.kind != "spawned"]

    def work(self) -> tuple[tuple[str, ...], ...]:
        """Give the waves without parents that only hold what is below them."""
        arms = {node.id for node in self.nodes if node.is_arm}
        holders = {one for one, below in self.children.items() if any(child not in arms for child in below)}
        kept = (tuple(step for step in wave if step not in holders) for wave in self.waves())
        return tuple(wave for wave in kept if wave)

    def flows(self) -> dict[str, str]:
        """Give for each parent, and the root (empty text), how its children run: the seed's words.

        ``single``, ``parallel`` (all may start at once), ``sequential`` (one after the other), else ``3 groups``.
        """
        if self.kind == DIGEST:
            return {}
        wave_of = {step: number for number, wave in enumerate(self.waves()) for step in wave}
        found: dict[str, str] = {}
        for parent, below in self.children.items():
            starts = {wave_of[child] for child in below if child in wave_of}
            if len(below) == 1:
                found[parent] = "single"
            elif len(starts) == 1:
                found[parent] = "parallel"
            elif len(starts) == len(below):
                found[parent] = "sequential"
            elif starts:
                found[parent] = f"{len(starts)} groups"
        return found

    def below(self, step: str, full_id: str) -> Chart:
        """Give what is below one step, as a chart of its own."""
        kept = {step}
        nodes = []
        for node in self.nodes:
            if node.parent in kept:
                kept.add(node.id)
                nodes.append(replace(node, parent="") if node.parent == step else node)
        kept.discard(step)
        links = (link for link in self.links if link.step in kept and link.on in kept)
        own = next((node for node in self.nodes if node.id == step), None)
        title = own.title if own else self.title
        return _chart(full_id, self.kind, title, self.state, nodes, links)


_ENDED: Final = frozenset({"closed", "failed", "skipped"})


def of_proto(proto: Proto) -> Chart:
    """Give a template's chart."""
    nodes = [
        _node(step, proto.name, gate=gate_words(step.gate), waits=tuple(_template_waits(step))) for step in proto.steps
    ]
    return _chart(proto.name, proto.kind, proto.title, "", nodes, _links_of(proto.steps))


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
    return _chart(record_id, record.issue_type, record.title, "", nodes, _links_of(steps))


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
    return _chart(molecule.id, molecule.phase, molecule.title, molecule.state, nodes, _links(molecule))


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
    return _chart(digest.id, DIGEST, digest.title, "squashed", nodes, ())


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


def _chart(  # noqa: PLR0917 - a chart's fields, in their order
    root: str, kind: str, title: str, state: str, nodes: Iterable[Node], links: Iterable[Link]
) -> Chart:
    known = tuple(nodes)
    children: dict[str, list[str]] = {}
    for node in known:
        children.setdefault(node.parent, []).append(node.id)
    present = {node.id for node in known}
    sound = dict.fromkeys(link for link in links if link.step in present and link.on in present)
    return Chart(root, kind, title, state, known, tuple(sound), children)


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
