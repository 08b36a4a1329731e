"""What may run now, in which parallel groups, and why the rest may not.

Rule: there is one judgement, `holds_of`; what is ready is what nothing holds. One pass over the steps, a parent before
its children; a gate counts its children once, however many wait for it.

A gate over a spawner that has not ended is closed, also where there are no children yet: they may still come.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from mmpm.errors import quoted
from mmpm.molecule.state import Molecule, StepRecord, is_failure
from mmpm.molecule.transitions import has_run, is_live, is_over, next_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mmpm.molecule.events import Connected
    from mmpm.molecule.steps import WaitsFor

TIMER: Final = "timer"
_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?[smhdw])+", re.ASCII)
_PART = re.compile(r"([0-9.]+)([smhdw])")
_END_OF_TIME: Final = "9999-12-31T23:59:59Z"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How another molecule stands: whether it has ended, and whether it failed."""

    is_over: bool
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class ReadyStep:
    """A step that may be started.

    Attributes:
        id: below the molecule.
        group: id of the parent whose children may all run at once; empty for the root's.
    """

    id: str
    title: str
    group: str


@dataclass(frozen=True, slots=True)
class ReadyFor:
    """What may be started, and for which moments that is so while the log stays as it is.

    Attributes:
        since: the first of these moments.
        until: the first moment after them, when a timer ends; empty where there is none.
    """

    steps: tuple[ReadyStep, ...]
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """One thing that a step waits for.

    Attributes:
        kind: ``needs``, ``if-failed``, ``fan-out``, ``gate``, ``timer``, ``parent``, ``molecule``, ``state``,
            ``children``.
        on: id of what is waited for, or the gate's kind; may be empty.
        detail: the rest of the sentence.
    """

    kind: str
    on: str
    detail: str

    def __str__(self) -> str:
        """Give it as a sentence."""
        return self.detail


def ready(molecule: Molecule, now: str, others: Mapping[str, Outcome] | None = None) -> tuple[ReadyStep, ...]:
    """Give the steps that may be started, in the molecule's order.

    A step that came with children is not among them while one of these is open: it ends with the last.

    Args:
        molecule: as it stands.
        now: the moment, as timers see it.
        others: how the molecules stand that this one is connected to; one that is not there is taken as not ended.
    """
    if View(molecule, now, others).root_hold() is not None:
        return ()
    return ready_by_itself(molecule, now).steps


def ready_by_itself(molecule: Molecule, now: str) -> ReadyFor:
    """Give the steps that may be started if no other molecule holds this one, and for how long that stays so."""
    if not is_live(molecule.state):
        return ReadyFor(())
    view = View(molecule, now)
    found: list[ReadyStep] = []
    held: set[str] = set()
    for step_id, record in molecule.steps.items():
        if record.step.parent in held:
            held.add(step_id)  # also one that was started: what is below it waits with those above it
        elif next_state(record.state, "start") is None:
            continue
        elif next(view.own_holds(record), None) is not None:
            held.add(step_id)
        elif not (view.is_container(step_id) and view.open_children(step_id)):
            found.append(ReadyStep(step_id, record.step.title, record.step.parent))
    return ReadyFor(tuple(found), view.since, view.until)


def held_by_others(connections: Iterable[Connected], others: Mapping[str, Outcome]) -> Hold | None:
    """Give what holds a molecule because of those that it is connected to; None where nothing does.

    Args:
        connections: of the molecule.
        others: how the others stand; one that is not there is taken as not ended.
    """
    for one in connections:
        if not one.is_wait:
            continue
        other = others.get(one.on)
        if other is None:
            return Hold("molecule", one.on, f"the molecule {one.on} is not here, and nothing here tells how it ended")
        if not other.is_over:
            return Hold("molecule", one.on, f"the molecule {one.on} has not ended")
        if one.connection == "conditional" and not other.has_failed:
            return Hold("molecule", one.on, f"the molecule {one.on} did not fail, and this one runs only if it does")
    return None


