"""Removes superseded metadata, indexes and catalog shards after a grace time. Objects and releases are never removed.

Rule: a file goes only if no state that was current within the grace time reaches it and the file itself is older than
that. Whoever prunes holds the newest claim, so nobody else is between claim and timestamp.

The publish is done by then, so that no old file may fail it: a superseded state of which a pruner that was killed left
a part goes as far as it is there, and where a state that must stay cannot be read, nothing goes.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from mmpm.registry import layout
from mmpm.trust.facts import OURS, ROOT, SNAPSHOT, TIMESTAMP, TRUST, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
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
    times = _issue_times(root)
    grace = timedelta(seconds=grace_seconds)
    expired = _superseded(times, issued - grace)
    if not expired or (len(expired) < _ROUND and times[expired[0]] > issued - 2 * grace):
        return 0
    limit = os.stat(f"{root}/{layout.TIMESTAMP}").st_mtime - grace_seconds
    targets = set(touched)
    removed = 0
    try:
        states = [_State(root, serial) for serial in sorted(times)[len(expired) :]]
        for serial in expired:
            targets |= _State(root, serial, may_lack=True).differences(states[0])
        for folder in {target.rpartition("/")[0] for target in targets}:
            removed += _prune_targets(root, folder, states, limit)
    except _UnreadableError:
        return removed
    return removed + _prune_roles(root, states, limit)


class _UnreadableError(Exception):
    """A document of our own tree is gone or no document."""


class _State:
    """The files of one archived state, read from our own tree without verification: it decides only what is kept.

    With `may_lack`, a document that cannot be read lists nothing.
    """

    def __init__(self, root: str, serial: int, *, may_lack: bool = False) -> None:
        self.root = root
        self.serial = serial
        self._may_lack = may_lack
        meta = self._listed(layout.role_file(SNAPSHOT, serial), "meta")
        self.roles: dict[str, int] = {name.removesuffix(".json"): one["version"] for name, one in meta.items()}
        self._bins: dict[str, dict[str, str]] = {}

    def sha256_of(self, target: str) -> str | None:
        """Give the sha256 under which this state lists `target`."""
        return self._bin(TRUST if layout.is_trust_target(target) else layout.bin_of(target)).get(target)

    def differences(self, other: _State) -> set[str]:
        """Give the targets that `other` lists with other bytes."""
        found: set[str] = set()
        for role, version in self.roles.items():
            if (role == TRUST or role.startswith(f"{layout.BIN_PREFIX}-")) and other.roles.get(role) != version:
                theirs = other._bin(role)
                found.update(target for target, sha256 in self._bin(role).items() if theirs.get(target) != sha256)
        return found

    def _bin(self, role: str) -> dict[str, str]:
        if role not in self._bins:
            targets = self._listed(layout.role_file(role, self.roles[role]), "targets") if role in self.roles else {}
            self._bins[role] = {path: one["hashes"]["sha256"] for path, one in targets.items()}
        return self._bins[role]

    def _listed(self, path: str, key: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = _read(self.root, path)["signed"][key]
        except (_UnreadableError, KeyError):
            if self._may_lack:
                return {}
            raise _UnreadableError(path) from None
        return found


def _issue_times(root: str) -> dict[int, datetime]:
    """Give when each archived state was issued, by serial; what is no timestamp is no state."""
    found = (layout.parse_role_file(f"metadata/{name}") for name in os.listdir(f"{root}/metadata"))
    times = {}
    for serial in sorted(one[1] for one in found if one is not None and one[0] == TIMESTAMP):
        with suppress(_UnreadableError, KeyError, ValueError):
            times[serial] = parse_time(_read(root, layout.role_file(TIMESTAMP, serial))["signed"][OURS]["issued"])
    return times


def _superseded(times: Mapping[int, datetime], oldest: datetime) -> list[int]:
    """Give the states whose successor was there at `oldest` already."""
    found: list[int] = []
    for serial, successor in pairwise(sorted(times)):
        if times[successor] > oldest:
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
        index = _read(root, layout.hashed(target, str(sha256)))
        found.update(page["sha256"] for page in index.get("pages", []))
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


def _read(root: str, path: str) -> dict[str, Any]:
    try:
        with open(f"{root}/{path}", "rb") as file:
            found = json.loads(file.read())
    except (FileNotFoundError, ValueError):
        raise _UnreadableError(path) from None
    if not isinstance(found, dict):
        raise _UnreadableError(path)
    return found
