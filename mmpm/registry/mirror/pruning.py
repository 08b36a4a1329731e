"""Removing from a mirror's tree what nothing that it shows reaches any more.

Rule: a state that was shown until a moment ago stays whole in what is signed for the grace time, for readers in the
middle of it. Objects go at once where neither the newest state nor the selection reaches them. Foreign files are never
touched. Where the newest state is not whole itself, nothing is removed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import MmpmError
from mmpm.registry import layout
from mmpm.registry.mirror.shapes import release_of, shape_of
from mmpm.registry.mirror.verifying import files_below
from mmpm.registry.verified import MAX_ROOT_BYTES, MAX_TIMESTAMP_BYTES, VerifiedState
from mmpm.trust.facts import ROOT, TIMESTAMP
from mmpm.trust.metadata import peek_root_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mmpm.model.release import Release
    from mmpm.registry.destination import TreeDestination
    from mmpm.registry.mirror.selection import Chosen

GRACE_SECONDS: Final = 86_400.0


@dataclass(slots=True)
class Pruned:
    """What was removed, or would be."""

    files: int = 0
    bytes: int = 0


class _Nothing:
    """Selects no release."""

    def has(self, release: Release) -> bool:
        """Say no."""
        del release
        return False


def prune_tree(
    destination: TreeDestination, state: VerifiedState, chosen: Chosen, now: float, *, trial: bool = False
) -> Pruned:
    """Remove what neither `state` with `chosen` nor a state within the grace time reaches.

    Args:
        destination: the tree; nobody else writes to it.
        state: what it shows.
        chosen: the releases that it carries.
        now: seconds since the epoch.
        trial: only count.

    Raises:
        MissingTreeFileError, RegistryUntrustedError: the state is not whole; nothing was removed.
    """
    reached = {file.path for file in state.tree_files(chosen)}
    carried: dict[str, set[str]] = {}
    for release in _carried(state, chosen):
        carried.setdefault(str(release.name), set()).add(release.version.slot)
    for older in _within_grace(destination, state, now):
        # A state of which a part is gone already is kept as far as it is there.
        with suppress(MmpmError):
            reached.update(file.path for file in older.tree_files(_Nothing()))
    pruned = Pruned()
    for path, status in files_below(destination.folder):
        if path not in reached and _may_go(path, carried):
            pruned.files += 1
            pruned.bytes += status.st_size
            if not trial:
                _remove(destination.folder, path)
    return pruned


def _carried(state: VerifiedState, chosen: Chosen) -> Iterator[Release]:
    for name in state.names():
        for release in state.releases(name):
            if chosen.has(release):
                yield release


def _may_go(path: str, carried: Mapping[str, set[str]]) -> bool:
    match shape_of(path):
        case "metadata" | "target" | "object" | "signature":
            role = layout.parse_role_file(path)
            return role is None or role[0] != ROOT
        case "release alias":
            name, slot = release_of(path) or ("", "")
            return slot not in carried.get(name, ())
        case "page alias":
            return layout.name_of_index(path) not in carried
        case _:
            return False


def _within_grace(destination: TreeDestination, state: VerifiedState, now: float) -> Iterator[VerifiedState]:
    """Give the states whose successor was shown here less than the grace time ago."""
    read = destination.read
    serials = sorted(_archived(destination.folder), reverse=True)
    successor = layout.TIMESTAMP
    for serial in serials:
        if serial >= state.serial:
            continue
        if os.stat(f"{destination.folder}/{successor}").st_mtime < now - GRACE_SECONDS:
            return
        successor = layout.role_file(TIMESTAMP, serial)
        timestamp = read(successor, MAX_TIMESTAMP_BYTES)
        root = read(layout.role_file(ROOT, peek_root_version(timestamp or b"") or 1), MAX_ROOT_BYTES)
        if timestamp is None or root is None:
            continue
        with suppress(MmpmError):
            yield VerifiedState.open(read, root, registry_id=state.registry_id, timestamp=timestamp)


def _archived(folder: str) -> Iterator[int]:
    with suppress(FileNotFoundError):
        for name in os.listdir(f"{folder}/metadata"):
            parsed = layout.parse_role_file(f"metadata/{name}")
            if parsed is not None and parsed[0] == TIMESTAMP:
                yield parsed[1]


def _remove(folder: str, path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(f"{folder}/{path}")
    parent = os.path.dirname(path)
    while parent and parent not in {"metadata", "objects", "formulas"}:
        try:
            os.rmdir(f"{folder}/{parent}")
        except OSError:
            return
        parent = os.path.dirname(parent)
