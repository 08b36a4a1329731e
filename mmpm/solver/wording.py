"""Words for the pieces of a proof: versions, terms, facts and conclusions."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from mmpm.solver.incompatibility import Constrained, Learned, Pinned, Required
from mmpm.solver.numbering import ABSENT, ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version
    from mmpm.solver.incompatibility import Incompatibility
    from mmpm.solver.numbering import Numbering

MOST_RUNS = 4
MOST_TERMS = 4


def listed(items: Sequence[str], word: str = "and", most: int = 8) -> str:
    """Join items as prose; beyond `most` the rest is counted."""
    if len(items) > most:
        return f"{', '.join(items[: most - 1])} {word} {len(items) - most + 1} more"
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {word} {items[-1]}"


def asked(name: str, wanted: VersionRange) -> str:
    """Give a requirement as its author wrote it."""
    return name if wanted.is_any else f"{name} {wanted}"


class Wording:
    """Words over one numbering; a package's registry is named where the package is first mentioned."""

    def __init__(self, numbering: Numbering) -> None:
        self._numbering = numbering
        self._mentioned: set[int] = set()

    def name(self, package: int) -> str:
        """Give a package's name, with its registry the first time."""
        name = self._numbering.names[package]
        known = self._numbering.universe.packages.get(name)
        if package in self._mentioned or known is None or not known.registry:
            return name
        self._mentioned.add(package)
        return f"{name} ({known.registry})"

    def subject(self, package: int, mask: int) -> str:
        """Give "a 1.0.0", "a 1.0.0 to 1.4.0", "every version of a"; never a range that nobody wrote."""
        full = self._numbering.full[package] & ~ABSENT
        if mask & ~ABSENT == full:
            only = self._numbering.candidates[package]
            if len(only) == 1:
                return f"{self.name(package)} {only[0].version}, the only version,"
            return f"every version of {self.name(package)}"
        return f"{self.name(package)} {self.versions(package, mask)}"

    def versions(self, package: int, mask: int) -> str:
        """Give the versions of a mask as runs in version order."""
        ordered = sorted(
            ((each.version, bool(mask >> (i + 1) & 1)) for i, each in enumerate(self._numbering.candidates[package])),
            key=lambda pair: pair[0],
        )
        runs: list[str] = []
        for inside, group in groupby(ordered, key=lambda pair: pair[1]):
            run = [version for version, _ in group]
            if inside:
                runs.extend(_run(run))
        return listed(runs, "or", MOST_RUNS)

    def fact(self, incompatibility: Incompatibility) -> str:
        """Give what a leaf of the proof says."""
        match incompatibility.cause:
            case Pinned(package=package, version=version):
                return f"{self.name(package)} is pinned to {version}"
            case Required(dependant=dependant, versions=versions, dependency=dependency, range=wanted):
                other = asked(self.name(dependency), wanted)
                none = "" if self._numbering.mask(dependency, wanted) else f", {self.lack(dependency)}"
                if dependant == ROOT:
                    return f"you ask for {other}{none}"
                return f"{self.subject(dependant, versions)} needs {other}{none}"
            case Constrained(dependant=dependant, versions=versions, dependency=dependency, range=wanted):
                return f"{self.subject(dependant, versions)} only goes with {asked(self.name(dependency), wanted)}"
            case _:
                return self.conclusion(incompatibility)

    def lack(self, package: int) -> str:
        """Say that nothing fits: there is no such package here, or none of its versions may be chosen."""
        if self._numbering.names[package] not in self._numbering.universe.packages:
            return "which cannot be had"
        return "which no release that may be chosen fits"

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
            return f"{listed(subjects, 'and', MOST_TERMS)} cannot be chosen together"
        if not held:
            return f"{listed(objects, 'or', MOST_TERMS)} is needed"
        verb = "needs" if len(held) == 1 else "together need"
        return f"{listed(subjects, 'and', MOST_TERMS)} {verb} {listed(objects, 'or', MOST_TERMS)}"

    def _wanted(self, package: int, mask: int) -> str:
        for wanted, allowed in self._numbering.ranges(package):
            if allowed == mask:
                return asked(self.name(package), wanted)
        if mask == self._numbering.full[package] & ~ABSENT:
            return self.name(package)
        return f"{self.name(package)} {self.versions(package, mask)}"


def _run(versions: Sequence[Version]) -> list[str]:
    if len(versions) < 3:
        return [str(version) for version in versions]
    return [f"{versions[0]} to {versions[-1]}"]


def is_leaf(incompatibility: Incompatibility) -> bool:
    """Whether it is a fact of the input and not a conclusion."""
    return not isinstance(incompatibility.cause, Learned)
