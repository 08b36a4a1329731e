"""The fold of lines, and for which moments what is ready stays so."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import AT, PATROL, REVIEW, Life, Stamp

from mmpm.molecule.events import Closed, Connected, EdgeAdded, GateOpened
from mmpm.molecule.heads import head_of
from mmpm.molecule.lines import Line
from mmpm.molecule.readiness import outcome_of, ready, ready_by_itself, why_blocked
from mmpm.molecule.state import apply, fold, fold_with_effects
from mmpm.molecule.steps import Gate, Step

MOMENTS = [f"2026-01-10T{hour:02}:{minute:02}:00Z" for hour in range(15, 20) for minute in (0, 10, 20, 29, 30, 31, 45)]
GATES = st.sampled_from([None, Gate("timer", timeout="10m"), Gate("timer", timeout="1h"), Gate("mail")])


def line(*events, at=AT):
    return Line(at, "ann", "work", events)


def test_an_edge_or_a_connection_that_came_twice_is_one():
    life = Life(REVIEW)
    edge, other = EdgeAdded("security", "discovery.files", "blocks"), EdgeAdded("security", "discovery.deps", "blocks")
    mate = Connected("gt-mol-b", "parallel")
    once = fold([*life.lines, line(edge), line(mate), line(other)])
    twice, effects = fold_with_effects([*life.lines, line(edge), line(edge), line(mate), line(mate), line(other)])
    assert once == twice
    assert effects == (True, True, False, True, False, True)
    assert once.steps["security"].added_needs == (("discovery.files", "blocks"), ("discovery.deps", "blocks"))
    assert apply(once, line(edge)) == once


def test_edges_and_connections_of_one_molecule_may_be_many():
    """A list that is copied for each one more would keep this busy for minutes."""
    count = 20_000
    steps = tuple(Step(f"s{n}", "t") for n in range(count))
    life = Life(replace(REVIEW, steps=steps, variables=()))
    edges = line(*(EdgeAdded("s0", f"s{n}", "blocks") for n in range(1, count)))
    mates = line(*(Connected(f"gt-mol-{n}", "parallel") for n in range(count)))
    molecule = fold([*life.lines, edges, mates])
    assert (len(molecule.steps["s0"].added_needs), len(molecule.connections)) == (count - 1, count)


def test_an_edge_to_a_step_that_has_ended_is_left_out():
    life = Life(REVIEW)
    life.close("discovery.files")
    molecule = fold([*life.lines, line(EdgeAdded("discovery.files", "security", "blocks"))])
    assert "is closed" in molecule.problems[0]
    assert molecule.steps["discovery.files"].added_needs == ()


@st.composite
def molecules_with_timers(draw):
    """Steps one after the other or beside each other, with timers, of which some have ended at some moment."""
    ids = "abcdef"
    steps: list[Step] = []
    for at, one in enumerate(ids):
        parent = draw(st.sampled_from(["", *ids[:at]]))
        beside = [step.id for step in steps if step.parent == parent]
        needs = (draw(st.sampled_from(beside)),) if beside and draw(st.booleans()) else ()
        steps.append(Step(one, one, parent=parent, needs=needs, gate=draw(GATES)))
    life = Life(replace(PATROL, steps=tuple(steps)))
    for one in draw(st.lists(st.sampled_from(ids), max_size=4, unique=True)):
        event = draw(st.sampled_from([Closed(one, "done"), GateOpened(one)]))
        life.lines.append(line(event, at=draw(st.sampled_from(MOMENTS))))
    return life.now


@given(molecules_with_timers(), st.sampled_from(MOMENTS), st.sampled_from(MOMENTS))
def test_what_is_ready_stays_so_for_the_moments_that_are_said(molecule, now, then):
    found = ready_by_itself(molecule, now)
    assert found.steps == ready(molecule, now)
    assert found.since <= now
    assert not found.until or now < found.until
    if found.since <= then and (not found.until or then < found.until):
        assert ready(molecule, then) == found.steps


def test_a_timer_beyond_the_last_year_runs_until_the_end_of_time():
    steps = (Step("late", "Late", gate=Gate("timer", timeout="52w")),)
    life = Life(replace(PATROL, steps=steps))
    last = [replace(one, at="9999-12-31T00:00:00Z") for one in life.lines]
    assert ready(fold(last), "9999-12-31T01:00:00Z") == ()
    assert "9999-12-31T23:59:59Z" in str(why_blocked(fold(last), "late", "9999-12-31T01:00:00Z")[0])


def test_a_timer_of_an_early_year_is_compared_as_a_moment():
    steps = (Step("late", "Late", gate=Gate("timer", timeout="10m")),)
    life = Life(replace(PATROL, steps=steps))
    early = fold([replace(one, at="0999-01-01T00:00:00Z") for one in life.lines])
    assert [one.id for one in ready(early, "0999-01-01T00:10:00Z")] == ["late"]
    assert ready(early, "0999-01-01T00:09:59Z") == ()


def test_a_head_counts_what_has_ended_and_what_is_being_worked_on():
    life = Life(REVIEW)
    life.close("discovery.files", reason="failed: gone")
    life.do("start", "discovery.deps", stamp=Stamp("2026-01-11T00:00:00Z", "bob"))
    head = head_of(life.now)
    assert (head.steps, head.over, head.in_progress) == (6, 1, 1)
    assert (head.last_at, head.bonded_at, head.bonded_by) == ("2026-01-11T00:00:00Z", AT, "beads/amber")
    assert (head.is_over, head.has_failed) == (outcome_of(life.now).is_over, True)
    assert head.formula == "mol-code-review@1.3.0"
