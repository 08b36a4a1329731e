"""What a project's formulas need, as a graph and as a tree: `tree`. From the lock and local snapshots; no network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mmpm.errors import NotInstalledError
from mmpm.lock import Asked, Locked, Lockfile, parse_requirement_text
from mmpm.model.versions import Version
from mmpm.ops.receipts import standing_lock
from mmpm.ops.vouching import Vouching
from mmpm.project.files import read_project
from mmpm.textform import registry_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmpm.execute.context import Context
    from mmpm.model.release import Release

DEEPEST = 64
"""Levels that are shown where nobody says more: a chain of 10,000 would fill the screen with blanks."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A lock as a graph.

    Attributes:
        asked: what the project asks for, by name, sorted.
        releases: every locked release by name.
    """

    asked: dict[str, Asked]
    releases: dict[str, Locked]

    @classmethod
    def of(cls, lock: Lockfile) -> Graph:
        """Read a lock; a requirement whose release it lacks is left out (`lock` was not run since)."""
        releases = {one.name: one for one in lock.releases}
        asked = {name: parse_requirement_text(text) for _, name, text in lock.requirements if name in releases}
        return cls(dict(sorted(asked.items())), releases)

    def requires(self, name: str) -> list[tuple[str, str]]:
        """Give (name, range) of what a locked release requires, as far as it is locked."""
        return [(other, text) for other, text in self.releases[name].requires if other in self.releases]

    def required_by(self) -> dict[str, list[tuple[str, str]]]:
        """Give for each name who requires it, with the range; sorted."""
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in self.releases}
        for name in sorted(self.releases):
            for other, text in self.requires(name):
                found[other].append((name, text))
        return found

    def find(self, text: str) -> Locked | None:
        """Give the release of a name, or of the name that it has on disk."""
        return self.releases.get(text) or next(
            (one for one in self.releases.values() if one.installed_name == text), None
        )


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of the tree.

    Attributes:
        depth: 0 for what was asked for.
        is_last: whether nothing follows at this depth below the same parent, for itself and each line above it.
        name, version: of the release; a soft dependency that is not installed has no version.
        range: what the line above (or the project) requires; empty for a soft dependency.
        marks: `pinned`, `yanked`, `pre-release`, `soft`, `not installed`, `as NAME`, and the registry where there
            are several, as `from HOST`.
        is_repeated: what it needs is shown above, where it came first.
        is_cut: what it needs is not shown, because it is too deep.
        level, badge: how far it is trusted now, and that where it is to be shown.
    """

    depth: int
    is_last: tuple[bool, ...]
    name: str
    version: str
    range: str
    marks: tuple[str, ...] = ()
    is_repeated: bool = False
    is_cut: bool = False
    level: str = ""
    badge: str = ""


@dataclass(slots=True)
class _Growing:
    """The tree so far."""

    graph: Graph
    soft: dict[str, tuple[str, ...]]
    marks: dict[str, tuple[str, ...]]
    levels: dict[str, tuple[str, str]]
    depth: int
    lines: list[Branch] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)

    def grow(self, roots: Sequence[tuple[str, str]]) -> None:
        """Write the lines below `roots`, depth first, without recursion: chains may be long."""
        waiting: list[tuple[str, str, bool, tuple[bool, ...]]] = [
            (name, text, False, (number == len(roots),)) for number, (name, text) in enumerate(roots, 1)
        ]
        waiting.reverse()
        while waiting:
            name, text, is_soft, is_last = waiting.pop()
            below = [] if is_soft else self._below(name)
            is_repeated = bool(below) and name in self.shown
            is_cut = bool(below) and not is_repeated and len(is_last) > self.depth
            line = self._branch(name, text, is_last, is_soft=is_soft)
            self.lines.append(replace(line, is_repeated=is_repeated, is_cut=is_cut))
            if is_soft or is_repeated or is_cut:
                continue
            self.shown.add(name)
            count = len(below)
            waiting += [
                (child, wanted, soft, (*is_last, number == count))
                for number, (child, wanted, soft) in reversed(list(enumerate(below, 1)))
            ]

    def _below(self, name: str) -> list[tuple[str, str, bool]]:
        required = [(other, text, False) for other, text in self.graph.requires(name)]
        hard = {other for other, _, _ in required}
        return required + [(other, "", True) for other in self.soft.get(name, ()) if other not in hard]

    def _branch(self, name: str, text: str, is_last: tuple[bool, ...], *, is_soft: bool) -> Branch:
        locked = self.graph.releases.get(name)
        marks = ("soft",) * is_soft + (self.marks[name] if locked else ("not installed",))
        level, badge = self.levels.get(name, ("", ""))
        version = locked.version if locked else ""
        return Branch(len(is_last) - 1, is_last, name, version, text, marks, level=level, badge=badge)


