"""The life of a molecule, verb by verb."""

from __future__ import annotations

from dataclasses import replace

import pytest
from molecule_lives import ANN, ARM, PATROL, REVIEW, SHA, Life, linear

from mmpm.errors import VariablesRefusedError
from mmpm.molecule import bonding
from mmpm.molecule.answers import Refusal, Stamp
from mmpm.molecule.arranging import compound
from mmpm.molecule.bonding import Bond
from mmpm.molecule.proto import Proto
from mmpm.molecule.readiness import Outcome, ready, why_blocked
from mmpm.molecule.state import fold
from mmpm.molecule.steps import Gate, Step, WaitsFor
from mmpm.molecule.transitions import TRANSITIONS, next_state


def ids(life, now="2026-01-10T15:30:00Z", others=None):
    return [step.id for step in ready(life.now, now, others)]


def test_a_mol_and_a_wisp_are_named_by_prefix_phase_and_eight_letters():
    mol, wisp = Life(REVIEW).now, Life(REVIEW, phase="wisp").now
    assert mol.id.startswith("gt-mol-")
    assert len(mol.id) == len("gt-mol-") + 8
    assert wisp.id.startswith("gt-wisp-")
    assert (mol.phase, wisp.phase) == ("mol", "wisp")


def test_another_nonce_is_another_molecule():
    one, other = (bonding.pour(Bond(REVIEW), "gt", nonce, ANN) for nonce in ("1", "2"))
    assert one.id != other.id
    assert one.id == bonding.pour(Bond(REVIEW), "gt", "1", ANN).id


def test_values_are_put_into_title_description_and_children_with_defaults():
    assert Life(REVIEW).now.title == "Review of src/"
    assert Life(REVIEW, scope="lib/").now.steps["discovery.files"].step.title == "Files of lib/"


def test_a_missing_value_is_refused_by_its_name():
    with pytest.raises(VariablesRefusedError, match="polecat"):
        bonding.pour(Bond(ARM), "gt", "n", ANN)


def test_a_dimension_is_swapped_and_its_edges_stay():
    other = replace(linear("one", "two"), name="mol-other", title="Other")
    life = Life.__new__(Life)
    life.lines = [bonding.pour(Bond(REVIEW, swaps={"discovery": other}), "gt", "n", ANN).line]
    assert [one for one in life.now.steps if one.startswith("discovery")] == [
        "discovery",
        "discovery.one",
        "discovery.two",
    ]
    assert ids(life) == ["discovery.one"]
    life.close("discovery.one", "discovery.two")
    assert ids(life) == ["security"]


def test_a_dimension_that_is_left_out_hands_its_needs_on():
    life = Life.__new__(Life)
    life.lines = [bonding.pour(Bond(REVIEW, without=("security", "repair")), "gt", "n", ANN).line]
    assert life.now.steps["synthesis"].needs == ("discovery",)


def test_a_step_to_leave_out_that_is_not_there_is_refused_with_those_that_are():
    refused = bonding.pour(Bond(REVIEW, without=("nope",)), "gt", "n", ANN)
    assert isinstance(refused, Refusal)
    assert "discovery, security" in refused.reason


def test_children_run_in_parallel_and_their_parent_ends_with_the_last_of_them():
    life = Life(REVIEW)
    assert ids(life) == ["discovery.files", "discovery.deps"]
    assert {step.group for step in ready(life.now, ANN.at)} == {"discovery"}
    life.close("discovery.files")
    assert life.now.steps["discovery"].state == "open"
    life.close("discovery.deps")
    assert life.now.steps["discovery"].state == "closed"
    assert ids(life) == ["security"]


def test_a_parent_that_somebody_started_is_theirs_to_close():
    life = Life(REVIEW)
    life.do("start", "discovery")
    life.close("discovery.files", "discovery.deps")
    assert life.now.steps["discovery"].state == "in_progress"
    life.close("discovery")
    assert ids(life) == ["security"]


def test_a_step_that_waits_can_neither_be_started_nor_closed():
    life = Life(REVIEW)
    for verb, more in (("start", ()), ("close", ("done",))):
        refused = life.ask(verb, "security", *more)
        assert isinstance(refused, Refusal)
        assert "it needs 'discovery'" in refused.reason


def test_a_parent_with_open_children_is_not_closed():
    assert "2 children" in Life(REVIEW).ask("close", "discovery", "done").reason


