"""The transport of a process that may not use a network: it refuses everything, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Never

from mmpm.errors import printable
from mmpm.registry.transport import Offline, Request, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class OfflineTransport:
    """Stands where a network transport would, under `--offline`. No socket, no import of what could make one."""

    is_online = True

    def __init__(self, origin: str) -> None:
        self.origin = printable(origin)

    def get(self, path: str, max_bytes: int) -> Never:
        """Refuse.

        Raises:
            Offline: always.
        """
        del max_bytes
        raise Offline(self.origin, path, "was not asked, because this command is offline")

    def get_many(self, requests: Iterable[Request]) -> Iterator[tuple[Request, bytes | TransportError]]:
        """Refuse each request, in order."""
        for request in requests:
            yield request, Offline(self.origin, request.path, "was not asked, because this command is offline")
