"""Where a tier's lock, receipt and installed formulas lie, and what is there now.

Rule: nothing here follows a link below the formulas folder, and a file is only trusted unread where its identity
(inode, size, time) is the one that was noted after the last work.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from mmpm.errors import DocumentUnreadableError, LeadsOutsideError
from mmpm.lock import Lockfile, parse_lock
from mmpm.project.state import read_identities
from mmpm.receipt import FILE_NAME, Receipt, parse_receipt
from mmpm.reconcile import FLAT_SUFFIX, Seen
from mmpm.textform import MAX_BYTES, conflict_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mmpm.project.tiers import Project

INSTALLED_LIST = ".installed.json"
IGNORE_FILE = ".gitignore"
# No file has this hash: what bd and gt compare with it always differs, so they leave the file alone.
_FOREIGN = "0" * 64
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """The texts of a tier, as they are on disk.

    Attributes:
        formulas: the folder of installed formulas, absolute, links on the way to it resolved.
        lock_data, receipt_data: bytes, None where there is no file.
        tell_unreadable: hears why the receipt cannot be read, which then counts as lost; None: that is an error.
    """

    formulas: str
    lock_data: bytes | None
    receipt_data: bytes | None
    tell_unreadable: Callable[[str], None] | None = None

    @property
    def lock(self) -> Lockfile | None:
        """The lock.

        Raises:
            DocumentUnreadableError, NewerFormatError: as `parse_lock`.
        """
        return None if self.lock_data is None else parse_lock(self.lock_data)

    @property
    def receipt(self) -> Receipt:
        """The receipt; empty where there is none.

        Raises:
            DocumentUnreadableError, NewerFormatError: as `parse_receipt`.
        """
        if self.receipt_data is None:
            return Receipt()
        try:
            return parse_receipt(self.receipt_data)
        except DocumentUnreadableError as error:
            if self.tell_unreadable is None:
                raise
            self.tell_unreadable(f"{error.fact}; it is written again, and nothing that only it told of is removed")
            return Receipt()


def read_project(
    project: Project, lock_path: str | None = None, tell_unreadable: Callable[[str], None] | None = None
) -> ProjectFiles:
    """Read a tier's texts; `lock_path` stands for its own lock (`--lock FILE`), `tell_unreadable` as in the value.

    Raises:
        LeadsOutsideError: the project's formulas folder is a link out of it.
    """
    formulas = real_path(project, project.formulas)
    return ProjectFiles(
        formulas,
        read_optional(lock_path or project.lock_path),
        read_optional(f"{formulas}/{FILE_NAME}"),
        tell_unreadable,
    )


def real_path(project: Project, path: str) -> str:
    """Give `path` of a tier with links resolved.

    A person may link what is their own (user and town tier) to anywhere. A project may be somebody else's clone.

    Raises:
        LeadsOutsideError: a link leads out of the project.
    """
    real = os.path.realpath(path)
    if project.tier == "project":
        root = os.path.realpath(project.root)
        if not real.startswith(root.rstrip("/") + "/"):
            raise LeadsOutsideError(path, real)
    return real


def read_optional(path: str) -> bytes | None:
    """Give a file's bytes, None where there is none; of a file that is too large for any document only the first.

    Raises:
        OSError: it cannot be read, or is no plain file (a pipe would be waited for without end).
    """
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for somebody who does.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", path)
        return file.read(MAX_BYTES + 1)


def content_id(data: bytes | None) -> str:
    """Give ``blake3:..`` of `data`, and the empty text for no file."""
    return "" if data is None else f"blake3:{blake3(data).hexdigest()}"


def observe(
    formulas: str, paths: Iterable[str], identities: Mapping[str, tuple[int, int, int, str]] | None = None
) -> dict[str, Seen]:
    """Look at `paths` below the folder `formulas`, and at the folders on the way to them.

    Args:
        formulas: absolute.
        paths: relative; those that wanted and installed releases list.
        identities: (inode, size, time in ns, id) by path, noted when the file had that id.

    Returns:
        What `mmpm.reconcile.reconcile` asks for; empty when the folder does not exist.
    """
    listed = set(paths)
    if not listed or not os.path.isdir(formulas):
        return {}
    known = identities or {}
    found: dict[str, Seen] = {}
    folders: dict[str, bool] = {"": True}
    for path in listed:
        if not _is_reachable(formulas, path, folders, found, listed):
            continue
        full = f"{formulas}/{path}"
        try:
            status = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISREG(status.st_mode):
            noted = known.get(path)
            if noted and noted[:3] == (status.st_ino, status.st_size, status.st_mtime_ns):
                identity = noted[3]
            else:
                identity = hash_file(full)
            found[path] = Seen(identity, status.st_mode & 0o100 != 0)
        elif not stat.S_ISDIR(status.st_mode) or _has_foreign(formulas, path, listed):
            found[path] = Seen(odd_id(full, status))
    return found


def _is_reachable(formulas: str, path: str, folders: dict[str, bool], found: dict[str, Seen], listed: set[str]) -> bool:
    folder = path.rpartition("/")[0]
    known = folders.get(folder)
    if known is not None:
        return known
    reachable = False
    if _is_reachable(formulas, folder, folders, found, listed):
        try:
            status = os.lstat(f"{formulas}/{folder}")
        except FileNotFoundError:
            pass
        else:
            reachable = stat.S_ISDIR(status.st_mode)
            if not reachable and folder not in listed:
                full = f"{formulas}/{folder}"
                found[folder] = Seen(hash_file(full) if stat.S_ISREG(status.st_mode) else odd_id(full, status))
    folders[folder] = reachable
    return reachable


def _has_foreign(formulas: str, path: str, listed: set[str]) -> bool:
    """Whether a folder that stands where a file should be has anything that no release lists."""
    for place, folders, files in os.walk(f"{formulas}/{path}"):
        relative = place[len(formulas) + 1 :]
        if any(f"{relative}/{name}" not in listed for name in files) or not (folders or files):
            return True
    return False


def odd_id(path: str, status: os.stat_result) -> str:
    """Give a text for what is no plain file: a link by its target, anything else by its inode. No file has it."""
    what = os.readlink(path) if stat.S_ISLNK(status.st_mode) else str(status.st_ino)
    return f"odd:{blake3(what.encode(errors='surrogateescape')).hexdigest()}"


def hash_file(path: str) -> str:
    """Give ``blake3:..`` of a file, read in pieces."""
    with open(path, "rb", buffering=0) as file:
        data = file.read(_CHUNK)
        if len(data) < _CHUNK:
            return f"blake3:{blake3(data).hexdigest()}"
        hasher = blake3(data)
        while data := file.read(_CHUNK):
            hasher.update(data)
        return f"blake3:{hasher.hexdigest()}"


def installed_identities(state_file: str, receipt: Receipt) -> dict[str, tuple[int, int, int, str]]:
    """Join what was noted after the last work (`mmpm.project.state`) with the ids in the receipt."""
    noted = read_identities(state_file)
    if not noted:
        return {}
    return {
        file.path: (*noted[file.path], file.id)
        for entry in receipt.entries
        for file in entry.files
        if file.path in noted
    }


def unmanaged(formulas: str, receipt: Receipt) -> list[str]:
    """Name the formulas in a folder that no receipt lists: flat files by their name, sorted."""
    ours = {file.path for entry in receipt.entries for file in entry.files}
    try:
        names = os.listdir(formulas)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = {name.removesuffix(FLAT_SUFFIX) for name in names if name.endswith(FLAT_SUFFIX) and name not in ours}
    bundles = {entry.installed_name for entry in receipt.entries}
    found |= {name for name in names if name not in bundles and os.path.isfile(f"{formulas}/{name}/formula.toml")}
    return sorted(found)


def installed_list(data: bytes | None, before: Receipt, after: Receipt) -> str | None:
    """Give gt's `.installed.json` with an entry that differs from the file for each formula of ours.

    `gt upgrade` and `gt doctor --fix` overwrite a formula whose entry equals its file (MOLECULES, "Living beside bd
    and gt"). Entries of others stay as they are; where git left two sides of the list, the entries of both.

    Returns:
        The new text; None if it must not be touched, because it is none that gt writes.
    """
    import json

    try:
        document = _listed(data or b"{}")
        formulas = document.get("formulas") or {}
        entries = {str(name): value for name, value in formulas.items()}
    except (ValueError, AttributeError, RecursionError):
        return None
    for entry in before.entries:
        if entries.get(entry.installed_name + FLAT_SUFFIX) == _FOREIGN:
            del entries[entry.installed_name + FLAT_SUFFIX]
    for entry in after.entries:
        entries[entry.installed_name + FLAT_SUFFIX] = _FOREIGN
    document["formulas"] = dict(sorted(entries.items()))
    return json.dumps(document, indent=2) + "\n"


def _listed(data: bytes) -> dict[str, Any]:
    """Read gt's list; of one with conflict markers the entries of both sides.

    An entry on which the sides differ becomes one that equals no file, so that gt leaves the file alone.

    Raises:
        ValueError, RecursionError: neither JSON nor such a list.
    """
    import json

    try:
        document: dict[str, Any] = json.loads(data)
    except ValueError:
        if not conflict_line(data):
            raise
        import re

        entries: dict[str, str] = {}
        for name, value in re.findall(r'"([^"\\]+\.formula\.toml)" *: *"([^"\\]*)"', data.decode("utf-8", "replace")):
            entries[name] = value if entries.get(name, value) == value else _FOREIGN
        return {"formulas": entries}
    return document
