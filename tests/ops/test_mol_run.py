"""Work on molecules as they lie on disk."""

from __future__ import annotations

import pytest
from molecule_front import fronts, running
from molecule_lives import ARM, PATROL, REVIEW, Life, linear
from molecule_town import put

from mmpm.errors import MoleculeNotHereError, MoleculeRefusedError, UsageError
from mmpm.execute.apply import apply
from mmpm.execute.install import end_change
from mmpm.molecule.proto import Proto
from mmpm.molecule.readiness import ready
from mmpm.molecule.steps import Gate, Step, WaitsFor
from mmpm.ops import mol_run
from mmpm.ops.mol_state import Workspace

FAN_OUT = {
    "for_each": "output.workers",
    "bond": "mol-polecat-arm",
    "vars": {"polecat": "{item.name}"},
}


@pytest.fixture
def town(site):
    return Town(site)


class Town:
    """A root whose molecules are worked on, read anew by every question."""

    def __init__(self, site):
        self.site = site
        self.root = site.root

    @property
    def workspace(self):
        return Workspace(self.site.context)

    def bond(self, proto, phase="mol", **values):
        return put(self.root, Life(proto, phase, **values))

    def do(self, verb, *operands, **named):
        workspace = self.workspace
        workspace.begin()
        try:
            work = getattr(mol_run, verb)(workspace, operands, **named)
            apply(workspace.context, work.plan)
        finally:
            end_change(workspace.context)
        return work

    def close(self, *operands, reason="done", **named):
        return self.do("close", *operands, reason=reason, **named)

    def now(self, molecule_id):
        return self.workspace.molecule(molecule_id)

    def ready(self, *operands):
        found, problems = fronts(self.workspace, operands)
        assert not problems
        return {front.head.id: [one.id for one in front.ready] for front in found}

    def lines(self, molecule_id, phase="mol"):
        with open(self.workspace.places.log(molecule_id, phase), "rb") as file:
            return file.read().splitlines()


def test_closing_a_step_releases_the_next(town):
    one = town.bond(linear("a", "b", "c"))
    assert town.ready() == {one: ["a"]}
    ran = town.close(f"{one}.a").ran[0]
    assert [step.id for step in ran.released] == ["b"]
    assert town.ready() == {one: ["b"]}
    assert not ran.is_done


def test_several_steps_of_a_molecule_are_one_line_and_each_is_decided_after_those_before_it(town):
    one = town.bond(linear("a", "b", "c"))
    work = town.close(f"{one}.a", f"{one}.b", f"{one}.c")
    assert len(work.plan.actions) == 1
    assert work.ran[0].is_done
    assert len(town.lines(one)) == 2


def test_nothing_is_written_where_one_of_the_steps_cannot_end(town):
    one, other = town.bond(linear("a", "b")), town.bond(REVIEW, scope="x")
    before = town.lines(one)
    with pytest.raises(MoleculeRefusedError, match="needs"):
        town.close(f"{one}.a", f"{other}.security")
    assert town.lines(one) == before


def test_a_step_that_ended_with_one_before_it_may_be_named(town):
    one = town.bond(REVIEW)
    ran = town.close(f"{one}.discovery.files", f"{one}.discovery.deps", f"{one}.discovery").ran[0]
    assert ran.asked == ("discovery.files", "discovery.deps")
    assert [(event.step, event.kind) for event in ran.followed] == [("discovery", "closed")]


def test_what_runs_only_after_a_failure_is_skipped_in_the_line_that_closes_its_cause(town):
    one = town.bond(REVIEW)
    town.close(f"{one}.discovery.files", f"{one}.discovery.deps")
    ran = town.close(f"{one}.security").ran[0]
    assert [(event.step, event.kind) for event in ran.followed] == [("repair", "skipped")]
    assert town.ready(one) == {one: ["synthesis"]}


def test_a_step_that_was_ended_before_is_refused_with_who_did_it(town):
    one = town.bond(linear("a", "b"))
    town.close(f"{one}.a", actor="ann")
    with pytest.raises(MoleculeRefusedError, match=r"'a' is closed \(by ann\)"):
        town.close(f"{one}.a")


def test_a_molecule_is_no_step_and_an_unknown_step_has_a_neighbour(town):
    one = town.bond(linear("first", "second"))
    with pytest.raises(UsageError, match="is a molecule"):
        town.close(one)
    with pytest.raises(MoleculeNotHereError, match=f"did you mean {one}.first"):
        town.close(f"{one}.frist")
    with pytest.raises(UsageError, match="no step"):
        town.close()


def test_a_gate_is_opened_by_hand_once(town):
    one = town.bond(Proto("p", title="P", steps=(Step("ask", "Ask", gate=Gate("human")),)))
    assert town.ready() == {one: []}
    work = town.do("open_gate", f"{one}.ask", reason="yes")
    assert [step.id for step in work.ran[0].released] == ["ask"]
    with pytest.raises(MoleculeRefusedError):
        town.do("open_gate", f"{one}.ask", reason="again")


