"""A registry tree behind a network, over whatever obstore speaks: the only place that opens sockets to registries.

`http` and `s3` say where and with which credentials; limits, retries and what a failure means are here, once.

What obstore (reqwest) does was tested, not assumed: 404 is FileNotFoundError, 401 and 403 have types of their own,
every other status is text in a GenericError; a redirect to another origin drops Authorization; an answer without
Content-Length is refused. Retries are ours, so that they are bounded by our own deadline and cover 429 too.
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from mmpm.errors import printable
from mmpm.registry.transport import (
    ByteBudget,
    Forbidden,
    NotFound,
    Request,
    TooLarge,
    TransportError,
    Truncated,
    Unauthorized,
    Unavailable,
    check_request_path,
    read_in_threads,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from obstore import GetResult
    from obstore.store import ClientConfig, HTTPStore, S3Store

    Store: TypeAlias = HTTPStore | S3Store

_MOST_THREADS: Final = 64
_STATUS: Final = re.compile(r"status code: (\d{3})")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for. All of it is finite, so that no server can hang a command.

    Attributes:
        connect_seconds: for a connection with its TLS handshake.
        stall_seconds: between two pieces of an answer, and for its head.
        grace_seconds: after which `min_bytes_per_second` must be met on average.
        min_bytes_per_second: the rate below which an answer is given up; a server that drips is not waited for.
        total_seconds: for one answer of up to 64 MiB, whatever its rate; also ends the retries of one file.
        attempts: tries a file, the first included.
        backoff_seconds: before the second try; doubled each time, with jitter.
    """

    connect_seconds: float = 10.0
    stall_seconds: float = 20.0
    grace_seconds: float = 10.0
    min_bytes_per_second: int = 1024
    total_seconds: float = 600.0
    attempts: int = 4
    backoff_seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class Connection:
    """What a connection needs besides the URL; all of it values, nothing is read from the environment here.

    Attributes:
        authorization: the whole header value (``Bearer ...``, ``Basic ...``) for this URL's scheme, host and port; for
            S3, which signs its requests, None.
        ca_pem: certificates that are trusted besides the system's, PEM.
        proxy_url: of the proxy to go through.
        no_proxy: hosts that bypass it, as in ``NO_PROXY``.
    """

    authorization: str | None = None
    ca_pem: bytes | None = None
    proxy_url: str | None = None
    no_proxy: str | None = None


