"""For which locked formulas something newer is known, and what holds them: `outdated`. No network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.model.versions import Version
from mmpm.ops.known import LocalReleases, lenient_range, newest
from mmpm.ops.tree import marks_of, read_graph
from mmpm.textform import registry_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.execute.context import Context
    from mmpm.model.ranges import VersionRange
    from mmpm.model.release import Release
    from mmpm.ops.tree import Graph


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
        allowed: the newest version that every requirement in the lock allows, where it is newer; else empty.
        latest: the newest version of all, where it is newer; else empty.
        held_by: whose requirements keep it from `latest`.
        is_known: whether its registry's word about it is here.
    """

    name: str
    version: str
    marks: tuple[str, ...]
    registry: str
    allowed: str = ""
    latest: str = ""
    held_by: tuple[Holder, ...] = ()
    is_known: bool = True

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
    """

    formulas: tuple[Standing, ...]
    unknown: tuple[str, ...]
    checked: int
    seen: Mapping[str, tuple[int, str]]


def find_outdated(context: Context) -> Outdated:
    """Compare what is locked with what is known here.

    Raises:
        MmpmError: lock, receipt or a snapshot cannot be read.
    """
    graph = read_graph(context)
    known = LocalReleases(context)
    required_by = graph.required_by()
    standings = [judge(graph, required_by, known, name) for name in sorted(graph.releases)]
    return Outdated(
        formulas=tuple(one for one in standings if one.is_outdated),
        unknown=tuple(one.name for one in standings if not one.is_known),
        checked=len(standings),
        seen=known.seen(),
    )


def judge(
    graph: Graph, required_by: Mapping[str, Sequence[tuple[str, str]]], known: LocalReleases, name: str
) -> Standing:
    """Compare one locked release with what its registry has.

    Args:
        graph: the lock.
        required_by: `graph.required_by()`, which the caller makes once.
        known: what the snapshots say.
        name: of the release.
    """
    locked = graph.releases[name]
    registry = registry_of(locked.source)
    releases = known.of(locked)
    standing = Standing(name, locked.version, marks_of(locked, known.release(locked)), registry)
    if releases is None:
        return Standing(name, locked.version, standing.marks, registry, is_known=not registry)
    asked = graph.asked.get(name)
    requirements = [Holder("", asked.range)] if asked is not None else []
    requirements += [Holder(other, text) for other, text in required_by[name]]
    ranges = [lenient_range(one.range) for one in requirements]
    allows_pre = asked is not None and asked.prerelease
    version = Version.parse(locked.version)
    best = newest(releases, prereleases=allows_pre)
    latest = best.version if best is not None and best.version > version else None
    fitting = _newest_of(releases, ranges, allows_pre=allows_pre)
    held_by = (
        tuple(one for one, allowed in zip(requirements, ranges, strict=True) if not allowed.allows(latest))
        if latest is not None
        else ()
    )
    return Standing(
        name=name,
        version=locked.version,
        marks=standing.marks,
        registry=registry,
        allowed=str(fitting) if fitting is not None and fitting > version else "",
        latest=str(latest) if latest is not None else "",
        held_by=held_by,
    )


def _newest_of(releases: Sequence[Release], ranges: Sequence[VersionRange], *, allows_pre: bool) -> Version | None:
    """Give what a solver would choose if these ranges were all; pre-releases as it takes them."""
    fitting = tuple(
        one
        for one in releases
        if all(wanted.allows(one.version) for wanted in ranges)
        and (
            not one.version.is_prerelease
            or allows_pre
            or any(wanted.names_prerelease(one.version) for wanted in ranges)
        )
    )
    found = newest(fitting, prereleases=True)
    return found.version if found is not None else None
