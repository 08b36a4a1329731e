"""Cooking: from a formula to its proto, a stage a file, in this order.

    inheritance   extends                       -> a recipe
    control_flow  loops, branches, gates
    advice        the formula's own
    expansion     expand of steps, compose.expand, compose.map
    advice        compose.aspects, in order
    overlays      what the town or the rig says
    conditions    where values are given (`bound`)

Cooking the same formulas gives the same bytes on every machine: nothing here looks at anything but its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mmpm.errors import CookError, VariablesRefusedError, quoted
from mmpm.molecule.cook import control_flow
from mmpm.molecule.cook.advice import advise
from mmpm.molecule.cook.conditions import check_condition, kept
from mmpm.molecule.cook.drafts import Budget, Draft
from mmpm.molecule.cook.expansion import Expander, materialise
from mmpm.molecule.cook.inheritance import Ingredient, Larder, Load, Recipe
from mmpm.molecule.cook.overlays import Overlay, overlaid
from mmpm.molecule.cook.wiring import followed
from mmpm.molecule.proto import Proto, UnsoundProtoError
from mmpm.molecule.steps import Step, WaitsFor, is_step_id
from mmpm.molecule.variables import Variable, checked, substitute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What a target that nobody named is called, as in beads: an expansion cooked on its own.
_TARGET: Final = "main"
MAX_BOUND_TEXT: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cooked:
    """What cooking gave.

    Attributes:
        proto: it is sound.
        notes: what a person should know: overrides of overlays that fit no step.
    """

    proto: Proto
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bound:
    """A proto with its variables put in.

    Attributes:
        proto: no condition is left; texts have their values.
        values: of all variables that are declared or were given, defaults included.
    """

    proto: Proto
    values: Mapping[str, str]


def cook(
    ingredient: Ingredient, load: Load, overlays: Sequence[Overlay] = (), values: Mapping[str, str] | None = None
) -> Cooked:
    """Cook a formula.

    Args:
        ingredient: the formula, and where it came from.
        load: finds the formulas that it names.
        overlays: the one that counts, if there is any (the rig's, else the town's).
        values: of variables, where the proto is for this one use: ranges of loops see them. Texts and conditions
            keep their variables all the same; `bound` puts them in.

    Raises:
        CookError: it cannot be cooked; the reason names the path.
    """
    larder = Larder(load)
    recipe = larder.own(ingredient)
    budget = Budget(recipe.name)
    try:
        return _cook(recipe, larder, budget, overlays, values or {})
    except UnsoundProtoError as error:
        path = error.problems[0].path if error.problems else ()
        raise CookError(recipe.name, str(error), path=path) from None
    except ValueError as error:
        raise CookError(recipe.name, str(error)) from None


def _cook(
    recipe: Recipe, larder: Larder, budget: Budget, overlays: Sequence[Overlay], values: Mapping[str, str]
) -> Cooked:
    defaults = {variable.name: variable.default for variable in recipe.variables if variable.default is not None}
    known = {**defaults, **values}
    drafts = recipe.steps
    if recipe.kind == "expansion" and recipe.template and not drafts:
        target = Step(_TARGET, title=recipe.name, description=recipe.formula.description)
        drafts = materialise(recipe, target, {}, recipe.name)
    drafts = control_flow.unroll(drafts, known, budget)
    drafts = control_flow.wire_branches(drafts, recipe.branches, recipe.name)
    drafts = control_flow.set_gates(drafts, recipe.gates, recipe.name)
    if recipe.kind != "aspect":  # an aspect's advice is for others
        drafts = advise(drafts, recipe.advice, recipe.pointcuts, budget, recipe.name)
    expander = Expander(larder, budget, recipe.name)
    drafts = expander.inline(drafts, known)
    drafts = expander.compose(drafts, recipe.expansions, known)
    drafts = control_flow.unroll(drafts, known, budget)  # templates may have loops
    used = dict(expander.used)
    for name in recipe.aspects:
        aspect = larder.recipe(name, recipe.name)
        if aspect.kind != "aspect":
            raise CookError(recipe.name, f"compose.aspects names {quoted(aspect.name)}, which is a {aspect.kind}")
        used.setdefault(aspect.name, aspect)
        drafts = advise(drafts, aspect.advice, aspect.pointcuts, budget, aspect.name)
    steps = _sealed(drafts, recipe.name)
    notes: list[str] = []
    sources = dict(recipe.sources)
    for other in used.values():
        sources.update(other.sources)
    for overlay in overlays:
        steps, stale = overlaid(steps, overlay)
        notes += [f"{overlay.source.name}: there is no step {quoted(step)} to override" for step in stale]
        sources["\0" + overlay.source.name] = overlay.source
    own = sources.pop(recipe.formula.name)
    attributes = _placed(recipe.attributes, expander, {step.id for step in steps})
    proto = Proto(
        name=recipe.name,
        version=str(recipe.formula.version),
        kind=recipe.kind,
        title=recipe.title or _root_text("title", recipe.name, recipe.variables),
        description=_root_text("desc", recipe.formula.description, recipe.variables),
        steps=steps,
        variables=_all_variables(recipe, used.values()),
        sources=(own, *sorted(sources.values())),
        phase=recipe.phase,
        capabilities=recipe.formula.capabilities,
        attributes=attributes,
    )
    return Cooked(proto, tuple(notes))


def _root_text(variable: str, text: str, variables: Iterable[Variable]) -> str:
    """Give the root's title or description: its variable where one of that name is declared, as beads has it."""
    return f"{{{{{variable}}}}}" if any(one.name == variable for one in variables) else text


