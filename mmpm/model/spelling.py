"""Which known name a person may have meant: "did you mean"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_SUGGESTIONS = 3


def closest(text: str, known: Iterable[str], limit: int = MOST_SUGGESTIONS) -> list[str]:
    """Give the names nearest to `text`, the nearest first, then by name; none that is far from it.

    Near is one slip (a letter too many, missing, wrong, or two exchanged) for four letters, two for eight, three
    beyond twelve. A scope and the prefix `mol-` may be left out.
    """
    most = 0 if len(text) < 3 else 1 if len(text) < 6 else 2 if len(text) < 12 else 3
    letters = set(text)
    length = len(text)
    found: list[tuple[int, str]] = []
    for name in known:
        best = most + 1
        for part in _parts(name):
            if abs(len(part) - length) <= most and len(letters.symmetric_difference(part)) <= 2 * most:
                best = min(best, slips(text, part, best))
        if best <= most:
            found.append((best, name))
    return [name for _, name in sorted(found)[:limit]]


def _parts(name: str) -> tuple[str, ...]:
    base = name.rpartition("/")[2]
    short = base.removeprefix("mol-")
    return (name,) if short == name else (name, short) if base == name else (name, base, short)


def slips(left: str, right: str, enough: int) -> int:
    """Give the number of slips between two texts; at least `enough` where there are as many or more.

    That is the distance of Damerau and Levenshtein without editing a pair twice ("optimal string alignment").
    """
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        now = [i]
        for j, b in enumerate(right, 1):
            cost = min(row[j] + 1, now[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            now.append(cost)
        if min(now) >= enough and min(row) >= enough:
            return enough
        before, row = row, now
    return row[-1]
