"""Who publishes serial N of a folder registry: whoever creates ``metadata/N.snapshot.json``.

Rule: a claim is that file itself, created whole by an exclusive link and locked (flock) for as long as its publisher
works; the kernel unlocks it when the publisher ends, however it ends. A claim is never removed by anybody before the
timestamp is beyond it. So serial N has one writer for ever, and every file named ``N.*`` has one content for ever.
See `docs/decisions/0003-publishing-without-torn-states.md`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from mmpm.errors import PublisherBusyError
from mmpm.registry import layout
from mmpm.trust.facts import SNAPSHOT
from mmpm_store.durable import is_link_refusal, write_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

STALE_SECONDS = 120.0
"""Without locks (some network file systems): how long a claim without a timestamp is left alone."""
_POLL_SECONDS = 0.02
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


class Claims:
    """The claims that one publisher holds or waits for; all are let go at the end of the ``with`` block."""

    def __init__(self, root: str, wait_seconds: float) -> None:
        self._root = root
        self._fds: list[int] = []
        self._give_up = time.monotonic() + wait_seconds
        self._wait_seconds = wait_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let go of every claim."""
        while self._fds:
            os.close(self._fds.pop())

    def claim(self, serial: int, staged: str) -> bool:
        """Try to become the publisher of `serial`.

        Args:
            serial: the next one.
            staged: a staged file on the same file system that holds the whole snapshot; it becomes the claim.

        Returns:
            Whether it is ours now.
        """
        path = self._path(serial)
        fd = os.open(staged, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _try_lock(fd)  # before it has its name: no moment in which it could be taken for abandoned
            os.link(staged, path)
        except FileExistsError:
            os.close(fd)
            return False
        except OSError as error:
            os.close(fd)
            if not is_link_refusal(error):
                raise
            return self._claim_without_link(path, staged)
        self._fds.append(fd)
        return True

    def _claim_without_link(self, path: str, staged: str) -> bool:
        # FAT: O_EXCL elects one as well; a reader reaches the file only through a later timestamp.
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return False
        with open(staged, "rb") as file:
            if not _try_lock(fd):
                os.close(fd)  # another publisher opened it in between and now holds it for abandoned
                return False
            write_all(fd, file.read())
        self._fds.append(fd)
        return True

    def wait_for(self, serial: int, is_over: Callable[[], bool], on_wait: Callable[[str], None]) -> None:
        """Return when the claim on `serial` is finished or abandoned; where abandoned, it is held from then on.

        Args:
            serial: a claim of somebody else.
            is_over: whether the timestamp has reached that serial.
            on_wait: called once, with one line, before waiting.

        Raises:
            PublisherBusyError: it was neither within the time limit.
        """
        path = self._path(serial)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # finished, and pruned since
        said = False
        while True:
            locked = _try_lock(fd)
            if locked is None and not is_over():  # no locks on this file system: age must tell
                locked = _now_of(self._root) - os.fstat(fd).st_mtime > STALE_SECONDS
            if locked or is_over():
                self._fds.append(fd)
                return
            if not said:
                on_wait(f"waiting for another publisher, who is at work on serial {serial}")
                said = True
            if time.monotonic() > self._give_up:
                os.close(fd)
                raise PublisherBusyError(path, self._wait_seconds)
            time.sleep(_POLL_SECONDS)

    def _path(self, serial: int) -> str:
        return f"{self._root}/{layout.role_file(SNAPSHOT, serial)}"


def _try_lock(fd: int) -> bool | None:
    """Lock if nobody else has: True; somebody has: False; this file system knows no locks: None."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _now_of(root: str) -> float:
    """Give the file system's own time, which may differ from this machine's."""
    path = f"{root}/{layout.STAGING}/clock-{os.getpid()}"
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        found = os.stat(path).st_mtime
        os.unlink(path)
        return found
    return 0.0
