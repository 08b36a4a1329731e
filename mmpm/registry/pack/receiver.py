"""What the receiver of a pack is taken to have of one registry: what travels is the rest.

An inventory tells it hash by hash. A serial tells it by rule: the metadata of that state, and every release that was
published until then. What the sender still has of that state's metadata serves as bases of patches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmpm.errors import MissingTreeFileError
from mmpm.registry import layout
from mmpm.registry.verified import MAX_TIMESTAMP_BYTES, VerifiedState
from mmpm.trust.facts import BINS, TARGETS, TIMESTAMP, TRUST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.model.release import Release
    from mmpm.registry.pack.format import Base
    from mmpm.registry.pack.inventory import Hashes
    from mmpm.registry.verified import Read
    from mmpm.trust.facts import RoleFile, TargetFile


@dataclass(slots=True)
class Receiver:
    """What the receiver has.

    Attributes:
        base: as it stands in the pack.
        hashes: of its objects and targets, where an inventory tells them; None: all that its serial stands for.
        old: the state that it shows, as far as the sender still has it; None where it has not.
        learned: hashes of objects that releases up to its serial have, as far as they were looked at.
        unchanged: targets that must be as they were at its serial, where neither `hashes` nor `old` tell it.
    """

    base: Base
    hashes: Hashes | None = None
    old: VerifiedState | None = None
    learned: set[bytes] = field(default_factory=set)
    unchanged: set[str] = field(default_factory=set)

    def had_release(self, release: Release) -> bool:
        """Whether its document is there, and so perhaps a base for later ones."""
        if self.hashes is not None:
            return release.document.hex in self.hashes
        return release.serial <= self.base.serial

    def infers(self) -> bool:
        """Whether what has not changed must be told by the serials of its releases."""
        return self.hashes is None and self.old is None

    def note_unchanged(self, releases: Iterable[Release], target: str) -> bool:
        """Take an index for what the receiver has if all `releases` in it are lines as they were at its serial.

        Only a withdrawal or a late signature changes a line; where there is one, nothing is taken for unchanged.
        """
        are_old = all(
            one.serial <= self.base.serial and one.yanked is None and not one.tombstone and not one.signatures
            for one in releases
        )
        if are_old:
            self.unchanged.add(target)
        return are_old

    def has_object(self, digits: str) -> bool:
        """Whether an object is there."""
        if self.hashes is not None:
            return digits in self.hashes
        return bytes.fromhex(digits) in self.learned

    def has_role(self, role: str, file: RoleFile) -> bool:
        """Whether the file of a role is there: it was in the receiver's state, or is a bin of that time."""
        if self.old is not None:
            return self.old.roles().get(role) == file
        is_bin = role not in (TARGETS, TRUST, BINS)
        return is_bin and file.version <= self.base.serial

    def has_target(self, target: str, listed: TargetFile) -> bool:
        """Whether a target's file is there, though the role that lists it has changed."""
        if self.hashes is not None:
            return listed.sha256 in self.hashes
        if self.old is not None:
            return self.old_target(target) == listed
        return target in self.unchanged

    def old_role(self, role: str) -> RoleFile | None:
        """Give the file of a role in the receiver's state, or None where that is not known."""
        return None if self.old is None else self.old.roles().get(role)

    def old_target(self, target: str) -> TargetFile | None:
        """Give what the receiver's state lists for a target, or None where that is not known."""
        if self.old is None:
            return None
        try:
            return self.old.listed(target)
        except MissingTreeFileError:
            return None


def find_old_state(
    read: Read, trusted_root: bytes, registry_id: str, serial: int, snapshot: str | None
) -> VerifiedState | None:
    """Give the state `serial` from what is still in the tree, verified; None where it is gone.

    Args:
        read: of the sender's tree.
        trusted_root: as for `VerifiedState.open`.
        registry_id: the registry.
        serial: of the state.
        snapshot: its sha256, if that is known: another one is another state.
    """
    if not serial:
        return None
    timestamp = read(layout.role_file(TIMESTAMP, serial), MAX_TIMESTAMP_BYTES)
    if timestamp is None or len(timestamp) > MAX_TIMESTAMP_BYTES:
        return None
    try:
        found = VerifiedState.open(read, trusted_root, registry_id=registry_id, timestamp=timestamp)
    except MissingTreeFileError:
        return None
    is_it = snapshot is None or found.facts.snapshot.sha256 == snapshot
    return found if is_it and found.serial == serial else None
