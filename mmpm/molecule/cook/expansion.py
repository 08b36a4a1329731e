"""Expansions: a step gives its place to the steps of a template.

``{target}``, ``{target.id}``, ``{target.title}``, ``{target.description}`` and the expansion's own variables as
``{name}`` are put in. Who needed the target needs the last step of the template; what the target waited for, the
first steps of the template wait for; its condition guards all of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import CookError, quoted
from mmpm.molecule.cook.advice import matches
from mmpm.molecule.cook.drafts import Budget, Draft, fill, rewritten, with_condition
from mmpm.molecule.cook.wiring import redirect, roots_inherit
from mmpm.molecule.variables import substitute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.molecule.cook.inheritance import Expansion, Larder, Recipe
    from mmpm.molecule.steps import Step

MAX_DEPTH: Final = 5


class Expander:
    """The expansions of one cooking.

    Attributes:
        used: recipes of the expansions that were put in, by name, in order of first use.
        first: of every step that was replaced the first that stands for it.
        last: likewise the last.
    """

    def __init__(self, larder: Larder, budget: Budget, name: str) -> None:
        self._larder = larder
        self._budget = budget
        self._name = name
        self.used: dict[str, Recipe] = {}
        self.first: dict[str, str] = {}
        self.last: dict[str, str] = {}

    def inline(self, drafts: Sequence[Draft], variables: Mapping[str, str]) -> tuple[Draft, ...]:
        """Give `drafts` with every step that says ``expand`` replaced, those of the templates too.

        Args:
            drafts: a parent directly before its children.
            variables: of the formula: the name of an expansion may be one.

        Raises:
            CookError: an expansion is not there or is none, they are more than five deep, or there are too many steps.
        """
        done: list[Draft] = []
        waiting: list[tuple[Draft, tuple[str, ...]]] = [(draft, ()) for draft in reversed(drafts)]
        while waiting:
            draft, path = waiting.pop()
            self._budget.require(len(done) + len(waiting))
            if not draft.expand:
                done.append(draft)
                continue
            wanted = fill(draft.expand, variables)
            trail = (*path, wanted)
            if len(trail) > MAX_DEPTH:
                raise CookError(
                    self._name,
                    f"expansions are more than {MAX_DEPTH} deep: {' -> '.join(map(quoted, trail))}",
                    path=trail,
                )
            if any(other.step.parent == draft.step.id for other, _ in waiting[-1:]):
                raise CookError(self._name, f"{quoted(draft.step.id)} is expanded, and has children that would be lost")
            made = self._expanded(draft.step, wanted, draft.values, len(done) + len(waiting))
            waiting.extend((inner, trail) for inner in reversed(made))
        return redirect(done, self.last)

    def compose(
        self, drafts: Sequence[Draft], rules: Sequence[Expansion], variables: Mapping[str, str]
    ) -> tuple[Draft, ...]:
        """Give `drafts` with the steps that ``compose.expand`` and ``compose.map`` name replaced.

        A step is expanded once: by the first rule that fits it, ``expand`` before ``map``.

        Raises:
            CookError: as `inline`; or a target of ``expand`` is not there.
        """
        current = tuple(drafts)
        expanded: set[str] = set()
        for rule in sorted(rules, key=lambda rule: rule.kind != "expand"):
            targets = self._targets(rule, current, expanded)
            expanded.update(targets)
            parents = {draft.step.parent for draft in current}
            made: list[Draft] = []
            for draft in current:
                if draft.step.id not in targets:
                    made.append(draft)
                    continue
                if draft.step.id in parents:
                    raise CookError(
                        self._name, f"{quoted(draft.step.id)} is expanded, and has children that would be lost"
                    )
                made.extend(self._expanded(draft.step, fill(rule.formula, variables), rule.values, len(made)))
            current = redirect(made, self.last)
            if any(draft.expand for draft in current):
                current = self.inline(current, variables)
        return current

    def _targets(self, rule: Expansion, drafts: Sequence[Draft], expanded: set[str]) -> set[str]:
        ids = [draft.step.id for draft in drafts]
        if rule.kind == "expand":
            if rule.select in expanded:
                return set()
            if rule.select not in ids:
                raise CookError(
                    self._name,
                    f"compose.expand names {quoted(rule.select)}, and there is no such step",
                    path=(rule.select,),
                )
            return {rule.select}
        try:
            return {one for one in ids if one not in expanded and matches(rule.select, one)}
        except ValueError as error:
            raise CookError(self._name, f"compose.map: {error}") from None

    def _expanded(self, target: Step, wanted: str, overrides: Mapping[str, str], others: int) -> tuple[Draft, ...]:
        recipe = self._larder.recipe(wanted, self._name)
        if recipe.kind != "expansion" or not recipe.template:
            why = "has no template" if recipe.kind == "expansion" else f"is a {recipe.kind} and no expansion"
            raise CookError(
                self._name,
                f"{quoted(target.id)} is expanded with {quoted(recipe.name)}, which {why}",
                path=(target.id,),
            )
        self._budget.require(others + len(recipe.template))
        self.used.setdefault(recipe.name, recipe)
        made = materialise(recipe, target, overrides, self._name)
        self._budget.charge(made)
        upper = [draft.step.id for draft in made if draft.step.parent == target.parent]
        self.first[target.id], self.last[target.id] = upper[0], upper[-1]
        return made


def materialise(recipe: Recipe, target: Step, overrides: Mapping[str, str], name: str) -> tuple[Draft, ...]:
    """Give the steps of a template for one target.

    Args:
        recipe: of an expansion.
        target: whose place they take.
        overrides: values of the expansion's variables; what is not given has its default, or stays ``{name}``.
        name: of the formula that is cooked, for messages.

    Raises:
        CookError: a text would become too long.
    """
    values = {variable.name: variable.default for variable in recipe.variables if variable.default is not None}
    values.update(overrides)
    marks = {
        **values,
        "target": target.id,
        "target.id": target.id,
        "target.title": target.title or target.id,
        "target.description": target.description,
    }
    # A value that was set here is no longer open to whoever bonds it; a default is.
    given = dict(overrides)

    def text(said: str) -> str:
        return fill(substitute(said, given), marks)

    try:
        made = [rewritten(draft, text, lambda said: fill(said, marks)) for draft in recipe.template]
    except ValueError as error:
        raise CookError(name, f"{quoted(target.id)} expanded with {quoted(recipe.name)}: {error}") from None
    placed = [
        replace(
            draft,
            step=with_condition(
                replace(
                    draft.step,
                    parent=draft.step.parent or target.parent,
                    priority=target.priority if draft.step.priority is None else draft.step.priority,
                    assignee=draft.step.assignee or target.assignee,
                ),
                target.condition,
            ),
        )
        for draft in made
    ]
    wired = roots_inherit(target, placed)
    if target.on_complete is not None:
        wired[-1] = replace(wired[-1], step=replace(wired[-1].step, on_complete=target.on_complete))
    return tuple(wired)
