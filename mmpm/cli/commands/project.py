"""`init`, `sync`, `uninstall`, `verify`, `adopt`, `fork`, `export`, `import`."""

import sys
from typing import TYPE_CHECKING

from mmpm.cli.plans import run_plan
from mmpm.cli.quick import NAMED_CHANGES, installed_line
from mmpm.cli.session import Session

if TYPE_CHECKING:
    from mmpm.plan import Plan


def init(folder: str = ".", /, *, session: Session) -> None:
    """Make an empty mmpm.toml.

    Args:
        folder: Where; this folder if none is named.
        session: This run.
    """
    from mmpm.ops.init import plan_init

    root = session.path(folder)
    run_plan(
        session,
        session.context(read_manifest=False),
        plan_init(root),
        schema="mmpm.init/1",
        done=f"Made {root}/mmpm.toml",
        nothing=f"{root} has an mmpm.toml already",
    )


def sync(
    *,
    locked: bool = False,
    frozen: bool = False,
    check: bool = False,
    lock: str | None = None,
    session: Session,
) -> None:
    """Make the formulas folder what manifest and lock say.

    Args:
        locked: Fail if the lock would change.
        frozen: Install the lock as it is; the manifest is not read.
        check: Change nothing; fail if something would change.
        lock: Install another lock than the project's.
        session: This run.
    """
    from mmpm.ops.sync import SyncRequest, plan_sync

    context = session.context(read_manifest=not (frozen or lock))
    request = SyncRequest(locked, frozen, check, session.path(lock) if lock else None, session.options.dry_run)
    plan = plan_sync(context, request)
    outcome = run_plan(session, context, plan, schema="mmpm.sync/1", nothing="Nothing to do")
    if outcome is not None:
        say_changes(session, plan)


