"""Advice: steps put before and after others, by an aspect or by the formula itself.

A rule looks at the steps that were there before it; what advice puts in is not advised by the same advice. A target
needs the last step put before it, the first step put after it needs the target, and those of one side follow each
other, all rules together in their order.
"""

from __future__ import annotations

import fnmatch
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import CookError, quoted
from mmpm.molecule.cook.drafts import Budget, Draft, fill, rewritten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.molecule.cook.inheritance import Advice, Pointcut
    from mmpm.molecule.steps import Step

MAX_GLOB: Final = 200
_MAX_STARS: Final = 8


def matches(glob: str, step_id: str) -> bool:
    """Tell whether a step's id fits a glob: ``design``, ``*.implement``, ``shiny.*``, ``*``.

    Raises:
        ValueError: the glob is longer than one that anybody writes.
    """
    if len(glob) > MAX_GLOB or glob.count("*") > _MAX_STARS:
        raise ValueError(f"{quoted(glob)} has more than {MAX_GLOB} characters or {_MAX_STARS} stars")
    if glob in ("*", step_id):
        return True
    return fnmatch.fnmatchcase(step_id, glob.replace("[^", "[!"))


def advise(
    drafts: Sequence[Draft], advice: Sequence[Advice], pointcuts: Sequence[Pointcut], budget: Budget, name: str
) -> tuple[Draft, ...]:
    """Give `drafts` with the steps that `advice` puts around those it matches.

    Args:
        drafts: a parent directly before its children; the steps after a parent come after its last child.
        advice: the rules.
        pointcuts: of the same formula: a step has to fit one of them as well, if there are any.
        budget: of the cooking.
        name: of the formula that gives the advice.

    Raises:
        CookError: too many steps, or a glob that is none.
    """
    if not advice:
        return tuple(drafts)
    made: list[Draft] = []
    # Steps that come after a parent wait until its last child is through: (the parent's id, what comes).
    pending: list[tuple[set[str], list[Draft]]] = []
    for draft in drafts:
        while pending and draft.step.parent not in pending[-1][0]:
            made.extend(pending.pop()[1])
        if pending:
            pending[-1][0].add(draft.step.id)
        before, after = _around(draft.step, advice, pointcuts, name)
        budget.charge((*before, *after))
        made.extend(before)
        target = draft
        if before:
            needs = tuple(dict.fromkeys((*draft.step.needs, before[-1].step.id)))
            target = replace(draft, step=replace(draft.step, needs=needs))
        made.append(target)
        pending.append(({draft.step.id}, after))
        budget.require(len(made))
    while pending:
        made.extend(pending.pop()[1])
    budget.require(len(made))
    return tuple(made)


def _around(
    step: Step, advice: Sequence[Advice], pointcuts: Sequence[Pointcut], name: str
) -> tuple[list[Draft], list[Draft]]:
    try:
        if pointcuts and not any(_fits(pointcut, step) for pointcut in pointcuts):
            return [], []
        rules = [rule for rule in advice if matches(rule.target or "*", step.id)]
        before = [_about(draft, step) for rule in rules for draft in rule.before]
        after = [_about(draft, step) for rule in rules for draft in rule.after]
    except ValueError as error:
        raise CookError(name, f"advice on {quoted(step.id)}: {error}", path=(step.id,)) from None
    return _chained(before, ""), _chained(after, step.id)


def _chained(drafts: list[Draft], previous: str) -> list[Draft]:
    made = []
    for draft in drafts:
        step = draft.step
        if previous:
            step = replace(step, needs=tuple(dict.fromkeys((*step.needs, previous))))
        made.append(replace(draft, step=step))
        previous = step.id
    return made


def _about(draft: Draft, target: Step) -> Draft:
    def text(said: str) -> str:
        return fill(said, {"step.id": target.id, "step.title": target.title})

    made = rewritten(draft, text, text)
    return replace(made, step=replace(made.step, parent=made.step.parent or target.parent))


def _fits(pointcut: Pointcut, step: Step) -> bool:
    return (
        (not pointcut.glob or matches(pointcut.glob, step.id))
        and (not pointcut.kind or pointcut.kind == step.kind)
        and (not pointcut.label or pointcut.label in step.labels)
    )
