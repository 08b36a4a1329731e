"""Where packs are imported to: a mirror's folder, or this machine's store.

Rule: a store's trust is promoted as a refresh promotes it, after everything it speaks of is on disk; a mirror's folder
is bytes, and importing into one changes nothing of what this machine believes but the root key that a person accepted.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from mmpm.registry import layout
from mmpm.registry.belief import state_of
from mmpm.registry.destination import TreeDestination, read_plain, refuse_link
from mmpm.registry.local import LocalCopy
from mmpm.registry.mirror.aliases import write_pages, write_release_aliases
from mmpm.registry.mirror.copying import clear_staging
from mmpm.registry.mirror.policies import keep_policy
from mmpm.registry.mirror.selected import Mirror, MirroredRegistry, read_mirror, tree_folder, trees_in, write_mirror
from mmpm.registry.mirrored import MIRRORED_JSON, MIRRORS, Mirrored
from mmpm.registry.pack.stocktaking import take_stock
from mmpm.registry.prune import prune
from mmpm.trust.facts import TIMESTAMP, parse_time
from mmpm_store.objects import BATCH_FILES
from mmpm_store.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mmpm.model.release import Release
    from mmpm.registry.destination import Destination
    from mmpm.registry.documents import ReleaseDocument
    from mmpm.registry.mirror.selection import Chosen, Selection
    from mmpm.registry.state import TrustFolder
    from mmpm.registry.verified import TreeFile, VerifiedState
    from mmpm_store.ids import ObjectId
    from mmpm_store.objects import Store

QUARANTINE: Final = ".quarantine"

_KEPT_SECONDS: Final = 180 * 86_400.0
"""Packs on their way are patches against the metadata that this mirror showed when they were cut."""


class MirrorLanding:
    """The folder of a mirror; need not exist.

    Whoever brings something uses it as a context manager and holds the lock: its end removes folders that are empty.

    Args:
        folder: absolute.
    """

    must_be_whole = True

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.staging = f"{folder}/{layout.STAGING}"
        self.quarantine = f"{folder}/{QUARANTINE}"
        self._trees: dict[str, TreeDestination] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for tree in self._trees.values():
            tree.close()
        parts = (layout.STAGING, "objects", "")
        trees = [os.path.join(tree.folder, part) for tree in self._trees.values() for part in parts]
        for folder in (*trees, f"{self.folder}/{MIRRORS}", self.staging, self.quarantine):
            with suppress(OSError):
                os.rmdir(folder)

    def sweep(self) -> None:
        """Remove what processes that were killed left staged; only whoever holds the mirror's lock may.

        Raises:
            LinkedFolderError: a folder into which this import writes is a link.
        """
        for folder in (f"{self.folder}/{MIRRORS}", self.staging, self.quarantine):
            refuse_link(folder)
        for registry in self.registries():
            clear_staging(tree_folder(self.folder, registry))

    def registries(self) -> list[str]:
        """Give the ids of the registries whose trees lie here."""
        return trees_in(self.folder)

    def destination(self, registry_id: str) -> TreeDestination:
        """Give a registry's tree.

        Raises:
            LinkedFolderError: the folder of all trees is a link.
        """
        if registry_id not in self._trees:
            refuse_link(f"{self.folder}/{MIRRORS}")
            self._trees[registry_id] = TreeDestination(tree_folder(self.folder, registry_id))
        return self._trees[registry_id]

    def elsewhere(self, registry_id: str, path: str, max_bytes: int) -> bytes | None:
        """Give a file from another registry's tree, as it lies there."""
        for other in self.registries():
            if other != registry_id and (data := self.destination(other).read(path, max_bytes)) is not None:
                return data
        return None

    def selection(self, registry_id: str) -> Selection | None:
        """Give what ``mirror.json`` says of a registry.

        Raises:
            MirrorUnreadableError: it is damaged.
        """
        mirror = read_mirror(self.folder)
        found = mirror.registries.get(registry_id) if mirror is not None else None
        return None if found is None else found.selection

    def on_release(self, registry_id: str) -> Callable[[Release, ReleaseDocument], None]:
        """Write the unsigned copies of a release."""
        destination = self.destination(registry_id)
        return lambda release, document: write_release_aliases(destination, release, document)

    def settled(self, state: VerifiedState, chosen: Chosen, selection: Selection, fingerprint: str) -> None:
        """Write ``mirror.json``, the unsigned pages and ``mirrored.json``; remove what was superseded half a year ago.

        ``mirrored.json`` comes last: where it says what it should, all of this was done.
        """
        mirror = read_mirror(self.folder) or Mirror()
        before = mirror.registries.get(state.registry_id)
        first = before.root if before is not None else _first_root(state) or fingerprint
        now = MirroredRegistry(selection, before.origins if before is not None else (), first)
        if now != before:
            write_mirror(self.folder, mirror.having({state.registry_id: now}))
        destination = self.destination(state.registry_id)
        note = mirrored_of(state, chosen).to_bytes()
        if destination.read(MIRRORED_JSON, len(note)) == note:
            return
        write_pages(destination, state, chosen)
        prune(destination.folder, parse_time(state.issued), _KEPT_SECONDS, ())
        destination.writer.replace(MIRRORED_JSON, note)

    def keep(self) -> None:
        """Keep what came so far, whatever becomes of the next pack."""
        for tree in self._trees.values():
            tree.keep()

    def take_back(self) -> None:
        """Remove the objects of a pack that is not to be believed; what is shown never needed them."""
        for tree in self._trees.values():
            tree.take_back()

    def keep_policy(self, data: bytes) -> None:
        """Keep a policy beside ``mirror.json``, unless it is older: whoever reads it verifies it."""
        keep_policy(self.folder, data)

    def request(self) -> bytes:
        """Give an inventory of all trees here."""
        trees = {registry: tree_folder(self.folder, registry) for registry in self.registries()}
        return take_stock(trees).inventory.to_bytes()


