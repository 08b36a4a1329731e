"""Rules of policy inside the solver: what they take out, with which words, and that nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.test_resolve import Asker
from signed_tree import SignedTree

from mmpm.errors import NoSolutionError
from mmpm.lock import format_lock


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    made = SignedTree(tmp_path_factory.mktemp("tree"), "acme.corp")
    made.release("mol-a", "1.0.0", "1.1.0", "2.0.0")
    made.release("mol-b", "1.0.0", "2.0.0", requires={"mol-a": "*"})
    made.show()
    return made


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    return tmp_path_factory.mktemp("machines")


def answer(tree, folder, **rules):
    """Give what is chosen for mol-b under rules; None where nothing can be."""
    variables = {f"MMPM_POLICY_{rule.upper()}": value for rule, value in rules.items() if value}
    asker = Asker(folder, tree, **variables)
    try:
        return asker.ask("mol-b"), asker
    except NoSolutionError as error:
        return None, error


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["mol-a@2.0.0", "mol-a@<1.1", "mol-b@^2", "@acme/*", "mol-a"]), max_size=3, unique=True),
    st.sampled_from(["", "mol-*", "mol-b,mol-a@^1", "@acme/*"]),
)
def test_what_is_chosen_under_rules_is_barred_by_none_and_best_of_the_rest(tree, machines, deny, allow):
    chosen, _ = answer(tree, machines, deny=",".join(deny), allow=allow)
    if chosen is None:
        return
    assert ("mol-a@2.0.0" in deny) <= (chosen["mol-a"] != "2.0.0")
    assert ("mol-b@^2" in deny) <= (chosen["mol-b"] == "1.0.0")
    assert (allow == "mol-b,mol-a@^1") <= chosen["mol-a"].startswith("1.")
    assert "mol-a" not in deny
    assert allow != "@acme/*"


def test_rules_that_bar_nothing_leave_the_lock_as_it_was_to_the_byte(tree, tmp_path):
    _, plain = answer(tree, tmp_path / "plain")
    _, ruled = answer(tree, tmp_path / "ruled", deny="@other/*", allow="*", min_level="unverified")
    assert format_lock(plain.resolved.lock) == format_lock(ruled.resolved.lock)


def test_a_locked_release_is_barred_as_well_and_the_lock_moves_away(tree, tmp_path):
    _, first = answer(tree, tmp_path / "m")
    assert {one.name: one.version for one in first.resolved.lock.releases}["mol-a"] == "2.0.0"
    later = Asker(tmp_path / "n", tree, MMPM_POLICY_DENY="mol-a@2.0.0")
    assert later.ask("mol-b", old=first.resolved.lock)["mol-a"] == "1.1.0"


def test_the_refusal_names_each_rule_and_where_it_is_set(tree, tmp_path):
    found, error = answer(tree, tmp_path / "m", min_level="audited")
    assert found is None
    rule = "policy.min_level = audited (set by MMPM_POLICY_MIN_LEVEL)"
    assert f"mol-b 2.0.0 and 1.0.0 are barred by {rule}: each is unverified, not audited." in error.fact
    assert "`mmpm policy show`" in error.remedy
    found, error = answer(tree, tmp_path / "n", allow="mol-b")
    assert "policy.allow, which does not have it (set by MMPM_POLICY_ALLOW)" in error.fact


def test_without_trust_in_a_registry_no_rule_about_levels_is_met_by_a_claim(tree, tmp_path):
    found, _ = answer(tree, tmp_path / "m", min_level="verified")
    assert found is None
