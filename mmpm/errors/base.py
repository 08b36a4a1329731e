"""What every foreseen failure is: a code, one sentence of fact, one of remedy, an exit status.

Rule: text that came from outside (names, paths, server answers, archive members) passes `printable` before it
enters a message, so that nothing a package says can steer a terminal.
"""

from __future__ import annotations

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

_MESSAGE_LIMIT = 20_000


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
    import unicodedata  # a shared library of its own, and most texts are plain

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


def counted(number: int, noun: str) -> str:
    """Give a number with its noun: ``1 file``, ``2 files``."""
    return f"{number} {noun}{'s' * (number != 1)}"


def size_text(size_bytes: int) -> str:
    """Give a size as messages show it: ``12.3 MB``, in powers of ten."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= step:
            return f"{size_bytes / step:.1f} {unit}"
    return f"{size_bytes} B"


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
        # Cleaned here once more, whatever a subclass forgot; clean text stays as it is.
        self.fact = printable(fact, _MESSAGE_LIMIT, keep="\n")
        self.remedy = printable(remedy, _MESSAGE_LIMIT, keep="\n")
        super().__init__(self.fact)
        self.details = dict(details or {})
