"""Formulas in the older form, X.formula.json, are cooked like those in TOML."""

from __future__ import annotations

import json

import pytest

BASE = {"formula": "base", "version": 1, "description": "d", "steps": [{"id": "load", "title": "Load {{what}}"}]}
REVIEW = {
    "formula": "mol-review",
    "version": 2,
    "description": "Reviews.",
    "extends": ["base"],
    "vars": {"what": {"default": "src", "enum": ["src", "lib"]}, "unused": None},
    "steps": [{"id": "look", "title": "Look", "needs": ["load"], "gate": {"type": "human"}}],
}
TOML = """formula = "mol-review"
version = 2
description = "Reviews."
extends = ["base"]
vars = { what = { default = "src", enum = ["src", "lib"] } }
[[steps]]
id = "look"
title = "Look"
needs = ["load"]
gate = { type = "human" }
"""


@pytest.fixture
def formulas(formulas_folder):
    (formulas_folder / "base.formula.json").write_text(json.dumps(BASE))
    (formulas_folder / "mol-review.formula.json").write_text(json.dumps(REVIEW, indent=2))
    return formulas_folder


def cooked(terminal, *words):
    seen = terminal.run("mol", "cook", *words, "--json")
    assert seen.status == 0, seen.err
    return json.loads(seen.out)


def test_both_forms_cook_to_one_graph(terminal, formulas):
    older = cooked(terminal, "mol-review")
    assert older["path"].endswith("mol-review.formula.json")
    assert cooked(terminal, str(formulas / "mol-review.formula.json"))["graph"] == older["graph"]
    # A TOML file of the name comes first, as it does for bd, and may be made with one in JSON.
    (formulas / "mol-review.formula.toml").write_text(TOML)
    newer = cooked(terminal, "mol-review")
    assert newer["path"].endswith("mol-review.formula.toml")
    assert newer["graph"] == older["graph"]


@pytest.mark.usefixtures("formulas")
def test_they_are_poured_and_checked(terminal):
    assert terminal.run("mol", "pour", "mol-review", "--var", "what=lib").status == 0
    assert "one of 'src', 'lib'" in terminal.run("mol", "pour", "mol-review", "--var", "what=x").err
    assert "cooks alike" in terminal.run("mol", "check", "base").out


def test_what_is_no_json_is_told_with_its_place(terminal, formulas):
    (formulas / "bad.formula.json").write_text('{\n "formula" "bad"\n}')
    seen = terminal.run("mol", "cook", "bad")
    assert (seen.status, "line 2" in seen.err or ":2:" in seen.err) == (1, True)