def read_graph(context: Context) -> Graph:
    """Read what is locked; without a lock, what the receipt lists.

    Raises:
        DocumentUnreadableError, NewerFormatError: lock or receipt cannot be read.
        EntryIncompleteError: there is a receipt of the seed's alone, and nothing here knows more of one in it.
    """
    files = read_project(context.project)
    return Graph.of(standing_lock(replace(context, offline=True), files))


def marks_of(locked: Locked, release: Release | None, *, with_registry: bool = False) -> tuple[str, ...]:
    """Give what has to be said of a locked release in a word each.

    Args:
        locked: the release.
        release: its index line, where it is known here: it knows of a withdrawal since.
        with_registry: also whence it comes, where there are several registries.
    """
    registry = registry_of(locked.source)
    is_yanked = locked.yanked or (release is not None and release.yanked is not None)
    told = (
        (locked.pinned, "pinned"),
        (is_yanked, "yanked"),
        (Version.parse(locked.version).is_prerelease, "pre-release"),
        (bool(locked.alias), f"as {locked.alias}"),
        (not registry, locked.source.partition(":")[0]),
        (with_registry and bool(registry), f"from {registry}"),
    )
    return tuple(mark for is_so, mark in told if is_so)


def grow_tree(context: Context, names: Iterable[str] = (), *, depth: int = DEEPEST) -> list[Branch]:
    """Give the tree of what is locked, the lines in the order in which they are read.

    Args:
        context: project, and the store whose snapshots tell of soft dependencies and withdrawals.
        names: only what is below these; everything that was asked for if empty.
        depth: levels below the first that are shown.

    Raises:
        NotInstalledError: one of `names` is not locked.
        MmpmError: lock, receipt or a snapshot cannot be read.
    """
    graph = read_graph(context)
    vouching = Vouching(context)
    soft: dict[str, tuple[str, ...]] = {}
    marks: dict[str, tuple[str, ...]] = {}
    levels: dict[str, tuple[str, str]] = {}
    with_registry = len({registry_of(one.source) for one in graph.releases.values()}) > 1
    for name, locked in graph.releases.items():
        vouched = vouching.of(locked)
        release = vouched.release
        told = tuple(word for word in vouched.words if not word.startswith("yanked"))
        marks[name] = marks_of(locked, release, with_registry=with_registry) + told
        levels[name] = vouched.level, vouching.badge(vouched.level)
        soft[name] = tuple(sorted(str(one) for one in release.soft)) if release is not None else ()
    roots = [(_found(context, graph, name).name, "") for name in names]
    growing = _Growing(graph, soft, marks, levels, depth)
    growing.grow(roots or [(name, asked.range) for name, asked in graph.asked.items()])
    return growing.lines


def _found(context: Context, graph: Graph, name: str) -> Locked:
    locked = graph.find(name)
    if locked is None:
        raise NotInstalledError(name, context.project.root, "`mmpm tree` shows what is locked")
    return locked
