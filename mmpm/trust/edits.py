"""What a registry's operator does to publishers and marks, as values that can be made again on a newer state. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from mmpm.trust.key_ids import short

if TYPE_CHECKING:
    from mmpm.trust.levels import Mark, Marks, Publisher, Publishers, Revocation


@dataclass(frozen=True, slots=True)
class PutPublisher:
    """Add a publisher; of one that is there already, add these keys, scopes and names, and take over the name."""

    publisher: Publisher

    @property
    def words(self) -> str:
        """What it does, behind "would"."""
        one = self.publisher
        owned = ", ".join((*one.scopes, *one.names))
        keys = ", ".join(short(key.key_id) for key in one.keys)
        return (
            f"make {one.id} ({one.name}) a publisher"
            + (f" with the key {keys}" if keys else "")
            + (f", owner of {owned}" if owned else "")
        )


@dataclass(frozen=True, slots=True)
class Revoke:
    """Say from which serial on a key of a publisher, or all of them, count no more."""

    publisher_id: str
    revocation: Revocation

    @property
    def words(self) -> str:
        """What it does, behind "would"."""
        key = self.revocation.key_id
        what = f"the key {short(key)}" if key else "every key"
        since = f"from serial {self.revocation.from_serial} on" if self.revocation.from_serial else "altogether"
        return f"revoke {what} of {self.publisher_id} {since}: {self.revocation.reason}"


@dataclass(frozen=True, slots=True)
class GiveMark:
    """Mark a name as official, or a release as audited."""

    mark: Mark

    @property
    def name(self) -> str:
        """The formula that it is about."""
        return self.mark.name

    @property
    def words(self) -> str:
        """What it does, behind "would"."""
        one = self.mark
        return f"mark {one.name}@{one.version} as audited" if one.checksum else f"mark {one.name} as official"


@dataclass(frozen=True, slots=True)
class TakeMark:
    """Withdraw a mark; `checksum` and `version` are empty where it is that of a name."""

    name: str
    version: str = ""
    checksum: str = ""

    @property
    def words(self) -> str:
        """What it does, behind "would"."""
        what = f"{self.name}@{self.version} is audited" if self.checksum else f"{self.name} is official"
        return f"withdraw the mark that {what}"


TrustEdit: TypeAlias = PutPublisher | Revoke | GiveMark | TakeMark


def edit_publishers(edit: PutPublisher | Revoke, publishers: Publishers) -> Publishers:
    """Give the publishers after an edit; equal ones where it is made already.

    Raises:
        ValueError: a key, scope or name belongs to another, or there is no such publisher.
    """
    if isinstance(edit, PutPublisher):
        new = edit.publisher
        old = publishers.find(new.id)
        if old is None:
            return publishers.with_publisher(new)
        merged = replace(
            old,
            name=new.name,
            keys=(*old.keys, *new.keys),
            scopes=(*old.scopes, *new.scopes),
            names=(*old.names, *new.names),
        )
        return publishers.with_publisher(merged)
    found = publishers.find(edit.publisher_id)
    if found is None:
        raise ValueError(f"there is no publisher {edit.publisher_id}")
    return publishers.with_publisher(replace(found, revoked=(*found.revoked, edit.revocation)))


def edit_marks(edit: GiveMark | TakeMark, marks: Marks) -> Marks:
    """Give a shard of marks after an edit; equal ones where it is made already.

    A mark that says the same as before keeps its time.
    """
    if isinstance(edit, TakeMark):
        return marks.without_audit(edit.checksum) if edit.checksum else marks.without_official(edit.name)
    new = edit.mark
    old = marks.audited(new.checksum) if new.checksum else marks.official(new.name)
    is_same = old is not None and replace(old, at=new.at) == new
    return marks if is_same else marks.with_mark(new)
