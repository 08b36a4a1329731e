"""A plan on the command line: shown, asked about, applied, said; once for every command."""

from __future__ import annotations

import io
import json
import typing

import pytest

from mmpm import plan as plans
from mmpm.cli.options import take_options
from mmpm.cli.output import Output
from mmpm.cli.plans import run_plan, sentence_of
from mmpm.cli.session import Session
from mmpm.errors import DeclinedError, QuestionUnansweredError
from mmpm.execute.apply import HANDLERS


class Stream(io.StringIO):
    """Text in memory that may say it is a terminal."""

    def __init__(self, text="", *, terminal=False):
        super().__init__(text)
        self.terminal = terminal

    encoding = "utf-8"

    def isatty(self):
        return self.terminal


@pytest.fixture
def attempt(terminal, monkeypatch):
    """Run a plan that sets a setting; gives standard output and standard error."""

    def run(*flags, typed=None, question="Set it?", **more):
        monkeypatch.setattr("sys.stdin", Stream(typed or "", terminal=typed is not None))
        options, _ = take_options(flags)
        out, err = Stream(), Stream()
        output = Output(terminal.environ, out=out, err=err, as_json=options.as_json, quiet=options.quiet)
        session = Session(options, output, terminal.environ, str(terminal.cwd), terminal.now, lambda: None)
        context = session.context()
        action = plans.SetConfig(context.places.config_file, "install.link", "hard")
        try:
            run_plan(session, context, plans.Plan((action,)), schema="mmpm.x/1", question=question, done="Set", **more)
        finally:
            run.seen = (out.getvalue(), err.getvalue())
        return run.seen

    run.is_set = lambda: terminal.run("config", "get", "install.link").out == "hard\n"
    return run


@pytest.mark.parametrize("answer", ["y\n", "yes\n", "Y\n"])
def test_a_yes_applies(attempt, answer):
    assert attempt(typed=answer) == ("Set\n", "Set it? [y/N] ")
    assert attempt.is_set()


@pytest.mark.parametrize("answer", ["\n", "n\n", "nope\n", ""])
def test_anything_else_declines_and_changes_nothing(attempt, answer):
    with pytest.raises(DeclinedError):
        attempt(typed=answer)
    assert not attempt.is_set()


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_without_a_terminal_nobody_can_answer(attempt, flags):
    with pytest.raises(QuestionUnansweredError) as caught:
        attempt(*flags)
    assert caught.value.exit_status == 2
    assert not attempt.is_set()


def test_yes_answers_every_question(attempt):
    assert attempt("--yes") == ("Set\n", "")
    assert attempt.is_set()


def test_what_was_asked_for_in_so_many_words_is_not_asked_again(attempt):
    assert attempt(question=None) == ("Set\n", "")


def test_a_dry_run_shows_the_plan_and_asks_nothing(attempt):
    out, err = attempt("--dry-run")
    assert out.startswith("would set install.link = hard in ")
    assert err == ""
    assert not attempt.is_set()


def test_a_dry_run_names_formulas_before_files_and_nothing_that_mmpm_notes_for_itself(terminal):
    formula = 'formula = "mol-a"\ndescription = "A."\n[package]\nversion = "1.2.0"\n'
    (terminal.cwd / "mmpm.toml").write_text("")
    (terminal.cwd / "a.formula.toml").write_text(formula)
    terminal.run("import", "a.formula.toml")
    (terminal.cwd / "mol-b.formula.toml").write_text(formula.replace("mol-a", "mol-b"))
    terminal.play(
        """
        $ mmpm --quiet --dry-run import mol-b.formula.toml
        would install mol-b 1.2.0
        would write ~/rig/mmpm.lock
        would write ~/rig/mmpm.toml
        would write the receipt ~/rig/.beads/formulas/.lock.json
        would write gt's list ~/rig/.beads/formulas/.installed.json
        $ mmpm --quiet --dry-run uninstall mol-a
        would remove mol-a 1.2.0
        would write ~/rig/mmpm.lock
        would write ~/rig/mmpm.toml
        would write the receipt ~/rig/.beads/formulas/.lock.json
        would write gt's list ~/rig/.beads/formulas/.installed.json
        """
    )


def test_a_dry_run_for_programs_is_the_plan_as_json(attempt):
    out, _ = attempt("--dry-run", "--json", body=lambda outcome: {"outcome": outcome})
    document = json.loads(out)
    assert document["dry_run"] is True
    assert document["applied"] is False
    assert document["plan"]["actions"][0]["action"] == "set-config"
    assert document["outcome"] is None
    assert document["schema"] == "mmpm.x/1"


@pytest.mark.parametrize("action", list(typing.get_args(plans.Action)), ids=lambda one: one.__name__)
def test_every_action_has_words(action):
    samples = {"tuple": (), "int": 3, "bool": False}
    values = {
        name: samples.get(str(field.type).partition("[")[0].partition(" ")[0], f"<{name}>")
        for name, field in action.__dataclass_fields__.items()
    }
    if "release" in values:
        values["release"] = type("Release", (), {"name": "mol-x", "version": "1.0.0"})()
    assert sentence_of(action(**values))


def test_every_action_outside_of_formulas_folders_has_an_effect():
    outside = {kind.__name__ for kind in typing.get_args(plans.Action)} - {
        kind.__name__ for kind in plans.PROJECT_ACTIONS
    }
    assert set(HANDLERS) == outside
