"""The catalogue of molecules as a person sees it."""

from __future__ import annotations

import json

import pytest
from corpus import corpus_folder
from terminal import CHECKOUT

from mmpm.model.formula import parse_formula


@pytest.fixture
def catalogues(terminal):
    """Gives a function that writes lines into the catalogue of a tier."""
    terminal.environ["NO_COLOR"] = "1"
    roots = {"town": terminal.home / "gt", "user": terminal.home, "project": terminal.cwd}

    def write(tier, *records):
        folder = roots[tier] / ".beads"
        folder.mkdir(parents=True, exist_ok=True)
        lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
        (folder / "molecules.jsonl").write_text("".join(line + "\n" for line in lines))

    return write


def molecule(record_id, title="", *labels, **keys):
    return {"id": record_id, "title": title, "labels": ["template", *labels], **keys}


def shown(terminal, *words):
    return json.loads(terminal.run(*words, "--json").out)


def test_what_comes_with_the_program_is_listed(terminal):
    terminal.play("""
        $ mmpm mol list
        mol-code-review Code review: {{scope}} (built-in)
        mol-engineer-in-box Engineer in Box: {{feature_name}} (built-in)
        mol-polecat-arm Look after {{polecat}} [witness] (built-in)
        mol-security-scan Security scan for {{polecat_name}} [plugin, witness, tier:haiku] (built-in)
        mol-witness-patrol Witness patrol [witness] (built-in)
        $ mmpm mol list --label plugin
        mol-security-scan Security scan for {{polecat_name}} [plugin, witness, tier:haiku] (built-in)
        $ mmpm mol list --label witness --label tier:haiku
        mol-security-scan Security scan for {{polecat_name}} [plugin, witness, tier:haiku] (built-in)
        $ mmpm mol list --label nothing
        There are no molecules labelled nothing
    """)


def test_a_molecule_is_a_tree_as_in_the_seed(terminal):
    seen = terminal.run("mol", "show", "mol-engineer-in-box")
    assert seen.status == 0
    assert seen.out[seen.out.index("mol-engineer-in-box (epic)") :] == (
        "mol-engineer-in-box (epic)\n"
        '├── mol-engineer-in-box.1 "Design"\n'
        '├── mol-engineer-in-box.2 "Implement" Needs: .1\n'
        '├── mol-engineer-in-box.3 "Review" Needs: .2\n'
        '├── mol-engineer-in-box.4 "Test" Needs: .3\n'
        '└── mol-engineer-in-box.5 "Submit" Needs: .4\n'
    )


def test_the_code_review_has_the_four_stages_of_the_seed(terminal):
    terminal.encoding = "ascii"
    seen = terminal.run("mol", "show", "mol-code-review")
    tree = [line.partition(' "')[0] for line in seen.out[seen.out.index("mol-code-review (epic)") :].splitlines()]
    assert tree[1:] == [
        "+-- discovery (parallel)",
        "|   +-- file-census",
        "|   +-- dep-graph",
        "|   `-- coverage-map",
        "+-- structural (sequential)",
        "|   +-- architecture-review",
        "|   `-- abstraction-analysis",
        "+-- tactical (parallel)",
        "|   +-- security-scan",
        "|   +-- performance-review",
        "|   `-- complexity-analysis",
        "`-- synthesis (single)",
        "    `-- aggregate",
    ]


def test_a_later_layer_wins_whole_and_it_is_said(catalogues, terminal):
    catalogues("town", molecule("mol-a", "Town's"), molecule("mol-t", "Of the town"))
    catalogues("user", molecule("mol-a", "Mine", "plugin"), molecule("mol-security-scan", "My scan"))
    catalogues("project", molecule("mol-a", "Project's"), {"id": "mol-witness-patrol", "status": "tombstone"})
    terminal.play("""
        $ mmpm mol list
        mol-a Project's (project, over town, user)
        mol-code-review Code review: {{scope}} (built-in)
        mol-engineer-in-box Engineer in Box: {{feature_name}} (built-in)
        mol-polecat-arm Look after {{polecat}} [witness] (built-in)
        mol-security-scan My scan (user, over built-in)
        mol-t Of the town (town)
        $ mmpm mol list --tier user
        mol-security-scan My scan (user, over built-in)
        $ mmpm mol show mol-security-scan
        mol-security-scan My scan
        Labels: template
        Layer: user, over built-in (~/.beads/molecules.jsonl, line 2)
        mol-security-scan (task)
        $ mmpm mol show mol-witness-patrol
        error[molecule-not-found]: there is no molecule mol-witness-patrol in any catalogue here
          fix: `mmpm mol list` shows what there is
        [exit 1]
        $ mmpm mol show code-revew
        error[molecule-not-found]: there is no molecule code-revew in any catalogue here; did you mean mol-code-review?
          fix: `mmpm mol list` shows what there is
        [exit 1]
    """)


def test_a_step_of_another_layer_is_marked(catalogues, terminal):
    catalogues("user", {"id": "mol-engineer-in-box.3", "title": "My review"})
    assert '"My review" (user, over built-in)\n' in terminal.run("mol", "show", "mol-engineer-in-box").out


