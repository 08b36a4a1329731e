"""`install NAME@RANGE`: write the requirement into the manifest, lock, install."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import FragmentError, UsageError
from mmpm.ops.change import describe, edited, plan_change
from mmpm.project.manifest import Wanted

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.lock import Lockfile
    from mmpm.model.references import Reference
    from mmpm.ops.change import Change
    from mmpm.project.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Operand:
    """A reference as typed; `has_range` tells `mol-x@*` from `mol-x`, which leaves a requirement as it is."""

    reference: Reference
    has_range: bool


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What the command line says.

    Attributes:
        operands: at least one; a name once.
        prerelease: a pre-release may be chosen where nothing else exists (`--pre`).
        installed_as: another unscoped name to install under (`--as`); for one operand.
        saves: whether the manifest keeps the requirement (`--no-save`: not).
    """

    operands: tuple[Operand, ...]
    prerelease: bool = False
    installed_as: str | None = None
    saves: bool = True
    dry_run: bool = False


def prepare_install(context: Context, request: InstallRequest) -> Change:
    """Plan the installation, with what is shown of the releases that were named.

    Raises:
        UsageError: `--as` with several names, or a name twice.
        FragmentError: a named release is a fragment of molecules.
        MmpmError: as for `plan_change`.
    """
    names = [str(operand.reference.name) for operand in request.operands]
    if request.installed_as is not None and len(names) != 1:
        raise UsageError("--as gives one formula another name", "install the others with a command of their own")
    if len(set(names)) != len(names):
        raise UsageError("a formula is named twice", "name each formula once")

    def edit(manifest: Manifest, _old: Lockfile | None) -> Manifest:
        for operand in request.operands:
            before = manifest.find(str(operand.reference.name))
            wanted = _wanted(operand, request, before)
            if wanted != before:
                manifest = edited(manifest, manifest.with_requirement(wanted))
        return manifest

    # `mol-x@latest` asks for the newest even if an older one is locked.
    moving = frozenset(
        str(operand.reference.name)
        for operand in request.operands
        if operand.has_range and operand.reference.range.is_any
    )
    change = plan_change(context, edit, moving=moving, saves=request.saves, dry_run=request.dry_run)
    for name in names:
        locked = change.resolved.lock.get(name)
        if locked is not None and locked.kind == "molecules":
            raise FragmentError(name, locked.version)
    return replace(change, described=describe(context, change.resolved, names))


def _wanted(operand: Operand, request: InstallRequest, before: Wanted | None) -> Wanted:
    reference = operand.reference
    if before is None or operand.has_range:
        registry = str(reference.registry) if reference.registry else (before.registry if before else None)
        wanted = Wanted("formulas", str(reference.name), str(reference.range), registry)
        alias, prerelease = (before.installed_as, before.prerelease) if before else (None, False)
    else:
        wanted, alias, prerelease = before, before.installed_as, before.prerelease
        if reference.registry is not None:
            wanted = replace(wanted, registry=str(reference.registry))
    return replace(wanted, installed_as=request.installed_as or alias, prerelease=request.prerelease or prerelease)
