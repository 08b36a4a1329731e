"""Cooking, stage by stage: what a formula becomes, and why it cannot."""

from __future__ import annotations

import pytest
from kitchen import bound_of, cooked, formula, ingredient, needs_of, proto_of

from mmpm.errors import CookError, FormulaInvalidError, VariablesRefusedError
from mmpm.molecule.cook.cooking import cook
from mmpm.molecule.cook.overlays import parse_overlay
from mmpm.molecule.proto import Proto, Source
from mmpm.molecule.steps import WaitsFor

CHAIN = """
steps = [{id = "a", title = "A"}, {id = "b", title = "B", needs = ["a"]}, {id = "c", title = "C", needs = ["b"]}]
"""
FIVE = """
formula = "rule"
version = 1
type = "expansion"
[vars.depth]
default = "2"
[[template]]
id = "{target}.draft"
title = "Draft {target.title} to depth {depth}, {{open}}"
description = "{target.description}"
[[template]]
id = "{target}.refine"
title = "Refine"
needs = ["{target}.draft"]
"""


def test_a_step_without_a_title_is_called_by_its_id_and_depends_on_is_needs():
    proto = proto_of(formula('steps = [{id = "a"}, {id = "b.c", depends_on = ["a"], needs = ["a"]}]'))
    assert [step.title for step in proto.steps] == ["a", "b.c"]
    assert needs_of(proto) == {"a": [], "b.c": ["a"]}


def test_children_have_their_parents_path_and_are_needed_by_their_own_name():
    proto = proto_of(
        formula("""
        [[steps]]
        id = "epic"
        [[steps.children]]
        id = "draft"
        [[steps.children]]
        id = "polish"
        needs = ["draft"]
        [[steps]]
        id = "after"
        needs = ["epic", "polish"]
        """)
    )
    assert needs_of(proto) == {
        "epic": [],
        "epic.draft": [],
        "epic.polish": ["epic.draft"],
        "after": ["epic", "epic.polish"],
    }
    assert proto.groups == (("epic", "epic.draft"), ("epic.polish",), ("after",))


def test_what_a_step_says_arrives_in_the_proto():
    (step,) = proto_of(
        formula("""
        [[steps]]
        id = "a"
        type = "human"
        priority = 0
        labels = ["x", "y", "x"]
        design = "D"
        acceptance = "A"
        notes = "N"
        assignee = "{{who}}"
        focus = 1.50
        gate = {type = "gh:run", await_id = "release.yml", timeout = "30m"}
        on_complete = {for_each = "output.items", bond = "arm", vars = {n = "{item.name}"}}
        """)
    ).steps
    assert (step.kind, step.priority, step.labels) == ("human", 0, ("x", "y"))
    assert (step.design, step.acceptance, step.notes, step.assignee) == ("D", "A", "N", "{{who}}")
    assert (step.gate.kind, step.gate.id, step.gate.timeout) == ("gh:run", "release.yml", "30m")
    assert step.on_complete["vars"] == {"n": "{item.name}"}
    assert step.attributes == {"focus": "1.50"}


def test_a_convoy_is_its_legs_at_once_and_then_the_synthesis():
    proto = proto_of(
        formula("""
        type = "convoy"
        legs = [{id = "api", title = "API", focus = "f"}, {id = "ux", title = "UX"}]
        synthesis = {title = "Together", description = "{{.output.directory}}"}
        prompts = {base = "p"}
        [inputs.problem]
        required = true
        """)
    )
    assert proto.groups == (("api", "ux"), ("synthesis",))
    assert proto.attributes == {"prompts": {"base": "p"}}
    assert [variable.name for variable in proto.variables] == ["problem"]


def test_an_expansion_on_its_own_is_cooked_for_the_target_main():
    assert [step.id for step in proto_of(FIVE).steps] == ["main.draft", "main.refine"]


# extends


