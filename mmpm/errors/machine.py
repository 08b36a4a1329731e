"""What the command line, a person's settings and the machine itself can have wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import UNREACHABLE, USAGE, MmpmError, printable, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable


class UsageError(MmpmError):
    """The command line asks for something that does not exist or does not fit together."""

    code = "usage"
    exit_status = USAGE

    def __init__(self, fact: str, remedy: str = "run `mmpm --help`") -> None:
        super().__init__(printable(fact), remedy)


class QuestionUnansweredError(MmpmError):
    """A question came up where nobody can answer it."""

    code = "question-unanswered"
    exit_status = USAGE

    def __init__(self, question: str) -> None:
        super().__init__(
            f"this needs an answer and there is no terminal: {printable(question)}",
            "run it again with `--yes`, or look first with `--dry-run`",
        )


class DeclinedError(MmpmError):
    """A person answered no; nothing was changed."""

    code = "declined"

    def __init__(self) -> None:
        super().__init__("nothing was changed", "run it again and answer y, or pass `--yes`")


class NoHomeError(MmpmError):
    """`HOME` does not name a folder to keep things in."""

    code = "no-home"
    exit_status = USAGE

    def __init__(self, home: str) -> None:
        super().__init__(
            f"HOME is {printable(home)!r}" if home else "HOME is not set",
            'set it to an absolute path: export HOME="$(cd ~ && pwd)"',
        )


class BadSettingError(MmpmError):
    """A setting's value is not what it has to be, or there is no such setting."""

    code = "bad-setting"
    exit_status = USAGE

    def __init__(self, key: str, origin: str, reason: str, line: int | None = None) -> None:
        """Take what was refused.

        Args:
            key: as in `install.link` or `registries[0].url`.
            origin: the file or the variable that says it; empty where it was typed.
            reason: a sentence.
            line: of the file.
        """
        where = f" in {printable(origin)}" if origin else ""
        where += f", line {line}" if line else ""
        remedy = "run `mmpm config list --origin` to see every setting and where it comes from"
        if origin.startswith("MMPM_"):
            remedy = f"correct it, or run `unset {printable(origin)}`"
        elif origin:
            remedy = f"correct {'that line' if line else printable(key, 80)} in {printable(origin)}"
        super().__init__(
            f"{printable(key, 80)}{where}: {printable(reason)}", remedy, {"key": key, "origin": origin, "line": line}
        )


class ConfigSyntaxError(MmpmError):
    """A settings file of a person cannot be read."""

    code = "config-syntax"
    exit_status = USAGE

    def __init__(self, path: str, reason: str, remedy: str = "correct the file at that place") -> None:
        super().__init__(f"{printable(path)} {printable(reason)}", remedy, {"file": path})


class OfflineError(MmpmError):
    """Something tried to open a socket while mmpm is offline."""

    code = "offline"
    exit_status = UNREACHABLE

    def __init__(self, what: str) -> None:
        super().__init__(
            f"offline: {printable(what)} needs a network",
            "run it again without `--offline`, MMPM_OFFLINE and `offline = true`",
        )


class SystemRefusedError(MmpmError):
    """The operating system refused something: no space, no permission, a read-only disk."""

    code = "system-refused"

    def __init__(self, reason: str, path: str | None, remedy: str = "") -> None:
        where = f": {printable(path)}" if path else ""
        super().__init__(
            f"the system says: {printable(reason)}{where}",
            remedy or "free space or correct the permissions there, then run the same command again",
            {"path": path},
        )


class NoProjectError(MmpmError):
    """The asked tier is not there."""

    code = "no-project"
    exit_status = USAGE

    def __init__(self, tier: str, where: str) -> None:
        fact = f"there is no town at {printable(where)}" if tier == "town" else f"no project around {printable(where)}"
        remedy = "set GT_ROOT to the town's folder" if tier == "town" else "run `mmpm init` in the project's folder"
        super().__init__(fact, remedy, {"tier": tier, "where": where})


class StoreIncompleteError(MmpmError):
    """Listings of trees in use are missing or damaged, so that nobody knows which objects they need."""

    code = "store-incomplete"

    def __init__(self, trees: Iterable[str]) -> None:
        listed = sorted(trees)
        super().__init__(
            f"the listings of some releases in use cannot be read ({len(listed)}), so it is not known what they need; "
            "nothing was removed",
            "run `mmpm store repair`; `mmpm store prune --force` removes their files as well",
            {"trees": listed},
        )


class NotFoundInStoreError(MmpmError):
    """A command is about an object that the store does not have."""

    code = "not-in-store"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"{printable(text, 100)} {reason}",
            "give blake3: and 64 hexadecimal digits, as `mmpm show NAME --json` and the lock have them",
            {"object": text},
        )


class LockedByOtherError(MmpmError):
    """Another process has been changing the same formulas folder for too long."""

    code = "locked-by-other"

    def __init__(self, folder: str, owner: str, waited_seconds: int) -> None:
        super().__init__(
            f"{printable(owner)} has been changing {printable(folder)} for over {waited_seconds} seconds",
            "wait for it to end, or end it; its lock goes with it",
            {"folder": folder, "owner": owner, "waited_seconds": waited_seconds},
        )


class NotEnoughSpaceError(MmpmError):
    """The disk of the store has less room than what is to be fetched; nothing was fetched."""

    code = "not-enough-space"

    def __init__(self, store: str, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"{size_text(needed_bytes)} are to be fetched, and {printable(store)} has room for {size_text(free_bytes)}",
            "free some space there, with `mmpm store prune --everything` for one, or set store.path to another disk",
            {"store": store, "needed_bytes": needed_bytes, "free_bytes": free_bytes},
        )


class FileInTheWayError(MmpmError):
    """A file that would be made is there already, or what is there is no file that could be written over."""

    code = "file-in-the-way"

    def __init__(self, path: str, reason: str = "is there already") -> None:
        remedy = "move it away, or choose another name" if reason == "is there already" else "choose another name"
        super().__init__(f"{printable(path)} {reason}", remedy, {"path": path})
