"""A formula and all it extends, as one recipe: parents in order, then its own.

Of variables the formula's own wins, then that of the first parent. A step with the id of an inherited one takes its
place; others come after. Rules of composition add up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mmpm.errors import CookError, quoted
from mmpm.model.names import FormulaName
from mmpm.model.reading import Reading
from mmpm.model.references import Requirement
from mmpm.molecule.beads.records import TEMPLATE
from mmpm.molecule.cook.drafts import Draft, plain, read_drafts, text_values
from mmpm.molecule.variables import Variable, declared

if TYPE_CHECKING:
    from mmpm.model.formula import Formula, KindOfWork
    from mmpm.molecule.proto import Source

MAX_FORMULAS: Final = 200
_READ_BY_SOMEBODY: Final = ("prompts", "output", "presets", "squash", "agent", "review_only", "pour")


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A formula that something is cooked from, and where it came from."""

    formula: Formula
    source: Source


Load: TypeAlias = Callable[[str], Ingredient | None]
"""Finds a formula by the text that another names it with; None where there is none."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """``compose.expand`` and ``compose.map``: steps whose place an expansion takes."""

    kind: Literal["expand", "map"]
    select: str
    formula: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Branch:
    """``compose.branch``: all of `steps` after `start`, `join` after all of them."""

    start: str
    steps: tuple[str, ...]
    join: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Steps that are put before and after others.

    Attributes:
        target: a glob of step ids; empty for every step that a pointcut picks.
        before: in order.
        after: in order.
    """

    target: str
    before: tuple[Draft, ...]
    after: tuple[Draft, ...]


@dataclass(frozen=True, slots=True)
class Pointcut:
    """What picks a step: each that is not empty must fit."""

    glob: str = ""
    kind: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is cooked: a formula with all it inherits.

    Attributes:
        title: of the root, as the file itself says it; empty in most.
        steps: workflow steps, or the legs and the synthesis of a convoy, or what an aspect looks at.
        template: of an expansion.
        gates: step and condition of each ``compose.gate``.
        points: ``compose.bond_points`` and ``hooks``, and other tables that somebody reads, as JSON.
        sources: what it was made of, by name.
    """

    name: str
    formula: Formula
    kind: KindOfWork
    phase: str = ""
    title: str = ""
    steps: tuple[Draft, ...] = ()
    template: tuple[Draft, ...] = ()
    variables: tuple[Variable, ...] = ()
    expansions: tuple[Expansion, ...] = ()
    branches: tuple[Branch, ...] = ()
    gates: tuple[tuple[str, str], ...] = ()
    aspects: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()
    pointcuts: tuple[Pointcut, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)


class Larder:
    """Formulas by the names that others give them, each read once; it remembers which were used."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._recipes: dict[str, Recipe] = {}

    def recipe(self, wanted: str, asker: str) -> Recipe:
        """Give a formula by name, with all it inherits.

        Raises:
            CookError: it is not there, or cannot be read, or they extend each other in a circle.
        """
        found = self._find(wanted, asker)
        return self._resolved(found, found.formula.name)

    def own(self, ingredient: Ingredient) -> Recipe:
        """Give the recipe of the formula that is cooked, with all it inherits."""
        return self._resolved(ingredient, ingredient.formula.name)

    def _find(self, wanted: str, asker: str) -> Ingredient:
        try:
            name = str(Requirement.parse(wanted).name)
        except ValueError as error:
            raise CookError(asker, f"it names {quoted(wanted)}, which is no formula: {error}") from None
        found = self._load(name)
        if found is None:
            raise CookError(
                asker,
                f"it is made with {quoted(name)}, which is not installed here",
                path=(asker, name),
                remedy=f"install it with `mmpm install {name}`, or put its file beside this one",
            )
        return found

    def _resolved(self, first: Ingredient, top: str) -> Recipe:
        """Resolve `first` and all above it, without recursion: parents are made before their children."""
        chain: list[tuple[Ingredient, list[str]]] = [(first, [])]
        while chain:
            ingredient, path = chain[-1]
            name = ingredient.formula.name
            if name in self._recipes:
                chain.pop()
                continue
            if len(self._recipes) + len(chain) > MAX_FORMULAS:
                raise CookError(top, f"it is made of more than {MAX_FORMULAS} formulas")
            extends = _extends(ingredient.formula)
            parents = [self._find(text, name) for text in extends]
            waiting = [parent for parent in parents if parent.formula.name not in self._recipes]
            if not waiting:
                made = [self._recipes[parent.formula.name] for parent in parents]
                self._recipes[name] = _merged(made, _read(ingredient))
                chain.pop()
                continue
            following = waiting[0]
            trail = [*path, name]
            if following.formula.name in trail:
                circle = [*trail[trail.index(following.formula.name) :], following.formula.name]
                raise CookError(
                    top, "formulas extend each other in a circle: " + " -> ".join(map(quoted, circle)), path=circle
                )
            chain.append((following, trail))
        return self._recipes[first.formula.name]