def _all_variables(recipe: Recipe, used: Iterable[Recipe]) -> tuple[Variable, ...]:
    """Give the formula's variables and those of what was put into it; its own win."""
    found = {variable.name: variable for variable in recipe.variables}
    for other in used:
        for variable in other.variables:
            found.setdefault(variable.name, variable)
    return tuple(found[name] for name in sorted(found))


def _sealed(drafts: Sequence[Draft], name: str) -> tuple[Step, ...]:
    """Give the steps with their final ids: the path below the root; every reference follows.

    Raises:
        CookError: an id cannot be one, a fan-out gate has no spawner, or a condition is none.
    """
    paths: dict[str, str] = {}
    for draft in drafts:
        step = draft.step
        if not is_step_id(step.id):
            hint = ": a placeholder in it was not filled" if "{" in step.id else ""
            raise CookError(name, f"{quoted(step.id)} cannot be a step's id{hint}", path=(step.id,))
        if step.id in paths:
            raise CookError(name, f"two steps have the id {quoted(step.id)}", path=(step.id,))
        paths[step.id] = f"{paths[step.parent]}.{step.id}" if step.parent else step.id
    sealed = []
    for draft in drafts:
        step = draft.step
        try:
            check_condition(step.condition)
        except ValueError as error:
            raise CookError(name, f"step {quoted(step.id)}: {error}", path=(step.id,)) from None
        sealed.append(
            replace(
                step,
                id=paths[step.id],
                title=step.title or step.id,
                parent=paths[step.parent] if step.parent else "",
                needs=tuple(dict.fromkeys(paths.get(need, need) for need in step.needs)),
                if_failed=tuple(dict.fromkeys(paths.get(one, one) for one in step.if_failed)),
                waits_for=tuple(_spawner(wait, step, paths, name) for wait in step.waits_for),
            )
        )
    return tuple(sealed)


def _spawner(wait: WaitsFor, step: Step, paths: Mapping[str, str], name: str) -> WaitsFor:
    spawner = wait.spawner or (step.needs[0] if step.needs else "")
    if not spawner:
        reason = f"{quoted(step.id)} waits for {wait.gate} of nobody: write children-of(step), or give it a need"
        raise CookError(name, reason, path=(step.id,))
    return WaitsFor(wait.gate, paths.get(spawner, spawner))


def _placed(attributes: Mapping[str, Any], expander: Expander, ids: set[str]) -> Mapping[str, Any]:
    """Give the attributes with bond points at the steps that stand for those that were expanded."""
    points = attributes.get("bond_points")
    if not isinstance(points, list):
        return attributes
    placed = []
    for point in points:
        moved = dict(point)
        for key, places in (("after_step", expander.last), ("before_step", expander.first)):
            step = point.get(key)
            if isinstance(step, str) and step not in ids:
                moved[key] = followed(places, step)
        placed.append(moved)
    return {**attributes, "bond_points": placed}


def bound(proto: Proto, values: Mapping[str, str]) -> Bound:
    """Give a proto with its variables put in: for one use of it.

    Conditions are decided first, so that a step that goes asks for no values.

    Raises:
        VariablesRefusedError: a value is missing or not allowed; every problem is named.
        CookError: a text would become too long.
    """
    filled, _ = checked(values, proto.variables, ())
    try:
        steps = kept(proto.steps, filled)
        chosen = replace(proto, steps=steps)
        _, problems = checked(values, proto.variables, chosen.names_used)
        if problems:
            raise VariablesRefusedError(proto.name, problems)
        put = _Putting(filled)
        done = replace(
            chosen,
            title=put(proto.title),
            description=put(proto.description),
            steps=tuple(step.with_texts(put) for step in steps),
        )
    except ValueError as error:
        raise CookError(proto.name, str(error)) from None
    return Bound(done, filled)


class _Putting:
    """Puts values into one text after another, and counts what comes of it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._left = MAX_BOUND_TEXT

    def __call__(self, text: str) -> str:
        result = substitute(text, self._values)
        self._left -= len(result)
        if self._left < 0:
            raise ValueError(f"its texts have more than {MAX_BOUND_TEXT >> 20} MiB once the variables are put in")
        return result
