"""Formulas that mean harm: every one ends in one clear line, in little time and memory."""

from __future__ import annotations

import pytest
from kitchen import bound_of, formula, ingredient, proto_of

from mmpm.errors import CookError, FormulaSyntaxError, MmpmError
from mmpm.molecule.cook.cooking import cook


def is_harmless(call):
    """Look whether `call` works or fails as foreseen, in one line."""
    try:
        call()
    except MmpmError as error:
        said = str(error)
    else:
        return
    assert "\n" not in said


def expansion(name, template):
    return formula(f'type = "expansion"\ntemplate = [{template}]', name)


def test_an_expansion_bomb_is_refused_before_it_goes_off():
    ten = ", ".join(f'{{id = "{{target}}.{n}", expand = "AFTER"}}' for n in range(30))
    levels = [expansion(f"e{level}", ten.replace("AFTER", f"e{level + 1}")) for level in range(4)]
    levels.append(expansion("e4", '{id = "{target}.x"}'))
    with pytest.raises(CookError, match="steps or more; a proto has at most 20000"):
        proto_of(formula('steps = [{id = "a", expand = "e0"}]'), *levels)


def test_expansions_that_call_each_other_end_at_depth_five():
    one = expansion("one", '{id = "{target}.x", expand = "two"}')
    two = expansion("two", '{id = "{target}.y", expand = "one"}')
    with pytest.raises(CookError, match="more than 5 deep: 'one' -> 'two' -> 'one'"):
        proto_of(formula('steps = [{id = "a", expand = "one"}]'), one, two)


@pytest.mark.parametrize("loop", ["count = 1000000000", 'range = "1..10^12"', 'range = "1..2^200"'])
def test_a_loop_without_end_is_refused_before_it_runs(loop):
    with pytest.raises(CookError, match="at most 20000"):
        proto_of(formula(f'steps = [{{id = "a", loop = {{{loop}, body = [{{id = "b"}}]}}}}]'))


def test_loops_in_loops_in_loops_are_refused():
    body = '{id = "x"}'
    for level in range(6):
        body = f'{{id = "l{level}", loop = {{count = 30, body = [{body}]}}}}'
    with pytest.raises(CookError, match="at most 20000"):
        proto_of(formula(f"steps = [{body}]"))


@pytest.mark.parametrize(
    "power", ["1..2^2^2^2^2^2", "1..9^9999", "1..(((((1", "1.." + "(" * 200 + "1", "1..1/0", "1..1e9", "..", "1..0x10"]
)
def test_a_range_that_is_none_says_so(power):
    with pytest.raises(CookError, match="loop 'a'"):
        proto_of(formula(f'steps = [{{id = "a", loop = {{range = "{power}", body = [{{id = "b"}}]}}}}]'))


def test_texts_that_grow_by_being_put_into_each_other_are_refused():
    big = "x" * 1_000_000
    one = expansion(
        "one", ", ".join(f'{{id = "{{target}}.{n}", description = "{"{target.description}" * 100}"}}' for n in range(3))
    )
    with pytest.raises(CookError, match="characters when it is expanded"):
        proto_of(formula(f'steps = [{{id = "a", expand = "one", description = "{big}"}}]'), one)
    many = expansion(
        "one", ", ".join(f'{{id = "{{target}}.{n}", description = "{{target.description}}"}}' for n in range(100))
    )
    with pytest.raises(CookError, match="MiB of text"):
        proto_of(formula(f'steps = [{{id = "a", expand = "one", description = "{big}"}}]'), many)


def test_values_that_make_texts_grow_are_refused():
    steps = ", ".join(f'{{id = "s{n}", title = "{"{{v}}" * 10}"}}' for n in range(100))
    with pytest.raises(CookError, match="MiB once the variables"):
        bound_of(formula(f"steps = [{steps}]"), v="x" * 100_000)


def test_thousands_of_parents_are_refused_and_a_long_line_of_them_is_not_recursed():
    line = [formula(f'extends = ["p{n + 1}"]', f"p{n}") for n in range(1500)]
    with pytest.raises(CookError, match="more than 200 formulas"):
        proto_of(line[0], *line)


def test_steps_in_steps_as_deep_as_toml_may_be():
    body = "{id = 's0'}"
    for level in range(1, 25):
        body = f"{{id = 's{level}', children = [{body}]}}"
    assert len(proto_of(formula(f"steps = [{body}]")).steps) == 25
    for level in range(25, 100):
        body = f"{{id = 's{level}', children = [{body}]}}"
    with pytest.raises(FormulaSyntaxError, match="levels deep"):
        proto_of(formula(f"steps = [{body}]"))


def test_a_chain_of_ten_thousand_steps():
    steps = "\n".join(f'[[steps]]\nid = "s{n}"\n' + (f'needs = ["s{n - 1}"]\n' if n else "") for n in range(10_000))
    assert len(proto_of(formula(steps)).groups) == 10_000


def test_globs_that_explode_are_refused():
    with pytest.raises(CookError, match="stars"):
        proto_of(
            formula(f'steps = [{{id = "{"a" * 100}"}}]\nadvice = [{{target = "{"a*" * 30}b", before = {{id = "x"}}}}]')
        )


@pytest.mark.parametrize("value", ["1", '"x"', "[1]", "{}", "true", "[[1]]", "[{}]", '[{id = "a"}, 1]'])
@pytest.mark.parametrize(
    "key",
    [
        *(
            "steps",
            "vars",
            "legs",
            "template",
            "compose",
            "advice",
            "pointcuts",
            "aspects",
            "extends",
            "synthesis",
            "phase",
        ),
        *("compose.expand", "compose.map", "compose.branch", "compose.gate", "compose.aspects", "advice.around"),
    ],
)
def test_whatever_stands_where_something_is_read_ends_in_one_line_or_cooks(key, value):
    first, dot, second = key.partition(".")
    text = f"{first} = {{{second} = {value}}}" if dot else f"{first} = {value}"
    is_harmless(lambda: proto_of(formula(text)))


@pytest.mark.parametrize("value", ["1", '"x"', "[1]", "{}", "true", "[{}]", "1.5", "1979-05-27"])
@pytest.mark.parametrize(
    "key",
    [
        *(
            "id",
            "title",
            "needs",
            "labels",
            "priority",
            "waits_for",
            "gate",
            "loop",
            "children",
            "condition",
            "on_complete",
        ),
        *("expand", "expand_vars", "metadata", "type"),
    ],
)
def test_whatever_a_step_says_ends_in_one_line_or_cooks(key, value):
    head = "" if key == "id" else 'id = "a", '
    is_harmless(lambda: cook(ingredient(formula(f"steps = [{{{head}{key} = {value}}}]")), {}.get))
