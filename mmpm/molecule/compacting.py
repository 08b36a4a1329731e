"""Which lines of a log have no effect, so that it can be written anew without them.

Rule: a log that has anything we cannot read is left as it is. What comes after a line of a newer program may have an
effect in its eyes, and a damaged line may be mended by hand. What goes is what git's merges leave: the same line twice,
lines that came too late on one of two branches, and the marks of a conflict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from mmpm.molecule.lines import Line, parse_line
from mmpm.molecule.state import fold, fold_with_effects

_MARK: Final = re.compile(rb"(?:<{7}|\|{7}|={7}|>{7})(?: [^\n]*)?\r?")


@dataclass(frozen=True, slots=True)
class Compacted:
    """A log without the lines that have no effect.

    Attributes:
        data: its bytes; those that were given where `reason` says something.
        dropped: how many lines went, marks of a conflict and torn ends among them.
        reason: why it has to be left as it is; empty where it need not.
        lines: that have an effect, in their order; none where `reason` says something.
    """

    data: bytes
    dropped: int = 0
    reason: str = ""
    lines: tuple[Line, ...] = field(default=(), compare=False)


def compacted(data: bytes) -> Compacted:
    """Give a log without the lines that have no effect: its fold is the same, but for what was left out of it."""
    raws = data.split(b"\n")
    torn = raws.pop()
    lines: list[Line] = []
    kept: list[bytes] = []
    for number, raw in enumerate(raws, 1):
        if not raw.strip() or is_mark(raw):
            continue
        try:
            lines.append(parse_line(raw))
        except ValueError as error:
            return Compacted(data, reason=f"line {number}: {error}")
        kept.append(raw)
    count = len(raws) + bool(torn)
    if torn:
        try:
            lines.append(parse_line(torn))
        except ValueError:
            pass  # of a writer that died
        else:
            kept.append(torn)
    before, effects = fold_with_effects(lines)
    if all(effects):
        return Compacted(b"".join(raw + b"\n" for raw in kept), count - len(kept), lines=tuple(lines))
    remaining = tuple(line for line, has_effect in zip(lines, effects, strict=True) if has_effect)
    if replace(fold(remaining), problems=()) != replace(before, problems=()):
        return Compacted(data, reason="without its lines that have no effect it would be another")  # pragma: no cover
    parts = [raw for raw, has_effect in zip(kept, effects, strict=True) if has_effect]
    return Compacted(b"".join(raw + b"\n" for raw in parts), count - len(parts), lines=remaining)


def is_mark(raw: bytes) -> bool:
    """Tell whether a line is one of those with which git marks a conflict."""
    return _MARK.fullmatch(raw) is not None
