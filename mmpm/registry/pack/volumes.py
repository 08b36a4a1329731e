"""A pack as one file, or cut into volumes of exactly one size, the last one shorter; docs/formats.md, "Packs".

    PACK                        one file
    PACK.001 PACK.002 ..        volumes: `cat PACK.[0-9]*` is the pack
    PACK.volumes.json           which there are, with their blake3; it goes onto each medium

Rule: nothing is seen under a final name before all of it is on disk: a writer that is killed leaves ``.partial`` files,
which the next one replaces. Volumes of an older pack of the same name, which would be taken for ours, go first, and
``PACK.volumes.json`` comes last.
"""

from __future__ import annotations

import io
import os
import re
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from mmpm.errors import PackRefusedError
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm_store.durable import fsync_path, no_space_named, write_all, write_file_durably
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

FORMAT: Final = 1
LIST_SUFFIX: Final = ".volumes.json"
PARTIAL_SUFFIX: Final = ".partial"
MAX_VOLUMES: Final = 99_999
MAX_VOLUME_LIST_BYTES: Final = 64 << 20
_NUMBERED: Final = re.compile(r"\.([0-9]{3,5})")


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume: its file's name (no folder), length, and blake3."""

    name: str
    length: int
    id: ObjectId


@dataclass(frozen=True, slots=True)
class VolumeList:
    """``PACK.volumes.json``.

    Attributes:
        pack: the pack's id.
        length: of all volumes together.
        size: of each volume but the last.
        volumes: in order.
    """

    pack: str
    length: int
    size: int
    volumes: tuple[Volume, ...]

    def to_bytes(self) -> bytes:
        """Give the document."""
        rows = [{"name": one.name, "length": one.length, "id": str(one.id)} for one in self.volumes]
        document = {"format": FORMAT, "pack": self.pack, "length": self.length, "size": self.size, "volumes": rows}
        return canonical_json(document) + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> VolumeList:
        """Read the document.

        Raises:
            ValueError: not one; the lengths do not fit together; a name leads elsewhere.
        """
        fields = Fields(parse_json(data, "volumes.json", max_bytes=MAX_VOLUME_LIST_BYTES), "volumes.json")
        fields.require_format(FORMAT)
        found = cls(
            str(ObjectId.parse(fields.text("pack", 80))),
            fields.whole("length"),
            fields.whole("size"),
            tuple(_volume(row) for row in fields.items("volumes")),
        )
        lengths = [one.length for one in found.volumes]
        is_exact = (
            all(length == found.size for length in lengths[:-1]) and 0 < lengths[-1] <= found.size if lengths else False
        )
        if not is_exact or sum(lengths) != found.length or len(lengths) > MAX_VOLUMES:
            raise ValueError("volumes.json: the lengths of the volumes do not fit together")
        return found


def _volume(row: object) -> Volume:
    fields = Fields(row, "volumes.json: a volume")
    name = fields.text("name", 255)
    if "/" in name or name.startswith(".") or not name.isprintable() or not _NUMBERED.search(name):
        raise ValueError("volumes.json: a volume has a name that leads elsewhere")
    return Volume(name, fields.whole("length"), ObjectId.parse(fields.text("id", 80)))


def volume_name(path: str, number: int) -> str:
    """Give the path of volume `number`, counted from 1."""
    return f"{path}.{number:03}"


class PackSink:
    """Where a pack is written: `write`, then `finish`; leaving the context before that leaves nothing.

    Args:
        path: the final name.
        volume_bytes: the size of each volume; None writes one file.
    """

    def __init__(self, path: str, volume_bytes: int | None) -> None:
        self.path = path
        self.length = 0
        self._limit = volume_bytes
        self._fd = -1
        self._room = 0
        self._hash = blake3()
        self._volumes: list[Volume] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        for name in self._partials():
            with suppress(FileNotFoundError):
                os.unlink(name)

    def write(self, data: bytes) -> int:
        """Write more of the pack.

        Raises:
            NoSpaceError: the disk is full.
        """
        view = memoryview(data)
        while view:
            if self._fd < 0 or (self._limit is not None and not self._room):
                self._open_next()
            piece = view if self._limit is None else view[: self._room]
            with no_space_named(self.path):
                write_all(self._fd, bytes(piece))
            self._hash.update(piece)
            self._room -= len(piece)
            self.length += len(piece)
            view = view[len(piece) :]
        return len(data)

    def finish(self, pack_id: str) -> tuple[str, ...]:
        """Show the pack under its final name, or names; give them."""
        self._close()
        folder = os.path.dirname(self.path) or "."
        remove_pack(self.path)
        if self._limit is None:
            os.replace(self.path + PARTIAL_SUFFIX, self.path)
            fsync_path(folder)
            return (self.path,)
        with suppress(FileNotFoundError):
            os.unlink(self.path)  # an older pack in one file, which whoever names the pack would be given
        names = []
        for number, volume in enumerate(self._volumes, 1):
            name = volume_name(self.path, number)
            os.replace(name + PARTIAL_SUFFIX, name)
            names.append(name)
            assert os.path.basename(name) == volume.name
        listing = VolumeList(pack_id, self.length, self._limit, tuple(self._volumes))
        fsync_path(folder)
        write_file_durably(self.path + LIST_SUFFIX, listing.to_bytes())
        return (*names, self.path + LIST_SUFFIX)

    def _open_next(self) -> None:
        self._close()
        if len(self._volumes) >= MAX_VOLUMES:
            raise OSError(f"more than {MAX_VOLUMES} volumes")
        name = self._next_name() + PARTIAL_SUFFIX
        with no_space_named(self.path):
            self._fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._room = self._limit or 0
        self._hash = blake3()

    def _next_name(self) -> str:
        return self.path if self._limit is None else volume_name(self.path, len(self._volumes) + 1)

    def _close(self) -> None:
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        length = os.fstat(fd).st_size
        try:
            with no_space_named(self.path):
                os.fsync(fd)
        finally:
            os.close(fd)
        name = os.path.basename(self._next_name())
        self._volumes.append(Volume(name, length, ObjectId(self._hash.hexdigest())))

    def _partials(self) -> list[str]:
        folder, name = os.path.split(self.path)
        mine = re.compile(re.escape(name) + r"(\.[0-9]{3,5})?" + re.escape(PARTIAL_SUFFIX))
        with suppress(FileNotFoundError):
            return [os.path.join(folder, one) for one in os.listdir(folder or ".") if mine.fullmatch(one)]
        return []


