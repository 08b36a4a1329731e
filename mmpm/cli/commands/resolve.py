"""`install`, `lock`, `pin`, `unpin`."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.cli.operands import parse_reference
from mmpm.cli.output import Styled, badge
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import MmpmError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.execute.context import Context, Progress
    from mmpm.ops.change import Change
    from mmpm.ops.install import Operand
    from mmpm.ops.pin import PinRequest
    from mmpm.ops.release_documents import Described
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
    if one.badge:
        out.say("Level: ", badge(out, one.badge))


def _described_json(one: "Described") -> dict[str, object]:
    return {
        "name": one.name,
        "version": one.version,
        "registry": one.registry,
        "latest": one.is_latest,
        "pinned": one.is_pinned,
        "author": one.author,
        "skills": list(one.skills),
        "level": one.level,
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
