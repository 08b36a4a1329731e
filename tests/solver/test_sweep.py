"""Random universes by the thousand against plain enumeration: `scripts/check --full` runs 20,000, a sample else."""

from __future__ import annotations

import random

import pytest
from solver.brute_force import first_answer
from solver.universes import NAMES, VERSIONS, R, V

from mmpm.solver import solve as solving
from mmpm.solver.explain import explain
from mmpm.solver.solve import Conflict, Resolution, solve
from mmpm.solver.universe import Candidate, Package, Universe

CASES = 20_000
IN_A_SAMPLE = 600
TEXTS = (
    "*", "*", ">=1.1.0", "<2.0.0", ">=2.0.0", "==1.0.0", "==2.0.0", "<2.0.0-rc.1", ">=1.0.0,<2.0.0 || ==3.0.0", "==9.0.0",
    "!=1.1.0", "<=2.0.0",
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
        else:
            assert isinstance(answer, Resolution), seed
            assert list(answer.versions.items()) == list(expected.items()), seed
