"""A proto as a formula's text: what the text cooks to is the proto again, or a sentence says what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from corpus import Corpus, corpus_folder
from hypothesis import given
from hypothesis import strategies as st
from kitchen import formula, ingredient, proto_of
from molecule_lives import PATROL, REVIEW

from mmpm.model.capabilities import Capabilities
from mmpm.molecule.beads.catalogue import Layer, load
from mmpm.molecule.beads.protos import of_records
from mmpm.molecule.cook.cooking import cook
from mmpm.molecule.cook.uncooking import MAX_DEPTH, uncook
from mmpm.molecule.proto import Proto
from mmpm.molecule.steps import Gate, Step, WaitsFor
from mmpm.molecule.variables import Variable
from mmpm.project.mol_files import read_layers
from mmpm.project.places import Places

TEXTS = st.text("ab {}\n\r\"'\\#=[]é", max_size=12)
NAMES = st.sampled_from(["a", "b", "load", "x.y", "synthesis", "1"])
CORPUS = corpus_folder()


@st.composite
def protos(draw):
    """A sound proto: steps that need earlier ones, children, all gates; now and then what no formula can say."""
    steps = []
    for _ in range(draw(st.integers(0, 7))):
        parent = draw(st.sampled_from(["", *(one.id for one in steps)]))
        name = draw(NAMES)
        own = f"{parent}.{name}" if parent and draw(st.booleans()) else f"{name}{len(steps)}"
        if own in {one.id for one in steps}:
            continue
        above = [one.id for one in steps if not own.startswith(f"{one.id}.") and one.id != parent]
        earlier = st.lists(st.sampled_from(above), unique=True, max_size=2) if above else st.just([])
        waits = draw(earlier)
        steps.append(
            Step(
                own,
                draw(TEXTS) or "t",
                draw(TEXTS),
                notes=draw(TEXTS),
                parent=parent,
                kind=draw(st.sampled_from(["task", "epic", "human"])),
                priority=draw(st.none() | st.integers(0, 4)),
                labels=tuple(draw(st.lists(TEXTS, unique=True, max_size=2))),
                needs=tuple(draw(earlier)),
                if_failed=tuple(draw(earlier)),
                waits_for=tuple(
                    WaitsFor(draw(st.sampled_from(["all-children", "any-children"])), one) for one in waits
                ),
                condition=draw(st.sampled_from(["", "{{mode}} == fast", "{{a}}\n!{{b}}"])),
                gate=draw(st.sampled_from([None, Gate("human"), Gate("timer", "n", "30m", "c\nd")])),
                on_complete=draw(
                    st.sampled_from([None, {"for_each": "output.x", "bond": "mol-y", "vars": {"a": "b"}}])
                ),
                attributes=draw(st.dictionaries(st.sampled_from(["parallel", "x y"]), st.booleans() | TEXTS)),
                source="mol-p",
            )
        )
    try:
        return Proto(
            "mol-p",
            draw(st.sampled_from(["1.0.0", "4.0.0", "0.0.0", "2.1.0-rc.1"])),
            draw(st.sampled_from(["workflow", "convoy", "expansion", "aspect"])),
            title=draw(TEXTS) or "t",
            description=draw(TEXTS),
            steps=tuple(steps),
            variables=draw(
                st.sampled_from(
                    [
                        (),
                        (Variable("mode", "fast", enum=("fast", "slow")), Variable("title", required=True)),
                        (Variable("a", kind="int", pattern="^1", description="d\ne", unless=("b",)), Variable("b", "")),
                    ]
                )
            ),
            phase=draw(st.sampled_from(["", "liquid", "vapor"])),
            capabilities=draw(st.sampled_from([Capabilities(), Capabilities(("go",), ("rust",), (("go", "0.5"),))])),
            attributes=draw(
                st.sampled_from([{}, {"labels": ["plugin"], "bond_points": [{"id": "p", "after_step": "a"}]}])
            ),
        )
    except ValueError:  # edges of children and parents may close a circle
        return Proto("mol-p", "1.0.0", title="t", steps=())


def cooked_again(uncooked):
    return cook(ingredient(uncooked.text), lambda _: None).proto


@given(protos())
def test_cooking_the_text_gives_what_was_said_and_the_proto_itself_where_nothing_is_noted(proto):
    made = uncook(proto)
    again = cooked_again(made)
    assert again.graph_id == made.proto.graph_id
    # Saying it once more changes nothing: what could be said was said.
    assert uncook(again).text == made.text
    assert not uncook(again).notes or proto.kind in {"expansion", "aspect"}
    if not made.notes and not _is_reordered(proto, made.proto):
        assert again.graph_id == proto.graph_id


def _is_reordered(before, after):
    """Whether children came together below their parent, or the spawner of a gate to the front of the needs."""
    return [one.id for one in before.steps] != [one.id for one in after.steps] or any(
        one.needs != two.needs for one, two in zip(before.steps, after.steps, strict=True)
    )


@pytest.mark.corpus
@pytest.mark.skipif(CORPUS is None, reason="the shared corpus is not here")
def test_every_real_formula_can_be_said_again():
    corpus = Corpus(CORPUS)
    every = [ingredient((CORPUS / str(line["path"])).read_bytes()) for line in corpus.formulas]
    newest = {one.formula.name: one for one in every}
    exact = 0
    for one in every:
        proto = cook(one, newest.get).proto
        made = uncook(proto)
        again = cooked_again(made)
        assert again.graph_id == made.proto.graph_id, one.formula.name
        own = replace(proto, steps=tuple(replace(step, source=proto.name) for step in proto.steps))
        assert again.graph_id == own.graph_id, one.formula.name
        exact += again.graph_id == proto.graph_id
    assert (exact, len(every)) == (464, 467)  # three have steps that another formula wrote


def test_every_built_in_molecule_can_be_said(tmp_path):
    layers, _ = read_layers(Places.from_environment({"HOME": str(tmp_path)}), str(tmp_path), None)
    catalogue = load(layers)
    names = [one.record.id for one in catalogue.templates()]
    assert names
    for name in names:
        proto = of_records(catalogue, name)
        made = uncook(proto)
        assert not made.notes
        assert cooked_again(made).graph_id == replace(proto, version="1.0.0").graph_id


@pytest.mark.corpus
@pytest.mark.skipif(CORPUS is None, reason="the shared corpus is not here")
@pytest.mark.parametrize(("name", "count"), [("gastown", 12), ("beads", 4)])
def test_every_molecule_of_the_real_catalogues_can_be_said(name, count):
    path = CORPUS / "molecules" / f"{name}.molecules.jsonl"
    catalogue = load([Layer("project", str(path), path.read_bytes())])
    templates = catalogue.templates()
    assert len(templates) == count
    for entry in templates:
        made = uncook(of_records(catalogue, entry.record.id))
        assert cooked_again(made).graph_id == made.proto.graph_id


def test_protos_made_by_hand_can_be_said():
    for proto in (PATROL, REVIEW):
        assert cooked_again(uncook(proto)).steps == tuple(replace(one, source=proto.name) for one in proto.steps)


def test_steps_of_one_name_below_two_parents_are_named_apart_and_it_is_said():
    steps = (
        Step("ace", "Ace"),
        Step("ace.load", "Load", parent="ace"),
        Step("nux", "Nux"),
        Step("nux.load", "Load", parent="nux", needs=("ace.load",)),
    )
    made = uncook(Proto("mol-p", "1.0.0", steps=steps))
    assert [one.id for one in made.proto.steps] == ["ace", "ace.load", "nux", "nux.nux-load"]
    assert made.proto.steps[3].needs == ("ace.load",)
    assert made.notes == ("'nux.load' becomes 'nux.nux-load': in a formula every step's id stands once",)


def test_what_a_formula_cannot_say_is_said():
    steps = (
        Step("a", "A"),
        Step("b", "B"),
        Step(
            "c",
            "C",
            waits_for=(WaitsFor("any-children", "a"), WaitsFor("all-children", "b")),
            attributes={"loop": 1, "x": None},
        ),
    )
    notes = " ".join(uncook(Proto("mol-p", "", steps=steps, attributes={"other": 1})).notes)
    for said in ("no longer waits for all-children of 'b'", "all children of 'a'", "'loop'", "null", "'other'"):
        assert said in notes


def test_steps_deeper_than_a_document_are_refused():
    steps = [Step("s", "S")]
    for _ in range(MAX_DEPTH):
        steps.append(Step(f"{steps[-1].id}.s{len(steps)}", "S", parent=steps[-1].id))
    with pytest.raises(ValueError, match="levels below the root"):
        uncook(Proto("mol-p", steps=tuple(steps)))
    assert cooked_again(uncook(Proto("mol-p", steps=tuple(steps[:-1])))).steps[-1].id == steps[-2].id


def test_a_formula_may_say_title_labels_and_what_runs_only_after_a_failure():
    proto = proto_of(
        formula(
            'title = "Review {{x}}"\nlabels = ["plugin", "template"]\n[[steps]]\nid = "a"\ntitle = "A"\n'
            '[[steps.children]]\nid = "b"\ntitle = "B"\n[[steps]]\nid = "c"\ntitle = "C"\nif_failed = ["b"]\n'
        )
    )
    assert (proto.title, proto.attributes) == ("Review {{x}}", {"labels": ["plugin"]})
    assert proto.steps[2].if_failed == ("a.b",)


def test_what_runs_after_a_failure_of_a_loop_runs_after_that_of_its_last_round():
    proto = proto_of(
        formula(
            '[[steps]]\nid = "a"\ntitle = "A"\nloop = { count = 2, body = [{ id = "x", title = "X" }] }\n'
            '[[steps]]\nid = "c"\ntitle = "C"\nif_failed = ["a"]\n'
        )
    )
    assert proto.steps[-1].if_failed == ("a.iter2.x",)
