"""The search: one answer, the documented one, or the proof that there is none.

The answer is the lexicographic optimum in breadth-first order from the roots: the roots in the order given, then
the dependencies of each package's chosen version in the order in which it lists them; each package gets the best
version with which a solution exists, given the versions of the packages before it.

Conflict-driven clause learning finds it, because nothing here changes the order of decisions: packages are decided
in that order, each with the highest bit left, and what propagation takes away is in no solution of the decisions
before it. So learning, going back far or a little, and loading dependencies early or late change the time only.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import SearchTooLongError
from mmpm.solver.conflict import analyse
from mmpm.solver.incompatibility import Constrained, Incompatibility, Learned, Pinned, Required
from mmpm.solver.numbering import ABSENT, ROOT, Numbering
from mmpm.solver.partial_solution import PartialSolution
from mmpm.solver.propagation import Propagator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version
    from mmpm.solver.universe import Universe

# Beyond this many levels a conflict goes back one level only: undoing and redoing the levels between, which the
# fixed order of decisions would repeat one by one, costs more than it finds.
LONGEST_JUMP = 20

# The question is hard in general, and the registry that poses it may be hostile: real ones meet a few hundred.
MOST_CONFLICTS = 100_000


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer.

    Attributes:
        versions: what is chosen, by name, in the documented order.
        decisions: how many were made, those undone later included.
        conflicts: how many were met.
    """

    versions: Mapping[str, Version]
    decisions: int = 0
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Conflict:
    """There is no answer.

    Attributes:
        proof: the incompatibility without terms; its causes are the derivation.
        numbering: what the numbers and masks in it stand for.
        pinned: the pins that held.
        conflicts: how many were met.
        roots: what the project required.
    """

    proof: Incompatibility
    numbering: Numbering
    pinned: Mapping[str, Version]
    conflicts: int = 0
    roots: Sequence[tuple[str, VersionRange]] = ()


def solve(
    universe: Universe,
    roots: Sequence[tuple[str, VersionRange]],
    locked: Mapping[str, Version] | None = None,
    pinned: Mapping[str, Version] | None = None,
    *,
    most_conflicts: int = MOST_CONFLICTS,
) -> Resolution | Conflict:
    """Choose a version of each root and of everything that they need.

    Args:
        universe: the packages; candidates by preference, best last.
        roots: what the project requires, in the order that decides.
        locked: the version of each name to try first (soft).
        pinned: the one version of each name that may be chosen, if the name is needed at all (hard).
        most_conflicts: how many the answer is worth.

    Raises:
        SearchTooLongError: neither an answer nor a proof turned up within the limit.
    """
    search = _Search(universe, roots, locked or {}, pinned or {})
    search.most_conflicts = most_conflicts
    # Taking a search apart costs a third of the search. Left to the interpreter's next look for cycles, it costs a
    # command nothing; `prove`, which runs by the thousand, leaves nothing behind.
    search.itself = search
    with _without_cycle_search():
        return search.run()


def prove(
    universe: Universe,
    roots: Sequence[tuple[str, VersionRange]],
    pinned: Mapping[str, Version],
) -> Resolution | Conflict:
    """Solve a small problem with all requirements in force from the start: slower, and the shorter proof."""
    search = _Search(universe, roots, {}, pinned)
    search.is_eager = True
    with _without_cycle_search():
        return search.run()


@contextmanager
def _without_cycle_search() -> Iterator[None]:
    """Keep the interpreter from looking for reference cycles in the many small values of a search that runs."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(slots=True)
class _Needs:
    """What one version brings with it: dependencies in its order, and the incompatibilities that bind it."""

    dependencies: list[int]
    incompatibilities: list[Incompatibility]

    def are_met(self, domain: Sequence[int]) -> bool:
        """Whether all hold in which the chosen version's own term is the first; one of one term never does."""
        for each in self.incompatibilities:
            package, bad = each.terms[-1]
            if domain[package] & bad:
                return False
        return True


