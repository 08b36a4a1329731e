"""Meeting a registry: what it calls itself and which root key it shows, before anything of it is believed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import (
    NotARegistryError,
    RegistryUnreachableError,
    RegistryUntrustedError,
    UntrustedMetadataError,
    printable,
)
from mmpm.model.names import RegistryId
from mmpm.registry import layout
from mmpm.registry.authenticate import MAX_ROOT_BYTES
from mmpm.registry.folder import FolderTransport
from mmpm.registry.gather import describe
from mmpm.registry.transport import NotFound, TransportError

if TYPE_CHECKING:
    from mmpm.registry.transport import Transport


_MAX_SHOWN_TITLE: Final = 80


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a registry says of itself; a person, or a fingerprint that they were given, vouches for it.

    Attributes:
        registry_id: what it calls itself.
        title: for people; one printable line.
        fingerprint: sha256 of its first root's canonical signed part, 64 hex digits.
        origin: where it was met.
    """

    registry_id: str
    title: str
    fingerprint: str
    origin: str


def introduce(place: Transport) -> Introduction:
    """Ask the registry at `place` who it is.

    Raises:
        NotARegistryError: the folder holds no registry tree.
        RegistryUnreachableError: there is no answer, or none of a registry.
        RegistryUntrustedError: its first root is not properly signed by its own key.
    """
    from mmpm.trust.metadata import Chain

    path = layout.role_file("root", 1)
    try:
        data = place.get(path, MAX_ROOT_BYTES)
    except NotFound as error:
        if isinstance(place, FolderTransport) and not place.has(layout.TIMESTAMP):
            raise NotARegistryError(place.folder) from None
        raise RegistryUnreachableError(place.origin, error.cause) from None
    except TransportError as error:
        raise RegistryUnreachableError(place.origin, error.cause) from None
    try:
        chain = Chain(data)
        identity = str(RegistryId.parse(chain.identity.id))
    except UntrustedMetadataError as error:
        if not _is_json(data):
            cause = f"does not answer as a registry: its {path} is {describe(data)}"
            raise RegistryUnreachableError(place.origin, cause) from None
        raise RegistryUntrustedError(place.origin, str(error.details["reason"])) from None
    except ValueError as error:
        raise RegistryUntrustedError(place.origin, f"its id cannot be one: {error}") from None
    # Nobody vouches for it yet: on one line, or a title could show a person a root key of its own choice.
    title = printable(chain.identity.title, _MAX_SHOWN_TITLE)
    return Introduction(identity, title, chain.fingerprint, place.origin)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
