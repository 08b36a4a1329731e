"""`install`, `lock`, `upgrade`, `pin`, `unpin`, `debug solve`."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.cli.operands import parse_reference
from mmpm.cli.output import Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import MmpmError, UsageError

SHOWN_CHANGELOGS = 10

if TYPE_CHECKING:
    from mmpm.execute.context import Context, Progress
    from mmpm.ops.change import Change
    from mmpm.ops.install import Operand
    from mmpm.ops.pin import PinRequest
    from mmpm.ops.release_documents import Described
    from mmpm.ops.upgrade import Upgrade
    from mmpm.plan import Plan


def install(
    *references: str,
    pre: bool = False,
    as_: str | None = None,
    no_save: bool = False,
    session: Session,
) -> None:
    """Install formulas; without a name, do what `sync` does.

    Args:
        references: NAME, NAME@4, NAME@4.0.0 (pinned), @scope/NAME, hop://HOST/formulas/NAME, or the path of a file.
        pre: Take a pre-release where there is nothing else.
        as_: Install under another name.
        no_save: Leave mmpm.toml as it is.
        session: This run.
    """
    from mmpm.cli.commands.project import import_command, sync
    from mmpm.ops.install import InstallRequest, prepare_install

    if not references:
        sync(session=session)
        return
    paths = [reference for reference in references if _is_path(session, reference)]
    if paths:
        if len(references) > 1:
            raise UsageError("a path is installed by a command of its own", f"run `mmpm install {paths[0]}`")
        import_command(paths[0], session=session)
        return
    operands = tuple(_operand(reference) for reference in references)
    is_pinned = all(operand.reference.is_pin for operand in operands)
    # Of several, each name's line stands above what was chosen for it, which is known only when all are.
    are_several = len(operands) > 1 and not is_pinned
    if not are_several:
        _say_resolving(session, operands)
    context = session.context()
    try:
        change = prepare_install(context, InstallRequest(operands, pre, as_, not no_save, session.options.dry_run))
    except MmpmError:
        if are_several:
            _say_resolving(session, operands)
        raise
    described = {} if is_pinned else {one.name: one for one in change.described}
    if are_several:
        _say_resolving(session, operands, described)
    else:
        for one in described.values():
            _describe(session, one)
    _apply_install(session, context, change, is_pinned=is_pinned)


def _say_resolving(
    session: Session, operands: "Sequence[Operand]", described: "Mapping[str, Described] | None" = None
) -> None:
    """Print each operand's line, and below it what was chosen, where that is known."""
    for operand in operands:
        reference = operand.reference
        if reference.is_pin:
            session.output.say(f"Installing {reference.name}@{reference.range} (pinned)...")
        else:
            session.output.say(f"Resolving {reference}...")
        one = (described or {}).get(str(reference.name))
        if one is not None:
            _describe(session, one)


def _apply_install(session: Session, context: "Context", change: "Change", *, is_pinned: bool) -> None:
    out = session.output
    names = {one.name for one in change.described}
    outcome = run_plan(
        session,
        _without_bar(context) if is_pinned else context,
        change.plan,
        schema="mmpm.install/1",
        nothing=f"{' and '.join(sorted(names)) or 'Everything'} is installed already",
        body=lambda _outcome: {"releases": [_described_json(one) for one in change.described]},
    )
    if outcome is None:
        return
    if is_pinned:
        out.result(Styled(out.mark("done", out.out), "green"), " Installed")
    else:
        out.say("Verifying checksum... ", Styled(out.mark("done"), "green"))
        for one in change.described:
            out.result(f"Installed to: {_shown(session, _place(context, change, one.name))}")
    _say_others(session, change.plan, names)


def _say_others(session: Session, plan: "Plan", names: set[str]) -> None:
    """Name what came, moved or went besides what was asked for."""
    from mmpm.plan import InstallTree, RemoveTree, ReplaceTree

    for action in plan.actions:
        match action:
            case InstallTree(release=release) if release.name not in names:
                session.output.say(f"Also installed: {release.name}@{release.version}")
            case ReplaceTree(release=release, old_version=old) if release.name not in names:
                session.output.say(f"Also changed: {release.name} {old} to {release.version}")
            case RemoveTree(name=name, version=version):
                session.output.say(f"Removed: {name}@{version}, which nothing needs any more")
            case _:
                pass


