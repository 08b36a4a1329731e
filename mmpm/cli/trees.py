"""Trees of molecules on standard output: the marks and colours of `mmpm.molecule.picture.drawing`'s lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmpm.cli.output import MARKS, Styled, stem
from mmpm.molecule.picture.drawing import standing_style
from mmpm.molecule.picture.wrapping import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mmpm.cli.output import Output
    from mmpm.molecule.picture.drawing import TreeLine


NARROWEST = 30
_WORDS = re.compile(r" *[^ ]+| +")
_FURTHER = "    "


def print_tree(out: Output, lines: Iterable[TreeLine]) -> None:
    """Print lines as they come, so that a long tree begins at once.

    On a terminal a line that is wider goes on below itself, beside the tree's own lines; elsewhere a step is one line.
    """
    width = out.columns()
    for line in lines:
        pieces: list[str | Styled] = [Styled(stem(out, line.lasts), "dim")] if line.lasts else []
        if line.deeper:
            pieces.append(Styled(f"(+{line.deeper}) ", "dim"))
        mark = f"step-{line.standing}"
        if mark in MARKS:
            pieces += [_styled(out.mark(mark, out.out), standing_style(line.standing)), " "]
        pieces += (_styled(text, style) for text, style in line.pieces if text)
        # What stands beside the next line of the tree, if there were one below this step.
        beside = Styled(stem(out, (*line.lasts, True))[: -len(_FURTHER)] + _FURTHER, "dim")
        is_narrow = width is None or width < len(beside.text) + NARROWEST
        if width is None or is_narrow or columns("".join(map(_text, pieces))) <= width:
            out.line(*pieces)
            continue
        for wrapped in _wrapped(pieces, beside, width):
            out.line(*wrapped)


def _wrapped(pieces: Sequence[str | Styled], beside: Styled, width: int) -> Iterator[list[str | Styled]]:
    """Give a line as several, broken between words; the first piece is the tree's and stays as it is."""
    line: list[str | Styled] = [pieces[0]]
    taken = columns(_text(pieces[0]))
    for piece in pieces[1:]:
        for word in _WORDS.findall(_text(piece)):
            if word.startswith(" ") and word.strip() and taken + columns(word) > width:
                yield line
                line, taken = [beside], columns(beside.text)
                word = word.lstrip(" ")  # noqa: PLW2901 - the blank is where the line was broken
            line.append(Styled(word, piece.style) if isinstance(piece, Styled) else word)
            taken += columns(word)
    yield line


def _text(piece: str | Styled) -> str:
    return piece if isinstance(piece, str) else piece.text


def _styled(text: str, style: str) -> str | Styled:
    return Styled(text, style) if style else text
