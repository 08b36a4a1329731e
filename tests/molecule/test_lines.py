"""The line that an operation is: one text, and only that text is read."""

from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import REVIEW, Life

from mmpm.model.canonical import canonical_json
from mmpm.model.capabilities import Capabilities
from mmpm.molecule import events, lines
from mmpm.molecule.lines import Line, parse_line, parse_line_by_key
from mmpm.molecule.proto import Source
from mmpm.molecule.steps import Step

STEPS = st.sampled_from(["a", "arm-ace", "arm-ace.load", "x.y.z"])
MOLECULES = st.sampled_from(["gt-mol-abcdefgh", "gt-wisp-a"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
VALUES = st.dictionaries(TEXTS, TEXTS, max_size=2)
PROVENANCES = st.builds(
    events.Provenance,
    st.text("abc", min_size=1),
    TEXTS,
    TEXTS,
    TEXTS,
    st.sampled_from([(), (Source("a", "1", "sha256:0"),)]),
    st.sampled_from([Capabilities(), Capabilities(("go",), ("x",), (("go", "0.5"),))]),
)
EVENTS = st.one_of(
    st.builds(events.Bonded, MOLECULES, st.sampled_from(events.PHASES), PROVENANCES, TEXTS, TEXTS, VALUES),
    st.builds(events.StepsAdded, st.sampled_from([(), (Step("a", "A"), Step("a.b", "B", parent="a"))])),
    st.builds(events.ArmAdded, STEPS, PROVENANCES, VALUES, st.lists(STEPS, max_size=2).map(tuple)),
    st.builds(events.EdgeAdded, STEPS, STEPS, st.sampled_from(events.INNER_EDGES)),
    st.builds(events.Connected, MOLECULES, st.sampled_from(events.CONNECTIONS)),
    st.builds(events.Started, STEPS),
    st.builds(events.Closed, STEPS, TEXTS),
    st.builds(events.Skipped, STEPS, TEXTS),
    st.builds(events.GateOpened, STEPS, TEXTS),
    st.builds(events.Squashed, st.just("sha256:00")),
    st.builds(events.Burned, MOLECULES, TEXTS),
)
LINES = st.builds(
    Line,
    at=st.datetimes().map(lambda at: at.strftime("%Y").zfill(4) + at.strftime("-%m-%dT%H:%M:%SZ")),
    actor=TEXTS,
    operation=TEXTS,
    events=st.lists(EVENTS, min_size=1, max_size=4).map(tuple),
    nonce=TEXTS,
)


@given(LINES)
def test_a_line_that_is_written_is_read_back(line):
    data = line.to_bytes()
    assert b"\n" not in data
    assert parse_line(data) == line
    assert parse_line(data + b"\n") == line


@given(LINES, st.data())
def test_another_text_of_the_same_line_is_refused(line, data):
    text = line.to_bytes().decode()
    table = json.loads(text)
    other = data.draw(
        st.sampled_from([json.dumps(table), " " + text, text + "\n\n", canonical_json({**table, "more": 1}).decode()])
    )
    with pytest.raises(ValueError, match="not the one text"):
        parse_line(other.encode())


ODD = st.sampled_from(
    [
        None,
        "",
        [],
        {},
        True,
        False,
        0,
        1,
        5,
        -1,
        "task",
        "x",
        "x" * 5000,
        "a" * 300,
        [""],
        ["a", 1],
        {"a": 1},
        {"a": ""},
        [[]],
        {"kind": "timer"},
        {"kind": "timer", "id": ""},
        [["all-children", "a"]],
        [["all-children", ""]],
        1 << 70,
        [{"id": "q"}],
        [{"id": "q", "title": "é"}],
        "�",
        {"deep": json.loads("[" * 62 + "]" * 62)},
        {"deep": json.loads("[" * 50 + "]" * 50)},
    ]
)
KEYS = st.sampled_from(
    [
        "nonce",
        "reason",
        "step",
        "steps",
        "kind",
        "title",
        "needs",
        "priority",
        "gate",
        "waits_for",
        "attributes",
        "more",
        "on_complete",
        "labels",
        "id",
        "at",
        "actor",
        "operation",
        "format",
        "description",
    ]
)


def places_in(value):
    """Every object and list in a JSON value."""
    found = [value]
    for one in found:
        inner = one.values() if isinstance(one, dict) else one
        found.extend(item for item in inner if isinstance(item, dict | list))
    return found


@given(LINES, st.lists(st.tuples(st.integers(0, 50), KEYS, ODD), max_size=3), st.booleans())
def test_the_quick_way_to_read_a_line_says_what_the_slow_one_says(line, changes, is_spaced):
    table = json.loads(line.to_bytes())
    for at, key, shared in changes:
        odd = copy.deepcopy(shared)
        places = places_in(table)
        place = places[at % len(places)]
        if isinstance(place, dict):
            place[key] = odd
        elif place:
            place[at % len(place)] = odd
    text = json.dumps(table, sort_keys=True, separators=(", " if is_spaced else ",", ":"), ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")
    try:
        expected = parse_line_by_key(data)
    except ValueError as error:
        with pytest.raises(type(error), match=f"^{re.escape(str(error))}$"):
            parse_line(data)
    else:
        assert parse_line(data) == expected
        assert expected.to_bytes() == data
        assert repr(parse_line(data)) == repr(expected)


@pytest.mark.parametrize("item", [b"{}", b"[]"])
def test_a_line_of_a_million_objects_is_refused_unread(item):
    data = b'{"actor":"a","at":"2026-01-10T15:30:00Z","events":[' + item + (b"," + item) * lines.MAX_BRACKETS
    with pytest.raises(ValueError, match=r"^it has 100000\d objects and lists"):
        parse_line(data + b'],"format":1,"operation":"x"}')


def test_a_line_that_would_be_refused_is_not_written():
    text = "{" * lines.MAX_BRACKETS
    with pytest.raises(ValueError, match="objects and lists of a line"):
        Line("2026-01-10T15:30:00Z", "a", "close", (events.Closed("a", text),)).to_bytes()


@given(st.binary(max_size=60))
def test_what_is_no_line_is_refused_in_one_sentence(data):
    with pytest.raises(ValueError, match=r"^it "):
        parse_line(data)


def changed(**more):
    table = json.loads(Life(REVIEW).lines[0].to_bytes())
    return canonical_json({**table, **more})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"format": 2}, "a newer mmpm wrote it, upgrade"),
        (
            {"events": [{"kind": "sublimated", "step": "a"}]},
            "'sublimated', which this mmpm does not know: a newer mmpm",
        ),
        ({"events": []}, "0 events"),
        ({"at": "2026-02-30T00:00:00Z"}, "not a moment"),
        ({"at": "2026-01-01T00:00:00+01:00"}, "not a moment"),
        ({"events": [{"kind": "closed", "step": "../x"}]}, "cannot be a step's id"),
        ({"events": [{"kind": "connected", "on": "a.b", "connection": "parallel"}]}, "cannot be a molecule's id"),
        ({"events": [{"kind": "connected", "on": "a", "connection": "odd"}]}, "is none of"),
        ({"events": "x"}, "not a list"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_what_is_wrong(more, words):
    with pytest.raises(ValueError, match=words):
        parse_line(changed(**more))
