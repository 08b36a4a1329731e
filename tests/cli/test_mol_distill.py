"""`mmpm mol distill` as a person sees it: work that was done becomes a formula that can be done again."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from mmpm_store.objects import Store

REVIEW = """formula = "mol-review"
version = 4
description = "Reviews {{what}}."
[vars.what]
description = "What to look at"
required = true
[vars.depth]
default = "quick"
enum = ["quick", "deep"]
[[steps]]
id = "look"
title = "Look at {{what}}, {{depth}}"
[[steps.children]]
id = "census"
title = "Count"
[[steps]]
id = "report"
title = "Report"
needs = ["look"]
waits_for = "all-children"
"""
ARM = """formula = "mol-arm"
version = 1
title = "Arm for {{polecat}}"
description = "An arm"
[vars.polecat]
required = true
pattern = "^[a-z]+$"
[[steps]]
id = "load"
title = "Load {{polecat}}"
"""


@pytest.fixture
def formulas(formulas_folder):
    (formulas_folder / "mol-review.formula.toml").write_text(REVIEW)
    (formulas_folder / "mol-arm.formula.toml").write_text(ARM)
    return formulas_folder


def begin(terminal, *words):
    seen = terminal.run("mol", *words)
    assert seen.status == 0, seen.err
    return seen.out.split()[0]


def texts(terminal, molecule):
    """Title, description and steps of a molecule, as its log has them."""
    lines = next(terminal.cwd.glob(f".beads*/**/{molecule}.jsonl")).read_text().splitlines()
    events = [event for line in lines for event in json.loads(line)["events"]]
    head = next(event for event in events if event["kind"] == "bonded")
    steps = [step for event in events if event["kind"] == "steps-added" for step in event["steps"]]
    kept = ("id", "title", "description", "parent", "needs", "waits_for")
    return head.get("description"), {step["id"]: {key: step.get(key) for key in kept} for step in steps}


@pytest.mark.usefixtures("formulas")
def test_what_was_done_can_be_poured_again(terminal):
    first = begin(terminal, "pour", "mol-review", "--var", "what=src/auth", "--var", "depth=deep")
    seen = terminal.run("mol", "distill", first, "mol-again")
    assert seen.out == f"mol-again  3 steps, from {first}\n"
    assert "{{depth}} (default 'quick'), was 'deep'" in seen.err
    assert "Bond it: mmpm mol pour mol-again --var what=.." in seen.err
    again = begin(terminal, "pour", "mol-again", "--var", "what=src/auth", "--var", "depth=deep")
    assert texts(terminal, again) == texts(terminal, first)
    other = begin(terminal, "pour", "mol-again", "--var", "what=lib")
    assert texts(terminal, other)[1]["look"]["title"] == "Look at lib, quick"
    # What the formula allowed it still allows, and nothing else.
    seen = terminal.run("mol", "pour", "mol-again", "--var", "what=lib", "--var", "depth=wide")
    assert (seen.status, "one of 'quick', 'deep'" in seen.err) == (1, True)


@pytest.mark.usefixtures("formulas")
def test_arms_are_steps_of_it_and_their_values_variables(terminal):
    first = begin(terminal, "wisp", "mol-review", "--var", "what=src")
    begin(terminal, "bond", "mol-arm", first, "--ref", "arm-ace", "--var", "polecat=ace")
    seen = terminal.run("mol", "distill", first, "mol-again", "--json")
    assert json.loads(seen.out)["values"] == {"depth": "quick", "polecat": "ace", "what": "src"}
    assert json.loads(seen.out)["notes"] == []
    again = begin(terminal, "pour", "mol-again", "--var", "what=src", "--var", "polecat=ace")
    assert texts(terminal, again)[1]["arm-ace.load"]["title"] == "Load ace"
    # What the fan-out gate waited for is waited for.
    assert texts(terminal, again)[1]["report"]["needs"] == ["look", "arm-ace"]
    assert terminal.run("mol", "cook", "mol-again").status == 0


def test_where_the_formula_is_gone_its_variables_are_required_and_it_is_said(terminal, formulas):
    first = begin(terminal, "pour", "mol-review", "--var", "what=src")
    path = formulas / "mol-review.formula.toml"
    path.write_text(path.read_text() + "# changed\n")
    seen = terminal.run("mol", "distill", first, "mol-still", "-o", "out/still.formula.toml")
    assert "no longer here" not in seen.err  # the store has kept the proto
    store = Store.open(str(terminal.home / ".local" / "share" / "mmpm" / "store"))
    for identity, executable, _ in list(store.objects()):
        Path(store.path_of(identity, executable)).unlink()
    seen = terminal.run("mol", "distill", first, "mol-again", "-o", "out/x.formula.toml")
    assert "mol-review 4.0.0 as it was bonded is no longer here" in seen.err
    text = (terminal.cwd / "out" / "x.formula.toml").read_text()
    assert "default" not in text
    assert 'title = "Look at {{what}}, {{depth}}"' in text


def test_a_squashed_mol_is_distilled_and_of_a_squashed_wisp_nothing_is_left(terminal, formulas):
    mol = begin(terminal, "pour", "mol-review", "--var", "what=src")
    wisp = begin(terminal, "wisp", "mol-review", "--var", "what=src")
    for one in (mol, wisp):
        assert terminal.run("mol", "squash", one, "--summary", "Done", "--yes").status == 0
    assert terminal.run("mol", "distill", mol, "mol-again").status == 0
    seen = terminal.run("mol", "distill", wisp, "mol-other")
    assert (seen.status, "distill a wisp before it is squashed" in seen.err) == (1, True)
    assert not (formulas / "mol-other.formula.toml").exists()


def test_a_file_is_written_over_only_when_it_is_asked_for_and_an_installed_one_never(terminal, formulas, receive):
    first = begin(terminal, "pour", "mol-review", "--var", "what=src")
    assert "is there already" in terminal.run("mol", "distill", first, "mol-arm").err
    assert terminal.run("mol", "distill", first, "mol-arm", "--force", "--dry-run").status == 0
    assert (formulas / "mol-arm.formula.toml").read_text() == ARM
    receipt = receive("mol-arm", "1.0.0", ARM)
    assert "is there already" in terminal.run("mol", "distill", first, "mol-arm", "--force").err
    receipt.unlink()
    assert terminal.run("mol", "distill", first, "mol-arm", "--force").status == 0
    assert 'formula = "mol-arm"' in (formulas / "mol-arm.formula.toml").read_text()


@pytest.mark.usefixtures("formulas")
def test_what_is_no_molecule_or_no_name_is_refused(terminal):
    first = begin(terminal, "pour", "mol-review", "--var", "what=src")
    for words, status, said in (
        ((f"{first}.look", "x"), 2, "is a step"),
        (("gt-mol-nothere", "x"), 1, "there is no molecule"),
        ((first, "@a/b"), 2, "without a scope"),
        ((first, "a b"), 2, "formula name"),
        ((first, "../x"), 2, "formula name"),
    ):
        seen = terminal.run("mol", "distill", *words)
        assert (seen.status, said in seen.err) == (status, True), seen.err


def test_the_proto_stays_in_the_store_as_long_as_the_molecule_does(terminal, formulas):
    first = begin(terminal, "pour", "mol-review", "--var", "what=src")
    second = begin(terminal, "wisp", "mol-arm", "--var", "polecat=ace")
    for path in formulas.glob("*.toml"):
        path.unlink()
    terminal.now += timedelta(days=20_000)  # files have the machine's time
    for _ in range(2):
        assert terminal.run("store", "prune", "--everything", "--yes").status == 0
    for one in (first, second):
        assert "no longer here" not in terminal.run("mol", "distill", one, f"of-{one}", "--dry-run").err
    terminal.run("mol", "burn", first, "--force", "--reason", "no more")
    # Nothing is said of the log that is gone: the store was told.
    assert "is gone" not in terminal.run("store", "prune", "--everything", "--yes").err
    store = Store.open(str(terminal.home / ".local" / "share" / "mmpm" / "store"))
    found = [store.read(identity) for identity, _, _ in store.objects()]
    protos = [data for data in found if b'"steps"' in data]
    assert [b"mol-arm" in data for data in protos] == [True]


SURVEY = """formula = "mol-survey"
version = 1
description = "Survey."
[[steps]]
id = "look"
title = "Look"
[steps.on_complete]
for_each = "output.cats"
bond = "mol-arm"
vars = { polecat = "{item.name}" }
"""


def test_what_a_step_bonded_when_it_ended_is_kept_and_distilled_as_well(terminal, formulas):
    (formulas / "mol-survey.formula.toml").write_text(SURVEY)
    first = begin(terminal, "pour", "mol-survey")
    seen = terminal.run("mol", "close", f"{first}.look", "--output", '{"cats": [{"name": "ace"}]}')
    assert seen.status == 0, seen.err
    for path in formulas.glob("*.toml"):
        path.unlink()
    seen = terminal.run("mol", "distill", first, "mol-again")
    assert ("no longer here" in seen.err, "{{polecat}}, was 'ace'" in seen.err) == (False, True)
    assert 'pattern = "^[a-z]+$"' in (formulas / "mol-again.formula.toml").read_text()


def test_a_molecule_of_a_catalogue_by_that_name_is_named_with_which_is_found(terminal, formulas):
    made = terminal.run("mol", "pour", "mol-arm", "--var", "polecat=ace").out.split()[0]
    seen = terminal.run("mol", "distill", made, "mol-code-review")
    assert seen.status == 0
    said = "there is a molecule mol-code-review in the built-in catalogue, and this formula is found before it"
    assert f"warning: {said}\n" in seen.err
    assert "1 step " in terminal.run("mol", "cook", "mol-code-review").out.replace(",", " ")
    (formulas / "mol-code-review.formula.toml").unlink()
    assert "warning" not in terminal.run("mol", "distill", made, "mol-code-review", "-o", "elsewhere.formula.toml").err
    assert "warning" not in terminal.run("mol", "distill", made, "mol-new").err
