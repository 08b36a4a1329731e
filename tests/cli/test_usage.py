"""Wrong usage is said in our own words, whatever the parser calls it."""

from __future__ import annotations

import pytest

from mmpm.cli.table import COMMANDS


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("unpin a b", "unpin: 'b' is one operand too many"),
        ("export a b c", "export: 'b', 'c' are operands too many"),
        ("list --installed x", "list: 'x' is one operand too many"),
        ("show", "show: REFERENCE is missing"),
        ("yank mol-a@1.0.0", "yank: --reason is missing"),
        ("publish x --to", "publish: --to needs a value"),
        ("registry add x --priority", "registry add: --priority needs a value"),
        ("registry add x --priority first", "registry add: --priority takes a whole number, not 'first'"),
        ("registry add x --priority 1 --priority 2", "registry add: --priority is given twice"),
        ("list --installed=3", "list: --installed takes no value, not '3'"),
        ("list --insatlled", "list: there is no option --insatlled; did you mean --installed?"),
        ("list --oflin", "list: there is no option --oflin; did you mean --offline?"),
        ("lock -x", "lock: there is no option -x"),
        ("uninstal x", "there is no command 'uninstal'; did you mean uninstall?"),
        ("registry ad", "registry: there is no command 'ad'; did you mean add?"),
        ("frob", "there is no command 'frob'"),
    ],
)
def test_wrong_usage_names_what_is_wrong_and_the_help(terminal, line, fact):
    seen = terminal.run(*line.split())
    command = fact.partition(":")[0] if ": " in fact and "'" not in fact.partition(":")[0] else ""
    assert seen.status == 2
    assert seen.err.splitlines()[-2:] == [
        f"error[usage]: {fact}",
        f"  fix: run `{' '.join(['mmpm', *command.split()])} --help`",
    ]


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.words)
def test_no_command_lets_the_parsers_words_through(terminal, row):
    for line in ([*row.words.split(), "--frobnicate"], [*row.words.split(), *"abcdefgh", "--frobnicate=1"]):
        seen = terminal.run(*line)
        assert seen.status == 2
        assert "error[usage]: " in seen.err
        assert not [word for word in ("Unused", "Token", "Parameter", "Unknown", "argument") if word in seen.err]
