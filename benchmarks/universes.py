"""Questions for solvers, each a function of its sizes and a seed: what registries look like, and what hurts.

A universe is made of plain names and numbers first, so that every solver gets it in the form that it likes best.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.model.ranges import VersionRange
from mmpm.model.versions import Version
from mmpm.solver.universe import Candidate, Package, Universe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEED = 20260110


@dataclass(frozen=True)
class Question:
    """One question to a solver.

    Attributes:
        universe: every range in it is parsed once.
        roots: what is asked for, without doubles.
        is_solvable: what the answer must be; None where only the solver can tell.
    """

    universe: Universe
    roots: tuple[tuple[str, VersionRange], ...]
    is_solvable: bool | None = True


def question(
    names: Mapping[str, Mapping[str, Mapping[str, str]]], roots: Sequence[str], *, is_solvable: bool | None = True
) -> Question:
    """Give the question for name -> version (oldest first) -> requirements, asking for any version of the roots."""
    packages = {}
    for name, versions in names.items():
        candidates = tuple(
            Candidate(Version.parse(text), {other: VersionRange.parse_plain(wanted) for other, wanted in needs.items()})
            for text, needs in versions.items()
        )
        packages[name] = Package(name, "acme", candidates)
    return Question(Universe(packages), tuple((name, VersionRange.parse_plain("*")) for name in roots), is_solvable)


def registry(count: int, versions: int, *, tight: bool = False, seed: int = SEED) -> Question:
    """A registry as it grows: each release asks for what was current when it was made, of three others on average.

    Ranges reach to the next major; tight ones to the next but one minor, where no two authors agree for long.
    """
    chance = random.Random(seed)
    history: list[list[tuple[int, int]]] = []
    for _ in range(count):
        major, minor, mine = 1, 0, []
        for _ in range(versions):
            mine.append((major, minor))
            major, minor = (major + 1, 0) if chance.random() < (0.15 if tight else 0.02) else (major, minor + 1)
        history.append(mine)
    names: dict[str, dict[str, dict[str, str]]] = {}
    for number in range(count):
        later = range(number + 1, count)
        needed = chance.sample(later, min(len(later), chance.randint(0, 4)))
        if later:
            needed.insert(0, number + 1)
        releases = names[f"n{number:05}"] = {}
        for age, (major, minor) in enumerate(history[number]):
            needs = {}
            for other in dict.fromkeys(needed):
                # Authors lag behind: what they ask for is a little older than the newest.
                at_major, at_minor = history[other][max(0, age - chance.choice((0, 0, 1, 2, 3)))]
                end = f"<{at_major + 1}.0.0-0"
                if tight and chance.random() < 0.35:
                    end = f"<{at_major}.{at_minor + 3}.0-0"
                start = at_minor if tight else max(0, at_minor - 2)
                needs[f"n{other:05}"] = (
                    f">={at_major}.{start}.0,{end}" if chance.random() < 0.6 else f">={at_major}.0.0"
                )
            releases[f"{major}.{minor}.0"] = needs
    roots = [f"n{number:05}" for number in range(0, count, max(1, count // 20))]
    return question(names, roots, is_solvable=None)


def trap_chain(length: int, versions: int) -> Question:
    """Every version but the oldest leads on, and the last name has nothing for those who got there the new way."""
    names: dict[str, dict[str, dict[str, str]]] = {}
    for number in range(length):
        after = f"n{number + 1:05}"
        names[f"n{number:05}"] = {"1.0.0": {after: "==1.0.0"}} | {
            f"{version}.0.0": {after: f">={version}.0.0"} for version in range(2, versions + 1)
        }
    names[f"n{length:05}"] = {"1.0.0": {}}
    return question(names, ["n00000"])


def trap_chains(chains: int, length: int, versions: int) -> Question:
    """Chains that end in one name; each new version asks it for a version that the others' new ones do not bear."""
    names: dict[str, dict[str, dict[str, str]]] = {}
    for chain in range(chains):
        for number in range(length):
            mine = names[f"c{chain:03}-{number:03}"] = {}
            for version in range(1, versions + 1):
                after = {f"c{chain:03}-{number + 1:03}": f">={version}.0.0"} if number + 1 < length else {}
                if number + 1 == length and version > 1:
                    after = {"hub": f"=={chain + 2}.0.0"}
                mine[f"{version}.0.0"] = after
    names["hub"] = {f"{version}.0.0": {} for version in range(1, chains + 2)}
    return question(names, [f"c{chain:03}-000" for chain in range(chains)])


