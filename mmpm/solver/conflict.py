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
    satisfier = solution.satisfier
    full = solution.full
    terms = dict(conflict.terms)
    held = {package: satisfier(package, term) for package, term in conflict.terms}
    causes = [conflict]
    level = max((narrowing.level for narrowing in held.values()), default=0)
    # Narrowings of the conflict's level, newest first; those whose term has moved on are skipped when met.
    heap = [(-narrowing.stamp, package) for package, narrowing in held.items() if narrowing.level == level]
    heapify(heap)
    pivot = -1
    while heap:
        stamp, package = heappop(heap)
        if package not in held or held[package].stamp != -stamp:
            continue
        while heap and (heap[0][1] not in held or held[heap[0][1]].stamp != -heap[0][0]):
            heappop(heap)
        reason = held[package].reason
        if level and (not heap or reason is None):
            pivot = package
            break
        assert reason is not None, "decisions stand at levels above 0"
        causes.append(reason)
        for other, term in reason.terms:
            known = terms.get(other)
            if known is None:
                terms[other] = term
            elif other != package:
                terms[other] = known & term
            elif full[package] & ~(known | term):
                terms[package] = known | term
                known = None
            else:
                del terms[package], held[package]
                continue
            at = satisfier(other, terms[other])
            if known is None or at.stamp != held[other].stamp:
                held[other] = at
                if at.level == level:
                    heappush(heap, (-at.stamp, other))
    jump = max((narrowing.level for other, narrowing in held.items() if other != pivot), default=0)
    if len(causes) == 1:
        return Lesson(conflict, pivot, level, jump)
    return Lesson(Incompatibility(tuple(terms.items()), Learned(tuple(causes))), pivot, level, jump)