def _extends(formula: Formula) -> list[str]:
    value = formula.tables.get("extends")
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _merged(parents: list[Recipe], own: Recipe) -> Recipe:
    if not parents:
        return own
    variables: dict[str, Variable] = {variable.name: variable for variable in own.variables}
    attributes: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for parent in parents:
        for variable in parent.variables:
            variables.setdefault(variable.name, variable)
        sources.update(parent.sources)
    for recipe in (*parents, own):
        attributes = _merged_attributes(attributes, recipe.attributes)
    kind = own.kind
    if not own.steps and not own.formula.tables.get("type"):
        kind = parents[0].kind
    family = (*parents, own)
    return replace(
        own,
        kind=kind,
        phase=own.phase or next((parent.phase for parent in parents if parent.phase), ""),
        steps=_merged_steps([recipe.steps for recipe in family]),
        template=_merged_steps([recipe.template for recipe in family]),
        variables=tuple(variables[name] for name in sorted(variables)),
        expansions=tuple(rule for recipe in family for rule in recipe.expansions),
        branches=tuple(rule for recipe in family for rule in recipe.branches),
        gates=tuple(rule for recipe in family for rule in recipe.gates),
        aspects=tuple(dict.fromkeys(name for recipe in family for name in recipe.aspects)),
        advice=tuple(rule for recipe in family for rule in recipe.advice),
        pointcuts=tuple(rule for recipe in family for rule in recipe.pointcuts),
        attributes=attributes,
        sources={**sources, **own.sources},
    )


def _merged_attributes(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**inherited, **own}
    for key, value in own.items():
        before = inherited.get(key)
        if key == "bond_points" and isinstance(before, list):
            ids = {point.get("id") for point in value}
            merged[key] = [point for point in before if point.get("id") not in ids] + value
        elif key == "hooks" and isinstance(before, list):
            merged[key] = before + value
        elif isinstance(before, dict) and isinstance(value, dict):
            merged[key] = {**before, **value}
    return merged


def _merged_steps(generations: list[tuple[Draft, ...]]) -> tuple[Draft, ...]:
    """Put later steps in the places of those with their ids, with all their children, and the others at the end."""
    places: dict[str, list[Draft]] = {}
    for drafts in generations:
        current: list[Draft] = []
        fresh: set[str] = set()
        for draft in drafts:
            if not draft.step.parent:
                # Twice in one generation is a mistake of the file, which is seen at the end.
                key = draft.step.id if draft.step.id not in fresh else f"{draft.step.id}\0{len(places)}"
                fresh.add(key)
                places[key] = current = []
            current.append(draft)
    return tuple(draft for block in places.values() for draft in block)


def _read(ingredient: Ingredient) -> Recipe:
    """Read what a formula says of itself.

    Raises:
        CookError: something has the wrong type.
    """
    formula = ingredient.formula
    tables = formula.tables
    # The name that bd and gt know: step ids and catalogues are made of it.
    name = FormulaName.parse(formula.name).base
    reading = Reading()
    steps = read_drafts(reading, tables, "steps", "steps", name)
    legs = read_drafts(reading, tables, "legs", "legs", name)
    looks = read_drafts(reading, tables, "aspects", "aspects", name)
    try:
        variables = declared(tables)
    except ValueError as error:
        key, _, sentence = str(error).partition(": ")
        reading.problem(key, sentence)
        variables = ()
    compose = reading.table(dict(tables), "compose", "compose")
    recipe = Recipe(
        name=name,
        formula=formula,
        kind=formula.kind_of_work,
        phase=_phase(reading, tables),
        title=reading.text(dict(tables), "title", ""),
        steps=(*steps, *legs, *looks, *_synthesis(reading, tables, legs, name)),
        template=read_drafts(reading, tables, "template", "template", name),
        variables=variables,
        expansions=(*_expansions(reading, compose, "expand"), *_expansions(reading, compose, "map")),
        branches=_branches(reading, compose),
        gates=_gates(reading, compose),
        aspects=tuple(text for _, text in reading.texts(compose, "aspects", "compose.aspects")),
        advice=_advice(reading, tables, name),
        pointcuts=tuple(
            Pointcut(*(reading.text(item, key, f"{path}.") for key in ("glob", "type", "label")))
            for path, item in reading.tables(dict(tables), "pointcuts", "pointcuts")
        ),
        attributes=_attributes(reading, tables, compose),
        sources={formula.name: ingredient.source},
    )
    if reading.problems:
        key, sentence = reading.problems[0]
        more = f" (and {len(reading.problems) - 1} more)" if len(reading.problems) > 1 else ""
        raise CookError(formula.name, f"{key}: {sentence}{more}", problems=reading.problems)
    return recipe


