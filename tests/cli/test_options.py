"""Options that stand anywhere on the line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.cli.options import SWITCHES, Options, take_options
from mmpm.errors import UsageError

WORDS = st.lists(st.sampled_from(["install", "mol-a@4", "--pre", "--as", "x", "-o", "list"]), max_size=6)


@given(words=WORDS, switch=st.sampled_from(sorted(SWITCHES)), data=st.data())
def test_a_switch_means_the_same_wherever_it_stands(words, switch, data):
    place = data.draw(st.integers(0, len(words)))
    options, rest = take_options([*words[:place], switch, *words[place:]])
    assert rest == words
    assert options == Options(**{SWITCHES[switch]: True})


@given(words=WORDS, data=st.data())
def test_a_value_may_follow_or_be_joined(words, data):
    place = data.draw(st.integers(0, len(words)))
    for spelling in (["--tier", "user"], ["--tier=user"]):
        options, rest = take_options([*words[:place], *spelling, *words[place:]])
        assert (options.tier, rest) == ("user", words)


@given(words=WORDS, behind=st.lists(st.sampled_from(["--json", "--tier", "-y"])))
def test_behind_two_dashes_everything_is_an_operand(words, behind):
    options, rest = take_options([*words, "--", *behind])
    assert (options, rest) == (Options(), [*words, "--", *behind])


def test_prose_that_begins_with_a_hyphen_is_the_value_of_the_option_before_it():
    _, rest = take_options(["publish", "x", "--changelog", "- Added a step\n- Removed another", "--yes"])
    assert rest == ["publish", "x", "--changelog=- Added a step\n- Removed another"]


@pytest.mark.parametrize(
    "line", [["--tier"], ["--tier", "--"], ["--color", "pink"], ["--tier=user", "--tier=town"], ["--project"]]
)
def test_what_makes_no_sense_is_wrong_usage(line):
    with pytest.raises(UsageError):
        take_options(line)
