"""One change at a time in one formulas folder: a lock that the kernel lets go of when its holder dies.

Rule: a lock that nobody else holds is taken with `fcntl.flock`; waiting for one is `filelock`'s business, which locks
the same file in the same way and is imported only then, because that costs as much as five interpreters.

An operation takes the lock before it reads what it plans over (`hold`), and the executor lets it go after applying; a
process that ends in between has let it go too.
"""

from __future__ import annotations

import errno
import fcntl
import os

from blake3 import blake3

TYPE_CHECKING = False  # typing is not imported: a warm installation pays for every import
if TYPE_CHECKING:
    from collections.abc import Callable

    from filelock import BaseFileLock

    from mmpm.execute.context import Progress

# What stages a change lies beside the formulas folder under a name of this kind, until it is renamed into place.
STAGING_PREFIX = ".mmpm-staging-"
WAIT_SECONDS = 600.0
_FIRST_WORD_SECONDS = 0.5
_STEP_SECONDS = 0.05

# Of each folder the file that says who holds it, and what waited for it, where that was needed.
_held: dict[str, tuple[int, BaseFileLock | None]] = {}


def folder_key(folder: str) -> str:
    """Give the name under which lock and journal of a formulas folder (absolute, real path) are kept."""
    return blake3(os.fsencode(folder)).hexdigest()[:32]


def journal_path(state: str, folder: str) -> str:
    """Give the file that tells of a change of a formulas folder (absolute, real path) that is not done yet."""
    return f"{state}/journals/{folder_key(folder)}.json"


def hold_at_once(state: str, folder: str) -> bool:
    """Keep others from `folder` until `release`, if nobody changes it now."""
    return folder in _held or _take(_path(state, folder), folder, lambda _path, _fd: None)


def hold(state: str, folder: str, progress: Progress, wait_seconds: float = WAIT_SECONDS) -> None:
    """Wait until nobody else changes `folder`, and keep others from it until `release`.

    Holding it twice is holding it once.

    Args:
        state: ``$XDG_STATE_HOME/mmpm``.
        folder: absolute, links resolved.
        progress: hears who is waited for.
        wait_seconds: after which waiting ends.

    Raises:
        LockedByOtherError: another process kept it for longer.
    """
    hold_file(_path(state, folder), folder, progress, wait_seconds)


def hold_file(path: str, folder: str, progress: Progress, wait_seconds: float = WAIT_SECONDS) -> None:
    """Do as `hold` does, with `path` as the file that is locked: for folders whose lock lies among themselves."""
    if folder not in _held:
        _take(path, folder, lambda path, fd: _wait(path, fd, folder, progress, wait_seconds))


def _path(state: str, folder: str) -> str:
    return f"{state}/locks/{folder_key(folder)}"


def _take(path: str, folder: str, wait: Callable[[str, int], BaseFileLock | None]) -> bool:
    """Take the lock; where another has it `wait` decides: what it gives holds the lock, None gives up."""
    fd, lock, is_ours = -1, None, False
    while not is_ours:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # No link: a lock that lies in a project may be somebody else's, and what it names would be written over.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            lock = None
            if not _try(fd, path):
                lock = wait(path, fd)
                if lock is None:
                    os.close(fd)
                    return False
            is_ours = _is_at(path, fd)
            if is_ours:
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"process {os.getpid()}".encode(), 0)
        except BaseException:
            _let_go(fd, lock)
            raise
        if not is_ours:
            _let_go(fd, lock)
    _held[folder] = fd, lock
    return True


def _is_at(path: str, fd: int) -> bool:
    """Tell whether a file is still what its path names: a lock on one that was removed keeps nobody away."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(fd))


def _let_go(fd: int, lock: BaseFileLock | None) -> None:
    if lock is not None:
        lock.release()
    os.close(fd)


def _wait(path: str, fd: int, folder: str, progress: Progress, wait_seconds: float) -> BaseFileLock:
    """Wait for whoever holds the lock; after a moment the person hears whom.

    Raises:
        LockedByOtherError: it took longer than `wait_seconds`.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, thread_local=False, poll_interval=_STEP_SECONDS)
    unsaid = min(_FIRST_WORD_SECONDS, wait_seconds)
    try:
        lock.acquire(timeout=unsaid)
    except Timeout:
        if wait_seconds > unsaid:
            progress.say(f"Waiting for {_owner(fd)}, which changes {folder} ...")
        try:
            lock.acquire(timeout=wait_seconds - unsaid)
        except Timeout:
            from mmpm.errors import LockedByOtherError

            raise LockedByOtherError(folder, _owner(fd), round(wait_seconds)) from None
    return lock


def is_held(folder: str) -> bool:
    """Whether this process holds the lock of `folder`."""
    return folder in _held


def release(folder: str) -> None:
    """Let others change `folder`; harmless when it is not held."""
    if folder in _held:
        _let_go(*_held.pop(folder))


def release_all() -> None:
    """Let go of every folder: the command is at its end, whatever that was."""
    for folder in list(_held):
        release(folder)


def _try(fd: int, path: str) -> bool:
    """Take the lock if nobody has it.

    Raises:
        SystemRefusedError: the file system of `path` has no locks, or gives none.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES, errno.EINTR}:
            return False
        from mmpm.errors import SystemRefusedError

        remedy = "only one process may change things there at a time; use a disk whose file system has locks (flock)"
        raise SystemRefusedError(error.strerror or str(error), path, remedy) from error
    return True


def _owner(fd: int) -> str:
    return os.pread(fd, 100, 0).decode("ascii", "replace") or "another process"
