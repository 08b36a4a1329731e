"""mirror create, export and import killed with -9 at spread instants: a rerun finishes, nothing half is shown."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from far_side import FarSide, tree_files, verify_tree
from world import World

from mmpm.registry.mirror.origin import Believed

if TYPE_CHECKING:
    from pathlib import Path

INSTANTS = 120
IN_A_SAMPLE = 8
VERBS = ("create", "export", "import", "increment", "store")
ID = "acme.example"


class Ground:
    """A registry, a mirror of it, a pack, and a far side that has an older state."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = world.folder
        self.registry = world.registry("acme").release("mol-leaf")
        for version in ("1.0.0", "2.0.0"):
            script = f"#!/bin/sh\necho {version}\n".encode()
            self.registry.release("mol-bundle", version, files={"scripts/go.sh": script, "README.md": b"# b\n"})
        world.settle()
        self.near = world.machine("near")
        self.near.add(self.registry)
        self.belief = Believed(self.registry.fingerprint.removeprefix("sha256:"))
        self.old = self.cut("old.pack")
        self.far_folder("begun").parent.mkdir(parents=True, exist_ok=True)
        self.begun = world.machine("far")
        self.receive(self.begun, self.old, self.far_folder("begun"))
        self.registry.release("mol-tree", "1.0.0", requires={"mol-leaf": "*"}).release("mol-leaf", "1.1.0")
        world.settle()
        self.full = self.cut("full.pack")
        self.begun.run("mirror", "inventory", str(self.far_folder("begun")), "-o", str(self.folder / "inventory"))
        self.increment = self.cut("increment.pack", "--base", str(self.folder / "inventory"))
        self.files = tree_files(self.registry.folder, ID, self.belief)

    def far_folder(self, name: str) -> Path:
        return self.folder / "far" / name

    def cut(self, name: str, *words: str) -> Path:
        pack = self.folder / name
        self.near.run("mirror", "export", str(self.registry.folder), "-o", str(pack), *words)
        return pack

    def receive(self, machine, pack: Path, mirror: Path) -> None:
        machine.run("mirror", "import", str(pack), "--to", str(mirror), "--root", self.registry.fingerprint)

    def case(self, verb: str, number: int) -> tuple[object, list[str], Path]:
        """Who types what, and where it ends up."""
        root = ["--root", self.registry.fingerprint]
        where = self.folder / "cases" / f"{verb}-{number}"
        where.parent.mkdir(exist_ok=True)
        if verb == "create":
            return self.near, ["mirror", "create", str(where), "--from", "acme", "--yes"], where
        if verb == "export":
            return self.near, ["mirror", "export", str(self.registry.folder), "-o", str(where)], where
        if verb == "store":
            machine = self.world.machine(f"store-{number}")
            return machine, ["mirror", "import", str(self.full), "--to-store", *root], where
        machine = self.world.machine(f"{verb}-{number}")
        pack = self.full
        if verb == "increment":
            self.receive(machine, self.old, where)
            pack = self.increment
        return machine, ["mirror", "import", str(pack), "--to", str(where), *root], where

    def look(self, verb: str, where: Path) -> None:
        """What is shown now is whole."""
        if verb == "export":
            assert not where.exists() or where.read_bytes() == self.full.read_bytes()
        elif verb != "store":
            tree = where / "mirrors" / ID
            if (tree / "metadata" / "timestamp.json").exists():
                verify_tree(tree, ID, self.belief)

    def check(self, verb: str, machine, where: Path) -> None:
        """After the rerun all of it is there, and nothing is left lying about."""
        if verb == "export":
            assert where.read_bytes() == self.full.read_bytes()
            assert not list(where.parent.glob(f"{where.name}.*"))
        elif verb == "store":
            machine.run("init")
            machine.run("--offline", "install", "mol-tree", "mol-bundle", guard=True)
        else:
            assert tree_files(where / "mirrors" / ID, ID, self.belief) == self.files
            assert not list((where / ".quarantine").glob("*"))
            machine.run("mirror", "verify", str(where))


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    with World(tmp_path_factory.mktemp("kills")) as world:
        yield Ground(world)


@pytest.fixture(scope="module")
def seconds_of(ground):
    """How long each verb takes when nobody kills it: the span over which the instants are spread."""
    spans = {}
    for verb in VERBS:
        machine, words, where = ground.case(verb, -1)
        started = time.perf_counter()
        machine.run(*words)
        spans[verb] = time.perf_counter() - started
        ground.check(verb, machine, where)
    return spans


@pytest.mark.slow
def test_killed_at_spread_instants_a_rerun_finishes(ground, seconds_of, sampled):
    instants = [(VERBS[number % len(VERBS)], number) for number in range(INSTANTS)]
    for verb, number in sampled(instants, IN_A_SAMPLE):
        machine, words, where = ground.case(verb, number)
        process = machine.start(*words)
        # The first third of a run is the interpreter's start; instants are denser where files change.
        time.sleep(seconds_of[verb] * (0.3 + 0.75 * (number + 0.5) / INSTANTS))
        process.kill()
        process.communicate()
        ground.look(verb, where)
        machine.run(*words)
        ground.check(verb, machine, where)


def test_two_imports_into_one_mirror_wait_for_each_other(ground):
    where = ground.far_folder("two")
    machine = ground.world.machine("two")
    words = ["--to", str(where), "--root", ground.registry.fingerprint, "--json"]
    running = [machine.start("mirror", "import", str(pack), *words) for pack in (ground.full, ground.old, ground.full)]
    ended = [(*process.communicate(), process.returncode) for process in running]
    assert [status for _, _, status in ended] == [0, 0, 0], ended
    outcomes = [json.loads(out)["packs"][0]["registries"][0]["outcome"] for out, _, _ in ended]
    assert "shown" in outcomes
    far = FarSide(where, ID, ground.belief.fingerprint)
    assert tree_files(far.tree, ID, ground.belief) == ground.files
