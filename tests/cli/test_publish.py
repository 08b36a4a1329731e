"""`mmpm registry init`, `publish` and `yank` as a person and a program see them."""

from __future__ import annotations

import json

import pytest

FORMULA = """\
formula = "mol-polecat-work"
description = "Full polecat work lifecycle"
version = 4
type = "workflow"

[capabilities]
primary = ["go", "testing"]

[[steps]]
id = "a"
title = "A"
"""
MADE = ("registry", "init", "reg", "--id", "molmall.gastown.io", "--no-passphrase")


@pytest.fixture
def publisher(terminal):
    assert terminal.run(*MADE).status == 0
    (terminal.cwd / "mol-polecat-work.formula.toml").write_text(FORMULA)
    return terminal


def test_publishing_looks_as_in_the_seed(publisher):
    publisher.play(
        """
        $ mmpm publish mol-polecat-work --to reg --yes
        Publishing mol-polecat-work...
        Pre-flight checks:
        ✓ formula.toml is valid
        ✓ Version 4.0.0 not yet published
        ✓ Required fields present (name, version, description)
        ✓ Skills declared
        Uploading... ✓
        Published: hop://molmall.gastown.io/formulas/mol-polecat-work@4.0.0
        View at: https://molmall.gastown.io/formulas/mol-polecat-work
        $ mmpm publish mol-polecat-work --to reg --yes
        Publishing mol-polecat-work...
        Pre-flight checks:
        ✓ formula.toml is valid
        ✓ Version 4.0.0 already published, with equal bytes
        ✓ Required fields present (name, version, description)
        ✓ Skills declared
        Already published in molmall.gastown.io, with equal bytes
        $ mmpm yank mol-polecat-work@4.0.0 --reason "eats files" --to reg --yes
        Yanked mol-polecat-work@4.0.0: eats files
        $ mmpm yank mol-polecat-work@4.0.0 --reason "eats files" --to reg --yes
        mol-polecat-work@4.0.0 is yanked already
        """
    )


def test_on_a_terminal_the_question_is_the_seeds(publisher):
    seen = publisher.look("publish", "mol-polecat-work", "--to", "reg", typed="y\n")
    assert seen.status == 0
    assert "Publish to molmall.gastown.io? [y/N] y" in seen.out
    assert "Uploading... ✓" in seen.out
    assert seen.out.rstrip().endswith("View at: https://molmall.gastown.io/formulas/mol-polecat-work")


def test_a_no_publishes_nothing(publisher):
    assert publisher.look("publish", "mol-polecat-work", "--to", "reg", typed="n\n").status == 1
    assert not (publisher.cwd / "reg" / "formulas" / "mol-polecat-work").exists()


def test_other_bytes_under_a_published_version_are_refused(publisher):
    publisher.run("publish", "mol-polecat-work", "--to", "reg", "--yes")
    (publisher.cwd / "mol-polecat-work.formula.toml").write_text(FORMULA + "# more\n")
    publisher.play(
        """
        $ mmpm publish mol-polecat-work --to reg --yes
        Publishing mol-polecat-work...
        Pre-flight checks:
        ✓ formula.toml is valid
        ✗ Version 4.0.0 already published, with other bytes
        ✓ Required fields present (name, version, description)
        ✓ Skills declared
        error[version-taken]: mol-polecat-work 4.0.0 is already published, with other bytes
          fix: give the new content a new version; a published version never changes
        [exit 1]
        """
    )


def test_what_lacks_a_description_is_refused_and_missing_skills_are_a_warning(publisher):
    (publisher.cwd / "mol-bare.formula.toml").write_text('formula = "mol-bare"\nversion = 1\n')
    seen = publisher.run("publish", "mol-bare", "--to", "reg", "--yes")
    assert seen.status == 1
    assert "✗ Required fields missing (description)" in seen.err
    assert "⚠️ No skills declared" in seen.err
    assert "error[unpublishable]" in seen.err


def test_a_dry_run_changes_nothing(publisher):
    seen = publisher.run("publish", "mol-polecat-work", "--to", "reg", "--dry-run")
    assert seen.out == f"would publish 1 release to {publisher.cwd}/reg\n"
    assert not (publisher.cwd / "reg" / "formulas" / "mol-polecat-work").exists()


def test_json_tells_a_program_all_of_it(publisher):
    document = json.loads(publisher.run("publish", "mol-polecat-work", "--to", "reg", "--yes", "--json").out)
    assert document["schema"] == "mmpm.publish/1"
    assert document["published"] == ["hop://molmall.gastown.io/formulas/mol-polecat-work@4.0.0"]
    assert document["serial"] == 2
    assert [one["result"] for one in document["checks"][0]["checks"]] == ["done"] * 4
    refused = publisher.run("publish", "mol-polecat-work", "--to", "nowhere", "--json")
    assert json.loads(refused.out)["error"]["code"] == "not-a-registry"


