"""The documented answer by plain enumeration: slow, obvious, and independent of the solver's ideas."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version
    from mmpm.solver.universe import Universe


def first_answer(
    universe: Universe,
    roots: Sequence[tuple[str, VersionRange]],
    locked: Mapping[str, Version],
    pinned: Mapping[str, Version],
) -> dict[str, Version] | None:
    """Depth first over the breadth-first order, best version first: the first whole answer is the optimum."""

    def options(name):
        package = universe.packages.get(name)
        found = list(reversed(package.candidates)) if package else []
        if name in locked:
            found.sort(key=lambda candidate: candidate.version != locked[name])
        return [c for c in found if name not in pinned or c.version == pinned[name]]

    def fits(chosen):
        for name, wanted in roots:
            if name in chosen and not wanted.allows(chosen[name].version):
                return False
        for candidate in chosen.values():
            for ranges in (candidate.requires, candidate.constrains):
                for name, wanted in ranges.items():
                    if name in chosen and not wanted.allows(chosen[name].version):
                        return False
        return True

    def search(queue, index, chosen):
        if index == len(queue):
            return {name: candidate.version for name, candidate in chosen.items()}
        name = queue[index]
        for candidate in options(name):
            chosen[name] = candidate
            if fits(chosen):
                longer = queue + [dep for dep in candidate.requires if dep not in queue]
                answer = search(longer, index + 1, chosen)
                if answer is not None:
                    return answer
            del chosen[name]
        return None

    return search(list(dict.fromkeys(name for name, _ in roots)), 0, {})
