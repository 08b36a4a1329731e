"""Protos and records: a molecule of a catalogue as a proto, and a proto as the records that beads reads.

A record's full id is ``<root>.<step>``; one that does not begin with its root's id keeps its own. beads keeps a gate
as an issue of its own that blocks the step, and a fan-out gate as an edge with metadata; so does what is written here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from mmpm.errors import CookError, quoted
from mmpm.model.checksums import Checksum
from mmpm.molecule.beads.extras import (
    GATE,
    KINDS,
    gate_of,
    of_gate,
    of_proto,
    of_step,
    root_extras,
    short_title,
    with_gates,
    with_step_extras,
)
from mmpm.molecule.beads.records import BLOCKS, PARENT_CHILD, TEMPLATE, Edge, Record
from mmpm.molecule.proto import Proto, Source, UnsoundProtoError
from mmpm.molecule.readiness import seconds_of
from mmpm.molecule.steps import MAX_STEPS, Gate, Step, WaitsFor, is_step_id
from mmpm.molecule.variables import Variable, names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mmpm.molecule.beads.catalogue import Catalogue
    from mmpm.molecule.steps import FanOut

_NANOSECONDS: Final = 10**9  # beads keeps a span of time as Go does
_FAN_OUT: Final[dict[str, FanOut]] = {"all-children": "all-children", "any-children": "any-children"}
_TEXTS: Final = (
    ("design", "design"),
    ("acceptance_criteria", "acceptance"),
    ("notes", "notes"),
    ("assignee", "assignee"),
)
_USUAL_PRIORITY: Final = 2
# The widths of beads' columns, in characters.
MAX_BEADS_ID: Final = 255
MAX_BEADS_WORD: Final = 255
MAX_BEADS_TYPE: Final = 32


def of_records(catalogue: Catalogue, record_id: str) -> Proto:
    """Give a molecule of a catalogue as a proto.

    Its variables are those that its root names behind ``Vars:``; each has to be given, unless `extras.KEY` there
    says more of it.

    Raises:
        CookError: there is no such record, or its records make no sound proto; the reason names the path.
    """
    root: Record | None = None
    names: dict[str, str] = {}
    parents: list[str] = []
    rows: list[tuple[Record, str]] = []
    lines: list[bytes] = []
    for depth, entry in catalogue.tree(record_id):
        record = entry.record
        lines.append(record.to_bytes())
        del parents[depth:]
        if root is None:
            root = record
            parents.append("")
            continue
        if len(rows) >= MAX_STEPS:
            raise CookError(record_id, f"it has more than {MAX_STEPS} steps")
        own = record.id.removeprefix(f"{root.id}.")
        if not is_step_id(own):
            raise CookError(record_id, f"{quoted(own)} cannot be a step's id", path=(record.id,))
        names[record.id] = own
        rows.append((record, parents[-1]))
        parents.append(own)
    if root is None:
        raise CookError(record_id, "no catalogue here has it", remedy="`mmpm mol list` shows what there is")
    extras = root_extras(root)
    steps = tuple(with_step_extras(step_of(record, parent, names, root.id), record) for record, parent in rows)
    owners = {names[record.id]: owner for record, _ in rows if (owner := gate_of(record))}
    labels = [label for label in root.labels if label != TEMPLATE]
    itself = Source(root.id, extras.version, str(Checksum.of(b"\n".join(lines))), "catalogue")
    try:
        return Proto(
            name=root.id,
            version=extras.version,
            kind=extras.kind,
            title=extras.title or root.title or root.id,
            description=root.description,
            steps=with_gates(steps, owners),
            variables=_variables(root.description, extras.variables),
            sources=(itself, *extras.sources),
            phase=extras.phase,
            capabilities=extras.capabilities,
            attributes={**extras.attributes, **({"labels": labels} if labels else {})},
        )
    except UnsoundProtoError as error:
        path = error.problems[0].path if error.problems else ()
        raise CookError(root.id, str(error), path=path) from None


def to_records(proto: Proto) -> tuple[Record, ...]:
    """Give the records that a catalogue holds for a proto: the root, marked as a template, then its steps.

    Raises:
        CookError: an id, a label, an assignee or what a gate awaits is longer than beads takes.
    """
    labels = proto.attributes.get("labels", [])
    root = Record(
        proto.name,
        title=short_title(proto.title) or proto.name,
        description=_with_variables(proto),
        labels=tuple(dict.fromkeys((TEMPLATE, *labels))),
        issue_type="epic",
        extra=of_proto(proto),
    )
    parents = {step.parent for step in proto.steps}
    gates = gate_ids(proto.steps)
    steps = [one for step in proto.steps for one in _records(proto.name, step, step.id in parents, gates.get(step.id))]
    for record in (root, *steps):
        _refuse_what_is_too_long(record, proto.name)
    return (root, *steps)


def _refuse_what_is_too_long(record: Record, name: str) -> None:
    """Refuse what a column of beads' would not hold: it would take the whole catalogue with it there."""
    said = [("id", record.id, MAX_BEADS_ID), *(("label", label, MAX_BEADS_WORD) for label in record.labels)]
    for key, limit in (("assignee", MAX_BEADS_WORD), ("await_type", MAX_BEADS_TYPE), ("await_id", MAX_BEADS_WORD)):
        value = record.extra.get(key)
        if isinstance(value, str):
            said.append((key, value, limit))
    for key, value, limit in said:
        if len(value) > limit:
            reason = f"the {key} {quoted(value)} of its record would have more than {limit} characters"
            raise CookError(name, reason, path=(record.id,), remedy="shorten it in the formula")


