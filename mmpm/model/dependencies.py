"""Which other formulas a formula needs, read from its tables.

Hard: ``extends``, ``compose.expand[].with``, ``compose.map[].with``, ``compose.aspects[]``, ``steps[].expand`` (nested
children too). Soft, listed and never solved: ``steps[].on_complete.bond``, ``compose.hooks[].attach``. A name alone
means any version; ``[package.requires]`` gives a range, adds names, and wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmpm.errors import quoted
from mmpm.model.names import FormulaName
from mmpm.model.ranges import ANY, VersionRange
from mmpm.model.references import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.model.reading import Reading


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What one formula asks of others.

    Attributes:
        requires: hard, sorted by name, each name once.
        soft: names, sorted, each once; none of them is required.
        step_count: steps, nested children, template steps, legs, aspects and advice steps.
    """

    requires: tuple[Requirement, ...]
    soft: tuple[str, ...]
    step_count: int


def read_dependencies(
    reading: Reading, document: dict[str, Any], package: dict[str, Any], own: FormulaName | None
) -> Dependencies:
    """Read the dependencies of a formula; problems and warnings go to `reading`."""
    steps = list(_with_children(reading, reading.tables(document, "steps", "steps")))
    compose = reading.table(document, "compose", "compose")
    hard: dict[FormulaName, VersionRange] = {}
    for key, text in _hard_names(reading, document, compose, steps):
        _add_hard(reading, hard, key, text)
    for name, wanted in _package_requires(reading, package).items():
        # The tables name a file (unscoped); the package says whose it is.
        hard.pop(FormulaName(None, name.base), None)
        hard[name] = wanted
    if own in hard:
        reading.problem("extends" if "extends" in document else "package.requires", "a formula cannot require itself")
    bonded = {_soft_name(reading, key, text) for key, text in _soft_names(reading, compose, steps)}
    return Dependencies(
        requires=tuple(Requirement(name, hard[name]) for name in sorted(hard)),
        soft=tuple(sorted(str(name) for name in bonded if name is not None and name not in hard)),
        step_count=len(steps) + _count_others(reading, document),
    )


def _with_children(reading: Reading, items: list[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give steps and their nested children in the file's order, without recursion."""
    waiting = items[::-1]
    while waiting:
        path, step = waiting.pop()
        yield path, step
        waiting.extend(reading.tables(step, "children", f"{path}.children")[::-1])


def _hard_names(
    reading: Reading, document: dict[str, Any], compose: dict[str, Any], steps: list[tuple[str, dict[str, Any]]]
) -> Iterator[tuple[str, str]]:
    yield from reading.texts(document, "extends", "extends")
    for table in ("expand", "map"):
        for path, item in reading.tables(compose, table, f"compose.{table}"):
            if name := reading.text(item, "with", f"{path}."):
                yield f"{path}.with", name
    yield from reading.texts(compose, "aspects", "compose.aspects")
    for path, step in steps:
        if name := reading.text(step, "expand", f"{path}."):
            yield f"{path}.expand", name


def _soft_names(
    reading: Reading, compose: dict[str, Any], steps: list[tuple[str, dict[str, Any]]]
) -> Iterator[tuple[str, str]]:
    for path, step in steps:
        done = reading.table(step, "on_complete", f"{path}.on_complete")
        if name := reading.text(done, "bond", f"{path}.on_complete."):
            yield f"{path}.on_complete.bond", name
    for path, hook in reading.tables(compose, "hooks", "compose.hooks"):
        if name := reading.text(hook, "attach", f"{path}."):
            yield f"{path}.attach", name


def _add_hard(reading: Reading, hard: dict[FormulaName, VersionRange], key: str, text: str) -> None:
    if "{" in text:
        reading.warn("dynamic-dependency", key, f"{quoted(text)} is known only when it is cooked: it is not solved")
        return
    try:
        wanted = Requirement.parse(text)
    except ValueError as error:
        reading.problem(key, str(error))
        return
    if text != wanted.name.base:
        reading.warn(
            "requirement-in-place",
            key,
            f"bd and gt look for a formula of the name {quoted(text)}: write the plain name here, "
            "and scope and range in [package.requires]",
        )
    before = hard.get(wanted.name, ANY)
    if not before.is_any and not wanted.range.is_any and before != wanted.range:
        reading.problem(key, f"{wanted.name} is also required as {before}: write one range in [package.requires]")
    hard[wanted.name] = before if wanted.range.is_any else wanted.range


def _soft_name(reading: Reading, key: str, text: str) -> FormulaName | None:
    if "{" in text:
        return None
    try:
        return Requirement.parse(text).name
    except ValueError as error:
        reading.warn("odd-name", key, f"this bonds no formula: {error}")
        return None


def _package_requires(reading: Reading, package: dict[str, Any]) -> dict[FormulaName, VersionRange]:
    wanted: dict[FormulaName, VersionRange] = {}
    for text, value in reading.table(package, "requires", "package.requires").items():
        key = f"package.requires.{text}"
        name = reading.name(key, text)
        if not isinstance(value, str):
            reading.problem(key, 'a range is a text such as "^4.1"')
            continue
        try:
            allowed = VersionRange.parse(value)
        except ValueError as error:
            reading.problem(key, str(error))
            continue
        if name is not None:
            wanted[name] = allowed
    return wanted


def _count_others(reading: Reading, document: dict[str, Any]) -> int:
    """Count template steps, legs, aspects and advice steps."""
    count = 0
    for key in ("template", "legs", "aspects"):
        count += sum(1 for _ in _with_children(reading, reading.tables(document, key, key)))
    for path, advice in reading.tables(document, "advice", "advice"):
        around = reading.table(advice, "around", f"{path}.around")
        for holder_path, holder in ((path, advice), (f"{path}.around", around)):
            for place in ("before", "after"):
                # bd takes one step as a table, too.
                one = isinstance(holder.get(place), dict)
                count += 1 if one else len(reading.tables(holder, place, f"{holder_path}.{place}"))
    return count
