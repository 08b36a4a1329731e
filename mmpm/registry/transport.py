"""How the bytes of a registry tree reach us: one interface and its typed failures.

Rule: a transport says what happened and decides nothing. That a 404 is not an absence, that a 403 stops, that
garbage is not to be trusted, is decided in `refresh`; nothing that comes out of a transport is believed before its
hash or signature was checked.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mmpm.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

THREADS = 8
# Answers that wait for the consumer: workers hand them over in lots, so that the hand-over costs little for small
# files, and a lot is closed early when it is heavy, so that memory stays bounded for large ones.
_LOT_ANSWERS = 16
_LOT_BYTES = 1 << 20
_LOTS_WAITING = 16


@dataclass(frozen=True, slots=True)
class Request:
    """One file wanted: `path` in the registry tree ('/'-separated, relative) and the most bytes it may have."""

    path: str
    max_bytes: int


class TransportError(Exception):
    """A file could not be had.

    Attributes:
        origin: where it was asked for (a URL or a folder, printable, without credentials).
        path: the file asked for.
        cause: a clause without subject that ends the sentence "ORIGIN: ...", for people.
    """

    def __init__(self, origin: str, path: str, cause: str) -> None:
        super().__init__(f"{origin}: {cause}")
        self.origin = origin
        self.path = path
        self.cause = cause


class NotFound(TransportError):  # noqa: N818 - an answer, named as the protocol names it
    """The server or folder answered, and has no such file (404, 410). No proof that it never had one."""


class Unauthorized(TransportError):  # noqa: N818 - an answer, named as the protocol names it
    """The answer was 401: no credentials, or ones that are not (any longer) good."""


class Forbidden(TransportError):  # noqa: N818 - an answer, named as the protocol names it
    """The answer was 403, or the file may not be read."""


class Unavailable(TransportError):  # noqa: N818 - an answer, named as the protocol names it
    """No answer of use: 5xx, 429, time-out, refused connection, name or TLS failure, a disk that is not there."""


class Truncated(Unavailable):
    """The answer ended before its own length."""


class TooLarge(TransportError):  # noqa: N818 - an answer, named as the protocol names it
    """The file is longer than its request allows, so it is not what was signed."""


@runtime_checkable
class Transport(Protocol):
    """What reads a registry tree, wherever it lies.

    Attributes:
        origin: for messages; printable, no credentials.
        is_online: whether it reaches the registry itself, so that a timestamp past its expiry is refused; a folder
            or a mirror behind a gap is judged by age instead (`mmpm.trust.clock`).
    """

    @property
    def origin(self) -> str:
        """Where files are asked for."""

    @property
    def is_online(self) -> bool:
        """Whether it reaches the registry itself."""

    def get(self, path: str, max_bytes: int) -> bytes:
        """Read one file.

        Raises:
            TransportError: one of the subclasses above, always.
        """

    def get_many(self, requests: Iterable[Request]) -> Iterator[tuple[Request, bytes | TransportError]]:
        """Read many files at once, answers in the order in which they arrive; each request is answered once.

        `requests` is drawn from lazily, perhaps on other threads; memory is bounded however long it is.
        Closing the iterator early stops the work.
        """


def read_in_threads(
    get: Callable[[str, int], bytes], requests: Iterable[Request], threads: int = THREADS
) -> Iterator[tuple[Request, bytes | TransportError]]:
    """Answer `requests` by calling `get` on several threads: `Transport.get_many` for whatever has a `get`.

    An exception that is not a `TransportError` is a bug: it ends the iteration and is raised to the consumer.
    """
    readers = _Readers(get, iter(requests))
    workers = [
        threading.Thread(target=readers.work, daemon=True, name=f"mmpm-read-{index}") for index in range(threads)
    ]
    for worker in workers:
        worker.start()
    at_work = len(workers)
    try:
        while at_work:
            lot = readers.lots.get()
            if lot is None:
                at_work -= 1
            elif isinstance(lot, BaseException):
                raise lot
            else:
                yield from lot
    finally:
        readers.stopped.set()
        for worker in workers:
            worker.join()


_Lot = list[tuple[Request, bytes | TransportError]]


class _Readers:
    """What the threads of one `read_in_threads` share. A lot of None says that a thread is done."""

    def __init__(self, get: Callable[[str, int], bytes], source: Iterator[Request]) -> None:
        self._get = get
        self._source = source
        self._draw = threading.Lock()
        self.stopped = threading.Event()
        self.lots: queue.Queue[_Lot | BaseException | None] = queue.Queue(_LOTS_WAITING)

    def work(self) -> None:
        try:
            self._read_until_dry()
            self._hand_over(None)
        except BaseException as error:  # noqa: BLE001 - carried to the consumer's thread, which raises it
            self._hand_over(error)

    def _read_until_dry(self) -> None:
        lot: _Lot = []
        heavy = 0
        while not self.stopped.is_set():
            with self._draw:
                request = next(self._source, None)
            if request is None:
                break
            answer: bytes | TransportError
            try:
                answer = self._get(request.path, request.max_bytes)
                heavy += len(answer)
            except TransportError as error:
                answer = error
            lot.append((request, answer))
            # A failure is handed over at once: the consumer may want to stop asking a place that is dead.
            if len(lot) >= _LOT_ANSWERS or heavy >= _LOT_BYTES or isinstance(answer, TransportError):
                self._hand_over(lot)
                lot, heavy = [], 0
        if lot:
            self._hand_over(lot)

    def _hand_over(self, lot: _Lot | BaseException | None) -> None:
        while not self.stopped.is_set():
            try:
                self.lots.put(lot, timeout=0.1)
            except queue.Full:
                continue
            return


def check_request_path(path: str) -> str:
    """Give `path` back if it is a plain relative path of a registry tree.

    Raises:
        ValueError: it is absolute, has an empty, ``.`` or ``..`` part, a backslash or a control character. Our own
            layout never makes such a path, so that this is a second wall, not the first.
    """
    if not path or not path.isprintable() or "\\" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ValueError(f"not a path of a registry tree: {printable(path, 80)!r}")
    return path
