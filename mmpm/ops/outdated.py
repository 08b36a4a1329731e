"""For which locked formulas something newer is known, and what holds them: `outdated`. No network.

"Allowed" is what `upgrade` would give, chosen by the same solver from what is known here: a version that every range
allows may still need another one that none allows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import MmpmError
from mmpm.execute.context import SILENT
from mmpm.model.versions import Version
from mmpm.ops.known import LocalReleases, lenient_range, newest, open_snapshot
from mmpm.ops.receipts import standing_lock
from mmpm.ops.resolve import resolve
from mmpm.ops.tree import Graph, marks_of, read_graph
from mmpm.ops.vouching import Vouching
from mmpm.project.files import read_project
from mmpm.project.manifest import read_manifest
from mmpm.textform import registry_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.execute.context import Context


@dataclass(frozen=True, slots=True)
class Holder:
    """Who keeps a release from its latest version: a locked release, or the project itself (empty name)."""

    name: str
    range: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A locked release beside what its registry has.

    Attributes:
        name, version, marks: of the locked release.
        registry: whence it comes; empty for imported and local ones, of which nothing newer can be known.
        allowed: the version that an upgrade would give, where it is another one; else empty.
        latest: the newest version of all, where it is newer; else empty.
        held_by: whose requirements would keep it from `latest` even after the upgrade.
        is_solved: whether `allowed` could be told.
        is_known: whether its registry's word about it is here.
        level, badge: how far the locked release is trusted now, and that where it is to be shown.
    """

    name: str
    version: str
    marks: tuple[str, ...]
    registry: str
    allowed: str = ""
    latest: str = ""
    held_by: tuple[Holder, ...] = ()
    is_known: bool = True
    is_solved: bool = True
    level: str = ""
    badge: str = ""

    @property
    def is_outdated(self) -> bool:
        """Whether there is something newer, or the publisher withdrew the version that is locked."""
        return bool(self.allowed or self.latest) or "yanked" in self.marks


@dataclass(frozen=True, slots=True)
class Outdated:
    """The answer.

    Attributes:
        formulas: what is outdated, sorted by name.
        unknown: names of whose registry nothing is here that would tell.
        checked: how many are locked.
        seen: serial and time of issue by registry, of the snapshots that were read.
        unsolved: why it cannot be told what an upgrade would give; empty where it can.
    """

    formulas: tuple[Standing, ...]
    unknown: tuple[str, ...]
    checked: int
    seen: Mapping[str, tuple[int, str]]
    unsolved: str = ""


def find_outdated(context: Context) -> Outdated:
    """Compare what is locked with what is known here.

    Raises:
        MmpmError: lock, receipt or a snapshot cannot be read.
    """
    graph = read_graph(context)
    vouching = Vouching(context)
    known = vouching.known
    upgraded = after_upgrade(context) if graph.releases else graph
    required_by = (upgraded if isinstance(upgraded, Graph) else graph).required_by()
    judged = (judge(graph, upgraded, required_by, known, name) for name in sorted(graph.releases))
    standings = [_with_level(vouching, graph, one) for one in judged]
    return Outdated(
        formulas=tuple(one for one in standings if one.is_outdated),
        unknown=tuple(one.name for one in standings if not one.is_known),
        checked=len(standings),
        seen=known.seen(),
        unsolved="" if isinstance(upgraded, Graph) else upgraded,
    )


def _with_level(vouching: Vouching, graph: Graph, one: Standing) -> Standing:
    """Add how far the locked release is trusted, and what changed for the worse; only where it is to be shown."""
    if not one.is_outdated and not vouching.shows_unverified:
        return one
    vouched = vouching.of(graph.releases[one.name])
    told = tuple(word for word in vouched.words if not word.startswith("yanked"))
    return replace(one, level=vouched.level, badge=vouching.badge(vouched.level), marks=one.marks + told)


def after_upgrade(context: Context, *names: str) -> Graph | str:
    """Give the lock as `upgrade` would leave it, by what is known here; or why that cannot be told.

    Args:
        context: the project, registries and store; no registry is asked.
        names: those that are upgraded; all of them if none is named.
    """
    try:
        # A registry without an address is never asked. "Offline" would say more: that only what is in the store counts.
        # One of which nothing is believed here gets no root either: looking around is no time to begin to believe.
        registries = tuple(
            replace(one, urls=())
            if open_snapshot(context, one.id) is not None
            else replace(one, urls=(), root=None, project_root=None)
            for one in context.registries
        )
        here = replace(context, registries=registries, progress=SILENT)
        old = standing_lock(replace(here, offline=True), read_project(context.project))
        manifest = read_manifest(context.project.manifest_path).or_asking_for(old.requirements)
        found = resolve(here, manifest.wanted, old, moving=frozenset(names), moves_everything=not names)
    except MmpmError as error:
        return error.fact.partition("\n")[0]
    return Graph.of(found.lock)


def judge(
    graph: Graph,
    upgraded: Graph | str,
    required_by: Mapping[str, Sequence[tuple[str, str]]],
    known: LocalReleases,
    name: str,
) -> Standing:
    """Compare one locked release with what its registry has.

    Args:
        graph: the lock.
        upgraded: what `after_upgrade` gives.
        required_by: of that graph, or of the lock where there is none; the caller makes it once.
        known: what the snapshots say.
        name: of the release.
    """
    locked = graph.releases[name]
    registry = registry_of(locked.source)
    releases = known.of(locked)
    marks = marks_of(locked, known.release(locked))
    is_solved = isinstance(upgraded, Graph)
    if releases is None:
        return Standing(name, locked.version, marks, registry, is_known=not registry, is_solved=is_solved)
    asked = graph.asked.get(name)
    best = newest(releases, prereleases=asked is not None and asked.prerelease)
    latest = str(best.version) if best is not None and best.version > Version.parse(locked.version) else ""
    after = upgraded.releases.get(name) if isinstance(upgraded, Graph) else None
    allowed = after.version if after is not None and after.version != locked.version else ""
    held_by: tuple[Holder, ...] = ()
    if best is not None and latest and allowed != latest:
        requirements = [Holder("", asked.range)] if asked is not None else []
        requirements += [Holder(other, text) for other, text in required_by.get(name, ())]
        held_by = tuple(one for one in requirements if not lenient_range(one.range).allows(best.version))
    return Standing(name, locked.version, marks, registry, allowed, latest, held_by, is_solved=is_solved)
