"""From the paths that a person names to packs that can be read: one file each, or volumes from wherever they lie.

    PACK                        a pack in one file
    PACK.001, PACK.volumes.json any of a pack's volumes, or their list: the others are looked for beside those that are
                                named, and among those that were brought before

Rule: a volume that comes before the others is copied (its medium goes away) into ``.quarantine/volumes-<pack id>/``,
under its own name and only with the bytes that its list speaks of.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from mmpm.errors import PackRefusedError, PackUnreadableError
from mmpm.registry.destination import read_plain
from mmpm.registry.pack.volumes import LIST_SUFFIX, MAX_VOLUME_LIST_BYTES, PackStream, Volume, VolumeList
from mmpm.registry.pack.waiting import names_in
from mmpm_store.durable import fsync_path, no_space_named, write_all, write_file_durably
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_PREFIX: Final = "volumes-"
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class OneFile:
    """A pack in one file."""

    path: str

    @property
    def name(self) -> str:
        """For messages."""
        return self.path

    @property
    def missing(self) -> tuple[str, ...]:
        """Nothing is."""
        return ()

    def open(self, on_bytes: Callable[[int], None] = lambda _size: None) -> PackStream:
        """Give its bytes.

        Raises:
            PackUnreadableError: it cannot be read.
        """
        try:
            return PackStream(self.path, on_bytes, (None, [self.path]))
        except OSError as error:
            raise PackUnreadableError(self.path, error.strerror or str(error)) from None


@dataclass(slots=True)
class VolumeSet:
    """A pack in volumes, some of which may not be at hand.

    Attributes:
        name: for messages: the path of the list or volume that was named first.
        listing: which volumes there are.
        list_bytes: of the list.
        folders: where volumes are looked for, in order; the last one holds those that were brought before.
    """

    name: str
    listing: VolumeList
    list_bytes: bytes
    folders: list[str] = field(default_factory=list)

    def find(self) -> dict[Volume, str]:
        """Give the files of the volumes that are at hand, as far as their lengths tell."""
        found: dict[Volume, str] = {}
        for volume in self.listing.volumes:
            for folder in self.folders:
                path = os.path.join(folder, volume.name)
                try:
                    fits = os.stat(path).st_size == volume.length
                except OSError:
                    continue
                if fits:
                    found[volume] = path
                    break
        return found

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the volumes that are not at hand."""
        found = self.find()
        return tuple(one.name for one in self.listing.volumes if one not in found)

    def open(self, on_bytes: Callable[[int], None] = lambda _size: None) -> PackStream:
        """Give the pack's bytes; all volumes are at hand."""
        found = self.find()
        return PackStream(self.name, on_bytes, (self.listing, [found[one] for one in self.listing.volumes]))

    def keep(self) -> int:
        """Copy the volumes that are at hand to those that were brought before; give how many bytes lie there now.

        Raises:
            PackRefusedError: one has other bytes than the list speaks of.
            NoSpaceError: the disk is full.
        """
        folder = self.folders[-1]
        if os.path.islink(folder):
            os.unlink(folder)
        with no_space_named(folder):
            os.makedirs(folder, exist_ok=True)
            write_file_durably(f"{folder}/pack{LIST_SUFFIX}", self.list_bytes)
        kept = 0
        for volume, path in self.find().items():
            if os.path.dirname(path) != folder:
                _copy(self.name, path, f"{folder}/{volume.name}", volume.id)
            kept += volume.length
        return kept

    def forget(self) -> None:
        """Remove the volumes that were brought before: the pack was read whole."""
        shutil.rmtree(self.folders[-1], ignore_errors=True)


def gather_packs(paths: Iterable[str], quarantine: str) -> list[OneFile | VolumeSet]:
    """Give the packs that `paths` name, in that order; volumes of one pack together.

    Args:
        paths: of packs, volumes, and lists of volumes.
        quarantine: where volumes that were brought before lie.

    Raises:
        PackUnreadableError: a path leads nowhere.
        PackRefusedError: a volume without its list; a list that is none.
    """
    named = list(paths)
    lists = [_read_list(path) for path in named if path.endswith(LIST_SUFFIX)] + list(_kept_lists(quarantine))
    found: dict[str, OneFile | VolumeSet] = {}
    for path in named:
        known = _list_for(path, lists)
        if known is None:
            if not os.path.isfile(path):
                is_there = os.path.lexists(path)
                raise PackUnreadableError(path, "it is no plain file" if is_there else "there is no such file")
            found[path] = OneFile(path)
            continue
        listing, data = known
        key = str(ObjectId.of(data))
        kept = os.path.join(quarantine, _PREFIX + ObjectId.parse(listing.pack).hex)
        one = found.setdefault(key, VolumeSet(path, listing, data, [kept]))
        assert isinstance(one, VolumeSet)
        folder = os.path.dirname(os.path.abspath(path))
        if folder not in one.folders:
            one.folders.insert(-1, folder)
    return list(found.values())


def _list_for(path: str, lists: list[tuple[VolumeList, bytes]]) -> tuple[VolumeList, bytes] | None:
    """Give the list of volumes that `path` belongs to; None where it is a pack in one file."""
    if path.endswith(LIST_SUFFIX):
        return _read_list(path)
    stem, dot, number = path.rpartition(".")
    is_volume = bool(dot) and number.isascii() and number.isdigit() and 3 <= len(number) <= 5
    if is_volume and os.path.lexists(stem + LIST_SUFFIX):
        return _read_list(stem + LIST_SUFFIX)
    if not os.path.lexists(path) and os.path.lexists(path + LIST_SUFFIX):
        return _read_list(path + LIST_SUFFIX)
    if not is_volume:
        return None
    name = os.path.basename(path)
    known = next((one for one in lists if any(volume.name == name for volume in one[0].volumes)), None)
    if known is None:
        listing = os.path.basename(stem) + LIST_SUFFIX
        raise PackRefusedError(path, f"is one volume of a pack, whose list ({listing}) is needed as well")
    return known


def _read_list(path: str) -> tuple[VolumeList, bytes]:
    try:
        data = read_plain(path, MAX_VOLUME_LIST_BYTES)
    except OSError as error:
        raise PackUnreadableError(path, error.strerror or str(error)) from None
    if data is None:
        raise PackUnreadableError(path, "there is no such file")
    try:
        return VolumeList.parse(data), data
    except ValueError as error:
        raise PackRefusedError(path, str(error)) from None


def _kept_lists(quarantine: str) -> Iterator[tuple[VolumeList, bytes]]:
    for name in names_in(quarantine):
        if name.startswith(_PREFIX):
            data = read_plain(f"{quarantine}/{name}/pack{LIST_SUFFIX}", MAX_VOLUME_LIST_BYTES)
            try:
                yield VolumeList.parse(data or b""), data or b""
            except ValueError:
                continue


def _copy(pack: str, source: str, target: str, expected: ObjectId) -> None:
    """Copy a volume, checked as it comes; it appears whole or not at all."""
    hasher = blake3()
    partial = f"{target}.partial"
    with no_space_named(target):
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with open(source, "rb") as file:
                while piece := file.read(_READ_BYTES):
                    hasher.update(piece)
                    write_all(handle, piece)
            os.fsync(handle)
        finally:
            os.close(handle)
        if hasher.hexdigest() != expected.hex:
            os.unlink(partial)
            raise PackRefusedError(pack, "has not the bytes that its list of volumes says", source)
        os.replace(partial, target)
        fsync_path(os.path.dirname(target))