def gate_ids(steps: Iterable[Step]) -> dict[str, str]:
    """Give the id of the issue that a step's gate becomes, below the root; by the step's; none is a step's own."""
    taken = {step.id for step in steps}
    found = {}
    for step in steps:
        if step.gate is None or step.kind == GATE:
            continue
        above, dot, last = step.id.rpartition(".") if step.parent else ("", "", step.id)
        name = f"{above}{dot}gate-{last}"
        while name in taken:
            name += "_"
        taken.add(name)
        found[step.id] = name
    return found


def timeout_of(gate: Gate) -> int:
    """Give the timeout of a gate as beads has it, in nanoseconds; 0 for none, and where it is no span of time yet."""
    return (seconds_of(gate.timeout) or 0) * _NANOSECONDS


def step_of(record: Record, parent: str, names: Mapping[str, str], root: str) -> Step:
    """Give a record as a step.

    Args:
        record: of the step.
        parent: id of the step above it, below the root; empty for the root's.
        names: ids below the root, by the records' own; an edge to what is not there keeps its name.
        root: id of the root's record.
    """
    needs: list[str] = []
    failed: list[str] = []
    waits: list[WaitsFor] = []
    for edge in record.dependencies:
        if edge.issue_id != record.id or edge.type == PARENT_CHILD:
            continue
        # What is not below the root stays named as it is, and is then found to lead nowhere.
        on = names.get(edge.depends_on_id, edge.depends_on_id)
        if edge.type == BLOCKS:
            needs.append(on)
        elif edge.type == "conditional-blocks":
            failed.append(on)
        elif edge.type == "waits-for":
            waits.append(WaitsFor(_fan_out(edge.metadata), on))
    if not waits and needs:
        said = [_FAN_OUT[label[5:]] for label in record.labels if label[:5] == "gate:" and label[5:] in _FAN_OUT]
        waits = [WaitsFor(one, needs[0]) for one in said[:1]]
    extra = {key: value for key, value in record.extra.items() if isinstance(value, str) and len(value) <= 1 << 20}
    gate = None
    if record.issue_type == GATE or extra.get("await_type"):
        gate = Gate(str(extra.get("await_type") or "human"), str(extra.get("await_id", "")), _timeout(record))
    texts = {ours: str(extra.get(theirs, "")) for theirs, ours in _TEXTS}
    return Step(
        id=names[record.id],
        title=record.title or names[record.id],
        description=record.description,
        design=texts["design"],
        acceptance=texts["acceptance"],
        notes=texts["notes"],
        assignee=texts["assignee"],
        parent=parent,
        kind=record.issue_type,
        priority=record.priority if 0 <= record.priority <= 4 and record.priority != _USUAL_PRIORITY else None,
        labels=tuple(label for label in record.labels if label != TEMPLATE),
        needs=tuple(dict.fromkeys(needs)),
        if_failed=tuple(dict.fromkeys(failed)),
        waits_for=tuple(dict.fromkeys(waits)),
        gate=gate,
        source=root,
    )