def test_bad_lines_are_named_and_the_rest_is_there(catalogues, terminal):
    catalogues("user", molecule("mol-a"), "{", '{"title":"x"}', molecule("mol-b"))
    seen = terminal.run("mol", "list")
    assert seen.status == 0
    assert "mol-a (user)\n" in seen.out
    assert "mol-b (user)\n" in seen.out
    assert terminal.tidy(seen.err).splitlines()[1] == "warning: ~/.beads/molecules.jsonl, line 3: it has no 'id'"
    document = shown(terminal, "mol", "list")
    assert [one["line"] for one in document["problems"]] == [2, 3]


def test_many_bad_lines_are_counted_after_the_first(catalogues, terminal):
    catalogues("user", *["x"] * 50)
    warnings = terminal.run("mol", "list").err.splitlines()
    assert len(warnings) == 21
    assert warnings[-1] == "warning: 30 more faults in catalogues; --json lists them"


def test_texts_of_others_cannot_steer_the_terminal(catalogues, terminal):
    evil = "\x1b[2J\x9b1m\u202eevil\r\nnext"
    catalogues("user", molecule("mol-a", evil, evil, description=evil), {"id": "mol-a.1", "title": evil})
    for words in (("mol", "list"), ("mol", "show", "mol-a"), ("mol", "show", "mol-a", "--verbose")):
        seen = terminal.run(*words)
        assert seen.status == 0
        assert not set(seen.both) & set("\x1b\x9b\u202e\r")
    assert "next" in terminal.run("mol", "list").out


def test_a_tree_of_any_depth_is_shown(catalogues, terminal):
    parts = [{"id": "n0", "labels": ["template"]}]
    for number in range(1, 3000):
        edge = {"depends_on_id": f"n{number - 1}", "type": "parent-child"}
        parts.append({"id": f"n{number}", "dependencies": [edge]})
    catalogues("user", *parts)
    seen = terminal.run("mol", "show", "n0")
    assert seen.out.endswith("(2935 more, deeper than 64 levels)\n")
    assert [step["depth"] for step in shown(terminal, "mol", "show", "n0")["steps"]] == list(range(1, 3000))


def test_programs_get_whole_records(catalogues, terminal):
    catalogues("user", molecule("mol-a", "A", created_at="2026-01-01T00:00:00Z"), {"id": "mol-a.1", "title": "One"})
    document = shown(terminal, "mol", "show", "mol-a")
    assert document["schema"] == "mmpm.mol-show/1"
    assert document["record"]["created_at"] == "2026-01-01T00:00:00Z"
    assert (document["layer"], document["line"], document["overrides"]) == ("user", 1, [])
    assert [(step["depth"], step["record"]["id"], step["line"]) for step in document["steps"]] == [(1, "mol-a.1", 2)]
    listed = shown(terminal, "mol", "list", "--tier", "user")
    assert [one["record"]["id"] for one in listed["molecules"]] == ["mol-a"]


def test_ids_complete(terminal):
    assert terminal.run("completion", "words", "--", "mol", "show", "mol-w").out == "mol-witness-patrol\n"


@pytest.mark.parametrize("name", ["mol-code-review", "mol-engineer-in-box"])
def test_the_built_in_molecules_say_what_their_formulas_say(terminal, name):
    path = CHECKOUT / "mmpm" / "system" / "formulas" / f"{name}.formula.toml"
    tables = parse_formula(path.read_bytes(), path.name).tables
    wanted = []
    for step in tables["steps"]:
        wanted += [step, *step.get("children", ())]
    defaults = {key: value["default"] for key, value in tables["vars"].items() if "default" in value}

    def filled(text):
        for key, value in defaults.items():
            text = text.replace("{{" + key + "}}", value)
        return text.strip("\n")

    steps = [one["record"] for one in shown(terminal, "mol", "show", name)["steps"]]
    assert [(one["title"], one["description"]) for one in steps] == [
        (filled(step["title"]), filled(step["description"])) for step in wanted
    ]


def test_a_catalogue_is_read_without_a_store_or_a_manifest(terminal):
    (terminal.cwd / "mmpm.toml").write_text("not toml")
    assert terminal.run("mol", "list").status == 0
    assert not (terminal.home / ".local").exists()


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "count"), [("gastown", 97), ("beads", 33)])
def test_every_molecule_of_the_real_catalogues_is_shown(terminal, name, count):
    folder = corpus_folder()
    if folder is None:
        pytest.skip("no corpus here")
    (terminal.cwd / ".beads").mkdir()
    data = (folder / "molecules" / f"{name}.molecules.jsonl").read_bytes()
    (terminal.cwd / ".beads" / "molecules.jsonl").write_bytes(data)
    listed = shown(terminal, "mol", "list", "--tier", "project")
    assert listed["problems"] == []
    assert len(data.splitlines()) == count
    for one in listed["molecules"]:
        record_id = one["record"]["id"]
        assert terminal.run("mol", "show", record_id).status == 0
