"""Facts of the form "not all of these at once", as sets of candidate versions.

A **term** is a package number and one integer, a bit for each candidate; bit 0 means that the package is absent, so
positive and negative terms are plain sets. The term holds when the package's domain lies inside the set.
An **incompatibility** says that its terms never hold together: `a 1.x` without `b 2.x` is {a in 1.x, b not in 2.x}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version

Term: TypeAlias = "tuple[int, int]"


class Required(NamedTuple):
    """Some versions of `dependant` require `dependency` in `range`; the project itself is package 0."""

    dependant: int
    versions: int
    dependency: int
    range: VersionRange


class Constrained(NamedTuple):
    """Some versions of `dependant` bear only versions in `range` of `dependency` beside them."""

    dependant: int
    versions: int
    dependency: int
    range: VersionRange


@dataclass(frozen=True, slots=True)
class Pinned:
    """The project holds `package` at `version`."""

    package: int
    version: Version


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Resolved from `causes` in turn: the first one, then each with what came before it."""

    causes: tuple[Incompatibility, ...]


Cause: TypeAlias = Required | Constrained | Pinned | Learned


@dataclass(slots=True, eq=False)
class Incompatibility:
    """Terms that never hold together (each package once, no term that always holds), and where that comes from.

    Never changed. It is not frozen, nor are the causes above dataclasses, because most of a search that meets few
    conflicts is the making of these, and a frozen dataclass takes three times as long to make.
    """

    terms: tuple[Term, ...]
    cause: Cause
