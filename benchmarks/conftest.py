"""Benchmarks: each times ours and its reference in turn within one run, and the table at the end gives the ratios.

    pytest benchmarks                        measures (minutes)
    pytest benchmarks --benchmark-disable    runs each once, small, to see that it works

Folders are fresh in every round and are removed only at the very end: on ext4, creating files right after many were
removed is many times slower, which would measure the file system.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytest_plugins = ["ground"]


@dataclass(frozen=True)
class Row:
    """One line of the table at the end; medians in seconds."""

    name: str
    ours: float
    reference_name: str
    reference: float
    goal: str


ROWS = pytest.StashKey[list[Row]]()
NOTES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder on the disk that temporary files live on, removed when everything is measured."""
    folder = Path(tempfile.mkdtemp(prefix="mmpm-benchmark-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def bench_world(scratch: Path) -> Iterator[World]:
    """One world for all benchmarks."""
    with World(scratch / "world") as world:
        yield world


@pytest.fixture(scope="session")
def small(request: pytest.FixtureRequest) -> bool:
    """Whether this is only a smoke run."""
    return bool(request.config.getoption("benchmark_disable"))


@pytest.fixture
def versus(benchmark, request: pytest.FixtureRequest, small: bool) -> Callable[..., None]:
    """Give a function that times `ours` beside `reference`, in turn, and notes both medians for the table.

    Both are called with the number of the round and do one whole piece of work; `prepare(round)` comes before each
    pair, untimed. A smoke run has one round.
    """

    def measure(ours, reference, *, against: str, goal: str, rounds: int, prepare=lambda _round: None) -> None:
        numbers = iter(range(rounds + 1))
        reference_seconds: list[float] = []

        def setup() -> tuple[tuple[int], dict[str, object]]:
            number = next(numbers)
            prepare(number)
            started = time.perf_counter()
            reference(number)
            reference_seconds.append(time.perf_counter() - started)
            return (number,), {}

        benchmark.pedantic(ours, setup=setup, rounds=1 if small else rounds)
        if small:
            return
        row = Row(
            request.node.name,
            statistics.median(benchmark.stats.stats.data),
            against,
            statistics.median(reference_seconds),
            goal,
        )
        benchmark.extra_info.update(reference=against, reference_seconds=row.reference, goal=goal)
        request.config.stash.setdefault(ROWS, []).append(row)

    return measure


@pytest.fixture
def add_row(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Give a function that puts a `Row` into the table, for benchmarks that time their references themselves."""
    return lambda *values: request.config.stash.setdefault(ROWS, []).append(Row(*values))


@pytest.fixture
def add_note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Give a function that adds a line below the table: where the time of a row goes, how it grows."""
    return request.config.stash.setdefault(NOTES, []).append


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """Print ours beside the references."""
    notes = config.stash.get(NOTES, [])
    if notes:
        terminalreporter.section("where the time goes")
    for note in notes:
        terminalreporter.write_line(note)
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("ours beside the references (medians in ms)")
    for row in rows:
        terminalreporter.write_line(
            f"{row.name:48} {row.ours * 1000:9.1f}   {row.reference_name:24} {row.reference * 1000:9.1f}"
            f"   {row.ours / row.reference:6.2f}x   goal {row.goal}"
        )
