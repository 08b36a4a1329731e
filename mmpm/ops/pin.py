"""`pin NAME[@V]` and `unpin NAME[@RANGE]`: hold a formula at one version, or let it move again.

A pin is an exact version in the manifest, where everyone can see it: `pin` writes the version that is locked (or the
one given), `unpin` writes the range given, or any version. What is locked stays as it is where it can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import NotRequiredError, UsageError
from mmpm.ops.change import describe, edited, plan_change
from mmpm.project.manifest import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.execute.context import Context
    from mmpm.lock import Lockfile
    from mmpm.model.references import Reference
    from mmpm.ops.change import Change
    from mmpm.plan import Plan
    from mmpm.project.manifest import Manifest


@dataclass(frozen=True, slots=True)
class PinRequest:
    """What the command line says."""

    reference: Reference
    has_range: bool = False
    dry_run: bool = False


def plan_pin(context: Context, request: PinRequest) -> Plan:
    """Plan the pin; see `prepare_pin`."""
    return prepare_pin(context, request).plan


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
        return _with_range(manifest, name, version)

    return _planned(context, request, name, edit)


def plan_unpin(context: Context, request: PinRequest) -> Plan:
    """Plan to let go; see `prepare_unpin`."""
    return prepare_unpin(context, request).plan


def prepare_unpin(context: Context, request: PinRequest) -> Change:
    """Plan to let a formula move again, within the range given or freely.

    Raises:
        NotRequiredError: the manifest does not have it.
        MmpmError: as for `plan_change`.
    """
    name = str(request.reference.name)

    def edit(manifest: Manifest, _old: Lockfile | None) -> Manifest:
        if _find(manifest, name) is None:
            raise NotRequiredError([name])
        return _with_range(manifest, name, str(request.reference.range))

    return _planned(context, request, name, edit)


def _planned(
    context: Context, request: PinRequest, name: str, edit: Callable[[Manifest, Lockfile | None], Manifest]
) -> Change:
    change = plan_change(context, edit, dry_run=request.dry_run)
    return replace(change, described=describe(context, change.resolved, [name]))


def _find(manifest: Manifest, name: str) -> Wanted | None:
    return manifest.find(name) or manifest.find(name, "molecules")


def _with_range(manifest: Manifest, name: str, text: str) -> Manifest:
    before = _find(manifest, name)
    wanted = replace(before, range=text) if before is not None else Wanted("formulas", name, text)
    return manifest if wanted == before else edited(manifest, manifest.with_requirement(wanted))