def outcome_of(molecule: Molecule) -> Outcome:
    """Give how a molecule with a log stands: over once it ended, or all of its steps (at least one) have.

    One that was burned has failed, whatever became of its steps: it has no root of a digest.
    """
    records = molecule.steps.values()
    failed = any(has_run(one.state) and is_failure(one.reason) for one in records)
    if is_live(molecule.state):
        return Outcome(is_over=bool(records) and all(is_over(one.state) for one in records), has_failed=failed)
    is_left = not all(is_over(one.state) for one in records)
    return Outcome(is_over=True, has_failed=failed or is_left or not molecule.root)


def why_blocked(
    molecule: Molecule, step_id: str, now: str, others: Mapping[str, Outcome] | None = None
) -> tuple[Hold, ...]:
    """Give everything that keeps a step from being started; nothing where it is ready.

    Raises:
        KeyError: there is no such step.
    """
    record = molecule.steps[step_id]
    view = View(molecule, now, others)
    if next_state(record.state, "start") is None:
        return (Hold("state", step_id, f"{quoted(step_id)} is {record.state.replace('_', ' ')}"),)
    holds = list(view.holds_of(step_id))
    if not holds and view.is_container(step_id) and (left := view.open_children(step_id)):
        are = "is" if left == 1 else "are"
        holds.append(Hold("children", step_id, f"{left} of its children {are} open: it ends with the last of them"))
    return tuple(holds)


