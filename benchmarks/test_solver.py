"""The solver beside resolvelib and nab-resolver on the same universes, in one run.

Processor time, since other processes must not decide which solver is the faster one, and without collection of garbage
for all of them, but for one row that shows what it costs whom. A peer that does not end within the cap is shown with
the cap, as "over". In a smoke run everything is small, and all three must agree on whether there is an answer.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from solver_peers import PEERS, timed
from universes import diamonds, hidden_core, pigeonhole, registry, trap_chain, trap_chains, wide_trap

from mmpm.solver.solve import Resolution, solve

if TYPE_CHECKING:
    from collections.abc import Callable

    from universes import Question

CAP_SECONDS = float(os.environ.get("SOLVER_PEER_SECONDS", "10"))
SMALL_CAP_SECONDS = 1.0
ROUNDS = 5
MOST_MEBIBYTES = 256


@dataclass(frozen=True)
class Case:
    """One row for each peer: the universe in full, a small one of its kind, and what ours is to reach.

    With `collects` the interpreter looks for garbage, as in any program that does not see to it.
    """

    name: str
    full: Callable[[], Question]
    small: Callable[[], Question]
    goal: str = "under 5 s"
    collects: bool = False


CASES = (
    Case("1,000 x 10, typical", lambda: registry(1000, 10), lambda: registry(60, 5), "1/60 of resolvelib"),
    Case(
        "1,000 x 10, typical, garbage collected",
        lambda: registry(1000, 10),
        lambda: registry(60, 5),
        "1/60 of resolvelib",
        collects=True,
    ),
    Case("1,000 x 10, tight", lambda: registry(1000, 10, tight=True), lambda: registry(40, 4, tight=True)),
    Case("5,000 x 20", lambda: registry(5000, 20), lambda: registry(120, 6)),
    Case("5,000 x 20, another seed", lambda: registry(5000, 20, seed=1), lambda: registry(120, 6, seed=1)),
    Case("5,000 x 20, a third seed", lambda: registry(5000, 20, seed=2), lambda: registry(120, 6, seed=2)),
    Case("trap chain, 1,000 x 20", lambda: trap_chain(1000, 20), lambda: trap_chain(20, 4)),
    Case("20 trap chains of 50 x 20", lambda: trap_chains(20, 50, 20), lambda: trap_chains(2, 3, 3)),
    Case("wide trap, 1,000 x 20", lambda: wide_trap(1000, 20), lambda: wide_trap(10, 4)),
    Case("hidden core in 500 x 10", lambda: hidden_core(500, 10), lambda: hidden_core(40, 4), "under 20 ms"),
    Case("pigeonhole 8", lambda: pigeonhole(8), lambda: pigeonhole(4)),
    Case("100 diamonds", lambda: diamonds(100), lambda: diamonds(5)),
)


@pytest.fixture(autouse=True)
def without_garbage_collection():
    """Nobody is interrupted, and nobody pays for what the round before has left."""
    gc.disable()
    yield
    gc.enable()


def collect_garbage() -> None:
    """Between rounds."""
    gc.collect()


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_solver(case, benchmark, add_row, small):
    asked = (case.small if small else case.full)()
    if case.collects:
        gc.enable()

    def ours() -> bool:
        return isinstance(solve(asked.universe, asked.roots), Resolution)

    found = ours()
    assert asked.is_solvable in (None, found)
    benchmark.pedantic(ours, setup=collect_garbage, rounds=1 if small else ROUNDS)
    for name, prepare in PEERS.items():
        cap = SMALL_CAP_SECONDS if small else CAP_SECONDS
        seconds, theirs = timed(prepare(asked), cap)
        assert theirs in (None, found), name
        if small:
            continue
        shown = name if theirs is not None else f"{name}, over {cap:g} s"
        mine = statistics.median(benchmark.stats.stats.data)
        add_row(case.name, mine, shown, seconds, case.goal)


def test_memory_is_bounded(small):
    asked = registry(120, 6) if small else registry(5000, 20)
    tracemalloc.start()
    solve(asked.universe, asked.roots)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST_MEBIBYTES * 2**20, peak
