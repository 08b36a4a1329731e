"""From an incompatibility whose terms all hold to the fact behind it (first unique implication point)."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from mmpm.solver.incompatibility import Incompatibility, Learned

if TYPE_CHECKING:
    from mmpm.solver.partial_solution import PartialSolution


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a conflict teaches.

    Attributes:
        incompatibility: without terms, if there is no solution.
        pivot: the package that it narrows after going back below `level`; -1 if there is no solution.
        level: the conflict's own level.
        jump: the lowest level at which the other terms hold.
    """

    incompatibility: Incompatibility
    pivot: int
    level: int
    jump: int


def analyse(solution: PartialSolution, conflict: Incompatibility) -> Lesson:
    """Resolve a conflict with the reasons of its newest terms until one term of its level is left.

    At level 0 nothing is left: the incompatibility without terms, whose causes are the proof.
    """
    trail_package = solution.trail_package
    trail_level = solution.trail_level
    terms = dict(conflict.terms)
    held = {package: solution.satisfier(package, term) for package, term in conflict.terms}
    causes = [conflict]
    level = max((trail_level[position] for position in held.values()), default=0)
    # Positions at the conflict's level, newest first; entries whose term has moved on are skipped when met.
    heap = [-position for position in held.values() if trail_level[position] == level]
    heapify(heap)
    pivot = -1
    while heap:
        position = -heappop(heap)
        package = trail_package[position]
        if held.get(package) != position:
            continue
        while heap and held.get(trail_package[-heap[0]]) != -heap[0]:
            heappop(heap)
        reason = solution.trail_reason[position]
        if level and (not heap or reason is None):
            pivot = package
            break
        assert reason is not None
        causes.append(reason)
        for other, term in reason.terms:
            if other == package:
                union = terms[package] | term
                if solution.full[package] & ~union:
                    terms[package] = union
                    at = solution.satisfier(package, union)
                else:
                    del terms[package], held[package]
                    continue
            else:
                at = solution.satisfier(other, term)
                known = terms.get(other)
                if known is None:
                    terms[other] = term
                else:
                    terms[other] = known & term
                    at = max(at, held[other])
                    if at == held[other]:
                        continue
            held[other] = at
            if trail_level[at] == level:
                heappush(heap, -at)
    jump = max((trail_level[at] for other, at in held.items() if other != pivot), default=0)
    if len(causes) == 1:
        return Lesson(conflict, pivot, level, jump)
    return Lesson(Incompatibility(tuple(terms.items()), Learned(tuple(causes))), pivot, level, jump)
