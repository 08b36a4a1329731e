"""`export`: the payload of a release, as bytes that `import` takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import NotInstalledError, NotWhatWasLockedError, ObjectsMissingError
from mmpm.execute.fetch import fetch, payload_checksum
from mmpm.execute.trees import read_trees
from mmpm.lock import Locked
from mmpm.model.references import release_address
from mmpm.model.versions import Version
from mmpm.ops.knowledge import Knowledge, Known
from mmpm.ops.known import newest
from mmpm.ops.receipts import completed
from mmpm.project.files import read_project
from mmpm_store.errors import MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.execute.context import Context
    from mmpm.model.ranges import VersionRange
    from mmpm.receipt import Installed
    from mmpm_store.tree import Tree


def export_payload(
    context: Context, name: str, wanted: VersionRange | None = None, registry: str | None = None
) -> Iterator[bytes]:
    """Give the payload of a release: a formula's bytes, or a bundle's ``.tar.gz``, in pieces.

    The bytes come from the store, not from the folder: what is exported is what was published. What is installed is
    taken if it is in the range; else the newest release in it that the name's registry has.

    Args:
        context: the project, the store, the registries.
        name: full name, or the name that it is installed under.
        wanted: None for whatever is installed.
        registry: the registry that it must come from.

    Raises:
        NotInstalledError: nothing such is installed here, and no registry has one in the range.
        NotWhatWasLockedError: the registry's files do not have its checksum.
        ObjectsMissingError: its bytes are not in the store, and no registry at hand has them.
        MmpmError: a registry that has to be asked cannot answer.
    """
    files = read_project(context.project)
    entry = next((one for one in files.receipt.entries if name in {one.name, one.installed_name}), None)
    if entry is not None and registry is not None and not entry.source.startswith(f"hop://{registry}/"):
        entry = None
    if entry is not None and (wanted is None or wanted.allows(Version.parse(entry.version))):
        locked = _as_locked(completed(context, entry, files.formulas))
        return _pieces(context, locked, _whole_tree(context, locked))
    published = None if wanted is None else _published(context, entry.name if entry else name, wanted, registry)
    if published is None:
        shown = name if wanted is None else f"{name}@{wanted}"
        raise NotInstalledError(shown, context.project.root, f"run `mmpm install {shown}` first")
    tree = _whole_tree(context, published)
    found = payload_checksum(context.store, published, tree)
    if found != published.checksum:
        raise NotWhatWasLockedError(published.name, published.version, published.checksum, found)
    return _pieces(context, published, tree)


def _as_locked(entry: Installed) -> Locked:
    return Locked(
        entry.name, entry.version, entry.kind, entry.pinned, entry.checksum, entry.tree, entry.size, entry.source
    )


def _published(context: Context, name: str, wanted: VersionRange, registry: str | None) -> Locked | None:
    """Give what the registry that owns a name has newest in a range; a withdrawn release only by its exact version."""
    knowledge = Knowledge(context, {name: registry} if registry else None)
    knowledge.learn([name])
    knowledge.commit()
    known = knowledge.of(name)
    if not isinstance(known, Known):
        return None
    releases = tuple(one for one in known.releases if wanted.allows(one.version) and not one.tombstone)
    release = newest(releases, prereleases=True) or (releases[-1] if releases and wanted.is_exact else None)
    if release is None:
        return None
    if release.yanked is not None:
        context.progress.warn(f"{name} {release.version} was withdrawn by its publisher: {release.yanked}")
    return Locked(
        name,
        str(release.version),
        release.kind,
        wanted.is_exact,
        str(release.checksum),
        str(release.tree),
        release.size,
        release_address(known.registry, name, release.version),
    )


def _whole_tree(context: Context, locked: Locked) -> Tree:
    """Give a release's listing, with all of its files in the store."""
    trees, absent = read_trees(context.store, [locked.tree])
    if absent:
        fetch(context, absent, (), [locked.name])
        trees, absent = read_trees(context.store, [locked.tree])
    if absent:
        raise ObjectsMissingError([locked.name], "no registry has them", "run `mmpm sync`")
    tree = trees[locked.tree]
    missing = [str(one) for one in context.store.missing(file.id for file in tree.entries)]
    if missing:
        sizes = {str(file.id): file.size for file in tree.entries}
        fetch(context, sorted(missing), (), [locked.name], sizes=sizes)
    return tree


def _pieces(context: Context, locked: Locked, tree: Tree) -> Iterator[bytes]:
    try:
        if locked.kind != "bundle":
            for file in tree.entries:
                yield context.store.read(file.id)
            return
        from mmpm_store.canonical import canonical_tar, stored_gzip, tree_files

        top = locked.name.rpartition("/")[2]
        yield from stored_gzip(canonical_tar(top, tree_files(tree, context.store.read)))
    except MissingObjectError:
        raise ObjectsMissingError([locked.name], "they vanished meanwhile", "run the command again") from None
