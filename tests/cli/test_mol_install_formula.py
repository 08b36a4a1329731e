"""A formula's release as molecules: cooked to records, merged into a catalogue, and taken out again."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.usefixtures("formulas")

BASE = """formula = "base"
version = 1
description = "Base."
[vars.branch]
default = "main"
enum = ["main", "next"]
[[steps]]
id = "load"
title = "Load {{branch}}"
[package]
version = "1.0.0"
"""
REVIEW = """formula = "mol-review"
version = 2
description = "Reviews {{what}}."
extends = ["base"]
labels = ["plugin", "witness"]
[vars.what]
required = true
[[steps]]
id = "look"
title = "Look at {{what}}"
needs = ["load"]
condition = "{{what}} != nothing"
[[steps]]
id = "report"
title = "Report"
needs = ["look"]
gate = { type = "human" }
[package]
version = "2.0.0"
"""


@pytest.fixture
def formulas(mall, terminal):
    """Publish a formula that extends another, and a bundle, beside `mol-a` and `mol-b`, which requires it."""
    assert mall
    terminal.environ["NO_COLOR"] = "1"
    texts = {
        ("base", "1.0.0"): BASE,
        ("mol-review", "2.0.0"): REVIEW,
        ("mol-review", "2.1.0"): REVIEW.replace("2.0.0", "2.1.0").replace('"Report"', '"Tell"'),
        ("mol-bad", "1.0.0"): BASE.replace('"base"', '"mol-bad"').replace("[package]", 'needs = ["gone"]\n[package]'),
    }
    # One that requires a bundle and is not made of it.
    texts["mol-asks", "1.0.0"] = BASE.replace('"base"', '"mol-asks"') + 'requires = { mol-bundle = "1" }\n'
    lines = []
    for (name, version), text in texts.items():
        path = terminal.folder / f"{name}-{version}.formula.toml"
        path.write_text(text)
        lines.append({"name": name, "version": version, "path": str(path)})
    folder = terminal.folder / "mol-bundle"
    (folder / "templates").mkdir(parents=True)
    (folder / "formula.toml").write_text(BASE.replace('"base"', '"mol-bundle"'))
    (folder / "templates" / "x.md").write_text("x")
    lines.append({"name": "mol-bundle", "version": "1.0.0", "path": str(folder)})
    batch = terminal.folder / "more.jsonl"
    batch.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done(terminal, "publish", "--batch", str(batch), "--to", "../reg", "--yes")


def done(terminal, *words):
    seen = terminal.run(*words)
    assert seen.status == 0, seen.both
    return seen


def catalogue(terminal, tier="user"):
    return ({"user": terminal.home, "project": terminal.cwd}[tier] / ".beads" / "molecules.jsonl").read_text()


def ids(text):
    return [json.loads(line)["id"] for line in text.splitlines()]


def test_a_formula_is_cooked_to_records_of_the_user_s_catalogue_and_taken_out(terminal):
    own = '{"id": "mine",  "title": "with blanks"}\n'
    (terminal.home / ".beads").mkdir()
    (terminal.home / ".beads" / "molecules.jsonl").write_text(own)
    seen = done(terminal, "mol", "install", "mol-review@2.0.0")
    assert seen.out == "Installed: mol-review@2.0.0\n"
    text = catalogue(terminal)
    assert text.startswith(own)
    wanted = ["mol-review", "mol-review.load", "mol-review.look", "mol-review.gate-report", "mol-review.report"]
    assert ids(text.removeprefix(own)) == wanted
    lock = (terminal.home / "mmpm.lock").read_text()
    assert ('"name":"base"' in lock, '"name":"mol-review"' in lock) == (True, True)
    # No file of it lies among the formulas, neither its own nor that of what it is made of.
    assert not (terminal.home / ".beads" / "formulas").exists()
    assert "mol-review" in done(terminal, "mol", "list", "--label", "plugin").out
    done(terminal, "mol", "uninstall", "mol-review")
    assert catalogue(terminal) == own
    assert "base" not in (terminal.home / "mmpm.lock").read_text()


def test_what_is_installed_is_the_very_molecule_that_the_formula_is(terminal):
    done(terminal, "mol", "install", "mol-review@2.0.0")
    from_catalogue = json.loads(done(terminal, "mol", "cook", "mol-review", "--json").out)
    assert from_catalogue["path"].endswith("molecules.jsonl")
    done(terminal, "mol", "uninstall", "mol-review")
    done(terminal, "install", "mol-review@2.0.0")
    from_file = json.loads(done(terminal, "mol", "cook", "mol-review", "--json").out)
    assert from_file["path"].endswith("mol-review.formula.toml")
    for one in (from_catalogue, from_file):
        for step in one["proto"]["steps"]:
            step.pop("source")
    ours, theirs = from_catalogue["proto"], from_file["proto"]
    assert ours["steps"] == theirs["steps"]
    assert ours["variables"] == theirs["variables"]
    assert ours["version"] == "2.0.0"
    assert [row[:3] for row in ours["sources"]] == [row[:3] for row in theirs["sources"]]
    seen = terminal.run("mol", "pour", "mol-review", "--var", "what=src", "--var", "branch=other")
    assert "one of 'main', 'next'" in seen.err


def test_it_is_poured_with_its_defaults(terminal):
    done(terminal, "mol", "install", "mol-review")
    molecule = done(terminal, "mol", "pour", "mol-review", "--var", "what=src").out.split()[0]
    shown = done(terminal, "mol", "show", molecule).out
    assert ("Load main" in shown, "mol-review@2.1.0" in shown) == (True, True)


def test_an_upgrade_cooks_anew_and_replaces_its_records(terminal):
    done(terminal, "mol", "install", "mol-review@2.0.0")
    assert '"Report"' in catalogue(terminal)
    done(terminal, "mol", "install", "mol-review@^2.1")
    assert ('"Report"' in catalogue(terminal), '"Tell"' in catalogue(terminal)) == (False, True)


def test_a_clone_gets_them_by_sync_and_the_store_keeps_what_they_are_made_of(terminal):
    done(terminal, "mol", "install", "mol-review", "--tier", "project")
    text = catalogue(terminal, "project")
    (terminal.cwd / ".beads" / "molecules.jsonl").unlink()
    done(terminal, "store", "prune", "--yes")
    (terminal.home / "reg").rename(terminal.home / "gone")
    done(terminal, "sync", "--frozen", "--offline")
    assert catalogue(terminal, "project") == text
    assert done(terminal, "sync", "--offline").out == ""
    assert done(terminal, "sync", "--check", "--offline").status == 0
    assert done(terminal, "verify").status == 0


def test_a_bundle_is_cooked_as_well(terminal):
    done(terminal, "mol", "install", "mol-bundle")
    assert ids(catalogue(terminal)) == ["mol-bundle", "mol-bundle.load"]
    assert not (terminal.home / ".beads" / "formulas").exists()


def test_both_a_formula_and_a_molecule_are_installed_as_both_and_leave_one_by_one(terminal):
    done(terminal, "install", "mol-review@2.0.0", "--as", "review")
    done(terminal, "mol", "install", "mol-review@^2", "--tier", "project")
    file = terminal.cwd / ".beads" / "formulas" / "review.formula.toml"
    # One version of it is locked, for both; its other name stays.
    assert (file.read_text(), "mol-review.report" in ids(catalogue(terminal, "project"))) == (REVIEW, True)
    assert done(terminal, "verify").status == 0
    assert done(terminal, "sync", "--check").status == 0
    done(terminal, "mol", "uninstall", "mol-review", "--tier", "project")
    assert (file.exists(), catalogue(terminal, "project")) == (True, "")
    done(terminal, "mol", "install", "mol-review@2.0.0", "--tier", "project")
    done(terminal, "uninstall", "mol-review")
    assert (file.exists(), len(ids(catalogue(terminal, "project")))) == (False, 5)
    assert list((terminal.cwd / ".beads" / "formulas").glob("*.toml")) == []
    done(terminal, "uninstall", "mol-review")
    assert catalogue(terminal, "project") == ""


def test_what_a_formula_needs_is_a_file_where_an_installed_formula_needs_it_too(terminal):
    done(terminal, "install", "base")
    done(terminal, "mol", "install", "mol-review", "--tier", "project")
    names = sorted(path.name for path in (terminal.cwd / ".beads" / "formulas").glob("*.toml"))
    assert names == ["base.formula.toml"]


def test_a_formula_that_is_no_molecule_here_is_not_taken_out_as_one(terminal):
    done(terminal, "install", "mol-review")
    seen = terminal.run("mol", "uninstall", "mol-review", "--tier", "project")
    assert (seen.status, "run `mmpm uninstall mol-review`" in seen.err) == (2, True)


def test_a_formula_that_cannot_be_cooked_is_refused_and_nothing_changes(terminal):
    seen = terminal.run("mol", "install", "mol-bad")
    assert (seen.status, "cannot be cooked" in seen.err) == (1, True)
    assert not (terminal.home / "mmpm.toml").exists()
    assert not (terminal.home / ".beads" / "molecules.jsonl").exists()


def test_what_a_formula_requires_and_is_not_made_of_is_locked_and_nothing_more(terminal):
    done(terminal, "mol", "install", "mol-asks")
    assert '"name":"mol-bundle"' in (terminal.home / "mmpm.lock").read_text()
    assert ids(catalogue(terminal)) == ["mol-asks", "mol-asks.load"]
    (terminal.home / ".beads" / "molecules.jsonl").unlink()
    (terminal.home / "reg").rename(terminal.home / "gone")
    done(terminal, "sync", "--tier", "user", "--frozen", "--offline")
    assert ids(catalogue(terminal)) == ["mol-asks", "mol-asks.load"]
