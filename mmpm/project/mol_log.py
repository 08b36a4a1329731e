"""Where molecules lie below a root, and their logs: one file a molecule, one line an operation.

Rule: a line is there whole or not at all. It is appended with one write and flushed; what a killed writer left of one
is passed over by readers and cut off by the next writer. Writers hold the one lock of the root
(`mmpm.ops.mol_state.Workspace.begin`); readers need none.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mmpm.errors import MoleculeLogError
from mmpm.molecule.digest import MAX_DIGEST_BYTES, Digest, verify_digest
from mmpm.molecule.events import is_molecule_id
from mmpm.molecule.lines import MAX_LINE_BYTES, NewerLineError, parse_line
from mmpm.project.mol_lines import open_log, open_plain, stamp_of
from mmpm_store.durable import exclusive_create, fsync_path, no_space_named, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.molecule.lines import Line
    from mmpm.project.mol_lines import Stamp

SUFFIX: Final = ".jsonl"
_CHUNK_BYTES: Final = 1 << 16
_WISP_IGNORE: Final = b"*\n"
_MOL_ATTRIBUTES: Final = b"mols/*.jsonl merge=union\naudit.jsonl merge=union\n"


@dataclass(frozen=True, slots=True)
class MolPlaces:
    """Absolute paths below one root; none needs to exist."""

    root: str

    @property
    def mols(self) -> str:
        """Folder of the logs of mols."""
        return os.path.join(self.root, ".beads", "mmpm", "mols")

    @property
    def wisps(self) -> str:
        """Folder of the logs of wisps, which git is told to ignore."""
        return os.path.join(self.root, ".beads-wisp")

    @property
    def digests(self) -> str:
        """Folder of the digests."""
        return os.path.join(self.root, ".beads", "mmpm", "digests")

    @property
    def audit(self) -> str:
        """The log of what was burned."""
        return os.path.join(self.root, ".beads", "mmpm", "audit.jsonl")

    @property
    def lock(self) -> str:
        """The file that writers lock."""
        return os.path.join(self.wisps, ".lock")

    @property
    def ending(self) -> str:
        """The note of a squash or burn that is not completed."""
        return os.path.join(self.wisps, ".ending")

    def log(self, molecule_id: str, phase: str) -> str:
        """Give the log of a molecule; `phase` is ``mol`` or ``wisp``."""
        return os.path.join(self.wisps if phase == "wisp" else self.mols, molecule_id + SUFFIX)

    def digest(self, molecule_id: str) -> str:
        """Give the file of a molecule's digest."""
        return os.path.join(self.digests, f"{molecule_id}.json")


class LogFile(NamedTuple):
    """A log that is there, and what tells whether it has changed: `mol_lines.Stamp`.

    A tuple, for each listing makes one for every log.
    """

    id: str
    phase: str
    path: str
    stamp: Stamp

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.stamp[1]


@dataclass(frozen=True, slots=True)
class ReadLog:
    """A log as it was read.

    Attributes:
        problems: what was left out, ``line 3: ..``; at most `MAX_PROBLEMS`.
        size: bytes of whole lines.
        is_torn: whether bytes of a line that was never finished follow them.
        is_newer: whether a newer program wrote some of it: nothing may be decided over the rest.
    """

    lines: tuple[Line, ...]
    problems: tuple[str, ...] = ()
    size: int = 0
    is_torn: bool = False
    is_newer: bool = False


def list_logs(places: MolPlaces) -> tuple[LogFile, ...]:
    """Give every log of a root, sorted by id, a mol before a wisp; what is no log (a link, a pipe) is passed over."""
    found: list[LogFile] = []
    for phase, folder in (("mol", places.mols), ("wisp", places.wisps)):
        for entry in _entries(folder):
            name = entry.name
            molecule_id = name.removesuffix(SUFFIX)
            if molecule_id == name or not is_molecule_id(molecule_id):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.append(LogFile(molecule_id, phase, entry.path, stamp_of(status)))
    found.sort()
    return tuple(found)


def list_digests(places: MolPlaces) -> frozenset[str]:
    """Give the ids of all digests of a root."""
    ids = (entry.name.removesuffix(".json") for entry in _entries(places.digests) if entry.name.endswith(".json"))
    return frozenset(one for one in ids if is_molecule_id(one))


def read_log(path: str) -> ReadLog | None:
    """Read a log; None where there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or larger than any log.
    """
    with open_log(path) as log:
        if log is None:
            return None
        lines = tuple(log)
    return ReadLog(lines, tuple(log.problems), log.size, log.is_torn, bool(log.newer))


