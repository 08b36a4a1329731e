from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.strategies import VERSIONS, range_texts

from mmpm.model.ranges import ANY, VersionRange
from mmpm.model.versions import Version

RANGES = range_texts().map(VersionRange.parse)


@given(RANGES)
def test_the_text_of_a_range_is_canonical_and_reads_back_to_an_equal_value(wanted):
    again = VersionRange.parse(str(wanted))
    assert again == wanted
    assert hash(again) == hash(wanted)
    assert str(again) == str(wanted)


@given(RANGES, RANGES, VERSIONS)
def test_alternatives_allow_what_either_allows(left, right, version):
    both = VersionRange.parse(f"{left} || {right}")
    assert both.allows(version) == (left.allows(version) or right.allows(version))


@given(range_texts().filter(lambda t: "|" not in t and "*" not in t and "latest" not in t), VERSIONS)
def test_comparators_allow_what_each_of_them_allows(text, version):
    wanted = VersionRange.parse(text)
    assert wanted.allows(version) == all(VersionRange.parse(part).allows(version) for part in str(wanted).split(","))


@given(RANGES)
def test_intervals_are_sorted_disjoint_and_do_not_touch(wanted):
    bounds = [bound for interval in wanted.intervals for bound in interval]
    assert all(low < high for low, high in pairwise(bounds))


@given(VERSIONS, VERSIONS)
def test_an_exact_version_allows_itself_alone_and_pins(version, other):
    wanted = VersionRange.only(version)
    assert wanted.exact == version
    assert wanted.allows(other) == (version == other)


@given(VERSIONS, VERSIONS)
def test_plain_comparators_mean_precedence_and_nothing_else(bound, version):
    for operator, holds in {
        ">=": version >= bound, ">": version > bound, "<=": version <= bound, "<": version < bound,
        "==": version == bound, "!=": version != bound, "": version == bound,
    }.items():  # fmt: skip
        wanted = VersionRange.parse_plain(f"{operator}{bound}")
        assert wanted.allows(version) == holds
        assert VersionRange.parse_plain(str(wanted)) == wanted


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("4", ">=4.0.0-0 <5.0.0-0"), ("4.1", ">=4.1.0-0 <4.2.0-0"), ("=4", "4"), ("^4", "4"), ("~4", "4"),
        ("^4.1.2", ">=4.1.2 <5.0.0-0"), ("^4.1", ">=4.1.0-0 <5.0.0-0"), ("^0.2.3", ">=0.2.3 <0.3.0-0"),
        ("^0.0.3", ">=0.0.3 <0.0.4-0"), ("^0.0", "<0.1.0-0"), ("^0", "<1.0.0-0"), ("~4.1.2", ">=4.1.2 <4.2.0-0"),
        ("~4.1", "4.1"), (">=4,<6", ">=4.0.0-0 <6.0.0-0"), (">4", ">=5.0.0-0"), ("<=4.1", "<4.2.0-0"),
        ("<6.1.2", "<6.1.2-0"), ("latest", "*"), (">=0.0.0-0", "*"), ("<2 || >=2", "*"), (">5,<4", ">9,<1"),
        ("4.0.0", "==4.0.0"), ("1||2", "1 || 2"), (">= 4 , <6", ">=4,<6"), ("^4.1.2-rc.1", ">=4.1.2-rc.1 <5"),
    ],
)  # fmt: skip
def test_two_spellings_of_one_meaning_are_equal(text, meaning):
    assert VersionRange.parse(text) == VersionRange.parse(meaning)


@pytest.mark.parametrize("text", ["<5", "^4.0.0", "4", "~4.9", ">=4,<5.0.0"])
def test_an_upper_bound_keeps_the_prereleases_of_its_version_out(text):
    assert not VersionRange.parse(text).allows(Version.parse("5.0.0-dev"))
    assert VersionRange.parse_plain("<5.0.0").allows(Version.parse("5.0.0-dev"))


def test_a_range_names_the_prereleases_whose_numbers_it_spells_out():
    wanted = VersionRange.parse(">=4.0.0-rc.1")
    assert wanted.names_prerelease(Version.parse("4.0.0-rc.2"))
    assert not wanted.names_prerelease(Version.parse("4.1.0-beta"))
    assert not VersionRange.parse(">=4.0.0-0 <5").names_prerelease(Version.parse("4.0.0-rc.2"))
    assert VersionRange.parse("4.0.0-0").names_prerelease(Version.parse("4.0.0-0"))


def test_any_and_empty_say_so():
    assert ANY.is_any
    assert not ANY.is_exact
    assert VersionRange.parse(">5,<4").is_empty
    assert str(VersionRange.parse(" latest ")) == "*"


@pytest.mark.parametrize(
    "text", ["", " ", "4,", ",4", "4,,5", "4.x", "!=3.0.0", "1 ||", "|| 1", "1 | 2", "x", "^", "^^4", "1.0.0-01",
             "4\x1b[0m", "4\n", ">=4 - <5", "* 4", "1." * 600, "04", "4.01"],
)  # fmt: skip
def test_what_is_no_range_is_refused_in_one_printable_line(text):
    with pytest.raises(ValueError, match="range") as caught:
        VersionRange.parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["4", "^4.0.0", "~1.0.0", ">=4", "latest", ""])
def test_the_plain_dialect_knows_full_versions_only(text):
    with pytest.raises(ValueError, match="range"):
        VersionRange.parse_plain(text)


@given(st.text(alphabet="0123456789.<>=^~|,* -+ax!@", max_size=24))
def test_any_text_is_a_range_or_a_value_error(text):
    try:
        wanted = VersionRange.parse(text)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 - both ways out are legal
    else:
        assert VersionRange.parse(str(wanted)) == wanted
