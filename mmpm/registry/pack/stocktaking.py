"""Makes an inventory of the trees in a mirror's folder, of a registry's own folder, or of a machine's store.

Rule: a hash is in the inventory because the bytes were read and hashed now. What is damaged is left out, and named: the
next pack brings it again. Nothing here is verified against keys: an inventory says what is here, not what it is worth.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from mmpm.errors import NotARegistryError
from mmpm.registry import layout
from mmpm.registry.destination import read_plain
from mmpm.registry.documents import parse_registry_json
from mmpm.registry.mirror.selected import tree_folder, trees_in
from mmpm.registry.pack.entries import proof_of_path, tree_path
from mmpm.registry.pack.inventory import HashFilter, HashSet, HeldState, Inventory
from mmpm.trust.facts import OURS, SNAPSHOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READ_BYTES: Final = 1 << 20
_MAX_METADATA_BYTES: Final = 64 << 20
_HASHED_FOLDERS: Final = ("catalog", "formulas", "objects", "signatures", "trust")


@dataclass(frozen=True, slots=True)
class Stock:
    """What was found.

    Attributes:
        inventory: of it.
        damaged: paths of files whose bytes are not those of their names, sorted.
        files, size: how many intact ones, and their bytes.
    """

    inventory: Inventory
    damaged: tuple[str, ...]
    files: int
    size: int


def trees_of(folder: str) -> dict[str, str]:
    """Give the trees in a mirror's folder, or the one tree that `folder` itself is: folders by registry id.

    Raises:
        NotARegistryError: neither is there.
    """
    found = {name: tree_folder(folder, name) for name in trees_in(folder)}
    found = {name: path for name, path in found.items() if os.path.isdir(f"{path}/metadata")}
    if os.path.isdir(f"{folder}/metadata"):
        data = read_file(f"{folder}/{layout.REGISTRY_JSON}", 1 << 20)
        try:
            found[parse_registry_json(data or b"")[0]] = folder
        except ValueError:
            raise NotARegistryError(folder, "mirror") from None
    if not found:
        raise NotARegistryError(folder, "mirror")
    return found


def take_stock(
    trees: dict[str, str],
    objects: str | None = None,
    *,
    as_filter: bool = False,
    on_bytes: Callable[[int], None] = lambda _size: None,
) -> Stock:
    """Read and hash every file whose name tells its hash.

    Args:
        trees: folders by registry id.
        objects: another folder of objects by blake3: that of a store, whose names may end in ``-x``.
        as_filter: give a filter in place of the hashes.
        on_bytes: told how many bytes more were hashed.
    """
    hashes: set[bytes] = set()
    damaged: list[str] = []
    files = size = 0
    for path, full in _named_files(trees, objects):
        proof = proof_of_path(path)
        is_signature = "/signatures/" in path
        if proof is None and not is_signature:
            continue
        digits, length = _hash(full, proof[0] if proof is not None else "sha256")
        on_bytes(length)
        if digits and (proof is None or digits == proof[1]):  # a signature is known by whatever bytes it has
            hashes.add(bytes.fromhex(digits))
            files, size = files + 1, size + length
        else:
            damaged.append(full)
    states = tuple(sorted(held_state(registry, folder) for registry, folder in trees.items()))
    kept = HashFilter.of(hashes) if as_filter else HashSet(frozenset(hashes))
    return Stock(Inventory(states, kept), tuple(sorted(damaged)), files, size)


def stock_bytes(trees: dict[str, str], objects: str | None = None) -> int:
    """Give about how many bytes `take_stock` will hash."""
    return sum(os.lstat(full).st_size for _, full in _named_files(trees, objects))


def held_state(registry: str, folder: str) -> HeldState:
    """Give the state that a tree shows, if its metadata is here whole, hash by hash from the timestamp on."""
    nothing = HeldState(registry, 0)
    try:
        timestamp = _json(read_file(f"{folder}/{layout.TIMESTAMP}", 1 << 16))
        listed = timestamp["meta"]["snapshot.json"]
        snapshot = _listed(folder, SNAPSHOT, listed)
        if snapshot is None:
            return nothing
        roles = _json(snapshot)["meta"]
        if not all(_listed(folder, name.removesuffix(".json"), one) for name, one in roles.items()):
            return nothing
        return HeldState(registry, listed["version"], timestamp[OURS]["issued"], listed["hashes"]["sha256"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return nothing


def read_file(path: str, max_bytes: int) -> bytes | None:
    """Give the bytes of a plain file of at most `max_bytes`; None where there is none, a longer or unreadable one."""
    try:
        data = read_plain(path, max_bytes)
    except OSError:
        return None
    return data if data is not None and len(data) <= max_bytes else None


def _json(data: bytes | None) -> Any:
    return json.loads(data or b"")["signed"]


def _listed(folder: str, role: str, listed: Any) -> bytes | None:
    data = read_file(f"{folder}/{layout.role_file(role, listed['version'])}", _MAX_METADATA_BYTES)
    is_it = data is not None and hashlib.sha256(data).hexdigest() == listed["hashes"]["sha256"]
    return data if is_it else None


def _named_files(trees: dict[str, str], objects: str | None) -> Iterator[tuple[str, str]]:
    """Give the path in a pack and the full path of every file whose name may tell its hash."""
    for registry, folder in trees.items():
        for name in _HASHED_FOLDERS:
            for path, full in _walk(f"{folder}/{name}", f"{name}/"):
                yield tree_path(registry, path), full
    for path, full in _walk(objects, "objects/") if objects is not None else ():
        yield tree_path("store", path.removesuffix("-x")), full


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Give the plain files below `folder`, sorted: their path behind `prefix`, and their full path."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False):
            yield f"{prefix}{entry.name}", entry.path


def _hash(path: str, kind: str) -> tuple[str, int]:
    """Give the hash of a file and its length; of one that cannot be read, no hash."""
    hasher = blake3() if kind == "blake3" else hashlib.sha256()
    length = 0
    try:
        with open(os.open(path, _FLAGS), "rb") as file:
            while piece := file.read(_READ_BYTES):
                hasher.update(piece)
                length += len(piece)
    except OSError:
        return "", length
    return hasher.hexdigest(), length
