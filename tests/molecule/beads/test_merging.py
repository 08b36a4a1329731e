"""What is put into a catalogue is taken out again exactly; lines of others stay byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.molecule.beads.merging import PutRecords, merge, read_fragment

IDS = ("a", "b", "c", "d")
LINES = st.builds(lambda record_id, title: json.dumps({"id": record_id, "title": title}).encode(), st.sampled_from(IDS), st.sampled_from(["1", "2"]))  # fmt: skip
JUNK = st.binary(max_size=5).map(lambda data: data.replace(b"\n", b""))
TEXTS = st.tuples(st.lists(LINES | JUNK, max_size=6), st.booleans()).map(
    lambda given: b"\n".join(given[0]) + (b"\n" if given[1] and given[0] else b"")
)
WANTED = st.dictionaries(st.sampled_from(IDS), st.sampled_from(["3", "4"]), max_size=4).map(
    lambda titles: {key: json.dumps({"id": key, "title": title}).encode() for key, title in titles.items()}
)


def ended(data):
    return data if data.endswith(b"\n") or not data else data + b"\n"


@given(TEXTS, WANTED)
def test_merging_again_changes_nothing(data, wanted):
    once = merge(data, {}, wanted)
    assert merge(once.data, dict(once.put), wanted) == once


@given(TEXTS, WANTED)
def test_what_was_put_in_is_taken_out_exactly(data, wanted):
    once = merge(data, {}, wanted)
    assert ended(merge(once.data, dict(once.put), {}).data) == ended(data)


@given(TEXTS, WANTED, WANTED)
def test_an_upgrade_leaves_what_installing_the_new_one_alone_leaves(data, first, second):
    once = merge(data, {}, first)
    upgraded = merge(once.data, dict(once.put), second)
    fresh = merge(data, {}, second)
    assert sorted(upgraded.data.splitlines()) == sorted(fresh.data.splitlines())
    assert (upgraded.put, upgraded.left) == (fresh.put, fresh.left)


@given(TEXTS, WANTED)
def test_lines_of_others_stay_in_their_order(data, wanted):
    theirs = ended(data)
    assert merge(data, {}, wanted).data.startswith(theirs if merge(data, {}, wanted).put else data)


def test_a_record_of_ones_own_is_never_replaced():
    mine = b'{"id":"a","title":"mine"}\n'
    merged = merge(mine, {}, {"a": b'{"id":"a"}', "b": b'{"id":"b"}'})
    assert merged.data == mine + b'{"id":"b"}\n'
    assert merged.left == ("a",)
    assert [record_id for record_id, _ in merged.put] == ["b"]


def test_a_record_that_was_edited_is_ones_own_from_then_on():
    once = merge(b"", {}, {"a": b'{"id":"a"}'})
    edited = once.data.replace(b'"a"}', b'"a","title":"edited"}')
    gone = merge(edited, dict(once.put), {})
    assert (gone.data, gone.kept) == (edited, ("a",))
    assert merge(edited, {}, {}).kept == merge(once.data, dict(once.put), {}).kept == ()
    assert merge(edited, dict(once.put), {"a": b'{"id":"a","title":"new"}'}).left == ("a",)


def test_a_fragment_is_read_line_by_line():
    lines, faults = read_fragment(b'{"id":"a"}\n\n{oops\n {"id":"a","title":"last"} \r\n')
    assert lines == {"a": b'{"id":"a","title":"last"}'}
    assert faults[0].startswith("line 3:")


def test_what_was_put_is_written_and_read():
    put = PutRecords({"mol-x@1.0.0": {"a": "blake3:" + "0" * 64}})
    assert PutRecords.parse(put.to_bytes()) == put
    assert b"replaced" not in put.to_bytes()


def test_lines_of_ours_that_others_take_the_place_of_are_given_and_kept():
    once = merge(b"", {}, {"a": b'{"id":"a"}', "b": b'{"id":"b"}'})
    twice = merge(once.data, dict(once.put), {"a": b'{"id":"a","title":"new"}', "b": b'{"id":"b"}'})
    assert twice.replaced == (("a", b'{"id":"a"}'),)
    assert once.replaced == merge(twice.data, dict(twice.put), {}).replaced == ()
    put = PutRecords({"x@2.0.0": dict(twice.put)}, {"x@2.0.0": {"a": '{"id":"a"}'}})
    assert PutRecords.parse(put.to_bytes()) == put


@pytest.mark.parametrize("replaced", ["[]", "1", '{"x":{"a":1}}', '{"x":["a"]}'])
def test_what_is_no_list_of_replaced_lines_is_left_out(replaced):
    text = f'{{"format":1,"releases":{{"x":{{"a":"b"}}}},"replaced":{replaced}}}'.encode()
    assert PutRecords.parse(text) == PutRecords({"x": {"a": "b"}})


@pytest.mark.parametrize("data", [b"", b"[]", b'{"format":2,"releases":{}}', b'{"format":1,"releases":{"a":{"b":1}}}'])
def test_another_list_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        PutRecords.parse(data)
