"""What waits for what: cycles and dangling needs with their path, and the waves that may run at once.

Rule: nothing here recurses; 20,000 steps in one chain are normal input.

Every step has two moments, its start and its end. A child starts after its parent starts (a blocked parent blocks its
children) and a parent ends after its children end, so that whoever needs a parent waits for all that is below it. A
step that needs its own parent, or a parent that needs its own child, therefore waits for itself: a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mmpm.errors import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmpm.molecule.steps import Edge

_SHOWN: Final = 12
_WORDS: Final = {
    "blocks": "needs",
    "conditional-blocks": "runs if it fails:",
    "waits-for": "waits for the children of",
    "parent-child": "is a child of",
}


@dataclass(frozen=True, slots=True)
class GraphProblem:
    """One thing that makes a graph unusable.

    Attributes:
        kind: ``cycle`` or ``dangling``.
        path: ids of steps: of a cycle all of it, its first again at its end; of a dangling edge the one that waits,
            and what is not there.
        sentence: the path in words, cut after a dozen steps.
    """

    kind: Literal["cycle", "dangling"]
    path: tuple[str, ...]
    sentence: str


def check_graph(ids: Iterable[str], edges: Iterable[Edge]) -> tuple[GraphProblem, ...]:
    """Find what makes a graph unusable: every edge that leads nowhere, and one cycle if there is any."""
    known = tuple(ids)
    present = frozenset(known)
    problems: list[GraphProblem] = []
    sound: list[Edge] = []
    for edge in edges:
        if edge.on in present and edge.step in present:
            sound.append(edge)
        else:
            missing = edge.on if edge.step in present else edge.step
            sentence = f"{quoted(edge.step)} {_WORDS[edge.kind]} {quoted(edge.on)}: there is no step {quoted(missing)}"
            problems.append(GraphProblem("dangling", (edge.step, edge.on), sentence))
    cycle = _cycle(_Moments(known, sound))
    if cycle:
        shown = " -> ".join(quoted(step) for step in cycle[:_SHOWN])
        if len(cycle) > _SHOWN:
            shown += f" -> ... ({len(cycle) - 1} steps) -> {quoted(cycle[-1])}"
        problems.append(GraphProblem("cycle", cycle, f"these steps wait for each other: {shown}"))
    return tuple(problems)


def groups(ids: Iterable[str], edges: Iterable[Edge]) -> tuple[tuple[str, ...], ...]:
    """Give the waves: the steps of one may all run at once, as soon as those before are done.

    A parent stands in the wave in which it starts, and its first children in the same.

    Args:
        ids: of all steps; their order is kept within a wave.
        edges: of a sound graph; edges to what is not among `ids` are left aside.

    Raises:
        ValueError: the graph has a cycle.
    """
    known = tuple(ids)
    present = frozenset(known)
    moments = _Moments(known, [edge for edge in edges if edge.on in present and edge.step in present])
    levels = [0] * len(moments.after)
    waiting = list(moments.before_count)
    ready = [moment for moment, count in enumerate(waiting) if not count]
    done = 0
    while ready:
        moment = ready.pop()
        done += 1
        for following, weight in moments.after[moment]:
            levels[following] = max(levels[following], levels[moment] + weight)
            waiting[following] -= 1
            if not waiting[following]:
                ready.append(following)
    if done < len(levels):
        raise ValueError("the steps wait for each other in a circle")
    waves: dict[int, list[str]] = {}
    for index, step in enumerate(known):
        waves.setdefault(levels[2 * index], []).append(step)
    return tuple(tuple(waves[level]) for level in sorted(waves))


class _Moments:
    """The graph of starts and ends: the start of step N is 2N, its end 2N + 1."""

    __slots__ = ("after", "before_count", "ids")

    def __init__(self, ids: Sequence[str], edges: Iterable[Edge]) -> None:
        self.ids = ids
        self.after: list[list[tuple[int, int]]] = [[] for _ in range(2 * len(ids))]
        self.before_count = [0] * (2 * len(ids))
        place: Mapping[str, int] = {step: 2 * index for index, step in enumerate(ids)}
        for start in place.values():
            self._add(start, start + 1, 1)
        for edge in edges:
            step, on = place[edge.step], place[edge.on]
            if edge.kind == "parent-child":
                self._add(on, step, 0)
                self._add(step + 1, on + 1, 0)
            else:
                self._add(on + 1, step, 0)

    def _add(self, before: int, after: int, weight: int) -> None:
        self.after[before].append((after, weight))
        self.before_count[after] += 1


def _cycle(moments: _Moments) -> tuple[str, ...]:
    """Give a cycle as ids in the order in which each waits for the next, the first again at the end; or nothing."""
    waiting = list(moments.before_count)
    ready = [moment for moment, count in enumerate(waiting) if not count]
    done = [False] * len(waiting)
    while ready:
        moment = ready.pop()
        done[moment] = True
        for following, _ in moments.after[moment]:
            waiting[following] -= 1
            if not waiting[following]:
                ready.append(following)
    left = [moment for moment, is_done in enumerate(done) if not is_done]
    if not left:
        return ()
    # Every moment that is left has one before it that is left: walking back must come round.
    before: dict[int, int] = {}
    for moment in left:
        for following, _ in moments.after[moment]:
            before.setdefault(following, moment)
    seen: dict[int, int] = {}
    walk: list[int] = []
    moment = left[0]
    while moment not in seen:
        seen[moment] = len(walk)
        walk.append(moment)
        moment = before[moment]
    circle = [moments.ids[one // 2] for one in walk[seen[moment] :]]
    path = [step for index, step in enumerate(circle) if index == 0 or step != circle[index - 1]]
    if len(path) > 1 and path[0] == path[-1]:
        path.pop()
    least = path.index(min(path))
    return (*path[least:], *path[:least], path[least])
