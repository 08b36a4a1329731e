"""What every configured registry has to offer, one entry a formula: what `search` and `audit confusion` read.

The signed catalog lies in 256 shards behind 256 bins, which take longer to check and to parse than a person should
wait for. What they say is therefore kept in one file a registry, beside the trusted state and like it never copied
with a store. Nothing in it is believed for lying there: it counts only for the very snapshot whose hash is in the
trusted state, or shard by shard for the hash that the signed bins give; everything else is read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mmpm.execute.connect import open_snapshot, trust_of
from mmpm.project.registries import scope_owner
from mmpm_store.durable import write_file_durably
from mmpm_store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.execute.context import Context
    from mmpm.project.registries import RegistryConfig
    from mmpm.registry.documents import CatalogLine

_MAGIC: Final = b"mmpm catalog 1"
_MAX_BYTES: Final = 256 << 20


class Entry(NamedTuple):
    """A formula's latest release, described shortly; a tuple, because thousands are made for one search.

    Attributes:
        name, version, kind: of the latest release.
        description, author, license, repository: as its publisher says; empty where it does not.
        primary, secondary: capability tags.
        weights: tag and decimal text, as declared.
        published_at: RFC 3339.
    """

    name: str
    version: str
    kind: str
    description: str
    author: str
    license: str
    repository: str
    primary: list[str]
    secondary: list[str]
    weights: dict[str, str]
    published_at: str


class Shelf(NamedTuple):
    """What one registry has.

    Attributes:
        config: the registry.
        entries: as far as they are here.
        is_complete: whether that is all it has.
        serial, issued: of the snapshot that says so; 0 and empty where nothing was ever fetched.
    """

    config: RegistryConfig
    entries: list[Entry]
    is_complete: bool
    serial: int = 0
    issued: str = ""


def read_shelves(context: Context) -> list[Shelf]:
    """Read what each configured registry has, the one asked first in front; no network, nothing is fetched.

    Raises:
        RegistryUntrustedError, TrustStateUnreadableError: what is here of one is damaged.
    """
    return [read_shelf(context, config) for config in context.registries]


class Owners:
    """Says which registry's formula a name means here: the one its scope is bound to, else the first that has it."""

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        self._registries = [shelf.config for shelf in shelves]
        # Nobody can stand in front of the only registry, which is the usual case.
        self._names = [{entry.name for entry in shelf.entries} for shelf in shelves] if len(shelves) > 1 else []

    def of(self, name: str) -> str:
        """Give the id of the registry that a name means; one whose scope it is, even if it lacks the name."""
        bound = scope_owner(self._registries, name) if name.startswith("@") else None
        if bound is not None:
            return bound.id
        first = next((place for place, names in enumerate(self._names) if name in names), 0)
        return self._registries[first].id


def read_shelf(context: Context, config: RegistryConfig) -> Shelf:
    """Read what one registry has, as `read_shelves` does."""
    state = trust_of(context, config).read()
    if state is None:
        return Shelf(config, [], is_complete=False)
    path = os.path.join(context.places.state, "catalogs", config.id)
    kept_for, shards = _read_kept(path)
    if kept_for == state.snapshot_sha256:
        return Shelf(config, _entries(shards), True, state.serial, state.issued)
    snapshot = open_snapshot(context, config)
    if snapshot is None:
        return Shelf(config, [], is_complete=False)
    found: dict[str, list[list[Any]]] = {}
    is_complete = snapshot.has_catalog
    for target, listed in snapshot.catalog_shards():
        rows = shards.get(listed[0])
        if rows is None:
            lines = snapshot.catalog_shard(target, listed)
            rows = None if lines is None else [list(_entry(line)) for line in lines]
        if rows is None:
            is_complete = False  # not here, or damaged
        else:
            found[listed[0]] = rows
    if is_complete:
        _keep(path, state.snapshot_sha256, found)
    return Shelf(config, _entries(found), is_complete, state.serial, state.issued)


def _entry(line: CatalogLine) -> Entry:
    tags = line.capabilities
    return Entry(
        str(line.name),
        str(line.latest),
        line.kind,
        line.description,
        line.author or "",
        line.license or "",
        line.repository or "",
        list(tags.primary),
        list(tags.secondary),
        dict(tags.weights),
        line.published_at,
    )


def _entries(shards: dict[str, list[list[Any]]]) -> list[Entry]:
    return [Entry._make(row) for rows in shards.values() for row in rows]


def _read_kept(path: str) -> tuple[str, dict[str, list[list[Any]]]]:
    """Give the hash of the snapshot that the kept file is for, and rows by the shard's hash; nothing if damaged."""
    try:
        with open(path, "rb") as file:
            head, body = file.readline(256), file.read(_MAX_BYTES)
        if head != _head(body):
            return "", {}
        snapshot, _, rest = body.partition(b"\n")
        return snapshot.decode("ascii"), json.loads(rest)
    except (OSError, ValueError, RecursionError):
        return "", {}


def _head(body: bytes) -> bytes:
    return _MAGIC + b" " + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _keep(path: str, snapshot_sha256: str, shards: dict[str, list[list[Any]]]) -> None:
    """Write the file; a folder that cannot be written costs only time."""
    body = snapshot_sha256.encode() + b"\n" + json.dumps(shards, separators=(",", ":")).encode()
    with contextlib.suppress(OSError, StoreError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file_durably(path, _head(body) + body, durable=False)
