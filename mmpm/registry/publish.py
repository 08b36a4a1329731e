"""Puts releases into a folder registry: one, or thousands in one serial.

Rule: the items stream. Of each only its index line and its catalog line stay in memory; its files are in the tree (as
objects that nothing reaches yet) before the next item is asked for.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import SignatureTakenError, UnpublishableError, VersionTakenError
from mmpm.model.capabilities import Capabilities
from mmpm.model.checksums import Checksum
from mmpm.model.release import Release
from mmpm.registry import history, layout
from mmpm.registry.commit import Change, Committing, commit
from mmpm.registry.documents import (
    MAX_CHANGELOG,
    MAX_DEPENDENCIES,
    MAX_DESCRIPTION_IN_CATALOG,
    CatalogLine,
    ReleaseDocument,
)
from mmpm.registry.indexing import prepare_catalog, prepare_index, write_pages
from mmpm.registry.published import shown_serial
from mmpm.registry.sign import require_room, sign_release
from mmpm.registry.take_down import is_taking_down
from mmpm.registry.tree_writer import TreeWriter
from mmpm.trust.facts import TargetFile, parse_time
from mmpm_store.canonical import canonical_tar, stored_gzip, tree_files
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mmpm.model.names import FormulaName
    from mmpm.model.versions import Version
    from mmpm.registry.published import PublishedTree
    from mmpm.trust.keys import SigningKey


@dataclass(frozen=True, slots=True)
class PublishItem:
    """One release to be: what its document says (object ids included), and where its files' bytes are.

    Attributes:
        document: complete; the checksum and the object ids are recomputed from the bytes before they are believed.
        read: gives an object's bytes.
    """

    document: ReleaseDocument
    read: Callable[[ObjectId], bytes]


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did.

    Attributes:
        serial: the registry's serial now.
        new: releases that it added, in the order of the items.
        unchanged: those that were there already, with equal bytes.
    """

    serial: int
    new: tuple[tuple[FormulaName, Version], ...]
    unchanged: tuple[tuple[FormulaName, Version], ...]


@dataclass(frozen=True, slots=True)
class _Staged:
    """A release whose objects are in the tree.

    Attributes:
        download: one of its objects, or the staged archive of a bundle.
        signatures: files of detached signatures, by their paths.
    """

    release: Release
    download: ObjectId | str
    signatures: Mapping[str, bytes]


def publish(
    root: str,
    items: Iterable[PublishItem],
    how: Committing,
    on_item: Callable[[int], None] = lambda _count: None,
    sign: SigningKey | None = None,
) -> Published:
    """Publish `items` into the tree at `root` as one new serial.

    Equal bytes under a version that is there already are a success that changes nothing. Two publishers at once both
    succeed, one after the other.

    Args:
        root: the tree's folder.
        items: taken one at a time.
        how: keys, time and limits.
        on_item: called with the number of items done so far.
        sign: a publisher's key; every release that is new gets its signature.

    Raises:
        VersionTakenError: a version is there with other bytes, or twice in `items`; nothing is published then.
        UnpublishableError: an item is incomplete, or its bytes are not what its document says.
    """
    with TreeWriter(root) as writer:
        edit = _Addition(0 if is_taking_down(writer.root) else shown_serial(writer.root))
        for count, item in enumerate(items, 1):
            edit.add(_stage(item, writer, sign), catalog_line(item.document))
            on_item(count)
        serial = commit(writer.root, how, edit, writer, renew=not edit.staged)
    new, unchanged = edit.outcome()
    return Published(serial, new, unchanged)