def wide_trap(width: int, versions: int) -> Question:
    """One name asks for many, of which only the last one's needs show that all newer versions of the first are bad."""
    first = {f"{version}.0.0": {f"w{number:05}": "*" for number in range(width)} for version in range(1, versions + 1)}
    for version in range(2, versions + 1):
        first[f"{version}.0.0"] = first[f"{version}.0.0"] | {"z": f"=={version}.0.0"}
    names: dict[str, dict[str, dict[str, str]]] = {"first": first}
    for number in range(width):
        names[f"w{number:05}"] = {f"{version}.0.0": {} for version in range(1, versions + 1)}
    names["z"] = {f"{version}.0.0": {"y": f"=={version}.0.0"} for version in range(1, versions + 1)}
    names["y"] = {"1.0.0": {}}
    return question(names, ["first"])


def hidden_core(count: int, versions: int, seed: int = SEED) -> Question:
    """A registry in which all is well, but for three names deep in it that cannot be together."""
    plain = registry(count, versions, seed=seed)
    names = {
        name: {
            str(each.version): dict.fromkeys(each.requires, "*")
            for each in package.candidates
        }
        for name, package in plain.universe.packages.items()
    }  # fmt: skip
    for position, bound in ((0.5, ">=2.0.0"), (0.7, "<2.0.0")):
        for needs in names[f"n{int(count * position) + 3:05}"].values():
            needs["core"] = bound
    names["core"] = {f"{version}.0.0": {} for version in range(1, versions + 1)}
    return question(names, [name for name, _ in plain.roots], is_solvable=False)


def pigeonhole(birds: int) -> Question:
    """`birds` that each need a place of their own, and one place too few: no short proof exists in this calculus."""
    places = range(1, birds)
    names = {f"bird-{i}": {f"{at}.0.0": {f"place-{at}": f"=={i}.0.0"} for at in places} for i in range(1, birds + 1)}
    names |= {f"place-{at}": {f"{i}.0.0": {} for i in range(1, birds + 1)} for at in places}
    return question(names, [f"bird-{i}" for i in range(1, birds + 1)], is_solvable=False)


def diamonds(count: int) -> Question:
    """One diamond after the other; in each, the newest two sides do not agree on their foot."""
    names: dict[str, dict[str, dict[str, str]]] = {}
    for i in range(count):
        after = {f"top{i + 1:04}": "*"} if i + 1 < count else {}
        names[f"top{i:04}"] = {"1.0.0": {f"left{i:04}": "*", f"right{i:04}": "*"}}
        names[f"left{i:04}"] = {"1.0.0": {f"foot{i:04}": "<3.0.0"}, "2.0.0": {f"foot{i:04}": ">=3.0.0"}}
        names[f"right{i:04}"] = {"1.0.0": {f"foot{i:04}": "<3.0.0"} | after, "2.0.0": {f"foot{i:04}": "<2.0.0"} | after}
        names[f"foot{i:04}"] = {"1.0.0": {}, "2.0.0": {}, "3.0.0": {}}
    return question(names, ["top0000"])


def plain_chain(length: int) -> Question:
    """Each name needs the next, and nothing is in the way."""
    names = {f"n{i:05}": {"1.0.0": {f"n{i + 1:05}": "*"} if i + 1 < length else {}} for i in range(length)}
    return question(names, ["n00000"])
