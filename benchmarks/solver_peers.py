"""Two other solvers of Python's world behind one call, each given the universe in the form that suits it.

What is turned into their forms beforehand is not timed: versions are small integers, ranges are prepared sets. Ours is
given versions and ranges as they are.
"""

from __future__ import annotations

import gc
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nab_resolver.errors import ResolutionError
from nab_resolver.ranges import Range
from nab_resolver.resolver import BaseProvider, Resolver
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible
from resolvelib import Resolver as Resolvelib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from universes import Question

    from mmpm.model.ranges import VersionRange


class OutOfTimeError(BaseException):
    """Not an Exception, so that no solver takes it for one of its own."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in what takes more processor time."""

    def give_up(_signal, _frame):
        raise OutOfTimeError

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def timed(run: Callable[[], bool], cap_seconds: float) -> tuple[float, bool | None]:
    """Give how much processor time it took and whether there was an answer; None and the cap if it did not end."""
    gc.collect()
    started = time.process_time()
    try:
        with at_most(cap_seconds):
            found = run()
    except OutOfTimeError:
        return cap_seconds, None
    return time.process_time() - started, found


class _Numbers:
    """The universe in numbers: name -> [requirements of version 0, of version 1, ..], oldest first."""

    def __init__(self, asked: Question) -> None:
        self.packages = asked.universe.packages
        self.places: dict[tuple[str, int], frozenset[int]] = {}
        self.needs = {
            name: [
                {other: self.inside(other, wanted) for other, wanted in each.requires.items()}
                for each in package.candidates
            ]
            for name, package in self.packages.items()
        }
        self.roots = {name: self.inside(name, wanted) for name, wanted in asked.roots}

    def inside(self, name: str, wanted: VersionRange) -> frozenset[int]:
        """Give the numbers of the versions in a range; equal ones are one object."""
        key = (name, id(wanted))
        if key not in self.places:
            package = self.packages.get(name)
            found = () if package is None else enumerate(package.candidates)
            self.places[key] = frozenset(at for at, each in found if wanted.allows(each.version))
        return self.places[key]


class _ResolvelibProvider(AbstractProvider):
    def __init__(self, numbers: _Numbers) -> None:
        self.needs = {
            name: [tuple(requirements.items()) for requirements in mine] for name, mine in numbers.needs.items()
        }

    def identify(self, requirement_or_candidate):
        return requirement_or_candidate[0]

    def get_preference(self, identifier, resolutions, candidates, information, backtrack_causes):
        del resolutions, information
        # What is in conflict first, then what has fewest versions left: the advice of its documentation.
        return not any(
            identifier in (one.requirement[0], one.parent and one.parent[0]) for one in backtrack_causes
        ), sum(1 for _ in candidates[identifier])

    def find_matches(self, identifier, requirements, incompatibilities):
        left = frozenset.intersection(*(wanted for _, wanted in requirements[identifier]))
        bad = {at for _, at in incompatibilities[identifier]}
        return [(identifier, at) for at in sorted(left - bad, reverse=True)]

    def is_satisfied_by(self, requirement, candidate):
        return candidate[1] in requirement[1]

    def get_dependencies(self, candidate):
        return self.needs[candidate[0]][candidate[1]]


def resolvelib(asked: Question) -> Callable[[], bool]:
    """Give a run of resolvelib, the solver in pip."""
    numbers = _Numbers(asked)
    provider = _ResolvelibProvider(numbers)

    def run() -> bool:
        try:
            Resolvelib(provider, BaseReporter()).resolve(list(numbers.roots.items()), max_rounds=10_000_000)
        except ResolutionImpossible:
            return False
        return True

    return run


class _NabProvider(BaseProvider):
    def __init__(self, numbers: _Numbers) -> None:
        ranges: dict[frozenset[int], object] = {}

        def ranged(wanted):
            if wanted not in ranges:
                ranges[wanted] = _range(wanted)
            return ranges[wanted]

        self.needs = {
            name: [{other: ranged(wanted) for other, wanted in requirements.items()} for requirements in mine]
            for name, mine in numbers.needs.items()
        }
        self.roots = {name: ranged(wanted) for name, wanted in numbers.roots.items()}

    def choose_version(self, package, version_range):
        return next((at for at in reversed(range(len(self.needs.get(package, ())))) if at in version_range), None)

    def has_satisfying_version(self, package, version_range):
        return self.choose_version(package, version_range) is not None

    def get_dependencies(self, package, version):
        return self.needs[package][version]

    def prioritize(self, package, version_range, conflict_counts, culprit_counts=None):
        del culprit_counts
        left = sum(1 for at in range(len(self.needs.get(package, ()))) if at in version_range)
        return -conflict_counts.get(package, 0), left

    def widen_decision(self, package, version):
        del package, version


def _range(wanted: frozenset[int]):
    """Give the numbers as as few intervals as there are runs of them."""
    found = Range.empty()
    ordered = sorted(wanted)
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or ordered[end] != ordered[end - 1] + 1:
            found |= Range.between(ordered[start], ordered[end - 1] + 1)
            start = end
    return found


def nab(asked: Question) -> Callable[[], bool]:
    """Give a run of nab-resolver, PubGrub in Python."""
    provider = _NabProvider(_Numbers(asked))

    def run() -> bool:
        try:
            Resolver(provider, max_iterations=10_000_000).resolve(provider.roots)
        except ResolutionError:
            return False
        return True

    return run


PEERS = {"resolvelib": resolvelib, "nab-resolver": nab}
