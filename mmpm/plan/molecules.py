"""Actions on the molecules of a root: lines that are appended, and logs that end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AppendLine:
    """Append one operation to the log of a molecule.

    Attributes:
        root: absolute path below which the molecules lie.
        phase: ``mol`` or ``wisp``.
        data: the line, without its line feed.
        creates: whether the molecule begins with it; a log of that id must not be there then.
        sentence: what it does, for the eye, behind "would".
    """

    root: str
    id: str
    phase: str
    data: bytes
    creates: bool
    sentence: str

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return self.sentence


@dataclass(frozen=True, slots=True)
class SquashMolecule:
    """Write a molecule's digest, which is the squash; then end a mol's log with `line`, and remove a wisp's.

    Attributes:
        digest: the text of its file.
        line: of the squash, without its line feed.
    """

    root: str
    id: str
    phase: str
    digest: bytes
    line: bytes

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        after = "; its trace goes" if self.phase == "wisp" else ""
        return f"squash {self.id} into a digest{after}"


@dataclass(frozen=True, slots=True)
class BurnMolecule:
    """Remove a molecule's log.

    Attributes:
        line: of the burn, without its line feed.
        audits: whether the audit log keeps it.
    """

    root: str
    id: str
    phase: str
    line: bytes
    audits: bool

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"burn {self.id}"


@dataclass(frozen=True, slots=True)
class CompactLog:
    """Drop from a molecule's log what has no effect; `lines` as found when the plan was made."""

    root: str
    id: str
    phase: str
    lines: int

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"drop {self.lines} line{'s' * (self.lines != 1)} without effect from the log of {self.id}"


@dataclass(frozen=True, slots=True)
class CompleteEnding:
    """Complete a squash or a burn that ended in between: its digest, or its last line, is there, and its log, too."""

    root: str
    id: str
    phase: str

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"complete the end of {self.id}, in whose middle a command was killed"


@dataclass(frozen=True, slots=True)
class RemoveLeftovers:
    """Unlink files that killed processes left beside logs and digests: absolute paths."""

    paths: tuple[str, ...]

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"remove {len(self.paths)} file{'s' * (len(self.paths) != 1)} of killed processes"


MoleculeAction = AppendLine | SquashMolecule | BurnMolecule | CompactLog | CompleteEnding | RemoveLeftovers
