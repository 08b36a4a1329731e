"""`mmpm mol cook` and `mol check` as a person sees them."""

from __future__ import annotations

import json

import pytest

from mmpm.molecule.proto import Proto
from mmpm_store.ids import ObjectId
from mmpm_store.objects import Store

REVIEW = """formula = "mol-review"
version = 4
description = "Reviews {{what}}."
extends = ["mol-base"]
[vars.what]
description = "What to look at"
required = true
[vars.depth]
default = "quick"
enum = ["quick", "deep"]
[[steps]]
id = "look"
title = "Look at {{what}}, {{depth}}"
needs = ["load"]
[[steps.children]]
id = "census"
title = "Count"
[[steps]]
id = "report"
title = "Report"
needs = ["look"]
waits_for = "all-children"
"""
BASE = 'formula = "mol-base"\nversion = 1\ndescription = "Base."\n[[steps]]\nid = "load"\ntitle = "Load"\n'


@pytest.fixture
def home(formulas_folder, receive):
    """A project with two formulas in its folder, of which the base is in the receipt."""
    (formulas_folder / "mol-review.formula.toml").write_text(REVIEW)
    (formulas_folder / "mol-base.formula.toml").write_text(BASE)
    receive("mol-base", "1.2.0", BASE)
    return formulas_folder


@pytest.mark.usefixtures("home")
def test_cook_draws_what_a_formula_becomes(terminal):
    seen = terminal.run("mol", "cook", "mol-review")
    assert seen.out.splitlines() == [
        "mol-review 4.0.0  workflow, 4 steps in 3 groups",
        '├── load "Load"',
        '├── look (single) "Look at {{what}}, {{depth}}" Needs: .load',
        '│   └── census "Count"',
        '└── report "Report" Needs: .look WaitsFor: all-children of .look',
    ]
    assert "  object  blake3:" in seen.err
    assert "  from    mol-base 1.2.0 (release, sha256:0000" in seen.err
    assert "  from    mol-review 4.0.0 (file, sha256:" in seen.err


@pytest.mark.usefixtures("home")
def test_values_are_put_in_and_checked(terminal):
    assert (
        "Look at src, deep" in terminal.run("mol", "cook", "mol-review", "--var", "what=src", "--var", "depth=deep").out
    )
    terminal.play(
        """
        $ mmpm mol cook mol-review --var depth=slow
        error[variables-refused]: mol-review: depth is 'slow': it has to be one of 'quick', 'deep'; what has no value: give --var what=...
          fix: give each as `--var name=value`
        [exit 1]
        $ mmpm mol cook mol-review --var depth
        error[usage]: --var: 'depth' is not name=value
          fix: write --var name=value
        [exit 2]
        """
    )


@pytest.mark.usefixtures("home")
def test_the_document_and_the_file_are_the_same_proto_each_time(terminal):
    first = terminal.run("mol", "cook", "mol-review", "--json").out
    assert terminal.run("mol", "cook", "mol-review", "--json").out == first
    document = json.loads(first)
    assert document["schema"] == "mmpm.mol-cook/1"
    assert document["groups"] == [["load"], ["look", "look.census"], ["report"]]
    piped = terminal.run("mol", "cook", "mol-review", "--raw").out.encode()
    assert Proto.parse(piped).to_dict() == document["proto"]
    assert str(ObjectId.of(piped)) == document["object"]
    assert terminal.run("mol", "cook", "mol-review", "-o", "proto.json").status == 0
    assert (terminal.cwd / "proto.json").read_bytes() == piped
    assert terminal.run("mol", "cook", "mol-review", "-o", "proto.json").status == 1
    assert terminal.run("mol", "cook", "mol-review", "-o", "proto.json", "--force").status == 0


@pytest.mark.usefixtures("home")
def test_a_proto_is_an_object_of_the_store(terminal):
    seen = terminal.run("mol", "cook", "mol-review", "--store")
    named = ObjectId.parse(seen.out.split()[-1])
    store = Store.open(str(terminal.home / ".local" / "share" / "mmpm" / "store"))
    assert Proto.parse(store.read(named)).name == "mol-review"
    assert "would put the proto of mol-review" in terminal.run("mol", "cook", "mol-review", "--store", "--dry-run").out


