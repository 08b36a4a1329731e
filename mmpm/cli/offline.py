"""Offline, enforced: from `forbid_sockets` on, making a socket or asking for an address is an error in this process.

The hook sees CPython's sockets; the HTTP client is native code that it cannot see, so the transport factory refuses
offline before that client is even imported (`mmpm.execute.connect`).
"""

from __future__ import annotations

import sys

from mmpm.errors import OfflineError

_FORBIDDEN = frozenset(
    {
        "socket.__new__",
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
    }
)


_forbidden: list[bool] = []


def forbid_sockets() -> None:
    """Forbid them for the life of the process: an audit hook cannot be taken back. Asking twice is harmless."""
    if not _forbidden:
        _forbidden.append(True)
        sys.addaudithook(_refuse)


def _refuse(event: str, _arguments: tuple[object, ...]) -> None:
    if event in _FORBIDDEN:
        raise OfflineError(event)