def read_plain(path: str, max_bytes: int) -> bytes | None:
    """Read a file whole; None where there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or larger than it may be.
    """
    file = open_plain(path, max_bytes)
    if file is None:
        return None
    with file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it has more than {max_bytes} bytes")
    return data


def read_digest(places: MolPlaces, molecule_id: str) -> Digest | None:
    """Give the digest of a molecule; None where there is none.

    Raises:
        MoleculeLogError: the file is none, or does not hold.
    """
    path = places.digest(molecule_id)
    try:
        data = read_plain(path, MAX_DIGEST_BYTES)
        digest = Digest.parse(data) if data is not None else None
    except OSError as error:
        raise MoleculeLogError(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise MoleculeLogError(path, str(error)) from error
    if digest is not None and (digest.id != molecule_id or not verify_digest(digest)):
        raise MoleculeLogError(path, "it does not say what its root says: it was changed, or is another's")
    return digest


def make_folder(path: str) -> None:
    """Make a folder and those above it, so that they are there after a power cut, too."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    if missing:
        os.makedirs(missing[0], exist_ok=True)
        for one in missing:
            fsync_path(os.path.dirname(one))


def make_folders(places: MolPlaces, phase: str) -> None:
    """Make the folder of the logs of a phase, with what git is told about it: to ignore wisps, to join lines of mols.

    Two branches that worked on one molecule then merge without a conflict: the fold takes the first that fits.
    """
    if phase == "wisp":
        make_folder(places.wisps)
        _tell_git(os.path.join(places.wisps, ".gitignore"), _WISP_IGNORE)
    elif not os.path.isdir(places.mols):
        make_synced_folder(places)
        make_folder(places.mols)


def make_synced_folder(places: MolPlaces) -> None:
    """Make the folder of all that git keeps, the audit log among it, with what git is told about it."""
    folder = os.path.dirname(places.audit)
    make_folder(folder)
    _tell_git(os.path.join(folder, ".gitattributes"), _MOL_ATTRIBUTES)


def _tell_git(path: str, data: bytes) -> None:
    if not os.path.lexists(path):
        exclusive_create(path, data)


def create(path: str, data: bytes) -> bool:
    """Begin a log with its first line, given without its line feed; False where there is one of that name already.

    Raises:
        NoSpaceError: there is none of it.
    """
    return exclusive_create(path, data + b"\n")


def append(path: str, data: bytes, *, flush: bool = True) -> None:
    """Append one line or several, without the last line feed; the caller holds the lock. What was torn is cut off.

    Args:
        path: of the log.
        data: what is written with one write.
        flush: whether it is there after a power cut when this returns; else that is the caller's business.

    Raises:
        FileNotFoundError: there is no log to append to.
        NoSpaceError: the log is as it was.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise MoleculeLogError(path, "it is not a plain file")
        end, joint = _end_of(fd)
        os.lseek(fd, end, os.SEEK_SET)
        if end != status.st_size:
            os.ftruncate(fd, end)
        with no_space_named(path):
            try:
                write_all(fd, joint + data + b"\n")
                if flush:
                    os.fsync(fd)
            except BaseException:
                os.ftruncate(fd, end)
                raise
    finally:
        os.close(fd)


def remove(*paths: str) -> None:
    """Remove logs, durably; harmless where there is none."""
    folders = set()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            folders.add(os.path.dirname(path))
    for folder in sorted(folders):
        fsync_path(folder)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        yield from entries


def _end_of(fd: int) -> tuple[int, bytes]:
    """Give where the next line goes, and what has to stand before it: an editor may have taken the last line feed."""
    end = start = os.fstat(fd).st_size
    pieces: list[bytes] = []
    has_found = False
    while start and not has_found:
        size = min(start, _CHUNK_BYTES)
        start -= size
        before, feed, tail = os.pread(fd, size, start).rpartition(b"\n")
        has_found = bool(feed)
        start += (len(before) + 1) * has_found
        if end - start <= MAX_LINE_BYTES:
            pieces.append(tail)
    if start == end:
        return end, b""
    if end - start > MAX_LINE_BYTES:
        return start, b""
    torn = b"".join(reversed(pieces))
    try:
        parse_line(torn)
    except NewerLineError:
        return end, b"\n"
    except ValueError:
        return start, b""
    return end, b"\n"
