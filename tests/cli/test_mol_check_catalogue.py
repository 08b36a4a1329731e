"""`mmpm mol check` of molecules of the catalogue: what bd and gt make of them."""

from __future__ import annotations

import json


def write(terminal, *records):
    folder = terminal.cwd / ".beads"
    folder.mkdir()
    (terminal.cwd / "mmpm.toml").touch()
    (folder / "molecules.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))


def step(record_id, parent, **more):
    edges = [{"issue_id": record_id, "depends_on_id": parent, "type": "parent-child"}]
    return {"id": record_id, "title": "T", "dependencies": [*edges, *more.pop("edges", [])], **more}


def codes(terminal, name):
    seen = terminal.run("mol", "check", name, "--json")
    document = json.loads(seen.out)["formulas"][0]
    assert seen.status == (0 if document["alike"] else 1)
    return [(one["tool"], one["when"], one["code"], one["key"]) for one in document["differences"]]


def test_a_plain_molecule_is_alike(terminal):
    write(terminal, {"id": "mol-a", "title": "A", "labels": ["template"]}, step("mol-a.1", "mol-a"))
    assert codes(terminal, "mol-a") == []
    assert "cooks alike" in terminal.run("mol", "check", "mol-a").out


def test_what_costs_bd_a_whole_file_is_named_with_its_record(terminal):
    write(
        terminal,
        {"id": "mol-a", "title": "A", "labels": ["template"], "description": "x" * 70_000},
        step("mol-a.1", "mol-a", issue_type="dance"),
        step("mol-a.2", "mol-a") | {"title": "x" * 501},
    )
    assert codes(terminal, "mol-a") == [
        ("bd", "cook", "long-line", "mol-a"),
        ("bd", "cook", "issue-type", "mol-a.1"),
        ("bd", "cook", "title", "mol-a.2"),
        ("gt", "cook", "long-line", "mol-a"),
    ]


def test_what_they_do_otherwise_when_it_is_bonded_and_run_is_named(terminal):
    gate = {"depends_on_id": "mol-a.1", "type": "waits-for", "metadata": '{"gate":"all-children"}'}
    write(
        terminal,
        {
            "id": "mol-a",
            "title": "A",
            "labels": ["template"],
            "mmpm": {"variables": [{"name": "x", "default": "1", "kind": "int"}]},
        },
        step("mol-a.1", "mol-a") | {"title": "Do {{x}}"},
        step("mol-a.1.1", "mol-a.1", mmpm={"condition": "{{x}}"}),
        step("mol-a.2", "mol-a", edges=[gate], mmpm={"on_complete": {"for_each": "output.a", "bond": "mol-b"}}),
    )
    assert codes(terminal, "mol-a") == [
        ("gt", "cook", "gt-nested", "mol-a.1.1"),
        ("bd", "bond", "condition", "mol-a.1.1"),
        ("bd", "bond", "gate-metadata", "mol-a.2"),
        ("bd", "bond", "default", "mol-a"),
        ("bd", "bond", "unchecked", "mol-a"),
        ("gt", "bond", "gt-titles", "mol-a.1"),
        ("bd", "run", "on-complete", "mol-a.2"),
    ]


def test_what_is_built_in_and_what_cannot_be_cooked_is_told(terminal):
    write(
        terminal,
        {"id": "mol-bad", "title": "B", "labels": ["template"]},
        step("mol-bad.1", "mol-bad", edges=[{"depends_on_id": "gone", "type": "blocks"}]),
    )
    seen = terminal.run("mol", "check", "mol-engineer-in-box", "mol-bad")
    assert seen.status == 1
    assert "bd does not have what is built in here: `mmpm mol fork mol-engineer-in-box`" in seen.out
    assert "mol-bad cannot be cooked" in seen.out
    assert "no formula and no molecule" in terminal.run("mol", "check", "mol-none").err
