"""Killed with -9 at any instant, the next command mends, and nothing is lost."""

from __future__ import annotations

import time

import pytest
from world import World, formula_text, read_tree

INSTANTS = 200
IN_A_SAMPLE = 16
MINE = b"# a file of mine\n"
VERBS = ("install", "sync", "upgrade", "publish")


class Case:
    """One verb on a fresh machine; `finish` is what a person would type after the crash."""

    def __init__(self, world, verb: str, number: int) -> None:
        self.world = world
        self.verb = verb
        self.registry = world.registry("acme")
        self.machine = world.machine(f"{verb}-{number}")
        self.number = number
        machine = self.machine
        (machine.formulas).mkdir(parents=True)
        (machine.formulas / "mine.formula.toml").write_bytes(MINE)
        machine.run("init")
        machine.add(self.registry)
        if verb == "install":
            self.words = ["install", "mol-tree", "mol-bundle"]
        elif verb == "sync":
            (machine.project / "mmpm.toml").write_text('[formulas]\nmol-tree = "*"\nmol-bundle = "*"\n')
            self.words = ["sync"]
        elif verb == "upgrade":
            machine.run("install", "mol-tree@1", "mol-bundle@1")
            manifest = machine.project / "mmpm.toml"
            manifest.write_text('[formulas]\nmol-tree = "*"\nmol-bundle = "*"\n')
            self.words = ["upgrade", "--yes"]
        else:
            path = world.folder / "killed" / f"{number}" / f"mol-killed-{number}.formula.toml"
            path.parent.mkdir(parents=True)
            path.write_text(formula_text(f"mol-killed-{number}", "1.0.0", {}))
            self.words = ["publish", str(path), "--to", str(self.registry.folder), "--yes"]
        self.runner = self.registry.publisher if verb == "publish" else machine

    def kill_after(self, seconds: float) -> None:
        process = self.runner.start(*self.words)
        time.sleep(seconds)
        process.kill()
        process.communicate()

    def finish_and_check(self) -> None:
        self.runner.run(*self.words)
        machine = self.machine
        if self.verb == "publish":
            machine.run("install", f"mol-killed-{self.number}")
        else:
            machine.run("sync")
            machine.run("verify")
            assert machine.run("sync", "--check").status == 0
            versions = {name: entry["version"] for name, entry in machine.installed().items()}
            assert versions == {"mol-tree": "2.0.0", "mol-bundle": "2.0.0", "mol-leaf": "1.0.0"}
            bundle = read_tree(machine.formulas / "mol-bundle")
            assert bundle["scripts/go.sh"] == (b"#!/bin/sh\necho 2.0.0\n", True)
        assert (machine.formulas / "mine.formula.toml").read_bytes() == MINE
        machine.run("store", "verify")
        left = [path.name for path in machine.formulas.iterdir() if "staging" in path.name or "journal" in path.name]
        assert left == []


@pytest.fixture(scope="module")
def world_of_kills(tmp_path_factory):
    with World(tmp_path_factory.mktemp("kills")) as world:
        registry = world.registry("acme").release("mol-leaf")
        for version in ("1.0.0", "2.0.0"):
            registry.release("mol-tree", version, requires={"mol-leaf": "*"})
            script = f"#!/bin/sh\necho {version}\n".encode()
            registry.release("mol-bundle", version, files={"scripts/go.sh": script, "README.md": b"# b\n"})
        world.settle()
        yield world


@pytest.fixture(scope="module")
def seconds_of(world_of_kills):
    """How long each verb takes when nobody kills it: the span over which the instants are spread."""
    spans = {}
    for verb in VERBS:
        case = Case(world_of_kills, verb, -1)
        started = time.perf_counter()
        case.runner.run(*case.words)
        spans[verb] = time.perf_counter() - started
        case.finish_and_check()
    return spans


@pytest.mark.slow
def test_killed_at_spread_instants_the_next_command_mends(world_of_kills, seconds_of, sampled):
    instants = [(VERBS[number % len(VERBS)], number) for number in range(INSTANTS)]
    for verb, number in sampled(instants, IN_A_SAMPLE):
        case = Case(world_of_kills, verb, number)
        # The first fifth of a run is the interpreter's start; instants are denser where files change.
        fraction = 0.2 + 0.85 * (number + 0.5) / INSTANTS
        case.kill_after(seconds_of[verb] * fraction)
        case.finish_and_check()


def test_killed_again_and_again_it_still_ends_well(world_of_kills, seconds_of):
    case = Case(world_of_kills, "install", 1_000)
    for fraction in (0.9, 0.8, 0.7, 0.6, 0.5):
        case.kill_after(seconds_of["install"] * fraction)
    case.finish_and_check()
