"""Every known difference between bd, gt and mmpm is told where a formula has what it is about, and nowhere else."""

from __future__ import annotations

import pytest
from kitchen import formula, ingredient

from mmpm.molecule.cook.compatibility import differences
from mmpm.molecule.proto import Proto, Source

PLAIN = 'steps = [{id = "a", title = "A"}, {id = "b", title = "B", needs = ["a"]}]'


def codes(text):
    return {(one.tool, one.code) for one in differences(Proto("mol-x"), {"mol-x": ingredient(text).formula.tables})}


def test_a_plain_formula_is_alike():
    assert codes(formula(PLAIN)) == set()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('steps = [{id = "a"}]', ("bd", "no-title")),
        ('[vars.x]\nrequired = true\ndefault = "1"', ("bd", "required-with-default")),
        ("[vars.x]\ndefault = 1", ("gt", "default-type")),
        ("vars = {x = 1}", ("bd", "default-type")),
        ('[vars.x]\nenum = ["a"]', ("bd", "unchecked")),
        ('vars = {x = "1"}', ("bd", "bond-forgets-defaults")),
        ('legs = [{id = "a"}]', ("bd", "legs")),
        ('legs = [{id = "a"}]', ("bd", "no-type")),
        ('extends = ["base"]\nphase = "vapor"', ("bd", "extends-loses")),
        ('extends = ["base"]\n' + PLAIN, ("gt", "extends-order")),
        ('extends = ["@acme/base"]', ("bd", "name")),
        ('extends = ["base@^2"]', ("gt", "name")),
        ('steps = [{id = "a", title = "A", acceptance = "x"}]', ("bd", "acceptance")),
        ('steps = [{id = "a", title = "A", depends_on = ["b"]}]', ("gt", "gt-ignores-depends-on")),
        ('steps = [{id = "a", title = "A", notes = "n"}]', ("gt", "gt-drops")),
        ('steps = [{id = "a", title = "A", condition = "{{x}}"}]', ("bd", "condition")),
        (
            'steps = [{id = "a", title = "A", depends_on = ["b"], waits_for = "all-children"}]',
            ("bd", "gate-without-spawner"),
        ),
        (
            'steps = [{id = "a", title = "A", needs = ["b"], loop = {count = 2, body = [{id = "b"}]}}]',
            ("bd", "loop-loses"),
        ),
        ('steps = [{id = "a", title = "A", loop = {range = "1..{n}", body = [{id = "b"}]}}]', ("bd", "loop-range")),
        (
            'steps = [{id = "a", title = "A", loop = {count = 2, body = [{id = "b", title = "{i}"}]}}]',
            ("bd", "loop-number"),
        ),
        ('steps = [{id = "a", expand = "x"}, {id = "b", title = "B", needs = ["a"]}]', ("bd", "expand-dependents")),
        ('steps = [{id = "a", expand = "x", condition = "{{y}}"}]', ("bd", "expand-loses")),
        ('type = "expansion"\ntemplate = [{id = "a", title = "A", notes = "n"}]', ("bd", "template-loses")),
        ('compose = {map = [{select = "*", with = "x"}]}', ("bd", "map-order")),
        ('compose = {aspects = ["x"]}', ("gt", "gt-ignores-aspects")),
        ('advice = [{target = "a"}]\npointcuts = [{glob = "b"}]', ("bd", "pointcuts")),
    ],
)
def test_what_differs_is_named(body, expected):
    assert expected in codes(formula(body))


def test_the_seeds_form_is_read_by_neither():
    text = '[formula]\nname = "mol-x"\nversion = "4.0.0"\n'
    assert codes(text) == {("bd", "formula-table"), ("gt", "formula-table")}


def test_an_overlay_is_gas_towns_alone():
    proto = Proto("mol-x", sources=(Source("overlay of town", "", "", "overlay"),))
    (one,) = differences(proto, {})
    assert (one.tool, one.code) == ("bd", "overlay")


def test_a_thousand_steps_with_one_fault_are_told_five_times():
    steps = ", ".join(f'{{id = "s{n}"}}' for n in range(1000))
    tables = ingredient(formula(f"steps = [{steps}]")).formula.tables
    assert len(differences(Proto("mol-x"), {"mol-x": tables})) == 5


def test_rules_of_composition_are_lost_only_where_a_parent_has_some_too():
    child = ingredient(formula('extends = ["base"]\ncompose = {aspects = ["x"]}')).formula.tables
    lost = Proto("mol-x"), {"mol-x": child, "base": {"compose": {"aspects": ["y"]}}}
    kept = Proto("mol-x"), {"mol-x": child, "base": {}}
    assert [one.code for one in differences(*lost) if one.tool == "bd"] == ["extends-loses"]
    assert [one.code for one in differences(*kept) if one.tool == "bd"] == []
