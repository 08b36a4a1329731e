"""How the solver grows: each question beside one of a quarter of its size, whose time is taken fourfold."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

import pytest
from universes import Question, diamonds, plain_chain, registry, trap_chain, wide_trap

from mmpm.solver.solve import Resolution, solve
from mmpm.solver.universe import Shadowed, Universe

ROUNDS = 5


def shadowed(registries: int) -> Question:
    """A registry of 200 names, every one of which `registries` others have as well."""
    plain = registry(200, 10)
    packages = {
        name: replace(
            package,
            shadowed=tuple(
                Shadowed(f"r{number}", tuple(each.version for each in package.candidates))
                for number in range(registries)
            ),
        )
        for name, package in plain.universe.packages.items()
    }
    return Question(Universe(packages), plain.roots)


CASES = {
    "a chain of names": (plain_chain, 2500, 10_000),
    "diamonds": (diamonds, 200, 800),
    "a trap chain of 10 versions": (lambda length: trap_chain(length, 10), 500, 2000),
    "a wide trap of 10 versions": (lambda width: wide_trap(width, 10), 500, 2000),
    "registries that shadow": (shadowed, 75, 300),
}


def least_time(asked: Question, rounds: int) -> float:
    """Processor time of the quickest round, without collection of garbage, as `mmpm` solves."""
    found = []
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        started = time.process_time()
        answer = solve(asked.universe, asked.roots)
        found.append(time.process_time() - started)
        gc.enable()
        assert isinstance(answer, Resolution)
    return min(found)


@pytest.mark.parametrize("name", CASES)
def test_growth(name, small, add_row):
    make, less, more = CASES[name]
    if small:
        least_time(make(less // 25), 1)
        return
    quarter = least_time(make(less), ROUNDS)
    whole = least_time(make(more), ROUNDS)
    factor = 1 if name == "registries that shadow" else 4
    add_row(
        f"{more:,} of {name}",
        whole,
        f"{factor} x {less:,} ({quarter * 1000:.1f})",
        quarter * factor,
        "far below 4x, which is quadratic",
    )
