"""Routing: performers ranked by their records, alike on every machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import AT, REVIEW, Life

from mmpm.model.capabilities import Capabilities
from mmpm.molecule.digest import Digest, StepOutcome, root_of
from mmpm.molecule.events import Provenance
from mmpm.molecule.routing import rank


def record(actor, done, failed=0, *, capabilities=None, number=0):
    outcomes = [StepOutcome(f"s{at}", state="closed", reason="ok", actor=actor, closed_at=AT) for at in range(done)]
    outcomes += [
        StepOutcome(f"f{at}", state="closed", reason="failed", actor=actor, closed_at=AT) for at in range(failed)
    ]
    formula = Provenance("mol-x", "1.0.0", capabilities=capabilities or Capabilities(("security",), ("go",)))
    digest = Digest(f"gt-mol-{number}", "mol", "Digest: x", formula, actor, actor, AT, AT, outcomes=tuple(outcomes))
    return replace(digest, root=root_of(digest))


RECORDS = st.builds(
    record,
    st.sampled_from(["ann", "bob", "eve"]),
    st.integers(0, 3),
    st.integers(0, 3),
    capabilities=st.sampled_from([Capabilities(("security",)), Capabilities(("go",), ("security",)), Capabilities()]),
    number=st.integers(0, 9),
)


@given(st.lists(RECORDS, max_size=6), st.randoms())
def test_the_order_of_records_and_copies_of_them_change_nothing(records, random):
    shuffled = [*records, *records]
    random.shuffle(shuffled)
    assert rank(shuffled, ["security", "go"]) == rank(records, ["security", "go"])


@given(st.lists(RECORDS, max_size=6))
def test_one_more_success_never_lowers_a_score_and_one_more_failure_never_raises_it(records):
    before = {one.performer: one.score for one in rank(records, ["security"])}
    for done, failed, grows in ((1, 0, True), (0, 1, False)):
        after = {
            one.performer: one.score for one in rank([*records, record("ann", done, failed, number=99)], ["security"])
        }
        assert after["ann"] >= before.get("ann", 0) if grows else after["ann"] <= before.get("ann", 0)


def test_many_successes_are_more_than_one():
    ranked = rank([record("ann", 1), record("bob", 9, 1)], ["security"])
    assert [one.performer for one in ranked] == ["bob", "ann"]
    assert str(ranked[0].reasons[0]) == "security: 9 of 10 steps done well (mol-x@1.0.0)"


def test_weights_say_what_counts():
    records = [
        record("ann", 3, capabilities=Capabilities(("security",))),
        record("bob", 3, capabilities=Capabilities(("go",))),
    ]
    assert rank(records, ["security", "go"], {"security": "0.1"})[0].performer == "bob"
    assert rank(records, ["security", "go"], {"go": "0.1"})[0].performer == "ann"


def test_a_capability_without_any_record_is_said_so():
    ranked = rank([record("ann", 1)], ["rust"])
    assert [str(one) for one in ranked[0].reasons] == ["rust: no record"]
    assert ranked[0].score == 0


def test_what_is_no_capability_is_refused():
    with pytest.raises(ValueError, match="is not a capability"):
        rank([], ["Go Go"])


def test_a_parent_that_ended_with_its_children_is_nobodys_work():
    life = Life(REVIEW)
    life.close("discovery.files", "discovery.deps", "security", reason="fine")
    digest = life.do("squash", "", {}).digest
    assert next(one.step for one in digest.outcomes if one.has_run) == "discovery"
    (ranked,) = rank([digest], ["go"])
    assert ranked.reasons[0].tried == 3
    started = Life(REVIEW)
    started.do("start", "discovery")
    started.close("discovery.files", "discovery.deps", "discovery")
    (ranked,) = rank([started.do("squash", "", {}).digest], ["go"])
    assert ranked.reasons[0].tried == 3