def test_a_child_replaces_steps_in_place_and_appends_others():
    base = formula(CHAIN + '[vars]\nx = "parent"\ny = "parent"', "base")
    proto = proto_of(
        formula("""
        extends = ["base"]
        vars = {x = "child"}
        steps = [{id = "d", needs = ["c"]}, {id = "b", title = "mine", needs = ["a"]}]
        """),
        base,
    )
    assert [(step.id, step.title, step.source) for step in proto.steps] == [
        ("a", "A", "base"),
        ("b", "mine", "mol-x"),
        ("c", "C", "base"),
        ("d", "d", "mol-x"),
    ]
    assert [(variable.name, variable.default) for variable in proto.variables] == [("x", "child"), ("y", "parent")]
    assert [source.name for source in proto.sources] == ["mol-x", "base"]


def test_everything_else_is_inherited_too():
    base = formula(CHAIN + 'phase = "vapor"\n[compose]\nbond_points = [{id = "p", after_step = "a"}]', "base")
    proto = proto_of(formula('extends = ["base"]\n[compose]\nbond_points = [{id = "q", after_step = "b"}]'), base)
    assert proto.phase == "vapor"
    assert [point["id"] for point in proto.attributes["bond_points"]] == ["p", "q"]


def test_a_circle_of_extends_is_shown_with_its_path():
    ring = [formula(f'extends = ["{after}"]', before) for before, after in [("p", "q"), ("q", "r"), ("r", "p")]]
    with pytest.raises(CookError, match="'p' -> 'q' -> 'r' -> 'p'") as caught:
        proto_of(ring[0], *ring)
    assert caught.value.path == ("p", "q", "r", "p")


def test_a_diamond_of_extends_is_none():
    base = formula(CHAIN, "base")
    left, right = formula('extends = ["base"]', "left"), formula('extends = ["base"]', "right")
    assert [step.id for step in proto_of(formula('extends = ["left", "right"]'), base, left, right).steps] == [
        "a",
        "b",
        "c",
    ]


def test_a_parent_that_is_not_here_is_named_with_what_helps():
    with pytest.raises(CookError, match="is made with 'gone', which is not installed here") as caught:
        proto_of(formula('extends = ["gone"]'))
    assert "mmpm install gone" in caught.value.remedy


# control flow


def test_a_counted_loop_is_its_rounds_one_after_the_other():
    proto = proto_of(
        formula("""
        [[steps]]
        id = "before"
        [[steps]]
        id = "loop"
        needs = ["before"]
        loop = {count = 2, body = [{id = "try", title = "Try {i}"}, {id = "look", needs = ["try"]}]}
        [[steps]]
        id = "after"
        needs = ["loop"]
        """)
    )
    assert needs_of(proto) == {
        "before": [],
        "loop.iter1.try": ["before"],
        "loop.iter1.look": ["loop.iter1.try"],
        "loop.iter2.try": ["before", "loop.iter1.look"],
        "loop.iter2.look": ["loop.iter2.try"],
        "after": ["loop.iter2.look"],
    }
    assert [step.title for step in proto.steps if "try" in step.id] == ["Try 1", "Try 2"]


def test_a_range_is_worked_out_with_variables_and_names_its_rounds():
    text = formula("""
    vars = {disks = "2"}
    [[steps]]
    id = "m"
    loop = {range = "0..2^{disks}-1", var = "n", body = [{id = "move", title = "Move {n}"}]}
    """)
    assert [step.title for step in proto_of(text).steps] == ["Move 0", "Move 1", "Move 2", "Move 3"]
    assert len(proto_of(text, values={"disks": "3"}).steps) == 8


def test_loops_in_loops_and_their_numbers():
    proto = proto_of(
        formula("""
        [[steps]]
        id = "o"
        [steps.loop]
        range = "1..2"
        var = "x"
        [[steps.loop.body]]
        id = "p"
        loop = {range = "1..{x}", var = "y", body = [{id = "s", title = "{x}{y}"}]}
        """)
    )
    assert [(step.id, step.title) for step in proto.steps] == [
        ("o.iter1.p.iter1.s", "11"),
        ("o.iter2.p.iter1.s", "21"),
        ("o.iter2.p.iter2.s", "22"),
    ]
    assert needs_of(proto)["o.iter2.p.iter1.s"] == ["o.iter1.p.iter1.s"]


