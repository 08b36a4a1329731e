"""`mmpm doctor`."""

from mmpm.cli.output import Styled
from mmpm.cli.session import Session
from mmpm.errors import FORESEEN, MmpmError
from mmpm.execute.context import Context
from mmpm.ops.doctor import Finding, examine, fixes, refusal

_MARKS = {"ok": "done", "warning": "warning", "problem": "failed"}


def doctor(*, fix: bool = False, session: Session) -> int:
    """Look over this machine and project, and say what mends what is wrong; nothing is fetched or changed.

    Settings, store, registries, installed formulas, the catalogue, molecules; and whether each formula cooks alike
    under bd, gt and mmpm. Exit 1 where something is a problem, 0 where there are warnings at most.

    Args:
        fix: Mend what can be mended here first: complete what was interrupted, repair the store, sync.
        session: This run.
    """
    out = session.output
    context, findings = _context(session)
    fixed: list[str] = []
    if context is not None:
        if fix:
            fixed = _fix(session, context)
        findings += list(examine(context, session.cwd))
    for one in findings:
        if one.state == "ok" and out.quiet:
            continue
        style = {"ok": "green", "warning": "yellow", "problem": "red"}[one.state]
        first, *more = one.sentence.splitlines() or [""]
        out.line(Styled(out.mark(_MARKS[one.state], out.out), style), f" {one.check}: {first}")
        for line in more:
            out.line(f"    {line}")
        for number, line in enumerate(one.remedy.splitlines()):
            out.line(f"         {line}" if number else f"    fix: {line}")
    problems = sum(one.state == "problem" for one in findings)
    if any(one.is_fixable for one in findings) and not fix:
        out.say("`mmpm doctor --fix` mends part of this")
    out.document(
        "mmpm.doctor/1",
        {
            "ok": not problems,
            "fixed": fixed,
            "findings": [
                {
                    "check": one.check,
                    "state": one.state,
                    "sentence": one.sentence,
                    "remedy": one.remedy or None,
                    "fixable": one.is_fixable,
                }
                for one in findings
            ],
        },
    )
    return FORESEEN if problems else 0


def _context(session: Session) -> tuple[Context | None, list[Finding]]:
    """Make a context of whatever can be read, and tell what cannot."""
    told: list[Finding] = []
    for manifest, registries in ((True, True), (True, False), (False, True), (False, False)):
        try:
            return session.context(read_manifest=manifest, read_registries=registries), told[:1]
        except MmpmError as error:
            told.append(refusal("settings", error))
    return None, told[:1]


def _fix(session: Session, context: Context) -> list[str]:
    """Apply what mends, one plan after another, and say it."""
    from mmpm.cli.plans import sentences_of
    from mmpm.execute.apply import apply

    done = []
    dry_run = session.options.dry_run
    for plan in fixes(context, dry_run=dry_run):
        for sentence in sentences_of(plan):
            session.output.say(f"would {sentence}" if dry_run else f"This will {sentence}")
            done.append(sentence)
        if not dry_run and not plan.is_empty:
            apply(context, plan)
    return done