def test_who_waits_for_a_molecule_is_told_of_when_that_ends(town):
    first, second = Life(linear("a")), Life(REVIEW)
    second.do("connect", first.now.id, "sequential", {})
    put(town.root, first)
    put(town.root, second)
    assert town.ready()[second.now.id] == []
    work = town.close(f"{first.now.id}.a")
    assert [(molecule.id, len(steps)) for molecule, steps in work.woken] == [(second.now.id, 2)]
    assert town.ready()[second.now.id] == ["discovery.files", "discovery.deps"]


def test_the_dry_run_of_an_end_that_others_wait_for_tells_of_them_too(town):
    first, second = Life(linear("a")), Life(REVIEW)
    second.do("connect", first.now.id, "sequential", {})
    put(town.root, first)
    put(town.root, second)
    work = mol_run.close(town.workspace, [f"{first.now.id}.a"], "done")
    assert [molecule.id for molecule, _ in work.woken] == [second.now.id]
    assert town.ready()[first.now.id] == ["a"]


def spawning(on_complete, *others):
    return Proto("mol-spawning", title="S", steps=(Step("survey", "Survey", on_complete=on_complete), *others))


GATE = Step("all", "All", waits_for=(WaitsFor("all-children", "survey"),))
WORKERS = {"workers": [{"name": "ace"}, {"name": "nux"}]}


def test_each_item_of_the_output_gets_an_arm_in_the_line_that_ends_the_step(town):
    one = town.bond(spawning(FAN_OUT, GATE))
    work = town.close(f"{one}.survey", output=WORKERS, proto_of={"mol-polecat-arm": ARM}.__getitem__)
    assert work.ran[0].bonded == ("survey.mol-polecat-arm-1", "survey.mol-polecat-arm-2")
    assert len(town.lines(one)) == 2
    now = town.now(one)
    assert now.steps["survey.mol-polecat-arm-2"].step.title == "Arm nux"
    assert town.ready(one) == {one: ["survey.mol-polecat-arm-1.load", "survey.mol-polecat-arm-2.load"]}
    assert not now.problems


def test_a_gate_over_an_empty_output_opens_with_the_end_of_the_step(town):
    one = town.bond(spawning(FAN_OUT, GATE))
    town.close(f"{one}.survey", output={"workers": []}, proto_of={"mol-polecat-arm": ARM}.__getitem__)
    assert town.ready(one) == {one: ["all"]}


def test_sequential_arms_wait_for_each_other(town):
    one = town.bond(spawning({**FAN_OUT, "sequential": True}, GATE))
    town.close(f"{one}.survey", output=WORKERS, proto_of=lambda _: ARM)
    assert town.ready(one) == {one: ["survey.mol-polecat-arm-1.load"]}
    arm = f"{one}.survey.mol-polecat-arm-1"
    town.close(f"{arm}.load", f"{arm}.check", arm)
    assert town.ready(one) == {one: ["survey.mol-polecat-arm-2.load"]}


def test_arms_that_no_gate_waits_for_stand_beside_the_step_and_keep_what_it_is_part_of_open(town):
    inner = Step("area.survey", "Survey", parent="area", on_complete=FAN_OUT)
    one = town.bond(Proto("p", title="P", steps=(Step("area", "Area", kind="epic"), inner)))
    town.close(f"{one}.area.survey", output=WORKERS, proto_of=lambda _: ARM)
    now = town.now(one)
    assert list(now.arms) == ["area.survey-mol-polecat-arm-1", "area.survey-mol-polecat-arm-2"]
    assert now.steps["area"].state == "open"
    for arm in now.arms:
        town.close(*(f"{one}.{arm}{end}" for end in (".load", ".check", "")))
    assert town.now(one).steps["area"].state == "closed"


def test_an_end_without_its_output_is_an_end_and_says_what_was_not_bonded(town):
    one = town.bond(spawning(FAN_OUT, GATE))
    ran = town.close(f"{one}.survey").ran[0]
    assert "without --output nothing was bonded" in ran.notes[0]
    assert ran.is_done is False


def test_an_end_that_failed_asks_for_no_output(town):
    one = town.bond(spawning(FAN_OUT, GATE))
    assert town.close(f"{one}.survey", reason="failed").ran[0].notes == ()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ({}, "no 'workers'"),
        ({"workers": {}}, "not a list"),
        ({"workers": [{}]}, "item 0 has no 'name'"),
        ({"workers": [{"name": "a"}] * 501}, "500 are the most"),
    ],
)
def test_an_output_that_is_not_what_is_read_changes_nothing(town, output, words):
    one = town.bond(spawning(FAN_OUT, GATE))
    with pytest.raises(MoleculeRefusedError, match=words):
        town.close(f"{one}.survey", output=output, proto_of=lambda _: ARM)
    assert len(town.lines(one)) == 1


