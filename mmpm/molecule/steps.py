"""A step: the one form that every stage of cooking takes and gives, and that a proto holds.

A formula's steps are a tree; here they are a flat tuple in the file's order, a parent before its children, each with
its parent's id. Nothing that walks them recurses, and a chain of a thousand steps is as good as one of three.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias, TypeVar, cast

from mmpm.errors import quoted
from mmpm.model.fields import MAX_TEXT as MAX_NAME
from mmpm.model.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

FanOut: TypeAlias = Literal["all-children", "any-children"]
EdgeKind: TypeAlias = Literal["blocks", "conditional-blocks", "waits-for", "parent-child"]

MAX_STEPS: Final = 20_000
MAX_TEXT: Final = 4 * 1024 * 1024
# A step's name becomes part of an id of an instance: every one of the real files' fits, dots included.
_STEP_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+:@#-]*")
MAX_ID_LENGTH: Final = 512
_Tree = TypeVar("_Tree", bound=Mapping[str, Any] | None)


def is_step_id(text: str) -> bool:
    """Tell whether `text` can be a step's id once every placeholder in it is filled."""
    return len(text) <= MAX_ID_LENGTH and _STEP_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One line of the graph: `step` waits for `on`, in one of four ways.

    Attributes:
        step: who waits.
        on: for whom: a blocker, the spawner of a fan-out, or the parent.
        kind: ``blocks``; ``conditional-blocks`` (runs only if `on` failed); ``waits-for`` (for the children that `on`
            spawns); ``parent-child`` (`on` is the parent: it blocks only as long as it is blocked itself).
        gate: of ``waits-for``: ``all-children`` or ``any-children``; else empty.
    """

    step: str
    on: str
    kind: EdgeKind
    gate: str = ""


@dataclass(frozen=True, slots=True)
class WaitsFor:
    """A fan-out gate: the step waits for what another spawns at run time.

    Attributes:
        gate: whether all children have to be closed, or one.
        spawner: id of the step whose children are meant. In a proto it is never empty.
    """

    gate: FanOut
    spawner: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """What has to happen outside before a step may start.

    Attributes:
        kind: ``human``, ``timer``, ``mail``, ``gh:run``, ``gh:pr``, ``conditional``, or what else a file says.
        id: what is awaited, as a run's name; may be empty.
        timeout: as text with a unit, ``30m``; may be empty.
        condition: an expression for the one who opens it; may be empty.
    """

    kind: str
    id: str = ""
    timeout: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work.

    Attributes:
        id: in a proto the path below the root (``discovery.file-census``), unique; while cooking the file's own id.
        title: never empty in a proto (the id where the file gives none).
        parent: id of the step it is a child of; empty for a child of the root.
        kind: the file's ``type``: task, bug, feature, epic, chore, human or what else it says.
        priority: 0 to 4, or None where the file says none (beads takes 2).
        labels: in the file's order, each once.
        needs: ids of the steps that must be closed before it starts, each once: ``needs`` and ``depends_on``.
        if_failed: ids of steps of which each must have *failed* before it starts.
        waits_for: fan-out gates.
        condition: text such as ``{{mode}} == fast``; empty for none, or where it was decided.
        gate: what has to happen outside.
        on_complete: what is bonded when it closes (``for_each``, ``bond``, ``vars``), as in the file.
        attributes: whatever else the file says of it (JSON without floats), by key.
        source: name of the formula in which it was written.
    """

    id: str
    title: str = ""
    description: str = ""
    design: str = ""
    acceptance: str = ""
    notes: str = ""
    assignee: str = ""
    parent: str = ""
    kind: str = "task"
    priority: int | None = None
    labels: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    if_failed: tuple[str, ...] = ()
    waits_for: tuple[WaitsFor, ...] = ()
    condition: str = ""
    gate: Gate | None = None
    on_complete: Mapping[str, Any] | None = field(default=None, hash=False)
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    source: str = ""

    def with_texts(self, change: Callable[[str], str]) -> Self:
        """Give the step with `change` applied to every text in which a variable may stand; a label stands once.

        A condition is decided, not filled, and `attributes` are what the file says: both stay.
        """
        return self.with_texts_beside(_BLANK, lambda text, _: change(text))

    def with_texts_beside(self, other: Step, change: Callable[[str, str], str]) -> Self:
        """Do as `with_texts` does; `change` hears what stands in the same place of `other`, too.

        Labels have one place each where both steps have as many of them, else their own text stands beside them; what
        is inside `on_complete` has none, and an empty text stands beside it.
        """
        gate, beside = self.gate, other.gate or _BLANK_GATE
        if gate is not None:
            gate = Gate(
                gate.kind,
                change(gate.id, beside.id),
                change(gate.timeout, beside.timeout),
                change(gate.condition, beside.condition),
            )
        labels = other.labels if len(other.labels) == len(self.labels) else self.labels
        return replace(
            self,
            title=change(self.title, other.title),
            description=change(self.description, other.description),
            design=change(self.design, other.design),
            acceptance=change(self.acceptance, other.acceptance),
            notes=change(self.notes, other.notes),
            assignee=change(self.assignee, other.assignee),
            labels=tuple(dict.fromkeys(map(change, self.labels, labels))),
            gate=gate,
            on_complete=in_values(self.on_complete, lambda text: change(text, "")),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give its JSON form: what is empty or usual is left out."""
        said: dict[str, Any] = {"id": self.id}
        for key in TEXTS:
            if value := getattr(self, key):
                said[key] = value
        if self.kind == "task":
            del said["kind"]
        for key in _LISTS:
            if value := getattr(self, key):
                said[key] = list(value)
        if self.priority is not None:
            said["priority"] = self.priority
        if self.waits_for:
            said["waits_for"] = [[wait.gate, wait.spawner] for wait in self.waits_for]
        if self.gate is not None:
            gate = self.gate
            said["gate"] = {"kind": gate.kind, "id": gate.id, "timeout": gate.timeout, "condition": gate.condition}
            said["gate"] = {key: value for key, value in said["gate"].items() if value}
        if self.on_complete is not None:
            said["on_complete"] = dict(self.on_complete)
        if self.attributes:
            said["attributes"] = dict(self.attributes)
        return said

    @classmethod
    def of_dict(cls, value: object, what: str) -> Self:
        """Read its JSON form.

        Raises:
            ValueError: it is not one; the sentence starts with `what`.
        """
        found = cls.of_plain(value)
        if found is not None:
            return found
        fields = Fields(value, what)
        texts = {key: fields.optional(key, MAX_TEXT) or "" for key in TEXTS}
        texts["kind"] = texts["kind"] or "task"
        return cls(
            id=_known_id(fields.text("id"), what),
            **texts,
            labels=fields.texts("labels"),
            needs=fields.texts("needs"),
            if_failed=fields.texts("if_failed"),
            priority=_priority(value, what),
            waits_for=tuple(_waits_for(item, what) for item in fields.items("waits_for")),
            gate=_gate(fields.table("gate"), what),
            on_complete=fields.table("on_complete") or None,
            attributes=fields.table("attributes"),
        )

    @classmethod
    def of_plain(cls, value: object) -> Self | None:
        """Read a JSON form that says nothing but what `to_dict` does of the same step; None where it may be another."""
        if type(value) is not dict or "id" not in value:
            return None
        try:
            return cls(**{key: _READERS[key](one) for key, one in value.items()})
        except (KeyError, ValueError):
            return None


# The fields that are texts, in the order in which a person would read them.
TEXTS: Final = (
    *("title", "description", "design", "acceptance", "notes", "assignee", "parent", "kind", "condition", "source"),
)
_LISTS: Final = ("labels", "needs", "if_failed")
_BLANK: Final = Step("")
_BLANK_GATE: Final = Gate("")


def in_values(tree: _Tree, text: Callable[[str], str]) -> _Tree:
    """Apply `text` to every text in a JSON tree, keys excepted. A document's depth is bounded where it is read."""

    def changed(value: Any) -> Any:
        if isinstance(value, str):
            return text(value)
        if isinstance(value, Mapping):
            return {key: changed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [changed(inner) for inner in value]
        return value

    return changed(tree) if tree else tree


def edges_of(steps: tuple[Step, ...]) -> tuple[Edge, ...]:
    """Give the lines of the graph, a step's together, in the steps' order; its parent's first (none for the root's)."""
    found: list[Edge] = []
    for step in steps:
        if step.parent:
            found.append(Edge(step.id, step.parent, "parent-child"))
        found.extend(Edge(step.id, need, "blocks") for need in step.needs)
        found.extend(Edge(step.id, failed, "conditional-blocks") for failed in step.if_failed)
        found.extend(Edge(step.id, wait.spawner, "waits-for", wait.gate) for wait in step.waits_for)
    return tuple(found)


def _plain_text(value: Any) -> str:
    if type(value) is str and 0 < len(value) <= MAX_TEXT:
        return value
    raise ValueError


def _plain_id(value: Any) -> str:
    if type(value) is str and is_step_id(value):
        return value
    raise ValueError


def _plain_kind(value: Any) -> str:
    if value == "task":
        raise ValueError
    return _plain_text(value)


def _plain_texts(value: Any) -> tuple[str, ...]:
    if type(value) is list and value and all(type(one) is str and len(one) <= MAX_NAME for one in value):
        return tuple(value)
    raise ValueError


def _plain_priority(value: Any) -> int:
    if type(value) is int and 0 <= value <= 4:
        return value
    raise ValueError


def _plain_waits_for(value: Any) -> tuple[WaitsFor, ...]:
    if type(value) is list and value:
        return tuple(_waits_for(one, "") for one in value)
    raise ValueError


def _plain_gate(value: Any) -> Gate:
    if type(value) is dict and value and value.keys() <= _GATE and all(value.values()):
        gate = _gate(value, "")
        if gate is not None:
            return gate
    raise ValueError


def _plain_table(value: Any) -> dict[str, Any]:
    if type(value) is dict and value:
        return value
    raise ValueError


_GATE: Final = frozenset({"kind", "id", "timeout", "condition"})
_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(TEXTS, _plain_text),
    **dict.fromkeys(_LISTS, _plain_texts),
    "id": _plain_id,
    "kind": _plain_kind,
    "priority": _plain_priority,
    "waits_for": _plain_waits_for,
    "gate": _plain_gate,
    "on_complete": _plain_table,
    "attributes": _plain_table,
}


def _known_id(text: str, what: str) -> str:
    if not is_step_id(text):
        raise ValueError(f"{what}: {quoted(text)} cannot be a step's id")
    return text


def _waits_for(item: object, what: str) -> WaitsFor:
    if (
        isinstance(item, list)
        and len(item) == 2
        and item[0] in ("all-children", "any-children")
        and isinstance(item[1], str)
        and item[1]
    ):
        return WaitsFor(cast("FanOut", item[0]), item[1])
    raise ValueError(f"{what}: 'waits_for' is not a list of gates")


def _gate(table: dict[str, object], what: str) -> Gate | None:
    if not table:
        return None
    fields = Fields(table, f"the gate of {what}")
    return Gate(fields.text("kind"), *(fields.optional(key) or "" for key in ("id", "timeout", "condition")))


def _priority(value: object, what: str) -> int | None:
    found = value.get("priority") if isinstance(value, dict) else None
    if found is not None and (type(found) is not int or not 0 <= found <= 4):
        raise ValueError(f"{what}: 'priority' is not a number from 0 to 4")
    return found
