"""Molecules to look at: `mol show`. It reads and changes nothing."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.commands.mol import entry_json, origin, problems_json, read
from mmpm.cli.output import Output, Styled
from mmpm.cli.session import Session
from mmpm.cli.trees import print_tree
from mmpm.molecule.events import Provenance
from mmpm.molecule.picture.chart import Chart, Node
from mmpm.molecule.picture.drawing import USUAL_LINES, draw, draw_waves
from mmpm.molecule.picture.wrapping import one_line
from mmpm.molecule.readiness import why_blocked
from mmpm.molecule.transitions import is_live
from mmpm.ops.mol_catalogue import ShownMolecule
from mmpm.ops.mol_cook import Dish
from mmpm.ops.mol_seeing import Outcomes, Running, Seen, see
from mmpm.ops.mol_state import Workspace
from mmpm.project.mol_files import BUILT_IN

LINE = 120
MAX_LINE = 2000
MAX_LINES = 30
# Before what somebody wrote into running work, so that no line of it passes for one of ours.
INDENT = "  "
_TEXTS = ("description", "design", "acceptance", "notes")


def show(
    molecule: str,
    /,
    *,
    parallel: bool = False,
    every: Annotated[bool, Parameter(name="--all")] = False,
    session: Session,
) -> None:
    """Show a molecule and its steps as a tree: one of the catalogue, a formula, one that runs, a step of it, a digest.

    Args:
        molecule: An id as `mol list`, `mol list --running` or `mol ready` give it; the name of a formula, or its file.
        parallel: List the steps in groups that may run at once, instead of the tree.
        every: Show every step of a long tree.
        session: This run.
    """
    out = session.output
    seen, problems = look(session, molecule)
    match seen.subject:
        case ShownMolecule() as shown:
            _record(out, shown)
            body = {**entry_json(shown.entry), "problems": problems}
            if out.as_json:
                body["steps"] = _rows_json(shown, seen.chart)
        case Dish() as dish:
            _formula(out, dish)
            body = {"proto": dish.proto.to_dict(), "path": dish.path, "object": str(dish.proto.object_id)}
        case Running() as running:
            body = _step(out, running) if running.address.step else _molecule(out, running, seen.chart)
        case Outcomes() as outcomes:
            body = _digest(out, outcomes)
    _drawn(out, seen, parallel=parallel, most=None if every or out.verbose else USUAL_LINES)
    if out.as_json:
        steps = {} if "steps" in body else {"steps": [node_json(node) for node in seen.chart.nodes]}
        full_ids = {node.id: node.full_id for node in seen.chart.nodes}
        groups = [[full_ids[step] for step in group] for group in seen.chart.work()]
        out.document(
            "mmpm.mol-show/1", {"id": seen.chart.id, "kind": seen.chart.kind, **body, **steps, "groups": groups}
        )


def look(session: Session, operand: str) -> tuple[Seen, list[dict[str, object]]]:
    """Find what an operand names, with the faults of catalogues for the document; they are told where they matter."""
    catalogue = read(session)
    options = session.options

    def workspace() -> Workspace:
        context = session.context(read_manifest=False, read_registries=False)
        return Workspace.of(context, session.cwd, tier=options.tier, folder=options.project)

    return see(operand, session.cwd, catalogue, workspace), problems_json(catalogue.problems)


def node_json(node: Node) -> dict[str, object]:
    """Give a step for programs."""
    said: dict[str, object] = {"id": node.full_id, "step": node.id, "title": node.title, "parent": node.parent}
    said |= {"state": node.standing, "waits": list(node.waits), "gate": node.gate, "note": node.note}
    said |= {"since": node.since} if node.since else {}
    return {**said, "arm": node.is_arm}


def _drawn(out: Output, seen: Seen, *, parallel: bool, most: int | None) -> None:
    """Print the tree, or the groups; below what stands over it where that is more than a few words."""
    has_head = isinstance(seen.subject, Running | Outcomes)
    if has_head and not seen.chart.nodes:
        return
    if parallel and seen.chart.nodes and not seen.chart.work():
        circle = seen.chart.circle()
        out.say(f"{seen.chart.id}: {circle}" if circle else "Who waits for whom is not known here")
        return
    if has_head:
        out.line("")
    print_tree(out, (draw_waves if parallel else draw)(seen.chart, most))


def _record(out: Output, shown: ShownMolecule) -> None:
    entry, record = shown.entry, shown.entry.record
    out.line(Styled(record.id, "bold"), f" {one_line(record.title, LINE)}" if record.title != record.id else "")
    for line in _paragraph(record.description, whole=out.verbose):
        out.line(line)
    if record.labels:
        out.line(f"Labels: {', '.join(record.labels)}")
    if record.status != "open":
        out.line(f"Status: {record.status}")
    place = "" if entry.layer == BUILT_IN else f" ({entry.path}, line {entry.line})"
    out.line(f"Layer: {origin(entry)}{place}")


def _rows_json(shown: ShownMolecule, chart: Chart) -> list[dict[str, object]]:
    return [
        {"id": node.full_id, "depth": row.depth, **entry_json(row.entry)}
        for row, node in zip(shown.rows[1:], chart.nodes, strict=True)
    ]


def _formula(out: Output, dish: Dish) -> None:
    proto = dish.proto
    version = f" {proto.version}" if proto.version else ""
    out.line(Styled(proto.name, "bold"), version, f" {one_line(proto.title, LINE)}" if proto.title else "")
    for line in _paragraph(proto.description, whole=out.verbose):
        out.line(line)
    if proto.variables:
        told = ", ".join(one.name + ("" if one.default is None else f"={one.default}") for one in proto.variables)
        out.line(f"Variables: {one_line(told, 4 * LINE)}")
    out.line(f"File: {dish.path}")


def _molecule(out: Output, running: Running, chart: Chart) -> dict[str, object]:
    molecule = running.address.molecule
    counts = chart.counts()
    told = [f"{counts[one]} {words}" for one, words in _COUNTED.items() if one in counts]
    out.line(Styled(molecule.id, "bold"), f" {one_line(molecule.title, LINE)}")
    for line in _paragraph(molecule.description, whole=True) if out.verbose else ():
        out.line(f"{INDENT}{line}".rstrip())
    out.line(f"State: {molecule.state} ({molecule.phase})")
    out.line(f"Progress: {chart.ended}/{len(chart.nodes)}", Styled(f" {', '.join(told)}" if told else "", "dim"))
    _origin(out, molecule.provenance, molecule.values)
    out.line(f"Bonded: {molecule.bonded_at} by {molecule.bonded_by}")
    if molecule.ended_at:
        out.line(f"Ended: {molecule.ended_at} by {molecule.ended_by}")
    for one in molecule.connections:
        outcome = running.others.get(one.on)
        stands = "is not here" if outcome is None else "has ended" if outcome.is_over else "flows"
        out.line(f"{_CONNECTED[one.connection]}: {one.on} (it {stands})")
    if molecule.root:
        out.line(f"Digest: {molecule.root}", "" if running.has_digest else " (it is not here)")
    _faults(out, running)
    return {
        "title": molecule.title,
        "description": molecule.description,
        "state": molecule.state,
        "progress": {"ended": chart.ended, "steps": len(chart.nodes)},
        **_provenance_json(molecule.provenance, molecule.values),
        "bonded_at": molecule.bonded_at,
        "bonded_by": molecule.bonded_by,
        "ended_at": molecule.ended_at or None,
        "ended_by": molecule.ended_by or None,
        "connections": [{"on": one.on, "connection": one.connection} for one in molecule.connections],
        "root": molecule.root or None,
        "problems": list(molecule.problems),
    }


def _faults(out: Output, running: Running) -> None:
    """Warn of what was left out of the log that is shown, and of what its digest says otherwise."""
    molecule = running.address.molecule
    for problem in molecule.problems:
        out.warn(f"{molecule.id}: {problem}")
    if running.doubts:
        out.warn(f"{molecule.id} and its digest tell differently: `mmpm mol verify {molecule.id}` says what")


_CONNECTED: Mapping[str, str] = {"sequential": "After", "parallel": "Beside", "conditional": "If this fails"}
_COUNTED: Mapping[str, str] = {
    "ready": "ready",
    "in_progress": "in progress",
    "failed": "failed",
    "skipped": "skipped",
}


def _step(out: Output, running: Running) -> dict[str, object]:
    address, molecule = running.address, running.address.molecule
    record = molecule.steps[address.step]
    holds = why_blocked(molecule, address.step, running.now, running.others) if is_live(molecule.state) else ()
    holds = tuple(hold for hold in holds if hold.kind != "state")
    out.line(Styled(address.id, "bold"), f" {one_line(record.step.title, LINE)}")
    out.line(f"State: {running.standing}", *_when(record.started_at, record.started_by, "started"))
    if record.closed_at:
        out.line("Ended", *_when(record.closed_at, record.closed_by, ":"))
    if record.reason:
        out.line(f"Reason: {one_line(record.reason, 4 * LINE)}")
    for hold in holds:
        out.line(f"Waits: {hold}")
    if record.step.labels:
        out.line(f"Labels: {', '.join(record.step.labels)}")
    if address.step in molecule.arms:
        arm = molecule.arms[address.step]
        out.line(f"Arm: bonded {arm.at} by {arm.actor}")
        _origin(out, arm.provenance, arm.values)
    for key in _TEXTS:
        text = getattr(record.step, key)
        if text.strip():
            out.line("" if key == "description" else f"{key.capitalize()}:")
            for line in text.strip("\n").splitlines():
                out.line(f"{INDENT}{line}".rstrip())
    if running.has_digest and not running.doubts:
        out.say(Styled(f"`mmpm mol verify {molecule.id} --step {address.step} --proof` proves this outcome", "dim"))
    _faults(out, running)
    return {
        "molecule": molecule.id,
        "step": record.step.to_dict(),
        "state": record.state,
        "standing": running.standing,
        **{
            key: getattr(record, key) or None
            for key in ("started_at", "started_by", "closed_at", "closed_by", "reason")
        },
        "waits": [{"kind": hold.kind, "on": hold.on, "sentence": str(hold)} for hold in holds],
    }


def _digest(out: Output, outcomes: Outcomes) -> dict[str, object]:
    digest = outcomes.digest
    if outcomes.step:
        outcome = next(one for one in digest.outcomes if one.step == outcomes.step)
        out.line(Styled(f"{digest.id}.{outcome.step}", "bold"), f" {one_line(outcome.title, LINE)}")
        out.line(f"State: {outcomes.standing}", *_when(outcome.closed_at, outcome.actor, "ended"))
        if outcome.reason:
            out.line(f"Reason: {one_line(outcome.reason, 4 * LINE)}")
        out.say(Styled(f"`mmpm mol verify {digest.id} --step {outcome.step} --proof` proves this outcome", "dim"))
        keys = ("step", "title", "state", "reason", "actor", "started_at", "closed_at")
        return {"molecule": digest.id, "root": digest.root, **{key: getattr(outcome, key) or None for key in keys}}
    out.line(Styled(digest.id, "bold"), f" {one_line(digest.title, LINE)}")
    for line in digest.lines():
        out.line(line)
    out.line(f"Bonded: {digest.bonded_at} by {digest.bonded_by}")
    if digest.variables:
        out.line(f"Variables: {_values(digest.variables)}")
    out.line(f"Digest: {digest.root}")
    lines = digest.summary.strip("\n").splitlines()
    for line in lines if out.verbose else lines[:20]:
        out.line(f"{INDENT}{line}".rstrip())
    if len(lines) > 20 and not out.verbose:
        out.line(Styled(f"({len(lines) - 20} more lines)", "dim"))
    return {"digest": digest.to_dict(), "state": "squashed"}


def _origin(out: Output, provenance: Provenance, values: Mapping[str, str]) -> None:
    version = f"@{provenance.version}" if provenance.version else ""
    checksum = f" ({provenance.checksum})" if provenance.checksum else ""
    out.line(f"Formula: {provenance.name}{version}", Styled(checksum, "dim"))
    if values:
        out.line(f"Variables: {_values(values)}")


def _provenance_json(provenance: Provenance, values: Mapping[str, str]) -> dict[str, object]:
    return {"formula": provenance.to_dict(), "variables": dict(sorted(values.items()))}


def _values(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={one_line(value, LINE // 2)}" for name, value in sorted(values.items()))


def _when(at: str, by: str, word: str) -> Iterator[str]:
    if at:
        yield f", {word} {at}" if word != ":" else f": {at}"
        if by:
            yield f" by {by}"


def _paragraph(text: str, *, whole: bool) -> Iterable[str]:
    """Give the first paragraph, bounded, or every line."""
    lines = text.strip("\n").splitlines()
    if whole:
        return lines
    end = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    return [one_line(line, MAX_LINE) if len(line) > MAX_LINE else line for line in lines[: min(end, MAX_LINES)]]
