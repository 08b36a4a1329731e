"""Checksums, canonical JSON, strict JSON and capabilities."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.model.canonical import MAX_JSON_DEPTH, canonical_json, parse_json
from mmpm.model.capabilities import Capabilities, canonical_weight
from mmpm.model.checksums import Checksum

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_canonical_json_reads_back_and_is_a_fixed_point(value):
    data = canonical_json(value)
    assert parse_json(data, "it") == value
    assert canonical_json(parse_json(data, "it")) == data


def test_canonical_json_has_one_spelling():
    assert canonical_json({"b": [1, True, None], "a": "ä\n"}) == '{"a":"ä\\n","b":[1,true,null]}'.encode()


@pytest.mark.parametrize("value", [0.5, {"a": [float("nan")]}, {1: 2}, ["\ud800"]])
def test_what_has_no_one_spelling_is_not_canonical(value):
    with pytest.raises(ValueError, match=r"."):
        canonical_json(value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a":1,"a":2}', "key twice"), (b"NaN", "NaN"), (b"[1e999]", "too large"), (b"\xff", "UTF-8 at byte 0"),
        (b"{", "line 1, column 2"), (b"", "not JSON"), (b"[" * 5000 + b"]" * 5000, "deep"), (b"[" * 100 + b"]" * 100, "deep"),
        (b'["\\ud800"]', "surrogate"), (b'{"\\udc00":1}', "surrogate"), (b"\xef\xbb\xbf{}", "not JSON"),
        (b"1" * 5000, "not strict JSON"), (b"{} {}", "Extra data"),
    ],
)  # fmt: skip
def test_json_that_readers_could_understand_differently_is_refused(data, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        parse_json(data, "the index of mol-x")
    assert str(caught.value).startswith("the index of mol-x ")


def test_json_that_is_too_long_is_refused_unread():
    with pytest.raises(ValueError, match="more than the 3"):
        parse_json(b"[1, 2]", "it", max_bytes=3)


def test_json_as_deep_as_allowed_is_read():
    data = b"[" * MAX_JSON_DEPTH + b"]" * MAX_JSON_DEPTH
    assert parse_json(data, "it") == json.loads(data)
    assert canonical_json(json.loads(data)) == data


@given(st.binary(max_size=40))
def test_a_checksum_is_sha256_and_reads_back(data):
    checksum = Checksum.of(data)
    assert str(checksum) == "sha256:" + hashlib.sha256(data).hexdigest()
    assert Checksum.parse(str(checksum)) == checksum


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "A" * 64, "sha1:" + "a" * 64, "a" * 64, "sha256:" + "a" * 64 + "\n"]
)
def test_a_checksum_has_one_spelling(text):
    with pytest.raises(ValueError, match="checksum"):
        Checksum.parse(text)


@given(st.decimals(0, 1, places=6))
def test_a_weight_is_a_decimal_string_that_keeps_its_value(number):
    text = canonical_weight(number)
    assert Decimal(text) == number
    assert canonical_weight(text) == text
    assert not text.endswith((".", "0")) or text == "0"


@pytest.mark.parametrize(
    "value", [-1, 2, "x", "", Decimal("nan"), float("inf"), "1e-30", True, None, [1], Decimal("1e999999")]
)
def test_what_is_no_weight_is_refused(value):
    with pytest.raises(ValueError, match=r"number|digits"):
        canonical_weight(value)


def test_capabilities_read_back_from_their_document():
    read = Capabilities.of_document(
        {
            "primary": ["go", "testing", "go"],
            "secondary": ["git", "go"],
            "weights": {"testing": 0.40, "go": Decimal("0.3")},
        }
    )
    assert read == Capabilities(("go", "testing"), ("git",), (("go", "0.3"), ("testing", "0.4")))
    assert Capabilities.of_document(read.to_document()) == read
    assert not Capabilities.of_document({})


@pytest.mark.parametrize(
    ("document", "key"),
    [({"primary": "go"}, "primary"), ({"secondary": ["Go"]}, "secondary"), ({"weights": {"go": "many"}}, "weights"),
     ({"weights": []}, "weights"), ({"primary": [1]}, "primary"), ({"primary": [str(n) for n in range(300)]}, "primary")],
)  # fmt: skip
def test_bad_capabilities_name_the_key(document, key):
    with pytest.raises(ValueError, match=key):
        Capabilities.of_document(document)