class RemoteTransport:
    """Reads a registry tree through an obstore store.

    Attributes:
        forbidden: what a 403 means.

    Args:
        origin: for messages.
        store: rooted at the tree, without retries of its own.
        patience: how long it is waited for.
        is_online: whether it reaches the registry itself, and no mirror.
        threads: how many files are asked for at once.
    """

    forbidden: ClassVar[str] = "answered 403, forbidden"

    def __init__(self, origin: str, store: Store, patience: Patience, *, is_online: bool, threads: int) -> None:
        self.origin = printable(origin)
        self.is_online = is_online
        self._patience = patience
        self._threads = bounded(threads)
        self._store = store

    def get(self, path: str, max_bytes: int) -> bytes:
        """Read one file, trying again a bounded number of times where the server may recover.

        Raises:
            TransportError: the subclass that fits; never anything of obstore's.
        """
        return self._get(path, max_bytes, ByteBudget())

    def _get(self, path: str, max_bytes: int, budget: ByteBudget) -> bytes:
        check_request_path(path)
        patience = self._patience
        end = time.monotonic() + patience.total_seconds
        for attempt in range(patience.attempts):
            try:
                return self._get_once(path, max_bytes, end, budget)
            except Unavailable:
                wait = patience.backoff_seconds * 2**attempt * (0.5 + random.random())  # noqa: S311 - jitter only
                if attempt + 1 == patience.attempts or time.monotonic() + wait > end:
                    raise
                time.sleep(wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def get_many(self, requests: Iterable[Request]) -> Iterator[tuple[Request, bytes | TransportError]]:
        """Read many files on a few threads; obstore lets go of the interpreter while it waits."""
        budget = ByteBudget()
        return read_in_threads(
            lambda path, max_bytes: self._get(path, max_bytes, budget), requests, self._threads, budget
        )

    def _get_once(self, path: str, max_bytes: int, end: float, budget: ByteBudget) -> bytes:
        try:
            answer = self._store.get(path)
            size = answer.meta["size"]
            if size > max_bytes:
                raise TooLarge(self.origin, path, f"{path} has {size} bytes where at most {max_bytes} may be")
            budget.take(size)
            try:
                return self._collect(path, answer, size, end)
            except BaseException:
                budget.give_back(size)
                raise
        except FileNotFoundError:
            raise NotFound(self.origin, path, f"answered 404, not found, to {path}") from None
        except UnauthenticatedError:
            raise Unauthorized(self.origin, path, "answered 401: it wants credentials, or other ones") from None
        except PermissionDeniedError:
            raise Forbidden(self.origin, path, self.forbidden) from None
        except BaseError as error:
            raise self._translate(path, str(error)) from None

    def _collect(self, path: str, answer: GetResult, size: int, end: float) -> bytes:
        patience = self._patience
        begun = time.monotonic()
        # Filled in place: thousands of small pieces kept until they are joined stay with their thread's allocator.
        buffer = bytearray()
        got = 0
        for piece in answer.stream(min_chunk_size=1):
            if got + len(piece) > size:
                raise TooLarge(self.origin, path, f"sent more of {path} than the {size} bytes it announced")
            if not got and len(piece) == size:
                return bytes(piece)
            buffer = buffer or bytearray(size)
            buffer[got : got + len(piece)] = piece
            got += len(piece)
            if got == size:
                break
            now = time.monotonic()
            if now > end:
                raise Unavailable(self.origin, path, f"took longer than {patience.total_seconds:g} s for {path}")
            elapsed = now - begun
            if elapsed > patience.grace_seconds and got < elapsed * patience.min_bytes_per_second:
                raise Unavailable(
                    self.origin, path, f"sends {path} slower than {patience.min_bytes_per_second} bytes a second"
                )
        if got != size:
            raise Truncated(self.origin, path, f"ended {path} after {got} of {size} bytes")
        return bytes(buffer)

    def _translate(self, path: str, text: str) -> TransportError:
        """Read what obstore can only say in words; anything unknown counts as no answer."""
        status = _STATUS.search(text)
        if status:
            code = int(status[1])
            if code == 410:
                return NotFound(self.origin, path, f"answered 410, gone, to {path}")
            if code in (402, 407, 451):
                return Forbidden(self.origin, path, f"answered {code} to {path}")
            return Unavailable(self.origin, path, f"answered {code} to {path}")
        if "MissingContentLength" in text:
            return Unavailable(
                self.origin, path, f"does not say how long {path} is (no Content-Length), so it may be cut unseen"
            )
        if "IncompleteBody" in text or "UnexpectedEof" in text:
            return Truncated(self.origin, path, f"ended {path} before its end")
        for mark, cause in _CAUSES:
            if mark in text:
                return Unavailable(self.origin, path, cause)
        return Unavailable(self.origin, path, f"could not be read ({printable(text.splitlines()[0], 160)})")


# Marks in the debug text of reqwest's errors, most telling first.
_CAUSES: Final = (
    ("InvalidCertificate", "has a certificate that is not trusted (see `ca_file`)"),
    ("certificate verify failed", "has a certificate that is not trusted (see `ca_file`)"),
    ("InvalidContentType", "does not speak TLS there"),
    ("CorruptMessage", "does not speak TLS there"),
    ("TooManyRedirects", "sends us round in redirects"),
    ("kind: Redirect", "redirects to where we may not go"),
    ("dns error", "has a host name that cannot be resolved"),
    ("ConnectionRefused", "refused the connection"),
    ("Connection refused", "refused the connection"),
    ("NetworkUnreachable", "cannot be reached from this network"),
    ("HostUnreachable", "cannot be reached from this network"),
    ("TimedOut", "did not answer in time"),
    ("kind: Timeout", "did not answer in time"),
    ("ConnectionReset", "dropped the connection"),
    ("IncompleteMessage", "dropped the connection"),
    ("kind: Connect", "cannot be connected to"),
    ("Parse(", "does not answer in HTTP"),
)


def bounded(threads: int) -> int:
    """Give how many threads may ask at once, of what somebody set."""
    return min(max(1, threads), _MOST_THREADS)


def client_options(url: str, connection: Connection, patience: Patience, user_agent: str, threads: int) -> ClientConfig:
    """Give obstore's options for asking the server at `url`."""
    options: ClientConfig = {
        # With https the client refuses plain http also after a redirect, so that a token is never sent in clear.
        "allow_http": url.startswith("http://"),
        "connect_timeout": timedelta(seconds=patience.connect_seconds),
        "read_timeout": timedelta(seconds=patience.stall_seconds),
        "timeout": timedelta(seconds=patience.total_seconds),
        "user_agent": user_agent,
        "pool_max_idle_per_host": str(bounded(threads)),
    }
    if connection.authorization:
        options["default_headers"] = {"authorization": connection.authorization}
    if connection.ca_pem:
        options["root_certificate"] = connection.ca_pem
    if connection.proxy_url:
        options["proxy_url"] = connection.proxy_url
        if connection.no_proxy:
            options["proxy_excludes"] = connection.no_proxy
    return options