class View:
    """A molecule at a moment, with what was counted once.

    Attributes:
        since, until: the moments between which all timers that were looked at stand as they stand now; see `ReadyFor`.
    """

    def __init__(self, molecule: Molecule, now: str, others: Mapping[str, Outcome] | None = None) -> None:
        self._molecule = molecule
        self._now = now
        self._others = others or {}
        self._counts: dict[str, tuple[int, int, str]] = {}
        self._waiters: dict[str, list[str]] | None = None
        self._released: dict[str, str] = {}
        self.since = ""
        self.until = ""

    def recount(self) -> None:
        """Forget what was counted, for steps have ended since."""
        self._counts.clear()
        self._released.clear()

    def holds_of(self, step_id: str) -> Iterator[Hold]:
        """Give what holds a step: the molecule, those above it, itself."""
        root = self.root_hold()
        if root is not None:
            yield root
        record = self._molecule.steps[step_id]
        above = record.step.parent
        while above:
            parent = self._molecule.steps[above]
            # One that was started, or has ended, holds nobody.
            if next_state(parent.state, "start") is not None:
                first = next(self.own_holds(parent), None)
                if first is not None:
                    yield Hold("parent", above, f"its parent {quoted(above)} waits: {first}")
            above = parent.step.parent
        yield from self.own_holds(record)

    def root_hold(self) -> Hold | None:
        """Give what holds all steps alike; None where nothing does."""
        molecule = self._molecule
        if not is_live(molecule.state):
            return Hold("state", "", f"{molecule.id} is {molecule.state}")
        return held_by_others(molecule.connections, self._others)

    def own_holds(self, record: StepRecord) -> Iterator[Hold]:
        """Give what holds a step itself, its parents left aside."""
        steps = self._molecule.steps
        for need in record.needs:
            other = steps.get(need)
            if other is None or not is_over(other.state):
                yield Hold("needs", need, f"it needs {quoted(need)}, which {_stands(other)}")
        for need in record.if_failed:
            other = steps.get(need)
            if other is None or not (has_run(other.state) and is_failure(other.reason)):
                yield Hold("if-failed", need, f"it runs only if {quoted(need)} fails, which {_stands(other)}")
        for wait in record.step.waits_for:
            hold = self._fan_out(wait)
            if hold is not None:
                yield hold
        if record.step.gate is not None and not record.is_gate_open:
            hold = self._gate(record)
            if hold is not None:
                yield hold

    def is_container(self, step_id: str) -> bool:
        """Tell whether a step came with children: it ends with the last of them. Arms make none."""
        arms = self._molecule.arms
        return any(child not in arms for child in self._molecule.children.get(step_id, ()))

    def open_children(self, step_id: str) -> int:
        """Give how many children of a step have not ended, and have to before it does.

        Arms are left aside where a fan-out gate waits for the step's children: it is the gate that waits then.
        """
        steps, arms = self._molecule.steps, self._molecule.arms
        skips_arms = step_id in self.spawners()
        return sum(
            1
            for child in self._molecule.children.get(step_id, ())
            if not (skips_arms and child in arms) and not is_over(steps[child].state)
        )

    def spawners(self) -> Mapping[str, list[str]]:
        """Give the steps that wait for the children of a step, by that step."""
        if self._waiters is None:
            self._waiters = {}
            for step_id, record in self._molecule.steps.items():
                for wait in record.step.waits_for:
                    self._waiters.setdefault(wait.spawner, []).append(step_id)
        return self._waiters

    def _fan_out(self, wait: WaitsFor) -> Hold | None:
        spawner = self._molecule.steps.get(wait.spawner)
        name = quoted(wait.spawner)
        if spawner is None or not is_over(spawner.state):
            return Hold("fan-out", wait.spawner, f"it waits for the children of {name}, which {_stands(spawner)}")
        total, ended, _ = self._count(wait.spawner)
        if wait.gate == "any-children":
            if total and not ended:
                which = "the child" if total == 1 else f"any of the {total} children"
                return Hold("fan-out", wait.spawner, f"it waits for {which} of {name}")
        elif total == 1 and not ended:
            return Hold("fan-out", wait.spawner, f"the child of {name} has not ended")
        elif ended < total:
            have = "has" if total - ended == 1 else "have"
            return Hold("fan-out", wait.spawner, f"{total - ended} of the {total} children of {name} {have} not ended")
        return None

    def _count(self, spawner: str) -> tuple[int, int, str]:
        """Give how many children a spawner has, how many of them ended, and when the last of these did."""
        found = self._counts.get(spawner)
        if found is None:
            steps = self._molecule.steps
            ids = {*self._molecule.children.get(spawner, ()), *self._molecule.spawned.get(spawner, ())}
            ended = [steps[one].closed_at for one in ids if is_over(steps[one].state)]
            found = self._counts[spawner] = (len(ids), len(ended), max(ended, default=""))
        return found

    def _gate(self, record: StepRecord) -> Hold | None:
        gate = record.step.gate
        assert gate is not None
        named = gate.id or gate.condition
        what = f" {quoted(named)}" if named else ""
        seconds = seconds_of(gate.timeout) if gate.kind == TIMER else None
        if seconds is None:
            return Hold("gate", gate.kind, f"its {gate.kind} gate{what} is closed until somebody opens it")
        until = _later(self._released_at(record), seconds)
        if self._now >= until:
            self.since = max(self.since, until)
        else:
            self.until = min(self.until or until, until)
            return Hold("timer", TIMER, f"its timer{what} runs until {until}")
        return None

    def _released_at(self, record: StepRecord) -> str:
        """Give the moment from which on a timer runs: its bond, or the end of what it waited for; parents' included."""
        steps = self._molecule.steps
        path: list[StepRecord] = []
        current: StepRecord | None = record
        while current is not None and current.step.id not in self._released:
            path.append(current)
            current = steps.get(current.step.parent)
        latest = self._released[current.step.id] if current is not None else ""
        for one in reversed(path):
            latest = max(latest, one.added_at)
            for need in (*one.needs, *one.if_failed):
                latest = max(latest, steps[need].closed_at if need in steps else "")
            for wait in one.step.waits_for:
                spawner = steps.get(wait.spawner)
                latest = max(latest, spawner.closed_at if spawner else "", self._count(wait.spawner)[2])
            self._released[one.step.id] = latest
        return latest


def seconds_of(text: str) -> int | None:
    """Give a duration such as ``30m`` or ``1h30m`` in seconds; None where it is none."""
    if len(text) > 64 or not _DURATION.fullmatch(text):
        return None
    total = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return int(total) if total < 100 * 366 * 86400 else None


def _later(moment: str, seconds: int) -> str:
    try:
        later = datetime.fromisoformat(moment) + timedelta(seconds=seconds)
    except OverflowError:
        return _END_OF_TIME
    return later.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _stands(record: StepRecord | None) -> str:
    if record is None:
        return "is not there"
    if next_state(record.state, "start") is not None:
        return "has not begun"
    return "is in progress" if next_state(record.state, "close") is not None else "did not fail"
