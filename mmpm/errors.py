"""Every failure that mmpm foresees, as a type: a code, one sentence of fact, one of remedy, an exit status.

Rule: text that came from outside (names, paths, server answers, archive members) passes `printable` before it
enters a message, so that nothing a package says can steer a terminal.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

FORESEEN = 1
USAGE = 2
NO_SOLUTION = 3
UNTRUSTED = 4
UNREACHABLE = 5
BUG = 70
INTERRUPTED = 130


def printable(text: str, limit: int = 400, *, keep: str = "") -> str:
    r"""Give `text` with every character that could steer a terminal written as an escape.

    Control characters (C0, C1, DEL), format characters such as bidi overrides, line and paragraph separators,
    private and unassigned ones and lone surrogates become `\x..` or `\u....`; `keep` names exceptions
    (``"\n\t"`` for prose). Longer texts than `limit` characters are cut and end in an ellipsis.
    """
    if len(text) > limit:
        text = text[:limit] + "…"
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    for character in text:
        if character in keep or character.isprintable():
            out.append(character)
        elif unicodedata.category(character) == "Zs":
            out.append(" ")
        else:
            code = ord(character)
            out.append(f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join(out)


def quoted(text: str, limit: int = 80) -> str:
    """Give `text` between single quotes as messages show it: printable, cut at `limit` characters."""
    return f"'{printable(text, limit)}'"


class MmpmError(Exception):
    """A failure that mmpm foresees.

    Attributes:
        code: unique, kebab case; a heading in `docs/errors.md`.
        exit_status: what the process ends with.
        fact: one sentence that names the thing.
        remedy: one sentence with a command to paste where there is one.
        details: facts for programs (`--json`), JSON-able.
    """

    code: ClassVar[str] = "failed"
    exit_status: ClassVar[int] = FORESEEN

    def __init__(self, fact: str, remedy: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy
        self.details = dict(details or {})


class DocumentUnreadableError(MmpmError):
    """A lock, receipt or another document of ours on disk is not what mmpm writes."""

    code = "document-unreadable"

    def __init__(self, what: str, reason: str, remedy: str, line: int | None = None) -> None:
        at = f" (line {line})" if line else ""
        super().__init__(f"{what}{at}: {printable(reason)}", remedy, {"file": what, "line": line})


class NewerFormatError(MmpmError):
    """A document was written by a newer major of mmpm; it is left as it is."""

    code = "newer-format"

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} has format {found}; this mmpm reads up to {known}",
            "install a newer mmpm; the file was not touched",
            {"file": what, "found": found, "known": known},
        )


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

    def __init__(self, key: str, origin: str, reason: str) -> None:
        where = f" in {printable(origin)}" if origin else ""
        super().__init__(
            f"{printable(key, 80)}{where}: {printable(reason)}",
            "run `mmpm config list --origin` to see every setting and where it comes from",
            {"key": key, "origin": origin},
        )


class ConfigSyntaxError(MmpmError):
    """A settings file of a person cannot be read."""

    code = "config-syntax"
    exit_status = USAGE

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{printable(path)} {printable(reason)}", "correct the file at that place", {"file": path})


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

    def __init__(self, reason: str, path: str | None) -> None:
        where = f": {printable(path)}" if path else ""
        super().__init__(
            f"the system says: {printable(reason)}{where}",
            "free space or correct the permissions there, then run the same command again",
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