def say_changes(session: Session, plan: "Plan") -> None:
    """Print what a plan of a formulas folder did: a line a change, or counts where there are many."""
    from mmpm.plan import InstallTree, RemoveTree, ReplaceTree

    lines = []
    counts = {"installed": 0, "replaced": 0, "mended": 0, "removed": 0}
    for action in plan.actions:
        if isinstance(action, InstallTree):
            counts["installed"] += 1
            lines.append(installed_line(f"{action.release.name}@{action.release.version}"))
        elif isinstance(action, ReplaceTree) and action.old_version == action.release.version:
            counts["mended"] += 1
            lines.append(f"Mended: {action.release.name}@{action.release.version}")
        elif isinstance(action, ReplaceTree):
            counts["replaced"] += 1
            lines.append(f"Replaced: {action.release.name} {action.old_version} by {action.release.version}")
        elif isinstance(action, RemoveTree):
            counts["removed"] += 1
            lines.append(f"Removed: {action.name}@{action.version}")
    if len(lines) > NAMED_CHANGES:
        lines = ["Synced: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)]
    for line in lines or ["Done"]:
        session.output.result(line)


def uninstall(*names: str, session: Session) -> None:
    """Take formulas out of the manifest, the lock and the folder.

    Args:
        names: Which ones.
        session: This run.
    """
    from mmpm.errors import UsageError
    from mmpm.ops.uninstall import plan_uninstall

    if not names:
        raise UsageError("uninstall: name at least one formula")
    context = session.context()
    plan = plan_uninstall(context, names, dry_run=session.options.dry_run)
    outcome = run_plan(session, context, plan, schema="mmpm.uninstall/1")
    if outcome is not None:
        say_changes(session, plan)


def verify(*, lock: bool = False, session: Session) -> int:
    """Read every installed file and say whether it is what was installed.

    Args:
        lock: Also hold the releases against the registries' signed indexes on this machine.
        session: This run.
    """
    from mmpm.errors import FORESEEN, UNTRUSTED
    from mmpm.ops.verify import UNTRUSTED as UNTRUSTED_INDEX
    from mmpm.ops.verify import verify_installed

    found = verify_installed(session.context(), against_lock=lock)
    out = session.output
    bad = [one for one in found if one.problems]
    for one in bad:
        for problem in one.problems:
            out.result(f"{out.mark('failed', out.out)} {one.name} {one.version}: {problem}")
    files = sum(one.files for one in found)
    for one in found:
        for warning in one.warnings:
            out.warn(f"{one.name} {one.version}: {warning}")
    if not bad:
        formulas = f"{len(found)} formula{'s' * (len(found) != 1)}"
        out.result(f"{out.mark('done', out.out)} {formulas}, {files} file{'s' * (files != 1)}: as installed")
    out.document(
        "mmpm.verify/1",
        {
            "ok": not bad,
            "releases": [
                {
                    "name": one.name,
                    "version": one.version,
                    "files": one.files,
                    "problems": list(one.problems),
                    "warnings": list(one.warnings),
                    "level": one.level,
                    "index": one.index,
                }
                for one in found
            ],
        },
    )
    if any(one.index == UNTRUSTED_INDEX for one in found):
        return UNTRUSTED
    return FORESEEN if bad else 0


def adopt(name: str, /, *, session: Session) -> None:
    """Take in a formula that lies in the folder and that mmpm did not install.

    Args:
        name: Its name there.
        session: This run.
    """
    from mmpm.ops.local import plan_adopt

    context = session.context()
    plan = plan_adopt(context, name, dry_run=session.options.dry_run)
    run_plan(session, context, plan, schema="mmpm.adopt/1", done=f"Adopted {name}")


def fork(name: str, new: str | None = None, /, *, session: Session) -> None:
    """Make a copy of an installed formula that you may edit; it remembers what it was made from.

    Args:
        name: Which one.
        new: The copy's name; without one it takes the formula's place.
        session: This run.
    """
    from mmpm.ops.fork import plan_fork

    context = session.context()
    plan = plan_fork(context, name, new, dry_run=session.options.dry_run)
    run_plan(session, context, plan, schema="mmpm.fork/1", done=f"Forked {name} as {new or name}: edit it freely")


def export(reference: str, /, *, session: Session) -> None:
    """Write a formula, or a bundle as .tar.gz, to standard output: the installed one, or one that a registry has.

    Args:
        reference: NAME (as it is installed), NAME@RANGE or hop://...
        session: This run.
    """
    from mmpm.cli.operands import parse_reference
    from mmpm.ops.export import export_payload

    wanted = parse_reference(reference)
    has_range = "@" in reference.rpartition("/")[2].lstrip("@")
    registry = str(wanted.registry) if wanted.registry else None
    pieces = export_payload(
        session.context(), str(wanted.name), wanted.range if has_range or registry else None, registry
    )
    for piece in pieces:
        session.output.raw(piece)


def import_command(
    file: str | None = None,
    /,
    *,
    name: str | None = None,
    version: str | None = None,
    session: Session,
) -> None:
    """Install a formula or bundle from a file or standard input; no registry is needed.

    Args:
        file: A .formula.toml, a bundle (folder or archive); standard input if none is named, or `-`.
        name: Another name than the file says, such as one with a scope.
        version: Another version than the file says.
        session: This run.
    """
    from mmpm.errors import UsageError
    from mmpm.model.names import FormulaName
    from mmpm.model.versions import Version
    from mmpm.ops.local import plan_import
    from mmpm_store.tar import DEFAULT_LIMITS

    try:
        own = FormulaName.parse(name) if name else None
        given = Version.parse(version) if version else None
    except ValueError as error:
        raise UsageError(str(error)) from None
    file = None if file == "-" else file
    data = b"" if file else sys.stdin.buffer.read(DEFAULT_LIMITS.total_bytes + 1)
    context = session.context()
    plan = plan_import(
        context,
        session.path(file) if file else None,
        data,
        name=own,
        version=given,
        dry_run=session.options.dry_run,
    )
    outcome = run_plan(session, context, plan, schema="mmpm.import/1")
    if outcome is not None:
        say_changes(session, plan)
