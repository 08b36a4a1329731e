"""What a person or a program sees: results on standard output, words on standard error.

Rule: every text goes through `printable` here, so that nothing a package says can steer a terminal. Colour is added
after that, by `Styled` pieces alone, and only where the stream is a terminal that wants it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from mmpm.errors import DeclinedError, QuestionUnansweredError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
LINE_LIMIT = 1 << 20
# What is no printable character and may stay: the emoji selector of our own badges, and what prose is made of.
_IN_LINE = "\ufe0f"
_IN_TEXT = "\n\t\ufe0f"
_FANCY_TREE = ("├── ", "└── ", "│   ", "    ")
_PLAIN_TREE = ("+-- ", "`-- ", "|   ", "    ")

# The seed's marks, and what stands for them where the stream cannot show them.
MARKS = {
    "done": ("✓", "ok"),
    "failed": ("✗", "failed"),
    "warning": ("⚠️", "!"),
    "star": ("⭐", "*"),
    "downloads": ("📥", "downloads"),
    "unverified": ("⚠️ Unverified", "unverified"),
    "verified": ("✓ Verified", "verified"),
    "official": ("🏛️ Official", "official"),
    "audited": ("🔒 Audited", "audited"),
    "arrow": ("→", "->"),
    "cell": ("█", "#"),
    "ellipsis": ("…", "..."),
    # how a step stands; a ready one is an open one that nothing holds, and is said to be
    "step-open": ("○", "[ ]"),
    "step-ready": ("○", "[ ]"),
    "step-in_progress": ("◐", "[~]"),
    "step-closed": ("●", "[x]"),
    "step-failed": ("✗", "[!]"),
    "step-skipped": ("⊘", "[-]"),
}


@dataclass(frozen=True, slots=True)
class Styled:
    """A piece of a line with a style: bold, dim, red, green, yellow or cyan."""

    text: str
    style: str


def badge(out: Output, level: str) -> Styled:
    """Give a trust level as the seed shows it on standard output; a plain word where that has no such characters."""
    text = out.mark(level, out.out) if level in MARKS else level
    return Styled(text, "yellow" if level == "unverified" else "green")


def stem(out: Output, lasts: Sequence[bool]) -> str:
    """Give what stands before a line of a tree on standard output: lines down to its siblings and those of its parents.

    Args:
        out: the stream decides between drawn lines and plain characters.
        lasts: for each level below the root, down to the line's own, whether it is the last of its siblings there.
    """
    if not lasts:
        return ""
    fork, last, through, blank = _FANCY_TREE if can_show(out.out, "└") else _PLAIN_TREE
    return "".join(blank if is_last else through for is_last in lasts[:-1]) + (last if lasts[-1] else fork)


class Output:
    """The two streams of one command, and the JSON document it may have to give instead.

    Attributes:
        environ: of the command; says what the terminal can.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        as_json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        progress: bool = True,
        color: str = "auto",
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.out = out or sys.stdout or _nowhere()
        self.err = err or sys.stderr or _nowhere()
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.warnings: list[str] = []
        self.has_document = False
        self.environ = environ
        self._color = color
        self._moves = progress and not quiet and not as_json and is_terminal(self.err) and not self._is_dumb

    @property
    def _is_dumb(self) -> bool:
        return self.environ.get("TERM", "") in {"", "dumb"}

    @property
    def moves(self) -> bool:
        """Whether a progress bar may redraw its line on standard error."""
        return self._moves

    def set_color(self, color: str) -> None:
        """Take over what the configuration says where no flag was given."""
        self._color = color

    def columns(self) -> int | None:
        """Give how wide the terminal is that standard output goes to; None where it goes to no terminal."""
        if not is_terminal(self.out):
            return None
        said = self.environ.get("COLUMNS", "")
        if said.isascii() and said.isdecimal() and int(said[:6]) > 0:
            return int(said[:6])
        try:
            return os.get_terminal_size(self.out.fileno()).columns or None
        except (OSError, ValueError):
            return None

    def colored(self, stream: TextIO) -> bool:
        """Say whether escape codes belong on `stream`: flag, then NO_COLOR, then FORCE_COLOR, then the terminal."""
        if self._color != "auto":
            return self._color == "always"
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("FORCE_COLOR"):
            return True
        return is_terminal(stream) and not self._is_dumb

    def mark(self, name: str, stream: TextIO | None = None) -> str:
        """Give the seed's mark, or words where the stream's encoding has no such character."""
        fancy, plain = MARKS[name]
        return fancy if can_show(stream or self.err, fancy) else plain

    def result(self, *pieces: str | Styled, end: str = "\n") -> None:
        """Print a line of the result on standard output; nothing with `--json`, whose result is the document."""
        if not self.as_json:
            self._write(self.out, pieces, end)

    def line(self, *pieces: str | Styled) -> None:
        """Print one line of the result, whatever the pieces hold: a line feed in one is shown, and begins no line."""
        if not self.as_json:
            with_color = self.colored(self.out)
            self._put(self.out, "".join([self._piece(piece, with_color, keep=_IN_LINE) for piece in pieces]) + "\n")

    def results(self, lines: Iterable[Sequence[str | Styled]]) -> None:
        """Print many lines of the result at once: for lists of thousands."""
        if not self.as_json:
            with_color = self.colored(self.out)
            self._put(self.out, "".join([self._line(pieces, with_color) + "\n" for pieces in lines]))

    def raw(self, data: bytes) -> None:
        """Write bytes to standard output as they are: `export` to a pipe."""
        self.out.flush()
        self.out.buffer.write(data)
        self.out.buffer.flush()

    def raw_json(self, data: bytes) -> None:
        """Write JSON, or lines of it, to standard output: to the byte, or for the eye of a person the same in escapes.

        On a terminal nothing in it may steer or forge what is seen, and no reader of JSON sees a difference.
        """
        self.raw(_in_escapes(data) if is_terminal(self.out) else data)

    def say(self, *pieces: str | Styled, end: str = "\n") -> None:
        """Tell the person something on standard error; silent with `--quiet` and `--json`."""
        if not self.quiet and not self.as_json:
            self._write(self.err, pieces, end)

    def detail(self, *pieces: str | Styled) -> None:
        """Tell what only `--verbose` wants to know."""
        if self.verbose:
            self.say(*pieces)

    def warn(self, sentence: str) -> None:
        """Warn once a sentence; kept for the JSON document, never silent."""
        if sentence in self.warnings:
            return
        self.warnings.append(sentence)
        if not self.as_json:
            self._write(self.err, (Styled("warning:", "yellow"), " ", sentence), "\n")

    def redraw(self, line: str) -> None:
        """Put `line` in place of the terminal's current line; only called where `moves` is true."""
        self.err.write("\r\x1b[2K" + clean(line))
        self.err.flush()

    def document(self, schema: str, body: Mapping[str, object]) -> None:
        """Print the one JSON document of `--json`; nothing without it. Keys `schema` and `warnings` are added."""
        if self.as_json:
            text = json.dumps({"schema": schema, **body, "warnings": self.warnings}, ensure_ascii=True)
            self.has_document = True
            self.out.write(text + "\n")
            self.out.flush()

    def ask(self, question: str, *, yes: bool) -> None:
        """Ask `question [y/N]`; come back only after a yes.

        Raises:
            QuestionUnansweredError: there is no terminal, or `--json`, and `--yes` was not given.
            DeclinedError: the person said anything but y or yes.
        """
        if yes:
            return
        if self.as_json or not is_terminal(sys.stdin):
            raise QuestionUnansweredError(question)
        self._write(self.err, (question, " [y/N] "), "")
        answer = sys.stdin.readline()
        if not answer.endswith("\n"):
            self._write(self.err, ("",), "\n")
        if answer.strip().lower() not in {"y", "yes"}:
            raise DeclinedError

    def ask_secret(self, question: str) -> str:
        """Ask for a passphrase, unseen while it is typed.

        Raises:
            QuestionUnansweredError: there is no terminal, or `--json`.
        """
        if self.as_json or not is_terminal(sys.stdin):
            raise QuestionUnansweredError(question)
        from getpass import getpass

        return getpass(clean(question), stream=self.err)

    def _write(self, stream: TextIO, pieces: tuple[str | Styled, ...], end: str) -> None:
        self._put(stream, self._line(pieces, self.colored(stream)) + end)

    @staticmethod
    def _put(stream: TextIO, text: str) -> None:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()

    def _line(self, pieces: Sequence[str | Styled], with_color: bool) -> str:
        return "".join([self._piece(piece, with_color) for piece in pieces])

    @staticmethod
    def _piece(piece: str | Styled, with_color: bool, keep: str = _IN_TEXT) -> str:
        text = piece if isinstance(piece, str) else piece.text
        text = printable(text, LINE_LIMIT, keep=keep)
        if with_color and isinstance(piece, Styled):
            return f"\x1b[{_CODES[piece.style]}m{text}\x1b[0m"
        return text


