"""Actions on this machine outside of formulas folders: plain files, settings, the store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WriteFiles:
    """Write files that must not be there yet (`init`, `new`, `build -o`): (absolute path, bytes, mode)."""

    files: tuple[tuple[str, bytes, int], ...]
    overwrite: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return "write " + ", ".join(path for path, _, _ in self.files)


@dataclass(frozen=True, slots=True)
class CollectStore:
    """Remove from the store what nothing uses.

    Attributes:
        grace_seconds: what was put or linked within it stays.
        max_bytes: stop when the store holds no more than this; None: remove all that may go.
        keep: ``blake3:..`` of trees and objects that stay although no root reaches them (those of a lock).
        force: remove although the listing of a tree in use cannot be read.
        objects, size: what was found to go when the plan was made.
    """

    grace_seconds: int
    max_bytes: int | None = None
    keep: tuple[str, ...] = ()
    force: bool = False
    objects: int = 0
    size: int = 0

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"remove {self.objects} object{'s' * (self.objects != 1)} from the store"


@dataclass(frozen=True, slots=True)
class ClearQuarantine:
    """Unlink the damaged files that were put aside; `files` and `size` as found when the plan was made."""

    files: int
    size: int

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"remove {self.files} file{'s' * (self.files != 1)} from quarantine"


@dataclass(frozen=True, slots=True)
class RepairStore:
    """Quarantine damaged objects, fetch them and missing ones again, and set modes right.

    Each is ``blake3:..``, or ``blake3:..-x`` for the executable variant.
    """

    damaged: tuple[str, ...]
    missing: tuple[str, ...] = ()
    wrong_mode: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        number = len(self.damaged) + len(self.missing) + len(self.wrong_mode)
        return f"mend {number} object{'s' * (number != 1)} of the store"


@dataclass(frozen=True, slots=True)
class PutObject:
    """Put bytes into the store.

    Attributes:
        id: ``blake3:..`` of `data`.
        data: at most a few megabytes: a proto.
        what: for the sentence.
        user: absolute path of a file: as long as it is there the object is not collected; empty: nobody needs it.
    """

    id: str
    data: bytes
    what: str
    user: str = ""

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"put {self.what} into the store as {self.id}"


@dataclass(frozen=True, slots=True)
class SetConfig:
    """Set (or, with None, unset) a value in a settings file."""

    path: str
    key: str
    value: str | None

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        if self.value is None:
            return f"unset {self.key} in {self.path}"
        return f"set {self.key} = {self.value} in {self.path}"


MachineAction = WriteFiles | CollectStore | ClearQuarantine | RepairStore | PutObject | SetConfig
