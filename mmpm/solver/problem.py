"""The document of `mmpm debug solve`: one universe and one question as JSON, for bug reports and foreign test suites.

    {"id": "..", "packages": {"a": [{"version": "1.0.0", "deps": {"b": ">=1.0.0,<2.0.0 || ==3.1.0"},
     "constrains": {}, "yanked": false}]}, "registries": [{"name": "acme", "packages": {}}],
     "root": {"a": "*"}, "locked": {}, "pinned": {}, "policy": "stable-first"}

`registries`, highest priority first, stands in place of `packages`. Ranges are plain precedence without any hidden
rule for pre-releases. A yanked version is out unless the root pins it with a lone ``==x`` or it is locked. The order
of roots and dependencies is the order of the document. Policy: ``newest-first`` (default) or ``stable-first``.
"""

# ruff: noqa: TRY004 - a document of the wrong shape is a wrong value: callers catch ValueError alone

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mmpm.model.canonical import parse_json
from mmpm.model.ranges import VersionRange
from mmpm.model.versions import Version
from mmpm.solver.explain import explain
from mmpm.solver.solve import Conflict, solve
from mmpm.solver.universe import Candidate, Package, Removed, Shadowed, Universe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.solver.solve import Resolution

POLICIES = ("newest-first", "stable-first")


@dataclass(frozen=True, slots=True)
class Problem:
    """One question; `id` is whatever the document says, and comes back in the answer."""

    id: object
    universe: Universe
    roots: tuple[tuple[str, VersionRange], ...]
    locked: Mapping[str, Version]
    pinned: Mapping[str, Version]


def parse_problem(data: bytes) -> Problem:
    """Read a document.

    Raises:
        ValueError: it is not one; the message says where.
    """
    document = _mapping(parse_json(data, "the problem"), "the problem")
    roots = _ranges(document.get("root", {}), "root")
    locked = _versions(document.get("locked", {}), "locked")
    pinned = _versions(document.get("pinned", {}), "pinned")
    policy = document.get("policy", POLICIES[0])
    if policy not in POLICIES:
        raise ValueError(f"policy: expected one of {', '.join(POLICIES)}")
    listed = document.get("registries")
    if listed is None:
        registries = [("", _mapping(document.get("packages", {}), "packages"))]
    else:
        registries = [_registry(entry, position) for position, entry in enumerate(_list(listed, "registries"))]
    wanted = {name: wanted.exact for name, wanted in roots.items() if _is_lone_pin(wanted)}
    packages: dict[str, Package] = {}
    for position, (registry, mine) in enumerate(registries):
        for name, entries in mine.items():
            if name not in packages:
                versions = [_candidate(entry, f"{name}[{i}]") for i, entry in enumerate(_list(entries, name))]
                kept = {version for version in (wanted.get(name), locked.get(name)) if version is not None}
                below = [(other, theirs[name]) for other, theirs in registries[position + 1 :] if name in theirs]
                packages[name] = _package(name, registry, versions, kept, below, stable_first=policy == POLICIES[1])
    return Problem(document.get("id"), Universe(packages), tuple(roots.items()), locked, pinned)


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
    versions: Sequence[Candidate],
    kept: set[Version],
    below: Sequence[tuple[str, object]],
    *,
    stable_first: bool,
) -> Package:
    ordered = sorted(versions, key=lambda each: each.version)
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
        tuple(
            Shadowed(
                other,
                tuple(sorted(_candidate(entry, f"{name}[{i}]").version for i, entry in enumerate(_list(theirs, name)))),
            )
            for other, theirs in below
        ),
    )


def _candidate(entry: object, where: str) -> Candidate:
    fields = _mapping(entry, where)
    yanked = fields.get("yanked", False)
    if not isinstance(yanked, bool):
        raise ValueError(f"{where}.yanked: expected true or false")
    return Candidate(
        _version(fields.get("version"), f"{where}.version"),
        _ranges(fields.get("deps", {}), f"{where}.deps"),
        _ranges(fields.get("constrains", {}), f"{where}.constrains"),
        yanked,
    )


def _registry(entry: object, position: int) -> tuple[str, Mapping[str, object]]:
    fields = _mapping(entry, f"registries[{position}]")
    name = fields.get("name", "")
    if not isinstance(name, str):
        raise ValueError(f"registries[{position}].name: expected a text")
    return name, _mapping(fields.get("packages", {}), f"registries[{position}].packages")


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected an object")
    return value


def _list(value: object, where: str) -> Sequence[object]:
    if not isinstance(value, list):
        raise ValueError(f"{where}: expected a list")
    return value


def _version(value: object, where: str) -> Version:
    if not isinstance(value, str):
        raise ValueError(f"{where}: expected a version")
    return Version.parse(value)


def _versions(value: object, where: str) -> dict[str, Version]:
    return {name: _version(text, f"{where}.{name}") for name, text in _mapping(value, where).items()}


def _ranges(value: object, where: str) -> dict[str, VersionRange]:
    ranges = {}
    for name, text in _mapping(value, where).items():
        if not isinstance(text, str):
            raise ValueError(f"{where}.{name}: expected a range")
        ranges[name] = VersionRange.parse_plain(text)
    return ranges
