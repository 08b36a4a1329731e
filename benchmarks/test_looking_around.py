"""Searching 5,000 formulas, from what is here, beside the import floor.

The floor is the same command where there is next to nothing to look at: what remains is the work itself.
"""

from __future__ import annotations

import random

import pytest
from lazy_tree import LazyTree, machine_with
from synthetic import SEED, WORDS

FORMULAS, FORMULAS_IN_A_SMOKE_RUN = 5_000, 50


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