def test_what_runs_only_after_a_failure_is_skipped_where_there_was_none():
    life = Life(REVIEW)
    life.close("discovery.files", "discovery.deps", "security")
    assert life.now.steps["repair"].state == "skipped"
    assert ids(life) == ["synthesis"]


@pytest.mark.parametrize("word", ["failed", "Rejected: style", "wontfix", "canceled", "timeout", "an ERROR"])
def test_what_runs_only_after_a_failure_runs_where_the_reason_says_one(word):
    life = Life(REVIEW)
    life.close("discovery.files", "discovery.deps")
    life.close("security", reason=word)
    assert ids(life) == ["repair"]


def test_an_arm_is_named_below_the_molecule_and_is_of_its_phase():
    life = Life(PATROL, phase="wisp")
    made = life.do("attach", "", Bond(ARM, {"polecat": "ace"}), ref="arm-{{polecat}}")
    assert life.now.full_id(made.step) == f"{life.now.id}.arm-ace"
    assert f"{life.now.id}.arm-ace.load" in [life.now.full_id(one) for one in life.now.steps]
    assert life.now.steps["arm-ace.load"].step.title == "Load ace"


def test_a_reference_is_taken_once_and_has_no_odd_characters():
    life = Life(PATROL)
    life.arm("ace")
    for ref in ("ace", "a b", "../x", "-x", "ä"):
        assert isinstance(life.ask("attach", "", Bond(ARM, {"polecat": "x"}), ref=ref), Refusal)


def test_arms_run_in_parallel_and_the_fan_out_gate_waits_for_all_of_them():
    life = Life(PATROL)
    life.close("inbox")
    life.do("start", "survey")
    for name in ("ace", "nux"):
        life.arm(f"arm-{name}")
    assert ids(life) == ["arm-ace.load", "arm-nux.load"]
    life.close("survey", "arm-ace.load", "arm-ace.check", "arm-nux.load")
    assert life.now.steps["arm-ace"].state == "closed"
    assert "1 of the 2 children" in str(why_blocked(life.now, "aggregate", ANN.at)[0])
    life.close("arm-nux.check")
    assert ids(life) == ["aggregate"]


def test_arms_below_the_spawner_itself_count_alike():
    life = Life(PATROL)
    life.close("inbox")
    life.arm("ace", parent="survey")
    life.close("survey")
    assert ids(life) == ["survey.ace.load"]
    life.close("survey.ace.load", "survey.ace.check")
    assert ids(life) == ["aggregate"]


def test_a_gate_is_closed_before_the_fan_out_also_with_no_children():
    life = Life(PATROL)
    assert ids(life) == ["inbox"]
    life.close("inbox")
    assert "aggregate" not in ids(life)
    life.close("survey")
    assert ids(life) == ["aggregate"]


def test_any_child_opens_a_gate_over_any():
    proto = Proto(
        "mol-any", title="Any", steps=(Step("s", "s"), Step("w", "w", waits_for=(WaitsFor("any-children", "s"),)))
    )
    life = Life(proto)
    leaf = replace(ARM, steps=(), name="leaf")
    for name in ("a", "b"):
        life.arm(name, parent="s", proto=replace(leaf, title="leaf", variables=()))
    life.close("s")
    assert "w" not in ids(life)
    life.close("s.b")
    assert "w" in ids(life)


def test_an_arm_comes_too_late_once_nothing_waits_for_it():
    life = Life(PATROL)
    life.close("inbox", "survey", "aggregate")
    assert isinstance(life.ask("attach", "survey", Bond(ARM, {"polecat": "x"}), ref="x"), Refusal)


def test_an_arm_without_a_reference_waits_for_what_is_there():
    life = Life(linear("a"))
    life.arm("", proto=linear("z"))
    assert ids(life) == ["a"]
    life.close("a")
    assert ids(life) == ["mol-linear.z"]


def test_a_human_gate_stays_closed_until_somebody_opens_it():
    life = Life(linear("a", gate=Gate("human", "ann")))
    assert ids(life) == []
    assert "human gate" in str(why_blocked(life.now, "a", ANN.at)[0])
    life.do("open_gate", "a", "looked at")
    assert ids(life) == ["a"]
    assert isinstance(life.ask("open_gate", "a", ""), Refusal)


