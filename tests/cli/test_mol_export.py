"""`mmpm mol export` as a person and `bd import` see it."""

from __future__ import annotations

import json

import pytest
from beads_reader import read_issues
from molecule_lives import REVIEW, Life
from molecule_town import patrol_that_failed, put, review_that_is_done, review_that_runs

from mmpm.molecule.digest import Digest, verify_digest

FORMULA = """formula = "mol-small"
version = 2
description = "Small {{what}}."
[vars.what]
required = true
[[steps]]
id = "look"
title = "Look at {{what}}"
gate = {type = "timer", timeout = "30m"}
"""


@pytest.fixture
def town(terminal):
    """Molecules in the working folder."""
    put(terminal.cwd, *patrol_that_failed())
    put(terminal.cwd, *review_that_is_done())
    put(terminal.cwd, review_that_runs())
    return terminal.cwd


def exported(terminal, *words):
    seen = terminal.run("mol", "export", *words)
    assert seen.status == 0, seen.err
    return {issue["id"]: issue for issue in read_issues(seen.out.encode())}


@pytest.mark.usefixtures("town")
def test_a_molecule_is_exported_as_it_stands(terminal):
    running = review_that_runs().now.id
    issues = exported(terminal, running, "--format", "beads")
    assert issues[running]["status"] == "in_progress"
    assert issues[f"{running}.discovery.files"]["assignee"] == "beads/onyx"
    assert f"{running}-digest" not in issues


@pytest.mark.usefixtures("town")
def test_a_squashed_mol_keeps_its_steps_beside_its_digest_and_a_wisp_has_its_digest_alone(terminal):
    done, patrol = review_that_is_done()[1], patrol_that_failed()[1]
    assert len(exported(terminal, done.id)) == len(done.outcomes) + 2
    (issue,) = exported(terminal, patrol.id).values()
    again = json.dumps(issue["metadata"]["mmpm"]["digest"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert verify_digest(Digest.parse(again.encode()), patrol.root)


def test_a_wisp_that_was_killed_between_digest_and_removal_is_its_digest(terminal):
    life, digest = patrol_that_failed()
    life.lines.pop()
    put(terminal.cwd, life)
    put(terminal.cwd, life, digest)
    assert list(exported(terminal, digest.id)) == [f"{digest.id}-digest"]


def test_formulas_and_molecules_of_the_catalogue_are_exported_as_templates(terminal):
    (terminal.cwd / "mol-small.formula.toml").write_text(FORMULA)
    issues = exported(terminal, "mol-small.formula.toml")
    assert list(issues) == ["mol-small", "mol-small.gate-look", "mol-small.look"]
    assert issues["mol-small.gate-look"]["timeout"] == 1800 * 10**9
    assert issues["mol-small"]["metadata"]["mmpm"]["variables"] == [{"name": "what", "required": True}]
    assert all(issue["is_template"] for issue in exported(terminal, "mol-code-review").values())


@pytest.mark.usefixtures("town")
def test_a_file_is_written_where_none_is(terminal, town):
    done = review_that_is_done()[1].id
    printed = terminal.run("mol", "export", done).out
    seen = terminal.run("mol", "export", done, "-o", "issues.jsonl")
    assert seen.both == f"Wrote {town}/issues.jsonl: 8 issues\n"
    assert (town / "issues.jsonl").read_text() == printed
    assert terminal.run("mol", "export", done, "-o", "issues.jsonl").status == 1
    assert terminal.run("mol", "export", done, "-o", "issues.jsonl", "--force").status == 0
    document = json.loads(terminal.run("--json", "mol", "export", done).out)
    assert (document["schema"], document["kind"], document["count"]) == ("mmpm.mol-export/1", "molecule", 8)


def test_what_was_burned_and_not_yet_tidied_away_is_not_exported(terminal):
    life = review_that_runs()
    life.do("burn", "no use")
    seen = terminal.run("mol", "export", put(terminal.cwd, life))
    assert (seen.status, "was burned" in seen.err) == (1, True)


def test_what_cannot_be_exported_is_said(terminal):
    life = Life(REVIEW)
    own = put(terminal.cwd, life)
    terminal.play(
        f"""
        $ mmpm mol export {own}.security
        error[molecule-refused]: {own}.security is a step, and a step alone would lead nowhere
          fix: `mmpm mol export {own}` takes all of it
        [exit 1]
        $ mmpm mol export {own} --format yaml
        error[usage]: --format: 'yaml' is not known
          fix: write --format beads
        [exit 2]
        """
    )
    assert "error[proto-not-found]" in terminal.run("mol", "export", "nothing-here").err


@pytest.mark.usefixtures("town")
def test_a_step_of_a_squashed_wisp_leads_to_its_digest(terminal):
    patrol = patrol_that_failed()[1]
    seen = terminal.run("mol", "export", f"{patrol.id}.{patrol.outcomes[0].step}")
    assert seen.status == 1
    assert f"fix: `mmpm mol export {patrol.id}` takes that" in seen.err
