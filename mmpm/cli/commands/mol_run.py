"""Work on molecules: `mol ready`, `mol start`, `mol close`, `mol gate open`, and `mol list --running`."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmpm.cli.output import Output, Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError, printable
from mmpm.molecule.readiness import ReadyStep
from mmpm.molecule.state import Molecule
from mmpm.ops.mol_ready import Front, Summary, fronts, running
from mmpm.ops.mol_run import Ran, Work, close, open_gate, start
from mmpm.ops.mol_state import Workspace

SHOWN = 100  # lines that `ready` prints where nobody said how many
MAX_OUTPUT = 16 << 20
TITLE = 100


def ready(*molecules: str, blocked: bool = False, limit: int | None = None, session: Session) -> None:
    """Say what may run now, in every molecule that flows here, and what may run at once.

    Args:
        molecules: Ids of molecules, or of steps of which what is below them is meant; none: all.
        blocked: Say also what waits, and why.
        limit: At most so many steps; 0 for all.
        session: This run.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"--limit {limit}: expected a number from 0 on")
    out = session.output
    found, problems = fronts(_workspace(session), molecules, with_blocked=blocked)
    for problem in problems:
        out.warn(problem)
    room = limit if limit is not None else 0 if out.as_json else SHOWN
    shown, left = _cut(found, room)
    for front in shown:
        _print_front(out, front)
    if left:
        out.say(f"and {left} more; --limit 0 shows all")
    if not found:
        out.say("No molecule flows here: `mmpm mol list` shows what can be bonded, `mmpm mol bond` bonds it")
    body = {"molecules": [_front_json(front, blocked=blocked) for front in shown], "left_out": left}
    out.document("mmpm.mol-ready/1", body)


def start_command(*steps: str, actor: str | None = None, session: Session) -> None:
    """Begin to work on steps that are ready.

    Args:
        steps: Full ids, as `mmpm mol ready` prints them.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE, user@host.
        session: This run.
    """
    workspace = _begun(session)
    _run(session, workspace, start(workspace, steps, actor))


def close_command(
    *steps: str, reason: str = "", output: str | None = None, actor: str | None = None, session: Session
) -> None:
    """End steps, with whatever ends with them, and say what is ready now.

    Args:
        steps: Full ids, as `mmpm mol ready` prints them.
        reason: What came of it; failed, rejected, canceled, error and such words say that it failed.
        output: What the step made, for its on_complete: a JSON object, a file that has one, or - for standard input.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE, user@host.
        session: This run.
    """
    workspace = _begun(session)
    made = _output(session, output) if output is not None else None

    def proto_of(name: str) -> Any:
        from mmpm.ops.mol_cook import cook_formula

        return cook_formula(workspace.context, session.cwd, name).proto

    _run(session, workspace, close(workspace, steps, reason, actor, output=made, proto_of=proto_of))


def open_gate_command(*steps: str, reason: str = "", actor: str | None = None, session: Session) -> None:
    """Open the gates of steps: human, timer, mail and what else waits for somebody outside.

    Args:
        steps: Full ids of the steps that the gates hold.
        reason: Why it may go on.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE, user@host.
        session: This run.
    """
    workspace = _begun(session)
    _run(session, workspace, open_gate(workspace, steps, reason, actor))


def list_running(session: Session, *, with_ended: bool) -> None:
    """List the mols and wisps that flow here, or all that are known."""
    out = session.output
    found, problems = running(_workspace(session), with_ended=with_ended)
    for problem in problems:
        out.warn(problem)
    for one in found:
        moments = f", bonded {_when(one.bonded_at)} by {one.bonded_by}"
        if one.last_at != one.bonded_at:
            moments += f", last change {_when(one.last_at)}"
        out.result(*_summary(one), Styled(moments, "dim"))
    if not found:
        out.say("No molecule flows here" if not with_ended else "No molecule is here, and no digest")
    out.document("mmpm.mol-list-running/1", {"running": [_summary_json(one) for one in found]})


def _workspace(session: Session) -> Workspace:
    context = session.context(read_manifest=False, read_registries=False)
    return Workspace.of(context, session.cwd, tier=session.options.tier, folder=session.options.project)


def _begun(session: Session) -> Workspace:
    workspace = _workspace(session)
    if not session.options.dry_run:
        workspace.begin()
    return workspace


_DONE = {"start": "Started", "close": "Closed", "open-gate": "Opened the gate of"}
_SCHEMAS = {"start": "mmpm.mol-start/1", "close": "mmpm.mol-close/1", "open-gate": "mmpm.mol-gate-open/1"}


def _run(session: Session, workspace: Workspace, work: Work) -> None:
    out = session.output
    for ran in work.ran:
        for note in ran.notes:
            out.warn(note)
    schema = _SCHEMAS[work.ran[0].verb]
    outcome = run_plan(session, workspace.context, work.plan, schema=schema, body=lambda _: _work_json(work))
    if outcome is None:
        return
    for ran in work.ran:
        _print_ran(out, ran)
    for molecule, steps in work.woken:
        out.result(f"{molecule.id} may go on:")
        _print_steps(out, molecule, steps)


def _print_ran(out: Output, ran: Ran) -> None:
    molecule = ran.after
    for step in ran.asked:
        out.result(f"{_DONE[ran.verb]} {molecule.full_id(step)}")
    for one in ran.followed:
        word = "Closed" if one.kind == "closed" else "Skipped"
        out.result(Styled(f"{word} {molecule.full_id(one.step)}: {_line(one.reason)}", "dim"))
    for step in ran.bonded:
        out.result(f"Bonded {molecule.full_id(step)}")
    if ran.released:
        out.result("Ready now:")
        _print_steps(out, molecule, ran.released)
    if ran.is_done:
        out.say(f"All steps of {molecule.id} have ended: `mmpm mol squash {molecule.id} --summary TEXT` keeps it")


