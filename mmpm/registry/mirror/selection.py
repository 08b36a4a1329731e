"""Which releases a mirror carries: locks, requirements with ranges, and the closure of what those need. Pure.

Rule: a selection is complete by proof or refused. Every release that a lock names must be in its registry with the
lock's checksum and tree, and what it requires must be met by a release of the same lock. Of a requirement every release
that its range allows is taken, and then, again and again, every one that the ranges of those allow: whatever a solver
could choose at the registry it can choose at the mirror.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from mmpm.model.names import FormulaName
from mmpm.model.references import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmpm.lock import Lockfile
    from mmpm.model.ranges import VersionRange
    from mmpm.model.release import Release

_HOP = "hop://"


@dataclass(frozen=True, slots=True)
class Picked:
    """A release that a lock names; `tree` is known only while the lock itself is at hand, and empty later."""

    name: str
    version: str
    checksum: str
    tree: str = ""


@dataclass(frozen=True, slots=True)
class LockSelection:
    """What one lock wants of one registry; `name` tells it from other locks of the same mirror."""

    name: str
    releases: tuple[Picked, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What a mirror carries of one registry: everything, or what locks and requirements ask for.

    Attributes:
        everything: all releases; then the rest is empty.
        locks: sorted by name.
        only: requirements as text: ``mol-a@^1``.
    """

    everything: bool = True
    locks: tuple[LockSelection, ...] = ()
    only: tuple[str, ...] = ()

    @classmethod
    def of(cls, locks: Iterable[LockSelection] = (), only: Iterable[str] = ()) -> Self:
        """Give the selection of these locks and requirements; of none at all, everything."""
        ordered = tuple(sorted(locks, key=lambda lock: lock.name))
        wanted = tuple(dict.fromkeys(only))
        return cls(not ordered and not wanted, ordered, wanted)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The releases of one registry whose files are wanted: `None` means all; else slots of versions by name."""

    releases: Mapping[str, frozenset[str]] | None = None

    def has(self, release: Release) -> bool:
        """Whether the files of `release` are wanted; those of a tombstone never are."""
        if release.tombstone:
            return False
        return self.releases is None or release.version.slot in self.releases.get(str(release.name), ())


class Known(Protocol):
    """A registry's releases, as `VerifiedState` and `Snapshot` give them."""

    def releases(self, name: FormulaName) -> tuple[Release, ...]:
        """Give all releases of a formula; none where the registry does not have it."""


@dataclass(slots=True)
class Choice:
    """What selections come to.

    Attributes:
        chosen: by registry id.
        missing: a clause for each release or requirement that is not to be had, which a complete mirror must not lack.
        notes: sentences for a person about what no registry here can give, and a mirror may lack.
    """

    chosen: dict[str, Chosen] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def select_lock(name: str, lock: Lockfile) -> tuple[dict[str, LockSelection], list[str]]:
    """Divide a lock by registry.

    Returns:
        What it wants of each registry by id, and ``name@version (source)`` of each entry that is of no registry.
    """
    found: dict[str, list[Picked]] = {}
    elsewhere: list[str] = []
    for locked in lock.releases:
        if not locked.source.startswith(_HOP):
            elsewhere.append(f"{locked.name}@{locked.version} ({locked.source.partition(':')[0]})")
            continue
        registry = locked.source.removeprefix(_HOP).partition("/")[0]
        picked = Picked(locked.name, locked.version, locked.checksum, locked.tree)
        found.setdefault(registry, []).append(picked)
    return {registry: LockSelection(name, tuple(sorted(picked, key=_order))) for registry, picked in found.items()}, (
        elsewhere
    )


def _order(picked: Picked) -> tuple[str, str]:
    return picked.name, picked.version


def choose(registries: Mapping[str, Known], selections: Mapping[str, Selection]) -> Choice:
    """Find the releases that `selections` come to, and prove that they are complete.

    Args:
        registries: by id; of one that is not here nothing is chosen, and what needs it is missing.
        selections: what is wanted of each, by id.

    Raises:
        MmpmError: what the registries raise.
    """
    choice = Choice()
    wanted: dict[str, dict[str, set[str]]] = {one: {} for one in selections}
    _add_locks(registries, selections, wanted, choice)
    _Ranges(registries, selections, wanted, choice).close()
    for one, selection in selections.items():
        slots = {name: frozenset(versions) for name, versions in wanted[one].items()}
        choice.chosen[one] = Chosen(None if selection.everything else slots)
    return choice


