"""`mmpm mol records` and `mol route`: who did what, and who is to do the next work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmpm.cli.output import Output, Styled
from mmpm.cli.session import Session
from mmpm.errors import UsageError, printable
from mmpm.model.capabilities import check_tag
from mmpm.model.ranges import ANY
from mmpm.molecule.digest import StepOutcome
from mmpm.molecule.routing import Ranked
from mmpm.ops.mol_records import (
    ExecutionRecord,
    Filter,
    Found,
    parse_formula_operand,
    parse_since,
    ranking,
    read_records,
)
from mmpm.ops.mol_state import Workspace

TOLD_PROBLEMS = 20
TOLD_OTHERS = 10
TEXT_LIMIT = 200


def records(
    *,
    actor: str | None = None,
    formula: str | None = None,
    capability: tuple[str, ...] = (),
    since: str | None = None,
    failed: bool = False,
    limit: int | None = None,
    steps: bool = False,
    registry: tuple[str, ...] = (),
    everywhere: bool = False,
    session: Session,
) -> None:
    """Print execution records, the newest first: who, which formula, when, which capabilities it exercised.

    Args:
        actor: Only what this one did: a step, or the squash.
        formula: Only what was done under this formula, NAME or NAME@RANGE.
        capability: Only what was done under a formula that exercises this tag; may be repeated.
        since: Only what ended since a day (2026-01-10), a moment, or for so long (7d).
        failed: Only what has a step that failed, or one that did not end.
        limit: At most so many.
        steps: Print what became of each step, too.
        registry: Only what was posted to this registry, by its id or name; may be repeated.
        everywhere: Also what was posted to any registry of yours.
        session: This run.
    """
    # An empty one is a variable that nobody set: everybody's records would be taken for those of one.
    for option, value in (("--actor", actor), ("--formula", formula), ("--since", since)):
        if value == "":
            raise UsageError(f"{option}: it is empty", f"name what is meant, or leave {option} out")
    wanted = _filter(session, actor, formula, capability, since, failed=failed)
    if limit is not None and limit < 1:
        raise UsageError("--limit: at least one record has to be asked for", "write a whole number, as in --limit 10")
    found = _read(session, registry, everywhere=everywhere, takes=wanted.takes)
    taken = [record for record in found.records if wanted.takes(record)]
    shown = taken[:limit]
    out = session.output
    for number, record in enumerate(shown):
        if number:
            out.line("")
        _print(out, record, with_steps=steps or out.verbose)
    count = len(found.records) + found.passed_over
    if not count and (registry or everywhere):
        here = ", and none is here" if everywhere else ""
        out.say(f"There are no records: none that counts was posted to these registries{here}")
    elif not count:
        out.say("There are no records: nothing was squashed here, and no step was closed")
    elif not taken:
        out.say(f"None of the {count} records {'at hand' if registry or everywhere else 'here'} is so")
    elif len(taken) > len(shown):
        out.say(f"Older ones that are not shown: {len(taken) - len(shown)}")
    body = {
        "records": [record_json(record) for record in shown],
        "matching": len(taken),
        "problems": list(found.problems),
    }
    out.document("mmpm.mol-records/1", body)


def route(
    *,
    capabilities: str,
    weight: tuple[str, ...] = (),
    registry: tuple[str, ...] = (),
    everywhere: bool = False,
    session: Session,
) -> None:
    """Rank who did work of this kind well before, each with the reasons; the best first.

    Args:
        capabilities: What the work needs, as in --capabilities security,go.
        weight: How much a capability counts, as in --weight go=0.5; from 0 to 1, else 1; may be repeated.
        registry: Only what was posted to this registry counts, by its id or name; may be repeated.
        everywhere: What was posted to any registry of yours counts as well.
        session: This run.
    """
    tags = list(dict.fromkeys(tag.strip() for tag in capabilities.split(",") if tag.strip()))
    if not tags:
        raise UsageError("--capabilities: no tag is given", "write --capabilities security,go")
    weights = dict(_weight(text, tags) for text in weight)
    found = _read(session, registry, everywhere=everywhere, takes=lambda _record: True)
    try:
        ranked, others = ranking(found, tags, weights)
    except ValueError as error:
        raise UsageError(str(error), "write --capabilities security,go --weight go=0.5") from None
    out = session.output
    for number, one in enumerate(ranked, 1):
        who = Styled(printable(one.performer), "bold")
        out.line(f"{number}. ", who, f" {one.score_text}", Styled(f"  {one.last}", "dim"))
        for reason in one.reasons:
            out.line(f"   {printable(str(reason), 2000)}")
    if not ranked:
        out.say(f"Nobody has a record of {' or '.join(tags)} here")
    if others:
        more = f" and {len(others) - TOLD_OTHERS} more" if len(others) > TOLD_OTHERS else ""
        named = ", ".join(printable(one.performer) for one in others[:TOLD_OTHERS])
        out.say(f"Without any record of these: {named}{more}")
    out.document(
        "mmpm.mol-route/1",
        {
            "capabilities": tags,
            "weights": weights,
            "performers": [_ranked_json(one) for one in ranked],
            "others": [one.performer for one in others],
            "problems": list(found.problems),
        },
    )


def record_json(record: ExecutionRecord) -> dict[str, object]:
    """Give every field of a record for `--json`."""
    digest = record.digest
    return {
        "id": digest.id,
        "origin": record.origin,
        "release": record.release or None,
        "running": record.is_running,
        "failed": record.has_failed,
        "title": digest.title,
        "phase": digest.phase,
        "actor": digest.actor,
        "formula": digest.provenance.to_dict(),
        "bonded_by": digest.bonded_by,
        "bonded_at": digest.bonded_at,
        "completed_at": None if record.is_running else digest.completed_at,
        "last_close_at": max((one.closed_at for one in digest.outcomes if one.has_run), default=None),
        "lock_entry": dict(digest.lock_entry),
        "variables": dict(digest.variables),
        "arms": [
            {"step": arm.step, "formula": arm.provenance.to_dict(), "values": dict(arm.values)} for arm in digest.arms
        ],
        "steps": [
            {
                "step": one.step,
                "title": one.title,
                "state": one.state,
                "failed": one.has_failed,
                "reason": one.reason,
                "actor": one.actor or None,
                "started_at": one.started_at or None,
                "closed_at": one.closed_at or None,
            }
            for one in digest.outcomes
        ],
        "summary": digest.summary,
        "root": digest.root if record.is_proved else None,
    }


def _filter(
    session: Session,
    actor: str | None,
    formula: str | None,
    capability: tuple[str, ...],
    since: str | None,
    *,
    failed: bool,
) -> Filter:
    try:
        name, wanted = parse_formula_operand(formula) if formula else ("", ANY)
    except ValueError as error:
        raise UsageError(f"--formula: {error}", "write NAME, NAME@4 or NAME@^4.1") from None
    try:
        moment = parse_since(since, session.now) if since else ""
    except ValueError as error:
        raise UsageError(f"--since: {error}", "write --since 2026-01-10, or --since 7d") from None
    try:
        tags = tuple(map(check_tag, capability))
    except ValueError as error:
        raise UsageError(f"--capability: {error}", "write --capability security --capability go") from None
    return Filter(actor or "", name, wanted, tags, moment, failed)


def _read(
    session: Session, registries: tuple[str, ...], *, everywhere: bool, takes: Callable[[ExecutionRecord], bool]
) -> Found:
    """Read what is here, or what was posted, or both; `takes` spares memory for what was posted."""
    if registries and everywhere:
        raise UsageError("--registry and --everywhere say two things", "leave one of them out")
    asks = bool(registries) or everywhere
    context = session.context() if asks else session.context(read_manifest=False, read_registries=False)
    options = session.options
    workspace = None if registries else Workspace.of(context, session.cwd, tier=options.tier, folder=options.project)
    others = []
    if asks:
        from mmpm.ops.mol_posted import read_found
        from mmpm.ops.registries import find

        if not context.registries:
            session.output.warn("no registry is configured, so that nothing posted is known: `mmpm registry add URL`")
        chosen = [find(context, name) for name in dict.fromkeys(registries)] or None
        with _told(session.output) as tell:
            others.append(read_found(context, chosen, takes, tell))
    found = read_records(workspace, others)
    for problem in found.problems[:TOLD_PROBLEMS]:
        session.output.warn(f"this is no record: {problem}")
    more = len(found.problems) - TOLD_PROBLEMS
    if more > 0:
        session.output.warn(f"{more} more are no records; --json lists them")
    return found


@contextmanager
def _told(out: Output) -> Iterator[Callable[[str], object]]:
    """Give what warns of records that do not count: of the first ones each, of the others how many."""
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        if len(told) <= TOLD_PROBLEMS:
            out.warn(sentence)

    yield tell
    if len(told) > TOLD_PROBLEMS:
        out.warn(f"{len(told) - TOLD_PROBLEMS} more of this kind")


def _print(out: Output, record: ExecutionRecord, *, with_steps: bool) -> None:
    digest = record.digest
    lines = record.lines()
    if not with_steps:
        # The seed's lines alone are the result; what tells one record from the next is for the eye.
        out.say(Styled(_about(record), "dim"))
    for line in lines:
        out.line(line)
    if not with_steps:
        return
    out.line(f"Molecule: {_about(record)}")
    if record.is_proved:
        out.line(f"Root: {digest.root}")
    out.line("Steps:")
    for outcome in digest.outcomes:
        out.line(*_outcome(out, outcome))


def _about(record: ExecutionRecord) -> str:
    digest = record.digest
    ended = "running" if record.is_running else "squashed" if record.is_proved else "squashed, its digest is not here"
    origin = "" if record.origin == "here" else f", from {record.release or record.origin}"
    return f"{digest.id} ({digest.phase}, {ended}{origin})"


def _outcome(out: Output, one: StepOutcome) -> list[str | Styled]:
    mark = out.mark("failed" if one.has_failed else "done", out.out) if one.has_run else "-"
    pieces: list[str | Styled] = [f"{mark} ", Styled(one.step, "bold")]
    if one.has_run:
        pieces.append(f" {one.closed_at} {printable(one.actor)}")
    elif one.closed_at:
        pieces.append(" skipped")
    else:
        pieces.append(f" in progress since {one.started_at}, {printable(one.actor)}" if one.started_at else " open")
    reason = " ".join(one.reason[: 4 * TEXT_LIMIT].split())
    if reason:
        pieces.append(f": {reason if len(reason) <= TEXT_LIMIT else reason[:TEXT_LIMIT] + '...'}")
    return pieces


def _weight(text: str, tags: list[str]) -> tuple[str, str]:
    tag, equals, value = (part.strip() for part in text.partition("="))
    if not equals or tag not in tags:
        said = f"{tag!r} is none of the capabilities asked for" if equals else f"{text!r} is not TAG=NUMBER"
        raise UsageError(f"--weight: {said}", "write --capabilities security,go --weight go=0.5")
    return tag, value


def _ranked_json(one: Ranked) -> dict[str, object]:
    return {
        "performer": one.performer,
        "score": one.score_text,
        "exact": str(one.score),
        "last": one.last or None,
        "reasons": [
            {
                "capability": reason.capability,
                "tried": reason.tried,
                "done": reason.done,
                "formulas": list(reason.formulas),
                "mark": str(reason.mark),
            }
            for reason in one.reasons
        ],
    }
