"""`uninstall`: take requirements out of the manifest, and out of lock and folder what nothing else requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import LockMissingError, NotInstalledError, StillRequiredError, UsageError
from mmpm.execute.install import begin_change
from mmpm.lock import SECTIONS, Lockfile
from mmpm.ops.receipts import speaks_alone, standing_lock
from mmpm.ops.sync import plan_lockfile
from mmpm.project.files import read_project
from mmpm.project.manifest import parse_manifest, read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.execute.context import Context
    from mmpm.plan import Plan
    from mmpm.project.files import ProjectFiles


def plan_uninstall(context: Context, names: Sequence[str], *, section: str = "formulas", dry_run: bool = False) -> Plan:
    """Plan the removal of `names` (full names, or the names that they are installed under).

    Nothing is solved again: what stays keeps its version, and no registry is asked.

    Args:
        context: the project and the store.
        names: what goes.
        section: where a name is asked for both as a formula and as molecules, only this goes.
        dry_run: nothing will be applied.

    Raises:
        NotInstalledError: the lock has no such release.
        UsageError: as molecules, and it is asked for as a formula alone.
        StillRequiredError: what stays requires it.
    """
    if not dry_run:
        begin_change(context)
    files = read_project(context.project)
    lock = lock_of(context, files)
    manifest = read_manifest(context.project.manifest_path)
    text = manifest.text
    gone: set[tuple[str, str]] = set()
    asked = {(one.section, one.name) for one in manifest.wanted} | {
        (place, name) for place, name, _ in lock.requirements
    }
    for name in names:
        full = _full_name(lock, name) or name
        sections = [one for one in SECTIONS if (one, full) in asked]
        if lock.get(full) is None and not sections:
            if section == "molecules":
                remedy = f"`mmpm tree{_option(context)}` shows what is locked there"
                raise NotInstalledError(name, context.project.root, remedy)
            raise NotInstalledError(name, context.project.root)
        if section == "molecules" and sections == ["formulas"]:
            remedy = f"run `mmpm uninstall {full}{_option(context)}`"
            raise UsageError(f"{full} is here as a formula, not as molecules", remedy)
        gone.update((one, full) for one in (sections if section not in sections else [section]))
        if not sections:
            gone.add((section, full))  # nobody asks for it: what requires it will be named
    for place, name in sorted(gone):
        if manifest.find(name, place):
            text = parse_manifest(text, manifest.path).without_requirement(name, place)
    left = drop(lock, gone)
    return plan_lockfile(context, left, files=files, manifest=text if text != manifest.text else None, dry_run=dry_run)


def _option(context: Context) -> str:
    """Give what makes another command work on the same tier."""
    project = context.project
    if project.chosen.startswith("--project"):
        from shlex import quote  # seldom needed

        return f" --project {quote(project.root)}"
    return "" if project.tier == "project" else f" --tier {project.tier}"


def lock_of(context: Context, files: ProjectFiles) -> Lockfile:
    """Give the project's lock, or what the receipt tells where that alone speaks; an empty one where nothing is.

    Raises:
        LockMissingError: there is a manifest, and without a lock nobody knows what was chosen for it.
    """
    if files.lock is None and files.receipt.entries and not speaks_alone(context, files):
        raise LockMissingError(context.project.lock_path)
    return standing_lock(context, files)


def drop(lock: Lockfile, gone: set[tuple[str, str]]) -> Lockfile:
    """Give `lock` without the requirements `gone` (section, name) and without every release that nothing then requires.

    Raises:
        StillRequiredError: a release that stays requires one of them.
    """
    requirements = tuple(row for row in lock.requirements if row[:2] not in gone)
    by_name = {locked.name: locked for locked in lock.releases}
    asked = [name for _, name, _ in requirements]
    reached = lock.reached(asked)
    for name in sorted({name for _, name in gone}.intersection(reached).difference(asked)):
        by = [one for one in sorted(reached) if name in dict(by_name[one].requires)]
        raise StillRequiredError(name, by)
    return Lockfile(requirements, tuple(locked for locked in lock.releases if locked.name in reached))


def _full_name(lock: Lockfile, name: str) -> str | None:
    found = [locked.name for locked in lock.releases if name in {locked.name, locked.installed_name}]
    return found[0] if found else None
