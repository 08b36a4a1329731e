"""This machine's copy of a registry's signed documents, in the store: the same paths as in the registry tree.

Rule: bytes here are never believed for being here. Everything is read together with the sha256 that signed metadata
gives for it; what does not match counts as absent and is fetched again over it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from typing import Final

from mmpm.registry.transport import check_request_path
from mmpm_store.durable import sync_filesystem, write_file_durably

MAX_DOCUMENT_BYTES: Final = 64 << 20
"""The longest document that is read at all; a bin of 10,000 names has 2 MB."""


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """The documents of one registry in `folder` (``<store>/registries/<registry id>``), which need not exist."""

    folder: str

    @classmethod
    def of(cls, store: str, registry_id: str) -> LocalCopy:
        """Give the copy of a registry in the store at path `store`."""
        return cls(os.path.join(store, "registries", registry_id))

    def has(self, path: str) -> bool:
        """Whether something lies at `path`; its bytes are not looked at."""
        return os.path.lexists(f"{self.folder}/{check_request_path(path)}")

    def read(self, path: str, sha256: str, length: int) -> bytes | None:
        """Give the bytes at `path` if they are the ones that `sha256` names, else None."""
        data = self.read_unverified(path, length)
        if data is None or len(data) != length or hashlib.sha256(data).hexdigest() != sha256:
            return None
        return data

    def read_unverified(self, path: str, max_bytes: int = MAX_DOCUMENT_BYTES) -> bytes | None:
        """Give whatever lies at `path`, at most one byte more than `max_bytes`, or None."""
        if max_bytes > MAX_DOCUMENT_BYTES:
            return None
        full = f"{self.folder}/{check_request_path(path)}"
        try:
            handle = os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            data = os.read(handle, max_bytes + 1)
            if len(data) < max_bytes:  # a short read, or the end: only another read can tell
                while len(data) <= max_bytes and (more := os.read(handle, max_bytes + 1 - len(data))):
                    data += more
        except OSError:
            return None
        finally:
            os.close(handle)
        return data

    def write(self, path: str, data: bytes) -> None:
        """Put verified bytes at `path`, whole or not at all; `flush` makes them last."""
        full = f"{self.folder}/{check_request_path(path)}"
        try:
            write_file_durably(full, data, durable=False)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            write_file_durably(full, data, durable=False)

    def flush(self) -> None:
        """Make everything written so far survive a power cut."""
        if os.path.isdir(self.folder):
            sync_filesystem(self.folder)

    def remove(self, path: str) -> None:
        """Remove the file at `path` if there is one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.folder}/{check_request_path(path)}")