def _print_steps(out: Output, molecule: Molecule, steps: Sequence[ReadyStep]) -> None:
    for one in steps[:SHOWN]:
        out.result("  ", Styled(molecule.full_id(one.id), "bold"), f"  {_line(one.title)}")
    if len(steps) > SHOWN:
        out.result(f"  and {len(steps) - SHOWN} more")


def _cut(found: Sequence[Front], room: int) -> tuple[list[Front], int]:
    """Give the first `room` lines (0: all), and how many are left out; a molecule without a step is a line, too."""
    if not room:
        return list(found), 0
    shown: list[Front] = []
    left = 0
    for front in found:
        wanted = max(1, len(front.ready) + len(front.blocked))
        if room > 0:
            kept = replace(front, ready=front.ready[:room], blocked=front.blocked[: max(0, room - len(front.ready))])
            shown.append(kept)
        left += max(0, wanted - max(0, room))
        room -= wanted
    return shown, left


def _print_front(out: Output, front: Front) -> None:
    summary = front.summary
    out.result(*_summary(summary))

    def full(step: str) -> str:
        return f"{summary.id}.{step}"

    for group, steps in front.groups:
        count = f"{len(steps)} at once" if len(steps) > 1 else "ready"
        out.result(Styled(f"  {count}{f' in {full(group)}' if group else ''}:", "dim"))
        for one in steps:
            out.result("    ", Styled(full(one.id), "bold"), f"  {_line(one.title)}")
    if front.busy:
        out.result(Styled("  in progress:", "dim"))
    for busy in front.busy:
        who = Styled(f"  {busy.by}, since {_when(busy.since)}", "dim")
        out.result("    ", full(busy.id), f"  {_line(busy.title)}", who)
    if front.blocked:
        out.result(Styled("  waiting:", "dim"))
    for waiting in front.blocked:
        out.result("    ", full(waiting.id), f"  {_line(waiting.title)}")
        for hold in waiting.holds:
            out.result(Styled(f"      {hold}", "yellow"))
    if front.remark:
        out.result(Styled(f"  nothing is ready: {front.remark}", "yellow"))


def _summary(one: Summary) -> list[str | Styled]:
    state = "" if one.state == "flowing" else f"{one.state} "
    busy = f", {one.in_progress} in progress" if one.in_progress else ""
    about = f"({state}{one.phase} of {one.formula}, {one.over}/{one.steps} steps{busy})"
    return [Styled(one.id, "bold"), f"  {_line(one.title)}", Styled(f" {about}", "dim")]


def _line(text: str) -> str:
    return printable(" ".join(text[: 4 * TITLE].split()), TITLE)


def _when(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _output(session: Session, said: str) -> Mapping[str, Any]:
    """Read what a step made.

    Raises:
        UsageError: it cannot be read, or is no JSON object.
    """
    from mmpm.model.canonical import parse_json

    what = "--output"
    if said.lstrip().startswith("{"):
        data = said.encode(errors="surrogatepass")
    elif said == "-":
        data = sys.stdin.buffer.read(MAX_OUTPUT + 1)
    else:
        path = session.path(said)
        try:
            with open(path, "rb") as file:
                data = file.read(MAX_OUTPUT + 1)
        except OSError as error:
            raise UsageError(f"--output {said}: {os.strerror(error.errno or 0)}") from None
        what = f"--output {said}"
    try:
        found = parse_json(data, what, max_bytes=MAX_OUTPUT)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not isinstance(found, dict):
        raise UsageError(f"{what} is not a JSON object", 'as in --output \'{"workers": [{"name": "ace"}]}\'')
    return found


def _summary_json(one: Summary) -> dict[str, object]:
    keys = ("id", "phase", "state", "title", "formula", "steps", "over", "in_progress", "bonded_at", "bonded_by")
    return {key: getattr(one, key) for key in (*keys, "last_at")}


def _front_json(front: Front, *, blocked: bool) -> dict[str, object]:
    name = front.summary.id
    found: dict[str, object] = {
        **_summary_json(front.summary),
        "groups": [
            {"group": f"{name}.{group}" if group else name, "steps": [_step_json(name, one) for one in steps]}
            for group, steps in front.groups
        ],
        "busy": [
            {"id": f"{name}.{one.id}", "title": one.title, "by": one.by, "since": one.since} for one in front.busy
        ],
        "remark": front.remark or None,
    }
    if blocked:
        found["blocked"] = [
            {
                "id": f"{name}.{one.id}",
                "title": one.title,
                "holds": [{"kind": hold.kind, "on": hold.on, "detail": hold.detail} for hold in one.holds],
            }
            for one in front.blocked
        ]
    return found


def _step_json(molecule_id: str, one: ReadyStep) -> dict[str, object]:
    return {"id": f"{molecule_id}.{one.id}", "title": one.title}


def _work_json(work: Work) -> dict[str, object]:
    return {
        "molecules": [_ran_json(ran) for ran in work.ran],
        "may_go_on": [
            {"id": molecule.id, "ready": [_step_json(molecule.id, one) for one in steps]}
            for molecule, steps in work.woken
        ],
    }


def _ran_json(ran: Ran) -> dict[str, object]:
    full = ran.after.full_id
    return {
        "id": ran.after.id,
        "phase": ran.after.phase,
        "steps": [full(step) for step in ran.asked],
        "followed": [{"id": full(one.step), "kind": one.kind, "reason": one.reason} for one in ran.followed],
        "bonded": [full(step) for step in ran.bonded],
        "ready": [_step_json(ran.after.id, one) for one in ran.released],
        "done": ran.is_done,
        "on_complete": list(ran.notes),
    }
