"""What stays true when steps go: the order of the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmpm.molecule.cook.arithmetic import evaluate
from mmpm.molecule.cook.wiring import without
from mmpm.molecule.steps import Step


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 8))
    steps = []
    for index in range(count):
        earlier = [f"s{one}" for one in range(index)]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        steps.append(Step(f"s{index}", needs=tuple(needs)))
    gone = draw(st.sets(st.sampled_from([step.id for step in steps])))
    return tuple(steps), gone


def before(steps):
    """Give all pairs (earlier, later) that the needs enforce, through any number of steps."""
    above = {}
    for step in steps:
        above[step.id] = set(step.needs).union(*(above[need] for need in step.needs)) if step.needs else set()
    return {(one, step) for step, those in above.items() for one in those}


@given(graphs())
def test_taking_steps_out_keeps_the_order_of_all_others(drawn):
    steps, gone = drawn
    left = without(steps, gone)
    assert [step.id for step in left] == [step.id for step in steps if step.id not in gone]
    expected = {(one, other) for one, other in before(steps) if one not in gone and other not in gone}
    assert before(left) == expected


NUMBERS = st.integers(0, 20).map(str)
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: f"({''.join(parts)})"),
    max_leaves=6,
)


@given(EXPRESSIONS)
def test_a_range_is_worked_out_as_python_does(text):
    assert evaluate(text) == eval(text)


def test_powers_are_taken_from_the_right_and_divisions_are_cut_at_the_end():
    assert evaluate("2^3^2") == 512
    assert evaluate("7/2*2") == 7
    assert evaluate("7/2") == 3
    assert evaluate("-2 + 5") == 3


def test_who_needed_a_parent_that_goes_needs_what_its_children_needed():
    steps = (Step("x"), Step("p"), Step("p.c", parent="p", needs=("x",)), Step("after", needs=("p",)))
    assert [(step.id, step.needs) for step in without(steps, {"p"})] == [("x", ()), ("after", ("x",))]