def test_a_timer_runs_from_the_end_of_what_it_waited_for():
    proto = Proto(
        "mol-t", title="T", steps=(Step("a", "a"), Step("b", "b", needs=("a",), gate=Gate("timer", timeout="30m")))
    )
    life = Life(proto)
    life.do("close", "a", "done", stamp=Stamp("2026-01-10T16:00:00Z", "x"))
    assert ids(life, "2026-01-10T16:29:59Z") == []
    assert ids(life, "2026-01-10T16:30:00Z") == ["b"]
    assert "until 2026-01-10T16:30:00Z" in str(why_blocked(life.now, "b", "2026-01-10T16:29:59Z")[0])


def test_a_molecule_waits_for_the_one_it_is_bonded_after():
    life = Life(linear("a"))
    life.do("connect", "gt-mol-other", "sequential", {})
    assert ids(life) == []
    assert ids(life, others={"gt-mol-other": Outcome(is_over=True)}) == ["a"]


def test_a_conditional_molecule_runs_only_if_the_other_fails():
    life = Life(linear("a"))
    life.do("connect", "gt-mol-other", "conditional", {})
    assert ids(life, others={"gt-mol-other": Outcome(is_over=True)}) == []
    assert ids(life, others={"gt-mol-other": Outcome(is_over=True, has_failed=True)}) == ["a"]


def test_molecules_that_would_wait_for_each_other_are_refused_with_the_way():
    life = Life(linear("a"))
    own = life.now.id
    refused = life.ask("connect", "b", "sequential", {"b": ("c",), "c": (own,)})
    assert f"{own} -> b -> c -> {own}" in refused.reason
    assert isinstance(life.ask("connect", own, "sequential", {}), Refusal)


def test_steps_that_would_wait_for_each_other_are_refused():
    life = Life(linear("a", "b"))
    assert "a" in life.ask("order", "a", "b", "sequential").reason
    life = Life(Proto("p", title="p", steps=(Step("a", "a"), Step("b", "b"))))
    life.do("order", "a", "b", "sequential")
    assert ids(life) == ["b"]


def test_a_parent_that_waits_ends_not_with_its_last_child_but_when_nothing_holds_it():
    life = Life(Proto("p", title="p", steps=(Step("a", "a"), Step("a.b", "b", parent="a"), Step("c", "c"))))
    life.do("start", "a.b")
    life.do("order", "a", "c", "sequential")
    life.close("a.b")
    assert life.now.steps["a"].state == "open"
    assert ids(life) == ["c"]
    life.close("c")
    assert life.now.steps["a"].state == "closed"
    assert ids(life) == []


def test_a_parent_that_was_started_meanwhile_ends_by_hand_alone():
    life = Life(Proto("p", title="p", steps=(Step("a", "a"), Step("a.b", "b", parent="a"), Step("c", "c"))))
    life.do("start", "a")
    life.close("a.b", "c")
    assert life.now.steps["a"].state == "in_progress"


def test_parents_that_waited_for_each_other_end_in_one_line_whatever_their_order():
    """Each of three waits for the one behind it, and the last one for the step that ends."""
    parents = ("p1", "p2", "p3")
    steps = [step for one in parents for step in (Step(one, one), Step(f"{one}.in", "in", parent=one))]
    life = Life(Proto("p", title="p", steps=(*steps, Step("go", "go"))))
    for one in parents:
        life.do("start", f"{one}.in")
    for one, other in zip(parents, (*parents[1:], "go"), strict=True):
        life.do("order", one, other, "sequential")
    life.close(*(f"{one}.in" for one in parents))
    assert [life.now.steps[one].state for one in parents] == ["open"] * 3
    change = life.do("close", "go", "done")
    assert [event.step for event in change.line.events] == ["go", "p3", "p2", "p1"]


def test_what_is_below_a_started_step_waits_with_those_above_it():
    life = Life(Proto("p", title="p", steps=(Step("a", "a"), Step("a.b", "b", parent="a"), Step("c", "c"))))
    life.arm("arm", parent="a.b", proto=linear("load"))
    life.do("start", "a.b.arm")
    life.do("order", "a", "c", "sequential")
    assert ids(life) == ["c"]
    assert why_blocked(life.now, "a.b.arm.load", ANN.at)


@pytest.mark.parametrize(("verb", "operands"), [("squash", ("done", {})), ("burn", ("no use",))])
def test_nothing_happens_after_a_molecule_has_ended(verb, operands):
    life = Life(PATROL)
    life.do(verb, *operands)
    assert ids(life) == []
    for later, more in (("start", ("inbox",)), ("close", ("inbox", "")), ("squash", ("", {})), ("burn", ("",))):
        assert isinstance(life.ask(later, *more), Refusal)
    assert isinstance(life.ask("attach", "", Bond(ARM, {"polecat": "x"}), ref="x"), Refusal)


