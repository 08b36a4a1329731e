"""What is new of a formula for a receiver, and which of its own files each new one is nearest to.

Rule: a base is a file that the receiver has: the one at the same path in the highest older release that it has, else in
the highest release that it has. A formula of which it has nothing travels whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mmpm.registry import layout
from mmpm.registry.verified import TreeFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmpm.model.release import Release
    from mmpm.registry.documents import ReleaseDocument
    from mmpm.registry.index import FormulaIndex
    from mmpm.registry.pack.contents import Contents
    from mmpm.registry.pack.receiver import Receiver
    from mmpm.registry.verified import VerifiedState
    from mmpm_store.ids import ObjectId

MAX_PATCHED_BYTES: Final = 4 << 20
"""A longer file travels whole, and is no base."""
_BASES_TRIED: Final = 8
"""Older releases in which the same path is looked for."""


def is_new(contents: Contents, receiver: Receiver, target: str) -> bool:
    """Whether the receiver lacks the file of a target."""
    state = contents.state
    role = state.chain.role_of(target)
    if receiver.hashes is None and receiver.has_role(role, state.chain.role_file(role)):
        return False
    listed = state.listed(target)
    return listed is not None and not receiver.has_target(target, listed)


def files_of(state: VerifiedState, release: Release) -> Iterator[tuple[str, TreeFile, str]]:
    """Give the files of a release: kind, file, and the last part of its path in the payload; empty for the others."""
    data, document = state.document_of(release)
    yield "document", TreeFile(layout.object_file(release.document), len(data), object_id=release.document), ""
    listing = document.tree.to_bytes()
    yield "listing", TreeFile(layout.object_file(release.tree), len(listing), object_id=release.tree), ""
    for entry in document.tree.entries:
        file = TreeFile(layout.object_file(entry.id), entry.size, object_id=entry.id)
        yield "file", file, entry.path.rpartition("/")[2]
    for file in signatures_of(state, release):
        yield "signature", file, ""


def signatures_of(state: VerifiedState, release: Release) -> Iterator[TreeFile]:
    """Give the signature files of a release, with their exact lengths."""
    for file in state.signature_files(release):
        yield TreeFile(file.path, len(state.bytes_of(file)), file.sha256)


def add_new_releases(contents: Contents, receiver: Receiver, index: FormulaIndex, releases: Sequence[Release]) -> None:
    """Add the files of `releases` (of the formula of `index`, in order of publication) that the receiver lacks."""
    had = [release for release in releases if receiver.had_release(release)]
    contents.new_releases += len(releases) - len(had)
    if receiver.hashes is not None or len(had) < len(releases):
        _Formula(contents, receiver, had).add(str(index.name), releases)
    if is_new(contents, receiver, layout.index_target(str(index.name))):
        for release in releases:
            for file in signatures_of(contents.state, release):
                if receiver.hashes is None or file.sha256 not in receiver.hashes:
                    contents.add("signature", file, is_proved=False)


class _Formula:
    """A formula of which the receiver may have something."""

    def __init__(self, contents: Contents, receiver: Receiver, had: Sequence[Release]) -> None:
        self._contents = contents
        self._receiver = receiver
        self._had = sorted(had, key=lambda release: release.version, reverse=True)
        self._documents: dict[ObjectId, tuple[int, ReleaseDocument]] = {}

    def add(self, owner: str, releases: Sequence[Release]) -> None:
        """Add every file that the receiver lacks."""
        if self._receiver.hashes is None:
            for release in self._had:
                self._receiver.learned.update(bytes.fromhex(one.hex) for one in self._objects(release))
        for order, release in enumerate(releases):
            if self._receiver.hashes is None and self._receiver.had_release(release):
                continue
            self._add_release(owner, order, release)

    def _add_release(self, owner: str, order: int, release: Release) -> None:
        length, document = self._document(release)
        older = [one for one in self._had if one.version < release.version]
        nearest = [*older, *(one for one in self._had if one.version > release.version)][:_BASES_TRIED]
        for path, object_id, size in (
            *((entry.path, entry.id, entry.size) for entry in document.tree.entries),
            ("", release.document, length),
        ):
            if self._receiver.has_object(object_id.hex):
                continue
            kind = "file" if path else "document"
            if self._had and size <= MAX_PATCHED_BYTES:
                base = self._base(path, nearest, object_id)
                self._contents.add_patched_object(kind, object_id, size, base)
            else:
                name = path.rpartition("/")[2]
                self._contents.add_object(kind, object_id, size, (name, owner, order))

    def _base(self, path: str, nearest: Sequence[Release], wanted: ObjectId) -> tuple[ObjectId, int] | None:
        for release in nearest:
            length, document = self._document(release)
            found = {entry.path: (entry.id, entry.size) for entry in document.tree.entries} if path else {}
            object_id, size = found.get(path, (None, 0)) if path else (release.document, length)
            if object_id is None or object_id == wanted or size > MAX_PATCHED_BYTES:
                continue
            if self._receiver.has_object(object_id.hex):
                return object_id, size
        return None

    def _document(self, release: Release) -> tuple[int, ReleaseDocument]:
        if release.document not in self._documents:
            data, document = self._contents.state.document_of(release)
            self._documents[release.document] = len(data), document
        return self._documents[release.document]

    def _objects(self, release: Release) -> list[ObjectId]:
        return [release.document, *(entry.id for entry in self._document(release)[1].tree.entries)]
