"""Writing so that a crash or a power cut leaves the old file or the new one.

Rule: data is flushed before the name that shows it, and the name before anybody is told.
"""

from __future__ import annotations

import errno
import os

from mmpm_store.errors import NoSpaceError

TYPE_CHECKING = False  # neither typing nor contextlib is imported: a warm installation pays for every import
if TYPE_CHECKING:
    from collections.abc import Callable

_FULL = {errno.ENOSPC, errno.EDQUOT}
_syncfs: Callable[[int], int] | None = None


class no_space_named:  # noqa: N801 - a with-block that reads as a sentence
    """Turn a full disk or quota within the block into `NoSpaceError` about `path`."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """End the block.

        Raises:
            NoSpaceError: in place of the error that says so.
        """
        if isinstance(error, OSError) and error.errno in _FULL:
            raise NoSpaceError(self._path) from error


def write_file_durably(
    path: str,
    data: bytes,
    mode: int = 0o644,
    *,
    durable: bool = True,
    staging: str | None = None,
) -> None:
    """Make `path` hold `data`: written beside it (or in `staging`, same file system), flushed, renamed over it.

    `mode` is exact, whatever the umask. With `durable` False only the atomicity is kept, not the flushes.

    Raises:
        NoSpaceError: `path` is as it was.
    """
    with no_space_named(path):
        temporary = write_temporary(path, data, mode, durable=durable, staging=staging)
        try:
            os.replace(temporary, path)
        except BaseException:
            _discard(temporary)
            raise
        if durable:
            fsync_path(os.path.dirname(path))


def exclusive_create(path: str, data: bytes, mode: int = 0o644, *, durable: bool = True) -> bool:
    """Make `path` with all of `data`, unless it exists already: then give False and change nothing.

    Of any number of processes at once, exactly one gets True, and nobody ever sees a part of `data`.

    Raises:
        NoSpaceError: `path` was not made.
    """
    with no_space_named(path):
        temporary = write_temporary(path, data, mode, durable=durable)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if not is_link_refusal(error):
                raise
            # No hard links here (FAT): O_EXCL still elects one, though a crash may leave it a part of the data.
            return _create_without_link(path, data, mode, durable=durable)
        finally:
            _discard(temporary)
        if durable:
            fsync_path(os.path.dirname(path))
    return True


def is_link_refusal(error: OSError) -> bool:
    """Whether `error` of link(2) says that this file system cannot, so that a copy would do."""
    return error.errno in {errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS}


def write_temporary(path: str, data: bytes, mode: int, *, durable: bool = True, staging: str | None = None) -> str:
    """Write `data` under a fresh name beside `path` (or in `staging`), and give that name.

    On failure nothing is left.
    """
    folder, name = os.path.split(path)
    temporary = f"{staging or folder or '.'}/.{name[:60]}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            write_all(fd, data)
            os.fchmod(fd, mode)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
    except BaseException:
        _discard(temporary)
        raise
    return temporary


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; one write(2) may take less (a signal, 2 GiB, a nearly full disk)."""
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])


def fsync_path(path: str) -> None:
    """Flush the file `path`, or the names in the folder `path`; a file system that cannot is passed over."""
    fd = os.open(path or ".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:
            raise
    finally:
        os.close(fd)


def sync_filesystem(path: str) -> None:
    """Flush everything written to the file system that holds the folder `path`: one call for many files.

    syncfs(2) where there is one, else sync(2) and a flush of the folder.

    Raises:
        OSError: something could not be written back.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _load_syncfs()(fd) != 0:
            import ctypes

            number = ctypes.get_errno()
            if number not in {errno.ENOSYS, errno.EINVAL}:
                raise OSError(number, os.strerror(number), path)
            _sync_all(fd)
    finally:
        os.close(fd)


def _load_syncfs() -> Callable[[int], int]:
    global _syncfs  # noqa: PLW0603
    if _syncfs is None:
        import ctypes

        try:
            found: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
        except (AttributeError, OSError):
            found = _sync_all
        _syncfs = found
    return _syncfs


def _sync_all(fd: int) -> int:
    os.sync()
    import fcntl

    # macOS: fsync(2) alone leaves the data in the drive's cache.
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(fd)
    else:
        fcntl.fcntl(fd, full)
    return 0


def _create_without_link(path: str, data: bytes, mode: int, *, durable: bool) -> bool:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        return False
    try:
        write_all(fd, data)
        os.fchmod(fd, mode)
        if durable:
            os.fsync(fd)
    except BaseException:
        _discard(path)
        raise
    finally:
        os.close(fd)
    if durable:
        fsync_path(os.path.dirname(path))
    return True


def _discard(path: str) -> None:
    try:  # noqa: SIM105 - contextlib is not imported here
        os.unlink(path)
    except FileNotFoundError:
        pass
