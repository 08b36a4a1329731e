"""Patterns agree with Python's own, in linear time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.molecule.patterns import PatternError, compile_pattern

ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", r"\d", r"\w", r"\b", "^", "$", "-", r"\."])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])).map(
            lambda p: f"({p[0]}){p[1]}"
        ),
    ),
    max_leaves=8,
)


@given(PATTERNS, st.text("ab1-.\n", max_size=8))
def test_what_it_finds_python_finds(pattern, value):
    # `$` of ours is the end of the text, as in RE2; Python's is also before a last line end.
    expected = re.search(pattern.replace("$", r"\Z"), value) is not None
    assert compile_pattern(pattern).is_in(value) is expected


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*c", "(a*)*(a*)*b"])
def test_a_pattern_that_explodes_elsewhere_is_linear_here(pattern):
    assert compile_pattern(pattern).is_in("a" * 5_000 + "d") is False


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[a",
        "*a",
        "a{2000}",
        "(a{1000}){1000}",
        r"(a)\1",
        "(?=a)",
        "(?<=a)b",
        "(?!a)",
        "[b-a]",
        "(" * 99,
        "\\",
    ],
)
def test_what_has_no_linear_matching_is_refused(pattern):
    with pytest.raises(PatternError, match="pattern"):
        compile_pattern(pattern)
