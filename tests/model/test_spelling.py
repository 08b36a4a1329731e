"""Slips of spelling: a distance, and the names near a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmpm.model.spelling import closest, slips

words = st.text("abcd", max_size=8)


def reference(left, right):
    """The same distance by its definition, whole table."""
    table = {(i, 0): i for i in range(len(left) + 1)} | {(0, j): j for j in range(len(right) + 1)}
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (left[i - 1] != right[j - 1])
            )
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(left), len(right)]


@given(words, words)
def test_the_distance_is_the_one_of_its_definition(left, right):
    assert slips(left, right, 100) == reference(left, right)


@given(words, words, st.integers(1, 5))
def test_a_distance_that_is_enough_is_never_said_to_be_less(left, right, enough):
    exact = reference(left, right)
    found = slips(left, right, enough)
    assert found == exact if exact < enough else found >= enough


@given(words, st.lists(words))
def test_what_is_near_is_known_and_the_nearest_first(text, known):
    found = closest(text, known, limit=100)
    assert set(found) <= set(known)
    distances = [slips(text, name, 100) for name in found]
    assert distances == sorted(distances)
    assert all(distance <= len(text) // 2 for distance in distances)


def test_prefix_and_scope_may_be_left_out():
    assert closest("polecat-wrok", ["mol-polecat-work", "@acme/mol-polecat-walk", "mol-other"]) == [
        "mol-polecat-work",
        "@acme/mol-polecat-walk",
    ]
