"""Laws of what is bonded, forked and put together."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from molecule_lives import ARM, PATROL, REVIEW, linear

from mmpm.molecule.arranging import compound
from mmpm.molecule.beads.catalogue import Layer, load
from mmpm.molecule.beads.protos import of_records, to_records
from mmpm.ops.mol_bond import Wish, prepare_bond
from mmpm.ops.mol_compound import default_name
from mmpm.ops.mol_fork import plan_mol_fork
from mmpm.ops.mol_state import Workspace
from mmpm.plan import WriteText

PROTOS = (ARM, PATROL, REVIEW, linear("a", "b", "c"))


@st.composite
def trees(draw):
    """Records of one molecule `m`: named by numbers, by words of their own, or below each other's ids."""
    count = draw(st.integers(0, 8))
    records, ids = [{"id": "m", "title": "M", "labels": ["template"]}], ["m"]
    for number in range(count):
        parent = draw(st.sampled_from(ids))
        own = draw(st.sampled_from([f"{parent}.{number}", f"bd-{number}", f"m.bd-{number}"]))
        edges = [{"depends_on_id": parent, "type": "parent-child"}]
        edges += [
            {"depends_on_id": on, "type": kind}
            for on in draw(st.lists(st.sampled_from(ids), max_size=2, unique=True))
            if on not in ("m", parent) and not own.startswith(f"{on}.")
            for kind in [draw(st.sampled_from(["blocks", "conditional-blocks", "waits-for"]))]
        ]
        records.append({"id": own, "title": f"Step {number}", "dependencies": edges})
        ids.append(own)
    return records


def text_of(records):
    return "".join(json.dumps(one) + "\n" for one in records)


def shape(catalogue, root):
    """The tree by titles: depth, title, and the titles of what each waits for."""
    title = {record_id: entry.record.title for record_id, entry in catalogue.entries.items()}
    return [
        (depth, entry.record.title, [(edge.type, title[edge.depends_on_id]) for edge in entry.record.dependencies])
        for depth, entry in catalogue.tree(root)
    ]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees())
def test_a_fork_has_the_tree_and_the_edges_of_what_it_was_made_of_and_shares_no_id(site, records):
    folder = site.root / ".beads"
    folder.mkdir(exist_ok=True)
    before = text_of(records)
    (folder / "molecules.jsonl").write_text(before)
    fork, plan = plan_mol_fork(site.context, str(site.root), "m", "copy", None, dry_run=True)
    (written,) = plan.actions
    assert isinstance(written, WriteText)
    assert written.text.startswith(before)
    found = load([Layer("project", "x", written.text.encode())])
    assert not found.problems
    assert shape(found, "copy") == shape(found, "m")
    assert fork.steps == len(shape(found, "m")) - 1
    copied = [json.loads(line)["id"] for line in written.text.removeprefix(before).splitlines()]
    assert copied[0] == "copy"
    assert all(one.startswith("copy.") for one in copied[1:])
    assert len(set(copied)) == len(copied)


@given(st.sampled_from(PROTOS), st.sampled_from(PROTOS), st.sampled_from(["sequential", "parallel", "conditional"]))
def test_a_compound_comes_back_from_its_records_with_both_graphs(first, second, connection):
    made = compound(first, second, connection)
    lines = b"\n".join(record.to_bytes() for record in to_records(made))
    again = of_records(load([Layer("project", "x", lines)]), made.name)
    assert set(again.edges) == set(made.edges)
    assert again.groups == made.groups
    assert again.variables == made.variables
    assert again.capabilities == made.capabilities
    one, other = (step.id for step in made.steps if not step.parent)
    for name, part in ((one, first), (other, second)):
        below = f"{name}."
        inside = {
            (edge.step.removeprefix(below), edge.on.removeprefix(below), edge.kind, edge.gate)
            for edge in again.edges
            if edge.step.startswith(below) and edge.on.startswith(below)
        }
        assert inside == {(edge.step, edge.on, edge.kind, edge.gate) for edge in part.edges}


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("mol-a", "mol-b", "mol-a-and-b"),
        ("a", "mol-b", "a-and-mol-b"),
        ("@acme/mol-a", "mol-b", "mol-a-and-b"),
        ("mol-a", "@acme/b", "mol-a-and-b"),
    ],
)
def test_a_compound_is_named_after_both(first, second, name):
    assert default_name(first, second) == name


def test_the_operands_say_what_a_bond_is(site):
    folder = site.root / ".beads"
    folder.mkdir(exist_ok=True)
    (folder / "molecules.jsonl").write_text(text_of([{"id": "m", "title": "M", "labels": ["template"]}, {"id": "m.1"}]))
    workspace = Workspace(site.context)

    def bond(*operands, **more):
        made = prepare_bond(workspace, site.context, str(site.root), Wish(operands, **more), dry_run=True)
        for action in made.plan.actions:
            if hasattr(action, "creates"):
                log = workspace.places.log(action.id, action.phase)
                (site.root / log).parent.mkdir(parents=True, exist_ok=True)
                with open(log, "ab") as file:
                    file.write(action.data + b"\n")
                workspace.forget(action.id)
        return made.form, made.phase, made.connection

    prefix = workspace.prefix
    assert bond("m", ref="a") == ("pour", "mol", "")
    assert bond("m", ref="b", is_wisp=True) == ("pour", "wisp", "")
    a, b = f"{prefix}-mol-a", f"{prefix}-wisp-b"
    assert bond("m", b, ref="x") == ("attach", "wisp", "parallel")
    assert bond(f"{b}.x", "m") == ("attach", "wisp", "sequential")
    assert bond(a, b) == ("connect", "wisp", "sequential")
    assert bond(f"{b}.1", f"{b}.x", connection="conditional") == ("connect", "wisp", "conditional")
    assert bond("m", "m") == ("compound", "proto", "sequential")
    assert workspace.molecule(b).problems == ()
    assert [one.on for one in workspace.molecule(b).connections] == [a]
    assert workspace.molecule(b).steps["x"].if_failed == ("1",)
