from __future__ import annotations

import gc

import pytest
from hypothesis import given, settings
from solver.brute_force import first_answer
from solver.universes import CHOICES, ROOTS, UNIVERSES, R, V, universe

from mmpm.errors import SearchTooLongError
from mmpm.solver.solve import Conflict, Resolution, prove, solve

ANY = R("*")


@settings(max_examples=120, deadline=None)
@given(world=UNIVERSES, roots=ROOTS, locked=CHOICES, pinned=CHOICES)
def test_the_answer_is_the_one_that_plain_enumeration_finds_first(world, roots, locked, pinned):
    answer = solve(world, roots, locked, pinned)
    expected = first_answer(world, roots, locked, pinned)
    if expected is None:
        assert isinstance(answer, Conflict)
    else:
        assert isinstance(answer, Resolution)
        assert list(answer.versions.items()) == list(expected.items())


def versions(answer):
    assert isinstance(answer, Resolution)
    return {name: str(version) for name, version in answer.versions.items()}


def test_the_newest_fitting_versions_are_chosen():
    world = universe(a={"1.0.0": {}, "2.0.0": {"b": "<2.0.0"}}, b={"1.0.0": {}, "1.5.0": {}, "2.0.0": {}})
    assert versions(solve(world, [("a", ANY)])) == {"a": "2.0.0", "b": "1.5.0"}


def test_an_earlier_package_wins_over_a_later_one():
    world = universe(
        a={"1.0.0": {}, "2.0.0": {"c": "==1.0.0"}},
        b={"1.0.0": {}, "2.0.0": {"c": "==2.0.0"}},
        c={"1.0.0": {}, "2.0.0": {}},
    )
    assert versions(solve(world, [("a", ANY), ("b", ANY)])) == {"a": "2.0.0", "b": "1.0.0", "c": "1.0.0"}
    assert versions(solve(world, [("b", ANY), ("a", ANY)])) == {"b": "2.0.0", "a": "1.0.0", "c": "2.0.0"}


def test_a_locked_version_stays_as_long_as_it_can():
    world = universe(a={"1.0.0": {}, "2.0.0": {}}, b={"1.0.0": {"a": "==2.0.0"}})
    assert versions(solve(world, [("a", ANY)], {"a": V("1.0.0")})) == {"a": "1.0.0"}
    assert versions(solve(world, [("a", ANY), ("b", ANY)], {"a": V("1.0.0")})) == {"a": "2.0.0", "b": "1.0.0"}


def test_a_pinned_version_stays_or_there_is_no_answer():
    world = universe(a={"1.0.0": {}, "2.0.0": {}}, b={"1.0.0": {"a": "==2.0.0"}})
    assert versions(solve(world, [("a", ANY)], {}, {"a": V("1.0.0"), "b": V("7.0.0")})) == {"a": "1.0.0"}
    assert isinstance(solve(world, [("a", ANY), ("b", ANY)], {}, {"a": V("1.0.0")}), Conflict)


def test_a_cycle_is_an_answer_like_any_other():
    world = universe(a={"1.0.0": {"b": "*"}}, b={"1.0.0": {"a": "*"}})
    assert versions(solve(world, [("a", ANY)])) == {"a": "1.0.0", "b": "1.0.0"}


def test_a_chain_of_ten_thousand_names_is_walked_without_recursion():
    count = 10_000
    world = universe(**{f"n{i}": {"1.0.0": {f"n{i + 1}": "*"} if i + 1 < count else {}} for i in range(count)})
    assert len(versions(solve(world, [("n0", ANY)]))) == count


def test_a_chain_that_breaks_at_its_end_is_refused_without_recursion():
    count = 3_000
    world = universe(**{f"n{i}": {"1.0.0": {f"n{i + 1}": "*"}, "2.0.0": {f"n{i + 1}": "*"}} for i in range(count)})
    assert isinstance(solve(world, [("n0", ANY)]), Conflict)


def test_the_pigeonhole_of_eight_is_refused():
    holes = 7
    world = {
        f"pigeon{i}": {f"{h}.0.0": {f"hole{h}": f"=={i}.0.0"} for h in range(1, holes + 1)} for i in range(1, holes + 2)
    }
    world |= {f"hole{h}": {f"{i}.0.0": {} for i in range(1, holes + 2)} for h in range(1, holes + 1)}
    roots = [(f"pigeon{i}", ANY) for i in range(1, holes + 2)]
    assert isinstance(solve(universe(**world), roots), Conflict)


def test_a_hundred_diamonds_are_solved():
    world = {}
    for i in range(100):
        nexts = {f"top{i + 1}": "*"} if i < 99 else {}
        world[f"top{i}"] = {"1.0.0": {f"l{i}": "*", f"r{i}": "*"}}
        world[f"l{i}"] = {"1.0.0": {f"s{i}": "<3.0.0"}, "2.0.0": {f"s{i}": ">=3.0.0"}}
        world[f"r{i}"] = {"1.0.0": {f"s{i}": "<3.0.0"} | nexts, "2.0.0": {f"s{i}": "<2.0.0"} | nexts}
        world[f"s{i}"] = {"1.0.0": {}, "2.0.0": {}, "3.0.0": {}}
    answer = versions(solve(universe(**world), [("top0", ANY)]))
    assert len(answer) == 400
    assert answer["l99"] == "1.0.0"


def test_a_question_without_end_is_given_up():
    world = {f"p{i}": {f"{h}.0.0": {f"h{h}": f"=={i}.0.0"} for h in range(1, 5)} for i in range(1, 6)}
    world |= {f"h{h}": {f"{i}.0.0": {} for i in range(1, 6)} for h in range(1, 5)}
    with pytest.raises(SearchTooLongError):
        solve(universe(**world), [(f"p{i}", ANY) for i in range(1, 6)], most_conflicts=3)


def test_a_proof_leaves_no_cycles_and_the_collection_of_garbage_is_as_it_was():
    world = universe(a={"1.0.0": {"b": ">=2.0.0"}, "2.0.0": {"c": "*"}}, b={"1.0.0": {}, "2.0.0": {}})
    roots = [("a", ANY), ("b", ANY)]

    def left():
        gc.collect()
        prove(world, roots, {})
        prove(world, [*roots, ("c", ANY)], {})
        return gc.collect()

    gc.disable()
    try:
        assert min(left() for _ in range(5)) == 0  # other threads of a test run may leave some now and then
        solve(world, roots)
        assert not gc.isenabled()
    finally:
        gc.enable()
    solve(world, roots)
    assert gc.isenabled()
