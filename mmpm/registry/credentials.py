"""Which credentials belong to which address. Values in, a header out; the environment is read by the caller.

Rule: a credential is bound to scheme, host and port of the address that it was given for. It is not sent to an
alternate on another origin, nor along a redirect to one (the client drops it; tested). That a project's `mmpm.toml`
gives an address for a registry binds nothing, because a clone may name anything: to such an address the token goes
only over https and only where its host is the registry's id, after which the token is named.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def origin_of(url: str) -> tuple[str, str, int]:
    """Give scheme, host and port of an http or https URL.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an http or https URL")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def token_variable(label: str) -> str:
    """Give the variable that holds a registry's token: ``MMPM_TOKEN_ACME_CORP`` for ``acme.corp``."""
    return "MMPM_TOKEN_" + re.sub(r"[^A-Z0-9]", "_", label.upper())


def authorization_for(
    url: str,
    *,
    registry_id: str,
    own_urls: Sequence[str],
    name: str,
    every_url: Sequence[str],
    environ: Mapping[str, str],
    netrc_file: str | None,
) -> str | None:
    """Give the Authorization header for `url`, or None.

    Args:
        url: the address that is asked.
        registry_id: of its registry; ``MMPM_TOKEN_<ID>`` is the token.
        own_urls: the addresses of the registry that the person gave; a token is for the origin of the first that is
            http or https.
        name: what the person calls the registry, or empty; ``MMPM_TOKEN_<NAME>`` is the token as well.
        every_url: addresses of all configured registries: ``MMPM_TOKEN`` names none, so that it is only used where
            all of them are one origin.
        environ: the variables.
        netrc_file: path of a netrc file to look in, or None; it knows no scheme, so that only https and this very
            machine are given what it holds.
    """
    origin = origin_of(url)
    remote = [one for one in own_urls if one.startswith(("http://", "https://"))]
    is_own = bool(remote) and origin_of(remote[0]) == origin
    labels = (registry_id, name) if is_own else (registry_id,) if _is_at(registry_id, origin) else ()
    for label in labels:
        token = environ.get(token_variable(label), "") if label else ""
        if _is_token(token):
            return f"Bearer {token}"
    if is_own:
        origins = {origin_of(one) for one in every_url if one.startswith(("http://", "https://"))}
        token = environ.get("MMPM_TOKEN", "")
        if origins <= {origin} and _is_token(token):
            return f"Bearer {token}"
    if netrc_file is not None and (origin[0] == "https" or origin[1] in _LOOPBACK):
        return _from_netrc(netrc_file, origin[1])
    return None


def _is_at(registry_id: str, origin: tuple[str, str, int]) -> bool:
    """Whether an origin is the one that a registry id names: its host over https."""
    scheme, host, port = origin
    return scheme == "https" and registry_id == (host if port == _PORTS["https"] else f"{host}_{port}")


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _from_netrc(path: str, host: str) -> str | None:
    import netrc

    try:
        found = netrc.netrc(path).hosts.get(host)
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return None
    if found is None:
        return None
    login, _, password = found
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()
