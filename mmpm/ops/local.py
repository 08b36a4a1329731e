"""Releases that no registry gave: `import`, `adopt`, `install PATH`. The lock names them by their checksum alone."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import NothingToAdoptError, NothingToInstallError
from mmpm.execute.install import begin_change
from mmpm.execute.trees import know_tree
from mmpm.lock import Locked, make_lockfile
from mmpm.ops.receipts import standing_lock
from mmpm.ops.sync import open_ends, plan_lockfile, requirements_of
from mmpm.project.files import read_project
from mmpm.project.manifest import Wanted, parse_manifest, read_manifest
from mmpm.reconcile import BUNDLE_FORMULA, FLAT_SUFFIX
from mmpm.registry.payload import collect_bytes, collect_payload, put_payload

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.model.names import FormulaName
    from mmpm.model.versions import Version
    from mmpm.plan import Plan
    from mmpm.registry.payload import Collected
    from mmpm_store.tree import Tree


def plan_import(
    context: Context,
    path: str | None,
    data: bytes,
    *,
    name: FormulaName | None = None,
    version: Version | None = None,
    dry_run: bool = False,
) -> Plan:
    """Plan the installation of a payload from a path, or from the bytes of standard input where `path` is None.

    Raises:
        PayloadRefusedError, FormulaSyntaxError, FormulaInvalidError: it is no payload.
        NothingToInstallError: it holds execution records.
        InstallConflictError: another release has its installed name.
    """
    if path is None:
        collected = collect_bytes(data, "standard input", name=name, version=version)
    else:
        collected = collect_payload(path, name=name, version=version)
    if collected.payload.kind == "records":
        raise NothingToInstallError(str(collected.payload.name), str(collected.payload.version))
    return plan_local(context, collected, "import", dry_run=dry_run)


def plan_adopt(context: Context, name: str, *, dry_run: bool = False) -> Plan:
    """Plan to take in a formula that lies unmanaged in the formulas folder: its bytes stay where they are.

    Raises:
        NothingToAdoptError: there is none of that name, or it is installed already.
        PayloadRefusedError, FormulaSyntaxError, FormulaInvalidError: it is no formula.
    """
    if not dry_run:
        begin_change(context)
    files = read_project(context.project)
    folder, flat = f"{files.formulas}/{name}", f"{files.formulas}/{name}{FLAT_SUFFIX}"
    if any(name in {entry.installed_name, entry.name} for entry in files.receipt.entries):
        raise NothingToAdoptError(name, files.formulas, "is installed already")
    if "/" in name or name.startswith("."):
        raise NothingToAdoptError(name, files.formulas, "is no name of an installed formula")
    if os.path.isfile(f"{folder}/{BUNDLE_FORMULA}"):
        collected = collect_payload(folder)
    elif os.path.isfile(flat):
        collected = collect_payload(flat)
    else:
        raise NothingToAdoptError(name, files.formulas, "there is no such formula")
    return plan_local(context, collected, "local", installed_as=name, dry_run=dry_run)


def plan_local(
    context: Context,
    collected: Collected,
    scheme: str,
    *,
    installed_as: str | None = None,
    dry_run: bool = False,
) -> Plan:
    """Plan the installation of a payload at hand: the manifest then asks for exactly this version.

    Args:
        context: the project and the store, which gets the payload's objects now (bytes, no trust), if not dry.
        collected: the payload.
        scheme: ``import`` or ``local``, for the lock's source.
        installed_as: its name on disk, if another than its own.
        dry_run: nothing will be applied.
    """
    if dry_run:
        know_tree(context.store, collected.payload.tree)
    else:
        begin_change(context)
        put_payload(context.store, collected)
    locked = locked_from(collected, scheme, installed_as)
    files = read_project(context.project)
    lock = standing_lock(context, files)
    manifest = read_manifest(context.project.manifest_path)
    asked_before = manifest.or_asking_for(lock.requirements)
    text = asked_before.with_requirement(Wanted("formulas", locked.name, locked.version, installed_as=locked.alias))
    asked_now = parse_manifest(text, manifest.path)
    releases = [one for one in lock.releases if one.name != locked.name]
    new = make_lockfile(set(requirements_of(asked_now)), [*releases, locked])
    if open_ends(new) and context.registries:
        from mmpm.ops.resolve import relock

        new = relock(context, asked_now, new)
    for name in open_ends(new):
        context.progress.warn(f"{name} is required and not installed: no registry is configured")
    plan = plan_lockfile(
        context,
        new,
        files=files,
        manifest=text if text != manifest.text else None,
        dry_run=dry_run,
    )
    return _without(plan, collected.payload.tree) if dry_run else plan


def _without(plan: Plan, tree: Tree) -> Plan:
    """Give a dry run's plan without the fetching of files that are at hand and would have been stored."""
    sizes = {str(entry.id): entry.size for entry in tree.entries}
    at_hand = sum(sizes.get(one, 0) for one in plan.fetch)
    fetch = tuple(one for one in plan.fetch if one not in sizes)
    return replace(plan, fetch=fetch, bytes_to_fetch=plan.bytes_to_fetch - at_hand)


def locked_from(collected: Collected, scheme: str, installed_as: str | None = None) -> Locked:
    """Give the lock's line for a payload at hand."""
    payload = collected.payload
    name, version = str(payload.name), str(payload.version)
    requires = payload.formula.requires if payload.formula else ()
    alias = installed_as if installed_as and installed_as != payload.name.unscoped else None
    return Locked(
        name,
        version,
        payload.kind,
        True,
        str(payload.checksum),
        str(payload.tree.id),
        payload.size,
        f"{scheme}:{name}@{version}",
        tuple(sorted((str(one.name), str(one.range)) for one in requires)),
        alias=alias,
    )
