"""`pin NAME[@V]` and `unpin NAME[@RANGE]`: hold a formula at one version, or let it move again.

A pin is an exact version in the manifest, where everyone can see it: `pin` writes the version that is locked (or the
one given) and notes the range that stood there, `unpin` writes the range given, or the one noted. What is locked stays
as it is where it can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import NotRequiredError, UsageError
from mmpm.model.ranges import VersionRange
from mmpm.ops.change import describe, edited, plan_change
from mmpm.project.manifest import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.execute.context import Context
    from mmpm.lock import Lockfile
    from mmpm.model.references import Reference
    from mmpm.ops.change import Change
    from mmpm.project.manifest import Manifest


@dataclass(frozen=True, slots=True)
class PinRequest:
    """What the command line says."""

    reference: Reference
    has_range: bool = False
    dry_run: bool = False


def prepare_pin(context: Context, request: PinRequest) -> Change:
    """Plan to hold a formula at the version given, or at the one that is locked.

    Raises:
        UsageError: a range that is not one version was given.
        NotRequiredError: no version was given, and none is locked.
        MmpmError: as for `plan_change`.
    """
    name = str(request.reference.name)
    if request.has_range and not request.reference.is_pin:
        raise UsageError(
            f"{request.reference.range} is not one version", f"write `mmpm pin {name}@1.2.3`, or `mmpm pin {name}`"
        )

    def edit(manifest: Manifest, old: Lockfile | None) -> Manifest:
        locked = old.get(name) if old is not None else None
        if request.has_range:
            version = str(request.reference.range)
        elif locked is not None:
            version = locked.version
        else:
            raise NotRequiredError([name])
        before = _find(manifest, name)
        if before is None:
            wanted = Wanted("formulas", name, version, was="" if locked is not None else None)
        else:
            range_before = VersionRange.parse(before.range)
            is_noted = range_before.is_exact or range_before.is_any
            wanted = replace(before, range=version, was=before.was if is_noted else before.range)
        return _with(manifest, wanted)

    return _planned(context, request, name, edit)


def prepare_unpin(context: Context, request: PinRequest) -> Change:
    """Plan to let a formula move again: within the range given, or as it could before it was pinned.

    Raises:
        NotRequiredError: the manifest does not have it.
        MmpmError: as for `plan_change`.
    """
    name = str(request.reference.name)

    def edit(manifest: Manifest, _old: Lockfile | None) -> Manifest:
        before = _find(manifest, name)
        if before is None:
            raise NotRequiredError([name])
        if not request.has_range and before.was == "":
            return edited(manifest, manifest.without_requirement(name, before.section))
        given = str(request.reference.range) if request.has_range or before.was is None else before.was
        return _with(manifest, replace(before, range=given, was=None))

    return _planned(context, request, name, edit)


def _planned(
    context: Context, request: PinRequest, name: str, edit: Callable[[Manifest, Lockfile | None], Manifest]
) -> Change:
    change = plan_change(context, edit, dry_run=request.dry_run)
    return replace(change, described=describe(context, change.resolved, [name]))


def _find(manifest: Manifest, name: str) -> Wanted | None:
    return manifest.find(name) or manifest.find(name, "molecules")


def _with(manifest: Manifest, wanted: Wanted) -> Manifest:
    before = _find(manifest, wanted.name)
    return manifest if wanted == before else edited(manifest, manifest.with_requirement(wanted))
