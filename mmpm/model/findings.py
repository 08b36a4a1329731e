"""What a careful reader notices in a formula that is legal all the same."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from mmpm.errors import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mmpm.model.formula import Formula

MAX_OF_ONE_CODE = 50

_VARIABLE = re.compile(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}")
# Tables of items that have an id, and may name others' in `needs` or `depends_on`.
_ITEM_TABLES = ("steps", "template", "legs", "aspects")
# What these say about {{x}} is prose.
_NOT_SUBSTITUTED = frozenset({"vars", "inputs", "package"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth saying about a formula.

    Attributes:
        code: kebab case; what kind of thing it is.
        key: path in the document such as ``steps[3].needs``; empty for the file as a whole.
        message: one sentence; what it quotes from the file is printable.
    """

    code: str
    key: str
    message: str


def inspect_formula(formula: Formula) -> tuple[Finding, ...]:
    """Give the reader's warnings, and what a look at steps, variables and texts adds; bounded in number."""
    items = list(_items(formula.tables))
    found = chain(
        formula.warnings,
        _missing(formula, items),
        _variables(formula.tables),
        _ids_and_needs(formula.tables, items),
    )
    seen: Counter[str] = Counter()
    kept = []
    for finding in found:
        seen[finding.code] += 1
        if seen[finding.code] <= MAX_OF_ONE_CODE:
            kept.append(finding)
    return tuple(kept)


def _items(tables: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every item that can have an id, with its key path; children right after their parent."""
    waiting: list[tuple[str, Any]] = []
    for table in reversed(_ITEM_TABLES):
        waiting.extend((f"{table}[{i}]", item) for i, item in reversed(list(enumerate(_list(tables.get(table))))))
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            yield path, item
            children = list(enumerate(_list(item.get("children"))))
            waiting.extend((f"{path}.children[{i}]", child) for i, child in reversed(children))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _missing(formula: Formula, items: list[tuple[str, dict[str, Any]]]) -> Iterator[Finding]:
    for key in formula.missing:
        yield Finding(f"missing-{key}", key, f"publishing requires a {key}")
    if not formula.capabilities:
        yield Finding("no-capabilities", "", "no skills are declared: agents are routed by [capabilities] primary")
    if not items and not formula.tables.get("extends") and not formula.step_count:
        yield Finding("no-steps", "", "the formula has no steps and extends none")
    for path, item in items:
        if not isinstance(item.get("id"), str) or not item["id"]:
            yield Finding("missing-id", path, "this item has no id, so that nothing can need it")
        if not item.get("title"):
            yield Finding("missing-title", path, f"{_shown(item)} has no title")


def _shown(item: dict[str, Any]) -> str:
    return quoted(str(item.get("id", "?")))


def _variables(tables: Mapping[str, Any]) -> Iterator[Finding]:
    declared: set[str] = set()
    for table in ("vars", "inputs"):
        variables = tables.get(table)
        for name, value in variables.items() if isinstance(variables, dict) else ():
            declared.add(name)
            if not isinstance(value, dict):
                continue  # a plain value is a default
            key = f"{table}.{name}"
            if value.get("required") is True and "default" in value:
                yield Finding(
                    "required-with-default",
                    key,
                    f"{quoted(name)} is required and has a default, which bd refuses; here the default applies",
                )
            elif table == "vars" and not value.get("required") and "default" not in value:
                yield Finding("no-default", key, f"{quoted(name)} is neither required nor has a default")
    reported: set[str] = set()
    for path, text in _texts(tables):
        for name in _VARIABLE.findall(text):
            if name not in declared and name not in reported:
                reported.add(name)
                yield Finding("undeclared-variable", path, f"{{{{{name}}}}} is used and not declared in [vars]")


def _texts(tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give every text in which variables are used, with its key path, in the file's order."""
    # A stack of iterators: a hostile list of a million texts must not become a list of a million paths.
    top = ((key, value) for key, value in tables.items() if key not in _NOT_SUBSTITUTED)
    stack: list[Iterator[tuple[str, Any]]] = [top]
    while stack:
        for path, value in stack[-1]:
            if isinstance(value, str):
                yield path, value
            elif isinstance(value, dict | list):
                stack.append(_inside(path, value))
                break
        else:
            stack.pop()


def _inside(path: str, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        return ((f"{path}.{key}", inner) for key, inner in value.items())
    return ((f"{path}[{index}]", inner) for index, inner in enumerate(value))


def _needs(path: str, item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("needs", "depends_on"):
        for needed in _list(item.get(key)):
            if isinstance(needed, str):
                yield f"{path}.{key}", needed


def _ids_and_needs(tables: Mapping[str, Any], items: list[tuple[str, dict[str, Any]]]) -> Iterator[Finding]:
    counts = Counter(item["id"] for _, item in items if isinstance(item.get("id"), str))
    for path, item in items:
        if counts.get(str(item.get("id")), 0) > 1:
            counts[str(item["id"])] = 0  # once is enough
            yield Finding("duplicate-id", path, f"the id {_shown(item)} is given more than once")
    needing = [*items, ("synthesis", tables["synthesis"])] if isinstance(tables.get("synthesis"), dict) else items
    if not tables.get("extends"):  # ids may be inherited
        for path, item in needing:
            for key, needed in _needs(path, item):
                if needed not in counts:
                    yield Finding(
                        "unknown-need", key, f"{_shown(item)} needs {quoted(needed)}, which no item has as id"
                    )
    cycle = _find_cycle({str(item.get("id")): [needed for _, needed in _needs(path, item)] for path, item in items})
    if cycle:
        shown = " -> ".join(quoted(step) for step in cycle[:12]) + (" -> ..." if len(cycle) > 12 else "")
        yield Finding("needs-cycle", "", f"these items wait for each other: {shown}")


def _find_cycle(needs: Mapping[str, list[str]]) -> list[str]:
    # graphlib is iterative: real chains have 1,025 items.
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
