"""Random universes by the thousand against plain enumeration and, larger ones, against a SAT solver.

`scripts/check --full` runs 20,000 of the first and 4,000 of the second, any other run a sample.
"""

from __future__ import annotations

import json
import random

import pytest
from solver.brute_force import first_answer
from solver.facts import foreign_facts
from solver.sat_oracle import first_answer_by_sat
from solver.universes import NAMES, VERSIONS, R, V

from mmpm.solver import solve as solving
from mmpm.solver.explain import explain
from mmpm.solver.problem import answer as answer_to
from mmpm.solver.problem import parse_problem
from mmpm.solver.solve import Conflict, Resolution, solve
from mmpm.solver.universe import Candidate, Package, Universe

CASES = 20_000
IN_A_SAMPLE = 600
LARGE_CASES = 4_000
LARGE_IN_A_SAMPLE = 60
TEXTS = (
    "*", "*", ">=1.1.0", "<2.0.0", ">=2.0.0", "==1.0.0", "==2.0.0", "<2.0.0-rc.1", ">=1.0.0,<2.0.0 || ==3.0.0", "==9.0.0",
    "!=1.1.0", "<=2.0.0",
)  # fmt: skip


LARGE_VERSIONS = ("1.0.0", "1.1.0", "1.2.0", "2.0.0-rc.1", "2.0.0", "2.1.0", "3.0.0-rc.1", "3.0.0")
LARGE_TEXTS = (
    "*", ">=1.1.0", "<2.0.0", ">=2.0.0", "<3.0.0-rc.1", ">=1.0.0,<2.0.0 || ==3.0.0", "!=1.1.0", "<=2.0.0", ">=1.2.0",
    ">=1.1.0,<2.1.0", ">=2.0.0,<3.0.0", "==2.0.0", "==9.0.0",
)  # fmt: skip


def random_ranges(chance, names, most, share):
    if chance.random() > share:
        return {}
    known = (*names, "missing") if chance.random() < 0.1 else names
    return {name: R(chance.choice(TEXTS)) for name in chance.sample(known, min(len(known), chance.randint(0, most)))}


def random_problem(seed):
    chance = random.Random(seed)
    names = NAMES[: chance.randint(3, 6)]
    packages = {}
    for name in names:
        if chance.random() < 0.95:
            versions = chance.sample(VERSIONS, chance.randint(1, 5))
            candidates = (
                Candidate(V(text), random_ranges(chance, names, 3, 0.85), random_ranges(chance, names, 2, 0.15))
                for text in versions
            )
            packages[name] = Package(name, "acme", tuple(candidates))
    roots = [(name, R(chance.choice(TEXTS[:5]))) for name in chance.sample(names, chance.randint(1, 3))]
    locked = {name: V(chance.choice(VERSIONS)) for name in names if chance.random() < 0.2}
    pinned = {name: V(chance.choice(VERSIONS)) for name in names if chance.random() < 0.08}
    return Universe(packages), roots, locked, pinned