def clean(text: str) -> str:
    """Give `text` without anything that steers a terminal; the emoji selector of our own badges may stay."""
    return printable(text, LINE_LIMIT, keep=_IN_TEXT)


def _in_escapes(data: bytes) -> bytes:
    """Give JSON with an escape for every character that is not printable: such stand in its texts alone.

    Outside of texts there are line feeds, which stay, and may be tabs and carriage returns, which say nothing.
    """
    text = data.decode("utf-8", "replace").replace("\t", " ").replace("\r", "")
    return "".join(one if one == "\n" or one.isprintable() else json.dumps(one)[1:-1] for one in text).encode()


def _nowhere() -> TextIO:
    """Stand in for a stream that the caller closed (`mmpm list >&-`)."""
    return open(os.devnull, "w", encoding="utf-8")


def is_terminal(stream: TextIO) -> bool:
    """Say whether a person looks at `stream`; a closed or missing one is no terminal."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError, OSError):
        return False


def can_show(stream: TextIO, text: str) -> bool:
    """Say whether the stream's encoding has every character of `text`."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def silence() -> None:
    """Point both streams at nothing, so that the interpreter's last flush of what nobody takes does not complain."""
    for descriptor in (1, 2):
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, descriptor)
            os.close(nothing)
        except OSError:
            return
