"""The unsigned copies under the seed's URLs, for browsers, `curl` and programs that only know the seed. Pure.

Rule: mmpm itself never reads them; what a program may believe is in the signed documents.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mmpm.model.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.model.release import Release
    from mmpm.registry.documents import CatalogLine

LISTED: Final = 1000
"""``formulas/index.json`` shows the first this many formulas by name; a catalog shard shows the others."""


def formula_page(line: CatalogLine, releases: Iterable[Release]) -> bytes:
    """Give ``GET /formulas/{name}``; versions are sorted, the highest first, without yanked ones."""
    versions = sorted((one.version for one in releases if one.yanked is None and not one.tombstone), reverse=True)
    return canonical_json(
        {
            "name": str(line.name),
            "versions": [str(version) for version in versions],
            "latest": str(line.latest),
            "description": line.description,
            "author": line.author,
            "repository": line.repository,
            "license": line.license,
            "capabilities": line.capabilities.to_document(),
        }
    )


def listing(present: bytes, changed: Iterable[CatalogLine], new_names: int) -> bytes:
    """Give ``GET /formulas``: the present listing with `changed` lines in it, sorted by name, at most `LISTED`.

    Args:
        present: what is there now; anything unreadable counts as empty.
        changed: the catalog lines of this publish.
        new_names: how many of them the registry did not have before.
    """
    rows, total = _read_listing(present)
    for line in changed:
        rows[str(line.name)] = {
            "name": str(line.name),
            "version": str(line.latest),
            "description": line.description,
            "author": line.author,
            "capabilities": list(line.capabilities.tags),
        }
    shown = [rows[name] for name in sorted(rows)[:LISTED]]
    return canonical_json({"formulas": shown, "total": total + new_names})


def _read_listing(present: bytes) -> tuple[dict[str, dict[str, Any]], int]:
    try:
        document = json.loads(present)
        rows = {row["name"]: row for row in document["formulas"]}
        return rows, int(document["total"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}, 0
