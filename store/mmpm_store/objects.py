"""The store: objects by BLAKE3 in a folder, each written once, read-only, and re-hashed whenever it is read.

    version   objects/<ab>/<rest>   objects/<ab>/<rest>-x   roots/   staging/   quarantine/   registries/

Rules: an object comes into being by one rename of a complete, flushed file, and is never rewritten; writers need no
lock, since equal ids mean equal bytes. What does not match its id is moved to quarantine/, never unlinked. Anything in
staging/ may be lost at any time. `registries/` belongs to the caller.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from blake3 import blake3

from mmpm_store.errors import (
    DamagedObjectError,
    MissingObjectError,
    NewerStoreError,
    NotAStoreError,
    quoted,
)
from mmpm_store.ids import ObjectId
from mmpm_store.layout import READ_FLAGS, name_of
from mmpm_store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

VERSION = 1
FOLDERS = ("objects", "roots", "staging", "quarantine", "registries")
# A batch of puts is flushed in rounds of this size, so that a crash loses little and memory stays flat.
BATCH_FILES = 4096

Durability = Literal["durable", "none"]


def object_name(object_id: ObjectId, executable: bool) -> str:
    """Give the object's path below ``objects/``."""
    return name_of(object_id.hex, executable)


def parse_object_name(folder: str, name: str) -> tuple[ObjectId, bool] | None:
    """Read what `object_name` wrote; None for a file that is no object."""
    rest = name.removesuffix("-x")
    try:
        return (ObjectId(folder + rest), rest != name) if len(folder) == 2 else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What a store holds. An object in both variants (plain and executable) counts twice."""

    objects: int
    bytes: int
    roots: int
    quarantined: int
    quarantined_bytes: int
    staging: int


@dataclass(frozen=True, slots=True)
class Store:
    """A store in the folder `path`.

    Attributes:
        path: of the folder, absolute.
        durability: ``durable``: what a put returned survives a power cut. ``none``: it may not (tests, scratch stores).
    """

    path: str
    durability: Durability = "durable"

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = True, durability: Durability = "durable") -> Self:
        """Open the store in `path`, made if missing and `create`.

        Raises:
            NotAStoreError: there is none, or something else lies there.
            NewerStoreError: a newer major version wrote it; nothing was touched.
        """
        root = os.path.abspath(os.fspath(path))
        try:
            with open(f"{root}/version", "rb") as file:
                text = file.read(64)
        except FileNotFoundError:
            if not create:
                raise NotAStoreError(f"no store in {quoted(root)}", "name a store's folder") from None
            _create(root)
            text = b"%d\n" % VERSION
        except OSError as error:
            raise NotAStoreError(f"no store in {quoted(root)}: {error.strerror}", "name a store's folder") from None
        major = text.strip().partition(b".")[0]
        if not major.isdigit():
            raise NotAStoreError(f"{quoted(root)} has no readable store version", "name a store's folder")
        if int(major) > VERSION:
            raise NewerStoreError(
                f"the store in {quoted(root)} has version {int(major)}, this program knows {VERSION}",
                "update the program, or use another store",
            )
        return cls(root, durability)

    def path_of(self, object_id: ObjectId, executable: bool = False) -> str:
        """Give the path at which that variant of the object lies, or would lie."""
        return f"{self.path}/objects/{object_name(object_id, executable)}"

    def has(self, object_id: ObjectId, executable: bool | None = None) -> bool:
        """Whether the object is here (in that variant, or in any if None). Its bytes are not looked at."""
        variants = (False, True) if executable is None else (executable,)
        return any(os.path.lexists(self.path_of(object_id, one)) for one in variants)

    def missing(self, ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Give those of `ids` that are here in no variant."""
        return {one for one in ids if not self.has(one)}

    def put(self, data: bytes, executable: bool = False) -> ObjectId:
        """Store `data`; the same data again only renews its age.

        Raises:
            NoSpaceError: nothing of it is visible then.
        """
        return self.put_many([(data, executable)])[0]

    def put_many(self, files: Iterable[tuple[bytes, bool]]) -> list[ObjectId]:
        """Store (data, executable) pairs, lazily taken, with one flush a few thousand.

        Returns:
            The ids, in the order of `files`.

        Raises:
            NoSpaceError: a whole round of objects may be there by then, never part of one object.
        """
        from mmpm_store.writing import Writer

        writer = Writer(self)
        try:
            ids = [writer.add(data, executable) for data, executable in files]
            writer.commit()
        finally:
            writer.close()
        return ids

    def put_tree(self, tree: Tree) -> ObjectId:
        """Store the tree's listing (not its files)."""
        return self.put(tree.to_bytes())

    def read(self, object_id: ObjectId) -> bytes:
        """Give the object's bytes, from whichever variant is intact.

        Raises:
            MissingObjectError: it is not here.
            DamagedObjectError: no variant matches its id; they are in quarantine now.
        """
        damaged = False
        for executable in (False, True):
            state, data = self._inspect(object_id, executable)
            if state == "intact":
                return data
            if state == "damaged":
                self.quarantine(object_id, executable)
                damaged = True
        raise DamagedObjectError([object_id]) if damaged else MissingObjectError([object_id])

    def peek(self, object_id: ObjectId) -> bytes | None:
        """Give the object's bytes if a variant is intact, else None; nothing is moved."""
        for executable in (False, True):
            state, data = self._inspect(object_id, executable)
            if state == "intact":
                return data
        return None

    def is_intact(self, object_id: ObjectId, executable: bool) -> bool:
        """Whether that variant is here and its bytes match its id; nothing is moved."""
        return self._inspect(object_id, executable)[0] == "intact"

    def _inspect(self, object_id: ObjectId, executable: bool) -> tuple[Literal["intact", "damaged", "missing"], bytes]:
        try:
            data = read_file(self.path_of(object_id, executable))
        except FileNotFoundError:
            return "missing", b""
        except OSError as error:
            if error.errno not in {errno.EIO, errno.ELOOP, errno.EISDIR, errno.EMLINK}:
                raise
            return "damaged", b""
        return ("intact", data) if blake3(data).hexdigest() == object_id.hex else ("damaged", b"")

    def read_tree(self, object_id: ObjectId) -> Tree:
        """Give the tree with that id.

        Raises:
            MissingObjectError, DamagedObjectError: as for `read`.
            TreeError: the object is no tree.
        """
        return Tree.parse(self.read(object_id))

    def quarantine(self, object_id: ObjectId, executable: bool = False) -> bool:
        """Move that variant aside, so that nothing links or reads it again; False if it was not there."""
        suffix = "-x" if executable else ""
        aside = f"{self.path}/quarantine/{object_id.hex}{suffix}.{os.urandom(6).hex()}"
        try:
            os.rename(self.path_of(object_id, executable), aside)
        except FileNotFoundError:
            return False
        return True

    def objects(self) -> Iterator[tuple[ObjectId, bool, os.stat_result]]:
        """Give every object there is: id, executable, lstat; sorted by id, plain variant first."""
        for folder in sorted(name for name in _names(f"{self.path}/objects") if len(name) == 2):
            for name in sorted(_names(f"{self.path}/objects/{folder}")):
                known = parse_object_name(folder, name)
                if known is None:
                    continue
                try:
                    yield (*known, os.lstat(f"{self.path}/objects/{folder}/{name}"))
                except FileNotFoundError:
                    continue  # collected or quarantined meanwhile

    def status(self) -> StoreStatus:
        """Count what the store holds, without reading it."""
        sizes = [status.st_size for _, _, status in self.objects()]
        held = [os.lstat(f"{self.path}/quarantine/{name}").st_size for name in _names(f"{self.path}/quarantine")]
        return StoreStatus(
            objects=len(sizes),
            bytes=sum(sizes),
            roots=sum(name.endswith(".json") for name in _names(f"{self.path}/roots")),
            quarantined=len(held),
            quarantined_bytes=sum(held),
            staging=len(_names(f"{self.path}/staging")),
        )


