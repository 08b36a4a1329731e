"""Variables: declared, checked, put into texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.molecule.variables import Variable, checked, declared, names_in, parse_assignment, substitute

NAMES = st.sampled_from(["a", "b", "name", "_x1"])


@given(st.text("ab{} .x_name", max_size=40), st.dictionaries(NAMES, st.text("{}ab", max_size=8)))
def test_one_pass_and_unknown_names_stay(text, values):
    result = substitute(text, values)
    expected = text
    for name in names_in(text):  # with marks that no value holds
        expected = expected.replace("{{" + name + "}}", f"\0{name}\1") if name in values else expected
    for name, value in values.items():
        expected = expected.replace(f"\0{name}\1", value)
    assert result == expected


def test_a_go_template_and_spaces_are_left_alone():
    text = "{{.leg.id}} {{ name }} {{1a}} {name} {{name}}"
    assert substitute(text, {"name": "N", "leg": "L"}) == "{{.leg.id}} {{ name }} {{1a}} {name} N"


def test_a_value_is_not_expanded_again():
    assert substitute("{{a}}{{b}}", {"a": "{{b}}", "b": "{{a}}"}) == "{{b}}{{a}}"


def test_a_bomb_of_a_text_is_refused():
    with pytest.raises(ValueError, match="characters once"):
        substitute("{{a}}" * 1000, {"a": "x" * 100_000})


def test_an_assignment_is_split_at_its_first_equals_sign():
    assert parse_assignment("a=b=c") == ("a", "b=c")
    assert parse_assignment("a=") == ("a", "")
    for wrong in ("a", "=b", "1a=b", "a b=c"):
        with pytest.raises(ValueError, match="name"):
            parse_assignment(wrong)


def test_defaults_apply_and_only_what_occurs_can_be_missing():
    variables = declared({"vars": {"plain": "p", "wanted": {"required": True}, "idle": {"required": True}}})
    values, problems = checked({}, variables, ["plain", "wanted"])
    assert values == {"plain": "p"}
    assert problems == ("wanted has no value: give --var wanted=...",)


def test_required_with_a_default_takes_the_default():
    variables = declared({"vars": {"x": {"required": True, "default": "d"}}})
    assert checked({}, variables, ["x"]) == ({"x": "d"}, ())


def test_one_of_several_inputs_is_enough():
    variables = declared({"inputs": {"pr": {"required_unless": ["files"]}, "files": {"required_unless": ["pr"]}}})
    assert checked({"pr": "7"}, variables, ["pr", "files"])[1] == ()
    assert len(checked({}, variables, ["pr", "files"])[1]) == 2


@pytest.mark.parametrize(
    ("variable", "good", "bad", "words"),
    [
        (Variable("v", enum=("fast", "slow")), "slow", "quick", "one of 'fast', 'slow'"),
        (Variable("v", pattern="^[0-9]+$"), "12", "12a", "match the pattern"),
        (Variable("v", kind="int"), "-3", "3.5", "a whole number"),
        (Variable("v", kind="number"), "3.5e2", "x", "a number"),
        (Variable("v", kind="bool"), "Yes", "maybe", "true or false"),
    ],
)
def test_a_value_outside_is_an_error_that_names_what_is_allowed(variable, good, bad, words):
    assert checked({"v": good}, [variable], ["v"])[1] == ()
    (problem,) = checked({"v": bad}, [variable], ["v"])[1]
    assert words in problem
    assert bad in problem


@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ({"vars": {"1x": "a"}}, "vars.1x"),
        ({"vars": {"x": ["a"]}}, "vars.x"),
        ({"vars": {"x": {"pattern": "("}}}, "vars.x.pattern"),
        ({"vars": {"x": {"type": "date"}}}, "vars.x.type"),
        ({"vars": {"x": {"enum": "a"}}}, "vars.x.enum"),
        ({"vars": "x"}, "vars"),
    ],
)
def test_a_declaration_that_cannot_be_is_named(tables, key):
    with pytest.raises(ValueError, match=key.replace(".", r"\.")):
        declared(tables)
