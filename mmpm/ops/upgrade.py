"""`upgrade [NAME...]`: let what is locked move up within the manifest's ranges, and say what changed on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import NotRequiredError
from mmpm.model.ranges import VersionRange
from mmpm.model.versions import Version
from mmpm.ops.change import plan_change
from mmpm.ops.known import newest
from mmpm.ops.receipts import standing_lock
from mmpm.ops.release_documents import read_documents
from mmpm.project.files import read_project
from mmpm.project.manifest import read_manifest

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.lock import Lockfile
    from mmpm.ops.change import Change
    from mmpm.ops.resolve import Resolved
    from mmpm.plan import Plan
    from mmpm.project.manifest import Manifest

# Of what was left alone for years; each is a small document of the registry, fetched together.
MOST_CHANGELOGS = 1000


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """What the command line says; no names: everything may move."""

    names: tuple[str, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """One release that changes.

    Attributes:
        old, new: versions; empty where it was not there before, or is no longer needed.
        changelogs: (version, text) of each release passed on the way, newest first; those without one are left out.
    """

    name: str
    old: str
    new: str
    changelogs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A newer release that is not taken.

    Attributes:
        range: the manifest's, where that leaves it out; empty where it does not go with the rest.
    """

    name: str
    version: str
    newest: str
    range: str
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What would move, and what the person named that stays.

    Attributes:
        moves: sorted by name, what was named first.
        unchanged: (name, version) of what was named and stays.
        held: of what was named (or of everything): where a higher version exists that the manifest leaves out.
    """

    change: Change
    moves: tuple[Move, ...]
    unchanged: tuple[tuple[str, str], ...]
    held: tuple[Held, ...]

    @property
    def plan(self) -> Plan:
        """What to apply."""
        return self.change.plan


def prepare_upgrade(context: Context, request: UpgradeRequest) -> Upgrade:
    """Plan the upgrade, with the changelogs between.

    Raises:
        NotRequiredError: a name is neither asked for nor locked.
        MmpmError: as for `plan_change`.
    """
    manifest = read_manifest(context.project.manifest_path)
    files = read_project(context.project)
    lock = standing_lock(context, files)
    known = {one.name for one in manifest.wanted} | {locked.name for locked in lock.releases}
    unknown = set(request.names) - known
    if unknown:
        raise NotRequiredError(unknown)
    change = plan_change(
        context,
        lambda manifest, _old: manifest,
        moving=frozenset(request.names),
        moves_everything=not request.names,
        dry_run=request.dry_run,
    )
    moves = _moves(context, change.old, change.resolved)
    moves.sort(key=lambda move: (move.name not in request.names, move.name))
    moved = {move.name for move in moves}
    names = request.names or tuple(sorted(one.name for one in change.manifest.wanted))
    unchanged = tuple(
        (name, locked.version)
        for name in names
        if name not in moved and (locked := change.resolved.lock.get(name)) is not None
    )
    return Upgrade(change, tuple(moves), unchanged, tuple(_held(change.manifest, change.resolved, names)))


def _moves(context: Context, old: Lockfile, resolved: Resolved) -> list[Move]:
    before = {locked.name: locked.version for locked in old.releases}
    after = {locked.name: locked.version for locked in resolved.lock.releases}
    moves = []
    for name in before.keys() | after.keys():
        was, now = before.get(name, ""), after.get(name, "")
        if was != now:
            logs = _changelogs(context, resolved, name, was) if was and now else ()
            moves.append(Move(name, was, now, logs))
    return moves


def _changelogs(context: Context, resolved: Resolved, name: str, old: str) -> tuple[tuple[str, str], ...]:
    chosen = resolved.chosen.get(name)
    if chosen is None:
        return ()
    new, was = chosen.release.version, Version.parse(old)
    passed = [
        release
        for release in resolved.releases[name]
        if was < release.version <= new
        and release.yanked is None
        and (release.version == new or not release.version.is_prerelease)
    ]
    passed.sort(key=lambda release: release.version, reverse=True)
    documents = read_documents(context, chosen.registry, passed[:MOST_CHANGELOGS])
    return tuple(
        (version, document.changelog.strip())
        for version, document in documents.items()
        if document.changelog and document.changelog.strip()
    )


def _held(manifest: Manifest, resolved: Resolved, names: tuple[str, ...]) -> list[Held]:
    held = []
    for name in names:
        chosen = resolved.chosen.get(name)
        wanted = manifest.find(name) or manifest.find(name, "molecules")
        best = newest(resolved.releases[name]) if chosen is not None else None
        if chosen is None or wanted is None or best is None or best.version <= chosen.release.version:
            continue
        locked = resolved.lock.get(name)
        is_pinned = locked is not None and locked.pinned
        is_outside = not VersionRange.parse(wanted.range).allows(best.version)
        left_out_by = wanted.range if is_outside else ""
        held.append(Held(name, str(chosen.release.version), str(best.version), left_out_by, is_pinned))
    return held
