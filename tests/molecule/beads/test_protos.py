"""Molecules of catalogues as protos, and protos as the records that beads reads."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from corpus import corpus_folder
from kitchen import formula, proto_of

from mmpm.errors import CookError, MmpmError
from mmpm.molecule.beads.catalogue import Layer, load
from mmpm.molecule.beads.protos import of_records, to_records
from mmpm.molecule.steps import WaitsFor

EVERYTHING = """
phase = "vapor"
[[steps]]
id = "plan"
title = "Plan {{x}}"
acceptance = "A"
labels = ["one"]
priority = 1
[[steps.children]]
id = "draft"
needs = []
[[steps]]
id = "wait"
needs = ["plan"]
waits_for = "any-children"
"""


def catalogue(*records):
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in records]
    return load([Layer("project", "molecules.jsonl", b"\n".join(lines))])


def edge(step, on, kind="blocks", **more):
    return {"issue_id": step, "depends_on_id": on, "type": kind, **more}


def test_a_proto_written_as_records_reads_back_with_the_same_graph():
    proto = proto_of(formula(EVERYTHING))
    again = of_records(catalogue(*(one.to_bytes() for one in to_records(proto))), "mol-x")
    assert again.edges == proto.edges
    assert again.groups == proto.groups
    assert [(step.title, step.acceptance, step.priority) for step in again.steps] == [
        (step.title, step.acceptance, step.priority) for step in proto.steps
    ]


def test_the_records_are_templates_with_ids_below_the_root():
    root, *steps = to_records(proto_of(formula(EVERYTHING)))
    assert root.is_template
    assert json.loads(root.to_bytes())["is_template"] is True
    assert [step.id for step in steps] == ["mol-x.plan", "mol-x.plan.draft", "mol-x.wait"]
    assert steps[0].issue_type == "epic"
    assert steps[2].labels == ("gate:any-children",)


def test_a_gate_is_an_issue_of_its_own_that_blocks_its_step():
    records = to_records(proto_of(formula('steps = [{id = "a", gate = {type = "timer", timeout = "30m"}}]')))
    assert [(one.id, one.issue_type) for one in records[1:]] == [("mol-x.gate-a", "gate"), ("mol-x.a", "task")]
    proto = of_records(catalogue(*(one.to_bytes() for one in records)), "mol-x")
    assert [(step.id, step.gate.kind, step.gate.timeout, step.needs) for step in proto.steps] == [
        ("a", "timer", "30m", ())
    ]


def test_a_gate_that_bd_wrote_or_another_step_waits_for_stays_a_step():
    gate = {"id": "m.g", "issue_type": "gate", "await_type": "mail", "dependencies": [edge("m.g", "m", "parent-child")]}
    steps = [{"id": f"m.{one}", "dependencies": [edge(f"m.{one}", "m.g")]} for one in "ab"]
    for extra, waiting in (({}, 1), ({"mmpm": {"gate_of": "a"}}, 2), ({"mmpm": {"gate_of": "z"}}, 1)):
        proto = of_records(catalogue({"id": "m", "labels": ["template"]}, gate | extra, *steps[:waiting]), "m")
        assert [(step.id, step.needs) for step in proto.steps][:2] == [("g", ()), ("a", ("g",))]
        assert proto.steps[0].gate.kind == "mail"


def test_the_seeds_numbered_children_and_their_variables():
    proto = of_records(
        catalogue(
            {
                "id": "m",
                "title": "M {{name}}",
                "labels": ["template"],
                "description": "Text\n\nVars:\n- {{name}} - What\n",
            },
            {"id": "m.1", "title": "Design", "dependencies": [edge("m.1", "m", "parent-child")]},
            {"id": "m.2", "title": "Do", "dependencies": [edge("m.2", "m", "parent-child"), edge("m.2", "m.1")]},
        ),
        "m",
    )
    assert [(step.id, step.needs) for step in proto.steps] == [("1", ()), ("2", ("1",))]
    assert [(one.name, one.required, one.description) for one in proto.variables] == [("name", True, "What")]
    assert proto.sources[0].origin == "catalogue"


@pytest.mark.parametrize(
    ("metadata", "gate"),
    [('{"gate":"any-children"}', "any-children"), ("", "all-children"), ("{", "all-children"), ("[]", "all-children")],
)
def test_a_fan_out_gate_is_an_edge_with_metadata(metadata, gate):
    records = (
        {"id": "m", "labels": ["template"]},
        {"id": "m.a", "dependencies": [edge("m.a", "m", "parent-child")]},
        {
            "id": "m.b",
            "dependencies": [edge("m.b", "m", "parent-child"), edge("m.b", "m.a", "waits-for", metadata=metadata)],
        },
    )
    assert of_records(catalogue(*records), "m").steps[1].waits_for == (WaitsFor(gate, "a"),)


@pytest.mark.parametrize(
    ("dependencies", "words"),
    [
        ([edge("m.a", "other")], "there is no step 'other'"),
        ([edge("m.a", "m.a")], "'a' -> 'a'"),
    ],
)
def test_what_is_not_sound_is_no_proto(dependencies, words):
    records = (
        {"id": "m", "labels": ["template"]},
        {"id": "m.a", "dependencies": [edge("m.a", "m", "parent-child"), *dependencies]},
    )
    with pytest.raises(CookError, match=words):
        of_records(catalogue(*records), "m")


def test_what_is_not_there_is_said():
    with pytest.raises(CookError, match="no catalogue here has it"):
        of_records(catalogue(), "m")


def without_marks(proto):
    """A proto as records can say it: siblings in no order, an epic where a task has children, and who wrote a step."""
    parents = {step.parent for step in proto.steps}
    return sorted(
        (
            replace(
                step,
                source="",
                kind="epic" if step.kind == "task" and step.id in parents else step.kind,
                priority=None if step.priority == 2 else step.priority,
                labels=tuple(one for one in step.labels if not one.startswith("gate:")),
            )
            for step in proto.steps
        ),
        key=lambda step: step.id,
    )


def same(again, proto):
    assert without_marks(again) == without_marks(proto)
    assert (again.title, again.version, again.kind, again.phase) == (
        proto.title,
        proto.version,
        proto.kind,
        proto.phase,
    )
    assert (again.variables, again.capabilities) == (proto.variables, proto.capabilities)
    assert dict(again.attributes) == dict(proto.attributes)


def test_what_beads_cannot_say_is_kept_under_a_key_of_ours():
    text = """phase = "vapor"