def test_an_output_that_nobody_reads_is_refused(town):
    one = town.bond(linear("a", "b"))
    with pytest.raises(MoleculeRefusedError, match="no on_complete"):
        town.close(f"{one}.a", output={}, proto_of=lambda _: ARM)
    with pytest.raises(UsageError, match="several"):
        town.close(f"{one}.a", f"{one}.b", output={}, proto_of=lambda _: ARM)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"run": "make"}, "run; that is not carried out"),
        ({"bond": "mol-x"}, "belong together"),
        ({**FAN_OUT, "parallel": True, "sequential": True}, "both parallel and sequential"),
        ({**FAN_OUT, "for_each": "workers"}, "is a path such as output.workers"),
        ({**FAN_OUT, "vars": [1]}, "table of texts"),
    ],
)
def test_an_on_complete_that_cannot_be_done_keeps_no_step_from_ending(town, table, words):
    one = town.bond(spawning(table))
    ran = town.close(f"{one}.survey").ran[0]
    assert words in ran.notes[0]
    assert ran.is_done


def test_ready_says_why_nothing_is(town):
    done = town.bond(linear("a"))
    town.close(f"{done}.a")
    empty = town.bond(Proto("mol-empty", title="E"))
    gated = town.bond(Proto("mol-gated", title="G", steps=(Step("ask", "Ask", gate=Gate("human")),)))
    busy = town.bond(linear("x", "y"))
    town.do("start", f"{busy}.x", actor="ann")
    found = {front.head.id: front.remark for front in fronts(town.workspace)[0]}
    assert "mol squash" in found[done]
    assert "has no steps" in found[empty]
    assert f"mmpm mol gate open {gated}.ask" in found[gated]
    assert found[busy] == f"{busy}.x is in progress by ann"


def test_blocked_names_every_hold(town):
    one = town.bond(PATROL)
    front = fronts(town.workspace, [one], with_blocked=True)[0][0]
    assert [step.id for step in front.ready] == ["inbox"]
    assert {blocked.id: len(blocked.holds) for blocked in front.blocked} == {"survey": 1, "aggregate": 1, "summary": 1}


def test_what_is_ready_below_a_step_can_be_asked_for(town):
    one = town.bond(REVIEW)
    assert town.ready(f"{one}.discovery.files") == {one: ["discovery.files"]}
    assert town.ready(f"{one}.security") == {one: []}


def test_a_log_that_cannot_be_read_hides_no_other_molecule(town):
    one = town.bond(linear("a"))
    with open(town.workspace.places.log("gt-mol-zzz", "mol"), "w") as file:
        file.write("nonsense\n")
    found, problems = fronts(town.workspace)
    assert [front.head.id for front in found] == [one]
    assert "gt-mol-zzz" in str(problems[0])
    assert len(running(town.workspace)[0]) == 1


def test_what_flows_is_listed_with_how_far_it_is(town):
    one = town.bond(linear("a", "b", "c"))
    town.close(f"{one}.a")
    town.do("start", f"{one}.b")
    found = running(town.workspace)[0][0]
    assert (found.steps, found.over, found.in_progress, found.formula) == (3, 1, 1, "mol-linear@1.0.0")


def test_ready_from_disk_is_ready(town):
    one = town.bond(PATROL)
    town.close(f"{one}.inbox")
    now = town.now(one)
    assert town.ready(one)[one] == [step.id for step in ready(now, "2026-01-10T15:30:00Z")]


def test_what_has_ended_is_not_worked_on_and_the_way_to_see_it_is_named(town):
    life = Life(linear("a"))
    life.do("squash", "", {})
    one = put(town.root, life)
    for verb in ("start", "close"):
        with pytest.raises(MoleculeRefusedError) as refused:
            town.do(verb, f"{one}.a", **({"reason": ""} if verb == "close" else {}))
        assert f"mmpm mol show {one}" in refused.value.remedy
    assert fronts(town.workspace, [one])[0][0].remark == "it is squashed"
    assert fronts(town.workspace)[0] == ()


def test_the_on_complete_of_a_parent_that_ends_with_its_last_child_is_told_of(town):
    steps = (Step("area", "Area", on_complete=FAN_OUT), Step("area.one", "One", parent="area"))
    one = town.bond(Proto("mol-area", title="A", steps=steps))
    assert town.close(f"{one}.area.one").ran[0].notes[0].startswith(f"{one}.area: its on_complete bonds")


def test_a_parent_that_was_started_is_closed_with_its_output(town):
    steps = (Step("area", "Area", on_complete={**FAN_OUT, "run": "x"}), Step("area.one", "One", parent="area"))
    one = town.bond(Proto("mol-area", title="A", steps=steps))
    town.do("start", f"{one}.area")
    assert not town.close(f"{one}.area.one").ran[0].notes
    ran = town.close(f"{one}.area", output=WORKERS, proto_of=lambda _: ARM).ran[0]
    assert ran.bonded == ("area-mol-polecat-arm-1", "area-mol-polecat-arm-2")
    assert ran.notes == (f"{one}.area: its on_complete has run; that is not carried out",)