def remove_pack(path: str) -> None:
    """Remove the list and the volumes of a pack of that name, which would be taken for those of a newer one."""
    with suppress(FileNotFoundError):
        os.unlink(path + LIST_SUFFIX)
    folder, name = os.path.split(path)
    for one in os.listdir(folder or "."):
        if one.startswith(name) and _NUMBERED.fullmatch(one[len(name) :]):
            os.unlink(os.path.join(folder, one))


# --- reading ----------------------------------------------------------------------------------------------------------


class PackStream(io.RawIOBase):
    """A pack's bytes, whether it is one file or volumes; each volume is held against the list as it ends.

    Args:
        path: of the pack, of its first volume, or of its list.
        on_bytes: told how many bytes more were read.
        parts: the list of volumes and the files in its order, where they were found elsewhere than beside `path`.

    Raises:
        PackRefusedError: a volume is missing, or of another length than its list says.
        OSError: nothing is there, or it cannot be read.
    """

    def __init__(
        self,
        path: str,
        on_bytes: Callable[[int], None] = lambda _size: None,
        parts: tuple[VolumeList | None, list[str]] | None = None,
    ) -> None:
        super().__init__()
        self._stack = ExitStack()  # before all that may be refused: what is not whole is closed as well
        self.path = path
        self.listing, self._names = _find(path) if parts is None else parts
        self.length = sum(os.stat(one).st_size for one in self._names)
        self._on_bytes = on_bytes
        self._file: io.FileIO | None = None
        self._at = 0
        self._hash = blake3()

    @property
    def parts(self) -> tuple[str, ...]:
        """The files that are read, in order."""
        return tuple(self._names)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read on; a volume that ends must be the one that its list speaks of."""
        while True:
            if self._file is None:
                if self._at == len(self._names):
                    return 0
                opened = open(self._names[self._at], "rb", buffering=0)  # noqa: SIM115 - closed with the stack
                self._file = self._stack.enter_context(opened)
                self._hash = blake3()
            count = self._file.readinto(buffer)
            if count:
                if self.listing is not None:
                    self._hash.update(memoryview(buffer)[:count])
                self._on_bytes(count)
                return count
            self._end_volume()

    def close(self) -> None:
        """Close the open volume."""
        self._stack.close()
        super().close()

    def _end_volume(self) -> None:
        if self.listing is not None and self._hash.hexdigest() != self.listing.volumes[self._at].id.hex:
            raise PackRefusedError(self.path, "has not the bytes that its list of volumes says", self._names[self._at])
        self._stack.close()
        self._file = None
        self._at += 1


def _find(path: str) -> tuple[VolumeList | None, list[str]]:
    """Give the list of volumes, where there is one, and the files that are the pack."""
    base = _base_of(path)
    if base is None:
        return None, [path]
    listing_path = base + LIST_SUFFIX
    try:
        with open(listing_path, "rb") as file:
            listing = VolumeList.parse(file.read(MAX_VOLUME_LIST_BYTES + 1))
    except FileNotFoundError:
        raise PackRefusedError(path, "is one volume of a pack whose list is not beside it", listing_path) from None
    except ValueError as error:
        raise PackRefusedError(path, str(error), listing_path) from None
    names = [os.path.join(os.path.dirname(path), one.name) for one in listing.volumes]
    for name, volume in zip(names, listing.volumes, strict=True):
        try:
            length = os.stat(name).st_size
        except FileNotFoundError:
            raise PackRefusedError(path, "is missing", name) from None
        if length != volume.length:
            raise PackRefusedError(path, f"has {length} bytes where the list says {volume.length}", name)
    return listing, names


def _base_of(path: str) -> str | None:
    """Give the name that list and volumes begin with; None where `path` is a pack in one file."""
    if path.endswith(LIST_SUFFIX):
        return path.removesuffix(LIST_SUFFIX)
    stem, dot, number = path.rpartition(".")
    if dot and _NUMBERED.fullmatch(f".{number}") and os.path.exists(path):
        return stem
    return path if not os.path.exists(path) and os.path.exists(path + LIST_SUFFIX) else None
