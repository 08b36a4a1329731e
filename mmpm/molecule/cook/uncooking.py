"""From a proto back to a formula: the text that cooks to it.

Rule: cooking the text gives `Uncooked.proto`, graph and all; where that is not the proto that was given, a sentence
says what a formula file cannot say and what stands there instead. Nothing is lost silently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mmpm.errors import quoted
from mmpm.model.names import FormulaName
from mmpm.model.toml_writing import write_toml
from mmpm.model.versions import Version
from mmpm.molecule.steps import MAX_ID_LENGTH, WaitsFor, is_step_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.model.capabilities import Capabilities
    from mmpm.molecule.proto import Proto
    from mmpm.molecule.steps import Step
    from mmpm.molecule.variables import Variable

MAX_DEPTH: Final = 24  # of steps below each other: each is two levels of a document, and a document has 64
_ROOT_TABLES: Final = ("prompts", "output", "presets", "squash", "agent", "review_only", "pour")
_COMPOSED: Final = ("bond_points", "hooks")
_STEP_KEYS: Final = frozenset(
    {"id", "title", "description", "design", "acceptance", "notes", "assignee", "condition", "type", "priority"}
    | {"labels", "needs", "depends_on", "if_failed", "waits_for", "gate", "on_complete", "expand", "expand_vars"}
    | {"loop", "children"}
)


@dataclass(frozen=True, slots=True)
class Uncooked:
    """A formula's text.

    Attributes:
        text: TOML in the flat form that bd and gt read.
        proto: what cooking it gives, but for its sources.
        notes: what a formula cannot say of the proto that was given, a sentence each.
    """

    text: str
    proto: Proto
    notes: tuple[str, ...] = ()


def uncook(proto: Proto) -> Uncooked:
    """Give the formula that cooks to `proto`.

    Raises:
        ValueError: its name is none of a formula, or its steps are deeper below each other than a file can say.
    """
    name = FormulaName.parse(proto.name)
    if name.scope is not None:
        raise ValueError(f"{quoted(proto.name)}: a proto's name has no scope")
    notes: list[str] = []
    said, own = _named(proto.steps, notes)
    steps = tuple(_sayable(step, proto.name, notes) for step in said)
    if any(step.source not in ("", proto.name) for step in proto.steps):
        others = sorted({quoted(step.source) for step in proto.steps if step.source not in ("", proto.name)})
        notes.append(f"steps that were written in {', '.join(others[:5])} are the formula's own")
    made = replace(
        proto,
        version=_version(proto.version, notes),
        title=proto.title or proto.name,
        description=_description(proto, notes),
        steps=steps,
        variables=tuple(sorted(proto.variables, key=lambda one: one.name)),
        sources=(),
        attributes=_root_attributes(proto.attributes, notes),
    )
    if proto.kind in ("expansion", "aspect"):
        kept = "steps for the target 'main'" if proto.kind == "expansion" else "own steps"
        notes.append(f"of an {proto.kind} a proto has its {kept} alone: other formulas cannot be made with this one")
    return Uncooked(write_toml(_document(made, own)), made, tuple(dict.fromkeys(notes)))


def _named(steps: Sequence[Step], notes: list[str]) -> tuple[list[Step], dict[str, str]]:
    """Give the steps with ids and an order that a file can say, and of each its id in the file.

    A file's ids are unique, and those of a proto are paths of them.
    """
    below: dict[str, list[Step]] = {}
    for step in steps:
        below.setdefault(step.parent, []).append(step)
    paths: dict[str, str] = {}
    own: dict[str, str] = {}
    taken: set[str] = set()
    found: list[Step] = []
    waiting = [(step, 1) for step in reversed(below.get("", ()))]
    renamed: list[tuple[str, str]] = []
    while waiting:
        step, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"{quoted(step.id)} is more than {MAX_DEPTH} levels below the root: no formula says that")
        local = step.id.removeprefix(f"{step.parent}.") if step.parent else step.id
        local = _free(local, own[step.parent] if step.parent else "", taken)
        path = f"{paths[step.parent]}.{local}" if step.parent else local
        if not is_step_id(path):
            raise ValueError(f"{quoted(path)} cannot be a step's id: it has more than {MAX_ID_LENGTH} characters")
        taken.add(local)
        paths[step.id], own[step.id] = path, local
        if path != step.id and (not step.parent or paths[step.parent] == step.parent):
            renamed.append((step.id, path))
        found.append(step)
        waiting.extend((child, depth + 1) for child in reversed(below.get(step.id, ())))
    notes += [f"{quoted(old)} becomes {quoted(new)}: in a formula every step's id stands once" for old, new in renamed]
    placed = [_moved(step, paths) for step in found]
    return placed, {paths[old]: local for old, local in own.items()}


def _free(local: str, parent: str, taken: set[str]) -> str:
    if local not in taken and is_step_id(local):
        return local
    stem = f"{parent}-{local}" if parent else local
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name


def _moved(step: Step, paths: Mapping[str, str]) -> Step:
    return replace(
        step,
        id=paths[step.id],
        parent=paths[step.parent] if step.parent else "",
        needs=tuple(paths[one] for one in step.needs),
        if_failed=tuple(paths[one] for one in step.if_failed),
        waits_for=tuple(WaitsFor(wait.gate, paths[wait.spawner]) for wait in step.waits_for),
    )


def _sayable(step: Step, name: str, notes: list[str]) -> Step:
    """Give a step as a file can say it."""
    waits = step.waits_for[:1]
    needs = tuple(dict.fromkeys(step.needs))
    notes += [
        f"{quoted(step.id)} no longer waits for {lost.gate} of {quoted(lost.spawner)}: a step says one such gate"
        for lost in step.waits_for[1:]
    ]
    if waits and waits[0].gate == "any-children" and needs[:1] != (waits[0].spawner,):
        spawner = waits[0].spawner
        if spawner in needs:
            needs = (spawner, *(one for one in needs if one != spawner))
        else:
            waits = (WaitsFor("all-children", spawner),)
            notes.append(
                f"{quoted(step.id)} waits for all children of {quoted(spawner)}, no longer for any: "
                "a formula says any-children of a step's first need alone"
            )
    if not step.title:
        notes.append(f"{quoted(step.id)} has no title: it is called by its id")
    attributes = {}
    for key, value in step.attributes.items():
        if key in _STEP_KEYS:
            notes.append(
                f"{quoted(step.id)}: its {quoted(key)} is left out: in a formula that key means something else"
            )
        else:
            attributes[key] = _without_nulls(value, f"{step.id}.{key}", notes)
    completes = step.on_complete
    return replace(
        step,
        title=step.title or step.id,
        labels=tuple(dict.fromkeys(step.labels)),
        needs=needs,
        if_failed=tuple(dict.fromkeys(step.if_failed)),
        waits_for=waits,
        condition=step.condition.strip(),
        on_complete=_without_nulls(completes, f"{step.id}.on_complete", notes) if completes else None,
        attributes={key: value for key, value in attributes.items() if value is not None},
        source=name,
    )


def _without_nulls(value: Any, where: str, notes: list[str]) -> Any:
    """Give a JSON tree without nulls, which TOML does not know. Its depth was bounded where it was read."""
    if isinstance(value, dict):
        kept = {key: _without_nulls(one, f"{where}.{key}", notes) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one is not None}
    if isinstance(value, list):
        listed = [_without_nulls(one, where, notes) for one in value]
        return [one for one in listed if one is not None]
    if value is None:
        notes.append(f"{where} is null and is left out: TOML has no null")
    return value


def _version(text: str, notes: list[str]) -> str:
    if not text:
        return "1.0.0"  # a formula that says none has this one
    try:
        Version.parse(text)
    except ValueError as error:
        notes.append(f"its version is left out: {error}")
        return "1.0.0"
    return text


def _description(proto: Proto, notes: list[str]) -> str:
    if any(one.name == "desc" for one in proto.variables) and proto.description != "{{desc}}":
        notes.append("its description is the value of its variable 'desc': where there is one, a formula has no other")
        return "{{desc}}"
    return proto.description


def _root_attributes(attributes: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in attributes.items():
        if key not in (*_ROOT_TABLES, *_COMPOSED, "labels"):
            notes.append(f"its {quoted(key)} is left out: a formula has no such key")
        elif (kept := _without_nulls(value, key, notes)) is not None:
            found[key] = kept
    return found


def _document(proto: Proto, own: Mapping[str, str]) -> dict[str, Any]:
    """Give the formula's document; heads first, as people write them."""
    major, _, rest = proto.version.partition(".")
    is_plain = rest == "0.0" and major != "0"
    said: dict[str, Any] = {
        "formula": proto.name,
        "version": int(major) if is_plain else max(1, Version.parse(proto.version).major),
        "type": proto.kind,
    }
    usual = "{{title}}" if any(one.name == "title" for one in proto.variables) else proto.name
    if proto.title != usual:
        said["title"] = proto.title
    if proto.description:
        said["description"] = proto.description
    if proto.phase:
        said["phase"] = proto.phase
    said.update({key: value for key, value in proto.attributes.items() if key not in _COMPOSED})
    if not is_plain:
        said["package"] = {"version": proto.version}
    if proto.capabilities:
        said["capabilities"] = _capabilities(proto.capabilities)
    if proto.variables:
        said["vars"] = {one.name: _variable(one) for one in proto.variables}
    composed = {key: proto.attributes[key] for key in _COMPOSED if key in proto.attributes}
    if composed:
        said["compose"] = composed
    said.update(_work(proto, own))
    return said


