"""What `on_complete` asks for: read from whatever a file says, filled from whatever a step made."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import ANN, ARM, Life

from mmpm.molecule.answers import Change, Refusal
from mmpm.molecule.completion import MAX_TEXT_OF_ARMS, Completion, complete, completion_of, values_of
from mmpm.molecule.lines import Line, parse_line
from mmpm.molecule.proto import Proto
from mmpm.molecule.readiness import ready
from mmpm.molecule.state import fold
from mmpm.molecule.steps import Step, WaitsFor

KEYS = st.sampled_from(["for_each", "bond", "vars", "parallel", "sequential", "run"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "name"]), inner, max_size=3),
    max_leaves=8,
)
FAN_OUT = Completion("output.a", "mol-polecat-arm", {"polecat": "{item}"}, is_sequential=False)
SPAWNING = Proto(
    "mol-spawning",
    title="S",
    steps=(Step("survey", "Survey"), Step("all", "All", waits_for=(WaitsFor("all-children", "survey"),))),
)


@given(st.dictionaries(KEYS, ANY | st.sampled_from(["output.a", "output.", "x", "mol-arm", "../up", "a.toml"])))
def test_any_table_is_read_or_refused(table):
    try:
        found = completion_of(table)
    except ValueError:
        return
    assert (found is None) == (not table)
    if found is not None and found.bond:
        assert found.for_each.startswith("output.")
        assert not found.bond.endswith(".toml")


@given(
    ANY, st.sampled_from(["{item}", "{item.name}", "{item.a.b}", "{index}", "x{item}{index}", "{other}", "{{item}}"])
)
def test_any_output_gives_as_many_values_as_items_or_is_refused(output, text):
    completion = Completion("output.a", "b", {"v": text}, is_sequential=False)
    try:
        values = values_of(completion, output if isinstance(output, dict) else {"a": output})
    except ValueError:
        return
    found = output["a"] if isinstance(output, dict) else output
    assert len(values) == len(found)


@given(st.lists(st.text() | st.integers() | st.booleans() | st.none(), max_size=5))
def test_an_item_is_put_in_as_it_is(items):
    completion = Completion("output.a", "b", {"v": "<{item}|{index}>"}, is_sequential=False)
    said = [one if isinstance(one, str) else "" if one is None else json.dumps(one) for one in items]
    expected = [f"<{one}|{index}>" for index, one in enumerate(said)]
    assert [one["v"] for one in values_of(completion, {"a": items})] == expected


def test_what_is_put_in_is_not_filled_again():
    completion = Completion("output.a", "b", {"v": "{item}"}, is_sequential=False)
    assert values_of(completion, {"a": ["{index}{item}"]}) == ({"v": "{index}{item}"},)


@given(st.integers(0, 5), st.booleans())
def test_the_line_of_an_end_with_arms_is_one_that_can_be_read_and_folded(number, is_sequential):
    life = Life(SPAWNING)
    completion = Completion("output.a", ARM.name, {"polecat": "{item}"}, is_sequential)
    values = values_of(completion, {"a": list(range(number))})
    made = complete(life.now, "survey", "done", ANN, {}, completion=completion, proto=ARM, values=values)
    assert isinstance(made, Change)
    assert parse_line(made.line.to_bytes()) == made.line
    life.lines.append(made.line)
    now = life.now
    assert not now.problems
    assert len(now.arms) == number
    assert now.steps["survey"].state == "closed"
    loads = [f"survey.mol-polecat-arm-{one + 1}.load" for one in range(number)]
    expected = loads[: 1 if is_sequential else None] or ["all"]
    assert [step.id for step in ready(now, ANN.at)] == expected


def test_the_events_in_their_order_never_show_an_end_without_its_arms():
    life = Life(SPAWNING)
    values = values_of(FAN_OUT, {"a": ["x", "y"]})
    line = complete(life.now, "survey", "done", ANN, {}, completion=FAN_OUT, proto=ARM, values=values).line
    for count in range(len(line.events)):
        part = [*life.lines, Line(line.at, line.actor, "close", line.events[:count])] if count else life.lines
        assert "all" not in {step.id for step in ready(fold(part), ANN.at)}


def test_arms_whose_ids_are_taken_are_refused():
    life = Life(SPAWNING)
    life.arm("mol-polecat-arm-2", parent="survey")
    values = values_of(FAN_OUT, {"a": ["x", "y"]})
    made = complete(life.now, "survey", "done", ANN, {}, completion=FAN_OUT, proto=ARM, values=values)
    assert isinstance(made, Refusal)
    assert "mol-polecat-arm-2" in made.reason


def test_texts_without_end_are_refused_before_they_are_made():
    long = "x" * 1_000_000
    many = Completion("output.a", "b", {"v": "{item}" * 100}, is_sequential=False)
    with pytest.raises(ValueError, match="32 MiB"):
        values_of(many, {"a": [long]})
    one = Completion("output.a", "b", {"v": "{item}"}, is_sequential=False)
    with pytest.raises(ValueError, match="32 MiB"):
        values_of(one, {"a": [long] * 40})
    heavy = Proto("mol-heavy", title="{{v}}" * 10, steps=())
    values = values_of(one, {"a": [long] * 5})
    life = Life(SPAWNING)
    made = complete(life.now, "survey", "done", ANN, {}, completion=one, proto=heavy, values=values)
    assert isinstance(made, Refusal)
    assert MAX_TEXT_OF_ARMS == 32 << 20
