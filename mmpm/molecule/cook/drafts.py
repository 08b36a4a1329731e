"""Steps as a formula writes them, before they are cooked: with loops, expansions and placeholders still in them.

Drafts are a flat tuple, a parent directly before its children, ids as in the file. What is read here has the right
types; whether names lead anywhere is seen when all stages are done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from mmpm.errors import CookError, quoted
from mmpm.molecule.steps import MAX_STEPS, Gate, Step, WaitsFor, in_values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.model.reading import Reading
    from mmpm.molecule.steps import FanOut

Change: TypeAlias = Callable[[str], str]

MAX_TOTAL_TEXT: Final = 48 * 1024 * 1024
MAX_ONE_TEXT: Final = 4 * 1024 * 1024

_PLACEHOLDER = re.compile(r"(?<!\{)\{([A-Za-z_][A-Za-z0-9_]*(?:\.[a-z]+)?)\}(?!\})", re.ASCII)
_CHILDREN_OF = re.compile(r"children-of\((.+)\)", re.DOTALL)
_PLAIN_TEXTS: Final = ("title", "description", "design", "acceptance", "notes", "assignee", "condition")
_KNOWN: Final = frozenset(
    {*_PLAIN_TEXTS, "id", "type", "priority", "labels", "needs", "depends_on", "waits_for", "gate", "on_complete"}
    | {"expand", "expand_vars", "loop", "children", "if_failed"}
)


@dataclass(frozen=True, slots=True)
class Loop:
    """A body that is repeated.

    Attributes:
        count: how often, or 0.
        until: a condition that is looked at when it runs, or empty; then the body stands once.
        most: how often at most, with `until`.
        range: such as ``1..2^{disks}``, or empty.
        variable: what the body calls the number of the round; it is ``i`` as well.
        body: what is repeated.
    """

    count: int = 0
    until: str = ""
    most: int = 0
    range: str = ""
    variable: str = ""
    body: tuple[Draft, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A step that may still have to be expanded.

    Attributes:
        step: what is known of it; a `waits_for` without a spawner means the first of its needs.
        expand: name of the expansion that takes its place, or empty.
        values: the expansion's variables, as this step sets them.
        loop: what it is replaced by, or None.
    """

    step: Step
    expand: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    loop: Loop | None = None


