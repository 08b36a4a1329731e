"""What stays true when steps take the place of another: who needed it, and what it needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.molecule.steps import Step, WaitsFor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.molecule.cook.drafts import Draft


def followed(moved: Mapping[str, str], step: str) -> str:
    """Give where `step` went, through any number of moves; a circle cannot be, ids only grow."""
    seen = set()
    while step in moved and step not in seen:
        seen.add(step)
        step = moved[step]
    return step


def redirect(drafts: Sequence[Draft], moved: Mapping[str, str]) -> tuple[Draft, ...]:
    """Give `drafts` with every reference to a step that is gone leading to the one that stands for it."""
    if not moved:
        return tuple(drafts)
    present = {draft.step.id for draft in drafts}
    gone = {old: new for old, new in moved.items() if old not in present}
    changed = []
    for draft in drafts:
        step = draft.step
        if any(one in gone for one in (*step.needs, *step.if_failed, *(wait.spawner for wait in step.waits_for))):
            needs = tuple(dict.fromkeys(followed(gone, need) for need in step.needs))
            failed = tuple(dict.fromkeys(followed(gone, one) for one in step.if_failed))
            waits = tuple(WaitsFor(wait.gate, followed(gone, wait.spawner)) for wait in step.waits_for)
            step = replace(step, needs=needs, if_failed=failed, waits_for=waits)
        changed.append(replace(draft, step=step) if step is not draft.step else draft)
    return tuple(changed)


def roots_inherit(replaced: Step, drafts: Sequence[Draft]) -> list[Draft]:
    """Give the steps that take the place of `replaced` with what it waited for.

    Each of them that needs none of the others gets its needs (first), its gate and its fan-out gates.
    """
    own = {draft.step.id for draft in drafts}
    made = []
    for draft in drafts:
        step = draft.step
        # A child waits with its parent: only the upper ones are roots.
        if step.parent not in own and not any(one in own for one in (*step.needs, *step.if_failed)):
            step = replace(
                step,
                needs=tuple(dict.fromkeys((*replaced.needs, *step.needs))),
                if_failed=tuple(dict.fromkeys((*replaced.if_failed, *step.if_failed))),
                gate=step.gate or replaced.gate,
                waits_for=tuple(dict.fromkeys((*replaced.waits_for, *step.waits_for))),
            )
        made.append(replace(draft, step=step) if step is not draft.step else draft)
    return made


def without(steps: Sequence[Step], gone: set[str]) -> tuple[Step, ...]:
    """Give `steps` without those in `gone` and all below them; who needed one of them needs what it needed.

    The order of the others stays what it was: a chain a, b, c without b is a, c.
    """
    removed: dict[str, Step] = {}
    kept = []
    for step in steps:  # a parent stands before its children
        if step.id in gone or step.parent in removed:
            removed[step.id] = step
        else:
            kept.append(step)
    if not removed:
        return tuple(steps)
    below: dict[str, list[str]] = {}
    for step in removed.values():
        below.setdefault(step.parent, []).append(step.id)
    return tuple(_bridged(step, removed, below) for step in kept)


def _bridged(step: Step, removed: Mapping[str, Step], below: Mapping[str, Sequence[str]]) -> Step:
    if not any(other in removed for other in (*step.needs, *step.if_failed, *(w.spawner for w in step.waits_for))):
        return step
    needs: dict[str, None] = {}
    seen: set[str] = set()
    waiting = list(reversed(step.needs))
    while waiting:
        need = waiting.pop()
        if need not in removed:
            needs[need] = None
        elif need not in seen:
            seen.add(need)
            gone = removed[need]
            # A child waited with its parent, and a parent was done when its children were.
            above = removed[gone.parent].needs if gone.parent in removed else ()
            waiting.extend(reversed((*gone.needs, *above, *below.get(gone.id, ()))))
    needs.pop(step.id, None)
    return replace(
        step,
        needs=tuple(needs),
        if_failed=tuple(one for one in step.if_failed if one not in removed),
        waits_for=tuple(wait for wait in step.waits_for if wait.spawner not in removed),
    )
