"""What has been decided and derived so far: a domain for each package, and the narrowings that led to it.

A narrowing belongs to the lowest level at which it holds, which may be far below the level in force when it was
found (a chronological step back, a fact loaded late). Going back undoes the levels above and touches nothing else;
so a step back costs what it undoes, however much was learned about lower levels since. A domain is the intersection
of all narrowings of its package in the order in which they were found; its level is therefore the *prefix maximum*
of theirs. With each narrowing's own level instead, learned facts would become unsound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mmpm.solver.incompatibility import Incompatibility


class Narrowing(NamedTuple):
    """One step of a package's domain.

    Attributes:
        stamp: rises with each narrowing of any package; reasons are older than what they give.
        own_level: the lowest level at which the reason gives it.
        level: the highest own level of this and the package's narrowings before.
        domain: what was left after it.
        keep: what it keeps.
        reason: None for a decision.
    """

    stamp: int
    package: int
    own_level: int
    level: int
    domain: int
    keep: int
    reason: Incompatibility | None


class PartialSolution:
    """Domains and how they came about.

    Attributes:
        full: by package, all that it could be.
        domain: by package, what is left; never empty.
        history: by package, its narrowings, oldest first.
        pending: packages that changed and whose consequences are not drawn yet; repetitions are harmless.
    """

    __slots__ = ("_by_level", "_stamp", "domain", "full", "history", "pending")

    def __init__(self, full: list[int]) -> None:
        self.full = full
        self.domain: list[int] = []
        self.history: list[list[Narrowing]] = []
        self.pending: list[int] = []
        self._by_level: list[list[int]] = [[]]
        self._stamp = 0

    def add_package(self) -> None:
        """Make room for the package that was numbered last."""
        self.domain.append(self.full[len(self.domain)])
        self.history.append([])

    @property
    def level(self) -> int:
        """The number of decisions in force."""
        return len(self._by_level) - 1

    def decide(self, package: int, bit: int) -> None:
        """Open a level with one version for one package."""
        self._by_level.append([])
        self.narrow(package, bit, None, self.level)

    def narrow(self, package: int, keep: int, reason: Incompatibility | None, own_level: int) -> None:
        """Narrow a domain, which must leave something of it."""
        history = self.history[package]
        domain = self.domain[package] = self.domain[package] & keep
        level = own_level
        if history and history[-1].level > level:
            level = history[-1].level
        self._stamp += 1
        history.append(Narrowing(self._stamp, package, own_level, level, domain, keep, reason))
        self._by_level[own_level].append(package)
        self.pending.append(package)

    def satisfier(self, package: int, term: int) -> Narrowing:
        """Give the narrowing after which a term that holds now, and did not always, has held."""
        outside = ~term
        history = self.history[package]
        # Domains only shrink, so the place can be halved in on: a formula of thousands of versions has a long history.
        low, high = 0, len(history) - 1
        while low < high:
            middle = (low + high) // 2
            if history[middle].domain & outside:
                low = middle + 1
            else:
                high = middle
        return history[low]

    def level_of(self, package: int, term: int) -> int:
        """Give the lowest level at which a term that holds now holds."""
        return self.satisfier(package, term).level if self.full[package] & ~term else 0

    def backtrack(self, level: int) -> None:
        """Undo all decisions above `level` and what rests on them."""
        changed: set[int] = set()
        for packages in self._by_level[level + 1 :]:
            changed.update(packages)
        del self._by_level[level + 1 :]
        for package in changed:
            history = self.history[package]
            start = 0
            while history[start].own_level <= level:
                start += 1
            rest = [narrowing for narrowing in history[start:] if narrowing.own_level <= level]
            del history[start:]
            domain = history[-1].domain if history else self.full[package]
            reached = history[-1].level if history else 0
            for old in rest:
                if domain & ~old.keep:
                    domain &= old.keep
                    reached = max(reached, old.own_level)
                    history.append(Narrowing(old.stamp, package, old.own_level, reached, domain, old.keep, old.reason))
            if rest:
                self.pending.append(package)
            self.domain[package] = domain
