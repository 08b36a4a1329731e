"""Put files from the store into a staging folder, each re-hashed before it is linked; fetch damaged ones again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, cast

from mmpm.execute.trees import read_trees
from mmpm.plan import InstallTree, ReplaceTree
from mmpm.reconcile import BUNDLE_FORMULA, FLAT_SUFFIX
from mmpm_store.errors import DamagedObjectError, MissingObjectError
from mmpm_store.ids import ObjectId
from mmpm_store.materialise import LinkMode, Placement, materialise
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.plan import Plan
    from mmpm.receipt import Installed, InstalledFile
    from mmpm_store.materialise import LinkReport


def stage_files(context: Context, into: str, plan: Plan) -> LinkReport:
    """Make every file that the plan links below the folder `into`, at its path in the formulas folder.

    Raises:
        ObjectsMissingError: some are not in the store, or damaged there, and no registry at hand has them.
        StoreError: a disk is full, or `install.link` is ``hard`` and a link was refused.
    """
    placements = _placements(context, plan)
    try:
        return _materialise(context, into, placements)
    except (DamagedObjectError, MissingObjectError) as error:
        from mmpm.execute.fetch import fetch_again

        fetch_again(context, [str(one) for one in error.ids], plan)
    shutil.rmtree(into, ignore_errors=True)
    return _materialise(context, into, placements)


def _materialise(context: Context, into: str, placements: list[Placement]) -> LinkReport:
    return materialise(context.store, into, placements, link=cast("LinkMode", context.settings.link))


def _placements(context: Context, plan: Plan) -> list[Placement]:
    actions = [action for action in plan.actions if isinstance(action, (InstallTree, ReplaceTree)) and action.link]
    trees, absent = read_trees(context.store, [action.release.tree for action in actions])
    if absent:
        from mmpm.execute.fetch import fetch_again

        fetch_again(context, absent, plan)
        trees, _ = read_trees(context.store, [action.release.tree for action in actions])
    return [_placement(action.release, action.link, trees[action.release.tree]) for action in actions]


def _placement(release: Installed, link: tuple[InstalledFile, ...], tree: Tree) -> Placement:
    name = release.installed_name
    if len(link) == len(release.files):
        if release.kind == "formula":
            return Placement(tree, renames={tree.entries[0].path: name + FLAT_SUFFIX})
        has_formula = any(entry.path == BUNDLE_FORMULA for entry in tree.entries)
        return Placement(tree, name, copies=((BUNDLE_FORMULA, name + FLAT_SUFFIX),) if has_formula else ())
    sizes = {str(entry.id): entry.size for entry in tree.entries}
    return Placement(
        Tree.of(FileEntry(file.path, file.executable, ObjectId.parse(file.id), sizes[file.id]) for file in link)
    )
