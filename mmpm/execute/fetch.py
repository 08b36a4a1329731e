"""Bring what is to be installed into the store, and hold checksum and tree of a release against each other.

A lock names a release twice: by checksum and size of its payload and by the tree of its files. What is linked is found
by the tree, so before a release is linked for the first time on a machine its payload is made from the files, and
checksum and size compared. That they agree is a fact about bytes and is noted in ``$XDG_STATE_HOME/mmpm/proved``,
which is never copied with a store.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmpm.errors import NotEnoughSpaceError, NotWhatWasLockedError, ObjectsMissingError, ReleaseMalformedError
from mmpm.execute.trees import read_trees
from mmpm.plan import InstallTree, ReplaceTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmpm.execute.context import Context
    from mmpm.lock import Locked
    from mmpm.plan import Plan
    from mmpm_store.objects import Store
    from mmpm_store.tree import Tree

# A line is 140 bytes; when the file is larger it starts afresh, and proofs are made again.
_MAX_PROVED_BYTES = 32 << 20


def prove(context: Context, plan: Plan) -> int:
    """Fetch the plan's objects, then prove its unproved releases.

    Returns:
        The bytes that were fetched.

    Raises:
        NotEnoughSpaceError: the disk of the store has less room than that.
        ObjectsMissingError: no registry at hand has some of them.
        NotWhatWasLockedError: the files of a release do not have its checksum.
        ReleaseMalformedError: they do not have its size.
    """
    fetched = 0
    if plan.fetch:
        _check_room(context.store.path, plan.bytes_to_fetch)
        fetched = _fetch_for(context, plan.fetch, plan)
    if plan.unproved:
        trees, _ = read_trees(context.store, [locked.tree for locked in plan.unproved])
        lines = []
        for locked in plan.unproved:
            tree = trees.get(locked.tree)
            if tree is None:
                names = [locked.name]
                raise ObjectsMissingError(names, "its listing vanished meanwhile", "run the command again")
            found, size = measure_payload(context.store, locked, tree)
            if found != locked.checksum:
                raise NotWhatWasLockedError(locked.name, locked.version, locked.checksum, found)
            if size != locked.size:
                reason = f"is to have {locked.size} bytes, but its payload has {size}"
                raise ReleaseMalformedError(locked.name, locked.version, reason)
            lines.append(_proof(locked))
        _note_proved(context.places.state, lines)
    return fetched


def _check_room(store: str, needed_bytes: int) -> None:
    disk = os.statvfs(store)
    free_bytes = disk.f_bavail * disk.f_frsize
    # A file system without blocks (some network ones) does not say how much room it has.
    if disk.f_blocks and free_bytes < needed_bytes:
        raise NotEnoughSpaceError(store, needed_bytes, free_bytes)


def payload_checksum(store: Store, locked: Locked, tree: Tree) -> str:
    """Make the checksum of a release's payload from its files.

    Raises:
        MissingObjectError, DamagedObjectError: a file is not in the store.
    """
    return measure_payload(store, locked, tree)[0]


def measure_payload(store: Store, locked: Locked, tree: Tree) -> tuple[str, int]:
    """Make checksum and size of a release's payload from its files (FORMATS, "Payload and checksum").

    Raises:
        MissingObjectError, DamagedObjectError: a file is not in the store.
    """
    import hashlib

    if locked.kind != "bundle":
        digest = hashlib.sha256()
        size = 0
        for entry in tree.entries:
            data = store.read(entry.id)
            digest.update(data)
            size += len(data)
        return f"sha256:{digest.hexdigest()}", size
    from mmpm_store.canonical import payload_checksum as canonical_checksum
    from mmpm_store.canonical import tree_files

    top = locked.name.rpartition("/")[2]
    checksum, size = canonical_checksum(top, tree_files(tree, store.read))
    return f"sha256:{checksum}", size


def unproved(state: str, releases: Iterable[Locked]) -> tuple[Locked, ...]:
    """Give those releases whose checksum and tree were not yet found to agree on this machine."""
    try:
        with open(f"{state}/proved", "rb") as file:
            proved = set(file.read().split(b"\n"))
    except FileNotFoundError:
        proved = set()
    return tuple(locked for locked in releases if _proof(locked) not in proved)


def fetch(
    context: Context,
    ids: Sequence[str],
    sources: Sequence[str],
    names: Sequence[str] = (),
    *,
    executable: Iterable[str] = (),
    sizes: Mapping[str, int] | None = None,
) -> int:
    """Fetch objects by ``blake3:..`` into the store from the registries at hand, `sources` first.

    Args:
        context: the store and the registries.
        ids: what is wanted.
        sources: registry ids.
        names: releases that need them, for messages.
        executable: those that are needed as executable files.
        sizes: known lengths; no object is read beyond its own.

    Returns:
        The bytes that were fetched.

    Raises:
        ObjectsMissingError: none has some of them, or the command is offline.
        RegistryUnreachableError, RegistryUntrustedError: as `fetch_from_registries`.
    """
    if not context.registries:
        raise ObjectsMissingError(
            list(names or ids), "no registry is configured", "run `mmpm registry add`, or copy a store that has them"
        )
    from mmpm.execute.connect import fetch_from_registries
    from mmpm_store.ids import ObjectId

    wanted = [ObjectId.parse(one) for one in ids]
    known = sizes or {}
    return fetch_from_registries(
        context,
        wanted,
        sources,
        names,
        executable=frozenset(map(ObjectId.parse, executable)),
        sizes={one: known[text] for one, text in zip(wanted, ids, strict=True) if text in known},
    )


def fetch_again(context: Context, ids: Sequence[str], plan: Plan) -> None:
    """Fetch objects that turned out damaged or gone after planning; names the releases that need them.

    Raises:
        ObjectsMissingError: as for `fetch`.
    """
    number = len(set(ids))
    are, them = ("is", "it") if number == 1 else ("are", "them")
    context.progress.say(f"{number} of the store's objects {are} damaged or gone; fetching {them} again")
    _fetch_for(context, ids, plan)


def _fetch_for(context: Context, ids: Sequence[str], plan: Plan) -> int:
    """Fetch what a plan needs, no object longer than the release's listing says."""
    trees, _ = read_trees(context.store, [action.release.tree for action in plan.of(InstallTree, ReplaceTree)])  # type: ignore[union-attr]
    sizes = {str(entry.id): entry.size for tree in trees.values() for entry in tree.entries}
    return fetch(context, ids, plan.sources, _needing(plan, ids), executable=_executable(plan), sizes=sizes)


