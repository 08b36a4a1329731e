"""Removing superseded documents from this machine's copy of a registry.

Rule: only what the newest snapshot does not name goes, and only after a day: another process may still be reading
the snapshot from before. Roots stay for good; they prove the ones after them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from mmpm.registry import layout

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mmpm.registry.local import LocalCopy
    from mmpm.registry.snapshot import Snapshot

GRACE_SECONDS: Final = 86_400


def remove_superseded(copy: LocalCopy, snapshot: Snapshot, changed: Iterable[str], now: datetime) -> int:
    """Remove old versions of roles, of the catalog, of marks, and of the indexes of the names in `changed`.

    Returns:
        How many files were removed.
    """
    limit = now.timestamp() - GRACE_SECONDS
    removed = 0
    for name in _names(copy, "metadata"):
        path = f"metadata/{name}"
        parsed = layout.parse_role_file(path)
        if parsed is None or parsed[0] == "root":
            continue
        role, version = parsed
        listed = snapshot.bin_file(role)
        newest = snapshot.serial if role in {"snapshot", "timestamp"} else listed[0] if listed is not None else version
        if version < newest:
            removed += _remove_aged(copy, path, limit)
    evidence = snapshot.evidence.targets()
    folders = ["catalog", "trust", "trust/levels", *(f"formulas/{name}" for name in changed)]
    for folder in folders:
        for name in _names(copy, folder):
            path = f"{folder}/{name}"
            hashed = layout.parse_hashed(path)
            # Pages are named by indexes and never change; they stay.
            if hashed is None or layout.is_page(hashed[0]):
                continue
            is_evidence = layout.is_trust_target(hashed[0])
            targets = evidence if is_evidence else snapshot.bin_targets(layout.bin_of(hashed[0]))
            if targets is not None and targets.get(hashed[0], ("",))[0] != hashed[1]:
                removed += _remove_aged(copy, path, limit)
    return removed


def _names(copy: LocalCopy, folder: str) -> list[str]:
    try:
        return os.listdir(f"{copy.folder}/{folder}")
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_aged(copy: LocalCopy, path: str, limit: float) -> bool:
    try:
        if os.lstat(f"{copy.folder}/{path}").st_mtime >= limit:
            return False
    except FileNotFoundError:
        return False
    copy.remove(path)
    return True
