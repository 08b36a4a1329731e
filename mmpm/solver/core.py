"""The few facts that a conflict rests on: what is left when any one more taken away would allow an answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from mmpm.solver.incompatibility import Constrained, Learned, Pinned, Required
from mmpm.solver.solve import Conflict, prove
from mmpm.solver.universe import Universe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmpm.model.ranges import VersionRange
    from mmpm.solver.incompatibility import Incompatibility

# How much searching a shorter explanation is worth: facts put in force and conflicts met, up to 0.1 ms each.
MOST_WORK = 20_000

# What a fact is about, its versions merged: the kind, whose it is ("" is the project), the other's name, the range.
Fact: TypeAlias = "tuple[type, str, str, VersionRange | None]"


def smallest_proof(conflict: Conflict) -> Conflict:
    """Give a proof of the same conflict from a set of facts of which none can be spared.

    A proof that is too large for that is given as it is.
    """
    facts = _facts(conflict)
    proved = _prove(conflict, facts) if conflict.conflicts + len(facts) < MOST_WORK // 4 else None
    if proved is None:
        return conflict
    # Whole stretches are tried first: most facts of a long proof can be spared at once.
    stretch = max(1, len(facts) // 2)
    work = 0
    while work < MOST_WORK:
        position = 0
        while position < len(facts) and work < MOST_WORK:
            fewer = facts[:position] + facts[position + stretch :]
            attempt = _prove(conflict, fewer)
            work += len(facts) + (attempt or proved).conflicts
            if attempt is None:
                position += stretch
            else:
                proved = attempt
                still = set(_facts(attempt))
                facts = [fact for fact in fewer if fact in still]
        if stretch == 1:
            break
        stretch = max(1, stretch // 2)
    return proved


def leaves(proof: Incompatibility) -> Iterator[Incompatibility]:
    """Give the facts at the bottom of a derivation, each once."""
    seen = {proof}
    waiting = [proof]
    while waiting:
        each = waiting.pop()
        if not isinstance(each.cause, Learned):
            yield each
            continue
        for cause in each.cause.causes:
            if cause not in seen:
                seen.add(cause)
                waiting.append(cause)


def names_in(conflict: Conflict) -> list[str]:
    """Give the names that the facts of a proof are about, sorted."""
    return sorted({name for _, who, other, _ in _facts(conflict) for name in (who, other) if name})


def _facts(conflict: Conflict) -> list[Fact]:
    """Give what a proof rests on, each once."""
    names = conflict.numbering.names
    found: dict[Fact, None] = {}
    for leaf in leaves(conflict.proof):
        match leaf.cause:
            case Pinned(package=package):
                found[Pinned, names[package], names[package], None] = None
            case Required() | Constrained() as cause:
                found[type(cause), names[cause.dependant], names[cause.dependency], cause.range] = None
            case _:
                raise AssertionError("a leaf is no derivation")
    return list(found)


def _prove(conflict: Conflict, facts: Sequence[Fact]) -> Conflict | None:
    """Solve with these facts alone; None if that has an answer."""
    universe = conflict.numbering.universe
    packages = {}
    for name in {name for _, who, other, _ in facts for name in (who, other)}:
        package = universe.packages.get(name)
        if package is not None:
            requires = {(other, wanted) for kind, who, other, wanted in facts if kind is Required and who == name}
            constrains = {(other, wanted) for kind, who, other, wanted in facts if kind is Constrained and who == name}
            packages[name] = replace(
                package,
                candidates=tuple(
                    replace(
                        each, requires=_pick(each.requires, requires), constrains=_pick(each.constrains, constrains)
                    )
                    for each in package.candidates
                ),
            )
    roots = [(other, wanted) for _, who, other, wanted in facts if not who and wanted is not None]
    pinned = {name: conflict.pinned[name] for kind, name, _, _ in facts if kind is Pinned}
    attempt = prove(Universe(packages, universe.absent), roots, pinned)
    return attempt if isinstance(attempt, Conflict) else None


def _pick(ranges: Mapping[str, VersionRange], kept: set[tuple[str, VersionRange | None]]) -> dict[str, VersionRange]:
    return {name: wanted for name, wanted in ranges.items() if (name, wanted) in kept}
