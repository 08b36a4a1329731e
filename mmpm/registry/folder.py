"""A registry tree in a folder: a disk, a share, a checkout, the store's own copy."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from mmpm.errors import printable
from mmpm.registry.transport import (
    Forbidden,
    NotFound,
    Request,
    TooLarge,
    TransportError,
    Unavailable,
    check_request_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A removable disk may carry anything under a name of ours: a link out of the tree, a pipe that never answers.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READ_BYTES = 1 << 20


class FolderTransport:
    """Reads a registry tree below `folder`. Links are not followed; only plain files are read."""

    is_online = False

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)

    @property
    def origin(self) -> str:
        """The folder's path."""
        return printable(self.folder)

    def get(self, path: str, max_bytes: int) -> bytes:
        """Read the plain file `path`.

        Raises:
            NotFound: there is none, while the folder itself is there.
            Forbidden: it may not be read.
            Unavailable: the folder is not there, or the disk fails.
            TooLarge: it is longer than `max_bytes`.
        """
        try:
            return self._read(os.path.join(self.folder, check_request_path(path)), path, max_bytes)
        except (FileNotFoundError, NotADirectoryError):
            if os.path.isdir(self.folder):
                raise NotFound(self.origin, path, f"has no file {printable(path)}") from None
            raise Unavailable(self.origin, path, "there is no such folder") from None
        except PermissionError:
            raise Forbidden(self.origin, path, f"may not be read ({printable(path)}: permission denied)") from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise NotFound(self.origin, path, f"{printable(path)} is a link, and links are not followed") from None
            raise Unavailable(
                self.origin, path, f"cannot be read ({printable(path)}: {printable(error.strerror or str(error))})"
            ) from None

    def get_many(self, requests: Iterable[Request]) -> Iterator[tuple[Request, bytes | TransportError]]:
        """Read many files, in order: a local read costs less than handing it to a thread."""
        for request in requests:
            answer: bytes | TransportError
            try:
                answer = self.get(request.path, request.max_bytes)
            except TransportError as error:
                answer = error
            yield request, answer

    def has(self, path: str) -> bool:
        """Whether something lies at `path`; its bytes are not looked at."""
        return os.path.lexists(os.path.join(self.folder, check_request_path(path)))

    def _read(self, full: str, path: str, max_bytes: int) -> bytes:
        handle = os.open(full, _FLAGS)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise NotFound(self.origin, path, f"{printable(path)} is not a plain file")
            if status.st_size > max_bytes:
                raise TooLarge(
                    self.origin, path, f"{printable(path)} has {status.st_size} bytes where at most {max_bytes} may be"
                )
            chunks = []
            # One more than the file has: a file that grows while we read is caught by the limit below.
            left = max_bytes + 1
            while left > 0:
                chunk = os.read(handle, min(left, _READ_BYTES, status.st_size + 1))
                if not chunk:
                    break
                chunks.append(chunk)
                left -= len(chunk)
            if left <= 0:
                raise TooLarge(self.origin, path, f"{printable(path)} grows past {max_bytes} bytes while it is read")
            return b"".join(chunks)
        finally:
            os.close(handle)
