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
_HEAVY_BYTES = 32 << 20


class ByteBudget:
    """Bounds how many bytes of heavy answers are in memory at once, from the head of an answer to its consumer.

    Without it every thread could hold the longest answer that is allowed, which a server needs no key to send. Light
    answers are bounded by their number and cost nothing here.
    """

    def __init__(self, total: int = _HEAVY_BYTES) -> None:
        self._total = total
        self._used = 0
        self._closed = False
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until an answer of `size` bytes may be read; one alone always may."""
        if size > _LOT_BYTES:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or not self._used or self._used + size <= self._total)
                self._used += size

    def give_back(self, size: int) -> None:
        """Say that the bytes of such an answer are gone or used."""
        if size > _LOT_BYTES:
            with self._changed:
                self._used -= size
                self._changed.notify_all()

    def close(self) -> None:
        """Let everybody go on who waits: the work is over."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


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
    get: Callable[[str, int], bytes],
    requests: Iterable[Request],
    threads: int = THREADS,
    budget: ByteBudget | None = None,
) -> Iterator[tuple[Request, bytes | TransportError]]:
    """Answer `requests` by calling `get` on several threads: `Transport.get_many` for whatever has a `get`.

    An exception that is not a `TransportError` is a bug: it ends the iteration and is raised to the consumer.

    Args:
        get: reads one file; with a `budget` it takes each answer's bytes from it.
        requests: what to read.
        threads: how many at once.
        budget: what the consumer has had is given back to it.
    """
    budget = budget or ByteBudget()
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
                for request, answer in lot:
                    yield request, answer
                    if isinstance(answer, bytes):
                        budget.give_back(len(answer))
                del lot, answer  # or a heavy one would stay until the next lot has come
    finally:
        readers.stopped.set()
        budget.close()
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
            # No name of this thread's may keep an answer alive while the next one is waited for.
            lot.append((request, self._answer(request)))
            size = _size_of(lot[-1][1])
            heavy += size or 0
            # A failure is handed over at once: the consumer may want to stop asking a place that is dead.
            if len(lot) >= _LOT_ANSWERS or heavy >= _LOT_BYTES or size is None:
                self._hand_over(lot)
                lot, heavy = [], 0
        if lot:
            self._hand_over(lot)

    def _answer(self, request: Request) -> bytes | TransportError:
        try:
            return self._get(request.path, request.max_bytes)
        except TransportError as error:
            return error

    def _hand_over(self, lot: _Lot | BaseException | None) -> None:
        while not self.stopped.is_set():
            try:
                self.lots.put(lot, timeout=0.1)
            except queue.Full:
                continue
            return


def _size_of(answer: bytes | TransportError) -> int | None:
    return len(answer) if isinstance(answer, bytes) else None


def check_request_path(path: str) -> str:
    """Give `path` back if it is a plain relative path of a registry tree.

    Raises:
        ValueError: it is absolute, has an empty, ``.`` or ``..`` part, a backslash or a control character. Our own
            layout never makes such a path, so that this is a second wall, not the first.
    """
    if not path or not path.isprintable() or "\\" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ValueError(f"not a path of a registry tree: {printable(path, 80)!r}")
    return path
