"""Whether the facts of a derivation are in the input: read back from the JSON that `--json` prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mmpm.solver.explain import derivation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.model.versions import Version
    from mmpm.solver.solve import Conflict
    from mmpm.solver.universe import Universe


def foreign_facts(
    conflict: Conflict,
    universe: Universe,
    roots: Sequence[tuple[str, VersionRange]],
    pinned: Mapping[str, Version],
) -> list[dict[str, object]]:
    """Give the facts of the derivation that the input does not say; conclusions must rest on what stands before."""
    data = json.loads(json.dumps(derivation(conflict)))
    known = {fact["id"] for fact in data["facts"]}
    assert known
    for step in data["conclusions"]:
        assert set(step["from"]) <= known, step
        known.add(step["id"])
    wishes = {(name, str(wanted)) for name, wanted in roots}
    return [fact for fact in data["facts"] if not _is_in(fact, universe, wishes, pinned)]


def _is_in(
    fact: dict[str, object], universe: Universe, wishes: set[tuple[str, str]], pinned: Mapping[str, Version]
) -> bool:
    if fact["kind"] == "pinned":
        return str(pinned.get(fact["name"])) == fact["version"]
    by = fact.get("by")
    if by is None:
        return fact["kind"] == "required" and (fact["name"], fact["range"]) in wishes
    package = universe.packages[by["name"]]
    candidates = {str(each.version): each for each in package.candidates}
    field = "requires" if fact["kind"] == "required" else "constrains"
    return (
        package.registry == by["registry"]
        and bool(by["versions"])
        and all(
            version in candidates and str(getattr(candidates[version], field).get(fact["name"])) == fact["range"]
            for version in by["versions"]
        )
    )
