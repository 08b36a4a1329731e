"""How far a release is trusted: publishers, marks, and the one judgement that is made of them. Pure.

Both documents are targets of the role trust, whose keys are usually offline; a level anywhere else is a hint for the
eye. `docs/formats.md`, "Publishers and levels".

Rule: what is withdrawn (a mark, a key, a publisher, by a revocation too) never raises a level, and the order of what
a document lists plays no role.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mmpm.errors import printable, quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.checksums import Checksum
from mmpm.model.fields import Fields
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.trust.facts import format_time, parse_time
from mmpm.trust.key_ids import short
from mmpm.trust.publishers import (
    FORMAT,
    MAX_BYTES,
    MAX_NAME,
    MAX_NOTE,
    Publisher,
    PublisherKey,
    Publishers,
    Revocation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from mmpm.model.release import Release

__all__ = [
    "LEVELS",
    "Judged",
    "Level",
    "Mark",
    "Marks",
    "Publisher",
    "PublisherKey",
    "Publishers",
    "Revocation",
    "judge_level",
    "rank",
]

Level: TypeAlias = Literal["unverified", "verified", "official", "audited"]
UNVERIFIED: Final = "unverified"
VERIFIED: Final = "verified"
OFFICIAL: Final = "official"
AUDITED: Final = "audited"
LEVELS: Final[tuple[Level, ...]] = (UNVERIFIED, VERIFIED, OFFICIAL, AUDITED)
"""From the least to the most trusted."""


def rank(level: str) -> int:
    """Give the place of a level among `LEVELS`, 0 for the least trusted.

    Raises:
        ValueError: there is no such level.
    """
    for number, one in enumerate(LEVELS):
        if one == level:
            return number
    raise ValueError(f"{quoted(level)} is no level; levels are {', '.join(LEVELS)}")


# --- marks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True, slots=True)
class Mark:
    """One mark.

    Attributes:
        name: the formula.
        version: of an audit; empty where the mark is for the name.
        checksum: of an audit, likewise.
        by: who gave it, as text for people.
        at: when, RFC 3339 UTC.
        note: one line for people; may be empty.
    """

    name: str
    version: str
    checksum: str
    by: str
    at: str
    note: str = ""

    def __post_init__(self) -> None:
        FormulaName.parse(self.name)
        if self.checksum:
            Checksum.parse(self.checksum)
            Version.parse(self.version)
        if format_time(parse_time(self.at)) != self.at:
            raise ValueError(f"{quoted(self.at)} is not a time in UTC to the second")
        if len(self.by) > MAX_NAME or len(self.note) > MAX_NOTE:
            raise ValueError(f"a mark of {self.name} has more than {MAX_NAME} or {MAX_NOTE} characters of text")


@dataclass(frozen=True, slots=True)
class Marks:
    """One levels shard: marks by name (official) and by checksum (audited)."""

    officials: Mapping[str, Mark] = field(default_factory=dict)
    audits: Mapping[str, Mark] = field(default_factory=dict)

    def official(self, name: FormulaName | str) -> Mark | None:
        """Give the mark of a name."""
        return self.officials.get(str(name))

    def audited(self, checksum: Checksum | str) -> Mark | None:
        """Give the mark of a release's bytes."""
        return self.audits.get(str(checksum))

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not (self.officials or self.audits)

    def with_mark(self, mark: Mark) -> Marks:
        """Give these and `mark`, in the place of one for the same name or bytes."""
        if mark.checksum:
            return replace(self, audits={**self.audits, mark.checksum: mark})
        return replace(self, officials={**self.officials, mark.name: mark})

    def without_official(self, name: FormulaName | str) -> Marks:
        """Give these without the mark of a name."""
        return replace(self, officials={key: one for key, one in self.officials.items() if key != str(name)})

    def without_audit(self, checksum: Checksum | str) -> Marks:
        """Give these without the mark of a release's bytes."""
        return replace(self, audits={key: one for key, one in self.audits.items() if key != str(checksum)})

    def to_bytes(self) -> bytes:
        """Give the canonical document."""
        officials = {key: _told(one) for key, one in self.officials.items()}
        audits = {key: {"name": one.name, "version": one.version, **_told(one)} for key, one in self.audits.items()}
        return canonical_json({"format": FORMAT, "official": officials, "audited": audits})

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a shard.

        Raises:
            ValueError: it is not one; one sentence that says what is wrong.
        """
        what = "a levels shard"
        fields = Fields(parse_json(data, what, max_bytes=MAX_BYTES), what)
        fields.require_format(FORMAT)
        officials = {name: _read_mark(one, name=name) for name, one in fields.table("official").items()}
        audits = {
            str(Checksum.parse(checksum)): _read_mark(one, checksum=checksum)
            for checksum, one in fields.table("audited").items()
        }
        return cls(officials, audits)


def _told(mark: Mark) -> dict[str, object]:
    return {"by": mark.by, "at": mark.at, "note": mark.note}


def _read_mark(value: object, *, name: str = "", checksum: str = "") -> Mark:
    fields = Fields(value, f"the mark of {quoted(name or checksum)}")
    return Mark(
        name or fields.text("name", 130),
        fields.text("version", 256) if checksum else "",
        checksum,
        fields.text("by", MAX_NAME),
        fields.text("at", 40),
        fields.text("note", MAX_NOTE),
    )


# --- the judgement --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """The level of a release, and why.

    Attributes:
        level: the highest mark that it has.
        sentences: what vouches for it, and what does not any more; printable, never empty.
        publisher: whose verified signature it bears, where there is one.
    """

    level: Level
    sentences: tuple[str, ...]
    publisher: Publisher | None = None


def judge_level(
    release: Release, publishers: Publishers, marks: Marks, verified_keys: frozenset[str] | None = None
) -> Judged:
    """Give how far `release` is trusted.

    Args:
        release: what its index line says.
        publishers: of the registry that it comes from.
        marks: the levels shard of its name.
        verified_keys: ids of the keys whose signature of this release was really checked; None takes the index's
            claim, which is good enough to choose by, never to install by.
    """
    level: Level = UNVERIFIED
    told: list[str] = []
    publisher = None
    for key_id, _ in sorted(release.signatures):
        found, sentence = _signer(release, publishers, key_id, verified_keys)
        if sentence:
            told.append(sentence)
        if found is not None:
            publisher = publisher or found
            level = VERIFIED
    official = marks.official(release.name)
    if official is not None:
        level = OFFICIAL
        told.append(_sentence("official", official))
    audit = marks.audited(release.checksum)
    # The same bytes under another name or version were not what the auditor looked at: an old release shown as new.
    if audit is not None and (audit.name, audit.version) == (str(release.name), str(release.version)):
        level = AUDITED
        told.append(_sentence("audited", audit))
    return Judged(level, tuple(told) or ("nobody vouches for it",), publisher)


def _signer(
    release: Release, publishers: Publishers, key_id: str, verified_keys: frozenset[str] | None
) -> tuple[Publisher | None, str]:
    """Give the publisher whom a signature makes it verified by, or None and why not; both empty: nobody's key."""
    listed = publishers.key(key_id)
    if listed is None:
        return None, ""
    publisher, _ = listed
    who = f"{printable(publisher.name)} (key {short(key_id)})"
    if not publisher.owns(release.name):
        return None, f"signed by {who}, who does not own the name {release.name}"
    reason = publishers.is_revoked(publisher, key_id, signed_serial(release, key_id))
    if reason is not None:
        return None, f"the signature by {who} counts no more: {printable(reason)}"
    if verified_keys is not None and key_id not in verified_keys:
        return None, f"the signature by {who} is not here or could not be checked"
    return publisher, f"signed by {who}"


def signed_serial(release: Release, key_id: str) -> int:
    """Give the serial at which a signature appeared: the release's own, or a later one where it was added later."""
    return max((serial for one, serial in release.signed_later if one == key_id), default=release.serial)


def _sentence(word: str, mark: Mark) -> str:
    by = f" by {printable(mark.by)}" if mark.by else ""
    note = f": {printable(mark.note)}" if mark.note else ""
    return f"{word}{by} on {mark.at[:10]}{note}"
