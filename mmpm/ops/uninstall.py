"""`uninstall`: take requirements out of the manifest, and out of lock and folder what nothing else requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import LockMissingError, NotInstalledError, StillRequiredError
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


def plan_uninstall(context: Context, names: Sequence[str], *, dry_run: bool = False) -> Plan:
    """Plan the removal of `names` (full names, or the names that they are installed under).

    Nothing is solved again: what stays keeps its version, and no registry is asked.

    Raises:
        NotInstalledError: the lock has no such release.
        StillRequiredError: what stays requires it.
    """
    if not dry_run:
        begin_change(context)
    files = read_project(context.project)
    lock = lock_of(context, files)
    manifest = read_manifest(context.project.manifest_path)
    text = manifest.text
    gone = set()
    for name in names:
        full = _full_name(lock, name)
        if full is None and not any(manifest.find(name, section) for section in SECTIONS):
            raise NotInstalledError(name, context.project.root)
        gone.add(full or name)
    for name in sorted(gone):
        for section in SECTIONS:
            if manifest.find(name, section):
                text = parse_manifest(text, manifest.path).without_requirement(name, section)
    left = drop(lock, gone)
    return plan_lockfile(context, left, files=files, manifest=text if text != manifest.text else None, dry_run=dry_run)


def lock_of(context: Context, files: ProjectFiles) -> Lockfile:
    """Give the project's lock, or what the receipt tells where that alone speaks; an empty one where nothing is.

    Raises:
        LockMissingError: there is a manifest, and without a lock nobody knows what was chosen for it.
    """
    if files.lock is None and files.receipt.entries and not speaks_alone(context, files):
        raise LockMissingError(context.project.lock_path)
    return standing_lock(context, files)


def drop(lock: Lockfile, names: set[str]) -> Lockfile:
    """Give `lock` without the requirements `names` and without every release that nothing then requires.

    Raises:
        StillRequiredError: a release that stays requires one of `names`.
    """
    requirements = tuple(row for row in lock.requirements if row[1] not in names)
    by_name = {locked.name: locked for locked in lock.releases}
    reached: set[str] = set()
    waiting = [name for _, name, _ in requirements]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in reached:
            reached.add(name)
            waiting += [required for required, _ in by_name[name].requires]
    for name in sorted(names & reached):
        by = [one for one in sorted(reached) if name in dict(by_name[one].requires)]
        raise StillRequiredError(name, by)
    return Lockfile(requirements, tuple(locked for locked in lock.releases if locked.name in reached))


def _full_name(lock: Lockfile, name: str) -> str | None:
    found = [locked.name for locked in lock.releases if name in {locked.name, locked.installed_name}]
    return found[0] if found else None
