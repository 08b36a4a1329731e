"""How molecules end: `mmpm mol squash`, `mol burn` and `mol gc`."""

from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.operands import read_piped
from mmpm.cli.output import Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.molecule.picture.wrapping import one_line
from mmpm.molecule.steps import MAX_TEXT
from mmpm.ops.mol_end import OLDER, Burning, Collecting, Squashing, plan_burn, plan_gc, plan_squash
from mmpm.ops.mol_state import Workspace

TITLE_LIMIT = 120
SHOWN = 10  # molecules that a question names


def squash(
    molecule: str,
    /,
    *,
    summary: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    actor: str | None = None,
    force: bool = False,
    session: Session,
) -> None:
    """End a molecule in a digest: what ran, who did it, how it went. A mol's steps stay, a wisp's trace goes.

    Args:
        molecule: Its id.
        summary: What came of it, in your words; - reads it from standard input. Without: an outline.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE or user@host.
        force: Although steps are open, or lines of the log cannot be read.
        session: This run.
    """
    text = _standard_input() if summary == "-" else summary
    workspace = _workspace(session)
    stamp = workspace.stamp(actor)
    asks = not force and not session.options.dry_run
    has_asked = False
    if asks:
        # Before others are kept away: a question may stay open for hours.
        made = plan_squash(workspace, molecule, text, stamp)
        if made.open_steps or made.unreadable:
            session.output.ask(_about_open(made), yes=session.options.yes)
            has_asked = True
    _begin(session, workspace)
    made = plan_squash(workspace, molecule, text, stamp)
    digest = made.digest
    outcome = run_plan(
        session,
        workspace.context,
        made.plan,
        schema="mmpm.mol-squash/1",
        question=_about_open(made) if asks and not has_asked and (made.open_steps or made.unreadable) else None,
        body=lambda _: {
            "id": digest.id,
            "phase": digest.phase,
            "path": made.path,
            "root": digest.root,
            "open_steps": made.open_steps,
            "unreadable": made.unreadable,
            "digest": digest.to_dict(),
        },
    )
    if outcome is None:
        return
    session.output.result(Styled(digest.id, "bold"), f"  {one_line(digest.title, TITLE_LIMIT)}")
    session.output.result(f"Root: {digest.root}")
    for line in digest.lines():
        session.output.result(line)
    session.output.say(Styled(f"  digest  {made.path}", "dim"))


def burn(*molecules: str, reason: str = "", actor: str | None = None, force: bool = False, session: Session) -> None:
    """End molecules in nothing: no record of what ran. Only the audit log keeps that they were burned, and why.

    Args:
        molecules: Their ids.
        reason: Why; goes to the audit log.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE or user@host.
        force: Do not ask.
        session: This run.
    """
    if not molecules:
        raise UsageError("nothing to burn", "name molecules by their ids, as `mmpm mol list --running` shows them")
    workspace = _workspace(session)
    stamp = workspace.stamp(actor)
    if not force and not session.options.dry_run:
        # Before others are kept away: a question may stay open for hours.
        session.output.ask(_about_burning(plan_burn(workspace, molecules, reason, stamp)), yes=session.options.yes)
    _begin(session, workspace)
    made = plan_burn(workspace, molecules, reason, stamp)
    outcome = run_plan(
        session,
        workspace.context,
        made.plan,
        schema="mmpm.mol-burn/1",
        body=lambda _: {"molecules": [one[0] for one in made.molecules], "reason": reason},
    )
    for molecule_id, title, _ in made.molecules if outcome is not None else ():
        session.output.result("Burned: ", Styled(molecule_id, "bold"), f"  {one_line(title, TITLE_LIMIT)}")


def gc(*, older: str = OLDER, actor: str | None = None, session: Session) -> None:
    """Burn stale wisps, complete what was killed and remove what it left, drop lines of logs that have no effect.

    Args:
        older: How long nothing has happened in a wisp that is stale, as in 30m, 24h or 7d.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE or user@host.
        session: This run.
    """
    workspace = _workspace(session)
    _begin(session, workspace)
    found = plan_gc(workspace, older, workspace.stamp(actor))
    outcome = run_plan(
        session,
        workspace.context,
        found.plan,
        schema="mmpm.mol-gc/1",
        nothing=f"Nothing to collect in {workspace.places.root}",
        body=lambda _: {
            "burned": [{"id": one.id, "title": one.title, "last": one.last} for one in found.stale],
            "completed": list(found.ended),
            "removed": list(found.leftovers),
            "compacted": [{"id": one, "lines": lines} for one, lines in found.compacted],
        },
    )
    if outcome is not None:
        _print_collected(session, found)


def _print_collected(session: Session, found: Collecting) -> None:
    out = session.output
    for one in found.stale:
        out.result(
            "Burned: ",
            Styled(one.id, "bold"),
            f"  {one_line(one.title, TITLE_LIMIT)} (nothing happened since {one.last})",
        )
    for molecule_id in found.ended:
        out.result("Completed: ", Styled(molecule_id, "bold"), "  its end was begun and not finished")
    for molecule_id, lines in found.compacted:
        out.result("Compacted: ", Styled(molecule_id, "bold"), f"  {_count(lines, 'line')} without effect")
    if found.leftovers:
        out.result(f"Removed: {_count(len(found.leftovers), 'file')} of killed processes")


def _workspace(session: Session) -> Workspace:
    options = session.options
    context = session.context(read_manifest=False, read_registries=False)
    return Workspace.of(context, session.cwd, tier=options.tier, folder=options.project)


def _begin(session: Session, workspace: Workspace) -> None:
    """Keep other writers away from here on, where something is to be written; what was read before is forgotten."""
    if not session.options.dry_run:
        workspace.begin()


def _about_open(made: Squashing) -> str:
    """Give the question about a molecule of which something is left, or something cannot be told."""
    said = []
    if made.open_steps:
        have = "has" if made.open_steps == 1 else "have"
        said.append(
            f"{_count(made.open_steps, 'step')} of {made.digest.id} {have} not ended, and the digest will say so"
        )
    if made.unreadable:
        lines = _count(made.unreadable, "line")
        said.append(f"{lines} of the log of {made.digest.id} cannot be read, and the digest will not tell of that")
    return f"{'; '.join(said)}. Squash it?"


def _about_burning(made: Burning) -> str:
    if len(made.molecules) == 1:
        molecule_id, title, count = made.molecules[0]
        about = f", {_count(count, 'step')} not ended" if count else ""
        return f"No record will stay of {molecule_id} ({one_line(title, TITLE_LIMIT)}{about}). Burn it?"
    named = ", ".join(one[0] for one in made.molecules[:SHOWN])
    more = f" and {len(made.molecules) - SHOWN} more" if len(made.molecules) > SHOWN else ""
    return f"No record will stay of {len(made.molecules)} molecules: {named}{more}. Burn them?"


def _standard_input() -> str:
    """Read a summary: UTF-8, at most as long as a text may be, without its last line feed.

    Raises:
        UsageError: a terminal, closed, too long, or no text.
    """
    data = read_piped("--summary", 4 * MAX_TEXT)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"--summary -: not UTF-8 at byte {error.start}") from None
    if len(text) > MAX_TEXT:
        raise UsageError(f"--summary -: more than {MAX_TEXT} characters")
    return text.removesuffix("\n")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
