"""Looking around from what is here, without a network: `tree`, `why`, `outdated`."""

from mmpm.cli.output import Output, Styled, badge, stem
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.ops.outdated import Outdated, Standing, find_outdated
from mmpm.ops.tree import DEEPEST, Branch, grow_tree
from mmpm.ops.why import MOST_PATHS, Why, explain_presence

_YELLOW = {"yanked", "not installed"}
NAMED_UNKNOWN = 5


def tree(*names: str, depth: int = DEEPEST, session: Session) -> None:
    """Show what every formula needs, as a tree; from the lock, without a network.

    Args:
        names: Only what is below these.
        depth: Show so many levels below the first.
        session: This run.
    """
    if depth < 0:
        raise UsageError(f"--depth {depth} is less than nothing", "give 0 or more")
    context = session.context()
    out = session.output
    lines = grow_tree(context, names, depth=depth)
    for line in lines:
        out.result(*_tree_line(out, line))
    if not lines:
        out.say("Nothing is locked")
    out.document("mmpm.tree/1", {"tree": [_branch_json(line) for line in lines]})


def _tree_line(out: Output, line: Branch) -> list[str | Styled]:
    pieces: list[str | Styled] = [Styled(stem(out, line.is_last[1:]), "dim"), line.name]
    if line.version:
        pieces.append(f" {line.version}")
    if line.range and line.range != "*":
        pieces.append(Styled(f" ({line.range})", "dim"))
    pieces += _marks(line.marks)
    if line.badge:
        pieces += [" ", badge(out, line.badge)]
    if line.is_repeated:
        pieces.append(Styled(" (see above)", "dim"))
    if line.is_cut:
        pieces.append(Styled(" (more below: --depth)", "dim"))
    return pieces


def _marks(marks: tuple[str, ...]) -> list[str | Styled]:
    """Give the marks in brackets: `[pinned, yanked]`."""
    return [" ", Styled(f"[{', '.join(marks)}]", "yellow" if _YELLOW.intersection(marks) else "dim")] if marks else []


def _branch_json(line: Branch) -> dict[str, object]:
    return {
        "depth": line.depth,
        "name": line.name,
        "version": line.version,
        "range": line.range,
        "marks": list(line.marks),
        "repeated": line.is_repeated,
        "cut": line.is_cut,
        "level": line.level,
    }


def why(name: str, /, *, all: bool = False, session: Session) -> None:  # noqa: A002 - the option's name
    """Say why a formula is here: every path to it from what was asked for, the shortest first.

    Args:
        name: Of an installed formula.
        all: Show every path, and not only the first few.
        session: This run.
    """
    found = explain_presence(session.context(), name, limit=1000 if all else MOST_PATHS)
    out = session.output
    out.result(Styled(found.name, "bold"), f" {found.version}", *_marks(found.marks))
    arrow = f" {out.mark('arrow', out.out)} "
    for path in found.paths:
        if len(path) == 1:
            out.result(f"  you asked for it ({path[0].range})")
            continue
        steps = [
            f"{step.name} {step.version}" + (f" ({step.range})" if number else "") for number, step in enumerate(path)
        ]
        out.result("  ", arrow.join(steps))
    if not found.paths:
        out.result("  nothing that was asked for needs it: `mmpm lock` would leave it out")
    if not found.is_all:
        out.result(Styled(f"  (and more; the {len(found.paths)} shortest are shown)", "dim"))
    for other in found.bonded_by:
        out.result(f"  {other} can attach it at run time (soft)")
    _print_standing(out, found)
    out.document("mmpm.why/1", _why_json(found))


def _print_standing(out: Output, found: Why) -> None:
    """Say whether something newer is known, and who keeps it away."""
    one = found.standing
    if one.allowed:
        out.result(f"{one.allowed} is known and allowed: mmpm upgrade {one.name}")
    if one.latest and one.latest != one.allowed:
        out.result("; ".join(part for part in (f"{one.latest} is known", _held(one)) if part))


def _held(one: Standing) -> str:
    """Say who keeps a release from its latest version."""
    by = [f"{holder.name or 'you'} {'requires' if holder.name else 'ask for'} {holder.range}" for holder in one.held_by]
    if by or not one.is_solved:
        return ", ".join(by)
    return f"`mmpm install {one.name}@{one.latest}` tells what keeps it away"


def _why_json(found: Why) -> dict[str, object]:
    return {
        "name": found.name,
        "version": found.version,
        "marks": list(found.marks),
        "asked": found.asked,
        "paths": [
            [{"name": step.name, "version": step.version, "range": step.range} for step in path] for path in found.paths
        ],
        "all_paths": found.is_all,
        "soft": list(found.bonded_by),
        "standing": _standing_json(found.standing),
    }


def outdated(*, exit_code: bool = False, session: Session) -> int | None:
    """List the formulas of which something newer is known here; no registry is asked.

    Args:
        exit_code: Exit 1 if there are any.
        session: This run.
    """
    found = find_outdated(session.context())
    out = session.output
    rows = [("formula", "locked", "allowed", "latest", "")] if found.formulas else []
    rows += [
        (one.name, one.version, one.allowed or ("-" if one.is_solved else "?"), one.latest or "-", _note(out, one))
        for one in found.formulas
    ]
    widths = [max(map(len, column)) for column in zip(*(row[:4] for row in rows), strict=True)] if rows else []
    for number, row in enumerate(rows):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        line = f"{cells}  {row[4]}".rstrip()
        out.result(Styled(line, "dim") if number == 0 else line)
    _say_what_is_known(out, found)
    out.document(
        "mmpm.outdated/1",
        {
            "formulas": [_standing_json(one) for one in found.formulas],
            "unknown": list(found.unknown),
            "checked": found.checked,
            "registries": {name: {"serial": serial, "issued": issued} for name, (serial, issued) in found.seen.items()},
        },
    )
    return 1 if exit_code and found.formulas else None


def _note(out: Output, one: Standing) -> str:
    marks = f"[{', '.join(one.marks)}]" if one.marks else ""
    shown = badge(out, one.badge).text if one.badge else ""
    held = _held(one) if one.latest and one.latest != one.allowed else ""
    return " ".join(part for part in (marks, shown, held) if part)


def _say_what_is_known(out: Output, found: Outdated) -> None:
    if found.unknown:
        more = f" and {len(found.unknown) - NAMED_UNKNOWN} more" if len(found.unknown) > NAMED_UNKNOWN else ""
        out.warn(f"nothing is known here of {', '.join(found.unknown[:NAMED_UNKNOWN])}{more}: run `mmpm update`")
    elif found.unsolved:
        out.warn(f"what an upgrade would give cannot be told ({found.unsolved}): `mmpm upgrade --dry-run` explains")
    if not found.formulas and not found.unknown:
        out.say(f"Nothing newer is known of {found.checked} locked" if found.checked else "Nothing is locked")
    for registry, (serial, issued) in sorted(found.seen.items()):
        out.detail(f"As {registry} was at {issued}, serial {serial}")


def _standing_json(one: Standing) -> dict[str, object]:
    return {
        "name": one.name,
        "version": one.version,
        "marks": list(one.marks),
        "registry": one.registry,
        "allowed": one.allowed,
        "latest": one.latest,
        "held_by": [{"name": holder.name, "range": holder.range} for holder in one.held_by],
        "known": one.is_known,
        "solved": one.is_solved,
        "level": one.level,
    }
