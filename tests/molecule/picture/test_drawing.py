"""Trees of molecules in the terminal: the seed's look, states, and bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import ARM, AT, PATROL, REVIEW, Life, linear

from mmpm.molecule.beads.catalogue import Layer, load
from mmpm.molecule.digest import digest_of
from mmpm.molecule.picture.charting import of_catalogue, of_digest, of_molecule, of_proto
from mmpm.molecule.picture.drawing import DEEPEST, draw, draw_waves
from mmpm.molecule.picture.wrapping import columns, one_line
from mmpm.molecule.proto import Proto
from mmpm.molecule.steps import Gate, Step, WaitsFor

MARKS = {"open": "○ ", "ready": "○ ", "in_progress": "◐ ", "closed": "● ", "failed": "✗ ", "skipped": "⊘ "}


def text(lines):
    """Give lines as a terminal would show them."""
    shown = []
    for line in lines:
        stem = "".join("    " if last else "│   " for last in line.lasts[:-1])
        stem += ("└── " if line.lasts[-1] else "├── ") if line.lasts else ""
        words = "".join(piece for piece, _ in line.pieces)
        shown.append(f"{stem}{MARKS.get(line.standing, '')}{words}")
    return shown


def chart_of(life):
    return of_molecule(life.now, AT)


def forest(draw_parents):
    """A proto whose step number n stands below the step that `draw_parents[n]` names, if any."""
    steps = []
    for number, parent in enumerate(draw_parents):
        above = f"s{parent}" if parent is not None and parent < number else ""
        steps.append(Step(f"s{number}", f"Step {number}", parent=above))
    return Proto("mol-forest", "1.0.0", steps=tuple(steps))


FORESTS = st.lists(st.none() | st.integers(0, 30), max_size=40).map(forest)


@given(FORESTS)
def test_every_step_has_one_line_below_its_parent(proto):
    lines = list(draw(of_proto(proto), None))[1:]
    assert len(lines) == len(proto.steps)
    depth = {"": 0}
    for step in proto.steps:
        depth[step.id] = depth[step.parent] + 1
    path = {0: ""}
    for line in lines:
        step = next(one for one in proto.steps if one.id == line.pieces[0][0])
        assert len(line.lasts) == depth[step.id]
        assert path[len(line.lasts) - 1] == step.parent
        path[len(line.lasts)] = step.id


@given(FORESTS, st.integers(3, 20))
def test_a_tree_that_is_cut_says_how_many_steps_it_leaves_out(proto, most):
    lines = list(draw(of_proto(proto), most))[1:]
    left = sum(int(words[0][0].split()[0][1:]) for line in lines if (words := line.pieces)[0][0].startswith("("))
    shown = sum(1 for line in lines if line.standing)
    assert shown + left == len(proto.steps)
    assert len(lines) <= most + 2


@given(FORESTS)
def test_the_last_of_its_siblings_alone_ends_their_line(proto):
    children = {}
    for step in proto.steps:
        children.setdefault(step.parent, []).append(step.id)
    for line in list(draw(of_proto(proto), None))[1:]:
        step = next(one for one in proto.steps if one.id == line.pieces[0][0])
        assert line.lasts[-1] == (children[step.parent][-1] == step.id)


def test_a_template_is_drawn_as_in_the_seed():
    assert text(draw(of_proto(REVIEW))) == [
        "mol-code-review (workflow)",
        '├── discovery (parallel) "Discovery"',
        '│   ├── files "Files of {{scope}}"',
        '│   └── deps "Dependencies"',
        '├── security "Security" Needs: .discovery',
        '├── repair "Repair" IfFailed: .security',
        '└── synthesis "Synthesis" Needs: .security, .repair',
    ]


def test_numbered_steps_are_named_whole_as_in_the_seed():
    catalogue = load(
        [
            Layer(
                "user",
                "x",
                b'{"id":"mol-e","title":"E","issue_type":"epic","labels":["template"]}\n'
                b'{"id":"mol-e.1","title":"Design"}\n'
                b'{"id":"mol-e.2","title":"Implement","dependencies":[{"depends_on_id":"mol-e.1","type":"blocks"}]}\n',
            )
        ]
    )
    assert text(draw(of_catalogue(catalogue, "mol-e"))) == [
        "mol-e (epic)",
        '├── mol-e.1 "Design"',
        '└── mol-e.2 "Implement" Needs: .1',
    ]


def test_gates_and_conditions_are_said():
    proto = Proto(
        "mol-g",
        steps=(
            Step("a", "A", gate=Gate("human", "approval", "30m")),
            Step("b", "B", needs=("a",), condition="{{mode}} == fast"),
            Step("c", "C", waits_for=(WaitsFor("any-children", "b"),)),
        ),
    )
    assert text(draw(of_proto(proto)))[1:] == [
        '├── a "A" Gate: human approval 30m',
        '├── b "B" Needs: .a If: {{mode}} == fast',
        '└── c "C" WaitsFor: any-children of .b',
    ]


def test_a_running_patrol_shows_states_arms_and_what_each_step_waits_for():
    life = Life(PATROL)
    life.close("inbox")
    life.do("start", "survey")
    life.arm("arm-ace")
    life.arm("arm-nux")
    life.close("arm-ace.load", reason="failed: no answer")
    life.do("start", "arm-nux.load")
    assert text(draw(chart_of(life))) == [
        f"{life.now.id} (mol)",
        '├── ● inbox "Inbox"',
        f'├── ◐ survey "Survey" by beads/amber since {AT}',
        '├── ○ aggregate "Aggregate" WaitsFor: all-children of .survey',
        '├── ○ summary "Summary" Needs: .aggregate',
        '├── ○ arm-ace (sequential, 1/2) "Arm arm-ace"',
        '│   ├── ✗ load "Load arm-ace" failed: no answer',
        '│   └── ○ check "Check" ready',
        '└── ○ arm-nux (sequential, 0/2) "Arm arm-nux"',
        f'    ├── ◐ load "Load arm-nux" by beads/amber since {AT}',
        '    └── ○ check "Check" Needs: .arm-nux.load',
    ]


def test_what_was_skipped_says_why():
    life = Life(REVIEW)
    life.close("discovery.files", "discovery.deps", "security")
    assert "├── ⊘ repair \"Repair\" 'security' did not fail" in text(draw(chart_of(life)))


def test_a_digest_shows_the_outcomes_of_all_steps():
    life = Life(PATROL)
    life.close("inbox", "survey")
    life.arm("arm-ace")
    digest = digest_of(life.now, "", {}, AT, "ann")
    assert text(draw(of_digest(digest)))[1:] == [
        '├── ● inbox "Inbox"',
        '├── ● survey "Survey"',
        '├── ○ aggregate "Aggregate"',
        '├── ○ summary "Summary"',
        '└── ○ arm-ace (0/2) "Arm arm-ace"',
        '    ├── ○ load "Load arm-ace"',
        '    └── ○ check "Check"',
    ]


def test_a_long_tree_shows_first_what_somebody_looks_for():
    steps = tuple(Step(f"s{number}", f"Step {number}") for number in range(500))
    life = Life(Proto("mol-wide", "1.0.0", title="Wide", steps=steps))
    life.close(*(f"s{number}" for number in range(0, 300, 10)))
    life.close("s77", reason="failed")
    life.do("start", "s450")
    lines = text(draw(chart_of(life), 20))
    assert len(lines) == 21
    assert any(line.startswith("├── ✗ s77 ") for line in lines)
    assert any(line.startswith("├── ◐ s450 ") for line in lines)
    assert lines[-1] == "└── (481 more: 451 ready, 30 closed)"
    assert len(text(draw(chart_of(life), None))) == 501


def test_a_chain_of_parents_of_any_depth_is_drawn_without_recursion():
    steps = [Step("s0", "0"), *(Step(f"s{number}", str(number), parent=f"s{number - 1}") for number in range(1, 5000))]
    chart = of_proto(Proto("mol-deep", steps=tuple(steps)))
    lines = list(draw(chart))
    assert len(lines) == DEEPEST + 2
    assert lines[-1].pieces[0][0] == f"({5000 - DEEPEST} more, deeper than 64 levels)"
    every = list(draw(chart, None))
    assert len(every) == 5001
    assert (len(every[-1].lasts), every[-1].deeper) == (DEEPEST, 5000 - DEEPEST)


def test_records_that_are_parents_of_each_other_are_drawn_once():
    catalogue = load(
        [
            Layer(
                "user",
                "x",
                b'{"id":"r","labels":["template"]}\n'
                b'{"id":"r.x","title":"A"}\n'
                b'{"id":"x","title":"B","dependencies":[{"depends_on_id":"r.x","type":"parent-child"}]}\n'
                b'{"id":"y","dependencies":[{"depends_on_id":"x","type":"parent-child"},{"depends_on_id":"z","type":"blocks"}]}\n'
                b'{"id":"z","dependencies":[{"depends_on_id":"y","type":"parent-child"}]}\n',
            )
        ]
    )
    assert text(draw(of_catalogue(catalogue, "r"))) == [
        "r (task)",
        '└── x (single) "A"',
        '    └── x#2 (single) "B"',
        "        └── y (single) Needs: .z",
        "            └── z",
    ]
    chart = of_catalogue(catalogue, "r")
    assert list(draw_waves(chart)) == []
    assert chart.circle() == "these steps wait for each other: 'y' -> 'z' -> 'y'"


def test_the_waves_are_the_steps_that_may_run_at_once():
    assert text(draw_waves(of_proto(REVIEW))) == [
        "Group 1 (2 at once)",
        '├── .discovery.files "Files of {{scope}}"',
        '└── .discovery.deps "Dependencies"',
        "Group 2",
        '└── .security "Security"',
        "Group 3",
        '└── .repair "Repair"',
        "Group 4",
        '└── .synthesis "Synthesis"',
    ]


def test_arms_run_after_what_they_hang_on():
    life = Life(PATROL)
    life.close("inbox")
    life.do("start", "survey")
    life.arm("arm-ace")
    groups = chart_of(life).work()
    assert groups == (
        ("inbox",),
        ("survey",),
        ("arm-ace.load",),
        ("arm-ace.check",),
        ("aggregate",),
        ("summary",),
    )


@pytest.mark.parametrize("most", [10, 50])
def test_long_lists_of_waves_are_cut(most):
    lines = text(draw_waves(of_proto(linear(*(f"s{number}" for number in range(100)))), most))
    assert len(lines) == most + 1
    assert lines[-1] == f"({100 - most // 2} more groups)"
    wide = Proto("mol-wide", steps=tuple(Step(f"s{number}") for number in range(100)))
    lines = text(draw_waves(of_proto(wide), most))
    assert len(lines) <= most + 1
    assert lines[-1].startswith("└── (")


def test_a_step_s_chart_is_what_is_below_it():
    life = Life(REVIEW)
    chart = chart_of(life).below("discovery", f"{life.now.id}.discovery")
    assert text(draw(chart)) == [
        f"{life.now.id}.discovery (mol)",
        '├── ○ files "Files of src/" ready',
        '└── ○ deps "Dependencies" ready',
    ]
    assert chart_of(life).below("security", "x").nodes == ()


def test_an_arm_has_a_proto_s_look_too():
    assert text(draw(of_proto(ARM)))[1:] == ['├── load "Load {{polecat}}"', '└── check "Check" Needs: .load']


@given(st.text(max_size=300), st.integers(4, 60))
def test_a_line_is_never_wider_than_it_may_be(title, most):
    line = one_line(title, most)
    assert columns(line) <= most + 3
    assert "\n" not in line


def test_wide_characters_count_as_two_and_accents_stay():
    assert columns("漢字") == 4
    assert one_line("漢字漢字", 5) == "漢字..."
    assert one_line("e\u0301e\u0301e\u0301", 2) == "e\u0301e\u0301..."
