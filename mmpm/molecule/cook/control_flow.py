"""Loops unrolled, branches wired, gates of `compose` set: the first stage of cooking.

A loop's rounds follow each other: the first step of a round needs the last of the round before. The loop itself is
gone afterwards, so what it needed is needed by every step of its body that needs nothing in the body, and who needed
the loop needs its last step. The ids are ``<loop>.iter<N>.<step>``.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import CookError, quoted
from mmpm.molecule.cook.arithmetic import parse_range
from mmpm.molecule.cook.conditions import check_runtime_condition
from mmpm.molecule.cook.drafts import Budget, Draft, fill, rewritten, with_condition
from mmpm.molecule.cook.wiring import redirect, roots_inherit
from mmpm.molecule.steps import Gate, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.molecule.cook.inheritance import Branch


def unroll(drafts: Sequence[Draft], values: Mapping[str, str], budget: Budget) -> tuple[Draft, ...]:
    """Give `drafts` with every loop, loops inside loops too, replaced by its rounds.

    Args:
        drafts: a parent directly before its children.
        values: of variables, for ranges that name them.
        budget: of the cooking.

    Raises:
        CookError: a range or condition is none, or there would be too many steps.
    """
    done: list[Draft] = []
    last_of: dict[str, str] = {}
    waiting = list(reversed(drafts))
    while waiting:
        draft = waiting.pop()
        budget.require(len(done) + len(waiting))
        if draft.loop is None:
            done.append(draft)
            continue
        # What comes out may begin with a loop again: it goes where the loop was.
        rounds = _rounds(draft, values, budget, len(done) + len(waiting))
        budget.charge(rounds)
        last_of[draft.step.id] = [inner.step.id for inner in rounds if inner.step.parent == draft.step.parent][-1]
        waiting.extend(reversed(rounds))
    return redirect(done, last_of)


def _rounds(draft: Draft, values: Mapping[str, str], budget: Budget, others: int) -> tuple[Draft, ...]:
    loop, step = draft.loop, draft.step
    if loop is None:
        raise AssertionError
    try:
        if loop.until:
            check_runtime_condition(loop.until)
            first, last = 1, 1
        elif loop.range:
            first, last = parse_range(fill(loop.range, values))
        else:
            first, last = 1, loop.count
        budget.require(others + (last - first + 1) * len(loop.body))
        numbers = range(first, last + 1)
        rounds = [_round(draft, index, number) for index, number in enumerate(numbers, 1)]
    except ValueError as error:
        raise CookError(step.source, f"the loop {quoted(step.id)}: {error}", path=(step.id,)) from None
    if loop.until:
        label = "loop:" + json.dumps({"max": loop.most, "until": loop.until}, separators=(",", ":"), ensure_ascii=False)
        head = rounds[0][0]
        rounds[0][0] = replace(head, step=replace(head.step, labels=(*head.step.labels, label)))
    for before, after in itertools.pairwise(rounds):
        end = [inner.step.id for inner in before if inner.step.parent == step.parent][-1]
        start = after[0].step
        after[0] = replace(after[0], step=replace(start, needs=tuple(dict.fromkeys((*start.needs, end)))))
    return tuple(inner for one in rounds for inner in one)


def _round(draft: Draft, index: int, number: int) -> list[Draft]:
    """Give one round of a loop's body: ids prefixed, the round's number put in, what guarded the loop passed on."""
    loop, step = draft.loop, draft.step
    if loop is None:
        raise AssertionError
    prefix = f"{step.id}.iter{index}."
    own = frozenset(inner.step.id for inner in loop.body)
    values = {"i": str(number), **({loop.variable: str(number)} if loop.variable else {})}

    def name(text: str) -> str:
        return prefix + text if text in own else fill(text, values)

    made = []
    for inner in loop.body:
        one = rewritten(inner, lambda text: fill(text, values), name)
        placed = replace(one.step, parent=one.step.parent or step.parent)
        values_inside = {**one.values, **values} if one.expand else one.values
        made.append(replace(one, step=with_condition(placed, step.condition), values=values_inside))
    return roots_inherit(step, made)


def wire_branches(drafts: Sequence[Draft], branches: Sequence[Branch], name: str) -> tuple[Draft, ...]:
    """Give `drafts` with the needs that fork and join them.

    Raises:
        CookError: a branch names a step that is not there.
    """
    places = {draft.step.id: index for index, draft in enumerate(drafts)}
    added: dict[str, list[str]] = {}
    for branch in branches:
        for wanted in (branch.start, *branch.steps, branch.join):
            if wanted not in places:
                raise CookError(name, f"compose.branch names {quoted(wanted)}, and there is no such step")
        for step in branch.steps:
            added.setdefault(step, []).append(branch.start)
        added.setdefault(branch.join, []).extend(branch.steps)
    return tuple(
        replace(draft, step=replace(draft.step, needs=tuple(dict.fromkeys((*draft.step.needs, *more)))))
        if (more := added.get(draft.step.id))
        else draft
        for draft in drafts
    )


def set_gates(drafts: Sequence[Draft], gates: Sequence[tuple[str, str]], name: str) -> tuple[Draft, ...]:
    """Give `drafts` with the conditions of ``compose.gate`` before their steps.

    Raises:
        CookError: a gate names a step that is not there, or its condition is none.
    """
    found = {draft.step.id: draft for draft in drafts}
    for before, condition in gates:
        if before not in found:
            raise CookError(name, f"compose.gate names {quoted(before)}, and there is no such step")
        try:
            check_runtime_condition(condition)
        except ValueError as error:
            raise CookError(name, f"compose.gate before {quoted(before)}: {error}") from None
        draft = found[before]
        found[before] = replace(draft, step=_gated(draft.step, condition))
    return tuple(found[draft.step.id] for draft in drafts) if gates else tuple(drafts)


def _gated(step: Step, condition: str) -> Step:
    gate = step.gate or Gate("conditional")
    both = f"{gate.condition}\n{condition}" if gate.condition else condition
    return replace(step, gate=replace(gate, condition=both))
