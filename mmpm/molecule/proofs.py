"""Proofs: that one step's outcome stands under the root of a digest, shown without the rest and without a network."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.molecule.digest import FORMAT, STEP, leaves_of, step_label
from mmpm.molecule.merkle import HASH_BYTES, PREFIX, leaf_hash, levels, node

if TYPE_CHECKING:
    from mmpm.molecule.digest import Digest

MAX_PROOF_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class Proof:
    """That one leaf stands under a root.

    Nothing in it is idle: where the leaf stands and how many there are would be, for a root says neither.

    Attributes:
        leaf: its bytes.
        path: hashes of what stands beside it, from the leaf to the root.
        sides: of each of these the side on which it stands, ``l`` or ``r``.
    """

    root: str
    leaf: bytes
    path: tuple[bytes, ...]
    sides: str

    @property
    def step(self) -> str:
        """The step that it says it shows; empty where it shows none, or one whose id is too long to stand in it."""
        label = _said(self.leaf)[0]
        return label.removeprefix(STEP) if label.startswith(STEP) else ""

    @property
    def outcome(self) -> dict[str, Any]:
        """What it shows of the step: the fields of its outcome, long texts as ``<field>_hash``."""
        label, value = _said(self.leaf)
        key, _, name = label.partition(" ")
        return {**value, key: name} if value else {}

    def is_of(self, step: str) -> bool:
        """Whether it says that it shows this step."""
        return _said(self.leaf)[0] == step_label(step)

    def to_bytes(self) -> bytes:
        """Give its one text: canonical JSON."""
        path = base64.b64encode(b"".join(self.path)).decode()
        leaf = parse_json(self.leaf, "a leaf", max_bytes=MAX_PROOF_BYTES)
        return canonical_json({"format": FORMAT, "leaf": leaf, "path": path, "root": self.root, "sides": self.sides})

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a proof; whether it holds is for `verify`.

        Raises:
            ValueError: it is not the one text of a proof.
        """
        said = Fields(parse_json(data, "a proof", max_bytes=MAX_PROOF_BYTES), "a proof")
        said.require_format(FORMAT)
        try:
            joined = base64.b64decode(said.text("path"), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("a proof: 'path' is not base64") from None
        path = tuple(joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES))
        leaf = canonical_json(said.items("leaf"))
        found = cls(said.text("root"), leaf, path, said.text("sides", MAX_DEPTH))
        if found.to_bytes() != data:
            raise ValueError("a proof: this is not the one text that its contents have")
        return found


def prove(digest: Digest, step: str) -> Proof:
    """Give the proof of one step's outcome.

    Raises:
        KeyError: the digest tells of no such step.
    """
    place = next((at for at, one in enumerate(digest.outcomes) if one.step == step), None)
    if place is None:
        raise KeyError(step)
    leaves = leaves_of(digest)
    index = len(leaves) - len(digest.outcomes) + place
    rows = levels([leaf_hash(leaf) for leaf in leaves])
    path, sides = [], ""
    at = index
    for level in rows[:-1]:
        if at ^ 1 < len(level):
            path.append(level[at ^ 1])
            sides += "l" if at % 2 else "r"
        at //= 2
    return Proof(digest.root, leaves[index], tuple(path), sides)


def verify(proof: Proof, step: str, root: str) -> bool:
    """Tell whether a proof shows the outcome of `step` under `root`; needs nothing else, and no network."""
    if proof.root != root or len(proof.sides) != len(proof.path) or set(proof.sides) - {"l", "r"}:
        return False
    if not proof.is_of(step):
        return False
    found = leaf_hash(proof.leaf)
    for beside, side in zip(proof.path, proof.sides, strict=True):
        if len(beside) != HASH_BYTES:
            return False
        found = node(beside, found) if side == "l" else node(found, beside)
    return PREFIX + found.hex() == root


def _said(leaf: bytes) -> tuple[str, dict[str, Any]]:
    """Give label and value of a step's leaf; empty ones where it is none."""
    try:
        said = parse_json(leaf, "a leaf", max_bytes=MAX_PROOF_BYTES)
    except ValueError:
        return "", {}
    if isinstance(said, list) and len(said) == 2 and isinstance(said[0], str) and isinstance(said[1], dict):
        return said[0], said[1]
    return "", {}