def test_two_protos_make_a_compound_that_runs_one_after_the_other():
    made = compound(linear("a"), REVIEW)
    assert made.title == "Compound: mol-linear + mol-code-review"
    life = Life(made)
    assert ids(life) == ["mol-linear.a"]
    life.close("mol-linear.a")
    assert ids(life) == ["mol-code-review.discovery.files", "mol-code-review.discovery.deps"]


def test_the_table_names_every_state_and_its_ends_have_no_way_out():
    assert {state for state, _ in TRANSITIONS} == {"none", "flowing", "open", "in_progress"}
    for state in ("squashed", "burned", "closed", "skipped"):
        assert not [verb for _, verb in TRANSITIONS if next_state(state, verb)]


def test_lines_that_do_not_fit_are_left_out_and_said():
    life = Life(linear("a"))
    life.close("a")
    twice = fold([*life.lines, life.lines[-1], life.lines[0]])
    assert twice.steps == life.now.steps
    assert len(twice.problems) == 2
    assert "'a' is closed" in twice.problems[0]


def test_a_digest_says_what_happened():
    life = Life(PATROL)
    life.close("inbox")
    digest = life.do("squash", "All is well", {"name": "mol-witness-patrol"}).digest
    assert digest.title == "Digest: Witness patrol"
    assert digest.provenance.checksum == SHA
    assert digest.summary == "All is well"
    assert [one.state for one in digest.outcomes] == ["closed", "open", "open", "open"]
    assert digest.lines() == (
        "Polecat: beads/amber",
        "Formula: mol-witness-patrol@2.1.0",
        "Completed: 2026-01-10T15:30:00Z",
        "Capabilities exercised:",
        "- patrol (primary)",
        "- go (secondary)",
    )


def test_an_arm_that_would_wait_for_a_failure_that_cannot_come_any_more_is_refused():
    life = Life(PATROL)
    life.close("inbox")
    last = life.now.children[""][-1]  # what a conditional arm waits for
    while life.now.steps[last].state != "closed":
        life.close(ids(life)[0])
    refused = life.ask("attach", "", Bond(ARM, {"polecat": "ace"}), ref="late", connection="conditional")
    assert isinstance(refused, Refusal)
    assert f"'{last}' has ended without failing: 'late' would never run" in refused.reason


def test_two_steps_are_ordered_once():
    life = Life(Proto("p", title="p", steps=(Step("a", "a"), Step("b", "b", needs=("a",)))))
    assert life.ask("order", "b", "a", "sequential").reason == "'b' needs 'a' already"
    life.do("order", "b", "a", "conditional")
    assert life.ask("order", "b", "a", "conditional").reason == "'b' waits for the failure of 'a' already"


def test_a_reference_that_is_too_long_is_told_how_long_it_may_be():
    refused = bonding.pour(Bond(REVIEW), "gt", "n", ANN, ref="a" * 190)
    assert refused.reason.endswith("it has more than 121 characters")
    assert not isinstance(bonding.pour(Bond(REVIEW), "gt", "n", ANN, ref="a" * 121), Refusal)


@pytest.mark.parametrize(
    ("swapped", "left_out", "said"),
    [
        (("tactical",), ("tactical.security",), "'tactical.security' goes with 'tactical', which is swapped"),
        (("tactical.security",), ("tactical",), "'tactical.security' goes with 'tactical', which is left out"),
        (("tactical.security", "tactical"), (), "'tactical.security' goes with 'tactical', which is swapped"),
        (("tactical",), ("tactical",), "'tactical' is swapped and left out: it can be one of them"),
    ],
)
def test_what_goes_with_another_step_is_neither_swapped_nor_left_out(swapped, left_out, said):
    steps = (Step("tactical", "Tactical"), Step("tactical.security", "Security", parent="tactical"), Step("b", "B"))
    bond = Bond(Proto("p", title="p", steps=steps), swaps=dict.fromkeys(swapped, linear("x")), without=left_out)
    assert bonding.pour(bond, "gt", "n", ANN).reason == said


def test_a_step_may_be_left_out_with_the_one_above_it():
    steps = (Step("tactical", "Tactical"), Step("tactical.security", "Security", parent="tactical"), Step("b", "B"))
    bond = Bond(Proto("p", title="p", steps=steps), without=("tactical.security", "tactical"))
    assert list(fold([bonding.pour(bond, "gt", "n", ANN).line]).steps) == ["b"]
