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
    """The documents of one registry.

    Attributes:
        folder: where they lie (``<store>/registries/<registry id>``); need not exist. Under a root key that only a
            project states it is ``<store>/registries/+<fingerprint>/<registry id>``: registries that share nothing
            but a name would overwrite each other's documents for ever.
        behind: another such folder that is read (never written) where `folder` lacks something, or empty. What is
            under another key there has other hashes, and so counts as absent.
    """

    folder: str
    behind: str = ""

    @classmethod
    def of(cls, store: str, registry_id: str, project_root: str | None = None) -> LocalCopy:
        """Give the copy of a registry in the store at path `store`.

        Args:
            store: the store.
            registry_id: the registry.
            project_root: its root key's fingerprint if only a project states it (`TrustFolder.project_root`).
        """
        own = os.path.join(store, "registries", registry_id)
        if project_root is None:
            return cls(own)
        return cls(os.path.join(store, "registries", f"+{project_root}", registry_id), own)

    def has(self, path: str) -> bool:
        """Whether something lies at `path`; its bytes are not looked at."""
        return self.folder_with(path) is not None

    def folder_with(self, path: str) -> str | None:
        """Give the folder in which something lies at `path`, or None."""
        checked = check_request_path(path)
        return next((one for one in self._folders() if os.path.lexists(f"{one}/{checked}")), None)

    def read(self, path: str, sha256: str, length: int) -> bytes | None:
        """Give the bytes at `path` if they are the ones that `sha256` names, else None."""
        if length > MAX_DOCUMENT_BYTES:
            return None
        checked = check_request_path(path)
        for folder in self._folders():
            data = _read_file(f"{folder}/{checked}", length)
            if data is not None and len(data) == length and hashlib.sha256(data).hexdigest() == sha256:
                return data
        return None

    def read_at_most(self, path: str, sha256: str, max_bytes: int) -> bytes | None:
        """Give the bytes at `path` if they are the ones that `sha256` names, no more than `max_bytes`, else None."""
        checked = check_request_path(path)
        for folder in self._folders():
            data = _read_file(f"{folder}/{checked}", max_bytes)
            if data is not None and len(data) <= max_bytes and hashlib.sha256(data).hexdigest() == sha256:
                return data
        return None

    def _folders(self) -> tuple[str, ...]:
        return (self.folder, self.behind) if self.behind else (self.folder,)

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


def _read_file(path: str, max_bytes: int) -> bytes | None:
    """Give what lies at `path`, at most one byte more than `max_bytes`, or None."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
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
