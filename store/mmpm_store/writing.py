"""How objects come into the store: written in staging, flushed in one go, then renamed into place."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from mmpm_store.durable import fsync_path, no_space_named, sync_filesystem, write_all
from mmpm_store.ids import ObjectId
from mmpm_store.layout import EXECUTABLE_MODE, PLAIN_MODE
from mmpm_store.objects import BATCH_FILES, object_name, read_file

if TYPE_CHECKING:
    from mmpm_store.objects import Store

# Up to this many new files are flushed one by one: syncfs also waits for what other programs wrote. Measured on ext4,
# a flush a file costs 7 to 30 times the writing, syncfs 0.8 to 2.4 times of a whole batch.
_FSYNC_FILES = 4
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Writer:
    """One round of puts after another; `close` drops what was not committed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._objects = f"{store.path}/objects"
        self._prefix = f"{store.path}/staging/put.{os.getpid()}.{os.urandom(6).hex()}."
        self._pending: dict[tuple[ObjectId, bool], str] = {}
        self._count = 0

    def add(self, data: bytes, executable: bool) -> ObjectId:
        """Stage `data`, unless the store has it intact: then only its age is renewed.

        Raises:
            NoSpaceError: the disk is full.
        """
        object_id = ObjectId.of(data)
        key = (object_id, executable)
        if key in self._pending or self._renewed(object_id, executable, data):
            return object_id
        if len(self._pending) >= BATCH_FILES:
            self.commit()
        self._count += 1
        temporary = f"{self._prefix}{self._count}"
        with no_space_named(self._store.path):
            fd = os.open(temporary, _FLAGS, 0o600)
            self._pending[key] = temporary
            try:
                write_all(fd, data)
                os.fchmod(fd, EXECUTABLE_MODE if executable else PLAIN_MODE)
            finally:
                os.close(fd)
        return object_id

    def commit(self) -> None:
        """Make all that was added visible, and with it durable if the store is.

        Raises:
            NoSpaceError: the disk is full.
        """
        if not self._pending:
            return
        durable = self._store.durability == "durable"
        many = len(self._pending) > _FSYNC_FILES
        with no_space_named(self._store.path):
            if durable and many:
                sync_filesystem(self._objects)
            elif durable:
                for temporary in self._pending.values():
                    fsync_path(temporary)
            folders = set()
            for (object_id, executable), temporary in list(self._pending.items()):
                target = f"{self._objects}/{object_name(object_id, executable)}"
                folders.add(target[: target.rindex("/")])
                self._show(temporary, target)
                del self._pending[object_id, executable]
            if durable and many:
                sync_filesystem(self._objects)
            elif durable:
                for folder in {*folders, self._objects}:
                    fsync_path(folder)

    def close(self) -> None:
        """Drop what was added and not committed."""
        for temporary in self._pending.values():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        self._pending.clear()

    def _show(self, temporary: str, target: str) -> None:
        try:
            os.rename(temporary, target)
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):
                os.mkdir(os.path.dirname(target))
            os.rename(temporary, target)

    def _renewed(self, object_id: ObjectId, executable: bool, data: bytes) -> bool:
        """Whether the object is here and intact. A damaged one goes to quarantine and is written anew."""
        path = self._store.path_of(object_id, executable=executable)
        try:
            intact = read_file(path, len(data)) == data
            if intact:
                os.utime(path)
        except FileNotFoundError:
            return False
        except OSError:
            intact = False
        if not intact:
            self._store.quarantine(object_id, executable=executable)
        return intact
