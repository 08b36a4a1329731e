"""No control character of a package reaches the terminal, whether it is one or a pipe."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest
from terminal import read_of
from world import formula_text

# Clears the screen, renames the window, reverses the reading direction, rings, returns the carriage.
EVIL = "\x1b[2J\x1b]0;owned\x07\u202egnp\x9b31m\rhidden\b\b\x00"


def toml_text(text):
    return json.dumps(text)  # its escapes are TOML's as well


def test_an_author_with_control_characters_is_refused(world):
    text = formula_text("mol-evil", "1.0.0", {}).replace('"someone@example.com"', toml_text("me" + EVIL))
    path = world.folder / "mol-evil.formula.toml"
    path.write_text(text)
    ran = world.registry("acme").publisher.run(
        "publish", str(path), "--to", str(world.registry("acme").folder), "--yes", status=1
    )
    assert "package.author" in ran.err
    assert controls_in(ran.out + ran.err) == []


@pytest.fixture
def machine(world):
    text = (
        formula_text("mol-evil", "1.0.0", {})
        .replace('description = "What mol-evil 1.0.0 does"', f"description = {toml_text('Nice ' + EVIL)}")
        .replace('title = "Work as 1.0.0 says"', f"title = {toml_text('work' + EVIL)}")
    )
    registry = world.registry("acme")
    registry.release("mol-evil", text=text, changelog="Better. " + EVIL)
    registry.release("mol-evil", "1.1.0", text=text.replace("1.0.0", "1.1.0"), changelog="Best. " + EVIL)
    world.settle()
    registry.publisher.run(
        "yank", "mol-evil@1.0.0", "--reason", "bad" + EVIL.replace("\x00", ""), "--to", str(registry.folder), "--yes"
    )
    machine = world.machine()
    machine.run("init")
    machine.add(registry)
    return machine


COMMANDS = (
    ["update", "--all"],
    ["install", "mol-evil@1.0.0"],
    ["list"],
    ["list", "--installed"],
    ["show", "mol-evil"],
    ["show", "mol-evil", "--resolve"],
    ["upgrade", "--yes"],
    ["verify"],
    ["install", "mol-evil@7"],
    ["install", "mol\x1b[31m-x"],
    ["uninstall", "mol-evil"],
)


def controls_in(text):
    return sorted({repr(c) for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202e\u2028"})


def test_none_comes_through_a_pipe(machine):
    for words in COMMANDS:
        ran = machine.try_run(*words)
        assert controls_in(ran.out + ran.err) == [], ran
        assert "Traceback" not in ran.err, ran


def test_json_escapes_them(machine):
    machine.run("install", "mol-evil@1.0.0")
    for words in (["list", "--json"], ["show", "mol-evil", "--json"], ["verify", "--json"]):
        ran = machine.try_run(*words)
        assert controls_in(ran.out) == [], ran
        assert ran.json


def run_on_a_terminal(machine, *words):
    """What a terminal of 100 columns receives."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        machine.command(*words),
        cwd=machine.project,
        env=machine.environment() | {"TERM": "xterm-256color", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    received = b""
    while piece := read_of(ours):
        received += piece
    os.close(ours)
    process.wait()
    return received.decode()


def test_none_reaches_a_terminal(machine):
    for words in COMMANDS:
        received = run_on_a_terminal(machine, *words)
        for sequence in ("\x1b[2J", "\x1b]0;", "\x07", "\u202e", "\x9b", "\x00", "\b"):
            assert sequence not in received, (words, received)
        assert "Traceback" not in received, received
