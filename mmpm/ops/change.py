"""The step that `install`, `upgrade`, `pin` and `unpin` share: edit the manifest, resolve, plan the one change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.execute.install import begin_change
from mmpm.ops.known import newest
from mmpm.ops.receipts import standing_lock
from mmpm.ops.release_documents import Described, fetch_quietly, read_documents
from mmpm.ops.resolve import resolve
from mmpm.ops.sync import plan_lockfile
from mmpm.ops.vouching import Vouching
from mmpm.project.files import read_project
from mmpm.project.manifest import parse_manifest, read_manifest
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mmpm.execute.context import Context
    from mmpm.lock import Lockfile
    from mmpm.ops.resolve import Resolved
    from mmpm.plan import Plan
    from mmpm.project.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Change:
    """A change of what a project has.

    Attributes:
        manifest: as it will be.
        old: the lock before; made from the receipt where there was none.
        described: the releases that the person named, for the eye.
    """

    plan: Plan
    manifest: Manifest
    old: Lockfile
    resolved: Resolved
    described: tuple[Described, ...] = ()


def plan_change(
    context: Context,
    edit: Callable[[Manifest, Lockfile | None], Manifest],
    *,
    moving: frozenset[str] = frozenset(),
    moves_everything: bool = False,
    saves: bool = True,
    dry_run: bool = False,
) -> Change:
    """Plan a changed manifest, the lock that follows from it, and what is to be installed for that.

    Args:
        context: the project, registries, store.
        edit: gives the manifest as it shall be.
        moving: names that may move, as for `resolve`.
        moves_everything: nothing is held by the lock.
        saves: whether the manifest is written.
        dry_run: nothing will be applied.

    Raises:
        NoSolutionError: nothing meets all requirements.
        MmpmError: whatever reading, asking and planning meet.
    """
    if not dry_run:
        begin_change(context)
    files = read_project(context.project)
    old = standing_lock(context, files)
    before = read_manifest(context.project.manifest_path).or_asking_for(old.requirements)
    manifest = edit(before, old)
    resolved = resolve(context, manifest.wanted, old, moving=moving, moves_everything=moves_everything)
    trees = {
        ObjectId.parse(locked.tree): f"{locked.name}@{locked.version}"
        for locked in resolved.lock.releases
        if locked.kind != "molecules"
    }
    fetch_quietly(context, trees, resolved.serials)
    plan = plan_lockfile(
        context,
        resolved.lock,
        files=files,
        manifest=manifest.text if saves and manifest.text != before.text else None,
        writes_lock=resolved.lock != files.lock,
        dry_run=dry_run,
        notes=saves,
        levels=resolved.levels,
        is_judged=True,
    )
    return Change(plan, manifest, old, resolved)


def edited(manifest: Manifest, text: str) -> Manifest:
    """Give a manifest with another text."""
    return parse_manifest(text, manifest.path)


def describe(context: Context, resolved: Resolved, names: Iterable[str]) -> tuple[Described, ...]:
    """Give what the seed shows of chosen releases; imported ones are left out."""
    found = []
    vouching = Vouching(context)
    for name in names:
        chosen = resolved.chosen.get(name)
        locked = resolved.lock.get(name)
        if chosen is None or locked is None:
            continue
        release = chosen.release
        document = read_documents(context, chosen.registry, [release]).get(str(release.version))
        best = newest(resolved.releases[name])
        skills = (*document.capabilities.primary, *document.capabilities.secondary) if document else ()
        found.append(
            Described(
                name,
                str(release.version),
                chosen.registry,
                best is None or release.version >= best.version,
                locked.pinned,
                (document.author or "") if document else "",
                skills,
                resolved.judged[name].level,
                vouching.badge(resolved.judged[name].level),
            )
        )
    return tuple(found)