def _needing(plan: Plan, ids: Sequence[str]) -> list[str]:
    """Name the releases of a plan that need any of these objects."""
    wanted = set(ids)
    return [
        action.release.name
        for action in plan.actions
        if isinstance(action, (InstallTree, ReplaceTree))
        and (action.release.tree in wanted or any(file.id in wanted for file in action.link))
    ]


def _executable(plan: Plan) -> set[str]:
    """Give the files that a plan links as executable ones only: stored as such they need no second writing."""
    files = [file for action in plan.of(InstallTree, ReplaceTree) for file in action.link]  # type: ignore[union-attr]
    return {file.id for file in files if file.executable} - {file.id for file in files if not file.executable}


def _proof(locked: Locked) -> bytes:
    return f"{locked.tree[7:]} {locked.checksum[7:]} {locked.kind[0]} {locked.size}".encode()


def _note_proved(state: str, lines: list[bytes]) -> None:
    path = f"{state}/proved"
    os.makedirs(state, exist_ok=True)
    try:
        if os.stat(path).st_size > _MAX_PROVED_BYTES:
            os.unlink(path)
    except FileNotFoundError:
        pass
    # One write(2) in append mode: lines of processes at once do not mix, and a torn one proves nothing.
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, b"\n" + b"\n".join(lines) + b"\n")
    finally:
        os.close(fd)
