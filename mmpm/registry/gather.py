"""Files whose sha256 is known, gathered from whichever place of a registry has them.

Rule: a file leaves here only if its bytes are the signed ones. A place that lacks a file or has other bytes under its
name is passed over for the next one, since the hash makes them equal; a 401 or 403 stops everything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from mmpm.errors import RegistryUnreachableError, RegistryUntrustedError
from mmpm.registry.local import MAX_DOCUMENT_BYTES
from mmpm.registry.transport import Forbidden, NotFound, Request, TooLarge, TransportError, Unauthorized, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mmpm.registry.transport import Transport

_SHOWN_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file at `path` of a registry tree with its sha256 (hex) and length as signed metadata gives them.

    Attributes:
        is_exact: false where no length is signed: `length` is then the most that is read.
    """

    path: str
    sha256: str
    length: int
    is_exact: bool = True

    def proves(self, data: bytes) -> bool:
        """Whether `data` is this file."""
        if len(data) > self.length or (self.is_exact and len(data) != self.length):
            return False
        return hashlib.sha256(data).hexdigest() == self.sha256


class Proved(Protocol):
    """A file whose bytes can be told by a hash: `Wanted`, or a `TreeFile`. At most `length` bytes of it are read."""

    @property
    def path(self) -> str:
        """Where it lies in the tree."""

    @property
    def length(self) -> int:
        """The most bytes that it may have."""

    def proves(self, data: bytes) -> bool:
        """Whether `data` is this file."""


_One = TypeVar("_One", bound=Proved)


class MissingFileError(Exception):
    """Every place answered, and none has a file that signed metadata names: perhaps a publish was in the way.

    Attributes:
        path: the file.
        origin: the place that was asked first.
        failed: of places that could not answer, why: one of these may have it.
        names: the formulas that cannot be read without it, where it is their index or a page of it.
    """

    def __init__(
        self, path: str, origin: str, failed: Sequence[TransportError] = (), names: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(path)
        self.path = path
        self.origin = origin
        self.failed = tuple(failed)
        self.names = names


def gather(
    registry_id: str,
    places: Sequence[Transport],
    wanted: Iterable[_One],
    failed: Sequence[TransportError] = (),
    *,
    missing: dict[_One, MissingFileError] | None = None,
) -> Iterator[tuple[_One, bytes]]:
    """Give each of `wanted` with its verified bytes, in order of arrival.

    A place that cannot answer is left for the next one with everything that is still to come: its time-out is paid
    once, not a file. `failed` says of places that were left already why. What is `missing` is put there, if it is
    given, and the rest is gathered all the same.

    Raises:
        RegistryUnreachableError: a place answered 401 or 403, or none could answer.
        RegistryUntrustedError: a place has other bytes under its name, and no other place has the right ones.
        MissingFileError: places answered, but have not got it.
    """
    missed: list[tuple[_One, list[TransportError | RegistryUntrustedError]]] = []
    source = iter(wanted)
    asked: dict[str, _One] = {}
    dead: Unavailable | None = None
    first, *others = places
    answers = first.get_many(_requests(registry_id, source, asked))
    for request, answer in answers:
        failure = _failure(registry_id, first, asked[request.path], answer)
        if isinstance(failure, Unavailable):
            dead = failure
            break
        one = asked.pop(request.path)
        if failure is None:
            assert isinstance(answer, bytes)
            yield one, answer
        else:
            missed.append((one, [failure]))
    if dead is not None:
        close_early(answers)
        if not others:
            raise unreachable(registry_id, [*failed, dead])
        left = chain(tuple(asked.values()), (one for one, _ in missed), source)
        yield from gather(registry_id, others, left, [*failed, dead], missing=missing)
        return
    for one, failures in missed:
        try:
            data = _from_others(registry_id, others, one, failures, failed)
        except MissingFileError as error:
            if missing is None:
                raise
            missing[one] = error
        else:
            yield one, data


def _requests(registry_id: str, source: Iterator[_One], asked: dict[str, _One]) -> Iterator[Request]:
    for one in source:
        if one.length > MAX_DOCUMENT_BYTES:
            raise RegistryUntrustedError(registry_id, f"its {one.path} has {one.length} bytes, which is no document")
        asked[one.path] = one
        yield Request(one.path, one.length)


def close_early(answers: Iterator[object]) -> None:
    """Stop the threads behind an iteration that is left early."""
    close = getattr(answers, "close", None)
    if close is not None:
        close()


def _from_others(
    registry_id: str,
    others: Sequence[Transport],
    one: Proved,
    failures: list[TransportError | RegistryUntrustedError],
    failed: Sequence[TransportError],
) -> bytes:
    for place in others:
        try:
            answer: bytes | TransportError = place.get(one.path, one.length)
        except TransportError as error:
            answer = error
        failure = _failure(registry_id, place, one, answer)
        if failure is None:
            assert isinstance(answer, bytes)
            return answer
        failures.append(failure)
    for failure in failures:
        if isinstance(failure, RegistryUntrustedError):
            raise failure
    for failure in failures:
        if isinstance(failure, NotFound):
            silent = [each for each in failures if isinstance(each, Unavailable)]
            raise MissingFileError(one.path, failure.origin, [*failed, *silent])
    raise unreachable(registry_id, [failure for failure in failures if isinstance(failure, TransportError)])


def _failure(
    registry_id: str, place: Transport, one: Proved, answer: bytes | TransportError
) -> TransportError | RegistryUntrustedError | None:
    if isinstance(answer, Unauthorized | Forbidden):
        raise unreachable(registry_id, [answer])
    if isinstance(answer, TooLarge):
        cause = f"{one.path} is longer than the signed {one.length} bytes"
        return RegistryUntrustedError(registry_id, cause, place.origin)
    if isinstance(answer, TransportError):
        return answer
    if one.proves(answer):
        return None
    return RegistryUntrustedError(
        registry_id, f"{one.path} has not the signed hash: the answer is {describe(answer)}", place.origin
    )


def unreachable(registry_id: str, failures: Sequence[TransportError], known: str = "") -> RegistryUnreachableError:
    """Say of a registry that none of its places could answer, and why not."""
    first, *rest = failures
    cause = "; ".join([first.cause, *(f"{other.origin}: {other.cause}" for other in rest)])
    return RegistryUnreachableError(registry_id, cause, first.origin, known)


def describe(answer: bytes) -> str:
    """Say in a few words what an answer looks like that should have been something else."""
    start = answer[:_SHOWN_BYTES].lstrip().lower()
    if not answer:
        return "empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page, perhaps of a proxy or a login"
    if start.startswith((b"{", b"[")):
        return f"{len(answer)} bytes of other JSON"
    return f"{len(answer)} bytes of something else"
