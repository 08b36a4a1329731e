"""Trees of molecules on standard output: the marks and colours of `mmpm.molecule.drawing`'s lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.cli.output import MARKS, Styled, stem
from mmpm.molecule.drawing import standing_style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.cli.output import Output
    from mmpm.molecule.drawing import TreeLine


def print_tree(out: Output, lines: Iterable[TreeLine]) -> None:
    """Print lines as they come, so that a long tree begins at once."""
    for line in lines:
        pieces: list[str | Styled] = [Styled(stem(out, line.lasts), "dim")] if line.lasts else []
        if line.deeper:
            pieces.append(Styled(f"(+{line.deeper}) ", "dim"))
        mark = f"step-{line.standing}"
        if mark in MARKS:
            pieces += [_styled(out.mark(mark, out.out), standing_style(line.standing)), " "]
        pieces += (_styled(text, style) for text, style in line.pieces if text)
        out.line(*pieces)


def _styled(text: str, style: str) -> str | Styled:
    return Styled(text, style) if style else text