def _phase(reading: Reading, tables: Mapping[str, Any]) -> str:
    phase = reading.text(dict(tables), "phase", "")
    if phase not in ("", "liquid", "vapor"):
        reading.problem("phase", f"{quoted(phase)} is neither liquid nor vapor")
    return phase


def _synthesis(reading: Reading, tables: Mapping[str, Any], legs: tuple[Draft, ...], source: str) -> tuple[Draft, ...]:
    """Give the step that brings a convoy's legs together: after those it depends on, else after all."""
    if "synthesis" not in tables:
        return ()
    said = dict(reading.table(dict(tables), "synthesis", "synthesis"))
    said.setdefault("id", "synthesis")
    if not said.get("depends_on") and not said.get("needs"):
        said["depends_on"] = [leg.step.id for leg in legs if not leg.step.parent]
    return read_drafts(reading, {"synthesis": [said]}, "synthesis", "synthesis", source)


def _expansions(reading: Reading, compose: dict[str, Any], kind: Literal["expand", "map"]) -> list[Expansion]:
    found = []
    for path, item in reading.tables(compose, kind, f"compose.{kind}"):
        key = "target" if kind == "expand" else "select"
        select, formula = reading.text(item, key, f"{path}."), reading.text(item, "with", f"{path}.")
        if not select or not formula:
            reading.problem(path, f"it says {key} and with: which step, and which expansion takes its place")
        values = text_values(reading, reading.table(item, "vars", f"{path}.vars"), f"{path}.vars")
        found.append(Expansion(kind, select, formula, values))
    return found


def _branches(reading: Reading, compose: dict[str, Any]) -> tuple[Branch, ...]:
    found = []
    for path, item in reading.tables(compose, "branch", "compose.branch"):
        steps = tuple(text for _, text in reading.texts(item, "steps", f"{path}.steps"))
        branch = Branch(reading.text(item, "from", f"{path}."), steps, reading.text(item, "join", f"{path}."))
        if not branch.start or not branch.join or not steps:
            reading.problem(path, "it says from, steps and join")
        found.append(branch)
    return tuple(found)


def _gates(reading: Reading, compose: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for path, item in reading.tables(compose, "gate", "compose.gate"):
        gate = reading.text(item, "before", f"{path}."), reading.text(item, "condition", f"{path}.")
        if not all(gate):
            reading.problem(path, "it says before and condition")
        found.append(gate)
    return tuple(found)


def _advice(reading: Reading, tables: Mapping[str, Any], source: str) -> tuple[Advice, ...]:
    found = []
    for path, item in reading.tables(dict(tables), "advice", "advice"):
        around = reading.table(item, "around", f"{path}.around")
        sides: dict[str, tuple[Draft, ...]] = {}
        for side in ("before", "after"):
            drafts: list[Draft] = []
            for place, holder in ((path, item), (f"{path}.around", around)):
                said = holder.get(side)
                one = {side: [said]} if isinstance(said, dict) else holder
                drafts.extend(read_drafts(reading, one, side, f"{place}.{side}", source))
            sides[side] = tuple(drafts)
        found.append(Advice(reading.text(item, "target", f"{path}."), sides["before"], sides["after"]))
    return tuple(found)


def _attributes(reading: Reading, tables: Mapping[str, Any], compose: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: plain(tables[key]) for key in _READ_BY_SOMEBODY if key in tables}
    labels = dict.fromkeys(label for _, label in reading.texts(dict(tables), "labels", "labels"))
    labels.pop(TEMPLATE, None)
    if labels:
        found["labels"] = list(labels)
    for key in ("bond_points", "hooks"):
        value = compose.get(key)
        if isinstance(value, list) and value:
            found[key] = [plain(item) for item in value if isinstance(item, dict)]
    return found
