"""Molecules, digests and protos as beads' issues: what `bd import` reads (docs/formats.md, "Beads' issues").

Rule: what is written is what beads takes whole. One line that its reader refuses costs a whole file there, so what its
columns cannot hold is cut or left out; everything that is cut, and everything that beads has no field for, stands in
the issue's `metadata`, which beads keeps as it is, under the key ``mmpm``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mmpm.model.canonical import canonical_json
from mmpm.molecule.beads.extras import GATE, KEY, KINDS, of_proto, short_title
from mmpm.molecule.beads.protos import MAX_BEADS_ID, MAX_BEADS_TYPE, MAX_BEADS_WORD, gate_ids, timeout_of
from mmpm.molecule.beads.records import BLOCKS, PARENT_CHILD, TEMPLATE
from mmpm.molecule.routing import arm_of
from mmpm.molecule.state import StepRecord
from mmpm.molecule.transitions import has_run, is_live, is_over, next_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mmpm.molecule.digest import Digest
    from mmpm.molecule.events import Provenance
    from mmpm.molecule.proto import Proto
    from mmpm.molecule.state import Molecule
    from mmpm.molecule.steps import Gate

_USUAL_PRIORITY: Final = 2
_CONNECTIONS: Final = {"sequential": BLOCKS, "conditional": "conditional-blocks", "parallel": "related"}
DIGEST_SUFFIX: Final = "-digest"


def jsonl(issues: Iterable[Mapping[str, Any]]) -> bytes:
    """Give the text of a file of issues: canonical JSON, one a line."""
    return b"".join(canonical_json(issue) + b"\n" for issue in issues)


def of_molecule(molecule: Molecule, digest: Digest | None = None) -> tuple[dict[str, Any], ...]:
    """Give the issues of a molecule: its root, its gates and steps as they stand, its digest last.

    Args:
        molecule: flowing or squashed.
        digest: of it, where there is one.
    """
    last = _last_moment(molecule)
    live = is_live(molecule.state)
    begun = any(_has_begun(record) for record in molecule.steps.values())
    failed = digest is not None and digest.has_failed
    ours = {
        "phase": molecule.phase,
        "formula": molecule.provenance.to_dict(),
        "variables": dict(molecule.values),
        "root": molecule.root,
    }
    root = _issue(
        molecule.id,
        molecule.title,
        ours,
        description=molecule.description,
        issue_type="epic",
        status=("in_progress" if begun else "open") if live else "closed",
        close_reason="" if live else "squashed: some of it failed, or was left open" if failed else "squashed",
        closed_at="" if live else molecule.ended_at,
        created_at=molecule.bonded_at,
        created_by=molecule.bonded_by,
        updated_at=last,
        source_formula=molecule.provenance.name,
        ephemeral=molecule.phase == "wisp",
        dependencies=_once(
            _edge(molecule.id, one.on, _CONNECTIONS[one.connection], _made(molecule.bonded_at, molecule.bonded_by))
            for one in molecule.connections
        ),
    )
    below = _Below(
        root=molecule.id,
        records=tuple(molecule.steps.values()),
        spawned=molecule.spawned,
        makers={step: arm.actor for step, arm in molecule.arms.items()},
        arms={step: (arm.provenance, arm.values, arm.spawners) for step, arm in molecule.arms.items()},
        maker=molecule.bonded_by,
        last=last,
        is_ephemeral=molecule.phase == "wisp",
    )
    return (root, *below.issues(), *((of_digest(digest),) if digest is not None else ()))


def of_digest(digest: Digest) -> dict[str, Any]:
    """Give the issue of a digest; the whole of it stands in its metadata, so that it can be verified again."""
    return _issue(
        digest.id + DIGEST_SUFFIX,
        digest.title,
        {"digest": digest.to_dict()},
        description=digest.summary,
        issue_type="task",
        status="closed",
        assignee=digest.actor,
        close_reason="squashed: some of it failed, or was left open" if digest.has_failed else "squashed",
        created_at=digest.completed_at,
        created_by=digest.actor,
        updated_at=digest.completed_at,
        closed_at=digest.completed_at,
        source_formula=digest.provenance.name,
    )


def of_proto_issues(proto: Proto) -> tuple[dict[str, Any], ...]:
    """Give the issues of a proto: templates, all of them, so that no list of work shows them."""
    labels = proto.attributes.get("labels", [])
    extras = of_proto(proto).get(KEY)
    root = _issue(
        proto.name,
        proto.title,
        extras if isinstance(extras, dict) else {},
        description=proto.description,
        issue_type="epic",
        status="open",
        labels=_words((TEMPLATE, *labels)),
        is_template=True,
        source_formula=proto.name,
    )
    below = _Below(root=proto.name, records=tuple(StepRecord(step) for step in proto.steps), is_template=True)
    return (root, *below.issues())


@dataclass(frozen=True, slots=True)
class _Below:
    """The steps below one root, on their way to be issues.

    Attributes:
        spawned: ids of arms that fan-out gates over a step wait for.
        makers: who bonded an arm.
        arms: provenance, values and spawners of an arm.
        maker: who bonded the rest.
        last: the last moment of all.
    """

    root: str
    records: Sequence[StepRecord]
    spawned: Mapping[str, Sequence[str]] = field(default_factory=dict)
    makers: Mapping[str, str] = field(default_factory=dict)
    arms: Mapping[str, tuple[Provenance, Mapping[str, str], Sequence[str]]] = field(default_factory=dict)
    maker: str = ""
    last: str = ""
    is_ephemeral: bool = False
    is_template: bool = False

    def issues(self) -> Iterator[dict[str, Any]]:
        gates = gate_ids([record.step for record in self.records])
        parents = {record.step.parent for record in self.records}
        for record in self.records:
            step, gate_id = record.step, gates.get(record.step.id)
            if step.gate is not None and gate_id is not None:
                yield self._gate(record, step.gate, gate_id)
            yield self._step(record, gate_id, is_parent=step.id in parents)

    def _full(self, step: str) -> str:
        return f"{self.root}.{step}" if step else self.root

    def _made(self, record: StepRecord) -> dict[str, str]:
        return _made(record.added_at, self.makers.get(arm_of(record.step.id, self.makers), self.maker))

    def _step(self, record: StepRecord, gate_id: str | None, *, is_parent: bool) -> dict[str, Any]:
        step = record.step
        over, ran = is_over(record.state), has_run(record.state)
        who = (record.closed_by if ran else "") or record.started_by or step.assignee
        ours: dict[str, Any] = {
            "condition": step.condition,
            "on_complete": dict(step.on_complete or {}),
            "attributes": dict(step.attributes),
            "waits_for": [[wait.gate, wait.spawner] for wait in step.waits_for],
            "kind": "" if step.kind in KINDS else step.kind,
            "assignee": "" if step.assignee == who else step.assignee,
            # A reason of ours names steps, and beads looks into reasons for words such as "error".
            "skipped": record.reason or "skipped" if over and not ran else "",
        }
        if step.id in self.arms:
            formula, values, spawners = self.arms[step.id]
            ours["arm"] = {"formula": formula.to_dict(), "values": dict(values), "spawners": list(spawners)}
        own_gate = step.gate if step.gate is not None and gate_id is None else None
        return _issue(
            self._full(step.id),
            step.title,
            {**ours, **(_gate_extras(own_gate) if own_gate else {})},
            description=step.description,
            design=step.design,
            acceptance_criteria=step.acceptance,
            notes=step.notes,
            issue_type="epic" if is_parent and step.kind == "task" else step.kind if step.kind in KINDS else "task",
            priority=step.priority,
            status="closed" if over else "in_progress" if _has_begun(record) else "open",
            assignee=who,
            labels=_words((*step.labels, *(f"gate:{wait.gate}" for wait in step.waits_for))),
            close_reason=record.reason if ran else "skipped" if over else "",
            **self._made(record),
            updated_at=max(record.added_at, record.started_at, record.closed_at),
            started_at=record.started_at,
            closed_at=record.closed_at if over else "",
            source_formula=step.source,
            ephemeral=self.is_ephemeral,
            is_template=self.is_template,
            dependencies=_once(self._edges(record, gate_id)),
            **(_awaited(own_gate) if own_gate else {}),
        )

    def _edges(self, record: StepRecord, gate_id: str | None) -> Iterator[dict[str, Any]]:
        step, own = record.step, self._full(record.step.id)
        found = [(step.parent, PARENT_CHILD, "")]
        found += [(on, BLOCKS, "") for on in record.needs]
        found += [(on, "conditional-blocks", "") for on in record.if_failed]
        for wait in step.waits_for:
            found.append((wait.spawner, "waits-for", canonical_json({"gate": wait.gate}).decode()))
            if wait.gate == "all-children":
                # beads looks below the spawner alone; arms that are elsewhere are named.
                found += [(arm, BLOCKS, "") for arm in self.spawned.get(wait.spawner, ())]
        if gate_id is not None:
            found.append((gate_id, BLOCKS, ""))
        made = self._made(record)
        for on, kind, metadata in found:
            yield _edge(own, self._full(on), kind, made, metadata)

    def _gate(self, record: StepRecord, gate: Gate, gate_id: str) -> dict[str, Any]:
        own, step = self._full(gate_id), record.step
        is_open = record.is_gate_open or _has_begun(record)
        made = self._made(record)
        opened = (record.started_at or record.closed_at or self.last) if is_open else ""
        return _issue(
            own,
            f"Gate: {gate.kind} {gate.id}".rstrip(),
            {"gate_of": step.id, "condition": gate.condition, **_gate_extras(gate)},
            description=gate.condition or f"Gate of {self._full(step.id)}",
            issue_type=GATE,
            status="closed" if is_open else "open",
            close_reason="opened" if is_open else "",
            **made,
            updated_at=max(record.added_at, opened),
            closed_at=opened,
            source_formula=step.source,
            ephemeral=self.is_ephemeral,
            is_template=self.is_template,
            dependencies=[_edge(own, self._full(step.parent), PARENT_CHILD, made)],
            **_awaited(gate),
        )


def _issue(issue_id: str, title: str, ours: Mapping[str, Any], **said: object) -> dict[str, Any]:
    """Give an issue: what is empty is left out, but for the priority; what had to be cut stands whole in `ours`."""
    kept = {key: value for key, value in ours.items() if value}
    short = short_title(title) or _id(issue_id)
    if title and short != title:
        kept["title"] = title
    if _id(issue_id) != issue_id:
        kept["id"] = issue_id
    for key in ("assignee", "created_by", "source_formula"):
        value = said.get(key)
        if isinstance(value, str) and len(value) > MAX_BEADS_WORD:
            kept[key], said[key] = value, value[:MAX_BEADS_WORD]
    labels = said.get("labels")
    if isinstance(labels, list) and any(len(one) > MAX_BEADS_WORD for one in labels):
        kept["labels"], said["labels"] = labels, [one for one in labels if len(one) <= MAX_BEADS_WORD]
    priority = said.pop("priority", None)
    issue: dict[str, Any] = {key: value for key, value in said.items() if value}
    issue |= {"id": _id(issue_id), "title": short, "priority": _USUAL_PRIORITY if priority is None else priority}
    return {**issue, "metadata": {KEY: kept}} if kept else issue


def _edge(issue: str, on: str, kind: str, made: Mapping[str, str], metadata: str = "") -> dict[str, Any]:
    edge = {"issue_id": _id(issue), "depends_on_id": _id(on), "type": kind, **made}
    return {**edge, "metadata": metadata} if metadata else edge


def _made(at: str, maker: str) -> dict[str, str]:
    """Give when something came, and by whom; nothing of a proto, which was made at no moment."""
    said = {"created_at": at, "created_by": maker[:MAX_BEADS_WORD]}
    return {key: value for key, value in said.items() if at and value}


def _once(edges: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the edges, the same one once."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for edge in edges:
        found.setdefault((edge["depends_on_id"], edge["type"]), edge)
    return list(found.values())


def _id(text: str) -> str:
    """Give an id as beads holds it: one that is too long ends in its hash, alike wherever it occurs."""
    if len(text) <= MAX_BEADS_ID:
        return text
    return f"{text[: MAX_BEADS_ID - 33]}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _awaited(gate: Gate) -> dict[str, Any]:
    return {"await_type": gate.kind[:MAX_BEADS_TYPE], "await_id": gate.id[:MAX_BEADS_WORD], "timeout": timeout_of(gate)}


def _gate_extras(gate: Gate) -> dict[str, Any]:
    """Give what `_awaited` may not hold of a gate."""
    return {
        "await_type": gate.kind if len(gate.kind) > MAX_BEADS_TYPE else "",
        "await_id": gate.id if len(gate.id) > MAX_BEADS_WORD else "",
        "timeout": gate.timeout,
        "condition": gate.condition,
    }


def _words(labels: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(label for label in labels if label))


def _has_begun(record: StepRecord) -> bool:
    return next_state(record.state, "start") is None


def _last_moment(molecule: Molecule) -> str:
    moments = [molecule.bonded_at, molecule.ended_at]
    moments += [max(one.added_at, one.started_at, one.closed_at) for one in molecule.steps.values()]
    return max(moments)
