"""Removes superseded metadata, indexes and catalog shards after a grace time. Objects and releases are never removed.

Rule: a file goes only if no state that was current within the grace time reaches it and the file itself is older than
that. Whoever prunes holds the newest claim, so nobody else is between claim and timestamp.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from mmpm.registry import layout
from mmpm.trust.facts import OURS, ROOT, SNAPSHOT, TIMESTAMP, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

GRACE_SECONDS: Final = 86_400.0
_ROUND: Final = 8
"""Superseded states are removed this many at a time, because each round reads all states that stay."""


def prune(root: str, issued: datetime, grace_seconds: float, touched: Iterable[str]) -> int:
    """Remove what nobody needs any more, and give the number of files removed.

    Args:
        root: the tree's folder, whose newest timestamp was just written.
        issued: when that was.
        grace_seconds: how long a superseded state stays whole.
        touched: targets that the newest state changed.
    """
    serials = _archived_serials(root)
    grace = timedelta(seconds=grace_seconds)
    expired = _superseded(root, serials, issued - grace)
    if not expired or (len(expired) < _ROUND and _issued(root, expired[0]) > issued - 2 * grace):
        return 0
    kept = serials[len(expired) :]
    limit = os.stat(f"{root}/{layout.TIMESTAMP}").st_mtime - grace_seconds
    states = [_State(root, serial) for serial in kept]
    targets = set(touched)
    for serial in expired:
        targets |= _State(root, serial).differences(states[0])
    removed = 0
    for folder in {target.rpartition("/")[0] for target in targets}:
        removed += _prune_targets(root, folder, states, limit)
    return removed + _prune_roles(root, states, limit)


class _State:
    """The files of one archived state, read from our own tree without verification: it decides only what is kept."""

    def __init__(self, root: str, serial: int) -> None:
        self.root = root
        self.serial = serial
        meta = _signed(root, layout.role_file(SNAPSHOT, serial)).get("meta", {})
        self.roles: dict[str, int] = {name.removesuffix(".json"): one["version"] for name, one in meta.items()}
        self._bins: dict[str, dict[str, str]] = {}

    def sha256_of(self, target: str) -> str | None:
        """Give the sha256 under which this state lists `target`."""
        return self._bin(layout.bin_of(target)).get(target)

    def differences(self, other: _State) -> set[str]:
        """Give the targets that `other` lists with other bytes."""
        found: set[str] = set()
        for role, version in self.roles.items():
            if role.startswith(f"{layout.BIN_PREFIX}-") and other.roles.get(role) != version:
                theirs = other._bin(role)
                found.update(target for target, sha256 in self._bin(role).items() if theirs.get(target) != sha256)
        return found

    def _bin(self, role: str) -> dict[str, str]:
        if role not in self._bins:
            listed = {}
            if role in self.roles:
                targets = _signed(self.root, layout.role_file(role, self.roles[role])).get("targets", {})
                listed = {path: one["hashes"]["sha256"] for path, one in targets.items()}
            self._bins[role] = listed
        return self._bins[role]


def _archived_serials(root: str) -> list[int]:
    found = (layout.parse_role_file(f"metadata/{name}") for name in os.listdir(f"{root}/metadata"))
    return sorted(one[1] for one in found if one is not None and one[0] == TIMESTAMP)


def _superseded(root: str, serials: list[int], oldest: datetime) -> list[int]:
    """Give the states whose successor was there at `oldest` already."""
    found: list[int] = []
    for serial, successor in pairwise(serials):
        if _issued(root, successor) > oldest:
            break
        found.append(serial)
    return found


def _prune_targets(root: str, folder: str, states: list[_State], limit: float) -> int:
    removed = 0
    pages = None
    with suppress(FileNotFoundError):
        for name in os.listdir(f"{root}/{folder}"):
            path = f"{folder}/{name}"
            parsed = layout.parse_hashed(path)
            if parsed is None:
                continue
            target, sha256 = parsed
            if layout.is_page(target):
                pages = _pages(root, folder, states) if pages is None else pages
                is_kept = sha256 in pages
            else:
                is_kept = any(state.sha256_of(target) == sha256 for state in states)
            removed += 0 if is_kept else _remove(root, path, limit)
    return removed


def _pages(root: str, folder: str, states: list[_State]) -> set[str]:
    """Give the sha256 of every page that a kept index names."""
    found: set[str] = set()
    target = f"{folder}/index.json"
    for sha256 in {state.sha256_of(target) for state in states} - {None}:
        with open(f"{root}/{layout.hashed(target, str(sha256))}", "rb") as file:
            found.update(page["sha256"] for page in json.loads(file.read()).get("pages", []))
    return found


def _prune_roles(root: str, states: list[_State], limit: float) -> int:
    kept = {(role, version) for state in states for role, version in state.roles.items()}
    kept |= {(role, state.serial) for state in states for role in (SNAPSHOT, TIMESTAMP)}
    removed = 0
    for name in os.listdir(f"{root}/metadata"):
        path = f"metadata/{name}"
        role = layout.parse_role_file(path)
        is_superseded = role is not None and role[0] != ROOT and role not in kept and role[1] < states[-1].serial
        removed += _remove(root, path, limit) if is_superseded else 0
    return removed


def _remove(root: str, path: str, limit: float) -> int:
    try:
        if os.stat(f"{root}/{path}").st_mtime > limit:
            return 0
        os.unlink(f"{root}/{path}")
    except FileNotFoundError:
        return 0
    return 1


def _signed(root: str, path: str) -> dict[str, Any]:
    with open(f"{root}/{path}", "rb") as file:
        found: dict[str, Any] = json.loads(file.read())["signed"]
    return found


def _issued(root: str, serial: int) -> datetime:
    return parse_time(_signed(root, layout.role_file(TIMESTAMP, serial))[OURS]["issued"])