def test_a_batch_is_published_whole_or_not_at_all(publisher):
    lines = [
        {"path": "mol-polecat-work.formula.toml", "version": "4.1.0", "published_at": "2026-01-01T00:00:00Z"},
        {"path": "mol-polecat-work.formula.toml", "name": "@acme/mol-polecat-work", "changelog": "First"},
    ]
    batch = publisher.cwd / "batch.jsonl"
    batch.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"path": "missing.formula.toml"}]))
    seen = publisher.run("publish", "--batch", "batch.jsonl", "--to", "reg", "--yes")
    assert seen.status == 1
    assert "error[preflight-failed]: 1 of 3 releases cannot be published" in seen.err
    batch.write_text("".join(json.dumps(line) + "\n\n" for line in lines))
    seen = publisher.run("publish", "--batch", "batch.jsonl", "--to", "reg", "--yes")
    assert seen.out == "Published: 2 releases to hop://molmall.gastown.io, serial 2\n"
    page = json.loads((publisher.cwd / "reg/formulas/@acme/mol-polecat-work/4.0.0/index.json").read_text())
    assert page["changelog"] == "First"
    batch.write_text('{"path": "x"}\n{"name": 7}\n')
    seen = publisher.run("publish", "--batch", "batch.jsonl", "--to", "reg", "--yes")
    assert "error[batch-line]: ~/rig/batch.jsonl, line 2: path is missing (1 more)\n" in publisher.tidy(seen.err)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"path": 7}, "path: expected a text"),
        ({"path": "x", "version": "1"}, "version: '1' is not a version"),
        ({"path": "x", "name": "Mol"}, "name: 'Mol' has the character 'M'"),
        ({"path": "x", "published_at": "yesterday"}, "published_at: not a time in UTC to the second: 'yesterday'"),
        ([], "the line: expected an object"),
    ],
)
def test_a_bad_line_of_a_batch_is_named_with_its_key(publisher, line, reason):
    (publisher.cwd / "batch.jsonl").write_text("\n" + json.dumps(line) + "\n")
    seen = publisher.run("publish", "--batch", "batch.jsonl", "--to", "reg", "--yes")
    assert seen.status == 1
    assert f"error[batch-line]: ~/rig/batch.jsonl, line 2: {reason}" in publisher.tidy(seen.err)


def test_a_name_with_a_scope_is_published_under_it(publisher):
    assert publisher.run("publish", "@acme/mol-polecat-work", "--to", "reg", "--yes").status == 0
    assert (publisher.cwd / "reg/formulas/@acme/mol-polecat-work/4.0.0/download").read_text() == FORMULA


def test_protected_keys_ask_for_their_passphrase(terminal):
    (terminal.cwd / "word").write_text("open sesame\n")
    (terminal.cwd / "mol-polecat-work.formula.toml").write_text(FORMULA)
    assert terminal.run("registry", "init", "reg", "--id", "acme.example").status == 2
    made = terminal.run("registry", "init", "reg", "--id", "acme.example", "--passphrase-file", "word", "--json")
    assert len(json.loads(made.out)["fingerprint"]) == 64
    words = ("publish", "mol-polecat-work", "--to", "reg", "--yes")
    assert terminal.run(*words).status == 2
    terminal.environ["MMPM_KEY_PASSPHRASE"] = "sesame"
    assert "error[key-unreadable]" in terminal.run(*words).err
    terminal.environ["MMPM_KEY_PASSPHRASE"] = "open sesame"
    assert terminal.run(*words).status == 0
    del terminal.environ["MMPM_KEY_PASSPHRASE"]
    assert terminal.run("publish", "--to", "reg", "--passphrase-file", "word").status == 0


def test_publish_init_says_how_to_begin(terminal):
    terminal.play(
        """
        $ mmpm publish --init
        Setting up Mol Mall publishing...
        1. Make a registry in a folder: mmpm registry init DIR --id HOST
        2. Keep its keys safe, and a copy of them elsewhere: ~/.local/share/mmpm/keys/HOST
        3. Run: mmpm publish NAME --to DIR
        """
    )


@pytest.mark.parametrize(
    "words",
    [
        ("publish", "mol-polecat-work"),
        ("publish", "mol-none", "--to", "reg"),
        ("publish", "mol-polecat-work", "--to", "reg", "--version", "four"),
        ("publish", "mol-polecat-work", "--to", "reg", "--batch", "batch.jsonl"),
        ("publish", "mol-polecat-work", "--to", "https://molmall.gastown.io"),
        ("yank", "mol-polecat-work", "--reason", "x", "--to", "reg"),
        ("yank", "mol-polecat-work@4", "--reason", "x", "--to", "reg"),
        ("yank", "mol-polecat-work@4.0.0", "--reason", " ", "--to", "reg"),
        ("registry", "init", "other", "--id", "no host", "--no-passphrase"),
    ],
)
def test_wrong_words_are_wrong_usage(publisher, words):
    (publisher.cwd / "batch.jsonl").write_text("{}\n")
    assert publisher.run(*words).status == 2


def test_a_registry_is_not_made_twice(publisher):
    assert "error[registry-exists]" in publisher.run(*MADE).err
