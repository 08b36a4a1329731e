"""Words for the pieces of a proof: versions, terms, facts and conclusions."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from mmpm.solver.incompatibility import Constrained, Pinned, Required
from mmpm.solver.numbering import ABSENT, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version
    from mmpm.solver.incompatibility import Incompatibility
    from mmpm.solver.numbering import Numbering
    from mmpm.solver.universe import Absence, Barrier

# The barriers in a subordinate clause.
SHORTLY: dict[Barrier, str] = {
    "yanked": "yanked",
    "pre-release": "a pre-release",
    "not in the store": "not in the store",
    "not mirrored": "not mirrored here",
    "barred by policy": "barred by policy",
    "taken down": "taken down",
}
MOST_RUNS = 4
MOST_TERMS = 4


def listed(items: Sequence[str], joint: str = " and ", most: int = 8) -> str:
    """Join items as prose; beyond `most` the rest is counted."""
    if len(items) > most:
        return f"{', '.join(items[: most - 1])}{joint}{len(items) - most + 1} more"
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])}{joint}{items[-1]}"


def asked(name: str, wanted: VersionRange) -> str:
    """Give a requirement as a person would type it."""
    return name if wanted.is_any else f"{name}@{wanted}"


class Wording:
    """Words over one numbering; a package's registry is named where the package is first mentioned."""

    def __init__(self, numbering: Numbering) -> None:
        self._numbering = numbering
        self._mentioned: set[int] = set()
        # By package: its versions in order, each with its bit.
        self._orders: dict[int, list[tuple[Version, int]]] = {}

    def said(self, package: int, text: str, note: str = "") -> str:
        """Give `text`, which speaks of a package; with its registry the first time, and `note`, in parentheses."""
        known = self._numbering.universe.packages.get(self._numbering.names[package])
        notes = [note] if note else []
        if package not in self._mentioned and known is not None and known.registry:
            self._mentioned.add(package)
            notes.insert(0, known.registry)
        return f"{text} ({', '.join(notes)})" if notes else text

    def subject(self, package: int, mask: int) -> str:
        """Give "a 1.0.0", "a 1.0.0 to 1.4.0", "every version of a"; never a range that nobody wrote."""
        name = self._numbering.names[package]
        candidates = self._numbering.candidates[package]
        if mask & ~ABSENT != self._numbering.full[package] & ~ABSENT:
            return self.said(package, f"{name} {self.versions(package, mask)}")
        known = self._numbering.universe.packages.get(name)
        rest = " that may be chosen" if known is not None and known.removed else ""
        if len(candidates) == 1:
            return self.said(package, f"{name} {candidates[0].version}", f"the only one{rest}")
        return self.said(package, f"every version of {name}{rest}")

    def versions(self, package: int, mask: int) -> str:
        """Give the versions of a mask as runs in version order."""
        some = mask & ~ABSENT
        if not some & (some - 1):
            return str(self._numbering.chosen(package, some).version)
        ordered = self._orders.get(package)
        if ordered is None:
            # Once a package: a formula of thousands of versions is told of in thousands of facts.
            candidates = enumerate(self._numbering.candidates[package])
            ordered = self._orders[package] = sorted((each.version, 2 << i) for i, each in candidates)
        runs: list[str] = []
        for inside, group in groupby(ordered, key=lambda pair: bool(some & pair[1])):
            run = [version for version, _ in group]
            if inside:
                runs.extend(_run(run))
        return listed(runs, " or ", MOST_RUNS)

    def fact(self, incompatibility: Incompatibility) -> str:
        """Give what a leaf of the proof says."""
        match incompatibility.cause:
            case Pinned(package=package, version=version):
                return f"{self.said(package, self._numbering.names[package])} is pinned to {version}"
            case Required(dependant=dependant, versions=versions, dependency=dependency, range=wanted):
                verb = "you ask for" if dependant == ROOT else f"{self.subject(dependant, versions)} needs"
                lack = "" if self._numbering.mask(dependency, wanted) else f", {self.lack(dependency, wanted)}"
                return f"{verb} {self.asked(dependency, wanted)}{lack}"
            case Constrained(dependant=dependant, versions=versions, dependency=dependency, range=wanted):
                return f"{self.subject(dependant, versions)} only goes with {self.asked(dependency, wanted)}"
            case _:
                return self.conclusion(incompatibility)

    def asked(self, package: int, wanted: VersionRange) -> str:
        """Give a requirement as a person would type it."""
        return self.said(package, asked(self._numbering.names[package], wanted))

    def lack(self, dependency: int, wanted: VersionRange) -> str:
        """Say why nothing fits: there is no such package here, or none of its versions that fit may be chosen."""
        universe = self._numbering.universe
        name = self._numbering.names[dependency]
        package = universe.packages.get(name)
        if package is None:
            return _absence(universe.absent.get(name))
        if wanted.is_empty:
            return "a range that no version can fit"
        reasons = {each.why for each in package.removed if wanted.allows(each.version)}
        if len(reasons) == 1:
            return f"but what would fit is {SHORTLY[reasons.pop()]}"
        if reasons:
            return "but what would fit may not be chosen"
        if any(wanted.allows(version) for shadowed in package.shadowed for version in shadowed.versions):
            return "but what would fit is shadowed"
        return "which no release fits" if package.candidates or package.removed else "which has no release"

    def disputed(self, facts: Iterable[Incompatibility]) -> str:
        """Give the one name of which facts allow no version together, though each allows some; else nothing."""
        allowed: dict[int, int] = {}
        for fact in facts:
            match fact.cause:
                case Pinned(package=package, version=version):
                    mask = self._numbering.version_mask(package, version)
                case Required(dependency=package, range=wanted) | Constrained(dependency=package, range=wanted):
                    mask = self._numbering.mask(package, wanted)
                    if not mask and isinstance(fact.cause, Required):
                        return ""
                case _:
                    raise AssertionError("a leaf is no derivation")
            allowed[package] = allowed.get(package, -1) & mask
        names = [self._numbering.names[package] for package, mask in allowed.items() if not mask]
        return names[0] if len(names) == 1 else ""

    def conclusion(self, incompatibility: Incompatibility) -> str:
        """Give what an incompatibility means, as "if these, then those" or shorter."""
        if not incompatibility.terms:
            return "the requirements cannot be met together"
        terms = incompatibility.terms
        held = [(package, mask) for package, mask in terms if not mask & ABSENT]
        # A term that holds where the package is absent, denied: one of the versions outside it is needed.
        needed = [(package, self._numbering.full[package] & ~mask) for package, mask in terms if mask & ABSENT]
        subjects = [self.subject(*term) for term in held]
        objects = [self._wanted(*term) for term in needed]
        if not needed:
            if len(held) == 1:
                return f"{subjects[0]} cannot be chosen"
            return f"{listed(subjects, ' and ', MOST_TERMS)} cannot be chosen together"
        if not held:
            return f"{listed(objects, ' or ', MOST_TERMS)} is needed"
        verb = "needs" if len(held) == 1 else "together need"
        return f"{listed(subjects, ' and ', MOST_TERMS)} {verb} {listed(objects, ' or ', MOST_TERMS)}"

    def _wanted(self, package: int, mask: int) -> str:
        for wanted, allowed in self._numbering.ranges(package):
            if allowed == mask:
                return self.asked(package, wanted)
        name = self._numbering.names[package]
        if mask == self._numbering.full[package] & ~ABSENT:
            return self.said(package, name)
        return self.said(package, f"{name} {self.versions(package, mask)}")


def _absence(absence: Absence | None) -> str:
    match absence.why if absence is not None else "absent":
        case "not fetched":
            return "of which nothing was fetched to this machine"
        case "not mirrored":
            return "which is not mirrored here"
        case _ if absence is not None and len(absence.registries) == 1:
            return f"which {absence.registries[0]} does not have"
        case _:
            return "which no registry has"


def _run(versions: Sequence[Version]) -> list[str]:
    if len(versions) < 3:
        return [str(version) for version in versions]
    return [f"{versions[0]} to {versions[-1]}"]
