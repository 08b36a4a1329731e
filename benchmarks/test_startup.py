"""How long a person waits for a command that has nothing to do."""

from __future__ import annotations

import pytest
from references import pass_process


@pytest.fixture(scope="module")
def settled(bench_world):
    """A machine with an installed project, to which a sync has nothing to add."""
    bench_world.registry("acme").release("mol-a").release("mol-b", requires={"mol-a": "^1.0.0"})
    machine = bench_world.machine("startup")
    machine.run("init")
    machine.add(bench_world.registry("acme"))
    machine.run("install", "mol-b")
    machine.run("sync")
    return machine


def test_version(versus, bench_world):
    machine = bench_world.machine("version")
    versus(
        lambda _round: machine.run("--version"),
        pass_process,
        against="python -I -S -c pass",
        goal="2.0x",
        rounds=41,
    )


def test_noop_sync(versus, settled):
    versus(
        lambda _round: settled.run("sync"),
        pass_process,
        against="python -I -S -c pass",
        goal="2.0x",
        rounds=41,
    )
