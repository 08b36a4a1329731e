"""What a solver may choose from: packages with their candidates, registry priority and policy already settled.

Rule: the solver knows no policy. Whatever bars a release (yanked, pre-release, age, level, not in the store) has
taken it out of the candidates before the search, and left its reason in `removed`, so that an explanation can tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version

Barrier: TypeAlias = Literal[
    "yanked", "pre-release", "not in the store", "not mirrored", "barred by policy", "taken down"
]
"""What takes a version out of the candidates. "Not in the store": offline, and its files are not here; "not mirrored":
the mirrors at hand list it and do not carry its files."""

Missing: TypeAlias = Literal["absent", "not fetched", "not mirrored"]
"""Proved to be in no registry; not known, because an index is not on this machine; listed, but not carried here."""


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
    """A version that exists and may not be chosen.

    Attributes:
        detail: what is known beyond `why`: the reason of a yank, the rule of a policy, what keeps a pre-release away
            that is asked for; may be empty.
    """

    version: Version
    why: Barrier
    detail: str = ""


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
    """Why there is no package of a name.

    Attributes:
        registries: that were asked, first asked first.
        detail: which part of a registry is missing, where that is the reason; may be empty.
        bound: what lets no other registry be asked: the name's scope, or the project's own wish.
        elsewhere: registries that have the name, and were therefore not asked.
        near: names that these registries have and that a person may have meant.
    """

    why: Missing
    registries: tuple[str, ...] = ()
    detail: str = ""
    bound: Literal["", "scope", "project"] = ""
    elsewhere: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Universe:
    """All packages that can be reached; a name in neither mapping is in no registry."""

    packages: Mapping[str, Package]
    absent: Mapping[str, Absence] = field(default_factory=dict)
