"""What every verb that changes an index prepares and writes beside it: pages, catalog shards, unsigned copies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmpm.registry import layout, rendering
from mmpm.registry.documents import CatalogLine, catalog_to_bytes
from mmpm.trust.facts import TargetFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.registry.history import Grown
    from mmpm.registry.published import PublishedTree
    from mmpm.registry.tree_writer import TreeWriter


def prepare_index(grown: Grown, writer: TreeWriter, targets: dict[str, TargetFile]) -> None:
    """Prepare an index and its new pages, and list the index in `targets`."""
    name = str(grown.index.name)
    for number, data in grown.new_pages:
        writer.prepare(layout.page_file(name, number, TargetFile.of(data).sha256), (data,))
    data = grown.index.to_bytes()
    target = layout.index_target(name)
    targets[target] = TargetFile.of(data)
    writer.prepare(layout.hashed(target, targets[target].sha256), (data,))


def prepare_catalog(
    base: PublishedTree, lines: Mapping[FormulaName, CatalogLine], writer: TreeWriter
) -> dict[str, TargetFile]:
    """Prepare the catalog shards that `lines` change, and give their targets."""
    shards: dict[str, dict[str, CatalogLine]] = {}
    for name, line in lines.items():
        shards.setdefault(layout.shard_of(str(name)), {})[str(name)] = line
    targets = {}
    for shard, changed in shards.items():
        present = base.catalog(shard)
        if all(present.get(name) == line for name, line in changed.items()):
            continue
        merged = present | changed
        data = catalog_to_bytes({name: line.to_bytes() for name, line in merged.items()})
        target = layout.catalog_target(shard)
        targets[target] = TargetFile.of(data)
        writer.prepare(layout.hashed(target, targets[target].sha256), (data,))
    return targets


def write_pages(
    base: PublishedTree,
    lines: Mapping[FormulaName, tuple[CatalogLine, tuple[Release, ...]]],
    new_names: int,
    writer: TreeWriter,
) -> None:
    """Write ``formulas/<name>/index.json`` of changed formulas, and ``formulas/index.json``."""
    for name, (line, releases) in lines.items():
        writer.replace(layout.index_target(str(name)), rendering.formula_page(line, releases))
    path = f"{base.root}/{layout.FORMULAS_LISTING}"
    present = b""
    if os.path.exists(path):
        with open(path, "rb") as file:
            present = file.read()
    listing = rendering.listing(present, (line for line, _ in lines.values()), new_names)
    writer.replace(layout.FORMULAS_LISTING, listing)
