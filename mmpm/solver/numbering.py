"""Names to numbers and version sets to integers, each once.

Bit order is preference order: bit 0 absent, then the candidates from worst to best, the locked version on top. So
"the best version left" is the highest bit, and the search itself compares no versions.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import SortKey, Version
    from mmpm.solver.universe import Candidate, Universe

ABSENT = 1
ROOT = 0

# The keys of a package's candidates in version order, and the bits of those below each place: what lies between two
# places is the difference, wherever preference put the bits. Without the bits where preference is version order.
_Order: TypeAlias = "tuple[list[SortKey], list[int]]"


class Numbering:
    """Packages numbered in the order in which the search meets them; 0 is the project, which has one version.

    Attributes:
        names: by number; `numbers` the other way round, of names that have been met.
        candidates: by number, `candidates[p][i]` is bit i + 1.
        full: by number, all bits that the package has.
    """

    __slots__ = ("_locked", "_masks", "_orders", "candidates", "full", "names", "numbers", "universe")

    def __init__(self, universe: Universe, locked: Mapping[str, Version]) -> None:
        self.universe = universe
        self.names: list[str] = [""]
        self.candidates: list[tuple[Candidate, ...]] = [()]
        self.full: list[int] = [0b10]
        self.numbers: dict[str, int] = {}
        # By identity: hashing a range costs more than testing it, and equal texts are parsed to one value.
        self._masks: list[dict[int, tuple[VersionRange, int]]] = [{}]
        self._orders: list[_Order | None] = [None]
        self._locked = locked

    def add(self, name: str) -> int:
        """Number a name that has not been met; one without candidates can only be absent."""
        number = len(self.names)
        self.numbers[name] = number
        self.names.append(name)
        package = self.universe.packages.get(name)
        candidates = package.candidates if package is not None else ()
        locked = self._locked.get(name)
        if locked is not None:
            held = [candidate for candidate in candidates if candidate.version == locked]
            if held:
                candidates = (*(each for each in candidates if each is not held[0]), held[0])
        self.candidates.append(candidates)
        self.full.append((2 << len(candidates)) - 1)
        self._masks.append({})
        self._orders.append(None)
        return number

    def mask(self, number: int, wanted: VersionRange) -> int:
        """Give the candidates inside a range; never the bit for "absent"."""
        masks = self._masks[number]
        known = masks.get(id(wanted))
        if known is not None:
            return known[1]
        order = self._orders[number]
        if order is None:
            order = self._orders[number] = _order(self.candidates[number])
        keys, below = order
        mask = 0
        for low, high in wanted.intervals:
            start, end = bisect_left(keys, low), bisect_left(keys, high)
            mask |= (below[end] ^ below[start]) if below else (2 << end) - (2 << start)
        masks[id(wanted)] = wanted, mask
        return mask

    def ranges(self, number: int) -> Iterable[tuple[VersionRange, int]]:
        """Give the ranges of a package that were asked for, with their masks."""
        return self._masks[number].values()

    def version_mask(self, number: int, version: Version) -> int:
        """Give the bit of one version; 0 where it is no candidate."""
        for i, candidate in enumerate(self.candidates[number]):
            if candidate.version == version:
                return 2 << i
        return 0

    def chosen(self, number: int, mask: int) -> Candidate:
        """Give the candidate of a mask's highest bit, which is not bit 0."""
        return self.candidates[number][mask.bit_length() - 2]

    def candidates_in(self, number: int, mask: int) -> Iterator[Candidate]:
        """Give the candidates of a mask, worst first."""
        for i, candidate in enumerate(self.candidates[number]):
            if mask >> (i + 1) & 1:
                yield candidate


def _order(candidates: Sequence[Candidate]) -> _Order:
    keys = [candidate.version.sort_key for candidate in candidates]
    ordered = sorted(keys)
    if keys == ordered:
        return keys, []
    below = [0]
    for key in ordered:
        below.append(below[-1] | 2 << keys.index(key))
    return ordered, below
