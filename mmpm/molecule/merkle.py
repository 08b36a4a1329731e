"""A Merkle tree as RFC 9162, section 2.1, has it, with SHA-256: leaves and nodes are hashed apart from each other."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX: Final = "sha256:"
HASH_BYTES: Final = 32


def levels(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Give the tree from its leaves to its root; an odd one out goes up as it is."""
    rows = [list(hashes)]
    while len(rows[-1]) > 1:
        row = rows[-1]
        above = [node(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        rows.append(above + row[len(row) - len(row) % 2 :])
    return rows


def leaf_hash(leaf: bytes) -> bytes:
    """Give the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Give the hash over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()
