"""What beads' records cannot say of a proto, kept under one key of theirs, ``mmpm``, which beads passes over.

Rule: what a record says in beads' own keys counts; the key only adds to it. A proto that can be said without it has
no such key.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from mmpm.errors import CookError, quoted
from mmpm.model.canonical import canonical_json
from mmpm.model.capabilities import Capabilities
from mmpm.model.fields import Fields
from mmpm.model.formula import KindOfWork
from mmpm.molecule.proto import Source
from mmpm.molecule.variables import MAX_TEXT, MAX_VARIABLES, Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.molecule.beads.records import Record
    from mmpm.molecule.proto import Proto
    from mmpm.molecule.steps import Gate, Step

KEY: Final = "mmpm"
GATE: Final = "gate"
KINDS: Final = frozenset(
    {
        *("task", "bug", "feature", "epic", "chore", "decision", "message", "molecule", GATE, "spike", "story"),
        *("milestone", "event"),
    }
)
"""Types of issues that beads knows without being told: one more in a file, and it refuses the whole file."""
MAX_TITLE_BYTES: Final = 500
MAX_TITLE: Final = 4 * 1024 * 1024
_CATALOGUE: Final = "catalogue"
_MAX_SOURCES: Final = 2_000


@dataclass(frozen=True, slots=True)
class RootExtras:
    """What the key says of a molecule.

    Attributes:
        title: the whole of one that beads would refuse; else empty.
        sources: what the records were made from, as they say; their origin is ``catalogue``, for nobody proved it.
    """

    title: str = ""
    version: str = ""
    kind: KindOfWork = "workflow"
    phase: str = ""
    variables: tuple[Variable, ...] = ()
    capabilities: Capabilities = field(default_factory=Capabilities)
    sources: tuple[Source, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)


def of_proto(proto: Proto) -> dict[str, object]:
    """Give the extra keys of the root's record."""
    said: dict[str, object] = _long_title(proto.title)
    if proto.version:
        said["version"] = proto.version
    if proto.kind != "workflow":
        said["kind"] = proto.kind
    if proto.phase:
        said["phase"] = proto.phase
    if proto.variables:
        said["variables"] = [variable.to_dict() for variable in proto.variables]
    if proto.capabilities:
        said["capabilities"] = proto.capabilities.to_document()
    if proto.sources:
        said["sources"] = [[one.name, one.version, one.checksum, one.origin] for one in proto.sources]
    attributes = {key: value for key, value in proto.attributes.items() if key != "labels"}
    if attributes:
        said["attributes"] = attributes
    return {KEY: said} if said else {}


def of_step(step: Step) -> dict[str, object]:
    """Give the extra keys of a step's record."""
    said: dict[str, object] = _long_title(step.title)
    if step.kind not in KINDS:
        said["kind"] = step.kind
    if step.kind == GATE and step.gate is not None and step.gate.timeout:
        said["timeout"] = step.gate.timeout
    if step.condition:
        said["condition"] = step.condition
    if step.on_complete is not None:
        said["on_complete"] = dict(step.on_complete)
    if step.attributes:
        said["attributes"] = dict(step.attributes)
    return {KEY: said} if said else {}


def short_title(title: str) -> str:
    """Give a title as beads takes it: at most 500 bytes."""
    data = title.encode()
    if len(data) <= MAX_TITLE_BYTES:
        return title
    return data[: MAX_TITLE_BYTES - 3].decode(errors="ignore") + "..."


def _long_title(title: str) -> dict[str, object]:
    return {} if short_title(title) == title else {"title": title}


def of_gate(gate: Gate, step_id: str) -> dict[str, object]:
    """Give the extra keys of a gate's record: that it is the gate of a step, and not a step of its own."""
    said = {"gate_of": step_id, "condition": gate.condition, "timeout": gate.timeout}
    return {KEY: {key: value for key, value in said.items() if value}}


def said_of(record: Record) -> object:
    """Give what stands under the key, in a record of ours, or in `metadata`, where beads keeps it; None for nothing."""
    metadata = record.extra.get("metadata")
    return record.extra.get(KEY, metadata.get(KEY) if isinstance(metadata, dict) else None)


