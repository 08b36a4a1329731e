"""What waits for what: cycles with their path, dangling needs, and waves."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.molecule.graph import check_graph, groups
from mmpm.molecule.steps import Edge


def _needs(**needs):
    return [Edge(step, on, "blocks") for step, those in needs.items() for on in those]


DAGS = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count), st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30)
    )
)


@given(DAGS)
def test_a_step_is_in_a_later_wave_than_all_it_needs(drawn):
    count, pairs = drawn
    ids = [f"s{index}" for index in range(count)]
    edges = [Edge(f"s{high}", f"s{low}", "blocks") for low, high in pairs if low < high]
    assert check_graph(ids, edges) == ()
    waves = groups(ids, edges)
    wave_of = {step: index for index, wave in enumerate(waves) for step in wave}
    assert sorted(wave_of) == sorted(ids)
    for edge in edges:
        assert wave_of[edge.on] < wave_of[edge.step]
    # No step waits longer than it has to: one of what it needs is in the wave just before.
    for step in ids:
        needed = [wave_of[edge.on] for edge in edges if edge.step == step]
        assert wave_of[step] == max(needed, default=-1) + 1


@given(DAGS)
def test_a_cycle_that_is_shown_is_one(drawn):
    count, pairs = drawn
    ids = [f"s{index}" for index in range(count)]
    edges = [Edge(f"s{one}", f"s{other}", "blocks") for one, other in pairs]
    problems = check_graph(ids, edges)
    known = {(edge.step, edge.on) for edge in edges}
    for problem in problems:
        assert problem.kind == "cycle"
        assert problem.path[0] == problem.path[-1]
        assert all(pair in known for pair in zip(problem.path, problem.path[1:], strict=False))
    if not problems:
        assert groups(ids, edges)


def test_a_cycle_is_shown_with_its_path():
    (problem,) = check_graph("abcd", _needs(a="b", b="c", c="a", d="a"))
    assert problem.path == ("a", "b", "c", "a")
    assert problem.sentence == "these steps wait for each other: 'a' -> 'b' -> 'c' -> 'a'"


def test_a_need_of_what_is_not_there_is_named():
    (problem,) = check_graph("ab", _needs(b=["gone"]))
    assert problem.sentence == "'b' needs 'gone': there is no step 'gone'"


def test_a_step_that_needs_itself_is_a_cycle():
    (problem,) = check_graph("a", _needs(a="a"))
    assert problem.path == ("a", "a")


def test_children_run_in_parallel_and_whoever_needs_the_parent_waits_for_all_of_them():
    edges = [
        Edge("b", "p", "parent-child"),
        Edge("c", "p", "parent-child"),
        Edge("c", "b", "blocks"),
        *_needs(after="p"),
    ]
    assert groups(["first", "p", "b", "c", "after"], [*edges, *_needs(p=["first"])]) == (
        ("first",),
        ("p", "b"),
        ("c",),
        ("after",),
    )


@pytest.mark.parametrize("pair", [("child", "p"), ("p", "child")])
def test_a_child_and_its_parent_cannot_need_each_other(pair):
    edges = [Edge("child", "p", "parent-child"), Edge(*pair, "blocks")]
    assert [problem.kind for problem in check_graph(["p", "child"], edges)] == ["cycle"]


def test_a_chain_of_twenty_thousand_steps_and_a_ring_of_them():
    ids = [f"s{index}" for index in range(20_000)]
    chain = [Edge(after, before, "blocks") for before, after in itertools.pairwise(ids)]
    assert check_graph(ids, chain) == ()
    assert len(groups(ids, chain)) == len(ids)
    (problem,) = check_graph(ids, [*chain, Edge("s0", ids[-1], "blocks")])
    assert len(problem.path) == 20_001
    assert len(problem.sentence) < 400
