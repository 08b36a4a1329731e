"""The order within rows in which few lines cross: barycentres, swept down and up; the best order seen is kept.

Source: Sugiyama, Tagawa, Toda, "Methods for visual understanding of hierarchical system structures" (1981); crossings
are counted with a Fenwick tree (Barth, Juenger, Mutzel, "Simple and efficient bilayer cross counting", 2002).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SWEEPS: Final = 8
MANY: Final = 4000  # joints, beyond which two sweeps have to do


def ordered_rows(row_of: Sequence[int], count: int, joints: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Give the elements of each row in their order.

    Args:
        row_of: of each element.
        count: of rows.
        joints: pairs of elements, the one in the row just above the other's.
    """
    rows: list[list[int]] = [[] for _ in range(count)]
    for element, number in enumerate(row_of):
        rows[number].append(element)
    if not joints:
        return rows
    above: list[list[int]] = [[] for _ in row_of]
    below: list[list[int]] = [[] for _ in row_of]
    for upper, lower in joints:
        below[upper].append(lower)
        above[lower].append(upper)
    place = [0] * len(row_of)
    for number, row in enumerate(rows):
        for at, element in enumerate(row):
            place[element] = at
        if number:
            _sort(row, above, place, len(rows[number - 1]))
    best, fewest = [list(row) for row in rows], _crossings(rows, below, place)
    for sweep in range(SWEEPS if len(joints) <= MANY else 2):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        others = above if downwards else below
        for number in range(1, count) if downwards else range(count - 2, -1, -1):
            _sort(rows[number], others, place, len(rows[number - 1 if downwards else number + 1]))
        crossings = _crossings(rows, below, place)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _sort(row: list[int], others: Sequence[Sequence[int]], place: list[int], beside: int) -> None:
    """Order a row by the mean place of what each element is joined with; one that is joined with none keeps its own.

    Args:
        row: is changed.
        others: what each element is joined with in the neighbouring row.
        place: of each element in its row; that of this row is changed.
        beside: how many elements the neighbouring row has: places count as parts of their row.
    """
    means = {}
    for element in row:
        joined = others[element]
        if joined:
            means[element] = (sum(place[one] for one in joined) / len(joined) + 0.5) / beside
        else:
            means[element] = (place[element] + 0.5) / len(row)
    row.sort(key=lambda element: (means[element], place[element]))
    for at, element in enumerate(row):
        place[element] = at


def _crossings(rows: Iterable[Sequence[int]], below: Sequence[Sequence[int]], place: list[int]) -> int:
    """Count how often lines between neighbouring rows cross."""
    total = 0
    for row in rows:
        ends = [place[lower] for upper in row for lower in sorted(below[upper], key=place.__getitem__)]
        if len(ends) > 1:
            total += _inversions(ends)
    return total


def _inversions(ends: Sequence[int]) -> int:
    size = max(ends) + 1
    tree = [0] * (size + 1)
    total = 0
    for seen, end in enumerate(ends):
        at, before = end + 1, 0
        while at:
            before += tree[at]
            at &= at - 1
        total += seen - before
        at = end + 1
        while at <= size:
            tree[at] += 1
            at += at & -at
    return total