def _timeout(record: Record) -> str:
    """Read a timeout: beads' nanoseconds, or a text, as in files of earlier versions of ours."""
    said = record.extra.get("timeout")
    if isinstance(said, str):
        return said
    seconds = said // _NANOSECONDS if type(said) is int else 0
    return f"{seconds}s" if 0 < seconds < 10**9 else ""


def _fan_out(metadata: str) -> FanOut:
    """Read the metadata of a waits-for edge; without any, all children are meant, as beads takes it."""
    try:
        said = json.loads(metadata) if metadata else {}
    except ValueError:
        return "all-children"
    gate = said.get("gate") if isinstance(said, dict) else None
    return _FAN_OUT.get(gate, "all-children") if isinstance(gate, str) else "all-children"


def _with_variables(proto: Proto) -> str:
    """Give the root's description with every variable in a list behind ``Vars:``, as beads and people look for it."""
    named = {one.name for one in _variables(proto.description)}
    lines = [
        f"- {{{{{one.name}}}}}" + (f" - {about}" if (about := " ".join(one.description.split())) else "")
        for one in proto.variables
        if one.name not in named
    ]
    parts = [proto.description.rstrip("\n")] if proto.description.strip() else []
    return "\n\n".join([*parts, "\n".join(["Vars:", *lines])]) if lines else proto.description


def _variables(description: str, declared: Iterable[Variable] = ()) -> tuple[Variable, ...]:
    """Give the declared variables, and those behind ``Vars:``: a line each with what it is, or names on one line."""
    found = {one.name: one for one in declared}
    listed = False
    for line in description.split("\n"):
        plain = line.strip()
        if plain.startswith("Vars:"):
            listed = True
        elif not plain:
            listed = False
        if listed:
            for name in names_in(plain):
                about = plain.partition("}}")[2].lstrip(" -:") if plain.startswith("- ") else ""
                found.setdefault(name, Variable(name, required=True, description=about[:1000]))
    return tuple(found[name] for name in sorted(found))


def _records(root: str, step: Step, is_parent: bool, gate_below: str | None) -> Iterator[Record]:
    own = f"{root}.{step.id}"
    above = f"{root}.{step.parent}" if step.parent else root
    edges = [Edge(own, above, PARENT_CHILD)]
    edges += [Edge(own, f"{root}.{need}", BLOCKS) for need in step.needs]
    edges += [Edge(own, f"{root}.{one}", "conditional-blocks") for one in step.if_failed]
    for wait in step.waits_for:
        metadata = json.dumps({"gate": wait.gate}, separators=(",", ":"))
        edges.append(Edge(own, f"{root}.{wait.spawner}", "waits-for", metadata))
    texts = {theirs: value for theirs, ours in _TEXTS if (value := getattr(step, ours))}
    gate = step.gate
    if gate is not None and gate_below is not None:
        gate_id = f"{root}.{gate_below}"
        edges.append(Edge(own, gate_id, BLOCKS))
        yield Record(
            gate_id,
            title=short_title(f"Gate: {gate.kind} {gate.id}".rstrip()),
            description=gate.condition or f"Gate of {own}",
            issue_type=GATE,
            dependencies=(Edge(gate_id, above, PARENT_CHILD),),
            extra={**_awaited(gate), **of_gate(gate, step.id)},
        )
    yield Record(
        own,
        title=short_title(step.title),
        description=step.description,
        labels=(
            *step.labels,
            *(f"gate:{wait.gate}" for wait in step.waits_for if f"gate:{wait.gate}" not in step.labels),
        ),
        issue_type="epic" if is_parent and step.kind == "task" else step.kind if step.kind in KINDS else "task",
        priority=_USUAL_PRIORITY if step.priority is None else step.priority,
        dependencies=tuple(edges),
        extra={**texts, **(_awaited(gate) if gate is not None and step.kind == GATE else {}), **of_step(step)},
    )


def _awaited(gate: Gate) -> dict[str, object]:
    said: dict[str, object] = {"await_type": gate.kind, "await_id": gate.id, "timeout": timeout_of(gate)}
    return {key: value for key, value in said.items() if value}
