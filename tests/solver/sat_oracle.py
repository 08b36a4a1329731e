"""The documented answer by a SAT solver: for universes that are too large to enumerate, and as foreign as can be.

One variable a version. A model may hold packages that nothing needs; leaving them out breaks no clause, so a question
has a model exactly if it has an answer. The optimum is asked for version by version, in the documented order.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from pysat.solvers import Minisat22

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version
    from mmpm.solver.universe import Universe


def first_answer_by_sat(
    universe: Universe,
    roots: Sequence[tuple[str, VersionRange]],
    locked: Mapping[str, Version],
    pinned: Mapping[str, Version],
) -> dict[str, Version] | None:
    """Give what `brute_force.first_answer` gives."""
    variables = {}
    for name, package in universe.packages.items():
        for candidate in package.candidates:
            variables[name, candidate.version] = len(variables) + 1

    def literals(name, allowed):
        package = universe.packages.get(name)
        return (
            [variables[name, each.version] for each in package.candidates if allowed(each.version)] if package else []
        )

    with Minisat22() as solver:
        for name, package in universe.packages.items():
            for pair in combinations(literals(name, lambda _: True), 2):
                solver.add_clause([-one for one in pair])
            for candidate in package.candidates:
                mine = variables[name, candidate.version]
                if name in pinned and candidate.version != pinned[name]:
                    solver.add_clause([-mine])
                for other, wanted in candidate.requires.items():
                    solver.add_clause([-mine, *literals(other, wanted.allows)])
                for other, wanted in candidate.constrains.items():
                    for theirs in literals(other, lambda version, wanted=wanted: not wanted.allows(version)):
                        solver.add_clause([-mine, -theirs])
        for name, wanted in roots:
            solver.add_clause(literals(name, wanted.allows))
        if not solver.solve():
            return None
        queue = list(dict.fromkeys(name for name, _ in roots))
        chosen: dict[str, Version] = {}
        held: list[int] = []
        for name in queue:  # it grows on the way
            options = list(reversed(universe.packages[name].candidates))
            options.sort(key=lambda candidate: candidate.version != locked.get(name))
            best = next(each for each in options if solver.solve([*held, variables[name, each.version]]))
            chosen[name] = best.version
            held.append(variables[name, best.version])
            queue.extend(dict.fromkeys(other for other in best.requires if other not in queue))
        return chosen
