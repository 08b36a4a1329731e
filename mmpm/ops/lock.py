"""`lock [--check]`: choose what manifest and registries give now, write it down, install nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import DocumentUnreadableError, LockOutOfDateError
from mmpm.execute.install import begin_change
from mmpm.lock import Lockfile, format_lock, parse_lock
from mmpm.model.versions import Version
from mmpm.ops.receipts import standing_lock
from mmpm.ops.resolve import relock
from mmpm.plan import Plan, WriteText
from mmpm.project.files import content_id, read_project
from mmpm.project.manifest import read_manifest

if TYPE_CHECKING:
    from mmpm.execute.context import Context

_MARKERS = (b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>")


@dataclass(frozen=True, slots=True)
class LockRequest:
    """What the command line says; `check`: fail if the lock would change, and change nothing."""

    check: bool = False
    dry_run: bool = False


def plan_lock(context: Context, request: LockRequest) -> Plan:
    """Plan a lock that covers the manifest; what is locked stays as long as it can.

    A lock with conflict markers of a merge is mended: of two versions of a release the higher one is preferred.

    Raises:
        LockOutOfDateError: `--check`, and the lock would change.
        NoSolutionError: nothing meets all requirements.
        MmpmError: whatever reading and asking meet.
    """
    if not (request.dry_run or request.check):
        begin_change(context)
    files = read_project(context.project)
    data = files.lock_data
    try:
        old = standing_lock(context, files)
    except DocumentUnreadableError:
        if request.check or data is None or not any(line.startswith(_MARKERS) for line in data.splitlines()):
            raise
        old = merged_lock(data)
    new = relock(context, read_manifest(context.project.manifest_path).or_asking_for(old.requirements), old)
    text = format_lock(new)
    if text == data or (data is None and new == Lockfile()):
        return Plan(folder=files.formulas)
    if request.check:
        raise LockOutOfDateError(_differing(old, new))
    write = WriteText("lock", context.project.lock_path, text.decode(), content_id(data))
    return Plan((write,), folder=files.formulas)


def merged_lock(data: bytes) -> Lockfile:
    """Give what can be read of a lock with conflict markers: its releases, of two versions the higher one.

    Lines that are no releases are left out; the requirements are made anew from the manifest anyway.
    """
    found: dict[str, Lockfile] = {}
    for line in data.splitlines():
        text = line.strip().rstrip(b",").removesuffix(b"]}") if line.startswith(b'{"name"') else b""
        if not text:
            continue
        try:
            one = parse_lock(b'{"version":1,"requires":{},"releases":[' + text + b"]}")
        except DocumentUnreadableError:
            continue
        locked = one.releases[0]
        before = found.get(locked.name)
        if before is None or Version.parse(before.releases[0].version) < Version.parse(locked.version):
            found[locked.name] = one
    return Lockfile((), tuple(found[name].releases[0] for name in sorted(found)))


def _differing(before: Lockfile, new: Lockfile) -> list[str]:
    """Name what is asked for or chosen differently."""
    asked = {name for _, name, _ in set(before.requirements) ^ set(new.requirements)}
    return sorted(asked | {locked.name for locked in set(before.releases) ^ set(new.releases)})