def _stage(item: PublishItem, writer: TreeWriter, sign: SigningKey | None) -> _Staged:
    """Write a release's objects and, for a bundle, prepare its archive; sign it where there is a key."""
    document = item.document
    _check(document)
    _require_readable(document)
    data = b""
    for entry in document.tree.entries:
        data = item.read(entry.id)
        if len(data) != entry.size or ObjectId.of(data) != entry.id:
            raise UnpublishableError(str(document.name), f"the bytes of {entry.path} are not those of its listing")
        writer.put(layout.object_file(entry.id), data)
    download: ObjectId | str
    if document.kind == "bundle":
        size, checksum, download = _stage_archive(item, writer)
    else:
        size, checksum, download = len(data), Checksum.of(data), document.tree.entries[0].id
    if (size, checksum) != (document.size, document.checksum):
        raise UnpublishableError(str(document.name), "its files are not those of its checksum")
    data = document.to_bytes()
    document_id = ObjectId.of(data)
    writer.put(layout.object_file(document_id), data)
    listing = document.tree.to_bytes()
    tree_id = ObjectId.of(listing)
    writer.put(layout.object_file(tree_id), listing)
    release = Release(
        name=document.name,
        version=document.version,
        kind=document.kind,
        requires=document.requires,
        soft=document.soft,
        checksum=checksum,
        tree=tree_id,
        size=size,
        published_at=document.published_at,
        serial=0,  # given by the commit
        document=document_id,
    )
    if sign is None:
        return _Staged(release, download, {})
    path, data = sign_release(release, sign)
    require_room(writer, release, path, data)
    signed = replace(release, signatures=((sign.public.key_id, TargetFile.of(data).sha256),))
    return _Staged(signed, download, {path: data})


