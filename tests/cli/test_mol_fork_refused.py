"""What a copy or a compound is not written over, or beside."""

from __future__ import annotations

import os

import pytest
from molecule_roots import MolRoot


@pytest.fixture
def rig(tmp_path):
    made = MolRoot(tmp_path)
    made.terminal.environ["NO_COLOR"] = "1"
    (made.root / ".beads" / "formulas").mkdir(parents=True)
    return made


def refused(rig, *words):
    path = rig.root / ".beads" / "molecules.jsonl"
    before = path.read_bytes() if path.is_file() else None
    seen = rig.run("mol", *words)
    assert (seen.status, seen.out) == (1, ""), seen.both
    assert (path.read_bytes() if path.is_file() else None) == before
    return seen.err


def test_nothing_is_written_that_a_formula_of_its_name_would_hide(rig):
    (rig.root / ".beads" / "formulas" / "mol-mine.formula.toml").write_text('formula = "mol-mine"\nversion = 1\n')
    for words in (("fork", "mol-polecat-arm", "mol-mine"), ("bond", "mol-polecat-arm", "mol-security-scan")):
        name = ("--as", "mol-mine") if words[0] == "bond" else ()
        assert "a formula is found first: give" in refused(rig, *words, *name)
        assert "a formula is found first: give" in refused(rig, *words, *name, "--force")


def test_a_formula_of_a_later_tier_is_hidden_only_where_that_is_said(rig):
    for words in (
        ("fork", "mol-polecat-arm", "mol-incident"),
        ("bond", "mol-polecat-arm", "mol-security-scan", "--as", "mol-incident"),
    ):
        assert "mol-incident.formula.toml\n" in (said := refused(rig, *words))
        assert "or take its place with --force" in said
    rig.done("mol", "fork", "mol-polecat-arm", "mol-incident", "--force")
    assert "capture" in rig.done("mol", "cook", "mol-incident").out


def test_a_copy_under_the_id_of_another_is_refused_with_what_would_do_it(rig):
    rig.done("mol", "fork", "mol-security-scan", "mine")
    said = refused(rig, "fork", "mol-polecat-arm", "mine")
    assert "give the copy another id, or take its place with --force" in said
    rig.done("mol", "fork", "mol-polecat-arm", "mine", "--force")
    rig.done("mol", "fork", "mol-security-scan")
    assert "edit it there, or give the copy another id: `mmpm mol fork mol-security-scan NEW`" in refused(
        rig, "fork", "mol-security-scan"
    )


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_catalogue_that_is_no_file_is_named(rig, make):
    path = rig.root / ".beads" / "molecules.jsonl"
    make(path)
    assert "molecules.jsonl: it is no plain file\n  fix: move it away" in refused(rig, "fork", "mol-polecat-arm", "x")