def _describe(session: Session, one: "Described") -> None:
    out = session.output
    out.say(f"Registry: {one.registry}")
    out.say(f"Version: {one.version}{' (pinned)' if one.is_pinned else ' (latest)' if one.is_latest else ''}")
    if one.author:
        out.say(f"Author: {one.author}")
    if one.skills:
        out.say(f"Skills: {', '.join(one.skills)}")


def _described_json(one: "Described") -> dict[str, object]:
    return {
        "name": one.name,
        "version": one.version,
        "registry": one.registry,
        "latest": one.is_latest,
        "pinned": one.is_pinned,
        "author": one.author,
        "skills": list(one.skills),
    }


def lock(*, check: bool = False, session: Session) -> None:
    """Choose versions for mmpm.toml and write mmpm.lock; install nothing.

    Args:
        check: Change nothing; fail if the lock would change.
        session: This run.
    """
    from mmpm.ops.lock import LockRequest, plan_lock

    context = session.context()
    plan = plan_lock(context, LockRequest(check, session.options.dry_run))
    has_text = os.path.exists(context.project.manifest_path) or os.path.exists(context.project.lock_path)
    run_plan(
        session,
        context,
        plan,
        schema="mmpm.lock/1",
        done=f"Locked: {_shown(session, context.project.lock_path)}",
        nothing="The lock is up to date" if has_text else "There is neither mmpm.toml nor mmpm.lock: nothing to lock",
    )


def upgrade(*names: str, session: Session) -> None:
    """Let formulas move up within the ranges of mmpm.toml.

    Args:
        names: Which ones; all of them if none is named.
        session: This run.
    """
    from mmpm.ops.upgrade import UpgradeRequest, prepare_upgrade

    out = session.output
    out.say("Checking for updates...")
    session.progress.ends_with_mark = True
    context = session.context()
    wanted = tuple(str(parse_reference(name).name) for name in names)
    found = prepare_upgrade(context, UpgradeRequest(wanted, session.options.dry_run))
    _show_upgrade(session, found, wanted)
    outcome = run_plan(
        session,
        context,
        found.plan,
        schema="mmpm.upgrade/1",
        question="Upgrade?" if found.moves else None,
        nothing="Everything is up to date",
        body=lambda _outcome: _upgrade_json(found),
    )
    if outcome is not None:
        for move in found.moves:
            out.result(f"Installed: {move.name}@{move.new}" if move.new else f"Removed: {move.name}@{move.old}")
        if not found.moves:
            out.result("Everything is up to date")


def _show_upgrade(session: Session, found: "Upgrade", names: Sequence[str]) -> None:
    out = session.output
    alone = len(names) == 1 and len(found.moves) == 1 and found.moves[0].name == names[0]
    for move in found.moves:
        if not move.old or not move.new:
            out.say(f"{move.name}: {'new, ' + move.new if move.new else move.old + ', no longer needed'}")
            continue
        if not alone:
            out.say(Styled(f"{move.name}", "bold"))
        out.say(f"Current: {move.old}")
        out.say(f"Latest: {move.new}")
        shown = len(move.changelogs) if out.verbose else SHOWN_CHANGELOGS
        for version, text in move.changelogs[:shown]:
            out.say(f"Changelog for {version}:")
            for line in text.splitlines():
                out.say(f"{line}")
        older = move.changelogs[shown:]
        if older:
            out.say(f"and {len(older)} more (`--verbose` shows all; `mmpm show {move.name}@{older[0][0]}` one of them)")
    if names:
        for name, version in found.unchanged:
            out.say(f"{name} {version} stays")
    for held in found.held:
        if held.range:
            # A range: the version alone would pin it.
            fix = f"`mmpm unpin {held.name}`" if held.is_pinned else f"`mmpm install {held.name}@^{held.newest}`"
            out.say(f"{held.name}: {held.newest} exists, but mmpm.toml asks for {held.range} ({fix})")
        else:
            out.say(f"{held.name}: {held.newest} exists, but does not go with the rest")


def _upgrade_json(found: "Upgrade") -> dict[str, object]:
    return {
        "moves": [
            {
                "name": move.name,
                "old": move.old or None,
                "new": move.new or None,
                "changelogs": [{"version": version, "text": text} for version, text in move.changelogs],
            }
            for move in found.moves
        ],
        "held": [
            {
                "name": one.name,
                "version": one.version,
                "newest": one.newest,
                "range": one.range,
                "pinned": one.is_pinned,
            }
            for one in found.held
        ],
    }


