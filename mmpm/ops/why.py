"""Why a formula is here: every path from what was asked for to it, the shortest first: `why NAME`. No network."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING

from mmpm.errors import NotInstalledError
from mmpm.ops.known import LocalReleases
from mmpm.ops.outdated import Standing, after_upgrade, judge
from mmpm.ops.tree import Graph, marks_of, read_graph

if TYPE_CHECKING:
    from mmpm.execute.context import Context

MOST_PATHS = 20
_MOST_STEPS = 100_000  # in a graph of cycles most beginnings of a path may lead nowhere


@dataclass(frozen=True, slots=True)
class Step:
    """One release on a path; `range` is what the one before it (or the project) requires of it."""

    name: str
    version: str
    range: str


@dataclass(frozen=True, slots=True)
class Why:
    """The answer.

    Attributes:
        name, version, marks: of the release.
        asked: the range that the project itself asks for; empty if it does not.
        paths: each from something asked for to the release; the shortest first, then by name.
        is_all: whether there are no other paths.
        bonded_by: releases that attach it at run time (soft), which does not bring it here.
        standing: whether something newer is known, and who holds it back.
    """

    name: str
    version: str
    marks: tuple[str, ...]
    asked: str
    paths: tuple[tuple[Step, ...], ...]
    is_all: bool
    bonded_by: tuple[str, ...]
    standing: Standing


def explain_presence(context: Context, name: str, *, limit: int = MOST_PATHS) -> Why:
    """Say why `name` is locked.

    Args:
        context: project, and the store whose snapshots tell what is newer.
        name: of a locked release, or the name that it has on disk.
        limit: the most paths to give.

    Raises:
        NotInstalledError: it is not locked; the remedy says who would attach it at run time.
        MmpmError: lock, receipt or a snapshot cannot be read.
    """
    graph = read_graph(context)
    known = LocalReleases(context)
    locked = graph.find(name)
    full_name = locked.name if locked is not None else name
    bonded_by = tuple(
        other
        for other, one in sorted(graph.releases.items())
        if full_name not in dict(one.requires)
        and (release := known.release(one)) is not None
        and full_name in map(str, release.soft)
    )
    if locked is None:
        remedy = "`mmpm tree` shows what is locked"
        if bonded_by:
            remedy = f"{', '.join(bonded_by[:5])} can attach it at run time: `mmpm install {name}` brings it"
        raise NotInstalledError(name, context.project.root, remedy)
    paths, is_all = paths_to(graph, full_name, limit)
    upgraded = after_upgrade(context, full_name)
    required_by = (upgraded if isinstance(upgraded, Graph) else graph).required_by()
    return Why(
        name=full_name,
        version=locked.version,
        marks=marks_of(locked, known.release(locked)),
        asked=graph.asked[full_name].range if full_name in graph.asked else "",
        paths=tuple(tuple(_steps(graph, path)) for path in paths),
        is_all=is_all,
        bonded_by=bonded_by,
        standing=judge(graph, upgraded, required_by, known, full_name),
    )


def paths_to(graph: Graph, target: str, limit: int) -> tuple[list[tuple[str, ...]], bool]:
    """Give up to `limit` paths without a cycle from what is asked for to `target`, and whether these are all.

    Best first over the reversed graph with the exact distance as bound, so that the shortest come first and a graph
    with more paths than atoms costs no more than the paths that are shown.
    """
    required_by = {name: [other for other, _ in above] for name, above in graph.required_by().items()}
    distance = _distances(graph)
    if target not in distance:
        return [], True
    found: list[tuple[str, ...]] = []
    waiting: list[tuple[int, tuple[str, ...], bool]] = [(distance[target], (target,), False)]
    for _ in range(_MOST_STEPS):
        if not waiting or len(found) == limit:
            break
        _, path, is_whole = heappop(waiting)
        if is_whole:
            found.append(path)
            continue
        if path[0] in graph.asked:
            heappush(waiting, (len(path) - 1, path, True))
        for above in required_by[path[0]]:
            if above in distance and above not in path:
                heappush(waiting, (len(path) + distance[above], (above, *path), False))
    return found, not waiting


def _distances(graph: Graph) -> dict[str, int]:
    """Give the steps from what is asked for to each release that it leads to."""
    distance = dict.fromkeys(graph.asked, 0)
    waiting = deque(graph.asked)
    while waiting:
        name = waiting.popleft()
        for other, _ in graph.requires(name):
            if other not in distance:
                distance[other] = distance[name] + 1
                waiting.append(other)
    return distance


def _steps(graph: Graph, path: tuple[str, ...]) -> list[Step]:
    steps = [Step(path[0], graph.releases[path[0]].version, graph.asked[path[0]].range)]
    for before, name in pairwise(path):
        steps.append(Step(name, graph.releases[name].version, dict(graph.requires(before))[name]))
    return steps
