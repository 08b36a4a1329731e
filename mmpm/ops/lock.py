"""`lock [--check]`: choose what manifest and registries give now, write it down, install nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import DocumentUnreadableError, LockOutOfDateError
from mmpm.execute.install import begin_change
from mmpm.lock import SECTIONS, Locked, Lockfile, format_lock, make_lockfile, parse_lock
from mmpm.model.versions import Version
from mmpm.ops.receipts import standing_lock
from mmpm.ops.resolve import relock
from mmpm.plan import Plan, WriteText
from mmpm.project.files import content_id, read_project
from mmpm.project.manifest import read_manifest

if TYPE_CHECKING:
    from mmpm.execute.context import Context

_MOST_TOLD = 12
_MARKERS = (b"<<<<<<<", b"|||||||", b"=======", b">>>>>>>")


@dataclass(frozen=True, slots=True)
class LockRequest:
    """What the command line says; `check`: fail if the lock would change, and change nothing."""

    check: bool = False
    dry_run: bool = False


def plan_lock(context: Context, request: LockRequest) -> Plan:
    """Plan a lock that covers the manifest; what is locked stays as long as it can.

    A lock that cannot be read, above all one with conflict markers of a merge, is mended from what of it can be read:
    of two versions of a release the higher one is preferred.

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
        if request.check or data is None:
            raise
        old = merged_lock(data)
        if not any(line.startswith(_MARKERS) for line in data.splitlines()):
            kept = f"{len(old.releases)} of its releases were kept" if old.releases else "nothing of it was kept"
            context.progress.warn(f"mmpm.lock could not be read and is made anew; {kept}")
        else:
            context.progress.say("mmpm.lock has a merge conflict: of a release that both sides have the higher is kept")
    new = relock(context, read_manifest(context.project.manifest_path).or_asking_for(old.requirements), old)
    text = format_lock(new)
    if text == data or (data is None and new == Lockfile()):
        return Plan(folder=files.formulas)
    if request.check:
        # The same releases for the same wishes: what differs is what their registry says of them, such as a yank.
        if old.requirements == new.requirements and _versions(old) == _versions(new):
            raise LockOutOfDateError(_differing(old, new), "covers the manifest, but not what is known by now of")
        raise LockOutOfDateError(_differing(old, new))
    _tell_what_moves(context, _versions(old), _versions(new))
    write = WriteText("lock", context.project.lock_path, text.decode(), content_id(data))
    return Plan((write,), folder=files.formulas)


def _tell_what_moves(context: Context, before: dict[str, str], after: dict[str, str]) -> None:
    """Say which locked releases do not stay: what is new is what the manifest asks for, and nobody wonders."""
    moves = [name for name in sorted(before) if after.get(name) != before[name]]
    for name in moves[:_MOST_TOLD]:
        said = f"{before[name]} to {after[name]}" if name in after else f"{before[name]} is locked no more"
        context.progress.say(f"{name} {said}")
    if len(moves) > _MOST_TOLD:
        context.progress.say(f"{len(moves) - _MOST_TOLD} more releases do not stay")


def merged_lock(data: bytes) -> Lockfile:
    """Give what can be read of a lock with conflict markers: every line that is one of a lock's.

    Of two versions of a release the higher one is taken, of two ranges of a requirement the one that stands first;
    they matter only where there is no manifest, which else says what is asked for.
    """
    releases: dict[str, Locked] = {}
    requirements: dict[tuple[str, str], str] = {}
    section = SECTIONS[0]
    for line in data.splitlines():
        section = next((one for one in SECTIONS if f'"{one}":{{'.encode() in line), section)
        text = line.strip().rstrip(b",")
        if line.startswith(b'{"name"'):
            found = _readable(b'"requires":{},"releases":[' + text.removesuffix(b"]}") + b"]")
            for one in found.releases:
                before = releases.get(one.name)
                if before is None or Version.parse(before.version) < Version.parse(one.version):
                    releases[one.name] = one
        elif line.startswith(b'"'):
            found = _readable(b'"requires":{"' + section.encode() + b'":{' + text + b'}},"releases":[]')
            for place, name, wanted in found.requirements:
                requirements.setdefault((place, name), wanted)
    return make_lockfile({(*key, wanted) for key, wanted in requirements.items()}, list(releases.values()))


def _readable(body: bytes) -> Lockfile:
    """Read a lock with this body; nothing where it is none."""
    try:
        return parse_lock(b'{"version":1,' + body + b"}")
    except DocumentUnreadableError:
        return Lockfile()


def _differing(before: Lockfile, new: Lockfile) -> list[str]:
    """Name what is asked for or chosen differently."""
    asked = {name for _, name, _ in set(before.requirements) ^ set(new.requirements)}
    return sorted(asked | {locked.name for locked in set(before.releases) ^ set(new.releases)})


def _versions(lock: Lockfile) -> dict[str, str]:
    return {locked.name: locked.version for locked in lock.releases}
