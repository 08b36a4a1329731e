"""The real process on a real (pseudo) terminal."""

from __future__ import annotations


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
