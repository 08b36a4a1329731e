"""Completion: commands, options and names, from what is on this machine."""

from __future__ import annotations

import os
import subprocess

import pytest

from mmpm.cli.completion import SCRIPTS


def words(terminal, *typed):
    return terminal.run("completion", "words", "--", *typed).out.split()


def test_groups_and_commands_are_offered(terminal):
    assert "config" in words(terminal, "")
    assert words(terminal, "config", "") == ["get", "list", "set", "unset"]
    assert words(terminal, "formula", "config", "g") == ["get"]


def test_options_are_those_of_the_command_and_those_of_all(terminal):
    assert words(terminal, "config", "list", "--o") == ["--offline", "--origin"]


def test_values_of_common_options_are_offered(terminal):
    assert words(terminal, "list", "--tier", "") == ["project", "town", "user"]
    assert words(terminal, "--color", "n") == ["never"]


def test_what_may_stand_behind_an_option_is_offered_and_no_operand(terminal):
    (terminal.cwd / ".beads").mkdir(exist_ok=True)
    assert terminal.run("completion", "words", "--", "mol", "bond", "--type", "").out.split() == [
        "conditional",
        "parallel",
        "sequential",
    ]
    assert terminal.run("completion", "words", "--", "mol", "graph", "--format", "m").out == "mermaid\n"
    assert terminal.run("completion", "words", "--", "mol", "graph", "-o", "").out == ""  # files
    assert terminal.run("completion", "words", "--", "mol", "bond", "--var", "").out == ""
    assert "mol-code-review" in terminal.run("completion", "words", "--", "mol", "bond", "--wisp", "").out


def test_molecules_that_run_are_offered_where_only_they_can_stand(terminal):
    (terminal.cwd / ".beads").mkdir(exist_ok=True)
    terminal.run("mol", "pour", "mol-witness-patrol", "--ref", "p")
    (made,) = os.listdir(terminal.cwd / ".beads" / "mmpm" / "mols")
    for verb in ("ready", "start", "close", "squash", "burn", "distill"):
        assert terminal.run("completion", "words", "--", "mol", verb, "").out == made.removesuffix(".jsonl") + "\n"


def test_settings_are_offered(terminal):
    assert words(terminal, "config", "get", "install.") == ["install.link"]


def test_an_unknown_shell_is_wrong_usage(terminal):
    assert terminal.run("completion", "tcsh").status == 2


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_each_shell_can_read_its_script(terminal, shell):
    script = terminal.run("completion", shell).out
    assert script == SCRIPTS[shell]
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_bash_completes_through_the_script():
    script = SCRIPTS["bash"] + (
        'mmpm() { printf "%s\\n" list lock; }; COMP_WORDS=(mmpm l); COMP_CWORD=1; _mmpm; printf "%s " "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "list lock "