def _capabilities(capabilities: Capabilities) -> dict[str, Any]:
    return {key: value for key, value in capabilities.to_document().items() if value}


def _variable(variable: Variable) -> dict[str, Any]:
    said = variable.to_dict()
    del said["name"]
    for ours, theirs in (("kind", "type"), ("unless", "required_unless")):
        if ours in said:
            said[theirs] = said.pop(ours)
    order = ("description", "required", "default", "type", "enum", "pattern", "required_unless")
    return {key: said[key] for key in order if key in said}


def _work(proto: Proto, own: Mapping[str, str]) -> dict[str, Any]:
    """Give the steps where their kind of formula has them."""
    tables: dict[str, dict[str, Any]] = {}
    top: list[dict[str, Any]] = []
    for step in proto.steps:
        table = tables[step.id] = _step(step, own)
        if step.parent:
            tables[step.parent].setdefault("children", []).append(table)
        else:
            top.append(table)
    if not top:
        return {}
    if proto.kind == "aspect":
        return {"aspects": top}
    if proto.kind != "convoy":
        return {"steps": top}
    last = top[-1]
    if last["id"] != "synthesis" or not last.get("needs"):
        return {"legs": top}
    # gt reads the synthesis of a convoy by this key alone.
    renamed = {"depends_on" if key == "needs" else key: value for key, value in last.items() if key != "id"}
    return {"legs": top[:-1], "synthesis": renamed} if top[1:] else {"synthesis": renamed}


def _step(step: Step, own: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {"id": own[step.id], "title": step.title}
    if step.kind != "task":
        said["type"] = step.kind
    for key in ("description", "design", "acceptance", "notes", "assignee"):
        if value := getattr(step, key):
            said[key] = value
    if step.priority is not None:
        said["priority"] = step.priority
    for key, ids in (("needs", step.needs), ("if_failed", step.if_failed)):
        if ids:
            said[key] = [own[one] for one in ids]
    if step.labels:
        said["labels"] = list(step.labels)
    for wait in step.waits_for:
        is_first = step.needs[:1] == (wait.spawner,)
        said["waits_for"] = wait.gate if is_first else f"children-of({own[wait.spawner]})"
    if step.condition:
        said["condition"] = step.condition
    gate = step.gate
    if gate is not None:
        texts = {"type": gate.kind, "id": gate.id, "timeout": gate.timeout, "condition": gate.condition}
        said["gate"] = {key: value for key, value in texts.items() if value}
    said.update(step.attributes)
    if step.on_complete:
        said["on_complete"] = dict(step.on_complete)
    return said