def _add_locks(
    registries: Mapping[str, Known],
    selections: Mapping[str, Selection],
    wanted: dict[str, dict[str, set[str]]],
    choice: Choice,
) -> None:
    locks: dict[str, dict[str, Release]] = {}
    for one, selection in selections.items():
        for lock in selection.locks:
            found = locks.setdefault(lock.name, {})
            for picked in lock.releases:
                if one not in registries:
                    choice.missing.append(f"{picked.name}@{picked.version} of {lock.name}: {one} is not at hand")
                    continue
                release = _find(registries[one].releases(FormulaName.parse(picked.name)), picked)
                if isinstance(release, str):
                    choice.missing.append(f"{picked.name}@{picked.version} of {lock.name}: {one} {release}")
                    continue
                found[picked.name] = release
                wanted[one].setdefault(picked.name, set()).add(release.version.slot)
    for lock_name, releases in locks.items():
        for release in releases.values():
            for requirement in release.requires:
                met = releases.get(str(requirement.name))
                if met is None or not requirement.range.allows(met.version):
                    choice.missing.append(
                        f"{requirement} of {lock_name}, which {release.name}@{release.version} requires"
                    )


def _find(releases: Sequence[Release], picked: Picked) -> Release | str:
    found = next((one for one in releases if str(one.version) == picked.version), None)
    if found is None:
        return "has no such version" if releases else "has no such formula"
    if str(found.checksum) != picked.checksum or (picked.tree and str(found.tree) != picked.tree):
        return f"has it with the checksum {found.checksum} and the tree {found.tree}"
    return "has taken its files down" if found.tombstone else found


class _Ranges:
    """The closure of requirements with ranges, over all registries whose selection has some."""

    def __init__(
        self,
        registries: Mapping[str, Known],
        selections: Mapping[str, Selection],
        wanted: dict[str, dict[str, set[str]]],
        choice: Choice,
    ) -> None:
        self._registries = registries
        self._selections = selections
        self._wanted = wanted
        self._choice = choice
        self._seen: set[tuple[str, str]] = set()
        self._waiting: list[tuple[Requirement, str]] = []

    def close(self) -> None:
        """Take what the requirements allow, and what that requires, until nothing is new."""
        asked = {text: None for one in self._selections.values() for text in one.only}
        for text in asked:
            self._waiting.append((Requirement.parse(text), ""))
        while self._waiting:
            requirement, by = self._waiting.pop()
            key = (str(requirement.name), str(requirement.range))
            if key in self._seen:
                continue
            self._seen.add(key)
            if self._take(requirement):
                continue
            if by:
                self._choice.notes.append(f"no registry here has {requirement}, which {by} requires")
            else:
                self._choice.missing.append(f"{requirement}: no registry here has a release that it allows")

    def _take(self, requirement: Requirement) -> bool:
        found = False
        for one, registry in self._registries.items():
            releases = registry.releases(requirement.name)
            taken = allowed(releases, requirement.range)
            found = found or bool(taken)
            selection = self._selections.get(one)
            if selection is None:
                continue
            for release in taken:
                if not selection.everything:
                    self._wanted[one].setdefault(str(release.name), set()).add(release.version.slot)
                by = f"{release.name}@{release.version}"
                self._waiting.extend((needed, by) for needed in release.requires)
        return found


def allowed(releases: Sequence[Release], wanted: VersionRange) -> list[Release]:
    """Give those of `releases` that a solver may choose for a range.

    Yanked ones only for an exact pin; pre-releases if the range names one, or where there is nothing else.
    """
    fitting = [
        one
        for one in releases
        if wanted.allows(one.version) and not one.tombstone and (one.yanked is None or wanted.is_exact)
    ]
    plain = [one for one in fitting if not one.version.is_prerelease or wanted.names_prerelease(one.version)]
    return plain or fitting
