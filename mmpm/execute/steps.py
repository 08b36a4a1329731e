"""The steps that change a formulas folder, and doing them so that doing them again does no harm.

Rule: a step may run after a crash, a second time, hours later, over files that a person touched in between. So each
looks at the bytes that it would take away: what is neither what it expects nor what it brings is kept beside.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmpm.project.files import content_id, hash_file, odd_id, read_optional
from mmpm.reconcile import kept_name
from mmpm_store.durable import fsync_path, write_file_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A step is a list, as JSON has it; paths are relative to the formulas folder, `staged` to the staging folder:
#   ["whole", staged]                      the staged folder becomes the formulas folder, which is not there
#   ["aside", path, kept, id]              rename a person's file out of the way
#   ["remove", path, id]                   unlink a file of ours, then folders that became empty
#   ["install", staged, path, [ids]]       rename a staged file or folder into place, over a file with one of these ids
#   ["write", path, text, id or None]      write an absolute path, over a file with this id ("": no file; None: any)
Step = list[Any]


@dataclass(slots=True)
class Work:
    """Runs steps over one folder.

    Attributes:
        formulas, staging: absolute paths, one file system.
        checkpoint: called with each step's name before and between its effects; tests stop the process there.
        kept: (path, kept as) of everything that was put beside.
        skipped: absolute paths that a person changed meanwhile and that were therefore not written.
        touched: folders whose names changed.
    """

    formulas: str
    staging: str
    checkpoint: Callable[[str], None] = lambda _: None
    kept: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)

    def run(self, steps: Sequence[Step]) -> None:
        """Do all steps, in order; each one that is done already is passed over."""
        for step in steps:
            self.checkpoint(step[0])
            _EFFECTS[step[0]](self, *step[1:])
        self.checkpoint("end")

    def _whole(self, staged: str) -> None:
        source = f"{self.staging}/{staged}"
        if not os.path.lexists(source):
            return
        try:
            os.rename(source, self.formulas)
            self.touched.add(os.path.dirname(self.formulas))
        except OSError:
            if not os.path.isdir(self.formulas):
                raise
            # Somebody made the folder meanwhile.
            self._merge(staged, "")

    def _merge(self, staged: str, path: str) -> None:
        for name in sorted(os.listdir(f"{self.staging}/{staged}")):
            self._install(f"{staged}/{name}", f"{path}/{name}" if path else name, [])

    def _aside(self, path: str, kept: str, identity: str) -> None:
        if self._identity(path) == identity:
            self._keep(path, kept)

    def _remove(self, path: str, identity: str) -> None:
        found = self._identity(path)
        if found == identity:
            os.unlink(f"{self.formulas}/{path}")
            self.touched.add(os.path.dirname(f"{self.formulas}/{path}"))
        elif found and not os.path.isdir(f"{self.formulas}/{path}"):
            # A folder there is what this change has put in the file's place already, or holds a person's files.
            self._keep(path, kept_name(path, found))
        folder = path.rpartition("/")[0]
        while folder:
            try:
                os.rmdir(f"{self.formulas}/{folder}")
            except OSError:
                return
            self.touched.discard(f"{self.formulas}/{folder}")
            folder = folder.rpartition("/")[0]
            self.touched.add(f"{self.formulas}/{folder}".rstrip("/"))

    def _install(self, staged: str, path: str, replaceable: list[str]) -> None:
        source, target = f"{self.staging}/{staged}", f"{self.formulas}/{path}"
        try:
            is_folder = stat.S_ISDIR(os.lstat(source).st_mode)
        except FileNotFoundError:
            return
        self._make_parents(path)
        there = self._identity(path)
        if is_folder and there and os.path.isdir(target) and not os.path.islink(target):
            self._merge(staged, path)
            return
        if there and (is_folder or (there not in replaceable and there != hash_file(source))):
            self._keep(path, kept_name(path, there))
            self.checkpoint("kept")
        os.rename(source, target)
        # rename(2) of two names of one inode does nothing: the staged name stays, and goes with the staging folder.
        self.touched.add(os.path.dirname(target))

    def _write(self, path: str, text: str, replaces: str | None) -> None:
        data = text.encode()
        there = content_id(read_optional(path))
        if there == content_id(data):
            return
        if replaces is not None and there != replaces:
            self.skipped.append(path)
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        mode = 0o644
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(os.stat(path).st_mode)
        # A link (dotfiles kept elsewhere) stays a link: what it names is written.
        write_file_durably(os.path.realpath(path), data, mode)

    def _identity(self, path: str) -> str:
        """Give the id of what lies at `path`, empty for nothing."""
        full = f"{self.formulas}/{path}"
        try:
            status = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        return hash_file(full) if stat.S_ISREG(status.st_mode) else odd_id(full, status)

    def _keep(self, path: str, kept: str) -> None:
        """Put what lies at `path` beside it, under the name `kept` or, if other bytes have that, one like it."""
        source = f"{self.formulas}/{path}"
        name, number = kept, 1
        while os.path.lexists(f"{self.formulas}/{name}") and self._identity(name) != self._identity(path):
            number += 1
            name = f"{kept}-{number}"
        target = f"{self.formulas}/{name}"
        status = os.lstat(source)
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            # The inode may be the store's, and other installs': what is the person's becomes their own, and writable.
            copy = f"{self.staging}/kept-{os.urandom(4).hex()}"
            os.makedirs(self.staging, exist_ok=True)
            shutil.copyfile(source, copy)
            os.chmod(copy, stat.S_IMODE(status.st_mode) | 0o200)
            fsync_path(copy)
            os.rename(copy, target)
            self.checkpoint("copied")
            os.unlink(source)
        else:
            os.rename(source, target)
        self.touched.add(os.path.dirname(target))
        self.kept.append((path, name))

    def _make_parents(self, path: str) -> None:
        parts = path.split("/")[:-1]
        for depth in range(len(parts) + 1):
            folder = "/".join(parts[:depth])
            full = f"{self.formulas}/{folder}" if folder else self.formulas
            try:
                os.mkdir(full)
                self.touched.add(os.path.dirname(full))
            except FileExistsError:
                if folder and (os.path.islink(full) or not os.path.isdir(full)):
                    self._keep(folder, kept_name(folder, self._identity(folder)))
                    os.mkdir(full)
            except FileNotFoundError:
                os.makedirs(full, exist_ok=True)


_EFFECTS: dict[str, Callable[..., None]] = {
    "whole": Work._whole,  # noqa: SLF001 - the table is this module's
    "aside": Work._aside,  # noqa: SLF001
    "remove": Work._remove,  # noqa: SLF001
    "install": Work._install,  # noqa: SLF001
    "write": Work._write,  # noqa: SLF001
}