def read_file(path: str, size_hint: int | None = None, dir_fd: int | None = None) -> bytes:
    """Read a plain file whole, never through a symlink and never waiting on a pipe.

    `size_hint` bounds what is read to one byte more, so that a file that grew costs no memory.
    """
    fd = os.open(path, READ_FLAGS, dir_fd=dir_fd)
    try:
        if size_hint is not None:
            data = os.read(fd, size_hint + 1)
            if len(data) == size_hint or not data:
                return data
            chunks = [data]
            left = size_hint + 1 - len(data)
        else:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EISDIR, "not a plain file", path)
            chunks = []
            left = status.st_size + 1
        while left > 0 and (data := os.read(fd, left)):
            chunks.append(data)
            left -= len(data)
        return b"".join(chunks)
    finally:
        os.close(fd)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _create(root: str) -> None:
    from mmpm_store.durable import no_space_named, write_file_durably

    with no_space_named(root):
        try:
            os.makedirs(root, exist_ok=True)
            strangers = sorted(set(os.listdir(root)) - {*FOLDERS, "version"})
            if strangers:
                raise NotAStoreError(
                    f"{quoted(root)} is not empty and no store: it has {quoted(strangers[0])}",
                    "name an empty folder",
                )
            for folder in FOLDERS:
                os.makedirs(f"{root}/{folder}", exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise NotAStoreError(f"{quoted(root)} is not a folder", "name a folder") from None
        write_file_durably(f"{root}/version", b"%d\n" % VERSION, staging=f"{root}/staging")
