"""Distilling: what a molecule turned out to be can be bonded again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import PATROL, REVIEW, Life

from mmpm.molecule.distilling import distill

VALUES = st.text(st.sampled_from("ab /.-"), max_size=6)


@given(VALUES, VALUES)
def test_bonding_what_was_distilled_with_its_values_gives_the_same_texts(scope, other):
    before = Life(REVIEW, scope=scope, other=other).now
    again = Life(distill(before, "mol-again"), scope=scope, other=other).now
    assert again.title == before.title
    assert [one.step.title for one in again.steps.values()] == [one.step.title for one in before.steps.values()]
    assert list(again.edges()) == list(before.edges())


def test_values_go_back_to_their_variables_as_whole_words():
    made = distill(Life(REVIEW, scope="Files").now, "mol-again")
    assert made.title == "Review of {{scope}}"
    assert {step.id: step.title for step in made.steps}["discovery.files"] == "{{scope}} of {{scope}}"
    assert [one.name for one in made.variables] == ["scope"]


def test_arms_are_part_of_it():
    life = Life(PATROL)
    life.arm("ace")
    assert "ace.load" in [step.id for step in distill(life.now, "mol-again").steps]
