"""`export`: the payload of an installed release, as bytes that `import` takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import NotInstalledError, ObjectsMissingError
from mmpm.execute.fetch import fetch
from mmpm.execute.trees import read_trees
from mmpm.project.files import read_project
from mmpm_store.errors import MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.execute.context import Context
    from mmpm.receipt import Installed
    from mmpm_store.tree import Tree


def export_payload(context: Context, name: str, version: str | None = None) -> Iterator[bytes]:
    """Give the payload of what is installed as `name`: a formula's bytes, or a bundle's ``.tar.gz``, in pieces.

    The bytes come from the store, not from the folder: what is exported is what was published.

    Raises:
        NotInstalledError: it is not installed here, or in another version.
        ObjectsMissingError: its bytes are no longer in the store, and no registry at hand has them.
    """
    receipt = read_project(context.project).receipt
    entry = next((one for one in receipt.entries if name in {one.name, one.installed_name}), None)
    if entry is None or (version is not None and entry.version != version):
        shown = name if version is None else f"{name}@{version}"
        raise NotInstalledError(shown, context.project.root, f"run `mmpm install {shown}` first")
    tree = _tree(context, entry)
    missing = [str(one) for one in context.store.missing(file.id for file in tree.entries)]
    if missing:
        fetch(context, sorted(missing), (), [entry.name])
    return _pieces(context, entry, tree)


def _tree(context: Context, entry: Installed) -> Tree:
    trees, absent = read_trees(context.store, [entry.tree])
    if absent:
        fetch(context, absent, (), [entry.name])
        trees, absent = read_trees(context.store, [entry.tree])
    if absent:
        raise ObjectsMissingError([entry.name], "no registry has them", "run `mmpm sync`")
    return trees[entry.tree]


def _pieces(context: Context, entry: Installed, tree: Tree) -> Iterator[bytes]:
    try:
        if entry.kind != "bundle":
            for file in tree.entries:
                yield context.store.read(file.id)
            return
        from mmpm_store.canonical import canonical_tar, stored_gzip, tree_files

        top = entry.name.rpartition("/")[2]
        yield from stored_gzip(canonical_tar(top, tree_files(tree, context.store.read)))
    except MissingObjectError:
        raise ObjectsMissingError([entry.name], "they vanished meanwhile", "run the command again") from None
