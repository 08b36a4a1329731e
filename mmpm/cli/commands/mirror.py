"""`mmpm mirror create`, `update`, `verify`, `prune`."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, cast

from cyclopts import Parameter

from mmpm.cli.output import is_terminal
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import (
    UNTRUSTED,
    MirrorIncompleteError,
    MirrorUntrustedError,
    MmpmError,
    RegistryNotConfiguredError,
    RootNotPinnedError,
    counted,
    size_text,
)
from mmpm.ops import mirror as ops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.apply import Outcome
    from mmpm.execute.mirroring import Updated
    from mmpm.plan import CopyCount, Plan, PruneMirror, UpdateMirror
    from mmpm.registry.mirror.pruning import Pruned


def create(
    folder: str,
    /,
    *,
    from_: Annotated[tuple[str, ...], Parameter(name="--from")] = (),
    lock: tuple[str, ...] = (),
    only: tuple[str, ...] = (),
    root: tuple[str, ...] = (),
    session: Session,
) -> int | None:
    """Copy registries into a folder that any web server, or a disk, can serve.

    Args:
        folder: The mirror; made where it is missing. What it carries of these registries is said anew.
        from_: A registry by name, URL or folder, or another mirror; else those of the locks, or all that are known.
        lock: A lock whose releases are carried, all that they require among them.
        only: Releases to carry: NAME@RANGE, with all that they may require. Without --lock and --only: everything.
        root: The root key of a registry, as its publisher shows it (sha256:...); without it you are asked.
        session: This run.
    """
    context = session.context(read_manifest=False)
    where = session.path(folder)
    locks = ops.read_locks([session.path(one) for one in lock])
    sources = ops.find_sources(context, _places(session, from_), root, locks)
    _ask_about_roots(session, sources)
    planned = ops.plan_create(context, where, sources, locks, only, dry_run=session.options.dry_run)
    return _run_update(session, *planned, schema="mmpm.mirror-create/1")


def update(
    folder: str,
    /,
    *,
    from_: Annotated[tuple[str, ...], Parameter(name="--from")] = (),
    root: tuple[str, ...] = (),
    session: Session,
) -> int | None:
    """Bring a mirror up to date: what is new in its registries, and what is missing or damaged.

    Args:
        folder: The mirror.
        from_: Where a registry of it lies now: name, URL or folder; else where it came from before.
        root: The root key of a registry that was never accepted on this machine.
        session: This run.
    """
    context = session.context(read_manifest=False)
    where = session.path(folder)
    ops.need_mirror(where)
    sources = ops.find_sources(context, _places(session, from_), root, {}) if from_ else ()
    _ask_about_roots(session, sources)
    planned = ops.plan_update(context, where, sources, root, dry_run=session.options.dry_run)
    return _run_update(session, *planned, schema="mmpm.mirror-update/1")


def _places(session: Session, named: tuple[str, ...]) -> list[str]:
    known = {name for config in session.context(read_manifest=False).registries for name in (config.id, config.name)}
    for one in named:
        if one not in known and "/" not in one and not os.path.lexists(session.path(one)):
            raise RegistryNotConfiguredError(one, sorted(filter(None, known)))
    return [one if one in known or "://" in one else session.path(one) for one in named]


def _ask_about_roots(session: Session, sources: "tuple[ops.Source, ...]") -> None:
    out = session.output
    for source in sources:
        found = source.introduction
        if found is None or session.options.dry_run:
            continue
        out.say(f"Registry {found.registry_id} ({found.title}) at {found.origin}")
        out.say(f"Root key sha256:{found.fingerprint}")
        if out.as_json or not is_terminal(sys.stdin):
            raise RootNotPinnedError(found.registry_id, found.fingerprint, source.urls[0])
        out.ask("Is this the key that its publisher shows?", yes=False)


def _run_update(session: Session, plan: "Plan", tried: "Updated | None", *, schema: str) -> int | None:
    context, out = session.context(read_manifest=False), session.output

    def body(outcome: "Outcome | None") -> dict[str, object]:
        done = _done(outcome) or tried
        return {
            "registries": _registries(plan, done),
            "failed": [
                {"registry": one, "code": error.code, "fact": error.fact, "remedy": error.remedy}
                for one, error in (done.failures if done else {}).items()
            ],
        }

    outcome = run_plan(session, context, plan, schema=schema, body=body)
    done = _done(outcome) or tried
    if done is None:
        return None
    for one in done.copied:
        found = one.counts
        here = found.releases - found.new
        out.result(
            f"{one.registry}: serial {one.serial}, {counted(found.releases, 'release')}: {found.new} copied, "
            f"{here} here before; {counted(found.files, 'file')}, {size_text(found.fetched_bytes)} fetched"
        )
    return _tell_failures(session, done.failures)


def _done(outcome: "Outcome | None") -> "Updated | None":
    from mmpm.execute.mirroring import Updated

    return next((one for one in outcome.results if isinstance(one, Updated)), None) if outcome else None


def _registries(plan: "Plan", done: "Updated | None") -> list[dict[str, object]]:
    if done is not None and done.copied:
        rows = [(one.registry, one.serial, one.counts, one.counts.fetched_bytes) for one in done.copied]
    else:
        counts: tuple[CopyCount, ...] = cast("UpdateMirror", plan.actions[-1]).counts if plan.actions else ()
        rows = [(one.registry, one.serial, one, 0) for one in counts]  # type: ignore[misc]
    return [
        {
            "id": registry,
            "serial": serial,
            "releases": found.releases,
            "new": found.new,
            "present": found.releases - found.new,
            "files": found.files,
            "bytes": found.bytes,
            "fetched_bytes": fetched,
        }
        for registry, serial, found, fetched in rows
    ]


def _tell_failures(session: Session, failures: "Mapping[str, MmpmError]") -> int | None:
    """Say what failed; the run ends with the first failure, one of trust before all others."""
    if not failures:
        return None
    ordered = sorted(failures.values(), key=lambda error: error.exit_status != UNTRUSTED)
    for error in ordered[1:]:
        session.output.warn(error.fact)
    if not session.output.as_json:
        raise ordered[0]
    return ordered[0].exit_status  # the document has said it


def verify(
    folder: str, /, *, quick: bool = False, repair: bool = False, root: tuple[str, ...] = (), session: Session
) -> int | None:
    """Check that every file that a mirror is to carry is there and is what was signed.

    Args:
        folder: The mirror.
        quick: Take objects by their length, without reading them.
        repair: Set damaged files aside and fetch them, and what is missing, again.
        root: With --repair, the root key of a registry that was never accepted on this machine.
        session: This run.
    """
    context, out = session.context(read_manifest=False), session.output
    where = session.path(folder)
    found = ops.check(context, where, quick=quick)
    for note in found.notes:
        out.warn(note)
    damaged, missing, foreign = (
        found.paths("damaged"),
        [*found.missing, *found.paths("missing")],
        found.paths("foreign"),
    )
    foreign += found.foreign
    for kind, paths in (("damaged", damaged), ("missing", missing), ("foreign", foreign)):
        for path in paths:
            out.result(f"{kind} {path}")
    for registry, report in found.reports.items():
        beside = f", {report.unneeded} more that nothing reaches" if report.unneeded else ""
        looked = "looked for" if quick else "read"
        out.result(
            f"{registry}: {counted(report.releases, 'release')}, {counted(report.files, 'file')} {looked} "
            f"({size_text(report.bytes)}){beside}"
        )
    failure = _verdict(where, found, damaged, missing, foreign)
    if repair and failure is not None:
        plan = ops.plan_repair(context, where, found, root)
        status = _run_update(session, plan, None, schema="mmpm.mirror-verify/1")
        if status is None and foreign:  # whose it is nobody can tell, and so it stays
            failure = MirrorIncompleteError(where, (), foreign)
            if not out.as_json:
                raise failure
            status = failure.exit_status
        return status
    out.document(
        "mmpm.mirror-verify/1",
        {
            "whole": failure is None,
            "damaged": damaged,
            "missing": missing,
            "foreign": foreign,
            "registries": [
                {"id": one, "releases": report.releases, "files": report.files, "bytes": report.bytes,
                 "unneeded": report.unneeded}
                for one, report in found.reports.items()
            ],
            "failed": [
                {"registry": one, "code": error.code, "fact": error.fact, "remedy": error.remedy}
                for one, error in found.failures.items()
            ],
        },
    )  # fmt: skip
    if failure is None:
        return None
    if not out.as_json:
        raise failure
    return failure.exit_status


def _verdict(
    where: str, found: "ops.Checked", damaged: list[str], missing: list[str], foreign: list[str]
) -> MmpmError | None:
    if found.failures:
        return min(found.failures.values(), key=lambda error: error.exit_status != UNTRUSTED)
    if damaged:
        return MirrorUntrustedError(where, damaged)
    if missing or foreign:
        return MirrorIncompleteError(where, missing, foreign)
    return None


def prune(folder: str, /, *, session: Session) -> None:
    """Remove what a mirror carries no more: superseded metadata after a day, releases that are not selected.

    Args:
        folder: The mirror.
        session: This run.
    """
    context = session.context(read_manifest=False)
    plan = ops.plan_prune(context, session.path(folder))

    def body(outcome: "Outcome | None") -> dict[str, object]:
        found = (
            cast("Pruned | PruneMirror", outcome.results[0] if outcome else plan.actions[0]) if plan.actions else None
        )
        return {"files": found.files if found else 0, "bytes": found.bytes if found else 0}

    outcome = run_plan(
        session, context, plan, schema="mmpm.mirror-prune/1", nothing="There is nothing to remove", body=body
    )
    if outcome is not None:
        removed = cast("Pruned", outcome.results[0])
        session.output.result(f"Removed {counted(removed.files, 'file')}, {size_text(removed.bytes)}")
