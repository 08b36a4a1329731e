"""What was published last with a registry's keys, noted beside them: a tree that shows less is an older copy.

    <key folder>/published      {"format": 1, "serial": 12, "issued": "2026-01-20T12:00:00Z", "expires": {"root": ..}}

Rule: it never lies in the tree, which is what may have been restored from a backup. Whoever publishes onto such a tree
would sign a serial for the second time with another content, and every reader would refuse it from then on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import KeyUnreadableError, RegistryRestoredError
from mmpm.trust.facts import DOCUMENTS, format_time, parse_time
from mmpm_store.durable import write_file_durably

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.registry.published import PublishedTree

NAME: Final = "published"
FORMAT: Final = 1
_MAX_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, order=True)
class Floor:
    """Serial and issue time (RFC 3339) of what was published last; orders as the publishes did."""

    serial: int
    issued: str

    @classmethod
    def of_tree(cls, tree: PublishedTree) -> Floor:
        """Give what a tree shows."""
        return cls(tree.serial, tree.facts.issued)

    def require_below(self, tree: PublishedTree) -> None:
        """Hold a tree against what was published before.

        Raises:
            RegistryRestoredError: it shows less.
        """
        shown = Floor.of_tree(tree)
        if shown < self:
            raise RegistryRestoredError(tree.root, shown.serial, shown.issued, self.serial, self.issued)


def read_floor(key_folder: str) -> Floor | None:
    """Give what was published last with the keys in `key_folder`, as far as this machine knows; None for nothing.

    Raises:
        KeyUnreadableError: the note is damaged.
    """
    path = f"{key_folder}/{NAME}"
    found: Floor | None
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read(_MAX_BYTES))
        found = Floor(value["serial"], value["issued"]) if value["format"] == FORMAT else None
        parse_time(value["issued"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found = None
    if found is None or type(found.serial) is not int or found.serial < 1:
        raise KeyUnreadableError("it does not say what was published last", path)
    return found


def read_terms(key_folder: str) -> dict[str, str]:
    """Give until when the documents of root, targets, trust and bins hold, as far as the last publish noted it."""
    try:
        with open(f"{key_folder}/{NAME}", "rb") as file:
            found = json.loads(file.read(_MAX_BYTES))["expires"]
        return {role: format_time(parse_time(found[role])) for role in DOCUMENTS if role in found}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def raise_floor(key_folder: str, floor: Floor, terms: Mapping[str, str]) -> None:
    """Note what is published now; never less than was noted before.

    Args:
        key_folder: beside the keys.
        floor: serial and issue time.
        terms: by role, until when its document holds, for people who look at their keys.

    Raises:
        OSError: it cannot be written.
    """
    before = read_floor(key_folder)
    if before is None or before < floor:
        document = {"format": FORMAT, "serial": floor.serial, "issued": floor.issued, "expires": dict(terms)}
        write_file_durably(f"{key_folder}/{NAME}", json.dumps(document).encode() + b"\n", 0o600)
