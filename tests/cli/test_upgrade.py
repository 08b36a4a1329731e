"""`mmpm upgrade`: what is named moves, what must move moves with it, and everything else stays."""

from __future__ import annotations

import json

import pytest

from mmpm.lock import parse_lock


def moved(terminal, *words):
    document = json.loads(terminal.run("upgrade", *words, "--json").out)
    return {one["name"]: (one["old"], one["new"]) for one in document["moves"]}


def locked(terminal):
    return {one.name: one.version for one in parse_lock((terminal.cwd / "mmpm.lock").read_bytes()).releases}


@pytest.fixture
def web(terminal, mall):
    """Everything is locked at 1.0.0, and everything has 1.1.0 by now; mol-x 1.1.0 needs mol-y 1.1.0."""
    names = ("mol-p", "mol-x", "mol-y", "mol-z")
    mall(*((name, "1.0.0") for name in names if name != "mol-x"), ("mol-x", "1.0.0", "mol-y@^1", "mol-z@^1"))
    assert terminal.run("install", *names).status == 0
    mall(*((name, "1.1.0") for name in names if name != "mol-x"), ("mol-x", "1.1.0", "mol-y@^1.1", "mol-z@^1"))
    return mall


BEFORE = {"mol-p": "1.0.0", "mol-x": "1.0.0", "mol-y": "1.0.0", "mol-z": "1.0.0"}


@pytest.mark.usefixtures("web")
def test_one_name_moves_with_the_one_other_that_it_forces_and_the_rest_stays(terminal):
    assert locked(terminal) == BEFORE
    files = {path: path.read_bytes() for path in (terminal.cwd / "mmpm.lock", terminal.cwd / "mmpm.toml")}
    assert moved(terminal, "mol-x", "--dry-run") == {"mol-x": ("1.0.0", "1.1.0"), "mol-y": ("1.0.0", "1.1.0")}
    assert {path: path.read_bytes() for path in files} == files
    seen = terminal.run("upgrade", "mol-x", "--yes")
    assert seen.out == "Installed: mol-x@1.1.0\nInstalled: mol-y@1.1.0\n"
    assert locked(terminal) == BEFORE | {"mol-x": "1.1.0", "mol-y": "1.1.0"}


@pytest.mark.usefixtures("web")
def test_a_name_that_forces_nothing_moves_alone_and_several_names_together(terminal):
    assert moved(terminal, "mol-z", "--dry-run") == {"mol-z": ("1.0.0", "1.1.0")}
    assert set(moved(terminal, "mol-p", "mol-z", "--dry-run")) == {"mol-p", "mol-z"}
    assert set(moved(terminal, "--dry-run")) == set(BEFORE)


def test_what_an_upgrade_would_give_is_what_outdated_calls_allowed(terminal, web):
    web(("mol-z", "2.0.0"), ("mol-p", "2.0.0", "mol-z@^2"))
    terminal.run("update")
    rows = {one["name"]: one["allowed"] for one in json.loads(terminal.run("outdated", "--json").out)["formulas"]}
    assert rows == {name: new for name, (_, new) in moved(terminal, "--dry-run").items()}
    assert rows["mol-p"] == "1.1.0"


def test_where_nothing_can_be_kept_as_it_is_the_rest_moves_as_little_as_it_can(terminal, mall):
    """The locked mol-base is gone from what fits: a dependant of it was withdrawn from its range by the manifest."""
    mall(("mol-base", "1.0.0"), ("mol-top", "1.0.0", "mol-base@^1"), ("mol-side", "1.0.0", "mol-base@^1"))
    assert terminal.run("install", "mol-top", "mol-side").status == 0
    mall(("mol-base", "2.0.0"), ("mol-base", "2.1.0"))
    mall(
        ("mol-top", "2.0.0", "mol-base@^2"), ("mol-side", "2.0.0", "mol-base@^2"), ("mol-side", "2.1.0", "mol-base@^2")
    )
    text = (terminal.cwd / "mmpm.toml").read_text()
    (terminal.cwd / "mmpm.toml").write_text(text.replace('mol-side = "*"', 'mol-side = "^2"'))
    # Held hard, mol-side 1.0.0 leaves no answer at all; held softly, all three go where they have to.
    assert moved(terminal, "mol-top", "--dry-run") == {
        "mol-top": ("1.0.0", "2.0.0"),
        "mol-base": ("1.0.0", "2.1.0"),
        "mol-side": ("1.0.0", "2.1.0"),
    }


def test_a_name_that_another_one_holds_stays_and_says_so_until_that_one_is_named(terminal, mall):
    mall(("mol-low", "1.0.0"), ("mol-mid", "1.0.0", "mol-low@1.0.0"), ("mol-far", "1.0.0"))
    assert terminal.run("install", "mol-mid", "mol-far").status == 0
    mall(("mol-low", "1.1.0"), ("mol-mid", "1.1.0", "mol-low@1.1.0"), ("mol-far", "1.1.0"))
    assert "mol-low 1.0.0 stays\n" in terminal.run("upgrade", "mol-low").err
    assert moved(terminal, "mol-mid", "--dry-run") == {"mol-low": ("1.0.0", "1.1.0"), "mol-mid": ("1.0.0", "1.1.0")}