def test_a_loop_until_stands_once_and_says_so():
    (step,) = proto_of(
        formula("""
        [[steps]]
        id = "l"
        loop = {until = "step.status == 'complete'", max = 3, body = [{id = "s"}]}
        """)
    ).steps
    assert step.labels == ("""loop:{"max":3,"until":"step.status == 'complete'"}""",)


def test_branches_fork_and_join_and_gates_stand_before_steps():
    proto = proto_of(
        formula("""
        steps = [{id = "a"}, {id = "b"}, {id = "c"}, {id = "d", gate = {type = "human"}}]
        [compose]
        branch = [{from = "a", steps = ["b", "c"], join = "d"}]
        gate = [{before = "d", condition = "b.status == 'complete'"}]
        """)
    )
    assert needs_of(proto) == {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
    assert (proto.steps[3].gate.kind, proto.steps[3].gate.condition) == ("human", "b.status == 'complete'")


def test_a_fan_out_gate_waits_for_a_named_spawner_else_for_the_first_need():
    proto = proto_of(
        formula("""
        steps = [{id = "s"}, {id = "t", needs = ["s"], waits_for = "any-children"}, {id = "u", waits_for = "children-of(s)"}]
        """)
    )
    assert proto.steps[1].waits_for == (WaitsFor("any-children", "s"),)
    assert proto.steps[2].waits_for == (WaitsFor("all-children", "s"),)


# advice


def test_advice_stands_around_what_it_matches_and_pointcuts_narrow_it():
    aspect = formula(
        """
    type = "aspect"
    advice = [{target = "*", around = {before = [{id = "pre-{step.id}"}, {id = "pre2-{step.id}"}], after = [{id = "post-{step.id}", title = "{step.title}"}]}}]
    pointcuts = [{glob = "b"}, {label = "risky"}]
    """,
        "audit",
    )
    text = 'steps = [{id = "a"}, {id = "b", title = "B", needs = ["a"]}, {id = "c", needs = ["b"]}]\ncompose = {aspects = ["audit"]}'
    proto = proto_of(formula(text), aspect)
    assert needs_of(proto) == {
        "a": [],
        "pre-b": [],
        "pre2-b": ["pre-b"],
        "b": ["a", "pre2-b"],
        "post-b": ["b"],
        "c": ["b"],
    }
    assert proto.steps[4].title == "B"


def test_advice_after_a_parent_comes_after_its_children_and_not_on_what_it_put_in():
    proto = proto_of(
        formula("""
        advice = [{target = "*", after = {id = "{step.id}-done"}}]
        [[steps]]
        id = "p"
        children = [{id = "q"}]
        """)
    )
    assert [step.id for step in proto.steps] == ["p", "p.q", "p.q-done", "p-done"]


# expansions


def test_an_expanded_step_hands_on_what_it_waited_for_and_who_waited_for_it():
    text = CHAIN.replace('{id = "b", title = "B"', '{id = "b", title = "B", description = "why", condition = "{{go}}"')
    proto = proto_of(
        formula(text + '\n[compose]\nexpand = [{target = "b", with = "rule", vars = {depth = "7"}}]'), FIVE
    )
    assert needs_of(proto) == {"a": [], "b.draft": ["a"], "b.refine": ["b.draft"], "c": ["b.refine"]}
    draft = proto.steps[1]
    assert draft.title == "Draft B to depth 7, {{open}}"
    assert draft.description == "why"
    assert [step.condition for step in proto.steps] == ["", "{{go}}", "{{go}}", ""]
    assert [variable.name for variable in proto.variables] == ["depth"]


def test_expand_in_place_does_the_same():
    text = CHAIN.replace('{id = "b", title = "B"', '{id = "b", title = "B", expand = "rule"')
    assert needs_of(proto_of(formula(text), FIVE))["c"] == ["b.refine"]


def test_a_map_takes_all_that_match_in_the_files_order():
    proto = proto_of(formula(CHAIN + '\n[compose]\nmap = [{select = "[ab]", with = "rule"}]'), FIVE)
    assert needs_of(proto) == {
        "a.draft": [],
        "a.refine": ["a.draft"],
        "b.draft": ["a.refine"],
        "b.refine": ["b.draft"],
        "c": ["b.refine"],
    }


def test_bond_points_follow_an_expanded_step():
    body = '\n[compose]\nexpand = [{target = "b", with = "rule"}]\nbond_points = [{id = "p", after_step = "b"}, {id = "q", before_step = "b"}]'
    points = proto_of(formula(CHAIN + body), FIVE).attributes["bond_points"]
    assert points == [{"id": "p", "after_step": "b.refine"}, {"id": "q", "before_step": "b.draft"}]


# conditions and variables


@pytest.mark.parametrize(
    ("condition", "value", "stays"),
    [
        ("{{v}}", "yes", True),
        ("{{v}}", "No", False),
        ("{{v}}", "0", False),
        ("!{{v}}", "off", True),
        ("!{{v}}", "x", False),
        ("{{v}} == fast", "fast", True),
        ("{{v}} == 'fast'", "fast", True),
        ("{{v}} != fast", "fast", False),
        ("{{v}}==a b", "a b", True),
    ],
)
def test_a_condition_keeps_a_step_or_not_and_the_chain_closes(condition, value, stays):
    body = (
        f'steps = [{{id = "a"}}, {{id = "b", needs = ["a"], condition = "{condition}"}}, {{id = "c", needs = ["b"]}}]'
    )
    proto = bound_of(formula(body), v=value).proto
    assert needs_of(proto) == ({"a": [], "b": ["a"], "c": ["b"]} if stays else {"a": [], "c": ["a"]})
    assert all(not step.condition for step in proto.steps)


def test_values_are_put_into_root_and_steps_and_what_is_missing_is_named():
    text = formula("""
    vars = {title = "T {{who}}", who = {required = true}, idle = {required = true}}
    steps = [{id = "a", title = "for {{who}}", notes = "{{who}} {{other}}", gate = {type = "gh:run", id = "{{who}}"}}]
    """)
    found = bound_of(text, who="me", other="{{who}}")
    assert found.proto.title == "T {{who}}"
    assert found.proto.steps[0].title == "for me"
    assert found.proto.steps[0].notes == "me {{who}}"
    assert found.proto.steps[0].gate.id == "me"
    with pytest.raises(VariablesRefusedError, match="who has no value"):
        bound_of(text)


def test_a_step_that_goes_asks_for_no_values():
    text = formula(
        'vars = {deep = {required = true}, on = "no"}\nsteps = [{id = "a", title = "{{deep}}", condition = "{{on}}"}, {id = "b"}]'
    )
    assert [step.id for step in bound_of(text).proto.steps] == ["b"]


# overlays


def test_an_overlay_replaces_appends_and_skips_and_says_what_is_stale():
    overlay = parse_overlay(
        b"""
        step-overrides = [
          {step_id = "a", mode = "replace", description = "R"},
          {step_id = "c", mode = "append", description = "more"},
          {step_id = "b", mode = "skip"},
          {step_id = "gone", mode = "skip"},
        ]
        """,
        "x.toml",
        Source("overlay of town", "", "sha256:" + "0" * 64, "overlay"),
    )
    result = cooked(formula(CHAIN), overlays=(overlay,))
    assert [(step.id, step.description, step.needs) for step in result.proto.steps] == [
        ("a", "R", ()),
        ("c", "\nmore", ("a",)),
    ]
    assert result.notes == ("overlay of town: there is no step 'gone' to override",)
    assert [source.origin for source in result.proto.sources] == ["file", "overlay"]


@pytest.mark.parametrize(
    "text", [b'step-overrides = [{mode = "skip"}]', b'step-overrides = [{step_id = "a", mode = "burn"}]']
)
def test_an_overlay_that_is_none_is_refused(text):
    with pytest.raises(FormulaInvalidError, match="step-overrides"):
        parse_overlay(text, "x.toml", Source("o", "", "", "overlay"))


# what cannot be cooked


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('steps = [{id = "a", needs = ["b"]}, {id = "b", needs = ["a"]}]', "'a' -> 'b' -> 'a'"),
        ('steps = [{id = "a", needs = ["gone"]}]', "'a' needs 'gone': there is no step 'gone'"),
        ('steps = [{id = "a"}, {id = "a"}]', "two steps have the id 'a'"),
        ('steps = [{id = "a", children = [{id = "a"}]}]', "two steps have the id 'a'"),
        ('steps = [{id = "p", children = [{id = "c"}]}, {id = "p.c"}]', "two steps have the id 'p.c'"),
        ('steps = [{title = "x"}]', r"steps\[0\].id: this step has no id"),
        ('steps = [{id = "a b"}]', "cannot be a step's id"),
        ('steps = [{id = "../a"}]', "cannot be a step's id"),
        ('steps = [{id = "{target}.a"}]', "a placeholder in it was not filled"),
        ('steps = [{id = "a", waits_for = "all-children"}]', "waits for all-children of nobody"),
        ('steps = [{id = "a", waits_for = "some"}]', "none of all-children"),
        ('steps = [{id = "a", waits_for = "children-of(b)"}]', "there is no step 'b'"),
        ('steps = [{id = "a", priority = 9}]', "a priority is a number from 0"),
        ('steps = [{id = "a", condition = "go"}]', "'go' is no condition"),
        ('steps = [{id = "a", expand = "rule", children = [{id = "b"}]}]', "has children that would be lost"),
        ('steps = [{id = "a", loop = {count = 2}}]', "a loop has a body"),
        ('steps = [{id = "a", loop = {body = [{id = "b"}]}}]', "one of count, until and range"),
        ('steps = [{id = "a", loop = {range = "3..1", body = [{id = "b"}]}}]', "before it starts"),
        ('steps = [{id = "a", loop = {range = "1..{n}", body = [{id = "b"}]}}]', "is not understood"),
        ('steps = [{id = "a", loop = {until = "x", max = 2, body = [{id = "b"}]}}]', "no condition such as"),
        (
            'steps = [{id = "a"}]\ncompose = {expand = [{target = "b", with = "rule"}]}',
            "names 'b', and there is no such step",
        ),
        (
            'steps = [{id = "a"}]\ncompose = {expand = [{target = "a", with = "base"}]}',
            "is a workflow and no expansion",
        ),
        ('steps = [{id = "a"}]\ncompose = {aspects = ["base"]}', "'base', which is a workflow"),
        ('steps = [{id = "a"}]\ncompose = {branch = [{from = "a", steps = ["b"], join = "a"}]}', "no such step"),
        ('steps = [{id = "a"}]\ncompose = {gate = [{before = "b", condition = "a.b == c"}]}', "no such step"),
        ('phase = "solid"\nsteps = [{id = "a"}]', "neither liquid nor vapor"),
        ('steps = [{id = "a"}]\n[vars.x]\npattern = "("', "vars.x.pattern"),
    ],
)
def test_what_cannot_be_cooked_says_why(body, words):
    with pytest.raises(CookError, match=words):
        proto_of(formula(body), FIVE, formula(CHAIN, "base"))


def test_a_proto_that_was_cooked_is_read_back():
    proto = proto_of(formula(CHAIN + '\n[compose]\nexpand = [{target = "b", with = "rule"}]'), FIVE)
    assert Proto.parse(proto.to_bytes()) == proto


def test_the_seeds_form_is_cooked_as_well():
    text = '[formula]\nname = "mol-x"\nversion = "4.0.0"\ndescription = "d"\n[[steps]]\nid = "a"\n'
    proto = cook(ingredient(text), {}.get).proto
    assert (proto.name, proto.version, proto.description) == ("mol-x", "4.0.0", "d")
