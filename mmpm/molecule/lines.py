"""The one line of text that an operation is, written and read.

Rule: one operation is one line, whole or not there. A line has one text, canonical JSON, and only that text is read;
what a newer program writes is refused with that sentence and never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from mmpm.errors import quoted
from mmpm.model.canonical import MAX_JSON_BYTES, canonical_json, parse_canonical, parse_json
from mmpm.model.fields import Fields
from mmpm.molecule.events import (
    CONNECTIONS,
    INNER_EDGES,
    MAX_ACTOR,
    PHASES,
    ArmAdded,
    Bonded,
    Burned,
    Closed,
    Connected,
    EdgeAdded,
    Event,
    GateOpened,
    Provenance,
    Skipped,
    Squashed,
    Started,
    StepsAdded,
    check_moment,
    is_molecule_id,
)
from mmpm.molecule.steps import MAX_TEXT, Step, is_step_id

FORMAT: Final = 1
MAX_LINE_BYTES: Final = MAX_JSON_BYTES
MAX_EVENTS: Final = 200_000  # of one line: closing one step may close or skip all that is around it
MAX_BRACKETS: Final = 1_000_000  # of one line, those in texts too: an object takes a hundred times its two bytes
MAX_OPERATION: Final = 64
MAX_NONCE: Final = 128

_KINDS: Final[dict[str, type[Event]]] = {
    one.kind: one
    for one in (
        *(Bonded, StepsAdded, ArmAdded, EdgeAdded, Connected, Started, Closed, Skipped, GateOpened, Squashed, Burned),
    )
}
_ABOUT_STEPS: Final[dict[str, Callable[..., Event]]] = {one.kind: one for one in (Closed, Skipped, GateOpened)}
_NAMES: Final = {kind: tuple(one.name for one in fields(event)) for kind, event in _KINDS.items()}


class NewerLineError(ValueError):
    """A line tells of what this program does not know: it is not to be guessed, and nothing written after it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One operation.

    Attributes:
        at: the moment, RFC 3339, UTC, whole seconds.
        actor: who did it.
        operation: the verb (``pour``, ``attach``, ``close`` ..).
        events: at least one.
        nonce: what makes two equal bonds two molecules; empty for other operations.
    """

    at: str
    actor: str
    operation: str
    events: tuple[Event, ...]
    nonce: str = ""

    def to_bytes(self) -> bytes:
        """Give its one text, without the line feed.

        Raises:
            ValueError: it would be longer than a line may be.
        """
        said: dict[str, Any] = {
            "format": FORMAT,
            "at": self.at,
            "actor": self.actor,
            "operation": self.operation,
            "events": [_event_dict(event) for event in self.events],
        }
        if self.nonce:
            said["nonce"] = self.nonce
        data = canonical_json(said)
        if len(data) > MAX_LINE_BYTES:
            raise ValueError(f"this operation has {len(data)} bytes, more than the {MAX_LINE_BYTES} of a line")
        if _brackets(data) > MAX_BRACKETS:
            raise ValueError(f"this operation has more than the {MAX_BRACKETS} objects and lists of a line")
        return data


def parse_line(data: bytes) -> Line:
    """Read one line, with or without its line feed.

    Raises:
        ValueError: it is not the one text of a line; one sentence. `NewerLineError` where a newer program wrote it.
    """
    data = data.removesuffix(b"\n")
    if _brackets(data) > MAX_BRACKETS:
        raise ValueError(f"it has {_brackets(data)} objects and lists, more than the {MAX_BRACKETS} of a line")
    return _plain_line(data) or parse_line_by_key(data)


def _brackets(data: bytes) -> int:
    return data.count(b"{") + data.count(b"[")


def _plain_line(data: bytes) -> Line | None:
    """Read a line as `to_bytes` writes it, quickly; None where it is another, or may be."""
    table = parse_canonical(data) if len(data) <= MAX_LINE_BYTES else None
    if type(table) is not dict or table.get("format") != FORMAT or type(table["format"]) is not int:
        return None
    at, actor, operation, events = (table.get(key) for key in ("at", "actor", "operation", "events"))
    nonce = table.get("nonce", "")
    if not (type(at) is type(actor) is type(operation) is type(nonce) is str and type(events) is list):
        return None
    # All five are there, so that one more is the nonce, which is there only where it says something.
    if len(table) != 5 + bool(nonce) or len(actor) > MAX_ACTOR or len(operation) > MAX_OPERATION:
        return None
    if len(nonce) > MAX_NONCE or not 0 < len(events) <= MAX_EVENTS:
        return None
    try:
        return Line(check_moment(at), actor, operation, tuple([_plain_event(one) for one in events]), nonce)
    except ValueError:
        return None


def _plain_event(value: Any) -> Event:
    """Read an event that says nothing but what `_event_dict` does.

    Raises:
        ValueError: it is another, or may be.
    """
    kind = value.get("kind") if type(value) is dict else None
    if type(kind) is not str:
        raise ValueError
    if kind == Started.kind and len(value) == 2 and type(value.get("step")) is str:
        return Started(_step(value["step"]))
    if kind in _ABOUT_STEPS:
        step, reason = value.get("step"), value.get("reason", "")
        if not type(step) is type(reason) is str or not is_step_id(step) or len(reason) > MAX_TEXT:
            raise ValueError
        if len(value) != 2 + bool(reason):
            raise ValueError
        return _ABOUT_STEPS[kind](step, reason)
    if kind == StepsAdded.kind and type(value.get("steps")) is list and len(value) == 2:
        steps = tuple([Step.of_plain(one) for one in value["steps"]])
        if any(one is None for one in steps):
            raise ValueError
        return StepsAdded(steps)  # type: ignore[arg-type]  # none of them is None
    event = _event(value)
    if _event_dict(event) != value:
        raise ValueError
    return event


def parse_line_by_key(data: bytes) -> Line:
    """Do as `parse_line`, key by key, so that what is wrong can be named; for a line that is right this is slow.

    Raises:
        ValueError, NewerLineError: as there.
    """
    table = parse_json(data, "it", max_bytes=MAX_LINE_BYTES)
    said = Fields(table, "it")
    form = table.get("format")
    if type(form) is int and form > FORMAT:
        raise NewerLineError(
            f"it has format {form}, and this mmpm reads format {FORMAT}: a newer mmpm wrote it, upgrade"
        )
    said.require_format(FORMAT)
    events = said.items("events")
    if not 0 < len(events) <= MAX_EVENTS:
        raise ValueError(f"it has {len(events)} events, and a line has 1 to {MAX_EVENTS}")
    line = Line(
        at=check_moment(said.text("at")),
        actor=said.text("actor", MAX_ACTOR),
        operation=said.text("operation", MAX_OPERATION),
        events=tuple(_event(one) for one in events),
        nonce=said.optional("nonce", MAX_NONCE) or "",
    )
    if line.to_bytes() != data:
        raise ValueError("it is not the one text that its contents have")
    return line


def _event_dict(event: Event) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": event.kind}
    for name in _NAMES[event.kind]:
        value = getattr(event, name)
        if isinstance(value, Provenance):
            said[name] = value.to_dict()
        elif isinstance(event, StepsAdded):
            said[name] = [step.to_dict() for step in event.steps]
        elif value:
            said[name] = dict(value) if isinstance(value, Mapping) else value
    return said


def _event(value: object) -> Event:
    said = Fields(value, "an event")
    kind = said.text("kind", 64)
    if kind not in _KINDS:
        raise NewerLineError(
            f"it tells of {quoted(kind)}, which this mmpm does not know: a newer mmpm wrote it, upgrade"
        )
    match kind:
        case Bonded.kind:
            return Bonded(
                id=_molecule(said.text("id")),
                phase=_one_of(said.text("phase"), PHASES),
                provenance=Provenance.of_dict(said.table("provenance"), "what it was bonded from"),
                title=said.optional("title", MAX_TEXT) or "",
                description=said.optional("description", MAX_TEXT) or "",
                values=said.mapping("values"),
            )
        case StepsAdded.kind:
            return StepsAdded(tuple(Step.of_dict(one, "a step") for one in said.items("steps")))
        case ArmAdded.kind:
            provenance = Provenance.of_dict(said.table("provenance"), "what it was bonded from")
            spawners = tuple(_step(one) for one in said.texts("spawners"))
            return ArmAdded(_step(said.text("step")), provenance, said.mapping("values"), spawners)
        case EdgeAdded.kind:
            return EdgeAdded(_step(said.text("step")), _step(said.text("on")), _one_of(said.text("edge"), INNER_EDGES))
        case Connected.kind:
            return Connected(_molecule(said.text("on")), _one_of(said.text("connection"), CONNECTIONS))
        case Started.kind:
            return Started(_step(said.text("step")))
        case Squashed.kind:
            return Squashed(said.text("root"))
        case Burned.kind:
            return Burned(_molecule(said.text("id")), said.optional("reason", MAX_TEXT) or "")
    step, reason = _step(said.text("step")), said.optional("reason", MAX_TEXT) or ""
    if kind == Closed.kind:
        return Closed(step, reason)
    return Skipped(step, reason) if kind == Skipped.kind else GateOpened(step, reason)


def _step(text: str) -> str:
    if not is_step_id(text):
        raise ValueError(f"{quoted(text)} cannot be a step's id")
    return text


def _molecule(text: str) -> str:
    if not is_molecule_id(text):
        raise ValueError(f"{quoted(text)} cannot be a molecule's id")
    return text


def _one_of(text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise ValueError(f"{quoted(text)} is none of {', '.join(allowed)}")
    return text
