"""One line of a `molecules.jsonl`: a beads issue; the keys that make a molecule are known, the rest is kept.

Rule: a record that exists is well formed. Both marks of a template (`is_template` and the label `template`) are one
here, the label, and both are written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from mmpm.errors import quoted
from mmpm.model.canonical import MAX_JSON_BYTES, parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LINE_BYTES: Final = MAX_JSON_BYTES
MAX_ID: Final = 256
TEMPLATE: Final = "template"
TOMBSTONE: Final = "tombstone"
PARENT_CHILD: Final = "parent-child"
BLOCKS: Final = "blocks"
WAITING: Final = frozenset({BLOCKS, "conditional-blocks", "waits-for"})
"""Types of edges by which one step waits for another."""

_DEFAULT_PRIORITY = 2  # what bd gives an issue that was made without one
_EDGE_KEYS = ("issue_id", "depends_on_id", "type", "metadata")
_KEYS = ("id", "title", "description", "labels", "issue_type", "priority", "status", "dependencies", "is_template")


@dataclass(frozen=True, slots=True)
class Edge:
    """That `issue_id` depends on `depends_on_id`.

    Attributes:
        type: ``blocks``, ``parent-child``, ``conditional-blocks``, ``waits-for`` or another word of beads.
        metadata: what beads keeps beside it, a JSON text; empty where there is none.
        extra: other keys as read (`created_at`, `created_by`).
    """

    issue_id: str
    depends_on_id: str
    type: str = BLOCKS
    metadata: str = ""
    extra: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Record:
    """A molecule, or a step of one, as a catalogue holds it.

    Attributes:
        id: 1 to 256 printable characters without blanks; unique in a catalogue.
        labels: in the order of the file, each once; `template` marks what can be bonded.
        dependencies: in the order of the file.
        extra: keys that only beads knows, as read.
    """

    id: str
    title: str = ""
    description: str = ""
    labels: tuple[str, ...] = ()
    issue_type: str = "task"
    priority: int = _DEFAULT_PRIORITY
    status: str = "open"
    dependencies: tuple[Edge, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def is_template(self) -> bool:
        """Whether it can be bonded."""
        return TEMPLATE in self.labels

    @property
    def is_tombstone(self) -> bool:
        """Whether it only says that this id is gone."""
        return self.status == TOMBSTONE

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids that it waits for, each once, in the order of the file."""
        return tuple(
            dict.fromkeys(
                edge.depends_on_id for edge in self.dependencies if edge.type in WAITING and edge.issue_id == self.id
            )
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read one line.

        Raises:
            ValueError: it is not a strict JSON object of at most `MAX_LINE_BYTES`, or a known key has another shape
                than beads gives it. One sentence.
        """
        value = parse_json(data, "it", max_bytes=MAX_LINE_BYTES)
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")  # noqa: TRY004 - one kind of refusal for all that enters
        found = _id(value.get("id"))
        labels = _labels(value)
        priority = value.get("priority")
        if priority is not None and (type(priority) is not int or not 0 <= priority < 1 << 31):
            raise ValueError("'priority' is not a whole number")
        return cls(
            id=found,
            title=_text(value, "title"),
            description=_text(value, "description"),
            labels=labels,
            issue_type=_text(value, "issue_type") or "task",
            priority=_DEFAULT_PRIORITY if priority is None else priority,
            status=_text(value, "status") or "open",
            dependencies=tuple(_edge(one, found) for one in _items(value, "dependencies")),
            extra={key: item for key, item in value.items() if key not in _KEYS},
        )

    def to_bytes(self) -> bytes:
        """Give its line, without the line feed: sorted keys, no blanks. Reading it gives an equal record."""
        document: dict[str, object] = {
            **self.extra,
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "issue_type": self.issue_type,
            "priority": self.priority,
            "status": self.status,
        }
        if self.labels:
            document["labels"] = list(self.labels)
        if self.is_template:
            document["is_template"] = True
        if self.dependencies:
            document["dependencies"] = [_edge_document(edge) for edge in self.dependencies]
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _id(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it has no 'id'")
    if len(value) > MAX_ID or not value.isprintable() or any(character.isspace() for character in value):
        raise ValueError(f"the id {quoted(value)} is not 1 to {MAX_ID} printable characters without blanks")
    return value


def _text(value: Mapping[str, object], key: str) -> str:
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise ValueError(f"{key!r} is not a text")  # noqa: TRY004
    return found


def _items(value: Mapping[str, object], key: str) -> list[object]:
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError(f"{key!r} is not a list")  # noqa: TRY004
    return found


def _labels(value: Mapping[str, object]) -> tuple[str, ...]:
    """Give the labels, `template` among them where either mark stands."""
    found = _items(value, "labels")
    labels = [one for one in found if isinstance(one, str)]
    if len(labels) != len(found):
        raise ValueError("'labels' is not a list of texts")
    marked = value.get("is_template")
    if marked is not None and type(marked) is not bool:
        raise ValueError("'is_template' is neither true nor false")
    return tuple(dict.fromkeys([*labels, TEMPLATE] if marked else labels))


def _edge(value: object, owner: str) -> Edge:
    if not isinstance(value, dict):
        raise ValueError("a dependency is not an object")  # noqa: TRY004
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, str):
        # beads writes a text; what others write as an object says the same.
        metadata = json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Edge(
        issue_id=_text(value, "issue_id") or owner,
        depends_on_id=_id(value.get("depends_on_id")),
        type=_text(value, "type") or BLOCKS,
        metadata=metadata or "",
        extra={key: item for key, item in value.items() if key not in _EDGE_KEYS},
    )


def _edge_document(edge: Edge) -> dict[str, object]:
    document: dict[str, object] = {
        **edge.extra,
        "issue_id": edge.issue_id,
        "depends_on_id": edge.depends_on_id,
        "type": edge.type,
    }
    if edge.metadata:
        document["metadata"] = edge.metadata
    return document
