"""From what is asked to what is locked: learn, choose, and write it down.

A lock is a function of the manifest, the previous lock and the chosen snapshots alone, so that two machines with the
same three have the same bytes: roots are sorted by name, and no place, time or order of commands enters. Offline, the
candidates are the releases whose files are in the store; everything else is the same.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import NoSolutionError, NothingToInstallError, PolicyBarredError, ReleaseChangedError, UnknownHereError
from mmpm.lock import Locked, Lockfile, make_lockfile
from mmpm.model.ranges import ANY, VersionRange
from mmpm.model.references import release_address
from mmpm.model.versions import Version
from mmpm.ops.availability import Availability
from mmpm.ops.knowledge import Knowledge, Known
from mmpm.ops.nearby import with_what_is_near
from mmpm.ops.vouching import NOBODY, judge_checked, judge_claim, signed_by_known, vouches
from mmpm.solver.candidates import Selection, make_package
from mmpm.solver.core import names_in, smallest_proof
from mmpm.solver.explain import derivation, explanation
from mmpm.solver.solve import Conflict, solve
from mmpm.solver.universe import Absence, Candidate, Package, Removed, Shadowed, Universe
from mmpm.textform import registry_of
from mmpm.trust.levels import rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mmpm.execute.context import Context
    from mmpm.model.references import Requirement
    from mmpm.model.release import Release
    from mmpm.project.manifest import Manifest, Wanted
    from mmpm.solver.solve import Resolution
    from mmpm.trust.levels import Judged

_MOST_TOLD = 8


@dataclass(frozen=True, slots=True)
class Chosen:
    """A release and the registry that it comes from."""

    registry: str
    release: Release


@dataclass(frozen=True, slots=True)
class Resolved:
    """The new lock, and what it was made from.

    Attributes:
        lock: what to write.
        chosen: by name; imported and local releases are not in it.
        releases: all that its registry publishes, by chosen name, in order of publication.
        serials: by registry id, of those that were asked.
        judged: how far each chosen release is trusted, by signatures that were checked.
    """

    lock: Lockfile
    chosen: Mapping[str, Chosen]
    releases: Mapping[str, tuple[Release, ...]]
    serials: Mapping[str, int]
    judged: Mapping[str, Judged]

    @property
    def levels(self) -> dict[str, tuple[str, int]]:
        """Level and serial by name, for the receipt."""
        return {name: (self.judged[name].level, self.serials[one.registry]) for name, one in self.chosen.items()}


def relock(context: Context, manifest: Manifest, old: Lockfile | None) -> Lockfile:
    """Give the lock for a manifest; what is locked stays as long as it can.

    Raises:
        NoSolutionError: nothing meets all requirements.
        MmpmError: a registry whose word is needed cannot give it.
    """
    return resolve(context, manifest.wanted, old).lock


def resolve(
    context: Context,
    wanted: Iterable[Wanted],
    old: Lockfile | None,
    *,
    moving: frozenset[str] = frozenset(),
    moves_everything: bool = False,
) -> Resolved:
    """Choose a release of everything that is asked for and of what it needs.

    Args:
        context: registries, store, clock.
        wanted: what the project asks for.
        old: the previous lock, whose versions stay as long as they can.
        moving: names that may move (`upgrade NAME`): the rest stays where it is if that is possible at all and lets
            one of these move, else as far as it can.
        moves_everything: nothing is held by the lock (`upgrade`).

    Raises:
        NoSolutionError: nothing meets all requirements.
        NothingToInstallError: a chosen release holds execution records.
        UnknownHereError: the same, and what would tell more was never fetched.
        SignatureBadError: a publisher's signature of a chosen release is bad.
        PolicyBarredError: a chosen release is trusted less than its index claims, and too little.
        MmpmError: a registry whose word is needed cannot give it.
    """
    with _without_cycle_search():
        return _resolve(context, tuple(wanted), old or Lockfile(), moving, moves_everything=moves_everything)


@contextmanager
def _without_cycle_search() -> Iterator[None]:
    """Keep the interpreter from looking for reference cycles: a universe is a million small values and has none.

    Looking cost a quarter of the time of locking a thousand names; looking once, afterwards, still a tenth. So what
    is there by then is set apart from later looks too, but only the first time: a process that goes on is no place
    to set cycles apart again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if not gc.get_freeze_count():
                gc.freeze()
            gc.enable()


