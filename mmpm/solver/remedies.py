"""What is known of the names in a conflict beyond the proof, and what a person can do about it.

The reasons why something cannot be had are told apart: absent from every registry, listed but not mirrored here, not
fetched, in a registry that comes after the owner (shadowed), yanked, a pre-release that nobody asked for, barred by
policy, not in the store while offline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import SearchTooLongError
from mmpm.model.ranges import VersionRange
from mmpm.solver.incompatibility import Constrained, Pinned, Required
from mmpm.solver.numbering import ROOT
from mmpm.solver.solve import Resolution, solve
from mmpm.solver.universe import Absence
from mmpm.solver.wording import asked, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmpm.model.versions import Version
    from mmpm.solver.incompatibility import Incompatibility
    from mmpm.solver.numbering import Numbering
    from mmpm.solver.solve import Conflict
    from mmpm.solver.universe import Package, Removed

MOST_VERSIONS = 8
# Hundreds of registries may have a name, and hundreds of names may lack something: what a person reads is bounded.
MOST_REGISTRIES = 4
MOST_NOTES = 24
MOST_REMEDIES = 12
# What another version is worth that a person could ask for instead: as much as most questions cost.
MOST_TRIED, MOST_CONFLICTS_TRIED = 4, 200

# For one release, and for several.
_BARRED = {
    "yanked": ("is yanked", "are yanked"),
    "pre-release": ("is a pre-release that nothing asks for", "are pre-releases that nothing asks for"),
    "not in the store": (
        "is not in the store, and this run is offline",
        "are not in the store, and this run is offline",
    ),
    "not mirrored": ("is not mirrored here", "are not mirrored here"),
    "barred by policy": ("is barred by policy", "are barred by policy"),
    "taken down": ("was taken down by its registry", "were taken down by its registry"),
}
# Why no other registry was asked.
_BOUND = {"": "", "scope": ", to which its scope is bound", "project": ", from where the project asks for it"}


@dataclass(frozen=True, slots=True)
class _Lack:
    """A requirement that something stands in the way of, and what the universe knows about its name.

    Attributes:
        by: name of the formula that requires it; empty for the project itself.
    """

    by: str
    name: str
    wanted: VersionRange
    package: Package | None
    absence: Absence | None
    nothing_fits: bool

    @property
    def again(self) -> str:
        """What follows a remedy for what another formula requires: with it alone nothing is installed yet."""
        return ", then this again" if self.by else ""

    @property
    def barred(self) -> tuple[Removed, ...]:
        """Versions that would fit, and may not be chosen."""
        removed = self.package.removed if self.package is not None else ()
        return tuple(each for each in removed if self.wanted.allows(each.version))

    @property
    def shadows(self) -> list[tuple[str, list[Version]]]:
        """Registries behind the owner with their versions that would fit, lowest first."""
        behind = self.package.shadowed if self.package is not None else ()
        fitting = [(each.registry, [v for v in each.versions if self.wanted.allows(v)]) for each in behind]
        return [(registry, versions) for registry, versions in fitting if versions]


def _lacks(numbering: Numbering, facts: Sequence[Incompatibility]) -> Iterator[_Lack]:
    """Give each requirement of the proof once that nothing fits, or that barred versions would fit."""
    seen: set[tuple[str, str]] = set()
    for fact in facts:
        cause = fact.cause
        if not isinstance(cause, Required | Constrained):
            continue
        name = numbering.names[cause.dependency]
        if (name, str(cause.range)) in seen:
            continue
        seen.add((name, str(cause.range)))
        lack = _Lack(
            numbering.names[cause.dependant],
            name,
            cause.range,
            numbering.universe.packages.get(name),
            numbering.universe.absent.get(name),
            isinstance(cause, Required) and not numbering.mask(cause.dependency, cause.range),
        )
        if lack.nothing_fits or lack.barred:
            yield lack


def notes_on(numbering: Numbering, facts: Sequence[Incompatibility]) -> tuple[str, ...]:
    """Say for each name that something is missing of what is there, and in which registry."""
    notes: dict[str, None] = {}
    for lack in _lacks(numbering, facts):
        for note in _notes(lack):
            notes[note] = None
    left_out = len(notes) - MOST_NOTES
    return (*notes,) if left_out <= 0 else (*list(notes)[:MOST_NOTES], f"{left_out} more such notes are left out.")


def _notes(lack: _Lack) -> Iterator[str]:
    package = lack.package
    if package is None:
        yield _absence_note(lack.name, lack.absence)
        if lack.absence is not None and lack.absence.elsewhere:
            verb = "has it, and is" if len(lack.absence.elsewhere) == 1 else "have it, and are"
            yield f"{listed(lack.absence.elsewhere, ' and ', MOST_REGISTRIES)} {verb} not asked for it."
        return
    where = package.registry or "the registry"
    if lack.nothing_fits:
        there = [str(version) for version in sorted(candidate.version for candidate in package.candidates)]
        if there:
            yield f"{where} has {lack.name} {listed(there[::-1], ' and ', MOST_VERSIONS)}."
        elif not package.removed:
            yield f"{where} lists {lack.name}, and no release of it."
    for why, words in _BARRED.items():
        mine = [each for each in lack.barred if each.why == why]
        if mine and why == "barred by policy":
            yield from _barred_notes(lack.name, mine)
        elif mine:
            shown = [f"{each.version} ({each.detail})" if each.detail else str(each.version) for each in mine[::-1]]
            yield f"{where} has {lack.name} {listed(shown, ' and ', MOST_VERSIONS)}, which {words[len(mine) > 1]}."
    shadows = lack.shadows
    for registry, fitting in shadows[:MOST_REGISTRIES]:
        verb = "is" if len(fitting) == 1 else "are"
        shown = [str(version) for version in reversed(fitting)]
        elsewhere = f"{registry} has {lack.name} {listed(shown, ' and ', MOST_VERSIONS)}"
        yield f"{elsewhere}, which {verb} shadowed: {where} comes first and has the name."
    if len(shadows) > MOST_REGISTRIES:
        count = len(shadows) - MOST_REGISTRIES
        yield f"{count} more registries have releases of {lack.name} that would fit, shadowed likewise."


def _barred_notes(name: str, barred: Sequence[Removed]) -> Iterator[str]:
    """Say by which rule versions are barred, those with the same reason together."""
    by_rule: dict[str, list[str]] = {}
    for each in barred:
        by_rule.setdefault(each.detail, []).append(str(each.version))
    for rule, versions in by_rule.items():
        verb = "is" if len(versions) == 1 else "are"
        said = rule if len(versions) == 1 else rule.replace(": it is ", ": each is ")
        shown = listed(versions[::-1], " and ", MOST_VERSIONS)
        yield f"{name} {shown} {verb} barred by {said or 'policy'}."


def _absence_note(name: str, absence: Absence | None) -> str:
    if absence is None:
        return f"{name} is in no registry."
    asked_registries = listed(absence.registries)
    match absence.why:
        case "not fetched":
            detail = f" ({absence.detail})" if absence.detail else ""
            whose = asked_registries or "the registry"
            return f"{name}: what {whose} knows of it was not fetched to this machine{detail}."
        case "not mirrored":
            return f"{name} is listed by {asked_registries}, but not mirrored here."
        case _ if absence.registries:
            where = listed(absence.registries, " or ")
            return f"{name} is not in {where}{_BOUND[absence.bound]}."
        case _:
            return f"{name} is in no registry; none is configured."


def remedies_for(numbering: Numbering, facts: Sequence[Incompatibility], whole: Conflict) -> tuple[str, ...]:
    """Give what to try, what is likeliest to help first.

    Args:
        numbering: what the numbers in `facts` stand for.
        facts: those of the smallest proof.
        whole: the conflict as it was found, with all that may be chosen.
    """
    remedies: dict[str, None] = {}
    for lack in _lacks(numbering, facts):
        for remedy in _remedies(lack):
            remedies[remedy] = None
    for fact in facts:
        if isinstance(fact.cause, Pinned):
            name = numbering.names[fact.cause.package]
            remedies[f"let {name} move: `mmpm unpin {name}`"] = None
    return (*list(remedies)[:MOST_REMEDIES], *_changes_of_the_project(numbering, facts, whole))


def _remedies_of_absence(lack: _Lack) -> Iterator[str]:
    """Give what helps where no registry that may answer has a name."""
    name, absence = lack.name, lack.absence or Absence("absent")
    if absence.near:
        yield f"did you mean {listed(absence.near, ' or ')}?"
    is_sure = bool(lack.by or absence.elsewhere)
    what = name if is_sure else "it"
    if absence.bound:
        other = f"have {what} published to {listed(absence.registries)}"
    else:
        other = f"add the registry that has {what}: `mmpm registry add URL`"
    yield other if is_sure else f"check the spelling of {name}, or {other}"
    # Last: a scope is bound so that nobody else answers for it.
    for registry in absence.elsewhere[:MOST_REGISTRIES]:
        yield f"name the registry: `mmpm install hop://{registry}/formulas/{name}`{lack.again}"


def _mirrored(name: str, version: Version | None, registries: Sequence[str]) -> str:
    owner = registries[0] if registries else "its registry"
    what, only = (name, name) if version is None else (f"{name} {version}", f"{name}@{version}")
    how = f"`mmpm mirror update`, or `mmpm mirror create` with one more `--only {only}`"
    return f"have {what} mirrored where the mirror is filled ({how}), or add an address of {owner} with it"


def _changes_of_the_project(numbering: Numbering, facts: Sequence[Incompatibility], whole: Conflict) -> Iterator[str]:
    """Give what the project could ask for instead; only what could be more than it asks for is to be widened."""
    wishes = sorted(
        {
            (numbering.names[fact.cause.dependency], fact.cause.range): fact
            for fact in facts
            if isinstance(fact.cause, Required) and fact.cause.dependant == ROOT
        }.items(),
        key=lambda wish: (wish[0][0], str(wish[0][1])),
    )
    if len(wishes) == 1:
        [((name, wanted), _)] = wishes
        other = next(_that_can_be_had(whole, name, wanted), None)
        if other is None:
            yield f"do without {name}"
        else:
            yield f"ask for a version that can be had: `mmpm install {name}@{other}`, or do without it"
        return
    narrow = [wish for wish, _ in wishes if _outside(numbering, *wish)]
    if narrow:
        yield f"widen {listed([asked(*wish) for wish in narrow], ' or ')}"
    for name, wanted in narrow[:MOST_REMEDIES]:
        if wanted.is_exact:
            yield f"let {name} move, if it is pinned: `mmpm unpin {name}`"
    if wishes:
        names = list(dict.fromkeys(name for (name, _), _ in wishes))
        yield f"do without {'one of ' if len(names) > 1 else ''}{listed(names, ' or ')}"


def _outside(numbering: Numbering, name: str, wanted: VersionRange) -> list[Version]:
    """Give the versions that may be chosen and that a requirement leaves out, the best first."""
    package = numbering.universe.packages.get(name)
    candidates = package.candidates if package is not None else ()
    return [each.version for each in reversed(candidates) if not wanted.allows(each.version)]


def _that_can_be_had(whole: Conflict, name: str, wanted: VersionRange) -> Iterator[Version]:
    """Give versions that the project could ask for instead of a range, so that everything it asks for can be met.

    Where the rest cannot be met anyhow, versions that can be had without it: one thing is told after the other.
    """
    outside = _outside(whole.numbering, name, wanted)[:MOST_TRIED]
    rest = [root for root in whole.roots if root != (name, wanted)]
    if outside and rest and not _can_be_had(whole, rest):
        rest = []
    for version in outside:
        if _can_be_had(whole, [*rest, (name, VersionRange.parse(str(version)))]):
            yield version


def _can_be_had(whole: Conflict, roots: Sequence[tuple[str, VersionRange]]) -> bool:
    try:
        found = solve(whole.numbering.universe, roots, {}, whole.pinned, most_conflicts=MOST_CONFLICTS_TRIED)
    except SearchTooLongError:
        return False
    return isinstance(found, Resolution)


def _remedies(lack: _Lack) -> Iterator[str]:
    name = lack.name
    if lack.package is None:
        if lack.absence is None or lack.absence.why == "absent":
            yield from _remedies_of_absence(lack)
        elif lack.absence.why == "not fetched":
            where = listed(lack.absence.registries, " and ") or "the registries"
            yield f"run it again without `--offline`, or `mmpm update --all` where {where} can be reached"
        else:
            yield _mirrored(name, None, lack.absence.registries)
        return
    newest = {each.why: each for each in lack.barred}
    if "not in the store" in newest:
        yield "run it again without `--offline`"
    if "not mirrored" in newest:
        yield _mirrored(name, newest["not mirrored"].version, [lack.package.registry])
    early = [each.version for each in lack.barred if each.why == "pre-release" and not each.detail]
    if early:
        version = early[-1]
        from shlex import quote  # seldom needed

        # With the range: without it a stable version of another one would do.
        wider = quote(asked(name, lack.wanted))
        yield f"allow the pre-release: `mmpm install --pre {wider}` or `mmpm install {name}@{version}`{lack.again}"
    elif "pre-release" in newest and newest["pre-release"].detail.startswith("not mirrored"):
        yield _mirrored(name, newest["pre-release"].version, [lack.package.registry])
    elif "pre-release" in newest:
        yield "run it again without `--offline`"
    if "yanked" in newest:
        yield f"take the yanked release all the same: `mmpm install {name}@{newest['yanked'].version}`{lack.again}"
    if "barred by policy" in newest:
        rule = newest["barred by policy"].detail.partition(":")[0].partition(" (")[0].partition(",")[0]
        yield f"have the rule changed that bars it, {rule or 'a policy'}: `mmpm policy show` tells who set it"
        if rule.startswith("policy.min_level"):
            yield f"have {name} vouched for: `mmpm registry mark` where its registry is kept, then `mmpm update` here"
    for registry, fitting in lack.shadows[:MOST_REGISTRIES]:
        yield f"name the registry: `mmpm install hop://{registry}/formulas/{name}@{fitting[-1]}`{lack.again}"
    if lack.by and lack.package.candidates and not (newest or lack.shadows):
        version = max(each.version for each in lack.package.candidates)
        yield f"ask the publisher of {lack.by} for a release that goes with {name} {version}"
