"""What may run now: `mol ready`; which molecules flow here: `mol list --running`. They look and change nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.cli.output import Output, Styled
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.molecule.heads import Head
from mmpm.molecule.picture.wrapping import one_line
from mmpm.molecule.readiness import ReadyStep
from mmpm.ops.mol_ready import Front, front_at, fronts, moment, open_index, running
from mmpm.project.mol_index import MolIndex
from mmpm.project.tiers import choose_beads

if TYPE_CHECKING:
    from mmpm.ops.mol_state import Workspace

SHOWN = 100  # lines that `ready` prints where nobody said how many
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
    now = moment(session.now)
    if molecules:
        workspace = _workspace(session)
        found = tuple(front_at(workspace, one, now, with_blocked=blocked) for one in dict.fromkeys(molecules))
        for molecule_id in dict.fromkeys(front.head.id for front in found):
            warn_unread(out, workspace.unread(molecule_id))
    else:
        index = _index(session)
        found = fronts(index, now, lambda: _workspace(session), with_blocked=blocked)
        _warn(out, index)
    room = limit if limit is not None else 0 if out.as_json else SHOWN
    shown, left = _cut(found, room)
    for front in shown:
        _print_front(out, front)
    if left:
        out.say(f"and {left} more; --limit 0 shows all")
    if not found:
        out.say("No molecule flows here: `mmpm mol list` shows what can be bonded, `mmpm mol bond` bonds it")
    if out.as_json:
        body = {"molecules": [_front_json(front, blocked=blocked) for front in shown], "left_out": left}
        out.document("mmpm.mol-ready/1", body)


def list_running(session: Session, *, with_ended: bool) -> None:
    """List the mols and wisps that flow here, or all that are known."""
    out = session.output
    index = _index(session)
    found = running(index, with_ended=with_ended)
    _warn(out, index)
    out.results(_listed(one) for one in found)
    if not found:
        out.say("No molecule flows here" if not with_ended else "No molecule is here, and no digest")
    if out.as_json:
        out.document("mmpm.mol-list-running/1", {"running": [_head_json(one) for one in found]})


def _workspace(session: Session) -> "Workspace":
    # Reading a molecule whole brings along what only few runs of these commands need.
    from mmpm.ops.mol_state import Workspace

    context = session.context(read_manifest=False, read_registries=False)
    return Workspace.of(context, session.cwd, tier=session.options.tier, folder=session.options.project)


def _index(session: Session) -> MolIndex:
    session.settings()
    options = session.options
    project = choose_beads(session.places, session.cwd, tier=options.tier, folder=options.project)
    return open_index(session.places.state, project.root, moment(session.now), session.progress)


def _warn(out: Output, index: MolIndex) -> None:
    for trouble in index.troubles():
        out.warn(str(trouble))
    for unread in index.unread():
        warn_unread(out, unread)


def warn_unread(out: Output, unread: str) -> None:
    """Say of a log that something in it cannot be read, and so was not heeded; nothing where `unread` is empty."""
    if unread:
        out.warn(f"{unread}; that line is not heeded")


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
    head = front.head
    out.result(*_head(head))

    def full(step: str) -> str:
        return f"{head.id}.{step}"

    for group, steps in front.groups:
        count = f"{len(steps)} at once" if len(steps) > 1 else "ready"
        out.result(Styled(f"  {count}{f' in {full(group)}' if group else ''}:", "dim"))
        for one in steps:
            out.result("    ", Styled(full(one.id), "bold"), f"  {one_line(one.title, TITLE)}")
    if front.busy:
        out.result(Styled("  in progress:", "dim"))
    for busy in front.busy:
        who = Styled(f"  {one_line(busy.by, TITLE)}, since {_when(busy.since)}", "dim")
        out.result("    ", full(busy.id), f"  {one_line(busy.title, TITLE)}", who)
    if front.blocked:
        out.result(Styled("  waiting:", "dim"))
    for waiting in front.blocked:
        out.result("    ", full(waiting.id), f"  {one_line(waiting.title, TITLE)}")
        for hold in waiting.holds:
            out.result(Styled(f"      {one_line(str(hold), 3 * TITLE)}", "yellow"))
    if front.remark:
        out.result(Styled(f"  nothing is ready: {front.remark}", "yellow"))


def _head(one: Head) -> list[str | Styled]:
    state = "" if one.state == "flowing" else f"{one.state} "
    busy = f", {one.in_progress} in progress" if one.in_progress else ""
    about = f"({state}{one.phase} of {one_line(one.formula, TITLE)}, {one.over}/{one.steps} steps{busy})"
    return [Styled(one.id, "bold"), f"  {one_line(one.title, TITLE)}", Styled(f" {about}", "dim")]


def _listed(one: Head) -> list[str | Styled]:
    moments = f", bonded {_when(one.bonded_at)} by {one_line(one.bonded_by, TITLE)}"
    if one.last_at != one.bonded_at:
        moments += f", last change {_when(one.last_at)}"
    return [*_head(one), Styled(moments, "dim")]


def _when(moment: str) -> str:
    return moment[:16].replace("T", " ")


def _head_json(one: Head) -> dict[str, object]:
    keys = ("id", "phase", "state", "title", "formula", "steps", "over", "in_progress", "bonded_at", "bonded_by")
    return {key: getattr(one, key) for key in (*keys, "last_at")}


def _front_json(front: Front, *, blocked: bool) -> dict[str, object]:
    name = front.head.id
    found: dict[str, object] = {
        **_head_json(front.head),
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