def _resolve(
    context: Context, wanted: tuple[Wanted, ...], old: Lockfile, moving: frozenset[str], *, moves_everything: bool
) -> Resolved:
    question = _Question(context, wanted, old)
    question.learn()
    universe = question.universe()
    held = {} if moves_everything else {name: v for name, v in question.locked.items() if name not in moving}
    found: Resolution | Conflict | None = None
    if moving and not moves_everything:
        found = solve(universe, question.roots, {}, held)
        if isinstance(found, Conflict) or all(found.versions.get(name) == question.locked.get(name) for name in moving):
            found = None
    if found is None:
        found = solve(universe, question.roots, held)
    if isinstance(found, Conflict):
        raise _refusal(question, found)
    _tell_what_is_not_mirrored(context, universe, found)
    return question.resolved(found)


def _tell_what_is_not_mirrored(context: Context, universe: Universe, found: Resolution) -> None:
    """Say of what was chosen where a newer release is listed that the mirrors at hand do not carry."""
    told = 0
    for name, version in found.versions.items():
        newer = [
            each.version
            for each in universe.packages[name].removed
            if each.why == "not mirrored" and each.version > version
        ]
        if newer:
            told += 1
            if told <= _MOST_TOLD:
                context.progress.say(f"{name} {max(newer)} is newer, but not mirrored here")
    if told > _MOST_TOLD:
        context.progress.say(f"of {told - _MOST_TOLD} more formulas a newer release is not mirrored here")


def _refusal(question: _Question, conflict: Conflict) -> NoSolutionError:
    """Give the error that explains a conflict; its names are looked up in the registries behind their owners first."""
    universe = with_what_is_near(question.context, question.universe(shadowed_for=conflict), names_in(conflict))
    found = solve(universe, question.roots)
    assert isinstance(found, Conflict), "neither a lock nor what is shadowed decides whether there is an answer"
    small = smallest_proof(found)
    told = explanation(small, found)
    is_unknown = any(name in universe.absent and universe.absent[name].why == "not fetched" for name in names_in(small))
    kind = UnknownHereError if is_unknown else NoSolutionError
    return kind(told.steps, told.notes, told.remedies, derivation(small))


