"""Writes the files of a registry tree, each of them whole or not at all.

Rule: what is immutable is written once under a name that its bytes or a claimed serial give, and never changed; what
is an alias is replaced by a rename. Nothing is flushed file by file: `flush` once, before the timestamp shows it all.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

from mmpm.errors import LinkedFolderError
from mmpm.registry import layout
from mmpm_store.durable import is_link_refusal, no_space_named, sync_filesystem, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

IMMUTABLE_MODE = 0o444
ALIAS_MODE = 0o644
_ABANDONED_SECONDS = 86_400
_FOLDERS_KNOWN = 4096
_STAGED_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class TreeWriter:
    """A writer of the tree at `root`, with a staging folder of its own that `close` removes.

    Args:
        root: the tree; made if it is missing.
        follows_links: folders of the tree may be links to where its owner keeps them. In a tree that is filled by what
            others signed they may not: nothing is written outside of it.
    """

    def __init__(self, root: str, *, follows_links: bool = True) -> None:
        self.root = os.path.abspath(root)
        self._follows_links = follows_links
        self._plain: set[str] = set()  # folders that were looked at
        self._hold_folder(layout.STAGING + "/")
        self._staging = f"{self.root}/{layout.STAGING}/{os.getpid()}-{os.urandom(6).hex()}"
        self._count = 0
        self._written: set[bytes] = set()  # by their digests: a batch has hundreds of thousands
        self._prepared: list[tuple[str, str]] = []
        with no_space_named(self.root):
            os.makedirs(self._staging, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was staged, and what crashed publishers left in the staging folder a day ago or longer."""
        reference = os.stat(self._staging).st_mtime if os.path.isdir(self._staging) else 0.0
        shutil.rmtree(self._staging, ignore_errors=True)
        parent = f"{self.root}/{layout.STAGING}"
        with suppress(OSError):
            for name in os.listdir(parent):
                if os.stat(f"{parent}/{name}").st_mtime < reference - _ABANDONED_SECONDS:
                    shutil.rmtree(f"{parent}/{name}", ignore_errors=True)

    def stage(self, pieces: Iterable[bytes], mode: int = IMMUTABLE_MODE) -> str:
        """Write `pieces` into one staged file and give its path.

        Raises:
            NoSpaceError: the tree is as it was.
        """
        self._count += 1
        staged = f"{self._staging}/{self._count}"
        with no_space_named(self.root):
            fd = os.open(staged, _STAGED_FLAGS, 0o600)
            try:
                for piece in pieces:
                    write_all(fd, piece)
                os.fchmod(fd, mode)
            finally:
                os.close(fd)
        return staged

    def put(self, path: str, data: bytes) -> None:
        """Make sure that the immutable file `path` is there with these bytes; a damaged one is replaced."""
        key = _key(path)
        if key in self._written:
            return
        if not self._holds(path, data):
            self.place(self.stage((data,)), path)
        self._written.add(key)

    def prepare(self, path: str, pieces: Iterable[bytes], mode: int = IMMUTABLE_MODE) -> None:
        """Stage a file that `reveal` puts at `path`: what may be seen only once the serial is claimed."""
        self._prepared.append((self.stage(pieces, mode), path))

    def reveal(self) -> None:
        """Put every prepared file at its path, in the order of `prepare`."""
        for staged, path in self._prepared:
            self.place(staged, path)
        self._prepared.clear()

    def forget_prepared(self) -> None:
        """Drop what was prepared: another publisher was first, and it must be made anew."""
        for staged, _ in self._prepared:
            os.unlink(staged)
        self._prepared.clear()

    def replace(self, path: str, data: bytes, mode: int = ALIAS_MODE) -> None:
        """Make `path` hold `data`, whatever was there, by one rename."""
        self.place(self.stage((data,), mode), path)

    def alias(self, source: str, path: str) -> None:
        """Make `path` a second name of the tree's immutable file `source`: a hard link, or a copy where links end."""
        self._hold_folder(path)
        target = f"{self.root}/{path}"
        try:
            self._link(f"{self.root}/{source}", target)
        except FileExistsError:
            if os.path.samefile(f"{self.root}/{source}", target):
                return
            self._count += 1
            staged = f"{self._staging}/{self._count}"
            self._link(f"{self.root}/{source}", staged)
            self.place(staged, path)

    def _hold_folder(self, path: str) -> None:
        """Refuse to write `path` where a folder above it, below the root, is a link.

        Raises:
            LinkedFolderError: one is.
        """
        folder = os.path.dirname(path)
        if self._follows_links or folder in self._plain:
            return
        here = self.root
        for part in filter(None, folder.split("/")):
            here = f"{here}/{part}"
            if os.path.islink(here):
                raise LinkedFolderError(here)
        if len(self._plain) < _FOLDERS_KNOWN:
            self._plain.add(folder)

    def _link(self, source: str, target: str) -> None:
        try:
            try:
                os.link(source, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.link(source, target)
        except OSError as error:
            if not is_link_refusal(error):
                raise
            with open(source, "rb") as file:
                staged = self.stage(iter(lambda: file.read(1 << 20), b""))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.replace(staged, target)

    def set_aside(self, path: str) -> str | None:
        """Move a file into the staging folder, whose end is its end, and give where it is; None where there is none."""
        self._count += 1
        staged = f"{self._staging}/{self._count}"
        try:
            os.rename(f"{self.root}/{path}", staged)
        except (FileNotFoundError, NotADirectoryError):
            return None
        self._written.discard(_key(path))
        return staged

    def flush(self) -> None:
        """Make everything written so far outlive a power cut."""
        with no_space_named(self.root):
            sync_filesystem(self.root)

    def _holds(self, path: str, data: bytes) -> bool:
        # The name alone proves nothing: a power cut can leave a right name over wrong bytes.
        try:
            with open(f"{self.root}/{path}", "rb") as file:
                return file.read(len(data) + 1) == data
        except (FileNotFoundError, NotADirectoryError):
            return False

    def place(self, staged: str, path: str) -> None:
        """Put a staged file at `path`, whatever was there, by one rename."""
        self._hold_folder(path)
        target = f"{self.root}/{path}"
        with no_space_named(self.root):
            try:
                os.replace(staged, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                os.replace(staged, target)


def _key(path: str) -> bytes:
    return blake2b(path.encode(), digest_size=16).digest()
