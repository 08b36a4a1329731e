"""A registry tree on a web server: ``https://host/path``."""

from __future__ import annotations

from urllib.parse import urlsplit

from obstore.store import HTTPStore

from mmpm.errors import printable
from mmpm.registry.remote import Connection, Patience, RemoteTransport, client_options
from mmpm.registry.transport import THREADS

__all__ = ["Connection", "HttpTransport", "Patience"]


class HttpTransport(RemoteTransport):
    """Reads a registry tree below `url`."""

    def __init__(
        self,
        url: str,
        connection: Connection | None = None,
        patience: Patience | None = None,
        *,
        user_agent: str = "mmpm",
        is_online: bool = True,
        threads: int = THREADS,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"not an http:// or https:// URL: {printable(url, 80)!r}")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(f"a registry URL has no user, password, query or fragment: {printable(_bare(url), 80)!r}")
        patience = patience or Patience()
        options = client_options(url, connection or Connection(), patience, user_agent, threads)
        # Without a slash at its end: the store puts one behind it, and not every server takes two for one.
        store = HTTPStore(url.rstrip("/"), client_options=options, retry_config={"max_retries": 0})
        super().__init__(url.rstrip("/"), store, patience, is_online=is_online, threads=threads)


def _bare(url: str) -> str:
    """Give `url` without what may be a secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"