class Budget:
    """What one cooking may make, so that a few lines that multiply end in a message and not in a full memory."""

    __slots__ = ("_left", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._left = MAX_TOTAL_TEXT

    def charge(self, drafts: Iterable[Draft]) -> None:
        """Count the texts that were made.

        Raises:
            CookError: they are more than a proto may have.
        """
        for draft in drafts:
            step = draft.step
            self._left -= 64 + len(step.id) + sum(len(getattr(step, key)) for key in _PLAIN_TEXTS)
            self._left -= sum(map(len, step.needs)) + sum(map(len, step.labels))
        if self._left < 0:
            raise CookError(self._name, f"its steps have more than {MAX_TOTAL_TEXT >> 20} MiB of text when expanded")

    def require(self, count: int) -> None:
        """Refuse more steps than a proto may have, before they are made.

        Raises:
            CookError: `count` is too many.
        """
        if count > MAX_STEPS:
            raise CookError(self._name, f"it expands to {count} steps or more; a proto has at most {MAX_STEPS}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put `values` into the ``{name}`` of `text`, in one pass; ``{{name}}`` and unknown names stay.

    Raises:
        ValueError: the text would become too long.
    """
    if "{" not in text:
        return text
    length = len(text) + sum(len(values.get(use[1], use[0])) - len(use[0]) for use in _PLACEHOLDER.finditer(text))
    if length > MAX_ONE_TEXT:
        raise ValueError(f"a text would have {length} characters when it is expanded")
    return _PLACEHOLDER.sub(lambda use: values.get(use[1], use[0]), text)


def rewritten(draft: Draft, text: Change, name: Change) -> Draft:
    """Give `draft` with `text` applied to all that is prose, and `name` to its id and all that refers to a step."""
    step = draft.step.with_texts(text)
    changed = replace(
        step,
        id=name(step.id),
        parent=name(step.parent) if step.parent else "",
        condition=text(step.condition),
        needs=tuple(dict.fromkeys(map(name, step.needs))),
        if_failed=tuple(dict.fromkeys(map(name, step.if_failed))),
        waits_for=tuple(WaitsFor(wait.gate, name(wait.spawner) if wait.spawner else "") for wait in step.waits_for),
        attributes=in_values(step.attributes, text),
    )
    loop = draft.loop
    if loop is not None:
        body = tuple(_in_body(inner, text, name) for inner in loop.body)
        loop = replace(loop, range=text(loop.range), until=text(loop.until), body=body)
    values = {key: text(value) for key, value in draft.values.items()}
    return Draft(changed, text(draft.expand), values, loop)


def _in_body(draft: Draft, text: Change, name: Change) -> Draft:
    # A body's own ids get their prefix when it is unrolled; what it says of steps outside follows them now.
    own = draft.step.id
    parent = draft.step.parent
    changed = rewritten(draft, text, name)
    return replace(changed, step=replace(changed.step, id=own, parent=parent))


def with_condition(step: Step, condition: str) -> Step:
    """Give `step` under one more condition: a line each, and all of them must hold."""
    if not condition or condition in step.condition.split("\n"):
        return step
    return replace(step, condition=f"{step.condition}\n{condition}" if step.condition else condition)


def read_drafts(reading: Reading, holder: Mapping[str, Any], key: str, path: str, source: str) -> tuple[Draft, ...]:
    """Read an array of steps with their children.

    Args:
        reading: takes the problems.
        holder: the table that has the array.
        key: of the array.
        path: of the array, in messages.
        source: name of the formula.
    """
    waiting = [(*item, "") for item in reversed(reading.tables(dict(holder), key, path))]
    found: list[Draft] = []
    while waiting:
        place, table, parent = waiting.pop()
        draft = _read_one(reading, place, table, parent, source)
        found.append(draft)
        if draft.loop is not None and table.get("children"):
            reading.problem(f"{place}.children", "a step with a loop has its steps in the loop's body")
        children = reading.tables(table, "children", f"{place}.children")
        waiting.extend((*child, draft.step.id) for child in reversed(children))
    return tuple(found)


def _read_one(reading: Reading, path: str, table: dict[str, Any], parent: str, source: str) -> Draft:
    dot = f"{path}."
    own = reading.text(table, "id", dot)
    if not own and not (table.get("id") and isinstance(table.get("id"), str)):
        reading.problem(f"{path}.id", "this step has no id")
    needs = [need for name in ("needs", "depends_on") for _, need in reading.texts(table, name, dot + name)]
    kind = reading.text(table, "type", dot) or "task"
    step = Step(
        id=own,
        parent=parent,
        kind=kind,
        priority=_priority(reading, table, f"{path}.priority"),
        labels=tuple(dict.fromkeys(label for _, label in reading.texts(table, "labels", f"{path}.labels"))),
        needs=tuple(dict.fromkeys(needs)),
        if_failed=tuple(dict.fromkeys(one for _, one in reading.texts(table, "if_failed", f"{path}.if_failed"))),
        waits_for=_waits_for(reading, reading.text(table, "waits_for", dot), f"{path}.waits_for"),
        gate=_gate(reading, table, f"{path}.gate"),
        on_complete=_on_complete(reading, table, f"{path}.on_complete"),
        attributes=plain({name: value for name, value in table.items() if name not in _KNOWN}),
        source=source,
        description=reading.text(table, "description", dot),
        design=reading.text(table, "design", dot),
        acceptance=reading.text(table, "acceptance", dot),
        notes=reading.text(table, "notes", dot),
        assignee=reading.text(table, "assignee", dot),
        title=reading.text(table, "title", dot),
        condition=reading.text(table, "condition", dot).strip(),
    )
    values = reading.table(table, "expand_vars", f"{path}.expand_vars")
    return Draft(
        step,
        expand=reading.text(table, "expand", dot),
        values=text_values(reading, values, f"{path}.expand_vars"),
        loop=_loop(reading, table, f"{path}.loop", source),
    )


def text_values(reading: Reading, table: Mapping[str, Any], path: str) -> dict[str, str]:
    """Give a table of values as texts: numbers and booleans too are written without quotes in real files."""
    values: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict | list):
            reading.problem(f"{path}.{key}", "a value is a text, a number or true or false")
        else:
            values[key] = ("false", "true")[value] if isinstance(value, bool) else str(value)
    return values


def plain(value: Any) -> Any:
    """Give a TOML tree as JSON without floats: decimals and times become texts."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int) and abs(value) < 1 << 53:
        return value
    return format(value, "f") if isinstance(value, Decimal) and value.is_finite() else str(value)


def _priority(reading: Reading, table: Mapping[str, Any], path: str) -> int | None:
    value = table.get("priority")
    if value is not None and (type(value) is not int or not 0 <= value <= 4):
        reading.problem(path, "a priority is a number from 0 (most urgent) to 4")
        return None
    return value


def _waits_for(reading: Reading, text: str, path: str) -> tuple[WaitsFor, ...]:
    if not text:
        return ()
    if text in ("all-children", "any-children"):
        return (WaitsFor(cast("FanOut", text)),)
    match = _CHILDREN_OF.fullmatch(text)
    if match:
        return (WaitsFor("all-children", match[1].strip()),)
    reading.problem(path, f"{quoted(text)} is none of all-children, any-children, children-of(step)")
    return ()


def _gate(reading: Reading, table: dict[str, Any], path: str) -> Gate | None:
    if "gate" not in table:
        return None
    said = reading.table(table, "gate", path)
    kind = reading.text(said, "type", f"{path}.")
    if not kind:
        reading.problem(f"{path}.type", "a gate says what it waits for: human, timer, mail, gh:run, gh:pr")
    awaited = reading.text(said, "await_id", f"{path}.") or reading.text(said, "id", f"{path}.")
    return Gate(kind, awaited, reading.text(said, "timeout", f"{path}."), reading.text(said, "condition", f"{path}."))


def _on_complete(reading: Reading, table: dict[str, Any], path: str) -> Mapping[str, Any] | None:
    said = reading.table(table, "on_complete", path)
    if not said:
        return None
    each, bonded = reading.text(said, "for_each", f"{path}."), reading.text(said, "bond", f"{path}.")
    if bool(each) is not bool(bonded):
        reading.problem(path, "for_each and bond stand together: what is bonded, for each of what")
    elif each and not each.startswith("output."):
        reading.problem(f"{path}.for_each", f"{quoted(each)} does not start with 'output.'")
    if said.get("parallel") is True and said.get("sequential") is True:
        reading.problem(path, "it is either parallel or sequential")
    return plain(said)  # type: ignore[no-any-return]


def _loop(reading: Reading, table: dict[str, Any], path: str, source: str) -> Loop | None:
    if "loop" not in table:
        return None
    said = reading.table(table, "loop", path)
    numbers = {}
    for key in ("count", "max"):
        value = said.get(key, 0)
        if type(value) is not int or value < 0:
            reading.problem(f"{path}.{key}", "this is not a number of rounds")
            value = 0
        numbers[key] = value
    loop = Loop(
        count=numbers["count"],
        until=reading.text(said, "until", f"{path}."),
        most=numbers["max"],
        range=reading.text(said, "range", f"{path}."),
        variable=reading.text(said, "var", f"{path}."),
        # Bodies nest no deeper than a document may.
        body=read_drafts(reading, said, "body", f"{path}.body", source),
    )
    if not loop.body:
        reading.problem(f"{path}.body", "a loop has a body")
    if (loop.count > 0) + bool(loop.until) + bool(loop.range) != 1:
        reading.problem(path, "a loop has one of count, until and range")
    if loop.until and not loop.most:
        reading.problem(f"{path}.max", "a loop with until says how often at most")
    return loop