class StoreDestination:
    """A registry in this machine's store: objects among all others, documents in its copy, and what is believed of it.

    Args:
        store: the store.
        copy: the registry's documents.
        trust: what is believed of it.
        checked_at: the machine's clock, RFC 3339.
    """

    def __init__(self, store: Store, copy: LocalCopy, trust: TrustFolder, checked_at: str) -> None:
        self._store = store
        self._copy = copy
        self._trust = trust
        self._checked_at = checked_at
        self._writer = Writer(store)
        self._waiting: set[ObjectId] = set()

    def close(self) -> None:
        """Let go of what was put and not flushed."""
        self._writer.close()

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Give what lies at `path`, at most one byte more than `max_bytes`; None where there is no plain file."""
        object_id = layout.object_of(path)
        if object_id is None:
            return next(
                (data for one in self._folders() if (data := read_plain(f"{one}/{path}", max_bytes)) is not None), None
            )
        if object_id in self._waiting:
            self._commit()
        data = self._store.peek(object_id)
        return None if data is None else data[: max_bytes + 1]

    def has(self, file: TreeFile) -> bool:
        """Whether `file` is here: an object by its name, a document by its bytes."""
        if file.object_id is not None:
            return file.object_id in self._waiting or self._store.has(file.object_id)
        data = self.read(file.path, file.length)
        return data is not None and file.proves(data)

    def put(self, path: str, pieces: Iterable[bytes]) -> None:
        """Put a verified file; objects become visible with the next flush, or a few thousand at a time.

        Raises:
            NoSpaceError: the disk is full.
        """
        data = b"".join(pieces)
        object_id = layout.object_of(path)
        if object_id is None:
            self._copy.write(path, data)
        else:
            if len(self._waiting) >= BATCH_FILES:  # the writer would commit by itself, and we would never forget
                self._commit()
            self._waiting.add(self._writer.add(data, executable=False))

    def flush(self) -> None:
        """Make everything put so far outlive a power cut."""
        self._commit()
        self._copy.flush()

    def show(self, state: VerifiedState) -> None:
        """Believe `state` from now on."""
        from dataclasses import replace

        data = state.timestamp_bytes
        self._copy.write(layout.role_file(TIMESTAMP, state.serial), data)
        self._copy.write(layout.TIMESTAMP, data)
        self.flush()
        believed = state_of(state.registry_id, state.chain, data)
        self._trust.promote(replace(believed, checked_at=self._checked_at), state.chain.root_bytes)

    def _commit(self) -> None:
        self._writer.commit()
        self._waiting.clear()

    def _folders(self) -> tuple[str, ...]:
        return (self._copy.folder, self._copy.behind) if self._copy.behind else (self._copy.folder,)


class StoreLanding:
    """This machine's store, its copies of registries' documents, and what it believes.

    Whoever brings something uses it as a context manager and holds the lock: its end removes folders that are empty.

    Args:
        store: the store.
        trust: gives what is believed of a registry.
        folder: for staging and quarantine; on the store's disk.
        checked_at: the machine's clock, RFC 3339.
    """

    must_be_whole = False

    def __init__(self, store: Store, trust: Callable[[str], TrustFolder], folder: str, checked_at: str) -> None:
        self.store = store
        self.staging = f"{folder}/{layout.STAGING}"
        self.quarantine = f"{folder}/{QUARANTINE}"
        self._folder = folder
        self._trust = trust
        self._checked_at = checked_at
        self._destinations: dict[str, StoreDestination] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for destination in self._destinations.values():
            destination.close()
        for folder in (self.staging, self._folder):
            with suppress(OSError):
                os.rmdir(folder)

    def registries(self) -> list[str]:
        """Give the ids of the registries whose documents are here."""
        with suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(f"{self.store.path}/registries") if not name.startswith("+"))
        return []

    def destination(self, registry_id: str) -> Destination:
        """Give a registry in the store."""
        if registry_id not in self._destinations:
            copy = LocalCopy.of(self.store.path, registry_id)
            trust = self._trust(registry_id)
            self._destinations[registry_id] = StoreDestination(self.store, copy, trust, self._checked_at)
        return self._destinations[registry_id]

    def elsewhere(self, registry_id: str, path: str, max_bytes: int) -> bytes | None:
        """Give a document of another registry, as it lies there; all objects of a store lie together."""
        if layout.object_of(path) is None:
            for other in self.registries():
                if other != registry_id and (data := self.destination(other).read(path, max_bytes)) is not None:
                    return data
        return None

    def selection(self, registry_id: str) -> Selection | None:  # noqa: ARG002 - a store carries what it happens to have
        """Give None: a store is never whole for anything, and takes what comes."""
        return None

    def on_release(self, registry_id: str) -> None:
        """Give None: a store has no unsigned copies."""

    def settled(self, state: VerifiedState, chosen: Chosen, selection: Selection, fingerprint: str) -> None:
        """Note nothing: what is believed was promoted when it was shown."""

    def keep(self) -> None:
        """Note nothing, as below."""

    def take_back(self) -> None:
        """Leave what came: objects of a store lie together, and what nothing uses goes with `store prune`."""

    def keep_policy(self, data: bytes) -> None:
        """Keep a policy with the packs, unless it is older: whoever reads it verifies it."""
        os.makedirs(self._folder, exist_ok=True)
        keep_policy(self._folder, data)

    def request(self) -> bytes:
        """Give an inventory of the store."""
        trees = {registry: f"{self.store.path}/registries/{registry}" for registry in self.registries()}
        return take_stock(trees, f"{self.store.path}/objects").inventory.to_bytes()


def mirrored_of(state: VerifiedState, chosen: Chosen) -> Mirrored:
    """Give ``mirrored.json`` of a state that is whole for `chosen`."""
    if chosen.releases is None:
        return Mirrored(state.registry_id, state.serial, is_complete=True)
    listed: dict[str, frozenset[str]] = {}
    for name in state.names():
        if str(name) in chosen.releases:
            versions = frozenset(str(one.version) for one in state.releases(name) if chosen.has(one))
            if versions:
                listed[str(name)] = versions
    return Mirrored(state.registry_id, state.serial, is_complete=False, releases=listed)


def _first_root(state: VerifiedState) -> str | None:
    from mmpm.trust.metadata import Chain

    first = next(state.metadata())
    return Chain(state.bytes_of(first)).fingerprint
