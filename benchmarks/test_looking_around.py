"""Searching 5,000 formulas and locking 1,000 names of 10 versions, both from what is here, beside the import floor.

The floor is the same command where there is next to nothing to look at: what remains is the work itself.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from signed_tree import SignedTree
from synthetic import SEED, WORDS

if TYPE_CHECKING:
    from pathlib import Path

    from world import Machine, World

FORMULAS, FORMULAS_IN_A_SMOKE_RUN = 5_000, 50
NAMES, NAMES_IN_A_SMOKE_RUN = 1_000, 20
VERSIONS = [f"{major}.{minor}.0" for major in (1, 2) for minor in range(5)]
DEPENDENCIES = 4


class LazyTree(SignedTree):
    """A signed tree that writes each document once, when everything is said."""

    def __init__(self, folder: Path, registry_id: str) -> None:
        self.waiting: dict[str, bytes] = {}
        self.changed: set[str] = set()
        super().__init__(folder, registry_id)

    def target(self, target: str, data: bytes) -> None:
        self.waiting[target] = data

    def _index(self, name: str) -> None:
        self.changed.add(name)

    def settle(self) -> None:
        for name in self.changed:
            super()._index(name)
        for target, data in self.waiting.items():
            super().target(target, data)
        self.show()


def machine_with(world: World, name: str, tree: LazyTree, *words: str) -> Machine:
    tree.settle()
    machine = world.machine(name)
    machine.clock = "2026-11-01T06:00:00Z"
    machine.run("registry", "add", str(tree.folder), "--root", tree.fingerprint)
    if words:
        machine.run(*words)
    return machine


@pytest.fixture(scope="module")
def catalog(bench_world, scratch, small):
    """A machine that knows a registry of thousands, and one that knows a registry of one."""
    chooser = random.Random(SEED)
    many, one = LazyTree(scratch / "catalog", "many.example"), LazyTree(scratch / "one", "one.example")
    tags = [f"{left}-{right}" for left in WORDS[:10] for right in WORDS[10:20]]
    for number in range(FORMULAS_IN_A_SMOKE_RUN if small else FORMULAS):
        primary, *secondary = chooser.sample(tags, 4)
        many.describe(
            f"mol-{chooser.choice(WORDS)}-{chooser.choice(WORDS)}-{number}",
            "1.2.0",
            " ".join(chooser.choices(WORDS, k=30)),
            author="someone@example.com",
            primary=[primary],
            secondary=secondary,
            weights={primary: "0.9"},
        )
    one.describe("mol-one", description="The only one")
    machines = machine_with(bench_world, "catalog", many), machine_with(bench_world, "catalog-of-one", one)
    for machine in machines:
        machine.run("search", "one")
    return machines


@pytest.mark.parametrize(
    "words",
    [("deploy", "review"), ("--capabilities", "review-deploy"), ("mol-depoly-reviwe",)],
    ids=["text", "tags", "typo"],
)
def test_search_among_5000_formulas(versus, catalog, words):
    many, one = catalog
    versus(
        lambda _round: many.run("search", *words),
        lambda _round: one.run("search", *words),
        against="search among one",
        goal="at most 100 ms more",
        rounds=11,
    )


def test_first_search_after_an_update(versus, catalog):
    many, one = catalog

    def forget(_number: int) -> None:
        (many.home / ".local/state/mmpm/catalogs/many.example").unlink()

    versus(
        lambda _round: many.run("search", "deploy"),
        lambda _round: one.run("search", "deploy"),
        against="search among one",
        goal="none: it is paid once an update",
        rounds=5,
        prepare=forget,
    )


def test_locking_1000_names_of_10_versions(versus, bench_world, scratch, small):
    chooser = random.Random(SEED)
    tree = LazyTree(scratch / "thousand", "thousand.example")
    count = NAMES_IN_A_SMOKE_RUN if small else NAMES
    for number in range(count):
        following = range(number + 1, count)
        needed = {number + 1, *chooser.sample(following, min(len(following), DEPENDENCIES - 1))} & set(following)
        for version in VERSIONS:
            requires = {f"mol-{one:04d}": chooser.choice(["*", ">=1", "^1 || ^2", ">=1.0.0,<3.0.0"]) for one in needed}
            tree.release(f"mol-{number:04d}", version, requires=requires)
    machine = machine_with(bench_world, "thousand", tree, "update", "--all")
    for folder, name in (("all", "mol-0000"), ("last", f"mol-{count - 1:04d}")):
        (machine.home / folder).mkdir()
        (machine.home / folder / "mmpm.toml").write_text(f'[formulas]\n"{name}" = "*"\n')

    def unlock(_number: int) -> None:
        for folder in ("all", "last"):
            (machine.home / folder / "mmpm.lock").unlink(missing_ok=True)

    versus(
        lambda _round: machine.run("lock", cwd=machine.home / "all"),
        lambda _round: machine.run("lock", cwd=machine.home / "last"),
        against="lock of one name",
        goal="at most 150 ms more",
        rounds=11,
        prepare=unlock,
    )
    assert (machine.home / "all" / "mmpm.lock").read_bytes().count(b'"name"') == count
