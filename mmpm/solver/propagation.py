"""Unit propagation: when all terms of an incompatibility but one hold, the last one must not.

Incompatibilities of two terms are *implications*, both ways round, grouped by the set that blocks them; so the
hundreds of packages that require one package in one range cost one test. Longer ones watch two terms that do not
hold, and are looked at only when one of these two comes to hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from mmpm.solver.numbering import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mmpm.solver.incompatibility import Incompatibility
    from mmpm.solver.partial_solution import PartialSolution

# What fires once the blocking set is gone from the domain: (package, versions it keeps, why).
Target: TypeAlias = "tuple[int, int, Incompatibility]"
# The negated terms as pairs of package and complement; the first two are watched.
Watched: TypeAlias = "tuple[list[tuple[int, int]], Incompatibility]"


class Propagator:
    """The incompatibilities that are in force, indexed by package.

    Args:
        loaded: by package, the version bits whose requirements are in force.
    """

    __slots__ = ("_again", "_implications", "_loaded", "_solution", "_watches")

    def __init__(self, solution: PartialSolution, loaded: Sequence[Mapping[int, object]]) -> None:
        self._solution = solution
        self._loaded = loaded
        self._implications: list[dict[int, list[Target]]] = []
        self._watches: list[list[Watched]] = []
        self._again: list[Incompatibility] = []

    def add_package(self) -> None:
        """Make room for the package that was numbered last."""
        self._implications.append({})
        self._watches.append([])

    def add(self, incompatibility: Incompatibility, first: int = -1) -> None:
        """Put in force; `first` is the package that it narrows now, watched together with the latest other term."""
        terms = incompatibility.terms
        full = self._solution.full
        if len(terms) < 2:
            return
        if len(terms) == 2:
            self.imply(incompatibility, *terms[0], *terms[1])
            return
        solution = self._solution
        # The narrowed package's own term does not hold any more, so it has no satisfier.
        order = sorted(terms, key=lambda term: (0, 0) if term[0] == first else (1, -solution.satisfier(*term).stamp))
        watched = ([(package, full[package] & ~term) for package, term in order], incompatibility)
        for package, _ in watched[0][:2]:
            self._watches[package].append(watched)

    def imply(self, incompatibility: Incompatibility, p: int, p_term: int, q: int, q_term: int) -> None:
        """Put one of two terms in force, `p_term` of package `p` and `q_term` of `q`."""
        full = self._solution.full
        p_keep = full[p] & ~p_term
        q_keep = full[q] & ~q_term
        for_p, for_q = self._implications[p], self._implications[q]
        if p_keep in for_p:
            for_p[p_keep].append((q, q_keep, incompatibility))
        else:
            for_p[p_keep] = [(q, q_keep, incompatibility)]
        if q_keep in for_q:
            for_q[q_keep].append((p, p_keep, incompatibility))
        else:
            for_q[q_keep] = [(p, p_keep, incompatibility)]

    def check(self, incompatibility: Incompatibility) -> Incompatibility | None:
        """Draw the one conclusion that an incompatibility allows now; give it back if all of its terms hold."""
        solution = self._solution
        domain = solution.domain
        open_term: tuple[int, int] | None = None
        level = 0
        for package, term in incompatibility.terms:
            if domain[package] & ~term:
                if open_term is not None:
                    return None
                open_term = (package, term)
            else:
                level = max(level, solution.level_of(package, term))
        if open_term is None:
            return incompatibility
        package, term = open_term
        # One term alone is in no index, so that its conclusion is noted even where a decision has come before it.
        if domain[package] & term or len(incompatibility.terms) == 1:
            solution.narrow(package, solution.full[package] & ~term, incompatibility, level)
        return None

    def check_all(self, incompatibilities: Iterable[Incompatibility]) -> Incompatibility | None:
        """Draw the conclusions of facts that have just been put in force; give one whose terms all hold.

        All such are looked at again in the next propagation: what is undone for one of them may leave others.
        """
        conflict = None
        for incompatibility in incompatibilities:
            found = self.check(incompatibility)
            if found is not None:
                conflict = found
                self._again.append(found)
        return conflict

    def propagate(self, load: Callable[[int, int], Iterable[Incompatibility]]) -> Incompatibility | None:
        """Draw all conclusions; give the incompatibility whose terms all hold, if one turns up.

        Args:
            load: puts the requirements of a package's version in force and gives them. Not kept: the search that owns
                this object is what loads, and a cycle of the two would outlive it until somebody looks for cycles.
        """
        solution = self._solution
        domain = solution.domain
        full = solution.full
        pending = solution.pending
        implications = self._implications
        watches = self._watches
        loaded = self._loaded
        if self._again:
            again, self._again = self._again, []
            conflict = self.check_all(again)
            if conflict is not None:
                return conflict
        while pending:
            package = pending.pop()
            left = domain[package]
            if not left & (left - 1) and left != ABSENT and left not in loaded[package]:
                # One version left: what it needs is in force before its turn comes, so that a dead end far down
                # the order shows at the level that made it.
                conflict = self.check_all(load(package, left))
                if conflict is not None:
                    pending.append(package)
                    return conflict
                left = domain[package]
            for blocker, targets in implications[package].items():
                if left & blocker:
                    continue
                level = -1
                for other, keep, reason in targets:
                    old = domain[other]
                    new = old & keep
                    if new == old:
                        continue
                    if not new:
                        pending.append(package)
                        return reason
                    if level < 0:
                        level = solution.level_of(package, full[package] & ~blocker)
                    solution.narrow(other, keep, reason, level)
            if watches[package]:
                conflict = self._visit_watches(package)
                if conflict is not None:
                    return conflict
        return None

    def _visit_watches(self, package: int) -> Incompatibility | None:
        domain = self._solution.domain
        left = domain[package]
        mine = self._watches[package]
        kept: list[Watched] = []
        for index, watched in enumerate(mine):
            terms, incompatibility = watched
            if terms[0][0] == package:
                terms[0], terms[1] = terms[1], terms[0]
            if left & terms[1][1]:
                kept.append(watched)
                continue
            for k in range(2, len(terms)):
                other, keep = terms[k]
                if domain[other] & keep:
                    terms[1], terms[k] = terms[k], terms[1]
                    self._watches[other].append(watched)
                    break
            else:
                kept.append(watched)
                other, keep = terms[0]
                old = domain[other]
                new = old & keep
                if not new:
                    kept.extend(mine[index + 1 :])
                    self._solution.pending.append(package)
                    self._watches[package] = kept
                    return incompatibility
                if new != old:
                    self._solution.narrow(other, keep, incompatibility, self._level_without(terms))
        self._watches[package] = kept
        return None

    def _level_without(self, terms: list[tuple[int, int]]) -> int:
        solution = self._solution
        full = solution.full
        return max(solution.level_of(package, full[package] & ~keep) for package, keep in terms[1:])
