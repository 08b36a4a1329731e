"""What is bonded when a step ends: `on_complete`, once for each item of the step's output.

    [steps.on_complete]
    for_each = "output.workers"
    bond = "worker-arm"
    vars = { worker = "{item.name}", number = "{index}" }
    sequential = true

beads declares this and checks its form, and nothing of it ever runs there (beads#3782); the meaning is that of its
proposed executor (beads#3876) and of the comment at its `OnCompleteSpec`. Here the arms and the end of the step are
one line, so that a gate over the step's children never sees the end without the arms.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mmpm.errors import quoted
from mmpm.molecule import bonding, lifecycle
from mmpm.molecule.answers import Change, Refusal
from mmpm.molecule.bonding import Bond
from mmpm.molecule.events import ArmAdded, EdgeAdded, Event, StepsAdded
from mmpm.molecule.lines import Line
from mmpm.molecule.readiness import View
from mmpm.molecule.state import Molecule, StepRecord, apply
from mmpm.molecule.steps import TEXTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.molecule.answers import Answer, Stamp
    from mmpm.molecule.proto import Proto
    from mmpm.molecule.readiness import Outcome

MAX_ITEMS: Final = 500
MAX_TEXT_OF_ARMS: Final = 32 << 20  # all of them become one line
_TOO_LONG: Final = f"the texts of what it bonds have more than {MAX_TEXT_OF_ARMS >> 20} MiB"
_KNOWN: Final = frozenset({"for_each", "bond", "vars", "parallel", "sequential"})
_OUTPUT: Final = "output"
_PLACE = re.compile(r"\{(?:(index)|item((?:\.[A-Za-z0-9_-]+)*))\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Completion:
    """What is to be bonded when a step ends.

    Attributes:
        for_each: path of a list in the step's output: ``output.workers``.
        bond: name of the formula or molecule that each item gets one of.
        values: of its variables, with ``{item}``, ``{item.name}`` and ``{index}`` in them.
        is_sequential: whether each waits for the one before.
        unknown: keys that this program does not know and does not carry out, such as ``run``.
    """

    for_each: str
    bond: str
    values: Mapping[str, str]
    is_sequential: bool
    unknown: tuple[str, ...] = ()


def completion_of(table: Mapping[str, Any] | None) -> Completion | None:
    """Read `Step.on_complete`; None where it asks for nothing.

    Raises:
        ValueError: it cannot be carried out as it stands; one sentence.
    """
    if not table:
        return None
    texts = [table.get(key, "") for key in ("for_each", "bond")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("'for_each' and 'bond' are texts")
    for_each, bond = texts
    if bool(for_each) != bool(bond):
        raise ValueError("'for_each' and 'bond' belong together, and one of them is missing")
    if for_each and (not for_each.startswith(f"{_OUTPUT}.") or "" in for_each.split(".")):
        raise ValueError(f"'for_each' is a path such as output.workers, and this is {quoted(for_each)}")
    if bond.startswith((".", "/", "~")) or bond.endswith(".toml"):
        raise ValueError(f"'bond' is the name of a formula, and {quoted(bond)} is that of a file")
    values = table.get("vars", {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ValueError("'vars' is a table of texts")
    if table.get("parallel") and table.get("sequential"):
        raise ValueError("it cannot be both parallel and sequential")
    unknown = tuple(sorted(key for key in table if key not in _KNOWN))
    return Completion(for_each, bond, values, bool(table.get("sequential")), unknown)


def values_of(completion: Completion, output: Mapping[str, Any]) -> tuple[dict[str, str], ...]:
    """Give the values of the variables for each item, in the order of the list.

    Args:
        completion: what is asked for.
        output: of the step; ``output.workers`` is its key ``workers``.

    Raises:
        ValueError: the path leads to no list, the list is too long, or an item lacks a field; one sentence.
    """
    found: Any = output
    for key in completion.for_each.split(".")[1:]:
        if not isinstance(found, dict) or key not in found:
            raise ValueError(f"the output has no {quoted(completion.for_each.partition('.')[2])}")
        found = found[key]
    if not isinstance(found, list):
        raise ValueError(f"{quoted(completion.for_each)} is not a list")  # noqa: TRY004 - a document's mistake, no caller's
    if len(found) > MAX_ITEMS:
        raise ValueError(f"{quoted(completion.for_each)} has {len(found)} items, and {MAX_ITEMS} are the most")
    left = MAX_TEXT_OF_ARMS
    values: list[dict[str, str]] = []
    for index, item in enumerate(found):
        filled: dict[str, str] = {}
        for name, text in completion.values.items():
            filled[name] = _filled(text, item, index)
            left -= len(filled[name])
            if left < 0:
                raise ValueError(_TOO_LONG)
        values.append(filled)
    return tuple(values)


def complete(
    molecule: Molecule,
    step: str,
    reason: str,
    stamp: Stamp,
    others: Mapping[str, Outcome] | None,
    *,
    completion: Completion,
    proto: Proto,
    values: Sequence[Mapping[str, str]],
) -> Answer:
    """End a step as `lifecycle.close` does, and bond `proto` once for each of `values`: all in one line.

    The arms are below the step where a fan-out gate waits for its children, else beside it, so that whatever it is
    part of does not end before them: ``survey.worker-arm-1``, or ``survey-worker-arm-1``.
    """
    above, own = step, ""
    if step not in View(molecule, stamp.at, others).spawners():
        above = molecule.steps[step].step.parent
        own = step.removeprefix(f"{above}.") + "-"
    name = own + proto.name.rpartition("/")[2]
    where = molecule
    events: list[Event] = []
    before = ""
    left = MAX_TEXT_OF_ARMS
    for number, given in enumerate(values, 1):
        answer = bonding.attach(where, above, Bond(proto, given), stamp, ref=f"{name}-{number}")
        if isinstance(answer, Refusal):
            return answer
        refusal = _clash(molecule, answer)
        if refusal is not None:
            return refusal
        left -= _length(answer)
        if left < 0:
            return Refusal(_TOO_LONG)
        # The gates over other steps of the same parent have nothing to do with these arms.
        events += [replace(one, spawners=()) if isinstance(one, ArmAdded) else one for one in answer.line.events]
        if completion.is_sequential and before:
            events.append(EdgeAdded(answer.step, before, "blocks"))
        before = answer.step
        if number == 1:
            where = _place(molecule, above)
    added = sum(len(event.steps) for event in events if isinstance(event, StepsAdded))
    if len(molecule.steps) + added > bonding.MAX_STEPS_OF_MOLECULE:
        return Refusal(f"{molecule.id} would have more than {bonding.MAX_STEPS_OF_MOLECULE} steps")
    now = apply(molecule, Line(stamp.at, stamp.actor, "attach", tuple(events))) if events else molecule
    closed = lifecycle.close(now, step, reason, stamp, others)
    if isinstance(closed, Refusal):
        return closed
    return replace(closed, line=replace(closed.line, events=(*events, *closed.line.events)))


def _length(change: Change) -> int:
    """Give how many characters the steps of a change have."""
    added = (step for event in change.line.events if isinstance(event, StepsAdded) for step in event.steps)
    return sum(len(getattr(step, key)) for step in added for key in TEXTS)


def _place(molecule: Molecule, parent: str) -> Molecule:
    """Give a molecule of nothing but a step and those above it.

    The first arm is decided over the whole molecule. The others hang at the same place, so that only their ids could
    clash (`_clash`); deciding each of them over the whole molecule again would take time with the square of the items.
    """
    kept: dict[str, StepRecord] = {}
    while parent:
        record = molecule.steps[parent]
        alone = replace(record.step, needs=(), if_failed=(), waits_for=())
        kept[parent] = replace(record, step=alone, added_needs=())
        parent = record.step.parent
    return replace(molecule, steps=dict(reversed(kept.items())), children={}, arms={}, spawned={})


def _clash(molecule: Molecule, change: Change) -> Refusal | None:
    for event in change.line.events:
        for step in event.steps if isinstance(event, StepsAdded) else ():
            if step.id in molecule.steps:
                return Refusal(f"there is {quoted(molecule.full_id(step.id))} already", "close it without --output")
    return None


def _filled(text: str, item: Any, index: int) -> str:
    def put(match: re.Match[str]) -> str:
        if match[1]:
            return str(index)
        found = item
        for key in match[2].split(".")[1:]:
            if not isinstance(found, dict) or key not in found:
                raise ValueError(f"item {index} has no {quoted(match[2][1:])}")
            found = found[key]
        return _as_text(found)

    left = MAX_TEXT_OF_ARMS

    def counted(match: re.Match[str]) -> str:
        nonlocal left
        part = put(match)
        left -= len(part)
        if left < 0:
            raise ValueError(_TOO_LONG)
        return part

    return _PLACE.sub(counted, text)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
