"""The state of a molecule: the fold of its lines, and nothing else.

Rule: folding never refuses. Two branches of a repository may each have added lines to one log, and a person may have
edited it: an event that does not fit the state is left out and said (`Molecule.problems`); the first that fits holds.
What followed from such an event does not fit either: nothing is skipped of which no cause ended without failing, and no
parent ends before what it came with.
Time and memory grow with the lines; nothing recurses over steps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import printable, quoted
from mmpm.molecule.events import (
    ArmAdded,
    Bonded,
    Burned,
    Closed,
    Connected,
    EdgeAdded,
    Event,
    GateOpened,
    Provenance,
    Skipped,
    Squashed,
    Started,
    StepsAdded,
)
from mmpm.molecule.steps import Edge, edges_of
from mmpm.molecule.transitions import has_run, is_over, next_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmpm.molecule.lines import Line
    from mmpm.molecule.steps import Step

MAX_PROBLEMS: Final = 100
# The words of beads; whole words, so that "unblocked" is none of them.
_FAILURE = re.compile(
    r"\b(?:failed|failure|rejected|wont[ -]?fix|won't fix|cancell?ed|abandoned|blocked|error|timeout|aborted)\b",
    re.IGNORECASE,
)


def is_failure(reason: str) -> bool:
    """Tell whether a close reason says that the work failed."""
    return _FAILURE.search(reason) is not None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step and what became of it.

    Attributes:
        state: ``open``, ``in_progress``, ``closed`` or ``skipped``.
        added_at: the moment of its bond.
        started_at: empty until it was started; likewise `started_by`.
        closed_at: empty until it was closed or skipped; likewise `closed_by` and `reason`.
        is_gate_open: whether somebody opened its gate.
        added_needs: edges that came after its bond: (id, one of `events.INNER_EDGES`).
    """

    step: Step
    state: str = "open"
    added_at: str = ""
    started_at: str = ""
    started_by: str = ""
    closed_at: str = ""
    closed_by: str = ""
    reason: str = ""
    is_gate_open: bool = False
    added_needs: tuple[tuple[str, str], ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of the steps that must be over before it starts."""
        if not self.added_needs:
            return self.step.needs
        return (*self.step.needs, *(on for on, kind in self.added_needs if kind == "blocks"))

    @property
    def if_failed(self) -> tuple[str, ...]:
        """Ids of the steps that must have failed before it starts."""
        if not self.added_needs:
            return self.step.if_failed
        return (*self.step.if_failed, *(on for on, kind in self.added_needs if kind == "conditional-blocks"))


def did_not_fail(record: StepRecord) -> bool:
    """Tell whether a step has ended without failing: what runs only after its failure never will."""
    return is_over(record.state) and not (has_run(record.state) and is_failure(record.reason))


@dataclass(frozen=True, slots=True)
class Arm:
    """What was bonded to a running molecule: see `events.ArmAdded`."""

    provenance: Provenance
    values: Mapping[str, str]
    spawners: tuple[str, ...]
    at: str
    actor: str


@dataclass(frozen=True, slots=True)
class Molecule:
    """A molecule as it stands.

    Attributes:
        state: ``flowing``, ``squashed`` or ``burned`` (``none`` before its first line).
        steps: by id below the molecule, in the order in which they came: a parent before its children.
        children: ids directly below an id; those of the root under the empty text.
        arms: by the id of their root step.
        spawned: ids of arms that the fan-out gates of a step wait for, by that step, beside its children.
        connections: to other molecules.
        root: of its digest; empty until it is squashed.
        problems: what was left out of its log, at most `MAX_PROBLEMS` sentences.
    """

    id: str = ""
    phase: str = "mol"
    state: str = "none"
    provenance: Provenance = field(default_factory=lambda: Provenance(""))
    title: str = ""
    description: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, StepRecord] = field(default_factory=dict)
    children: Mapping[str, Sequence[str]] = field(default_factory=dict)
    arms: Mapping[str, Arm] = field(default_factory=dict)
    spawned: Mapping[str, Sequence[str]] = field(default_factory=dict)
    connections: tuple[Connected, ...] = ()
    bonded_at: str = ""
    bonded_by: str = ""
    ended_at: str = ""
    ended_by: str = ""
    root: str = ""
    problems: tuple[str, ...] = ()

    def full_id(self, step: str) -> str:
        """Give the id by which people name a step; of the empty text the molecule's own."""
        return f"{self.id}.{step}" if step else self.id

    def step_of(self, full_id: str) -> str | None:
        """Give the id below this molecule; the empty text for its own; None where it names nothing here."""
        if full_id == self.id:
            return ""
        step = full_id.removeprefix(f"{self.id}.")
        return step if step != full_id and step in self.steps else None

    def edges(self) -> tuple[Edge, ...]:
        """Every line of its graph as it stands now, the arms that gates wait for among them."""
        found = list(edges_of(tuple(record.step for record in self.steps.values())))
        for step_id, record in self.steps.items():
            found.extend(
                Edge(step_id, on, "blocks" if kind == "blocks" else "conditional-blocks")
                for on, kind in record.added_needs
            )
            for wait in record.step.waits_for:
                found.extend(Edge(step_id, arm, "blocks") for arm in self.spawned.get(wait.spawner, ()))
        return tuple(found)


def fold(lines: Iterable[Line]) -> Molecule:
    """Give the state after all lines, in their order; a molecule of state ``none`` where there are none."""
    folding = _Folding(Molecule())
    for line in lines:
        folding.take(line)
    return folding.molecule()


def fold_with_effects(lines: Iterable[Line]) -> tuple[Molecule, tuple[bool, ...]]:
    """Give the state after all lines, and for each line whether it changed anything but `problems`."""
    folding = _Folding(Molecule())
    effects: list[bool] = []
    for line in lines:
        folding.has_changed = False
        folding.take(line)
        effects.append(folding.has_changed)
    return folding.molecule(), tuple(effects)


def apply(molecule: Molecule, line: Line) -> Molecule:
    """Give the state after one more line. Costs a copy of the tables: for many lines `fold` is right."""
    folding = _Folding(molecule)
    folding.take(line)
    return folding.molecule()


class _Folding:
    """A molecule whose tables are still being written; `has_changed` says that something was, since it was reset."""

    def __init__(self, start: Molecule) -> None:
        self.has_changed = False
        self._head = start
        self._steps = dict(start.steps)
        self._children = {parent: list(ids) for parent, ids in start.children.items()}
        self._arms = dict(start.arms)
        self._spawned = {step: list(arms) for step, arms in start.spawned.items()}
        self._problems = list(start.problems)
        # Of any number, each once, in their order: tuples would be copied for every one more.
        self._connections = dict.fromkeys(start.connections)
        self._needs: dict[str, dict[tuple[str, str], None]] = {}
        self._left: dict[str, int] = {}  # by parent, once asked: children it came with that have not ended
        self._only_after: dict[str, list[str]] | None = None  # once asked: by cause, what runs only if it fails
        self._spared: set[str] = set()  # of these a cause ended without failing

    def molecule(self) -> Molecule:
        for step_id, needs in self._needs.items():
            self._steps[step_id] = replace(self._steps[step_id], added_needs=tuple(needs))
        self._needs.clear()
        return replace(
            self._head,
            connections=tuple(self._connections),
            steps=self._steps,
            children=self._children,
            arms=self._arms,
            spawned=self._spawned,
            problems=tuple(self._problems),
        )

    def take(self, line: Line) -> None:
        for event in line.events:
            problem = self._event(event, line)
            if problem and len(self._problems) < MAX_PROBLEMS:
                did = f"{printable(line.operation)} by {printable(line.actor)} at {line.at}"
                self._problems.append(f"{did} does not count: {problem}")
            if problem and isinstance(event, Bonded):
                return  # what would come with it is another molecule's

    def _event(self, event: Event, line: Line) -> str:
        """Take one event in; give a sentence where it does not fit."""
        if isinstance(event, Bonded):
            return self._bonded(event, line)
        verb = "squash" if isinstance(event, Squashed) else "burn" if isinstance(event, Burned) else "work"
        after = next_state(self._head.state, verb)
        if after is None:
            return f"nothing can be done here: the molecule is {self._head.state}"
        match event:
            case StepsAdded():
                return self._added(event, line)
            case ArmAdded():
                return self._arm(event, line)
            case EdgeAdded():
                return self._edge(event)
            case Connected():
                self.has_changed = self.has_changed or event not in self._connections
                self._connections[event] = None
            case Started():
                return self._step(event.step, "start", started_at=line.at, started_by=line.actor)
            case Closed():
                left = self._open_below(event.step)
                if left:
                    return f"{left} of the children that {quoted(event.step)} came with are open"
                return self._over(event.step, "close", event.reason, line)
            case Skipped():
                if not self._is_spared(event.step):
                    return f"nothing that {quoted(event.step)} runs after has ended without failing"
                return self._over(event.step, "skip", event.reason, line)
            case GateOpened():
                return self._step(event.step, "open-gate", is_gate_open=True)
            case Squashed():
                self._set(state=after, root=event.root, ended_at=line.at, ended_by=line.actor)
            case Burned():
                self._set(state=after, ended_at=line.at, ended_by=line.actor)
        return ""

    def _set(self, **changes: object) -> None:
        self._head = replace(self._head, **changes)  # type: ignore[arg-type]  # names of its fields
        self.has_changed = True

    def _bonded(self, event: Bonded, line: Line) -> str:
        after = next_state(self._head.state, "bond")
        if after is None:
            return "it is bonded already"
        self._set(
            **{name: getattr(event, name) for name in ("id", "phase", "provenance", "title", "description", "values")},
            state=after,
            bonded_at=line.at,
            bonded_by=line.actor,
        )
        return ""

    def _added(self, event: StepsAdded, line: Line) -> str:
        for step in event.steps:
            if step.id in self._steps:
                return f"there are two steps {quoted(step.id)}"
            if step.parent and step.parent not in self._steps:
                return f"{quoted(step.id)} has no parent {quoted(step.parent)}"
            self._steps[step.id] = StepRecord(step, added_at=line.at)
            self.has_changed = True
            self._children.setdefault(step.parent, []).append(step.id)
            if step.parent in self._left:
                self._left[step.parent] += 1
            for cause in step.if_failed:
                self._runs_after(step.id, cause)
        return ""

    def _arm(self, event: ArmAdded, line: Line) -> str:
        if event.step not in self._steps or event.step in self._arms:
            return f"{quoted(event.step)} is not a new arm"
        self.has_changed = True
        self._arms[event.step] = Arm(event.provenance, event.values, event.spawners, line.at, line.actor)
        record = self._steps[event.step]
        if record.step.parent in self._left and not is_over(record.state):
            self._left[record.step.parent] -= 1
        for spawner in event.spawners:
            self._spawned.setdefault(spawner, []).append(event.step)
        return ""

    def _edge(self, event: EdgeAdded) -> str:
        if event.on not in self._steps:
            return f"there is no step {quoted(event.on)}"
        problem = self._step(event.step, "wait")
        if problem:
            return problem
        if event.step not in self._needs:
            self._needs[event.step] = dict.fromkeys(self._steps[event.step].added_needs)
        needs = self._needs[event.step]
        self.has_changed = self.has_changed or (event.on, event.edge) not in needs
        needs[event.on, event.edge] = None
        if event.edge == "conditional-blocks":
            self._runs_after(event.step, event.on)
        return ""

    def _over(self, step_id: str, verb: str, reason: str, line: Line) -> str:
        problem = self._step(step_id, verb, closed_at=line.at, closed_by=line.actor, reason=reason)
        if not problem:
            parent = self._steps[step_id].step.parent
            if parent in self._left and step_id not in self._arms:
                self._left[parent] -= 1
            if self._only_after is not None:
                self._spare_after(step_id)
        return problem

    def _open_below(self, step_id: str) -> int:
        """Give how many of the children that a step came with have not ended."""
        if step_id not in self._left:
            below = self._children.get(step_id, ())
            self._left[step_id] = sum(
                1 for one in below if one not in self._arms and not is_over(self._steps[one].state)
            )
        return self._left[step_id]

    def _is_spared(self, step_id: str) -> bool:
        """Tell whether a step need not run: what it was to run after did not fail, or its parent was skipped."""
        if self._only_after is None:
            self._only_after = {}
            for one, record in self._steps.items():
                for cause in (*record.if_failed, *(on for on, kind in self._needs.get(one, ()) if kind != "blocks")):
                    self._only_after.setdefault(cause, []).append(one)
            for cause in self._only_after:
                self._spare_after(cause)
        found = self._steps.get(step_id)
        if found is None or step_id in self._spared:
            return True
        above = self._steps.get(found.step.parent)
        return above is not None and is_over(above.state) and not has_run(above.state)

    def _runs_after(self, step_id: str, cause: str) -> None:
        if self._only_after is not None:
            self._only_after.setdefault(cause, []).append(step_id)
            ended = self._steps.get(cause)
            if ended is not None and did_not_fail(ended):
                self._spared.add(step_id)

    def _spare_after(self, cause: str) -> None:
        """Note what need not run where this has ended without failing."""
        assert self._only_after is not None, "made by who asks first"
        waiting, ended = self._only_after.get(cause), self._steps.get(cause)
        if waiting and ended is not None and did_not_fail(ended):
            self._spared.update(waiting)

    def _step(self, step_id: str, verb: str, **changes: object) -> str:
        found = self._steps.get(step_id)
        if found is None:
            return f"there is no step {quoted(step_id)}"
        after = next_state(found.state, verb)
        if after is None:
            return f"{quoted(step_id)} is {found.state}"
        made = replace(found, state=after, **changes)  # type: ignore[arg-type]  # names of its fields
        self.has_changed = self.has_changed or made != found
        self._steps[step_id] = made
        return ""