class _Search:
    """One run. `queue` is the documented order as far as it is known; `seen` of it have their dependencies in it."""

    def __init__(
        self,
        universe: Universe,
        roots: Sequence[tuple[str, VersionRange]],
        locked: Mapping[str, Version],
        pinned: Mapping[str, Version],
    ) -> None:
        self.numbering = Numbering(universe, locked)
        self.solution = PartialSolution(self.numbering.full)
        self.roots = roots
        self.pinned = pinned
        self.queue: list[int] = []
        self.queued: set[int] = set()
        self.seen = 0
        # (seen, length of queue) at the start of each level.
        self.marks: list[tuple[int, int]] = []
        # By package: what is in force, by version bit.
        self.loaded: list[dict[int, _Needs]] = []
        self.propagator = Propagator(self.solution, self.loaded)
        self.expanded: set[int] = {ROOT}
        self.is_eager = False
        self.itself: _Search | None = None
        self.decisions = 0
        self.conflicts = 0
        self.most_conflicts = MOST_CONFLICTS
        self._make_room()

    def run(self) -> Resolution | Conflict:
        """Propagate, learn from conflicts, visit or decide the next package, until one of the ends is reached."""
        conflict = self._require_roots()
        while True:
            if conflict is None:
                conflict = self.propagator.propagate(self._put_in_force)
            if conflict is not None:
                self.conflicts += 1
                if self.conflicts > self.most_conflicts:
                    raise SearchTooLongError(self.conflicts)
                lesson = analyse(self.solution, conflict)
                if lesson.pivot < 0:
                    return Conflict(lesson.incompatibility, self.numbering, self.pinned, self.conflicts, self.roots)
                self._go_back(lesson.level - 1 if lesson.level - lesson.jump > LONGEST_JUMP else lesson.jump)
                if lesson.incompatibility is not conflict:
                    self.propagator.add(lesson.incompatibility, lesson.pivot)
                self.propagator.check(lesson.incompatibility)
                conflict = self._expand_causes(lesson.incompatibility, conflict)
                continue
            if self.seen == len(self.queue):
                return self._resolution()
            conflict = self._step(self.queue[self.seen])

    def _step(self, package: int) -> Incompatibility | None:
        """Decide the package, or enter its dependencies into the queue if it has one version left."""
        domain = self.solution.domain
        left = domain[package]
        assert left != ABSENT, "a queued package is needed"
        bit = 1 << (left.bit_length() - 1)
        # The best version's dependencies are put in force before it is chosen: often they rule it out at once. When it
        # is chosen they must hold: a conclusion that another one had drawn first, at a higher level, goes with that.
        needs = self.loaded[package].get(bit)
        if needs is None or (left == bit and not needs.are_met(domain)):
            needs = needs or self._load(package, bit)
            conflict = self.propagator.check_all(needs.incompatibilities)
            if conflict is not None:
                return conflict
            if domain[package] != left:
                return None
        if left != bit:
            self.marks.append((self.seen, len(self.queue)))
            self.decisions += 1
            self.solution.decide(package, bit)
            return None
        self.seen += 1
        for dependency in needs.dependencies:
            if dependency not in self.queued:
                self.queued.add(dependency)
                self.queue.append(dependency)
        return None

    def _go_back(self, level: int) -> None:
        if level >= self.solution.level:
            return
        self.solution.backtrack(level)
        self.seen, length = self.marks[level]
        del self.marks[level:]
        self.queued.difference_update(self.queue[length:])
        del self.queue[length:]

    def _require_roots(self) -> Incompatibility | None:
        conflict = None
        for name, wanted in self.roots:
            package = self._number(name)
            outside = self.numbering.full[package] & ~self.numbering.mask(package, wanted)
            terms = ((package, outside),) if outside != self.numbering.full[package] else ()
            incompatibility = Incompatibility(terms, Required(ROOT, 0b10, package, wanted))
            conflict = self.propagator.check(incompatibility) or conflict
            if package not in self.queued:
                self.queued.add(package)
                self.queue.append(package)
        return conflict

    def _number(self, name: str) -> int:
        """Give the number of a name; a new one is bound by its pin at once."""
        number = self.numbering.numbers.get(name)
        if number is not None:
            return number
        number = self.numbering.add(name)
        self._make_room()
        version = self.pinned.get(name)
        if version is not None:
            barred = self.numbering.full[number] & ~ABSENT & ~self.numbering.version_mask(number, version)
            if barred:
                self.propagator.check(Incompatibility(((number, barred),), Pinned(number, version)))
        return number

    def _make_room(self) -> None:
        self.solution.add_package()
        self.propagator.add_package()
        self.loaded.append({})

    def _put_in_force(self, package: int, bit: int) -> list[Incompatibility]:
        return self._load(package, bit).incompatibilities

    def _load(self, package: int, bit: int) -> _Needs:
        """Put one version's requirements in force; their conclusions are left to the caller."""
        if self.is_eager and package not in self.expanded:
            self.expanded.add(package)
            all_versions = self._expand(package)
            return _Needs(self.loaded[package][bit].dependencies, all_versions)
        candidate = self.numbering.chosen(package, bit)
        needs = _Needs([], [])
        number_of, mask, full = self.numbering.numbers.get, self.numbering.mask, self.numbering.full
        put_in_force = self.propagator.imply
        for name, wanted in candidate.requires.items():
            other = number_of(name) or self._number(name)
            needs.dependencies.append(other)
            allowed = mask(other, wanted)
            outside = full[other] & ~allowed
            if allowed and package != other:
                # As `_bind` does it; nearly all of them are of this kind, and making them is most of a search.
                plain = Incompatibility(((package, bit), (other, outside)), Required(package, bit, other, wanted))
                put_in_force(plain, package, bit, other, outside)
                needs.incompatibilities.append(plain)
                continue
            incompatibility = self._bind(Required(package, bit, other, wanted), 0)
            if incompatibility is not None:
                needs.incompatibilities.append(incompatibility)
        for name, wanted in candidate.constrains.items():
            incompatibility = self._bind(Constrained(package, bit, self._number(name), wanted), ABSENT)
            if incompatibility is not None:
                needs.incompatibilities.append(incompatibility)
        self.loaded[package][bit] = needs
        return needs

    def _bind(self, cause: Required | Constrained, allowed: int) -> Incompatibility | None:
        """Turn a requirement into an incompatibility; None where it can't be broken.

        A range that nothing fits leaves only the first term: the versions that ask for it can't be chosen.
        """
        package, other = cause.dependant, cause.dependency
        full = self.numbering.full[other]
        outside = full & ~(self.numbering.mask(other, cause.range) | allowed)
        if not outside:
            return None
        if package == other:
            versions = cause.versions & outside
            return self._in_force(((package, versions),), cause) if versions else None
        if outside == full:
            return self._in_force(((package, cause.versions),), cause)
        return self._in_force(((package, cause.versions), (other, outside)), cause)

    def _in_force(self, terms: tuple[tuple[int, int], ...], cause: Required | Constrained) -> Incompatibility:
        incompatibility = Incompatibility(terms, cause)
        self.propagator.add(incompatibility)
        return incompatibility

    def _expand_causes(self, learned: Incompatibility, conflict: Incompatibility) -> Incompatibility | None:
        """Put all versions' requirements in force for the packages that met this conflict."""
        causes = learned.cause.causes if isinstance(learned.cause, Learned) else (conflict,)
        new: list[Incompatibility] = []
        for each in causes:
            cause = each.cause
            if isinstance(cause, Required | Constrained) and cause.dependant not in self.expanded:
                self.expanded.add(cause.dependant)
                new += self._expand(cause.dependant)
        return self.propagator.check_all(new)

    def _expand(self, package: int) -> list[Incompatibility]:
        """Put all versions' requirements in force that are not yet, merged by equal dependency and range."""
        groups: dict[tuple[int, int, int], Required | Constrained] = {}
        keys: dict[int, list[tuple[int, int, int]]] = {}
        for i, candidate in enumerate(self.numbering.candidates[package]):
            bit = 2 << i
            if bit in self.loaded[package]:
                continue
            mine = keys[bit] = []
            for kind, allowed, ranges in (
                (Required, 0, candidate.requires),
                (Constrained, ABSENT, candidate.constrains),
            ):
                for name, wanted in ranges.items():
                    other = self._number(name)
                    key = (other, id(wanted), allowed)
                    before = groups.get(key)
                    groups[key] = kind(package, bit | (before.versions if before else 0), other, wanted)
                    mine.append(key)
        bound = {key: self._bind(cause, key[2]) for key, cause in groups.items()}
        for bit, mine in keys.items():
            self.loaded[package][bit] = _Needs(
                [other for other, _, allowed in mine if not allowed],
                [found for key in mine if (found := bound[key]) is not None],
            )
        return [found for found in bound.values() if found is not None]

    def _resolution(self) -> Resolution:
        versions = {
            self.numbering.names[package]: self.numbering.chosen(package, self.solution.domain[package]).version
            for package in self.queue
        }
        return Resolution(versions, self.decisions, self.conflicts)
