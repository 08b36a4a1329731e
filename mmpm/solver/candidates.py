"""From what a registry publishes to what a solver may choose: all policy is here, each removal with its reason.

* A pre-release is a candidate only if some requirement names one of its version, or it is locked, or the person said
  `--pre` for the name; then it still comes after every stable version.
* A yanked release is a candidate only if it is locked or the project asks for exactly this version.
* Offline, a release whose files are not here is none, unless it is locked: moving on silently would be worse.
* A release that the mirrors at hand list and do not carry is none, unless it is locked.
* What policy bars is none, also if it is locked or asked for exactly.
* "Latest" is the highest version, not the newest date.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from mmpm.solver.universe import Candidate, Package, Removed, Shadowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.model.release import Release
    from mmpm.model.versions import Version


@dataclass(frozen=True, slots=True)
class Selection:
    """What decides about the releases of one name.

    Attributes:
        locked: the version in the lock.
        exact: the version that the project asks for exactly.
        requirements: every requirement on the name in the universe that names a pre-release.
        allows_prereleases: the person said `--pre` for it.
        barred: which rule of policy bars a release, as a clause that follows "barred by"; None where no rule can.
        is_available: offline, whether the files of a release are in the store.
        is_mirrored: whether the files of a release are in the mirrors that are asked; None where nothing says not.
    """

    locked: Version | None = None
    exact: Version | None = None
    requirements: Sequence[VersionRange] = ()
    allows_prereleases: bool = False
    barred: Callable[[Release], str | None] | None = None
    is_available: Callable[[Release], bool] | None = None
    is_mirrored: Callable[[Release], bool] | None = None

    def barrier(self, release: Release) -> Removed | None:
        """Say why a release may not be chosen; None if it may."""
        version = release.version
        rule = self.barred(release) if self.barred is not None else None
        if rule is not None:
            return Removed(version, "barred by policy", rule)
        if self.locked is not None and version == self.locked:
            return None
        if release.tombstone:
            return Removed(version, "taken down", release.yanked or "")
        if release.yanked is not None and version != self.exact:
            return Removed(version, "yanked", release.yanked)
        if version.prerelease and not (self.allows_prereleases or self._is_named(version)):
            return Removed(version, "pre-release", self._what_else(release))
        if self.is_available is not None and not self.is_available(release):
            return Removed(version, "not in the store")
        if self.is_mirrored is not None and not self.is_mirrored(release):
            return Removed(version, "not mirrored")
        return None

    def _what_else(self, release: Release) -> str:
        """Say what would stand in the way of a pre-release that is allowed; nothing where it could be chosen."""
        if self.is_available is not None and not self.is_available(release):
            return "not in the store either"
        if self.is_mirrored is not None and not self.is_mirrored(release):
            return "not mirrored here either"
        return ""

    def _is_named(self, version: Version) -> bool:
        return any(wanted.names_prerelease(version) for wanted in self.requirements)


def make_package(
    name: str,
    registry: str,
    releases: Iterable[Release],
    selection: Selection,
    shadowed: Iterable[Shadowed] = (),
) -> Package:
    """Give the package of a name: candidates stable before pre-release, the highest version last in each."""
    candidates: list[Candidate] = []
    removed: list[Removed] = []
    # A formula's releases mostly require what the one before required, and then it is one value.
    tables: dict[int, dict[str, VersionRange]] = {}
    asks_more = selection.is_available is not None or selection.is_mirrored is not None
    is_barred_by_more = selection.barred is not None or asks_more
    has_prereleases = False
    for release in sorted(releases, key=_PRECEDENCE):
        version, is_withdrawn = release.version, release.yanked is not None
        if is_barred_by_more or is_withdrawn or release.tombstone or version.prerelease:
            barrier = selection.barrier(release)
            if barrier is not None:
                removed.append(barrier)
                continue
            has_prereleases = has_prereleases or bool(version.prerelease)
        requires = tables.get(id(release.requires))
        if requires is None:
            requires = tables[id(release.requires)] = {one.name.text: one.range for one in release.requires}
        candidates.append(Candidate(version, requires, _NOTHING, is_withdrawn))
    if has_prereleases:
        candidates.sort(key=lambda each: not each.version.prerelease)
    return Package(name, registry, tuple(candidates), tuple(removed), tuple(shadowed))


_PRECEDENCE = attrgetter("version.sort_key")
_NOTHING: Mapping[str, VersionRange] = {}
