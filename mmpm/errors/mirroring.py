"""What can be wrong with a mirror: what it is to carry, what lies in it, and the room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import UNTRUSTED, MmpmError, printable, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 5


def _listed(names: Sequence[str]) -> str:
    return ", ".join(printable(name, 200) for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


class SelectionIncompleteError(MmpmError):
    """What is asked for cannot be had in full, so that what would be carried could not be installed."""

    code = "selection-incomplete"

    def __init__(self, missing: Sequence[str], remedy: str = "") -> None:
        super().__init__(
            f"not all of it can be had: {'; '.join(printable(one, 300) for one in missing[:_SHOWN])}"
            + (f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""),
            remedy or "name the registries that have them with `--from`, or make the locks anew with `mmpm lock`",
            {"missing": list(missing)},
        )


class LinkedFolderError(MmpmError):
    """A folder of a mirror is a link, so that what is written into the mirror would lie elsewhere."""

    code = "linked-folder"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{printable(path)} is a link, and a mirror is written into folders of its own alone",
            "take the link away; what is to lie on another disk can be mounted there",
            {"path": path},
        )


class MirrorNoRoomError(MmpmError):
    """The disk of a mirror has less room than what is to be fetched and written; nothing was fetched."""

    code = "mirror-no-room"

    def __init__(self, folder: str, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"{size_text(needed_bytes)} of room are needed, some to spare, and {printable(folder)} has "
            f"{size_text(free_bytes)}",
            "free some space there, take fewer releases with `--lock` or `--only`, or put the mirror on another disk",
            {"folder": folder, "needed_bytes": needed_bytes, "free_bytes": free_bytes},
        )


class MirrorUnreadableError(MmpmError):
    """A document at the head of a mirror is not what mmpm writes, or there is none."""

    code = "mirror-unreadable"

    def __init__(self, folder: str, name: str, reason: str) -> None:
        super().__init__(
            f"{printable(folder)}/{name}: {printable(reason)}",
            f"run `mmpm mirror create {printable(folder)} --from REGISTRY` to say anew what it carries; its trees stay",
            {"folder": folder, "file": name, "reason": reason},
        )


class MirrorIncompleteError(MmpmError):
    """A mirror lacks files of what it is to carry, or has some that do not belong there."""

    code = "mirror-incomplete"

    def __init__(self, folder: str, missing: Sequence[str], foreign: Sequence[str]) -> None:
        lacks = f"lacks {_count(missing, 'file')} ({_listed(missing)})" if missing else ""
        has = f"has {len(foreign)} that {_do(foreign)} not belong there ({_listed(foreign)})" if foreign else ""
        super().__init__(
            f"the mirror {printable(folder)} {' and '.join(filter(None, (lacks, has)))}",
            f"run `mmpm mirror update {printable(folder)}` where its registries can be reached"
            if missing
            else "look at what does not belong there, and take it away",
            {"folder": folder, "missing": list(missing), "foreign": list(foreign)},
        )


class MirrorUntrustedError(MmpmError):
    """Files of a mirror have other bytes than those that are signed."""

    code = "mirror-untrusted"
    exit_status = UNTRUSTED

    def __init__(self, folder: str, damaged: Sequence[str]) -> None:
        super().__init__(
            f"the mirror {printable(folder)} has {_count(damaged, 'damaged file')} ({_listed(damaged)})",
            f"run `mmpm mirror verify {printable(folder)} --repair` where its registries can be reached",
            {"folder": folder, "damaged": list(damaged)},
        )


def _count(names: Sequence[str], noun: str) -> str:
    return f"{len(names)} {noun}{'s' * (len(names) != 1)}"


def _do(names: Sequence[str]) -> str:
    return "do" if len(names) != 1 else "does"