[capabilities]
primary = ["go"]
[vars.mode]
default = "quick"
enum = ["quick", "deep"]
[vars.who]
description = "Who\\nlooks"
required = true
[[steps]]
id = "a"
title = "For {{who}}"
condition = "{{mode}} == deep"
gate = {type = "human", id = "boss", timeout = "1h"}
on_complete = {for_each = "output.all", bond = "mol-b", vars = {x = "{item}"}}
"""
    proto = proto_of(formula(text))
    records = to_records(proto)
    again = of_records(catalogue(*(one.to_bytes() for one in records)), "mol-x")
    same(again, proto)
    assert records[0].description.endswith("Vars:\n- {{mode}}\n- {{who}} - Who looks")
    assert [source.origin for source in again.sources] == ["catalogue", "catalogue"]
    assert to_records(again)[0].description == records[0].description


@pytest.mark.parametrize(
    "said",
    [
        1,
        {"kind": "x"},
        {"variables": [1]},
        {"variables": [{"name": "a b"}]},
        {"sources": [["a"]]},
        {"capabilities": {"primary": ["A B"]}},
        {"attributes": {"x": 1.5}},
        {"version": 2},
    ],
)
def test_a_key_of_ours_that_is_none_is_refused_with_its_record(said):
    with pytest.raises(CookError, match="'mmpm'"):
        of_records(catalogue({"id": "m", "labels": ["template"], "mmpm": said}), "m")


@pytest.mark.parametrize("said", [1, {"condition": 1}, {"on_complete": 1}, {"attributes": {"x": 1.5}}])
def test_the_same_holds_for_a_step(said):
    with pytest.raises(CookError, match=r"m\.a cannot be cooked: its key 'mmpm'"):
        of_records(catalogue({"id": "m", "labels": ["template"]}, {"id": "m.a", "mmpm": said}), "m")


@pytest.mark.corpus
@pytest.mark.skipif(corpus_folder() is None, reason="the shared corpus is not here")
def test_every_real_formula_comes_back_from_its_records():
    cooked = 0
    for path in sorted((corpus_folder() / "formulas").rglob("*.formula.toml")):
        try:
            proto = proto_of(path.read_text())
        except (MmpmError, UnicodeDecodeError):
            continue
        cooked += 1
        lines = [one.to_bytes() for one in to_records(proto)]
        same(of_records(catalogue(*lines), proto.name), proto)
    assert cooked


@pytest.mark.corpus
@pytest.mark.skipif(corpus_folder() is None, reason="the shared corpus is not here")
def test_every_real_molecule_is_a_proto():
    for path in sorted((corpus_folder() / "molecules").glob("*.molecules.jsonl")):
        found = load([Layer("project", str(path), path.read_bytes())])
        for entry in found.templates():
            assert of_records(found, entry.record.id).name == entry.record.id
