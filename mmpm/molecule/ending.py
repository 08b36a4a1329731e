"""What ends with a step: parents whose last child it was, and what only its failure would have run.

Rule: nothing ends early. A parent ends by itself only where nobody started it and nothing holds it; one whose children
ended while something held it ends with the first step that ends when nothing does any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import quoted
from mmpm.molecule.events import Closed, Skipped
from mmpm.molecule.readiness import Outcome, View
from mmpm.molecule.state import Molecule, StepRecord, did_not_fail, is_failure
from mmpm.molecule.transitions import has_run, next_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.molecule.events import Event

# Each of thousands of parents could wait for the one behind it: what is left then ends with the next step that ends.
_MAX_ROUNDS: Final = 100


def endings(
    molecule: Molecule, step_id: str, reason: str, now: str, others: Mapping[str, Outcome] | None = None
) -> tuple[Event, ...]:
    """Give the events of closing a step, itself first; each of them fits the state after those before it.

    One that will never run is skipped, whatever the reason: of two branches one let it wait for a failure, and the
    other ended what it waits for.
    """
    ending = _Ending(molecule, now, others)
    record = molecule.steps[step_id]
    cause = never_runs(molecule, record) if next_state(record.state, "skip") is not None else ""
    if cause:
        ending.skip(step_id, cause)
    else:
        ending.end(step_id, "close", reason)
    ending.follow()
    return tuple(ending.events)


def never_runs(molecule: Molecule, record: StepRecord) -> str:
    """Give the step after whose failure this one would have run, where that has ended without one; else nothing."""
    steps = molecule.steps
    return next((one for one in record.if_failed if one in steps and did_not_fail(steps[one])), "")


class _Ending:
    """A molecule in which steps are ending. What holds a step is only ever released here, never added."""

    def __init__(self, molecule: Molecule, now: str, others: Mapping[str, Outcome] | None) -> None:
        self.events: list[Event] = []
        self._now = now
        self._before = View(molecule, now, others)
        self._steps = dict(molecule.steps)
        self._molecule = replace(molecule, steps=self._steps)
        self._view = View(self._molecule, now, others)
        self._queue: list[str] = []
        self._open: dict[str, int] = {}  # by parent: children that have to end, less those that the queue came to
        self._free: set[str] = set()
        # Parents that nobody started, and whose children have all ended: what holds them is all they wait for.
        self._waiting = [one for one in molecule.children if one and self._is_done(one)]
        self._only_after: dict[str, list[str]] = {}
        for one, record in molecule.steps.items():
            for cause in record.if_failed:
                self._only_after.setdefault(cause, []).append(one)

    def end(self, step_id: str, verb: str, reason: str) -> None:
        record = self._steps[step_id]
        after = next_state(record.state, verb)
        assert after is not None, "a step ends only where the table allows it"
        self._steps[step_id] = replace(record, state=after, closed_at=self._now, reason=reason)
        self.events.append(Closed(step_id, reason) if verb == "close" else Skipped(step_id, reason))
        self._queue.append(step_id)

    def follow(self) -> None:
        """End what ends with what has ended, until nothing more does."""
        at = rounds = 0
        while at < len(self._queue):
            step_id = self._queue[at]
            at += 1
            record = self._steps[step_id]
            if did_not_fail(record):
                for waiting in self._only_after.get(step_id, ()):
                    self.skip(waiting, step_id)
            self._parent_of(step_id)
            if at == len(self._queue) and rounds < _MAX_ROUNDS:
                rounds += 1
                self._waiting = [one for one in self._waiting if not self._ended_by_itself(one)]

    def skip(self, step_id: str, cause: str) -> None:
        """Skip a step and all below it, for `cause` did not fail."""
        reason = f"{quoted(cause)} did not fail"
        waiting = [step_id]
        while waiting:
            current = waiting.pop()
            if next_state(self._steps[current].state, "skip") is not None:
                self.end(current, "skip", reason)
                waiting.extend(reversed(self._molecule.children.get(current, ())))

    def _parent_of(self, step_id: str) -> None:
        """End the parent if this was its last child."""
        parent = self._steps[step_id].step.parent
        if not parent or (step_id in self._molecule.arms and parent in self._before.spawners()):
            return
        if parent not in self._open:
            self._open[parent] = self._before.open_children(parent)
        self._open[parent] -= 1
        if not self._open[parent] and self._view.is_container(parent) and not self._ended_by_itself(parent):
            self._waiting.append(parent)

    def _is_done(self, parent: str) -> bool:
        """Tell whether a parent could end by itself, but for what holds it."""
        if next_state(self._steps[parent].state, "skip") is None or not self._view.is_container(parent):
            return False
        return not self._before.open_children(parent)

    def _ended_by_itself(self, parent: str) -> bool:
        """End a parent all of whose children have ended, unless it is held; give whether it has ended."""
        if next_state(self._steps[parent].state, "skip") is None:
            return True
        if not self._is_free(parent):
            return False
        children = [self._steps[one] for one in self._molecule.children.get(parent, ())]
        failed = sum(1 for one in children if has_run(one.state) and is_failure(one.reason))
        told = f"failed: {failed} of {len(children)} children failed" if failed else "all its children have ended"
        self.end(parent, "close", told)
        return True

    def _is_free(self, step_id: str) -> bool:
        """Tell whether nothing holds a step; what was found free once is not walked again."""
        self._view.recount()
        if self._view.root_hold() is not None:
            return False
        path: list[str] = []
        while step_id and step_id not in self._free:
            record = self._steps[step_id]
            if next_state(record.state, "start") is not None and next(self._view.own_holds(record), None) is not None:
                return False
            path.append(step_id)
            step_id = record.step.parent
        self._free.update(path)
        return True
