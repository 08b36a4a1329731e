"""Locking 1,000 names from a local snapshot beside the import floor: real histories, and synthetic ones.

The floor is a process that imports every module that the command imports, and does nothing. Where the rest of the
time goes is printed after the benchmarks, stage by stage (`lock_stages.py`, a process of its own):

    pytest benchmarks/test_locking.py
    pytest benchmarks/test_locking.py -k growth     the whole command for 250, 500, 1000 and 2000 names
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from corpus import Corpus, corpus_folder
from histories import manifest, real_histories
from lazy_tree import LazyTree, machine_with, today
from references import import_floor, modules_of, run_quietly
from synthetic import SEED

if TYPE_CHECKING:
    from world import Machine, World

NAMES, NAMES_IN_A_SMOKE_RUN = 1_000, 20
VERSIONS = [f"{major}.{minor}.0" for major in (1, 2) for minor in range(5)]
RANGES = ["*", ">=1", "^1 || ^2", ">=1.0.0,<3.0.0"]
DEPENDENCIES = 4
STAGES = Path(__file__).with_name("lock_stages.py")


def real(world: World, folder: str, count: int) -> Machine:
    """A project that asks for so many names with the corpus' real histories."""
    found = corpus_folder()
    if found is None:
        pytest.skip("the corpus is not at hand (MMPM_CORPUS, or ../shared/corpus)")
    histories = real_histories(Corpus(found), count)
    tree = LazyTree(world.folder / folder / f"real-{count}", f"real-{count}.example", today())
    for history in histories.values():
        tree.publish(history)
    machine = machine_with(world, f"{folder}-real-{count}", tree, "update", "--all")
    (machine.project / "mmpm.toml").write_text(manifest(histories))
    return machine


def synthetic(world: World, folder: str, count: int) -> Machine:
    """A project that asks for one name, which needs all others: 10 versions each, 4 requirements a version."""
    chooser = random.Random(SEED)
    tree = LazyTree(world.folder / folder / f"synthetic-{count}", f"synthetic-{count}.example", today())
    for number in range(count):
        following = range(number + 1, count)
        needed = {number + 1, *chooser.sample(following, min(len(following), DEPENDENCIES - 1))} & set(following)
        for version in VERSIONS:
            requires = {f"mol-{one:04d}": chooser.choice(RANGES) for one in needed}
            tree.release(f"mol-{number:04d}", version, requires=requires)
    machine = machine_with(world, f"{folder}-synthetic-{count}", tree, "update", "--all")
    (machine.project / "mmpm.toml").write_text('[formulas]\n"mol-0000" = "*"\n')
    return machine


def unlock(machine: Machine) -> None:
    (machine.project / "mmpm.lock").unlink(missing_ok=True)


def stages_of(machine: Machine, modules: Path, rounds: int) -> dict[str, float]:
    """Median milliseconds by stage."""
    tables = []
    for _ in range(rounds):
        unlock(machine)
        said = run_quietly([sys.executable, str(STAGES), str(modules)], machine.environment(), machine.project)
        tables.append(json.loads(said.splitlines()[-1]))
    return {stage: statistics.median(table[stage] for table in tables) for stage in tables[0]}


@pytest.mark.parametrize("instance", [real, synthetic], ids=["real", "synthetic"])
def test_locking_1000_names(versus, add_note, bench_world, small, instance):
    count = NAMES_IN_A_SMOKE_RUN if small else NAMES
    machine = instance(bench_world, "locking", count)
    unlock(machine)
    modules = modules_of(machine, "lock")
    versus(
        lambda _round: machine.run("lock"),
        lambda _round: import_floor(modules, machine.environment()),
        against="importing its modules",
        goal="at most 150 ms more",
        rounds=15,
        prepare=lambda _round: unlock(machine),
    )
    assert machine.lock.read_bytes().count(b'"name"') == count
    stages = stages_of(machine, modules, 1 if small else 9)
    add_note(f"locking {count} names, {instance.__name__}: {sum(stages.values()):.1f} ms of work")
    for stage, milliseconds in stages.items():
        add_note(f"    {stage:45} {milliseconds:6.1f}")


@pytest.mark.parametrize("instance", [real, synthetic], ids=["real", "synthetic"])
def test_growth_of_locking(add_note, bench_world, small, instance):
    for count in (10, 20) if small else (250, 500, 1000, 2000):
        machine = instance(bench_world, "growth", count)
        unlock(machine)
        modules = modules_of(machine, "lock")
        ours, floor = [], []
        for _ in range(1 if small else 7):
            unlock(machine)
            started = time.perf_counter()
            machine.run("lock")
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            import_floor(modules, machine.environment())
            floor.append(time.perf_counter() - started)
        more = (statistics.median(ours) - statistics.median(floor)) * 1000
        size = os.path.getsize(machine.lock)
        assert machine.lock.read_bytes().count(b'"name"') == count
        each = f"{more / count:.3f} ms and {size // count} B of lock a name"
        add_note(f"{instance.__name__:9} {count:5} names: {more:7.1f} ms beside the floor, {each}")
