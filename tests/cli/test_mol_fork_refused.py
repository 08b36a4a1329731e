"""What a copy or a compound is not written over, or beside; and steps as trees show them."""

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


def test_of_a_formula_it_is_said_how_it_is_copied(rig):
    (rig.root / ".beads" / "formulas" / "mol-mine.formula.toml").write_text('formula = "mol-mine"\nversion = 1\n')
    seen = rig.run("mol", "fork", "mol-mine", "mol-copy")
    assert (seen.status, seen.out) == (2, "")
    assert "mol-mine is a formula" in seen.err
    assert str(rig.root / ".beads" / "formulas" / "mol-mine.formula.toml") in seen.err


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


def test_a_step_may_be_named_as_trees_show_it(rig):
    words = ("mol", "pour", "mol-engineer-in-box", "--var", "feature_name=x")
    for number, step in enumerate(("2", ".2", "mol-engineer-in-box.2")):
        rig.done(*words, "--without", step, "--ref", f"r{number}")
        assert "Implement" not in rig.done("mol", "show", f"rig-mol-r{number}").out
    swapped = ("--swap", ".2=mol-security-scan", "--var", "polecat_name=a", "--var", "captured_output=b")
    rig.done(*words, *swapped, "--ref", "s")
    assert "Security scan for a" in rig.done("mol", "show", "rig-mol-s").out
    seen = rig.run(*words, *swapped, "--swap", "2=mol-polecat-arm")
    assert (seen.status, "a step is swapped twice" in seen.err) == (2, True)
    assert "has no step '.9'" in rig.run(*words, "--without", ".9").err


@pytest.mark.parametrize("option", ["--output", "-o"])
def test_an_empty_name_of_a_file_is_a_slip(rig, option):
    """A script's `-o "$FILE"` without FILE would change the catalogue instead."""
    rig.done("mol", "pour", "mol-witness-patrol", "--ref", "a")
    for words in (("fork", "mol-polecat-arm", "mine"), ("distill", "rig-mol-a", "mine")):
        seen = rig.run("mol", *words, option, "")
        assert (seen.status, "--output is empty" in seen.err) == (2, True)
    assert not (rig.root / ".beads" / "molecules.jsonl").exists()
    assert os.listdir(rig.root / ".beads" / "formulas") == []


def test_a_file_that_happens_to_be_called_as_a_molecule_does_not_take_its_place(rig):
    for name in ("mol-code-review", "mol-incident", "mol-polecat-arm"):
        (rig.root / name).write_text("notes, and no formula")
    assert "a mol of 13 steps" in rig.done("mol", "pour", "mol-code-review", "--var", "scope=x").both
    assert "6 steps" in rig.done("mol", "cook", "mol-incident").out
    assert "a mol of 3 steps" in rig.done("mol", "pour", "mol-polecat-arm", "--var", "polecat=x").both
    (rig.root / "mine").write_text('formula = "mol-mine"\nversion = 1\n[[steps]]\nid = "a"\ntitle = "A"\n')
    assert "1 step " in rig.done("mol", "cook", "mine").out  # where nothing else is called so, it is that file
    assert "1 step " in rig.done("mol", "cook", "./mine").out
