"""What has been decided and derived so far: a domain for each package, and the trail that led to it.

The trail is out of order: an entry's level is the lowest one at which it holds, which may be far below the level
in force when it was found (a chronological step back, a fact loaded late). Going back keeps such entries. Since a
domain is the intersection of all entries of its package, a domain's level is the *prefix maximum* over the
package's entries: with each entry's own level instead, learned facts would become unsound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmpm.solver.incompatibility import Incompatibility


class PartialSolution:
    """Domains and trail. All lists of `trail_*` have one item an entry; `trail_previous` is the package's entry before.

    Attributes:
        domain: by package, the versions that are left; never empty.
        last: by package, its newest entry, or -1.
        head: the first entry that propagation has not seen.
    """

    __slots__ = (
        "domain",
        "full",
        "head",
        "last",
        "level_starts",
        "trail_domain",
        "trail_keep",
        "trail_level",
        "trail_own_level",
        "trail_package",
        "trail_previous",
        "trail_reason",
    )

    def __init__(self, full: list[int]) -> None:
        self.full = full
        self.domain: list[int] = []
        self.last: list[int] = []
        self.head = 0
        self.level_starts: list[int] = []
        self.trail_package: list[int] = []
        self.trail_keep: list[int] = []
        self.trail_domain: list[int] = []
        self.trail_own_level: list[int] = []
        self.trail_level: list[int] = []
        self.trail_reason: list[Incompatibility | None] = []
        self.trail_previous: list[int] = []

    def add_package(self) -> None:
        """Make room for the package that was numbered last."""
        self.domain.append(self.full[len(self.domain)])
        self.last.append(-1)

    @property
    def level(self) -> int:
        """The number of decisions in force."""
        return len(self.level_starts)

    def decide(self, package: int, bit: int) -> None:
        """Open a level with one version for one package."""
        self.level_starts.append(len(self.trail_package))
        self.push(package, bit, None, len(self.level_starts))

    def push(self, package: int, keep: int, reason: Incompatibility | None, level: int) -> None:
        """Narrow a domain, which must change it and leave something of it."""
        position = len(self.trail_package)
        previous = self.last[package]
        narrowed = self.domain[package] & keep
        self.domain[package] = narrowed
        self.last[package] = position
        self.trail_package.append(package)
        self.trail_keep.append(keep)
        self.trail_domain.append(narrowed)
        self.trail_own_level.append(level)
        if previous >= 0 and self.trail_level[previous] > level:
            level = self.trail_level[previous]
        self.trail_level.append(level)
        self.trail_reason.append(reason)
        self.trail_previous.append(previous)

    def satisfier(self, package: int, term: int) -> int:
        """Give the earliest entry after which a term that holds now has held; -1 if it always does."""
        trail_domain = self.trail_domain
        trail_previous = self.trail_previous
        position = self.last[package]
        if not self.full[package] & ~term:
            return -1
        while True:
            previous = trail_previous[position]
            if previous < 0 or trail_domain[previous] & ~term:
                return position
            position = previous

    def level_of(self, package: int, term: int) -> int:
        """Give the lowest level at which a term that holds now holds."""
        position = self.satisfier(package, term)
        return self.trail_level[position] if position >= 0 else 0

    def backtrack(self, level: int) -> None:
        """Undo all decisions above `level` and what rests on them."""
        cut = self.level_starts[level]
        del self.level_starts[level:]
        own = self.trail_own_level
        kept = [
            (self.trail_package[i], self.trail_keep[i], self.trail_reason[i], own[i])
            for i in range(cut, len(own))
            if own[i] <= level
        ]
        for i in range(len(own) - 1, cut - 1, -1):
            package = self.trail_package[i]
            previous = self.trail_previous[i]
            self.last[package] = previous
            self.domain[package] = self.trail_domain[previous] if previous >= 0 else self.full[package]
        for column in (
            self.trail_package,
            self.trail_keep,
            self.trail_domain,
            self.trail_own_level,
            self.trail_level,
            self.trail_reason,
            self.trail_previous,
        ):
            del column[cut:]  # type: ignore[attr-defined]
        for package, keep, reason, own_level in kept:
            if self.domain[package] & ~keep:
                self.push(package, keep, reason, own_level)
        # What was kept is propagated again: its consequences may have been hidden by narrower domains that are gone.
        self.head = cut
