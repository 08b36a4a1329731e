"""Work on molecules: `mol start`, `mol close`, `mol gate open`."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from mmpm.cli.commands.mol_ready import warn_unread
from mmpm.cli.operands import read_piped
from mmpm.cli.output import Output, Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.molecule.picture.wrapping import one_line
from mmpm.molecule.readiness import ReadyStep
from mmpm.molecule.state import Molecule
from mmpm.ops.mol_run import Ran, Work, close, keep, open_gate, start
from mmpm.ops.mol_state import Workspace

SHOWN = 100  # ids that are printed of a list
MAX_OUTPUT = 16 << 20
TITLE = 100


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
    *steps: str,
    reason: str = "",
    output: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    actor: str | None = None,
    session: Session,
) -> None:
    """End steps, with whatever ends with them, and say what is ready now.

    Args:
        steps: Full ids, as `mmpm mol ready` prints them.
        reason: What came of it; failed, rejected, canceled, error and such words say that it failed.
        output: What the step made, for its on_complete: a JSON object, a file that has one, or - for standard input.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE, user@host.
        session: This run.
    """
    # Before others are kept away: whoever makes it may take hours.
    made = _output(session, output) if output is not None else None
    workspace = _begun(session)

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
        warn_unread(out, workspace.unread(ran.after.id))
        for note in ran.notes:
            out.warn(note)
    schema = _SCHEMAS[work.ran[0].verb]
    outcome = run_plan(session, workspace.context, work.plan, schema=schema, body=lambda _: _work_json(work))
    if outcome is None:
        return
    keep(workspace, work)
    for ran in work.ran:
        _print_ran(out, ran)
    for molecule, steps in work.woken:
        out.result(f"{molecule.id} may go on:")
        _print_steps(out, molecule, steps)


def _print_ran(out: Output, ran: Ran) -> None:
    molecule = ran.after
    skipped = {one.step for one in ran.followed if one.kind == "skipped"}
    for step in ran.asked:
        if step in skipped:
            continue
        out.result(f"{_DONE[ran.verb]} {molecule.full_id(step)}")
    for one in ran.followed:
        word = "Closed" if one.kind == "closed" else "Skipped"
        out.result(Styled(f"{word} {molecule.full_id(one.step)}: {one_line(one.reason, TITLE)}", "dim"))
    for step in ran.bonded:
        out.result(f"Bonded {molecule.full_id(step)}")
    if ran.released:
        out.result("Ready now:")
        _print_steps(out, molecule, ran.released)
    if ran.is_done:
        out.say(f"All steps of {molecule.id} have ended: `mmpm mol squash {molecule.id} --summary TEXT` keeps it")


def _print_steps(out: Output, molecule: Molecule, steps: Sequence[ReadyStep]) -> None:
    for one in steps[:SHOWN]:
        out.result("  ", Styled(molecule.full_id(one.id), "bold"), f"  {one_line(one.title, TITLE)}")
    if len(steps) > SHOWN:
        out.result(f"  and {len(steps) - SHOWN} more")


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
        data = read_piped(what, MAX_OUTPUT)
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


def _work_json(work: Work) -> dict[str, object]:
    return {
        "molecules": [_ran_json(ran) for ran in work.ran],
        "may_go_on": [
            {"id": molecule.id, "ready": [{"id": molecule.full_id(one.id), "title": one.title} for one in steps]}
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
        "ready": [{"id": full(one.id), "title": one.title} for one in ran.released],
        "done": ran.is_done,
        "on_complete": list(ran.notes),
    }
