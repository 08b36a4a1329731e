"""Packs that were unpacked and are not shown yet: on their way, or waiting for what they are based on.

    .staging/pack-<id>/                 while its members are read
    .quarantine/<id>/                   once all of them were, and something is missing
        pack.json  files.jsonl          as in the pack
        staged                          its metadata, indexes, shards, signatures, which no tree shows yet, and
                                        mirror.json, policy.json as in the pack (`mmpm.registry.pack.staged`)
        patches/N.zst                   whose bases are not here
        request.json                    an inventory: what `mirror export --base` needs to send the rest

Rule: objects are never here. They prove themselves, and go to the destination as they come.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from mmpm.registry.destination import read_plain
from mmpm.registry.pack.entries import FILES, Patch
from mmpm.registry.pack.format import HEAD, MAX_HEAD_BYTES, PackHead
from mmpm.registry.pack.reading import MAX_LIST_BYTES, entries_of
from mmpm.registry.pack.staged import StagedFiles
from mmpm_store.durable import no_space_named, sync_filesystem, write_all, write_file_durably
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST: Final = "request.json"
_STAGED: Final = "staged"
_HEX: Final = frozenset("0123456789abcdef")
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Parcel:
    """An unpacked pack.

    Attributes:
        folder: where it lies.
        head: of the pack.
        name: for messages: the pack's file, or its id where it lies in quarantine.
        files: what it brought and is no object.
    """

    folder: str
    head: PackHead
    name: str
    files: StagedFiles

    @classmethod
    def at(cls, folder: str, head: PackHead, name: str) -> Self:
        """Give the parcel that lies, or is to lie, in `folder`."""
        return cls(folder, head, name, StagedFiles(f"{folder}/{_STAGED}"))

    @property
    def is_empty(self) -> bool:
        """Whether none of its patches waits."""
        return not names_in(f"{self.folder}/patches")

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Give a file that the pack brought, by its path in it, at most one byte more than `max_bytes`."""
        return self.files.get(path, max_bytes)

    def stage(self, path: str, data: bytes) -> None:
        """Keep a file that is no object; paths are those of a pack, checked when its list was read.

        Raises:
            NoSpaceError: the disk is full.
        """
        self.files.put(path, data)

    def keep_frame(self, patch: Patch, frame: bytes) -> None:
        """Keep a patch whose bases are not here.

        Raises:
            NoSpaceError: the disk is full.
        """
        self._write(patch.member, frame)

    def waiting_patches(self) -> Iterator[tuple[Patch, bytes]]:
        """Give the patches that wait, with the bytes of their members, in the order of the list.

        Raises:
            PackRefusedError: what is kept here is damaged.
        """
        waiting = set(names_in(f"{self.folder}/patches"))
        if not waiting:
            return
        listing = read_plain(f"{self.folder}/{FILES}", MAX_LIST_BYTES) or b""
        for entry in entries_of(self.head, listing, self.name):
            if isinstance(entry, Patch) and os.path.basename(entry.member) in waiting:
                yield entry, read_plain(f"{self.folder}/{entry.member}", entry.length) or b""

    def drop_frame(self, patch: Patch) -> None:
        """Forget a patch whose files have come out of it.

        Raises:
            NoSpaceError: the disk is full; the patch is kept.
        """
        self.files.flush()
        with suppress(FileNotFoundError):
            os.unlink(f"{self.folder}/{patch.member}")

    def write_request(self, data: bytes) -> str:
        """Write the inventory that asks for what is missing, and give its path."""
        write_file_durably(f"{self.folder}/{REQUEST}", data)
        return f"{self.folder}/{REQUEST}"

    def size_bytes(self) -> int:
        """Give how much room it takes."""
        return sum(os.lstat(f"{folder}/{name}").st_size for folder, _, names in os.walk(self.folder) for name in names)

    def remove(self) -> None:
        """Remove it all."""
        remove_folder(self.folder)

    def _write(self, path: str, data: bytes) -> None:
        full = f"{self.folder}/{path}"
        with no_space_named(self.folder):
            try:
                handle = os.open(full, _FLAGS, 0o600)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(full), exist_ok=True)
                handle = os.open(full, _FLAGS, 0o600)
            try:
                write_all(handle, data)
            finally:
                os.close(handle)


def begin_parcel(staging: str, head: PackHead, head_bytes: bytes, listing: bytes, name: str) -> Parcel:
    """Make the folder of a pack that is about to be read; what an import that was killed left of it goes.

    Raises:
        NoSpaceError: the disk is full.
    """
    folder = f"{staging}/pack-{_hex(head)}"
    remove_folder(folder)
    parcel = Parcel.at(folder, head, name)
    with no_space_named(staging):
        os.makedirs(parcel.folder)
        write_file_durably(f"{parcel.folder}/{HEAD}", head_bytes, durable=False)
        write_file_durably(f"{parcel.folder}/{FILES}", listing, durable=False)
    return parcel


def put_aside(parcel: Parcel, quarantine: str) -> Parcel:
    """Let a pack, all of whose members were read, wait; it takes the place of what waited under its id.

    Raises:
        NoSpaceError: the disk is full.
    """
    folder = f"{quarantine}/{_hex(parcel.head)}"
    parcel.files.flush()
    if parcel.folder == folder:
        return parcel
    with no_space_named(quarantine):
        os.makedirs(quarantine, exist_ok=True)
        sync_filesystem(parcel.folder)
        remove_folder(folder)
        os.rename(parcel.folder, folder)
    return Parcel.at(folder, parcel.head, parcel.name)


def waiting_parcels(quarantine: str) -> list[Parcel]:
    """Give the packs that wait, lowest serial first; what is none of ours is left alone."""
    found = []
    for name in names_in(quarantine):
        if len(name) != 64 or not _HEX.issuperset(name):
            continue
        data = read_plain(f"{quarantine}/{name}/{HEAD}", MAX_HEAD_BYTES)
        try:
            head = PackHead.parse(data or b"")
        except ValueError:
            continue
        if _hex(head) == name:
            found.append(Parcel.at(f"{quarantine}/{name}", head, f"blake3:{name[:12]}.."))
    return sorted(found, key=lambda one: (min(told.serial for told in one.head.registries), one.folder))


def _hex(head: PackHead) -> str:
    return ObjectId.parse(head.id).hex


def remove_folder(folder: str) -> None:
    """Remove a folder with all that is in it; of a link the link alone."""
    with suppress(FileNotFoundError):
        if os.path.islink(folder):
            os.unlink(folder)
    shutil.rmtree(folder, ignore_errors=True)


def names_in(folder: str) -> list[str]:
    """Give what lies in a folder, sorted; nothing where there is none."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
