"""Help through a pipe: each entry wrapped once, nothing said that says nothing."""

from __future__ import annotations

import pytest

from mmpm.cli.plain_help import shown_default
from mmpm.cli.table import COMMANDS


@pytest.mark.parametrize("words", ["", "registry", "mirror", *(row.words for row in COMMANDS)])
def test_piped_help_is_wrapped_once(terminal, words):
    text = terminal.run(*words.split(), "--help").out
    lines = text.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert "[default: ()]" not in text
    assert "[default: False]" not in text
    for number, line in enumerate(lines[:-1]):
        below = lines[number + 1]
        if below.startswith(" " * 6):  # what was wrapped had no more room above
            assert len(f"{line} {below.split()[0]}") > 80


def test_other_names_stand_beside_the_first(terminal):
    assert "  install, add: " in terminal.run("--help").out


@pytest.mark.parametrize("value", [None, False, (), ""])
def test_a_default_that_says_nothing_is_not_shown(value):
    assert shown_default(value) is None


def test_a_default_is_shown_as_it_is_typed():
    assert shown_default(("a", "b")) == "a, b"
    assert shown_default(0) == "0"
