"""Protos: one proto has one text, and what is not sound does not exist."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.model.canonical import canonical_json
from mmpm.model.capabilities import Capabilities
from mmpm.molecule.proto import Proto, Source, UnsoundProtoError
from mmpm.molecule.steps import Gate, Step, WaitsFor
from mmpm.molecule.variables import Variable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | TEXTS, lambda v: st.lists(v, max_size=3), max_leaves=4
)


@st.composite
def protos(draw):
    count = draw(st.integers(0, 6))
    steps = []
    for index in range(count):
        earlier = [f"s{before}" for before in range(index)]
        choose = st.lists(st.sampled_from(earlier), unique=True, max_size=2) if earlier else st.just([])
        steps.append(
            Step(
                id=f"s{index}",
                title=draw(TEXTS),
                description=draw(TEXTS),
                notes=draw(TEXTS),
                kind=draw(st.sampled_from(["task", "epic", "human"])),
                priority=draw(st.none() | st.integers(0, 4)),
                labels=tuple(draw(st.lists(TEXTS, max_size=2))),
                needs=tuple(draw(choose)),
                if_failed=tuple(draw(choose)),
                waits_for=tuple(WaitsFor("any-children", on) for on in draw(choose)),
                gate=draw(st.none() | st.builds(Gate, kind=st.just("timer"), timeout=TEXTS)),
                on_complete=draw(st.none() | st.just({"bond": "x"})),
                attributes=draw(st.dictionaries(TEXTS, VALUES, max_size=2)),
            )
        )
    return Proto(
        "mol-x",
        draw(st.sampled_from(["", "1.2.3"])),
        title=draw(TEXTS),
        steps=tuple(steps),
        variables=(Variable("v", default=draw(st.none() | TEXTS), enum=("", "a")),),
        sources=(Source("mol-x", "1.2.3", "sha256:" + "0" * 64),),
        phase=draw(st.sampled_from(["", "vapor"])),
        capabilities=Capabilities(("go",), ("review",), (("go", "0.5"),)),
        attributes=draw(st.dictionaries(TEXTS, VALUES, max_size=2)),
    )


@given(protos())
def test_what_is_written_is_read_back_and_is_the_one_text(proto):
    data = proto.to_bytes()
    assert Proto.parse(data) == proto
    assert Proto.parse(data).object_id == proto.object_id
    with pytest.raises(ValueError, match="one text"):
        Proto.parse(data + b"\n")


@given(protos())
def test_what_it_was_cooked_from_is_no_part_of_what_it_means(proto):
    other = Proto.parse(
        canonical_json({**proto.to_dict(), "sources": [["mol-x", "9.0.0", "sha256:" + "1" * 64, "file"]]})
    )
    assert other.graph_id == proto.graph_id
    assert other.object_id != proto.object_id


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((Step("a"), Step("a")), "two steps have the id 'a'"),
        ((Step("a", parent="p"), Step("p")), "stands before its parent"),
        ((Step("a", needs=("b",)),), "there is no step 'b'"),
        ((Step("a", needs=("b",)), Step("b", needs=("a",))), "'a' -> 'b' -> 'a'"),
    ],
)
def test_what_is_not_sound_is_no_proto(steps, words):
    with pytest.raises(UnsoundProtoError, match=words):
        Proto("p", steps=steps)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"kind": "dance"},
        {"steps": [{"id": ".."}]},
        {"steps": [{"id": "a", "priority": 7}]},
        {"steps": [{"id": "a", "priority": True}]},
        {"steps": [{"id": "a", "waits_for": [["some", "a"]]}]},
        {"steps": {}},
        {"steps": [{"id": "a", "unknown": 1}]},
        {"sources": [["a"]]},
        {"variables": [{"name": "1"}]},
        {"name": 3},
    ],
)
def test_a_document_that_is_none_is_refused(change):
    document = {"format": 1, "name": "p", "kind": "workflow", "steps": []}
    assert Proto.parse(canonical_json(document)).name == "p"
    with pytest.raises(ValueError, match="proto"):
        Proto.parse(json.dumps({**document, **change}, sort_keys=True, separators=(",", ":")).encode())
