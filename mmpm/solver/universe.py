"""What a solver may choose from: packages with their candidates, registry priority and policy already settled.

Rule: the solver knows no policy. Whatever bars a release (yanked, pre-release, age, level, not in the store) has
taken it out of the candidates before the search, and left its reason in `removed`, so that an explanation can tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version


@dataclass(frozen=True, slots=True)
class Candidate:
    """One version that may be chosen.

    Attributes:
        requires: name -> range, in the order in which the release lists them: part of the documented order.
        constrains: name -> range that binds only if the other is installed anyway.
        yanked: chosen only because a lock or an exact pin asks for it; the caller warns.
    """

    version: Version
    requires: Mapping[str, VersionRange] = field(default_factory=dict)
    constrains: Mapping[str, VersionRange] = field(default_factory=dict)
    yanked: bool = False


@dataclass(frozen=True, slots=True)
class Removed:
    """A version that exists and may not be chosen; `reason` completes the sentence "1.0.0 is ..."."""

    version: Version
    reason: str


@dataclass(frozen=True, slots=True)
class Shadowed:
    """The versions of a name in a registry of lower priority: never chosen, only spoken of."""

    registry: str
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A name and the registry that owns it.

    Attributes:
        candidates: by preference, the best last; unique versions; may be empty.
        removed: releases of the same registry that policy took out, by version.
    """

    name: str
    registry: str
    candidates: tuple[Candidate, ...]
    removed: tuple[Removed, ...] = ()
    shadowed: tuple[Shadowed, ...] = ()


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no package of a name; `reason` completes the sentence "mol-x ..." ("is in no registry")."""

    reason: str
    registries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Universe:
    """All packages that can be reached; a name in neither mapping is in no registry."""

    packages: Mapping[str, Package]
    absent: Mapping[str, Absence] = field(default_factory=dict)