def _stage_archive(item: PublishItem, writer: TreeWriter) -> tuple[int, Checksum, str]:
    """Stage a bundle's download; give size and checksum of the canonical tar in it, and the staged file."""
    document = item.document
    digest = hashlib.sha256()
    size = 0

    def counted(pieces: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal size
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            yield piece

    pieces = canonical_tar(document.name.unscoped, tree_files(document.tree, item.read))
    staged = writer.stage(stored_gzip(counted(pieces)))
    return size, Checksum(digest.hexdigest()), staged


def _check(document: ReleaseDocument) -> None:
    name = str(document.name)
    if not document.description.strip():
        raise UnpublishableError(name, "it has no description")
    if len(document.changelog or "") > MAX_CHANGELOG:
        raise UnpublishableError(name, f"its changelog is longer than {MAX_CHANGELOG} characters")
    if len(document.requires) + len(document.soft) > MAX_DEPENDENCIES:
        raise UnpublishableError(name, f"it has more than {MAX_DEPENDENCIES} dependencies")
    if not document.tree.entries or (document.kind != "bundle" and len(document.tree.entries) != 1):
        raise UnpublishableError(name, f"{len(document.tree.entries)} files do not make a {document.kind}")
    try:
        parse_time(document.published_at)
    except ValueError:
        raise UnpublishableError(name, f"published_at is not a time in UTC: {document.published_at}") from None


def _require_readable(document: ReleaseDocument) -> None:
    """Refuse now what every reader would refuse later: fields beyond the limits of the format."""
    try:
        if ReleaseDocument.parse(document.to_bytes()) != document:
            raise UnpublishableError(str(document.name), "its document does not read back as it was written")
    except ValueError as error:
        raise UnpublishableError(str(document.name), str(error)) from None


def catalog_line(document: ReleaseDocument) -> CatalogLine:
    """Give what search reads of a release."""
    text = " ".join(document.description.split())
    short = text if len(text) <= MAX_DESCRIPTION_IN_CATALOG else text[: MAX_DESCRIPTION_IN_CATALOG - 1] + "…"
    return CatalogLine(
        name=document.name,
        latest=document.version,
        kind=document.kind,
        description=short,
        author=document.author,
        license=document.license,
        repository=document.repository,
        capabilities=document.capabilities,
        published_at=document.published_at,
    )


def tombstone_line(release: Release) -> CatalogLine:
    """Give what search reads of a formula of which everything was taken down: nothing of what it was."""
    return CatalogLine(
        name=release.name,
        latest=release.version,
        kind=release.kind,
        description=f"Taken down: {release.yanked or ''}"[:MAX_DESCRIPTION_IN_CATALOG],
        author=None,
        license=None,
        repository=None,
        capabilities=Capabilities(),
        published_at=release.published_at,
    )


class _Addition:
    """The edit that adds staged releases to whatever state is the newest.

    Args:
        began_at: the serial that was shown when the first file was staged; 0 where files were being taken down then.
    """

    def __init__(self, began_at: int) -> None:
        self._began_at = began_at
        self.staged: dict[FormulaName, dict[str, _Staged]] = {}
        self._catalog: dict[FormulaName, tuple[Release, CatalogLine]] = {}
        self._order: list[tuple[FormulaName, Version]] = []
        self._signatures: dict[str, bytes] = {}
        self._new: set[tuple[FormulaName, str]] = set()
        self._lines: dict[FormulaName, tuple[CatalogLine, tuple[Release, ...]]] = {}
        self._names_before = 0

    def add(self, staged: _Staged, line: CatalogLine) -> None:
        """Take one more release; the same one again changes nothing. Of a formula's lines the latest one is kept."""
        release = staged.release
        versions = self.staged.setdefault(release.name, {})
        twin = versions.get(release.version.slot)
        if twin is not None:
            _require_equal(twin.release, release)
            return
        versions[release.version.slot] = staged
        shown = self._catalog.get(release.name)
        if shown is None or history.latest((shown[0], release)) is release:
            self._catalog[release.name] = release, line
        for path, data in staged.signatures.items():
            if self._signatures.setdefault(path, data) != data:
                raise SignatureTakenError(str(release.name), str(release.version))
        self._order.append((release.name, release.version))

    def outcome(self) -> tuple[tuple[tuple[FormulaName, Version], ...], tuple[tuple[FormulaName, Version], ...]]:
        """Give what the last `prepare` added and what it found there already."""
        new = tuple((name, version) for name, version in self._order if (name, version.slot) in self._new)
        old = tuple((name, version) for name, version in self._order if (name, version.slot) not in self._new)
        return new, old

    def prepare(self, base: PublishedTree, serial: int, writer: TreeWriter) -> Change:
        """Prepare the indexes and catalog shards that change."""
        self._new.clear()
        self._lines.clear()
        self._names_before = 0
        targets: dict[str, TargetFile] = {}
        for name in sorted(self.staged):
            self._grow(base, name, serial, writer, targets)
        targets |= prepare_catalog(base, {name: line for name, (line, _) in self._lines.items()}, writer)
        return Change(targets)

    def _grow(
        self, base: PublishedTree, name: FormulaName, serial: int, writer: TreeWriter, targets: dict[str, TargetFile]
    ) -> None:
        index = base.index(name)
        past = history.read_history(name, index, base.older_lines(index) if index else ())
        published = {one.version.slot: one for one in past}
        new = []
        for slot, staged in self.staged[name].items():
            if slot in published:
                _require_equal(published[slot], staged.release)
            else:
                new.append(staged.release)
                self._new.add((name, slot))
                for path, data in staged.signatures.items():
                    writer.prepare(path, (data,))
        if not new:
            return
        self._names_before += index is not None
        grown = history.append(name, index, past, new, serial)
        prepare_index(grown, writer, targets)
        top = history.latest(grown.releases)
        shown, line = self._catalog[name]
        if top.version.slot != shown.version.slot:
            line = catalog_line(base.document(top))
        self._lines[name] = (line, grown.releases)

    def names(self) -> Iterable[FormulaName]:
        """Give the formulas that change."""
        return sorted(self._lines)

    def write_aliases(self, base: PublishedTree, writer: TreeWriter) -> None:
        """Write what the seed's URLs answer for the new releases."""
        if base.serial != self._began_at:
            self._require_files(base)
        for name, slot in self._new:
            staged = self.staged[name][slot]
            release = staged.release
            version = str(release.version)
            writer.alias(layout.object_file(release.document), layout.release_alias(str(name), version))
            if isinstance(staged.download, str):
                writer.place(staged.download, layout.download_alias(str(name), version))
            else:
                writer.alias(layout.object_file(staged.download), layout.download_alias(str(name), version))
        write_pages(base, self._lines, len(self._lines) - self._names_before, writer)

    def _require_files(self, base: PublishedTree) -> None:
        """See that no file of ours was taken down with another release between its staging and now."""
        for name, slot in sorted(self._new):
            release = self.staged[name][slot].release
            for path in (layout.object_file(release.document), layout.object_file(release.tree)):
                if not os.path.exists(f"{base.root}/{path}"):
                    raise UnpublishableError(str(name), "its files were taken down meanwhile; publish it again")
            for entry in base.document(release).tree.entries:
                if not os.path.exists(f"{base.root}/{layout.object_file(entry.id)}"):
                    raise UnpublishableError(str(name), "its files were taken down meanwhile; publish it again")


def _require_equal(published: Release, release: Release) -> None:
    if published.tombstone:
        raise UnpublishableError(str(release.name), f"version {published.version} was taken down; give it a new one")
    if (published.checksum, published.kind) != (release.checksum, release.kind):
        raise VersionTakenError(str(release.name), str(release.version), str(published.version))
