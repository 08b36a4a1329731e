"""`--preset` of `mol cook`, `bond`, `pour` and `wisp` as a person sees it."""

from __future__ import annotations

import json

import pytest

REVIEW = """formula = "mol-review"
version = 1
type = "convoy"
description = "Review."
[[legs]]
id = "security"
title = "Security"
[[legs]]
id = "style"
title = "Style"
[synthesis]
title = "All"
depends_on = ["security", "style"]
[presets.gate]
legs = ["security"]
"""

pytestmark = pytest.mark.usefixtures("formulas")


@pytest.fixture
def formulas(formulas_folder):
    (formulas_folder / "mol-review.formula.toml").write_text(REVIEW)


def steps(terminal, *words):
    return [one["id"] for one in json.loads(terminal.run("mol", "cook", *words, "--json").out)["proto"]["steps"]]


def test_cook_shows_the_presets_and_what_one_leaves(terminal):
    assert "presets gate" in terminal.run("mol", "cook", "mol-review").err
    assert steps(terminal, "mol-review") == ["security", "style", "synthesis"]
    assert steps(terminal, "mol-review", "--preset", "gate") == ["security", "synthesis"]
    seen = terminal.run("mol", "cook", "mol-review", "--preset", "x")
    assert (seen.status, "no preset 'x'; it has gate" in seen.err) == (1, True)


def test_work_begins_with_the_legs_of_a_preset(terminal):
    for verb in ("pour", "wisp", "bond"):
        seen = terminal.run("mol", verb, "mol-review", "--preset", "gate")
        assert (seen.status, "2 steps" in seen.both) == (0, True), seen.err
        shown = terminal.run("mol", "show", seen.out.split()[0]).out
        assert ("security" in shown, "style" in shown) == (True, False)
    arm = terminal.run("mol", "bond", "mol-review", seen.out.split()[0], "--ref", "again", "--preset", "gate")
    assert arm.status == 0, arm.err


def test_what_no_preset_can_mean_is_refused(terminal):
    seen = terminal.run("mol", "pour", "mol-review", "--preset", "x")
    assert (seen.status, "no preset 'x'; it has gate" in seen.err) == (1, True)
    seen = terminal.run("mol", "pour", "mol-review", "--preset", "gate", "--swap", "style=mol-review")
    assert (seen.status, "leaves style out, and --swap names it" in seen.err) == (1, True)
    seen = terminal.run("mol", "bond", "mol-review", "mol-review", "--preset", "gate")
    assert (seen.status, "--preset means nothing" in seen.err) == (2, True)
