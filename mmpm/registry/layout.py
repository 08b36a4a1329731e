"""Where everything lies in a registry tree: names to relative paths, and back.

Rule: every path of a tree is made here, '/'-separated and relative to the registry's base, so that a folder, an
nginx root, a bucket and a mirror agree. The tree itself is described in `docs/formats.md`, "Registry tree".
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mmpm_store.ids import ObjectId

REGISTRY_JSON: Final = "registry.json"
TIMESTAMP: Final = "metadata/timestamp.json"
FORMULAS_LISTING: Final = "formulas/index.json"
PUBLISHERS: Final = "trust/publishers.json"
STAGING: Final = ".staging"
"""Where a publisher prepares files; nothing signed ever points into it, and no reader looks there."""

BIN_PREFIX: Final = "bin"
BIN_COUNT: Final = 256
SHARD_COUNT: Final = 256

_ROLE_FILE = re.compile(r"([1-9][0-9]{0,17})\.(root|snapshot|timestamp|targets|trust|bins|bin-[0-9a-f]{2})\.json")
_PAGE = re.compile(r"page-[1-9][0-9]*\.json")
_LEVELS = re.compile(r"trust/levels/[0-9a-f]{2}\.json")
_HASHED = re.compile(r"([0-9a-f]{64})\.(.+)")


def role_file(role: str, version: int) -> str:
    """Give the path of one version of a signed role: ``metadata/7.bin-3a.json``.

    The newest timestamp is `TIMESTAMP`; under its serial it is kept as well (`docs/decisions/0003`).
    """
    return f"metadata/{version}.{role}.json"


def parse_role_file(path: str) -> tuple[str, int] | None:
    """Give role and version of ``metadata/N.role.json``, or None where `path` is none of these."""
    folder, _, name = path.rpartition("/")
    match = _ROLE_FILE.fullmatch(name)
    return (match[2], int(match[1])) if folder == "metadata" and match else None


def bin_roles() -> tuple[str, ...]:
    """Give the names of all bins, ``bin-00`` to ``bin-ff``."""
    return tuple(f"{BIN_PREFIX}-{number:02x}" for number in range(BIN_COUNT))


def bin_of(target: str) -> str:
    """Give the bin that answers for a target path: the first byte of the path's sha256 (TAP 15)."""
    return f"{BIN_PREFIX}-{hashlib.sha256(target.encode()).hexdigest()[:2]}"


def shard_of(name: str) -> str:
    """Give the two hex digits of the catalog and levels shard that a formula belongs to: sha256 of the name."""
    return hashlib.sha256(name.encode()).hexdigest()[:2]


# Targets: the path that the signed metadata lists. On disk a target lies under `hashed(target, sha256)`.


def index_target(name: str) -> str:
    """Give the target of a formula's index. The file of this very path is an unsigned alias, never read by us."""
    return f"formulas/{name}/index.json"


def name_of_index(target: str) -> str | None:
    """Give the formula whose index `target` is, or None where it is another target."""
    if not (target.startswith("formulas/") and target.endswith("/index.json")):
        return None
    name = target[len("formulas/") : -len("/index.json")]
    parts = name.split("/")
    plain = len(parts) == 1 and not name.startswith("@")
    scoped = len(parts) == 2 and name.startswith("@")  # @scope/base
    return name if all(parts) and (plain or scoped) else None


def catalog_target(shard: str) -> str:
    """Give the target of a catalog shard (two hex digits)."""
    return f"catalog/{shard}.jsonl"


def levels_target(shard: str) -> str:
    """Give the target of the marks of a shard's names (two hex digits, `shard_of`)."""
    return f"trust/levels/{shard}.json"


def is_trust_target(target: str) -> bool:
    """Whether `target` is one that the role trust may list: publishers, or the marks of a shard."""
    return target == PUBLISHERS or _LEVELS.fullmatch(target) is not None


def hashed(target: str, sha256: str) -> str:
    """Give the file of a target: its last part prefixed with the bytes' sha256 (TUF's consistent snapshots)."""
    folder, _, last = target.rpartition("/")
    return f"{folder}/{sha256}.{last}" if folder else f"{sha256}.{last}"


def parse_hashed(path: str) -> tuple[str, str] | None:
    """Give target and sha256 of a hash-prefixed path, or None where the last part has no such prefix."""
    folder, _, last = path.rpartition("/")
    match = _HASHED.fullmatch(last)
    if match is None:
        return None
    return (f"{folder}/{match[2]}" if folder else match[2]), match[1]


def page_file(name: str, number: int, sha256: str) -> str:
    """Give the file of page `number` (from 1) of a long history; the index names its sha256."""
    return f"formulas/{name}/{sha256}.page-{number}.json"


def is_page(target: str) -> bool:
    """Whether a path without its sha256 is that of a page."""
    return _PAGE.fullmatch(target.rpartition("/")[2]) is not None


# Everything below is content-addressed or an alias.


def object_file(object_id: ObjectId) -> str:
    """Give the file of an object."""
    digits = object_id.hex
    return f"objects/{digits[:2]}/{digits[2:]}"


def object_of(path: str) -> ObjectId | None:
    """Give the object whose file is `path`; None where it is no object's."""
    if not path.startswith("objects/"):
        return None
    from mmpm_store.ids import ObjectId

    try:
        return ObjectId(path.removeprefix("objects/").replace("/", "", 1))
    except ValueError:
        return None


def signature_file(checksum_hex: str, key_id: str, kind: str) -> str:
    """Give the file of a publisher's signature of a release.

    Args:
        checksum_hex: the release's checksum, 64 hex digits.
        key_id: hex digits.
        kind: "ed25519", or "openpgp" for an armoured one.
    """
    return f"signatures/{checksum_hex}/{key_id}.{'asc' if kind == 'openpgp' else 'sig'}"


def release_folder(name: str, version: str) -> str:
    """Give the folder of a release's aliases; build metadata is in no path."""
    return f"formulas/{name}/{version.partition('+')[0]}"


def release_alias(name: str, version: str) -> str:
    """Give ``GET /formulas/{name}/{version}``: a copy of the release document."""
    return f"{release_folder(name, version)}/index.json"


def download_alias(name: str, version: str) -> str:
    """Give ``GET /formulas/{name}/{version}/download``: the formula file, or the bundle as .tar.gz."""
    return f"{release_folder(name, version)}/download"
