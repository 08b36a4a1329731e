from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.strategies import VERSIONS, version_texts

from mmpm.model.versions import MAX_VERSION_LENGTH, Version


@given(version_texts())
def test_a_version_keeps_its_text(text):
    assert str(Version.parse(text)) == text


@given(VERSIONS, VERSIONS, VERSIONS)
def test_versions_have_one_total_order(a, b, c):
    assert (a < b) + (a == b) + (a > b) == 1
    assert (a <= b) == (not b < a)
    if a <= b <= c:
        assert a <= c
    if a == b:
        assert hash(a) == hash(b)


@given(VERSIONS)
def test_build_metadata_does_not_order(version):
    assert Version.parse(f"{version.path_text}+other") == version


@given(VERSIONS)
def test_a_prerelease_comes_before_its_release(version):
    release = Version(*version.core)
    assert (version < release) == version.is_prerelease


def test_the_order_is_that_of_the_specification():
    texts = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1-0"
    versions = [Version.parse(text) for text in texts.split()]
    assert all(a < b for a, b in pairwise(versions))


def test_the_slot_of_a_version_knows_neither_case_nor_build():
    assert Version.parse("1.0.0-RC.1+b").slot == Version.parse("1.0.0-rc.1").slot == "1.0.0-rc.1"
    assert Version.parse("1.0.0-RC.1+b").path_text == "1.0.0-RC.1"


@pytest.mark.parametrize(
    "text",
    ["", "4", "4.0", "v4.0.0", "04.0.0", "4.0.0-", "4.0.0-01", "4.0.0-a..b", "4.0.0+", "4.0.0\n", " 4.0.0", "4.0.0.0",
     "٤.0.0", "1" * 16 + ".0.0", "1.0.0-" + "a" * MAX_VERSION_LENGTH, "1.0.0-ä", "-1.0.0"],
)  # fmt: skip
def test_what_is_no_version_is_refused_in_one_printable_line(text):
    with pytest.raises(ValueError, match=r"is (not a version|longer)|has a") as caught:
        Version.parse(text)
    assert str(caught.value).isprintable()


@given(st.text(max_size=20))
def test_any_text_is_a_version_or_a_value_error(text):
    try:
        version = Version.parse(text)
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 - both ways out are legal
    else:
        assert str(version) == text