@pytest.mark.usefixtures("home")
def test_a_file_is_cooked_with_what_lies_beside_it(terminal):
    other = terminal.folder / "work"
    other.mkdir()
    (other / "mol-review.formula.toml").write_text(REVIEW)
    (other / "mol-base.formula.toml").write_text(BASE.replace("Load", "Load here"))
    assert "Load here" in terminal.run("mol", "cook", str(other / "mol-review.formula.toml")).out
    (other / "mol-base.formula.toml").unlink()
    assert 'load "Load"\n' in terminal.run("mol", "cook", str(other / "mol-review.formula.toml")).out


def test_an_edited_file_is_no_release_any_more(terminal, home):
    (home / "mol-base.formula.toml").write_text(BASE + "# mine\n")
    assert "mol-base 1.0.0 (file," in terminal.run("mol", "cook", "mol-review").err


@pytest.mark.usefixtures("home")
def test_overlays_of_the_rig_replace_those_of_the_town(terminal):
    town = terminal.home / "gt"
    for folder, mode in ((town, "skip"), (town / "ace", "append")):
        (folder / "formula-overlays").mkdir(parents=True)
        (folder / "formula-overlays" / "mol-base.toml").write_text(
            f'[[step-overrides]]\nstep_id = "load"\nmode = "{mode}"\ndescription = "more"\n'
            '[[step-overrides]]\nstep_id = "gone"\nmode = "skip"\n'
        )
    seen = terminal.run("mol", "cook", "mol-base", "--json")
    assert json.loads(seen.out)["proto"]["steps"] == []
    assert json.loads(seen.out)["warnings"] == ["overlay of town: there is no step 'gone' to override"]
    terminal.environ["GT_RIG"] = "ace"
    (step,) = json.loads(terminal.run("mol", "cook", "mol-base", "--json").out)["proto"]["steps"]
    assert step["description"] == "\nmore"


@pytest.mark.usefixtures("home")
def test_what_cannot_be_cooked_is_said_with_its_path(terminal):
    (terminal.cwd / "ring.formula.toml").write_text(
        'formula = "ring"\nversion = 1\nsteps = [{id = "a", needs = ["b"]}, {id = "b", needs = ["a"]}]'
    )
    terminal.play(
        """
        $ mmpm mol cook ./ring.formula.toml
        error[cook-failed]: ring cannot be cooked: these steps wait for each other: 'a' -> 'b' -> 'a'
          fix: correct the formula, or ask its author; `mmpm mol check` on it names everything that is odd
        [exit 1]
        $ mmpm mol check ./ring.formula.toml
        ./ring.formula.toml: ring cannot be cooked: these steps wait for each other: 'a' -> 'b' -> 'a'
        [exit 1]
        """
    )
    assert terminal.run("mol", "cook", "mol-nope").status == 1
    assert terminal.run("mol", "cook", "./nope.formula.toml").status == 1


@pytest.mark.usefixtures("home")
def test_check_says_whether_all_three_cook_alike(terminal):
    terminal.play(
        """
        $ mmpm mol check mol-base
        mol-base: cooks alike under bd, gt and mmpm
        """
    )
    seen = terminal.run("mol", "check", "mol-review", "--json")
    assert seen.status == 1
    (report,) = json.loads(seen.out)["formulas"]
    found = {(one["tool"], one["when"], one["code"]) for one in report["differences"]}
    assert {("gt", "cook", "gt-ignores-waits-for"), ("gt", "cook", "gt-ignores-children")} <= found
    assert {("bd", "run", "gate-opens-early"), ("bd", "bond", "unchecked")} <= found
    assert {("bd", "bond", "bond-forgets-defaults")} <= found
    assert not [one for one in report["differences"] if (one["tool"], one["when"]) == ("bd", "cook")]


def test_a_molecule_of_the_catalogue_is_cooked_already(terminal):
    seen = terminal.run("mol", "cook", "mol-engineer-in-box", "--var", "feature_name=auth")
    assert seen.out.startswith("mol-engineer-in-box 1.0.0  workflow, 5 steps in 5 groups\n")
    assert "(catalogue, sha256:" in seen.err