class _Question:
    """One question to the solver: what is asked, what was locked, and what the registries say."""

    def __init__(self, context: Context, wanted: tuple[Wanted, ...], old: Lockfile) -> None:
        self.context = context
        self.wanted = wanted
        self.old = {locked.name: locked for locked in old.releases}
        self.locked = {locked.name: Version.parse(locked.version) for locked in old.releases}
        self.requirements = {one.requirement for one in wanted}
        self.roots = sorted(((one.name, VersionRange.parse(one.range)) for one in wanted), key=lambda root: root[0])
        self.policy = context.settings.policy
        self.bound = {one.name: one.registry for one in wanted if one.registry}
        self.knowledge = Knowledge(context, self.bound)
        # Brought by `import` or from a path, and asked for as before: no registry is asked for them.
        unchanged = {name for _, name, _ in self.requirements & set(old.requirements)}
        unchanged |= self.old.keys() - {name for _, name, _ in self.requirements}
        self.imported = {
            name: locked
            for name, locked in self.old.items()
            if not locked.source.startswith("hop://") and name in unchanged
        }
        self.names: set[str] = set()

    def learn(self) -> None:
        """Follow requirements until no new name turns up; each round asks the registries once."""
        left = {name for name, _ in self.roots}
        while left:
            self.knowledge.learn(name for name in left if name not in self.imported)
            self.names |= left
            left = {name for known in left for name in self._required_by(known)} - self.names
        self.knowledge.commit()

    def _required_by(self, name: str) -> Iterable[str]:
        if name in self.imported:
            return [required for required, _ in self.imported[name].requires]
        known = self.knowledge.of(name)
        if isinstance(known, Absence):
            return []
        return {one.name.text for requires in _each_once(known.releases) for one in requires}

    def universe(self, *, shadowed_for: Conflict | None = None) -> Universe:
        """Give what may be chosen; for a conflict also what registries behind the owners have of its names."""
        behind = self.knowledge.shadowed(names_in(shadowed_for)) if shadowed_for is not None else {}
        packages: dict[str, Package] = {}
        absent: dict[str, Absence] = {}
        asked_by: dict[str, list[VersionRange]] = {}
        exact: dict[str, Version] = {}
        for name, wanted in self.roots:
            asked_by.setdefault(name, []).append(wanted)
            if wanted.exact is not None:
                exact.setdefault(name, wanted.exact)
        with_prereleases = {one.name for one in self.wanted if one.prerelease}
        for name in self.names:
            known = None if name in self.imported else self.knowledge.of(name)
            if isinstance(known, Known):
                for requires in _each_once(known.releases):
                    for one in requires:
                        if one.range.named:
                            asked_by.setdefault(one.name.text, []).append(one.range)
        available = Availability(self.context) if self.context.offline else None
        for name in self.names:
            if name in self.imported:
                packages[name] = _imported_package(self.imported[name], self._barred_import(self.imported[name]))
                continue
            known = self.knowledge.of(name)
            if isinstance(known, Absence):
                absent[name] = known
                continue
            selection = Selection(
                locked=self._still_locked(name, known),
                exact=exact.get(name),
                requirements=tuple(dict.fromkeys(asked_by.get(name, ()))),
                allows_prereleases=name in with_prereleases,
                barred=self._barred(known),
                is_available=available,
                is_mirrored=self.knowledge.carries(known.registry),
            )
            shadowed = [
                Shadowed(each.registry, tuple(sorted(release.version for release in each.releases)))
                for each in behind.get(name, ())
            ]
            packages[name] = make_package(name, known.registry, known.releases, selection, shadowed)
        return Universe(packages, absent)

    def _barred_import(self, locked: Locked) -> str | None:
        """Say which rule bars what came from no registry: nobody vouches for it; what is one's own is not judged."""
        if self.policy.bars_nothing or locked.source.startswith("local:"):
            return None
        by_name = self.policy.barrier_by_name(locked.name, self.locked[locked.name])
        return by_name or self.policy.barrier_by_level(NOBODY.level)

    def _still_locked(self, name: str, known: Known) -> Version | None:
        """Give the locked version if it is this registry's own; one with other bytes by now is refused.

        Raises:
            ReleaseChangedError: the registry has other bytes under it.
        """
        locked = self.old.get(name)
        if locked is None:
            return None
        version = self.locked[name]
        for release in known.releases:
            if (
                release.version == version
                and release_address(known.registry, release.name, release.version) == locked.source
            ):
                if str(release.checksum) != locked.checksum:
                    raise ReleaseChangedError(locked.source, locked.checksum, str(release.checksum))
                return version
        return None

    def _barred(self, known: Known) -> Callable[[Release], str | None] | None:
        """Give what tells which rule of policy bars a release; None where no rule can."""
        policy = self.policy
        if policy.bars_nothing:
            return None
        snapshot = self.knowledge.snapshot(known.registry) if policy.asks_for_levels else None

        def barred(release: Release) -> str | None:
            judged = judge_claim(snapshot, release) if snapshot is not None else NOBODY
            # Ages are measured from the snapshot and not from the clock, so that equal snapshots give equal locks.
            return policy.barrier(release, judged.level, known.issued)

        return barred

    def _judge(self, chosen: Mapping[str, Chosen]) -> dict[str, Judged]:
        """Check the signatures of what was chosen, and say of what that makes it.

        Raises:
            SignatureBadError: one of them is bad.
            PolicyBarredError: a release is trusted less than its index claims, and too little.
        """
        by_registry: dict[str, list[Release]] = {}
        for one in chosen.values():
            by_registry.setdefault(one.registry, []).append(one.release)
        snapshots = {registry: self.knowledge.snapshot(registry) for registry in by_registry}
        for registry, releases in by_registry.items():
            signed = signed_by_known(snapshots[registry], releases)
            if signed:
                self.knowledge.fetch_signatures(registry, signed)
        judged: dict[str, Judged] = {}
        barred: list[tuple[str, str, str]] = []
        for name, one in chosen.items():
            snapshot = snapshots[one.registry]
            if not vouches(snapshot):
                judged[name] = NOBODY
                continue
            found = judged[name] = judge_checked(snapshot, one.release, self.context.now)
            if rank(found.level) < rank(judge_claim(snapshot, one.release).level):
                version = str(one.release.version)
                rule = self.policy.barrier_by_level(found.level)
                if rule is not None:
                    barred.append((name, version, f"{rule} ({'; '.join(found.sentences)})"))
                said = f"{name} {version} counts as {found.level}: {'; '.join(found.sentences)}"
                self.context.progress.warn(said)
        if barred:
            raise PolicyBarredError(barred)
        return judged

    def resolved(self, resolution: Resolution) -> Resolved:
        """Write the answer down as a lock."""
        chosen: dict[str, Chosen] = {}
        lines: list[Locked] = []
        asked = {one.name: one for one in self.wanted if one.section == "formulas"}
        pinned = {name for name, wanted in self.roots if wanted.is_exact}
        histories: dict[str, tuple[Release, ...]] = {}
        for name, version in resolution.versions.items():
            if name in self.imported:
                lines.append(self.imported[name])
                continue
            known = self.knowledge.of(name)
            assert isinstance(known, Known)
            release = next(each for each in reversed(known.releases) if each.version == version)
            if release.kind == "records":
                raise NothingToInstallError(name, str(version))
            chosen[name] = Chosen(known.registry, release)
            histories[name] = known.releases
            if release.yanked is not None:
                self.context.progress.warn(f"{name} {version} was withdrawn by its publisher: {release.yanked}")
            before = registry_of(self.old[name].source) if name in self.old else ""
            if before not in {"", known.registry} and name not in self.bound:
                moved = f"{name} is chosen from {known.registry} now, and was locked from {before}"
                self.context.progress.warn(f"{moved}: `mmpm audit confusion` tells who has it")
            alias = asked[name].installed_as if name in asked else None
            lines.append(_locked(known.registry, release, is_pinned=name in pinned, alias=alias))
        lock = make_lockfile(self.requirements, lines)
        return Resolved(lock, chosen, histories, self.knowledge.serials(), self._judge(chosen))


def _each_once(releases: Iterable[Release]) -> Iterable[tuple[Requirement, ...]]:
    """Give what the releases of a name require: mostly the same as the one before, and then it is one value."""
    return {id(release.requires): release.requires for release in releases}.values()


def _locked(registry: str, release: Release, *, is_pinned: bool, alias: str | None) -> Locked:
    return Locked(
        name=str(release.name),
        version=str(release.version),
        kind=release.kind,
        pinned=is_pinned,
        checksum=str(release.checksum),
        tree=str(release.tree),
        size=release.size,
        source=release_address(registry, release.name, release.version),
        requires=tuple((str(one.name), str(one.range)) for one in release.requires),
        yanked=release.yanked is not None,
        alias=alias,
    )


def _imported_package(locked: Locked, barred: str | None) -> Package:
    if barred is not None:
        return Package(locked.name, "", (), (Removed(Version.parse(locked.version), "barred by policy", barred),))
    requires = {name: VersionRange.parse(text) if text else ANY for name, text in locked.requires}
    return Package(locked.name, "", (Candidate(Version.parse(locked.version), requires),))