def large_problem(seed):
    """A universe of 10 to 120 names; every other one is hard: many roots, and every version asks for a few."""
    chance = random.Random(seed)
    names = [f"n{i}" for i in range(chance.randint(10, 120 if seed % 2 else 60))]
    texts = LARGE_TEXTS if chance.random() < 0.5 else LARGE_TEXTS[:-2]
    reach = chance.choice((4, 10, 60))
    most = chance.choice((1, 2, 2) if seed % 2 else (2, 3, 4))
    is_hard = seed % 2 == 1

    def ranges(near, limit):
        others = chance.sample(near, min(len(near), chance.randint(1 if is_hard else 0, limit)))
        return {name: R(chance.choice(texts)) for name in others}

    packages = {}
    for place, name in enumerate(names):
        if not is_hard and chance.random() < 0.01:
            continue
        near = names[max(0, place - 1) : place + reach]
        texts_of = sorted(chance.sample(LARGE_VERSIONS, chance.randint(2, 8)), key=LARGE_VERSIONS.index)
        candidates = [
            Candidate(V(text), ranges(near, most), ranges(names, 2) if not is_hard and chance.random() < 0.1 else {})
            for text in texts_of
        ]
        packages[name] = Package(name, "acme", tuple(candidates))
    asked = chance.sample(names, chance.randint(len(names) // 2, len(names)) if is_hard else chance.randint(1, 6))
    roots = [(name, R("*" if is_hard else chance.choice(texts[:5]))) for name in asked]
    locked = {name: V(chance.choice(LARGE_VERSIONS)) for name in names if chance.random() < 0.2}
    pinned = {name: V(chance.choice(LARGE_VERSIONS)) for name in names if chance.random() < (0 if is_hard else 0.02)}
    return Universe(packages), roots, locked, pinned


@pytest.mark.slow
@pytest.mark.parametrize("longest_jump", [2, solving.LONGEST_JUMP], ids=["mostly one level back", "as shipped"])
def test_over_large_random_universes_the_answer_is_the_one_that_a_sat_solver_finds(sampled, monkeypatch, longest_jump):
    monkeypatch.setattr(solving, "LONGEST_JUMP", longest_jump)
    for seed in sampled(range(LARGE_CASES), LARGE_IN_A_SAMPLE):
        problem = large_problem(seed)
        answer = solve(*problem)
        expected = first_answer_by_sat(*problem)
        if expected is None:
            assert isinstance(answer, Conflict), seed
            universe, roots, _, pinned = problem
            assert not foreign_facts(answer, universe, roots, pinned), seed
        else:
            assert isinstance(answer, Resolution), seed
            assert list(answer.versions.items()) == list(expected.items()), seed


@pytest.mark.slow
def test_the_two_oracles_agree(sampled):
    for seed in sampled(range(CASES), IN_A_SAMPLE)[:1000]:
        problem = random_problem(seed)
        assert first_answer_by_sat(*problem) == first_answer(*problem), seed


@pytest.mark.slow
@pytest.mark.parametrize("longest_jump", [0, solving.LONGEST_JUMP], ids=["one level back", "as shipped"])
def test_over_random_universes_the_answer_is_the_one_that_plain_enumeration_finds_first(
    sampled, monkeypatch, longest_jump
):
    monkeypatch.setattr(solving, "LONGEST_JUMP", longest_jump)
    for seed in sampled(range(CASES), IN_A_SAMPLE):
        problem = random_problem(seed)
        answer = solve(*problem)
        expected = first_answer(*problem)
        if expected is None:
            assert isinstance(answer, Conflict), seed
            if seed % 10 == 0:
                assert explain(answer), seed
                universe, roots, _, pinned = problem
                assert not foreign_facts(answer, universe, roots, pinned), seed
        else:
            assert isinstance(answer, Resolution), seed
            assert list(answer.versions.items()) == list(expected.items()), seed


def random_document(seed):
    """A question as `debug solve` reads it: several registries, yanked versions, locks, pins, both policies."""
    chance = random.Random(seed)
    names = NAMES[: chance.randint(3, 6)]

    def ranges(most, share):
        return {name: str(wanted) for name, wanted in random_ranges(chance, names, most, share).items()}

    def releases():
        texts = sorted(chance.sample(VERSIONS, chance.randint(0, 5)), key=V)
        return [
            {"version": text, "deps": ranges(2, 0.7), "constrains": ranges(1, 0.15), "yanked": chance.random() < 0.2}
            for text in texts
        ]

    registries = [
        {"name": f"r{number}", "packages": {name: releases() for name in names if chance.random() < 0.6}}
        for number in range(chance.randint(1, 3))
    ]
    asked = chance.sample(names, chance.randint(1, 3))
    return {
        "id": seed,
        "registries": registries,
        "root": {name: chance.choice(("*", "*", ">=1.1.0", "==2.0.0", "<3.0.0", "==1.0.0")) for name in asked},
        "locked": {name: chance.choice(VERSIONS) for name in names if chance.random() < 0.2},
        "pinned": {name: chance.choice(VERSIONS) for name in names if chance.random() < 0.05},
        "policy": chance.choice(("newest-first", "stable-first")),
    }


def settled(document):
    """What the document's rules leave to choose from, by reading it anew and as plainly as can be."""
    packages = {}
    for registry in document["registries"]:
        for name, releases in registry["packages"].items():
            if name in packages:
                continue  # the first registry that has a name owns it, even if nothing in it may be chosen
            left = [
                one
                for one in releases
                if not one["yanked"]
                or one["version"] == document["locked"].get(name)
                or document["root"].get(name) == f"=={one['version']}"
            ]
            if document["policy"] == "stable-first":
                left = [one for one in left if "-" in one["version"]] + [
                    one for one in left if "-" not in one["version"]
                ]
            candidates = (
                Candidate(
                    V(one["version"]),
                    {other: R(text) for other, text in one["deps"].items()},
                    {other: R(text) for other, text in one["constrains"].items()},
                )
                for one in left
            )
            packages[name] = Package(name, registry["name"], tuple(candidates))
    return (
        Universe(packages),
        [(name, R(text)) for name, text in document["root"].items()],
        {name: V(text) for name, text in document["locked"].items()},
        {name: V(text) for name, text in document["pinned"].items()},
    )


@pytest.mark.slow
def test_with_several_registries_and_yanked_versions_debug_solve_answers_as_plain_enumeration(sampled):
    for seed in sampled(range(CASES), IN_A_SAMPLE):
        document = random_document(seed)
        found = answer_to(parse_problem(json.dumps(document).encode()))
        expected = first_answer(*settled(document))
        assert found["id"] == seed
        if expected is None:
            assert found["unsat"] is True, seed
        else:
            assert found["solution"] == {name: str(version) for name, version in expected.items()}, seed