def pin(reference: str, /, *, session: Session) -> None:
    """Hold a formula at one version.

    Args:
        reference: NAME (at the version that is locked) or NAME@VERSION.
        session: This run.
    """
    from mmpm.ops.pin import prepare_pin

    request = _pin_request(session, reference)
    change = prepare_pin(session.context(), request)
    locked = change.resolved.lock.get(str(request.reference.name))
    _apply_pin(session, change, f"Pinned: {request.reference.name}@{locked.version if locked else ''}", "mmpm.pin/1")


def unpin(reference: str, /, *, session: Session) -> None:
    """Let a formula move again.

    Args:
        reference: NAME (as before it was pinned) or NAME@RANGE.
        session: This run.
    """
    from mmpm.ops.pin import prepare_unpin

    request = _pin_request(session, reference)
    change = prepare_unpin(session.context(), request)
    name = str(request.reference.name)
    wanted = change.manifest.find(name) or change.manifest.find(name, "molecules")
    freedom = wanted.range if wanted else "as others require it"
    _apply_pin(session, change, f"Unpinned: {name} ({freedom})", "mmpm.unpin/1")


def _pin_request(session: Session, text: str) -> "PinRequest":
    from mmpm.ops.pin import PinRequest

    operand = _operand(text)
    return PinRequest(operand.reference, operand.has_range, session.options.dry_run)


def _apply_pin(session: Session, change: "Change", done: str, schema: str) -> None:
    releases = [_described_json(one) for one in change.described]
    context = session.context()
    outcome = run_plan(
        session, context, change.plan, schema=schema, done=done, body=lambda _outcome: {"releases": releases}
    )
    if outcome is not None:
        _say_others(session, change.plan, set())


def debug_solve(file: str, /, *, batch: bool = False, session: Session) -> int:
    """Solve one universe and print the answer as JSON.

    Args:
        file: The problem (docs/solver.md); `-` is standard input.
        batch: The file has a problem a line; an answer a line is printed.
        session: This run.
    """
    if file == "-":
        data = sys.stdin.buffer.read()
    else:
        with open(session.path(file), "rb") as opened:
            data = opened.read()
    status = 0
    for line in [line for line in data.splitlines() if line.strip()] if batch else [data]:
        answer, is_problem = _solved(line)
        if not is_problem:
            if not batch:
                raise UsageError(str(answer["error"]), "docs/solver.md describes the document")
            status = 1
        session.output.raw(_json_line(answer))
    return status


def _solved(data: bytes) -> tuple[dict[str, object], bool]:
    from mmpm.solver.problem import answer, parse_problem

    try:
        return answer(parse_problem(data)), True
    except ValueError as error:
        return {"error": str(error)}, False


def _json_line(value: dict[str, object]) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=True).encode() + b"\n"


def _operand(text: str) -> "Operand":
    from mmpm.ops.install import Operand

    reference = parse_reference(text)
    return Operand(reference, "@" in text.rpartition("/")[2].lstrip("@"))


def _is_path(session: Session, text: str) -> bool:
    """Whether an operand is a path: no name looks like it, or it may be both and something lies there."""
    if text.startswith(("hop://", "@")):
        return False
    if "/" in text.partition("@")[0] or text.startswith((".", "~")) or text.endswith((".toml", ".jsonl")):
        return True
    return text.endswith((".tar.gz", ".tar.zst", ".tar", ".bundle")) and os.path.exists(session.path(text))


def _place(context: "Context", change: "Change", name: str) -> str:
    locked = change.resolved.lock.get(name)
    assert locked is not None
    if locked.kind == "bundle":
        return f"{context.project.formulas}/{locked.installed_name}/"
    return f"{context.project.formulas}/{locked.installed_name}.formula.toml"


def _shown(session: Session, path: str) -> str:
    """Give a path as a person writes it: below the home folder with `~`."""
    home = session.places.home.rstrip("/")
    return "~" + path[len(home) :] if home and path.startswith(home + "/") else path


def _without_bar(context: "Context") -> "Context":
    return replace(context, progress=_NoBar(context.progress))


class _NoBar:
    """Words and warnings of a progress, without its bar: the seed shows none for a pinned version."""

    def __init__(self, progress: "Progress") -> None:
        self.say = progress.say
        self.warn = progress.warn

    def start(self, label: str, total: int, unit: str) -> None:
        """Show nothing."""

    def advance(self, amount: int = 1) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Show nothing."""
