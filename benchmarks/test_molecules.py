"""Towns of 100,000 steps: commands as processes beside the import floor, appending beside a bare write and fsync.

The floor is a process that imports every module that the command imports, and does nothing; the goal is at most
150 ms more, whether 10,000 molecules have 10 steps each or one has 20,000. What the first command of a machine takes,
with no index, stands in the notes.

    pytest benchmarks/test_molecules.py
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from kitchen import formula
from references import import_floor, modules_of

from mmpm.molecule import bonding, lifecycle
from mmpm.molecule.answers import Change, Stamp
from mmpm.molecule.beads.catalogue import Layer, load
from mmpm.molecule.bonding import Bond
from mmpm.molecule.events import Closed
from mmpm.molecule.lines import Line
from mmpm.molecule.proofs import prove, verify
from mmpm.molecule.proto import Proto
from mmpm.molecule.state import fold
from mmpm.molecule.steps import Step
from mmpm.project.mol_index import SETTLED_NS
from mmpm.project.mol_log import MolPlaces, append, make_folder
from mmpm.project.mol_reading import fold_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from world import Machine, World

ANN = Stamp("2026-01-10T15:30:00Z", "beads/amber")
FLOOR = "importing its modules"
MORE = "at most 150 ms more"
# Molecules and steps of each; a tenth of the steps is ready.
TOWNS = {
    "1000x100": [(1_000, 100)],
    "100x1000": [(100, 1_000)],
    "10000x10": [(10_000, 10)],
    "1x20000+800x100": [(1, 20_000), (800, 100)],
}
LONG = 1_000
LARGEST = "1x20000+800x100"


@dataclass
class Town:
    """A machine with molecules: the one with the most steps first.

    Attributes:
        steps: of the first.
        first_ready: seconds that the first `mol ready` took, with no index.
    """

    machine: Machine
    ids: list[str]
    steps: int
    first_ready: float = 0.0
    closed: int = 0

    @property
    def places(self) -> MolPlaces:
        return MolPlaces(str(self.machine.project))

    def ready(self) -> None:
        self.machine.run("mol", "ready")

    def floor(self, *words: str) -> Callable[[int], None]:
        """Give what only imports what a command imports."""
        modules = modules_of(self.machine, *words)
        return lambda _round: import_floor(modules, self.machine.environment())

    def close_one(self) -> None:
        """Close a step: the next of the longest molecule, or in a town of short ones the first of the next molecule."""
        at, step = (0, self.closed) if self.steps >= LONG else (self.closed, 0)
        self.machine.run("mol", "close", f"{self.ids[at]}.step-{step}", "--reason", "done")
        self.closed += 1


def proto_of(steps: int) -> Proto:
    """Chains of ten steps side by side: each first one is ready."""
    made = tuple(
        Step(
            f"step-{n}",
            f"Do part {n} of the work",
            description="Look at it, and say what is there.",
            needs=(f"step-{n - 1}",) if n % 10 else (),
        )
        for n in range(steps)
    )
    return Proto("mol-work", "1.0.0", title="A molecule of a town", steps=made)


def settle(machine: Machine) -> Machine:
    (machine.project / "mmpm.toml").write_text("[formulas]\n")
    return machine


def town_of(machine: Machine, parts: list[tuple[int, int]]) -> Town:
    """Write the logs as `mol pour` does."""
    settle(machine)
    places = MolPlaces(str(machine.project))
    make_folder(places.mols)
    town = Town(machine, [], parts[0][1])
    for part, (count, steps) in enumerate(parts):
        bond = Bond(proto_of(steps))
        for number in range(count):
            made = bonding.pour(bond, "gt", f"{part}-{number}", ANN)
            assert isinstance(made, Change)
            with open(places.log(made.id, "mol"), "wb") as log:
                log.write(made.line.to_bytes() + b"\n")
            town.ids.append(made.id)
    return town


@pytest.fixture(scope="module")
def towns(bench_world: World, small: bool):
    """Give a town by its name, made once, looked at once, and settled: git's rule about young files holds here, too."""
    made: dict[str, Town] = {}

    def get(name: str) -> Town:
        if name not in made:
            parts = [(min(count, 3), min(steps, 20)) for count, steps in TOWNS[name]] if small else TOWNS[name]
            town = made[name] = town_of(bench_world.machine(f"town-{name}"), parts)
            started = time.perf_counter()
            town.ready()
            town.first_ready = time.perf_counter() - started
            if not small:
                time.sleep(SETTLED_NS / 1e9)
                town.ready()
        return made[name]

    return get


@pytest.mark.parametrize("name", TOWNS)
def test_ready(versus, add_note, towns, name):
    town = towns(name)
    versus(lambda _round: town.ready(), town.floor("mol", "ready"), against=FLOOR, goal=MORE, rounds=15)
    size = sum(os.path.getsize(town.places.log(one, "mol")) for one in town.ids)
    add_note(f"{name}: logs of {size / 1e6:.1f} MB, the first `mol ready` {town.first_ready * 1000:.0f} ms")


