"""Where molecules lie below a root, and their logs: one file a molecule, one line an operation.

Rule: a line is there whole or not at all. It is appended with one write and flushed; what a killed writer left of one
is passed over by readers and cut off by the next writer. Writers hold the one lock of the root
(`mmpm.ops.mol_state.Workspace.begin`); readers need none.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.molecule.events import NewerLineError, is_molecule_id, parse_line
from mmpm_store.durable import exclusive_create, fsync_path, no_space_named, write_all

if TYPE_CHECKING:
    from mmpm.molecule.events import Line

SUFFIX: Final = ".jsonl"
MAX_LOG_BYTES: Final = 512 << 20
MAX_PROBLEMS: Final = 100
_WISP_IGNORE: Final = b"*\n"


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

    def log(self, molecule_id: str, phase: str) -> str:
        """Give the log of a molecule; `phase` is ``mol`` or ``wisp``."""
        return os.path.join(self.wisps if phase == "wisp" else self.mols, molecule_id + SUFFIX)

    def digest(self, molecule_id: str) -> str:
        """Give the file of a molecule's digest."""
        return os.path.join(self.digests, f"{molecule_id}.json")


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log that is there, and what tells whether it has changed."""

    id: str
    phase: str
    path: str
    inode: int
    size: int
    mtime_ns: int


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
    """Give every log of a root, sorted by id; files that are no logs are passed over."""
    found: list[LogFile] = []
    for phase, folder in (("mol", places.mols), ("wisp", places.wisps)):
        try:
            entries = os.scandir(folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        with entries:
            for entry in entries:
                if not entry.name.endswith(SUFFIX) or not is_molecule_id(entry.name.removesuffix(SUFFIX)):
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(status.st_mode):
                    molecule_id = entry.name.removesuffix(SUFFIX)
                    found.append(
                        LogFile(molecule_id, phase, entry.path, status.st_ino, status.st_size, status.st_mtime_ns)
                    )
    found.sort(key=lambda log: (log.id, log.phase))
    return tuple(found)


def read_log(path: str) -> ReadLog | None:
    """Read a log; None where there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or larger than any log.
    """
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for somebody who does.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    lines: list[Line] = []
    problems: list[str] = []
    size, is_torn, is_newer = 0, False, False
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a plain file")
        if status.st_size > MAX_LOG_BYTES:
            raise ValueError(f"it has more than {MAX_LOG_BYTES} bytes")
        for number, raw in enumerate(file, 1):
            try:
                lines.append(parse_line(raw))
            except NewerLineError as error:
                is_newer = True
                if len(problems) < MAX_PROBLEMS:
                    problems.append(f"line {number}: {error}")
            except ValueError as error:
                if not raw.endswith(b"\n"):
                    is_torn = True  # of a writer that died, or is at it just now
                    break
                if len(problems) < MAX_PROBLEMS:
                    problems.append(f"line {number}: {error}")
            size += len(raw)
    return ReadLog(tuple(lines), tuple(problems), size, is_torn, is_newer)


def make_folders(places: MolPlaces, phase: str) -> None:
    """Make the folder of the logs of a phase; that of wisps with what tells git to ignore it."""
    if phase == "wisp":
        os.makedirs(places.wisps, exist_ok=True)
        exclusive_create(os.path.join(places.wisps, ".gitignore"), _WISP_IGNORE)
    else:
        os.makedirs(places.mols, exist_ok=True)


def create(path: str, data: bytes) -> bool:
    """Begin a log with its first line, given without its line feed; False where there is one of that name already.

    Raises:
        NoSpaceError: there is none of it.
    """
    return exclusive_create(path, data + b"\n")


def append(path: str, data: bytes) -> None:
    """Append one line, given without its line feed; the caller holds the lock. What was torn before it is cut off.

    Raises:
        FileNotFoundError: there is no log to append to.
        NoSpaceError: the log is as it was.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        end, joint = _end_of(fd)
        os.lseek(fd, end, os.SEEK_SET)
        os.ftruncate(fd, end)
        with no_space_named(path):
            try:
                write_all(fd, joint + data + b"\n")
                os.fsync(fd)
            except BaseException:
                os.ftruncate(fd, end)
                raise
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Remove a log, durably; harmless where there is none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    fsync_path(os.path.dirname(path))


def _end_of(fd: int) -> tuple[int, bytes]:
    """Give where the next line goes, and what has to stand before it: an editor may have taken the last line feed."""
    end = os.fstat(fd).st_size
    start, tail = end, b""
    while start and b"\n" not in tail:
        step = min(start, 1 << 16)
        start -= step
        tail = os.pread(fd, step, start) + tail
    torn = tail.rpartition(b"\n")[2]
    if not torn:
        return end, b""
    try:
        parse_line(torn)
    except NewerLineError:
        return end, b"\n"
    except ValueError:
        return end - len(torn), b""
    return end, b"\n"
