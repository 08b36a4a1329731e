"""The real process on a real (pseudo) terminal."""

from __future__ import annotations

import json


def test_errors_are_coloured_on_a_terminal_and_plain_without_colour(terminal):
    seen = terminal.look("config", "get", "nope")
    assert seen.status == 2
    assert "\x1b[31merror[bad-setting]:\x1b[0m" in seen.both
    assert seen.out.startswith("error[bad-setting]: nope: there is no such setting\n  fix: ")
    terminal.environ["NO_COLOR"] = "1"
    assert "\x1b" not in terminal.look("config", "get", "nope").both
    assert "\x1b" not in terminal.look("--color=never", "config", "get", "nope").both


def test_help_is_drawn_in_boxes_on_a_terminal_and_plain_when_piped(terminal):
    assert "╭─ Commands" in terminal.look("--help", columns=100).out
    assert "╭" not in terminal.run("--help").out


STEERING = "\u202eeht \x1b[31m\x9b2J\u2066 \U000e0001 \x7f"
FORMULA = """formula = "mol-forged"
version = 1
description = "Forged"
[[steps]]
id = "look"
title = "Look \\u202Eeht \\u001B[31m\\u009B2J\\u2066 \\U000E0001 \\u007F"
"""


def test_json_that_steers_a_terminal_is_written_in_escapes_there_and_to_the_byte_elsewhere(terminal):
    (terminal.cwd / "mmpm.toml").touch()
    (terminal.cwd / "mol-forged.formula.toml").write_text(FORMULA)
    made = terminal.run("mol", "wisp", "./mol-forged.formula.toml").out.split()[0]
    assert terminal.run("mol", "close", f"{made}.look", "--reason", STEERING).status == 0
    shown = []
    for words in (
        ("mol", "cook", "./mol-forged.formula.toml", "--raw"),
        ("mol", "export", made, "--format", "beads"),
    ):
        piped, seen = terminal.run(*words).out, terminal.look(*words).both
        assert "\u202e" in piped
        assert not [one for one in seen if not one.isprintable() and one not in "\r\n"]
        assert list(map(json.loads, seen.splitlines())) == list(
            map(json.loads, piped.split("\n")[: seen.count("\n") or 1])
        )
        shown.append(seen)
    assert "\\u202eeht \\u001b[31m\\u009b2J\\u2066 \\udb40\\udc01 \\u007f" in shown[0]
    assert terminal.run("mol", "squash", made, "--force").status == 0
    words = ("mol", "verify", made, "--step", "look", "--proof", "--quiet")
    seen = terminal.look(*words).both
    assert not [one for one in seen if not one.isprintable() and one not in "\r\n"]
    assert json.loads(seen) == json.loads(terminal.run(*words).out)
