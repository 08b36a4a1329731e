"""Two branches of a repository that worked on one molecule, and what git's union of their logs comes to."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import AT, PATROL, REVIEW, Life, Stamp
from molecule_model import ARM, MAIN, REASONS

from mmpm.molecule import bonding, lifecycle
from mmpm.molecule.answers import Change
from mmpm.molecule.bonding import Bond
from mmpm.molecule.compacting import compacted
from mmpm.molecule.events import Closed, Skipped
from mmpm.molecule.lines import Line
from mmpm.molecule.readiness import ready
from mmpm.molecule.state import fold, is_failure
from mmpm.molecule.steps import Step
from mmpm.molecule.transitions import has_run, is_over

WHO = Stamp(AT, "ann")


def work(lines, data, name):
    """Go on with a life at random; give what was added."""
    added = []
    for turn in range(data.draw(st.integers(0, 12), label=f"{name}: turns")):
        now = fold([*lines, *added])
        free = [one.id for one in ready(now, AT)]
        busy = [one for one, record in now.steps.items() if record.state == "in_progress"]
        what = data.draw(st.sampled_from(["close", "close", "close", "start", "attach"]), label=f"{name}: what")
        if what == "attach":
            parent = data.draw(st.sampled_from(["", "spawn", "area"]))
            answer = bonding.attach(now, parent, Bond(ARM), WHO, ref=f"{name}-{turn}")
        elif not free and not busy:
            continue
        elif what == "start" and free:
            answer = lifecycle.start(now, data.draw(st.sampled_from(free)), WHO)
        else:
            step = data.draw(st.sampled_from([*free, *busy]))
            answer = lifecycle.close(now, step, data.draw(st.sampled_from(REASONS)), WHO)
        if isinstance(answer, Change):
            added.append(answer.line)
    return added


def is_sound(molecule):
    """What nobody may be told of a molecule, however its lines came together."""
    steps = molecule.steps
    for step_id, record in steps.items():
        if is_over(record.state) and not has_run(record.state):
            causes = [steps[one] for one in record.if_failed]
            above = steps.get(record.step.parent)
            assert any(
                is_over(one.state) and not (has_run(one.state) and is_failure(one.reason)) for one in causes
            ) or (above is not None and is_over(above.state) and not has_run(above.state)), (
                f"{step_id} was skipped, and what it was to run after failed"
            )
        if has_run(record.state):
            below = [one for one in molecule.children.get(step_id, ()) if one not in molecule.arms]
            assert all(is_over(steps[one].state) for one in below), f"{step_id} ended before its children"


@given(st.data())
def test_what_two_branches_did_is_sound_in_both_orders(data):
    made = bonding.pour(Bond(MAIN), "gt", "n", WHO)
    base = [made.line, *work([made.line], data, "base")]
    one, other = work(base, data, "x"), work(base, data, "y")
    both = [fold([*base, *one, *other]), fold([*base, *other, *one])]
    for molecule in both:
        is_sound(molecule)
    # Nothing that either of them bonded or started to wait for is lost, whoever comes first.
    assert set(both[0].steps) == set(both[1].steps) == {*fold([*base, *one]).steps, *fold([*base, *other]).steps}


@given(st.data())
def test_what_two_branches_did_is_compacted_to_the_same(data):
    made = bonding.pour(Bond(MAIN), "gt", "n", WHO)
    base = [made.line, *work([made.line], data, "base")]
    lines = [*base, *work(base, data, "x"), *work(base, data, "y")]
    done = compacted(b"".join(line.to_bytes() + b"\n" for line in lines))
    assert not done.reason
    assert replace(fold(done.lines), problems=()) == replace(fold(lines), problems=())


def test_what_runs_only_after_a_failure_is_not_skipped_because_another_branch_saw_none():
    base, sad, happy = Life(REVIEW), Life(REVIEW), Life(REVIEW)
    for life in (base, sad, happy):
        life.close("discovery.files", "discovery.deps")
    sad.close("security", reason="failed: holes")
    happy.close("security")
    start = len(base.lines)
    molecule = fold([*sad.lines, *happy.lines[start:]])
    assert molecule.steps["security"].reason == "failed: holes"
    assert [one.id for one in ready(molecule, AT)] == ["repair"]
    assert "repair" in molecule.problems[1]
    assert molecule.steps.keys() == base.now.steps.keys()


def test_a_parent_does_not_end_with_a_child_that_another_branch_left_to_run():
    steps = (
        Step("group", "Group"),
        Step("group.try", "Try", parent="group"),
        Step("group.mend", "Mend", parent="group", if_failed=("group.try",)),
        Step("after", "After", needs=("group",)),
    )
    proto = replace(PATROL, steps=steps)
    sad, happy = Life(proto), Life(proto)
    sad.close("group.try", reason="error 7")
    happy.close("group.try")
    molecule = fold([*sad.lines, *happy.lines[1:]])
    assert [one.id for one in ready(molecule, AT)] == ["group.mend"]
    sad.lines += happy.lines[1:]
    sad.close("group.mend")
    assert [one.id for one in ready(sad.now, AT)] == ["after"]


def test_what_waits_for_a_failure_that_never_came_on_another_branch_can_be_skipped():
    steps = (
        Step("try", "Try"),
        Step("mend", "Mend"),
        Step("mend.it", "Mend it", parent="mend"),
        Step("after", "After", needs=("mend",)),
    )
    waits, ends = Life(replace(PATROL, steps=steps)), Life(replace(PATROL, steps=steps))
    waits.do("order", "mend", "try", "conditional")
    ends.close("try")
    for lines in ([*waits.lines, *ends.lines[1:]], [*ends.lines, *waits.lines[1:]]):
        life = Life(replace(PATROL, steps=steps))
        life.lines = lines
        assert ready(life.now, AT) == ()
        assert "'try'" in life.ask("close", "mend.it", "done").reason
        life.do("close", "mend", "it is not needed")
        assert not has_run(life.now.steps["mend"].state)
        assert life.now.steps["mend.it"].reason == "'try' did not fail"
        assert [one.id for one in ready(life.now, AT)] == ["after"]
        assert not life.now.problems


def test_a_step_that_was_skipped_has_not_failed_whatever_its_name_says():
    steps = (Step("timeout", "Try"), Step("mend", "Mend", if_failed=("timeout",)), Step("more", "More"))
    life = Life(replace(PATROL, steps=steps))
    life.close("timeout")
    assert "timeout" in life.now.steps["mend"].reason
    assert "would never run" in life.ask("order", "more", "mend", "conditional").reason


def test_two_molecules_that_were_given_one_id_are_not_mixed():
    one, other = Life(PATROL), Life(REVIEW)
    for first, second in ((one, other), (other, one)):
        molecule = fold([*first.lines, *second.lines])
        assert molecule.steps == first.now.steps
        assert molecule.problems == (
            "pour by beads/amber at 2026-01-10T15:30:00Z does not count: it is bonded already",
        )


def test_many_ends_that_do_not_fit_cost_no_more_than_as_many_lines():
    """Children or causes that were counted anew for each line would keep this busy for minutes."""
    count = 15_000
    steps = (
        Step("group", "Group"),
        *(Step(f"group.s{n}", "t", parent="group") for n in range(count)),
        Step("last", "Last", if_failed=tuple(f"group.s{n}" for n in range(count))),
    )
    life = Life(replace(PATROL, steps=steps))
    ends = [Line(AT, "ann", "close", (Closed("group"), Skipped("last"))) for _ in range(count)]
    molecule = fold([*life.lines, *ends])
    assert (molecule.steps["group"].state, molecule.steps["last"].state) == ("open", "open")
    assert (
        fold([*life.lines, Line(AT, "ann", "close", (Closed("group.s7"), Skipped("last")))]).steps["last"].state
        != "open"
    )
