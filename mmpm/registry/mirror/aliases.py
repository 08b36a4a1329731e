"""The unsigned copies under the seed's URLs, made anew in a mirror's tree for the releases that it carries.

    registry.json, formulas/index.json, formulas/<name>/index.json, formulas/<name>/<version>/{index.json,download}

Rule: they are made from what is verified in the tree and never read by us, so that whatever lies there is replaced.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from mmpm.errors import RegistryUntrustedError
from mmpm.registry import history, layout, rendering
from mmpm.registry.destination import read_plain
from mmpm.registry.documents import registry_json
from mmpm_store.canonical import canonical_tar, stored_gzip, tree_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.registry.destination import TreeDestination
    from mmpm.registry.documents import CatalogLine, ReleaseDocument
    from mmpm.registry.mirror.selection import Chosen
    from mmpm.registry.verified import VerifiedState
    from mmpm_store.ids import ObjectId

_MAX_PAGE_BYTES = 64 << 20
_GZIP_BLOCK = 65_535


def write_release_aliases(destination: TreeDestination, release: Release, document: ReleaseDocument) -> None:
    """Write ``formulas/<name>/<version>/index.json`` and ``download``, all of whose objects are there."""
    name, version = str(release.name), str(release.version)
    _alias(destination, release.document, layout.release_alias(name, version))
    download = layout.download_alias(name, version)
    if release.kind != "bundle":
        _alias(destination, document.tree.entries[0].id, download)
        return
    blocks = max(1, -(-release.size // _GZIP_BLOCK))
    if _size(destination, download) == release.size + 5 * blocks + 18:  # gzip's head and tail, and the blocks' heads
        return

    def read(object_id: ObjectId) -> bytes:
        entry = next(one for one in document.tree.entries if one.id == object_id)
        data = destination.read(layout.object_file(object_id), entry.size)
        if data is None or len(data) != entry.size:
            path = layout.object_file(object_id)
            raise RegistryUntrustedError(str(release.name), f"{path} is not what is signed", destination.folder)
        return data

    pieces = stored_gzip(canonical_tar(release.name.unscoped, tree_files(document.tree, read)))
    destination.writer.place(destination.writer.stage(pieces), download)


def _alias(destination: TreeDestination, object_id: ObjectId, path: str) -> None:
    source = layout.object_file(object_id)
    there, here = f"{destination.folder}/{source}", f"{destination.folder}/{path}"
    try:
        if os.path.samefile(there, here):
            return
        if os.stat(there).st_size == os.stat(here).st_size:  # a copy, where the disk knows no hard links
            wanted = read_plain(there, _MAX_PAGE_BYTES)
            if wanted is not None and wanted == read_plain(here, _MAX_PAGE_BYTES):
                return
    except FileNotFoundError:
        pass
    destination.writer.alias(source, path)


def _size(destination: TreeDestination, path: str) -> int | None:
    try:
        return os.lstat(f"{destination.folder}/{path}").st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_pages(destination: TreeDestination, state: VerifiedState, chosen: Chosen) -> None:
    """Write the pages of all formulas of which releases are carried, their listing, and ``registry.json``."""
    names: list[FormulaName] = []
    for number in range(layout.SHARD_COUNT):
        lines = state.catalog(f"{number:02x}")
        for line in lines.values():
            releases = state.releases(line.name)
            _drop_taken_down(destination, releases)
            carried = [one for one in releases if chosen.has(one)]
            if carried:
                names.append(line.name)
                page = rendering.formula_page(_line_of(line, carried), carried)
                _replace(destination, layout.index_target(str(line.name)), page)
    names.sort()
    shown = islice(_lines(state, names, chosen), rendering.LISTED)
    _replace(destination, layout.FORMULAS_LISTING, rendering.listing(b"", shown, len(names)))
    identity = state.chain.identity
    _replace(destination, layout.REGISTRY_JSON, registry_json(identity.id, identity.title))


def _drop_taken_down(destination: TreeDestination, releases: Iterable[Release]) -> None:
    """Remove the copies of releases whose files were taken down; `mirror prune` removes the files themselves."""
    for release in releases:
        if release.tombstone:
            for path in (layout.release_alias, layout.download_alias):
                with suppress(FileNotFoundError):
                    os.unlink(f"{destination.folder}/{path(str(release.name), str(release.version))}")


def _lines(state: VerifiedState, names: list[FormulaName], chosen: Chosen) -> Iterator[CatalogLine]:
    for name in names:
        line = state.catalog(layout.shard_of(str(name)))[str(name)]
        yield _line_of(line, [one for one in state.releases(name) if chosen.has(one)])


def _line_of(line: CatalogLine, carried: list[Release]) -> CatalogLine:
    return replace(line, latest=history.latest(carried).version)


def _replace(destination: TreeDestination, path: str, data: bytes) -> None:
    if read_plain(f"{destination.folder}/{path}", len(data)) != data:
        destination.writer.replace(path, data)
