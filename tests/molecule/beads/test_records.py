"""A record is read strictly, keeps what it does not know, and is written so that reading it gives it back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.molecule.beads.records import Edge, Record

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
IDS = st.text("abcXYZ019.-_:é", min_size=1, max_size=20)
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=3))
KNOWN = {"id", "title", "description", "labels", "issue_type", "priority", "status", "dependencies", "is_template"}
EXTRAS = st.dictionaries(TEXTS.filter(lambda key: key not in KNOWN), VALUES, max_size=3)
EDGE_EXTRAS = st.dictionaries(
    TEXTS.filter(lambda key: key not in {"issue_id", "depends_on_id", "type", "metadata"}), VALUES, max_size=2
)
WORDS = st.sampled_from(["task", "epic", "molecule", "x"])
EDGES = st.builds(Edge, IDS, IDS, st.sampled_from(["blocks", "parent-child", "waits-for"]), TEXTS, EDGE_EXTRAS)
RECORDS = st.builds(
    Record,
    id=IDS,
    title=TEXTS,
    description=TEXTS,
    labels=st.lists(st.sampled_from(["template", "plugin", "tier:haiku"]), unique=True).map(tuple),
    issue_type=WORDS,
    priority=st.integers(0, 4),
    status=st.sampled_from(["open", "closed", "tombstone"]),
    dependencies=st.lists(EDGES, max_size=3).map(tuple),
    extra=EXTRAS,
)


@given(RECORDS)
def test_what_is_written_is_read_back_equal(record):
    assert Record.parse(record.to_bytes()) == record
    assert b"\n" not in record.to_bytes()


@given(st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_other_line_is_refused_with_one_sentence(data):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the type is the contract
        Record.parse(data)
    assert "\n" not in str(refusal.value)


def test_the_record_of_the_seed_is_read():
    record = Record.parse(
        b'{"id": "mol-engineer-in-box", "title": "Engineer in Box: {{feature_name}}",'
        b' "description": "Full workflow.", "labels": ["template"], "issue_type": "epic"}'
    )
    assert (record.id, record.issue_type, record.is_template) == ("mol-engineer-in-box", "epic", True)
    assert record.title == "Engineer in Box: {{feature_name}}"


@pytest.mark.parametrize("mark", [{"is_template": True}, {"labels": ["template"]}])
def test_either_mark_makes_a_template_and_both_are_written(mark):
    written = json.loads(Record.parse(json.dumps({"id": "mol-a", **mark}).encode()).to_bytes())
    assert written["is_template"] is True
    assert written["labels"] == ["template"]


def test_what_only_beads_knows_is_kept():
    line = b'{"id":"x","created_at":"2025-12-22T23:41:25.342615-08:00","dependencies":[{"depends_on_id":"y","created_by":"ann","metadata":{"b":1}}]}'
    record = Record.parse(line)
    assert record.extra["created_at"].startswith("2025-12-22")
    assert record.dependencies == (Edge("x", "y", "blocks", '{"b":1}', {"created_by": "ann"}),)
    assert record.needs == ("y",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no 'id'"),
        (b'{"id":"a b"}', "without blanks"),
        (b'{"id":"\\u001b[2J"}', "without blanks"),
        (b'{"id":"a","id":"b"}', "a key twice"),
        (b'{"id":"a","labels":[1]}', "'labels'"),
        (b'{"id":"a","labels":"x"}', "'labels' is not a list"),
        (b'{"id":"a","title":7}', "'title' is not a text"),
        (b'{"id":"a","priority":true}', "'priority'"),
        (b'{"id":"a","is_template":"yes"}', "'is_template'"),
        (b'{"id":"a","dependencies":["b"]}', "a dependency is not an object"),
        (b'{"id":"a","dependencies":[{"type":"blocks"}]}', "no 'id'"),
        (b'{"id":"a","x":NaN}', "not JSON"),
        (b'{"id":"a","x":' + b"[" * 200 + b"]" * 200 + b"}", "levels deep"),
        (b'{"id":"a\xff"}', "not UTF-8"),
    ],
)
def test_a_bad_line_is_refused_with_its_reason(line, reason):
    with pytest.raises(ValueError, match=reason):
        Record.parse(line)
