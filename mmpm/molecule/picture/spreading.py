"""Where the elements of rows stand sideways, once their order is fixed: each near the middle of what it is joined with.

Within a row this is a least squares problem under `x[i+1] - x[i] >= distance`; pooling adjacent violators solves it in
one pass (isotonic regression: Barlow and others, "Statistical inference under order restrictions", 1972).

Rule: floats are added by `fsum`: what `sum` gives depends on the version of Python.
"""

from __future__ import annotations

import itertools
from math import fsum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS: Final = 10
_STIFF: Final = 6.0  # how much more it matters that lanes are straight


def spread(  # noqa: PLR0917 - what a row is, and what stands between
    rows: Sequence[Sequence[int]],
    widths: Sequence[float],
    joints: Sequence[tuple[int, int]],
    items: int,
    gap: float,
    lane: float,
) -> dict[int, float]:
    """Give the middle of each element.

    Args:
        rows: elements in their order.
        widths: of each element.
        joints: pairs of elements of neighbouring rows, the upper first.
        items: how many of the elements are items; the others are lanes.
        gap: between two items.
        lane: between a lane and what is beside it.
    """
    x: dict[int, float] = {}
    distances: list[list[float]] = []
    for row in rows:
        apart = [
            (widths[one] + widths[other]) / 2 + (gap if one < items and other < items else lane)
            for one, other in itertools.pairwise(row)
        ]
        distances.append(apart)
        at = -fsum(apart) / 2
        for element, distance in zip(row, (*apart, 0.0), strict=True):
            x[element] = at
            at += distance
    if not joints:
        return x
    above: list[list[tuple[int, float]]] = [[] for _ in widths]
    below: list[list[tuple[int, float]]] = [[] for _ in widths]
    for upper, lower in joints:
        weight = _STIFF if upper >= items and lower >= items else 1.0
        below[upper].append((lower, weight))
        above[lower].append((upper, weight))
    for turn in range(ROUNDS):
        downwards = turn % 2 == 0
        last = turn >= ROUNDS - 2
        for number in range(len(rows)) if downwards else range(len(rows) - 1, -1, -1):
            row = rows[number]
            wanted, weights = [], []
            for element in row:
                joined = above[element] if downwards else below[element]
                if last:
                    joined = [*above[element], *below[element]]
                total = fsum(weight for _, weight in joined)
                wanted.append(fsum(x[one] * weight for one, weight in joined) / total if joined else x[element])
                weights.append(total if joined else 0.05)
            _settle(row, wanted, weights, distances[number], x)
    for row, apart in zip(rows, distances, strict=True):
        straight = [len(above[one]) == 1 and len(below[above[one][0][0]]) == 1 for one in row]
        wanted = [x[above[one][0][0]] if is_so else x[one] for one, is_so in zip(row, straight, strict=True)]
        _settle(row, wanted, [_STIFF if is_so else 1.0 for is_so in straight], apart, x)
    return x


def _settle(
    row: Sequence[int],
    wanted: Sequence[float],
    weights: Sequence[float],
    distances: Sequence[float],
    x: dict[int, float],
) -> None:
    """Put a row as near to where it is wanted as the distances allow."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    offset, offsets = 0.0, []
    for number, target in enumerate(wanted):
        offsets.append(offset)
        mean, weight, many = target - offset, weights[number], 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, more = blocks.pop()
            mean = (mean * weight + before * heavy) / (weight + heavy)
            weight, many = weight + heavy, many + more
        blocks.append((mean, weight, many))
        offset += distances[number] if number < len(distances) else 0.0
    number = 0
    for mean, _, many in blocks:
        for _ in range(many):
            x[row[number]] = mean + offsets[number]
            number += 1
