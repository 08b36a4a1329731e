"""The document of `mmpm debug solve`: one universe and one question as JSON, for bug reports and foreign test suites.

    {"id": "..", "packages": {"a": [{"version": "1.0.0", "deps": {"b": ">=1.0.0,<2.0.0 || ==3.1.0"},
     "constrains": {}, "yanked": false}]}, "registries": [{"name": "acme", "packages": {}}],
     "root": {"a": "*"}, "locked": {}, "pinned": {}, "policy": "stable-first"}

`registries`, highest priority first, stands in place of `packages`. Ranges are plain precedence without any hidden
rule for pre-releases. A yanked version is out unless the root pins it with a lone ``==x`` or it is locked. The order
of roots and dependencies is the order of the document. Policy: ``newest-first`` (default) or ``stable-first``.

Imported for that command alone: it needs pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from mmpm.model.outside import OutsideDocument, parsed
from mmpm.model.ranges import VersionRange
from mmpm.model.versions import Version
from mmpm.solver.explain import explain
from mmpm.solver.solve import Conflict, solve
from mmpm.solver.universe import Candidate, Package, Removed, Shadowed, Universe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.solver.solve import Resolution


@dataclass(frozen=True, slots=True)
class Problem:
    """One question; `id` is whatever the document says, and comes back in the answer."""

    id: object
    universe: Universe
    roots: tuple[tuple[str, VersionRange], ...]
    locked: Mapping[str, Version]
    pinned: Mapping[str, Version]


_VersionText = Annotated[Version, parsed(Version.parse)]
_RangeText = Annotated[VersionRange, parsed(VersionRange.parse_plain)]


class _Release(OutsideDocument):
    version: _VersionText
    deps: dict[str, _RangeText] = Field(default_factory=dict)
    constrains: dict[str, _RangeText] = Field(default_factory=dict)
    yanked: bool = False

    def candidate(self) -> Candidate:
        return Candidate(self.version, self.deps, self.constrains, self.yanked)


class _Registry(OutsideDocument):
    name: str = ""
    packages: dict[str, list[_Release]] = Field(default_factory=dict)


class _Question(OutsideDocument):
    id: Any = None
    packages: dict[str, list[_Release]] = Field(default_factory=dict)
    registries: list[_Registry] | None = None
    root: dict[str, _RangeText] = Field(default_factory=dict)
    locked: dict[str, _VersionText] = Field(default_factory=dict)
    pinned: dict[str, _VersionText] = Field(default_factory=dict)
    policy: Literal["newest-first", "stable-first"] = "newest-first"


def parse_problem(data: bytes) -> Problem:
    """Read a document.

    Raises:
        ValueError: it is not one; the message says where.
    """
    asked = _Question.parse(data, "the problem")
    registries = [_Registry(packages=asked.packages)] if asked.registries is None else asked.registries
    wanted = {name: wanted.exact for name, wanted in asked.root.items() if _is_lone_pin(wanted)}
    packages: dict[str, Package] = {}
    for position, registry in enumerate(registries):
        for name, releases in registry.packages.items():
            if name not in packages:
                kept = {version for version in (wanted.get(name), asked.locked.get(name)) if version is not None}
                below = [(other.name, other.packages.get(name, ())) for other in registries[position + 1 :]]
                packages[name] = _package(
                    name, registry.name, releases, kept, below, stable_first=asked.policy == "stable-first"
                )
    return Problem(asked.id, Universe(packages), tuple(asked.root.items()), asked.locked, asked.pinned)


def answer(problem: Problem) -> dict[str, object]:
    """Solve; give the answer's document."""
    found = solve(problem.universe, problem.roots, problem.locked, problem.pinned)
    head: dict[str, object] = {} if problem.id is None else {"id": problem.id}
    if isinstance(found, Conflict):
        return head | {"unsat": True, "explanation": explain(found)}
    return head | {"solution": _solution(found)}


def _solution(resolution: Resolution) -> dict[str, str]:
    return {name: str(version) for name, version in sorted(resolution.versions.items())}


def _is_lone_pin(wanted: VersionRange) -> bool:
    return wanted.is_exact and wanted.text.startswith("==") and "||" not in wanted.text and "," not in wanted.text


def _package(
    name: str,
    registry: str,
    releases: Sequence[_Release],
    kept: set[Version],
    below: Sequence[tuple[str, Sequence[_Release]]],
    *,
    stable_first: bool,
) -> Package:
    ordered = sorted((release.candidate() for release in releases), key=lambda each: each.version)
    for before, after in pairwise(ordered):
        if before.version == after.version:
            raise ValueError(f"{name}: {after.version} is given twice")
    if stable_first:
        ordered.sort(key=lambda each: not each.version.is_prerelease)
    return Package(
        name,
        registry,
        tuple(each for each in ordered if not each.yanked or each.version in kept),
        tuple(Removed(each.version, "yanked") for each in ordered if each.yanked and each.version not in kept),
        tuple(Shadowed(other, tuple(sorted(each.version for each in theirs))) for other, theirs in below if theirs),
    )
