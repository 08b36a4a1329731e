"""How the solver grows, and the reading of long formulas: each question beside one of a quarter of its size, whose
time is taken fourfold."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

import pytest
from universes import Question, diamonds, plain_chain, registry, trap_chain, wide_trap

from mmpm.model.formula import parse_formula
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


def steps(count: int) -> bytes:
    """A formula of so many steps, each needing the one before, every tenth expanding another formula."""
    head = 'formula = "mol-long"\nversion = 1\ndescription = "Long."\n'
    return (
        head
        + "".join(
            f'[[steps]]\nid = "s{i}"\ntitle = "Step"\nneeds = ["s{max(0, i - 1)}"]\n'
            + (f'expand = "mol-{i}"\n' if i % 10 == 0 else "")
            for i in range(count)
        )
    ).encode()


def test_growth_of_reading_a_formula(small, add_row):
    times = []
    for count in (64, 256) if small else (4100, 16_400):
        data = steps(count)
        rounds = []
        for _ in range(1 if small else ROUNDS):
            started = time.process_time()
            assert len(parse_formula(data, "mol-long.formula.toml").requires) == (count + 9) // 10
            rounds.append(time.process_time() - started)
        times.append(min(rounds))
    quarter, whole = times
    if not small:
        add_row("a formula of 16,400 steps", whole, f"4 x 4,100 ({quarter * 1000:.1f})", quarter * 4, "far below 4x")
