"""Distilling: what a molecule turned out to be can be bonded again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kitchen import ingredient
from molecule_lives import ARM, PATROL, REVIEW, Life

from mmpm.molecule.cook.cooking import bound, cook
from mmpm.molecule.cook.uncooking import uncook
from mmpm.molecule.distilling import distill
from mmpm.molecule.proto import Proto
from mmpm.molecule.steps import Gate, Step
from mmpm.molecule.variables import Variable

VALUES = st.text(st.sampled_from("ab /.-"), max_size=6)


@given(VALUES, VALUES)
def test_bonding_what_was_distilled_with_its_values_gives_the_same_texts(scope, other):
    before = Life(REVIEW, scope=scope, other=other).now
    again = Life(distill(before, "mol-again").proto, scope=scope, other=other).now
    assert again.title == before.title
    assert [one.step.title for one in again.steps.values()] == [one.step.title for one in before.steps.values()]
    assert list(again.edges()) == list(before.edges())


def test_values_go_back_to_their_variables_as_whole_words():
    made = distill(Life(REVIEW, scope="Files").now, "mol-again").proto
    assert made.title == "Review of {{scope}}"
    assert {step.id: step.title for step in made.steps}["discovery.files"] == "{{scope}} of {{scope}}"
    assert [one.name for one in made.variables] == ["scope"]


def test_arms_are_part_of_it():
    life = Life(PATROL)
    life.arm("ace")
    assert "ace.load" in [step.id for step in distill(life.now, "mol-again").proto.steps]


TEXTS = st.text("ab {}/", max_size=6) | st.sampled_from(["{{a}}", "{{a}} of {{b}}", "x {{b}}", "a", "b a"])
STEP = Step("s", "S")


def texts_of(molecule):
    """Everything that variables can stand in, of the root and of each step by id."""
    found = [(molecule.title, molecule.description)]
    for step_id, record in molecule.steps.items():
        step = record.step
        found.append((step_id, step.title, step.description, step.assignee, step.labels, step.gate, step.on_complete))
    return found


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=3), VALUES, TEXTS, st.booleans())
def test_a_formula_of_a_molecule_bonded_with_its_values_gives_its_texts_again(rows, a, b, is_known):
    steps = tuple(
        Step(
            f"s{at}",
            f"t {title}",
            description,
            assignee=other,
            labels=(other,) if other else (),
            gate=Gate("human", condition=description),
            on_complete={"for_each": "output.x", "bond": "mol-y", "vars": {"x": other}},
        )
        for at, (title, description, other) in enumerate(rows)
    )
    proto = Proto(
        "mol-p",
        title="About {{a}}",
        description="{{b}}",
        steps=steps,
        variables=(Variable("a", default="x"), Variable("b", description="Bee")),
    )
    before = Life(proto, a=a, b=b).now
    made = distill(before, "mol-again", {"": proto} if is_known else {})
    text = uncook(made.proto)
    again = Life(cook(ingredient(text.text), lambda _: None).proto, **made.values).now
    assert text.notes == ()
    if not made.notes:
        assert texts_of(again) == texts_of(before)
    if is_known:
        assert made.notes == ()
        assert [one.step.title for one in before.steps.values()] == [
            one.title for one in bound(proto, {"a": a, "b": b}).proto.steps
        ]
        assert [step.title for step in made.proto.steps] == [step.title for step in steps]
        assert made.proto.variables == proto.variables


def test_variables_keep_what_the_proto_says_of_them():
    made = distill(Life(REVIEW, scope="Files").now, "mol-again", {"": REVIEW}).proto
    assert made.variables == (Variable("scope", default="src/"),)
    assert {step.id: step.title for step in made.steps}["discovery.files"] == "Files of {{scope}}"


def test_what_only_one_arm_says_is_a_variable_and_what_two_say_is_none():
    life = Life(PATROL)
    life.arm("ace")
    made = distill(life.now, "mol-again", {"": PATROL, "ace": ARM})
    assert {step.id: step.title for step in made.proto.steps}["ace.load"] == "Load {{polecat}}"
    assert (made.values, made.proto.variables) == ({"polecat": "ace"}, ARM.variables)
    life.arm("nux")
    made = distill(life.now, "mol-again", {"": PATROL, "ace": ARM, "nux": ARM})
    assert {step.id: step.title for step in made.proto.steps}["ace.load"] == "Load ace"
    assert (made.values, made.proto.variables) == ({}, ())


def test_what_waited_for_an_arm_waits_for_the_step_that_it_becomes():
    life = Life(PATROL)
    life.arm("ace")
    made = distill(life.now, "mol-again").proto
    assert {step.id: step.needs for step in made.steps}["aggregate"] == ("ace",)


def test_a_title_that_is_only_the_name_of_the_formula_becomes_the_new_name():
    plain = Proto("mol-p", title="mol-p", steps=(STEP,))
    assert distill(Life(plain).now, "mol-again").proto.title == "mol-again"
    assert distill(Life(plain).now, "mol-again", {"": plain}).proto.title == "mol-again"


def test_many_values_and_long_texts_end_in_a_sentence():
    values = {f"v{number}": "a " * 50 + str(number) for number in range(1500)}
    text = ("a " * 30_000) + " ".join(values.values())
    proto = Proto("mol-p", title="p", steps=tuple(Step(f"s{number}", "S", text) for number in range(40)))
    made = distill(Life(proto, **values).now, "mol-again")
    assert any("too long, or the values too many" in note for note in made.notes)
    assert {step.description for step in made.proto.steps} <= {text, made.proto.steps[0].description}
