"""The quick reading of an index is the strict one, or leaves the document to it."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lines import NAME, RELEASES

from mmpm.errors import RegistryUntrustedError
from mmpm.registry.index import INDEX_LINES, FormulaIndex, release_line
from mmpm.registry.written_lines import read_written

PLAIN = RELEASES.map(lambda one: replace(one, yanked=None, tombstone=False))


def refuse(error):
    return RegistryUntrustedError("acme.corp", str(error))


def document(*lines, **more):
    return json.dumps({"format": 1, "name": "mol-a", "releases": lines} | more, separators=(",", ":")).encode()


def strictly(data):
    try:
        return FormulaIndex.parse(data, NAME).releases()
    except ValueError:
        return None


@given(st.lists(PLAIN, max_size=4))
def test_an_index_as_we_write_it_is_read_by_its_form(releases):
    data = FormulaIndex(NAME, tuple(release_line(one) for one in releases)).to_bytes()
    assert read_written(data, NAME, refuse) == tuple(releases)


@given(st.lists(RELEASES, max_size=4))
def test_any_index_is_read_alike_or_left_to_the_strict_reader(releases):
    data = FormulaIndex(NAME, tuple(release_line(one) for one in releases)).to_bytes()
    assert read_written(data, NAME, refuse) in (None, tuple(releases))


EDITS = st.tuples(st.integers(0, 2000), st.integers(0, 12), st.text('"\\{}[],:0a \n\té', max_size=6))


@given(st.lists(PLAIN, min_size=1, max_size=3), st.lists(EDITS, min_size=1, max_size=2))
def test_a_document_that_was_edited_anywhere_is_read_alike_refused_or_left_to_the_strict_reader(releases, edits):
    text = FormulaIndex(NAME, tuple(release_line(one) for one in releases)).to_bytes().decode()
    for place, length, instead in edits:
        at = place % len(text)
        text = text[:at] + instead + text[at + length :]
    data = text.encode()
    try:
        read = read_written(data, NAME, refuse)
    except ValueError:
        assert strictly(data) is None
        return
    if read is None:
        return
    whole = strictly(data)
    if whole is not None:
        assert read == whole
    else:  # malformed where only its taker looks
        with pytest.raises(RegistryUntrustedError):
            [str(one.tree) for one in read]


LINE = {
    "checksum": "sha256:" + "0" * 64,
    "document": "blake3:" + "0" * 64,
    "kind": "formula",
    "published_at": "2026-01-10T00:00:00Z",
    "requires": {"mol-b": "^1"},
    "serial": 1,
    "size": 1,
    "tree": "blake3:" + "0" * 64,
    "version": "1.0.0",
}


@pytest.mark.parametrize(
    "data",
    [
        document(LINE | {"yanked": "broken"}),
        document(LINE | {"tombstone": True}),
        document(dict(reversed(LINE.items()))),
        document(LINE | {"published_at": "2026\\u002d01"}),
        document(LINE, more=1),
        document(LINE, pages=[]),
        document(*[LINE] * (INDEX_LINES + 1)),
        document(LINE).replace(b'"requires":{', b'"requires":{"mol-b":"*",'),
        document(LINE).replace(b'"size":1', b'"size":1,"size":2'),
        document(LINE).replace(b'"size":1', b'"size":01'),
        document(LINE).replace(b'"size":1', b'"size":NaN'),
        document(LINE, LINE).replace(b"},{", b"} {"),
        document(LINE, LINE).replace(b"},{", b"}{"),
        document(LINE, LINE).replace(b"},{", b"},,{"),
        document(LINE).replace(b"}]}", b"},]}"),
        document(LINE).replace(b"mol-a", b"mol-c"),
        document(LINE).replace(b"formula", "f\u00f6rmula".encode()),
        document(LINE) + b" ",
        document(LINE | {"requires": {f"mol-{number}": "x" * 100 for number in range(40_000)}}),
        document(LINE | {"requires": {f"mol-{number}": "*" for number in range(20_000)}})[:-9],
        b"",
        b"{}",
    ],
)
def test_what_is_not_of_the_one_form_is_left_to_the_strict_reader(data):
    assert read_written(data, NAME, refuse) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("checksum", "sha256:" + "g" * 64),
        ("tree", "blake3:0"),
        ("document", "x"),
        ("kind", "virus"),
        ("size", 1 << 53),
        ("serial", 1 << 53),
    ],
)
def test_a_line_is_refused_in_words_when_one_looks_at_what_is_malformed_in_it(key, value):
    good, bad = read_written(document(LINE, LINE | {key: value, "version": "2.0.0"}), NAME, refuse)
    assert str(good.tree) == LINE["tree"]
    assert (str(bad.version), [str(one) for one in bad.requires]) == ("2.0.0", ["mol-b@^1"])
    for each in ("checksum", "tree", "size"):  # each time again
        with pytest.raises(RegistryUntrustedError, match=r"acme\.corp"):
            getattr(bad, each)


@pytest.mark.parametrize("text", ["1", "1.0", "x", "1.0.0-01", "01.0.0", "9" * 200])
def test_versions_and_requirements_are_read_at_once(text):
    with pytest.raises(ValueError, match=re.escape(text[:20])):
        read_written(document(LINE | {"version": text}), NAME, refuse)
    with pytest.raises(ValueError, match=r"is not|empty|character"):
        read_written(document(LINE | {"requires": {"Mol B": "*"}}), NAME, refuse)


@given(PLAIN)
def test_a_release_that_is_read_later_is_as_good_as_one_that_was_read_at_once(release):
    data = FormulaIndex(NAME, (release_line(release),)).to_bytes()

    def fresh():
        [one] = read_written(data, NAME, refuse)
        return one

    assert release == fresh()
    assert hash(fresh()) == hash(release)
    assert repr(fresh()) == repr(release)
    assert replace(fresh(), yanked="broken") == replace(release, yanked="broken")
    assert pickle.loads(pickle.dumps(fresh())) == release
    for field in fields(release):
        if not field.name.startswith("_"):
            assert getattr(fresh(), field.name) == getattr(release, field.name)
    with pytest.raises(AttributeError):
        _ = fresh().color
    with pytest.raises(FrozenInstanceError):
        fresh().size = 1
