"""`fork`: a writable copy of an installed formula that remembers what it was made from."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import FileInTheWayError, NotInstalledError, UsageError
from mmpm.execute.install import begin_change
from mmpm.execute.trees import read_trees
from mmpm.model.names import FormulaName
from mmpm.ops.receipts import completed
from mmpm.ops.sync import plan_lockfile
from mmpm.ops.uninstall import drop, lock_of
from mmpm.plan import PlaceFiles, Plan, RemoveTree
from mmpm.project.files import read_project
from mmpm.project.manifest import read_manifest
from mmpm.project.toml_edit import set_in_table
from mmpm.reconcile import BUNDLE_FORMULA, FLAT_SUFFIX

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.receipt import Installed


def plan_fork(context: Context, name: str, new: str | None = None, *, dry_run: bool = False) -> Plan:
    """Plan a copy of `name` that a person may edit, unmanaged: as `new` beside it, or in its place.

    In its place, it leaves manifest and lock. The copy's ``[package]`` says ``forked_from`` and ``forked_checksum``.

    Raises:
        NotInstalledError: it is not installed here.
        StillRequiredError: in its place, and another installed formula requires it.
        FileInTheWayError: there is something under the new name.
        UsageError: the new name is none.
    """
    if not dry_run:
        begin_change(context)
    files = read_project(context.project)
    entry = next((one for one in files.receipt.entries if name in {one.name, one.installed_name}), None)
    if entry is None:
        raise NotInstalledError(name, context.project.root)
    entry = completed(context, entry, files.formulas)
    target = new or entry.installed_name
    try:
        if FormulaName.parse(target).scope is not None:
            raise UsageError(f"{target}: an installed name has no scope")
    except ValueError as error:
        raise UsageError(str(error)) from None
    copies = _copies(context, entry, target)
    if new is not None and target != entry.installed_name:
        for path, _, _ in copies.files:
            if os.path.lexists(f"{files.formulas}/{path}"):
                raise FileInTheWayError(f"{files.formulas}/{path}")
        return Plan((copies,), folder=files.formulas)
    manifest = read_manifest(context.project.manifest_path)
    text = manifest.without_requirement(entry.name) if manifest.text else ""
    plan = plan_lockfile(
        context,
        drop(lock_of(context, files), {("formulas", entry.name)}),
        files=files,
        manifest=text if text != manifest.text else None,
        dry_run=dry_run,
    )
    placed = {path for path, _, _ in copies.files}
    # The copies take these places in the same change: there is no moment at which neither is there.
    actions = [
        replace(one, remove=tuple(file for file in one.remove if file.path not in placed))
        if isinstance(one, RemoveTree)
        else one
        for one in plan.actions
    ]
    return replace(plan, actions=(*actions, copies))


def _copies(context: Context, entry: Installed, target: str) -> PlaceFiles:
    trees, _ = read_trees(context.store, [entry.tree])
    tree = trees.get(entry.tree)
    if tree is None:
        raise NotInstalledError(entry.name, context.project.root, "run `mmpm sync`, which fetches its files again")
    rows: list[tuple[str, bytes, int]] = []
    for file in tree.entries:
        data = context.store.read(file.id)
        if entry.kind != "bundle":
            rows.append((f"{target}{FLAT_SUFFIX}", _marked(data, entry, target), 0o644))
            break
        mode = 0o755 if file.executable else 0o644
        if file.path == BUNDLE_FORMULA:
            data = _marked(data, entry, target)
            rows.append((f"{target}{FLAT_SUFFIX}", data, mode))
        rows.append((f"{target}/{file.path}", data, mode))
    return PlaceFiles(tuple(rows))


def _marked(data: bytes, entry: Installed, target: str) -> bytes:
    """Give the formula's text with its new name and its origin; comments and order stay."""
    where = f"{entry.installed_name}{FLAT_SUFFIX}"
    text = data.decode("utf-8")
    import tomllib

    named = tomllib.loads(text).get("formula")
    if isinstance(named, dict):
        text = set_in_table(text, ("formula", "name"), target, where)
    else:
        text = set_in_table(text, ("formula",), target, where)
    text = set_in_table(text, ("package", "forked_from"), f"{entry.source or entry.name}", where)
    return set_in_table(text, ("package", "forked_checksum"), entry.checksum, where).encode()