def root_extras(record: Record) -> RootExtras:
    """Read what the root's record says beside beads' keys.

    Raises:
        CookError: the key is there and has another shape.
    """
    said = said_of(record)
    if said is None:
        return RootExtras()
    try:
        return _read_root(Fields(said, quoted(KEY)))
    except ValueError as error:
        raise _refused(record, error) from None


def _read_root(fields: Fields) -> RootExtras:
    kind = fields.optional("kind") or "workflow"
    if kind not in get_args(KindOfWork):
        raise ValueError(f"{quoted(kind)} is no kind of formula")
    variables, sources = fields.items("variables"), fields.items("sources")
    if len(variables) > 2 * MAX_VARIABLES or len(sources) > _MAX_SOURCES:
        raise ValueError(f"it has {len(variables)} variables and {len(sources)} sources, too many of one")
    return RootExtras(
        title=fields.optional("title", MAX_TITLE) or "",
        version=fields.optional("version") or "",
        kind=cast("KindOfWork", kind),
        phase=fields.optional("phase") or "",
        variables=tuple(Variable.of_dict(one, "a variable") for one in variables),
        capabilities=Capabilities.of_document(fields.table("capabilities")),
        sources=tuple(_source(one) for one in sources),
        attributes=_plain(fields.table("attributes")),
    )


def with_step_extras(step: Step, record: Record) -> Step:
    """Give a step with what its record says beside beads' keys.

    Raises:
        CookError: the key is there and has another shape.
    """
    said = said_of(record)
    if said is None:
        return step
    try:
        fields = Fields(said, quoted(KEY))
        gate = step.gate
        condition = fields.optional("condition", MAX_TEXT) or ""
        return replace(
            step,
            title=fields.optional("title", MAX_TITLE) or step.title,
            kind=fields.optional("kind") or step.kind,
            # Of a gate's record it is the gate's own.
            condition="" if gate is not None else condition,
            gate=gate and replace(gate, condition=condition, timeout=fields.optional("timeout") or gate.timeout),
            on_complete=_plain(fields.table("on_complete")) or None,
            attributes=_plain(fields.table("attributes")),
        )
    except ValueError as error:
        raise _refused(record, error) from None


def gate_of(record: Record) -> str:
    """Give the id below the root of the step whose gate this record is; empty where it is none."""
    said = said_of(record)
    owner = said.get("gate_of") if isinstance(said, dict) else None
    return owner if isinstance(owner, str) and record.issue_type == "gate" else ""


def _source(item: object) -> Source:
    if isinstance(item, list) and len(item) == 4 and all(isinstance(one, str) for one in item):
        return Source(item[0], item[1], item[2], _CATALOGUE)
    raise ValueError("a source is a name, a version, a checksum and an origin")


def _plain(table: dict[str, object]) -> dict[str, object]:
    canonical_json(table)  # as a proto's text has it: no numbers with a point
    return table


def _refused(record: Record, error: ValueError) -> CookError:
    remedy = f"correct or remove {KEY!r} there"
    return CookError(record.id, f"its key {KEY!r}: {error}", path=(record.id,), remedy=remedy)


def with_gates(steps: tuple[Step, ...], owners: Mapping[str, str]) -> tuple[Step, ...]:
    """Give the steps with gates that were records of their own at the steps that they hold back.

    A gate stays a step where something is below it, where another waits for it, too, or where its step does not.

    Args:
        steps: a parent before its children.
        owners: by the id of a gate that of its step.
    """
    if not owners:
        return steps
    waiting: dict[str, list[str]] = {}
    for step in steps:
        for one in (step.parent, *step.if_failed, *(wait.spawner for wait in step.waits_for)):
            waiting.setdefault(one, []).append("")
        for one in step.needs:
            waiting.setdefault(one, []).append(step.id)
    gates = {step.id: step.gate for step in steps if step.gate is not None}
    held: dict[str, str] = {}
    for gate, owner in owners.items():
        if waiting.get(gate) == [owner] and gate in gates and owner not in gates and owner not in held:
            held[owner] = gate
    gone = set(held.values())
    return tuple(
        replace(step, gate=gates[held[step.id]], needs=tuple(one for one in step.needs if one != held[step.id]))
        if step.id in held
        else step
        for step in steps
        if step.id not in gone
    )