@pytest.mark.parametrize("name", TOWNS)
def test_list_running(versus, towns, name):
    town = towns(name)
    versus(
        lambda _round: town.machine.run("mol", "list", "--running"),
        town.floor("mol", "list", "--running"),
        against=FLOOR,
        goal=MORE,
        rounds=15,
    )


@pytest.mark.parametrize("name", TOWNS)
def test_ready_after_one_close(versus, towns, name):
    """In the molecule with the most steps: its log is another, and nobody reads it again."""
    town = towns(name)
    versus(
        lambda _round: town.ready(),
        town.floor("mol", "ready"),
        against=FLOOR,
        goal=MORE,
        rounds=7,
        prepare=lambda _round: town.close_one(),
    )


@pytest.mark.parametrize("name", TOWNS)
def test_close(versus, towns, name):
    """The log of one molecule is read, one line is written: nothing else of the town."""
    town = towns(name)
    versus(
        lambda _round: town.close_one(),
        town.floor("mol", "close", f"{town.ids[0]}.nowhere"),
        against=FLOOR,
        goal="under 1 s",
        rounds=7,
    )


def test_append_a_line_to_the_log_of_20000_steps(versus, scratch, towns):
    """Beside what a disk takes to keep the same bytes: the log is neither read nor written again."""
    town = towns(LARGEST)
    path = str(scratch / "appended.jsonl")
    shutil.copyfile(town.places.log(town.ids[0], "mol"), path)
    data = Line(ANN.at, ANN.actor, "close", (Closed("step-0", "done"),)).to_bytes()
    bare = os.open(scratch / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write_and_flush(_round: int) -> None:
        os.write(bare, data + b"\n")
        os.fsync(bare)

    size = os.path.getsize(path)
    versus(lambda _round: append(path, data), write_and_flush, against="write and fsync", goal="2.0x", rounds=201)
    assert (os.path.getsize(path) - size) % (len(data) + 1) == 0
    os.close(bare)


def test_read_the_log_of_20000_steps(versus, towns):
    """Whoever closes a step of it reads it whole, and strictly."""
    town = towns(LARGEST)
    path = town.places.log(town.ids[0], "mol")
    with open(path, "rb") as file:
        lines = file.read().splitlines()
    versus(
        lambda _round: fold_log(path, town.ids[0], "mol"),
        lambda _round: [json.loads(line) for line in lines],
        against="json of its lines",
        goal="under 250 ms",
        rounds=9,
    )


def test_cook_1025_steps_as_a_command(versus, bench_world, small):
    machine = settle(bench_world.machine("cook"))
    steps = [
        f'[[steps]]\nid = "move-{n}"\ntitle = "Move {n}"\n' + (f'needs = ["move-{n - 1}"]\n' if n else "")
        for n in range(20 if small else 1025)
    ]
    (machine.project / "mol-hanoi.formula.toml").write_text(formula("\n".join(steps), "mol-hanoi"))
    modules = modules_of(machine, "mol", "cook", "mol-hanoi.formula.toml")
    versus(
        lambda _round: machine.run("mol", "cook", "mol-hanoi.formula.toml"),
        lambda _round: import_floor(modules, machine.environment()),
        against=FLOOR,
        goal="under 1 s",
        rounds=7,
    )


def test_load_a_catalogue_with_a_line_of_5_mb(versus, small):
    long = {"id": "mol-long", "title": "Long", "description": "x" * (1_000 if small else 5_000_000)}
    data = b"".join(
        json.dumps(one).encode() + b"\n" for one in (long, {"id": "mol-a", "title": "A"}, {"id": "mol-b", "title": "B"})
    )
    layer = Layer("project", "molecules.jsonl", data)
    versus(
        lambda _round: load((layer,)),
        lambda _round: [json.loads(line) for line in data.splitlines()],
        against="json of its lines",
        goal="under 100 ms",
        rounds=9,
    )
    assert load((layer,)).get("mol-long") is not None


def test_prove_one_of_1000_steps(versus, add_note, small):
    """The proof says what ran and is short enough for a message."""
    count = 20 if small else 1_000
    made = bonding.pour(Bond(proto_of(count)), "gt", "n", ANN)
    assert isinstance(made, Change)
    molecule = fold([made.line, Line(ANN.at, ANN.actor, "close", (Closed("step-0", "done"),))])
    ended = lifecycle.squash(molecule, "", {}, ANN)
    assert isinstance(ended, Change)
    digest = ended.digest
    assert digest is not None
    proof = prove(digest, "step-0")
    assert verify(proof, "step-0", digest.root)
    sizes = [len(prove(digest, f"step-{n}").to_bytes()) for n in range(0, count, 37)]
    assert max(sizes) < 1_000
    versus(
        lambda _round: prove(digest, "step-0"),
        lambda _round: digest.to_bytes(),
        against="the digest as bytes",
        goal="under 100 ms",
        rounds=9,
    )
    seconds = []
    for _ in range(9):
        started = time.perf_counter()
        verify(proof, "step-0", digest.root)
        seconds.append(time.perf_counter() - started)
    text = f"{min(sizes)} to {max(sizes)} B, verified in {statistics.median(seconds) * 1000:.2f} ms"
    add_note(f"proofs of {count} steps: {text}; the digest {len(digest.to_bytes())} B")
