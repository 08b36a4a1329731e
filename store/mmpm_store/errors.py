"""Every failure that the store foresees: one sentence of fact, one of remedy.

Rule: text from outside (paths, archive members) enters a message through `quoted` only.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not imported from typing, whose import costs a warm installation a tenth of its time
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm_store.ids import ObjectId

_SHOWN_CHARACTERS = 120
_SHOWN_IDS = 3


def quoted(text: str | bytes) -> str:
    """Give `text` in quotes, everything but printable ASCII escaped, cut at 120 characters: safe on any terminal."""
    shown = ascii(text[: _SHOWN_CHARACTERS + 1]).removeprefix("b")
    if len(text) > _SHOWN_CHARACTERS or len(shown) > 4 * _SHOWN_CHARACTERS:
        shown = shown[: 4 * _SHOWN_CHARACTERS] + "..."
    return shown


class StoreError(Exception):
    """A failure that the store foresees.

    Attributes:
        fact: one sentence that names the thing.
        remedy: one sentence: what to do about it.
    """

    def __init__(self, fact: str, remedy: str) -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy


class NotAStoreError(StoreError):
    """The folder is no store, or cannot be made one."""


class NewerStoreError(StoreError):
    """The store was written by a newer major version; it was left as it is."""


class UnsafePathError(StoreError, ValueError):
    """A path that is not the same harmless relative path on every system."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"path {quoted(path)} {reason}", "rename the file")
        self.path = path
        self.reason = reason


class TreeError(StoreError, ValueError):
    """A tree listing that is malformed or not canonical."""

    def __init__(self, fact: str) -> None:
        super().__init__(fact, "fetch the listing again from another source")


class ArchiveError(StoreError):
    """An archive that is refused, as a whole and before anything of it is used."""

    def __init__(self, reason: str, member: str | bytes | None = None) -> None:
        where = "archive refused" if member is None else f"archive refused: member {quoted(member)}"
        super().__init__(f"{where}: {reason}" if member is None else f"{where} {reason}", "build the archive again")


class _ObjectsError(StoreError):
    def __init__(self, claim: str, ids: Iterable[ObjectId], remedy: str) -> None:
        self.ids = tuple(sorted(set(ids)))
        shown = ", ".join(str(one) for one in self.ids[:_SHOWN_IDS])
        more = len(self.ids) - _SHOWN_IDS
        noun = "object" if len(self.ids) == 1 else f"{len(self.ids)} objects"
        super().__init__(f"{noun} {claim}: {shown}" + (f" and {more} more" if more > 0 else ""), remedy)


class DamagedObjectError(_ObjectsError):
    """Objects whose bytes are not what their id says; they are in quarantine by now. `ids` is sorted, not empty."""

    def __init__(self, ids: Iterable[ObjectId]) -> None:
        super().__init__("damaged, moved to quarantine", ids, "repair the store, which fetches them again")


class MissingObjectError(_ObjectsError):
    """Objects that the store does not have. `ids` is sorted, not empty."""

    def __init__(self, ids: Iterable[ObjectId]) -> None:
        super().__init__("not in the store", ids, "fetch them first")


class LinkError(StoreError):
    """A hard link was demanded and the file system refused it."""


class UnreadableRootError(StoreError):
    """A root file that cannot be read: nothing is collected until it is right again or gone."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"cannot read {quoted(path)}, which says what is in use",
            "delete that file, then run sync in each project that uses this store",
        )


class NoSpaceError(StoreError):
    """The disk or the quota is full; nothing half-written is visible."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"no space left on the device while writing below {quoted(path)}",
            "free some space, or prune the store, then repeat the command",
        )
