"""Objects by name, from any registry at hand: their id is their proof, so that it does not matter who gives them.

Rule: nothing enters the store whose bytes do not have its id. A place that has not got an object, or has damaged bytes
under its name, is passed over; a 401 or 403 stops, because it is an answer about a person and not about bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from mmpm.errors import RegistryUntrustedError
from mmpm.registry import layout
from mmpm.registry.gather import close_early, unreachable
from mmpm.registry.transport import Forbidden, Request, TooLarge, TransportError, Unauthorized, Unavailable
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mmpm.registry.authenticate import RegistrySource
    from mmpm.registry.transport import Transport
    from mmpm_store.objects import Store

MAX_OBJECT_BYTES: Final = 64 << 20
"""The longest object that is asked for, whatever its listing says; no real formula comes near."""


class FetchProgress(Protocol):
    """Who listens while objects come."""

    def start(self, label: str, total: int, unit: str) -> None:
        """Begin."""

    def advance(self, amount: int = 1) -> None:
        """Say that `amount` more came."""

    def finish(self) -> None:
        """End."""

    def warn(self, sentence: str) -> None:
        """Warn."""


@dataclass(slots=True)
class FetchedObjects:
    """What came of fetching.

    Attributes:
        bytes: how many were fetched and stored.
        missing: what no place had, sorted.
        reasons: a clause for each registry that was asked in vain, "ID at ORIGIN ...".
        is_certain: every place answered, so that what is missing is nowhere that was asked.
    """

    bytes: int = 0
    missing: tuple[ObjectId, ...] = ()
    reasons: list[str] = field(default_factory=list)
    is_certain: bool = True


def fetch_objects(
    sources: Sequence[RegistrySource],
    wanted: Collection[ObjectId],
    store: Store,
    progress: FetchProgress,
    *,
    sizes: Mapping[ObjectId, int] | None = None,
    executable: Collection[ObjectId] = (),
) -> FetchedObjects:
    """Bring `wanted` into `store`, asking the places of `sources` in order.

    What was stored before a failure stays, so that the next try continues. Memory is bounded by a few objects a
    thread.

    Args:
        sources: registries; the first is asked for everything, the next for what is left.
        wanted: ids; what the store has is fetched again only if it is damaged there, which the caller finds out.
        store: where they go.
        progress: who listens, in files.
        sizes: lengths as they are listed. No more than that is read, and an object of another length is not what
            is listed; nothing may be longer than `MAX_OBJECT_BYTES`.
        executable: those that are stored as executable files, not as plain ones.

    Raises:
        RegistryUnreachableError: a place answered 401 or 403.
        RegistryUntrustedError: a place has other bytes, or more or fewer, under the name of one, and no other place
            has it.
    """
    fetched = FetchedObjects()
    left = dict.fromkeys(wanted)
    wrong: dict[ObjectId, RegistryUntrustedError] = {}
    progress.start("Downloading...", len(left), "files")
    for source in sources:
        for place in source.places:
            if left:
                reading = _Reading(source.registry_id, place, left, wrong, fetched, sizes or {}, executable)
                store.put_many(reading.verified(progress))
                # What is in the store now is proved; the generator must not decide that before it is written.
                for object_id in reading.came:
                    left.pop(object_id, None)
                if reading.forbidden is not None:
                    raise unreachable(source.registry_id, [reading.forbidden])
    progress.finish()
    for object_id, error in wrong.items():
        if object_id in left:
            raise error
        progress.warn(error.fact)
    fetched.missing = tuple(sorted(left))
    return fetched


@dataclass(slots=True)
class _Reading:
    """One place read for what is left."""

    registry_id: str
    place: Transport
    left: Mapping[ObjectId, None]
    wrong: dict[ObjectId, RegistryUntrustedError]
    fetched: FetchedObjects
    sizes: Mapping[ObjectId, int]
    executable: Collection[ObjectId]
    came: list[ObjectId] = field(default_factory=list)
    forbidden: TransportError | None = None

    def verified(self, progress: FetchProgress) -> Iterator[tuple[bytes, bool]]:
        """Give the bytes of each object that the place has, ids checked; ends early where it cannot go on."""
        ids = {layout.object_file(object_id): object_id for object_id in self.left}
        requests = [
            Request(path, min(self.sizes.get(one, MAX_OBJECT_BYTES), MAX_OBJECT_BYTES)) for path, one in ids.items()
        ]
        missed: TransportError | None = None
        answers = self.place.get_many(requests)
        for request, answer in answers:
            object_id = ids[request.path]
            size = self.sizes.get(object_id)
            if isinstance(answer, TooLarge) and size is not None:
                self._refuse(object_id, f"{request.path} is longer than the {size} bytes that are listed")
            elif isinstance(answer, TransportError):
                missed = missed or answer
                self.fetched.is_certain &= not isinstance(answer, Unavailable)
                if isinstance(answer, Unauthorized | Forbidden):
                    self.forbidden = answer
                if isinstance(answer, Unauthorized | Forbidden | Unavailable):
                    break  # it would say the same of the others, each after its own time-out
            elif ObjectId.of(answer) != object_id:
                self._refuse(object_id, f"{request.path} has not the bytes that its name says")
            elif size is not None and len(answer) != size:
                self._refuse(object_id, f"{request.path} has {len(answer)} bytes, and {size} are listed")
            else:
                self.came.append(object_id)
                self.fetched.bytes += len(answer)
                progress.advance()
                yield answer, object_id in self.executable
        close_early(answers)
        if missed is not None:
            self.fetched.reasons.append(f"{self.registry_id} at {missed.origin}: {missed.cause}")

    def _refuse(self, object_id: ObjectId, cause: str) -> None:
        self.wrong[object_id] = RegistryUntrustedError(self.registry_id, cause, self.place.origin)
