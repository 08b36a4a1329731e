"""Work on molecules as a person sees it."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from mmpm.execute import locking

SURVEY = """
formula = "mol-survey"
version = 1
[[steps]]
id = "survey"
title = "Survey"
[steps.on_complete]
for_each = "output.workers"
bond = "mol-polecat-arm"
[steps.on_complete.vars]
polecat = "{item.name}"
[[steps]]
id = "report"
title = "Report"
waits_for = "all-children"
needs = ["survey"]
"""
GATED = """
formula = "mol-gated"
version = 1
[[steps]]
id = "build"
[[steps]]
id = "ask"
title = "Ask somebody"
needs = ["build"]
gate = { type = "human" }
"""


@pytest.fixture
def rig(terminal):
    (terminal.cwd / ".beads").mkdir()
    terminal.environ |= {"NO_COLOR": "1", "BD_ACTOR": "ann"}
    return terminal


def shown(terminal, *words, status=0):
    seen = terminal.run(*words, "--json")
    assert seen.status == status, seen.both
    return json.loads(seen.out)


def quiet(terminal, *words):
    assert terminal.run(*words).status == 0


def test_a_patrol_with_arms(rig):
    quiet(rig, "mol", "wisp", "mol-witness-patrol", "--ref", "p")
    rig.play("""
        $ mmpm mol ready
        rig-wisp-p  Witness patrol (wisp of mol-witness-patrol@1.0.0, 0/5 steps)
          2 at once:
            rig-wisp-p.inbox-check  Read the inbox
            rig-wisp-p.load-context  Recall the last patrol
        $ mmpm mol close rig-wisp-p.inbox-check rig-wisp-p.load-context
        Closed rig-wisp-p.inbox-check
        Closed rig-wisp-p.load-context
        Ready now:
          rig-wisp-p.survey  Look after every polecat
        $ mmpm mol start rig-wisp-p.survey --actor bob
        Started rig-wisp-p.survey
        $ mmpm mol ready
        rig-wisp-p  Witness patrol (wisp of mol-witness-patrol@1.0.0, 2/5 steps, 1 in progress)
          nothing is ready: rig-wisp-p.survey is in progress by bob
    """)
    quiet(rig, "mol", "bond", "mol-polecat-arm", "rig-wisp-p", "--ref", "arm-ace", "--var", "polecat=ace")
    rig.play("""
        $ mmpm mol close rig-wisp-p.survey
        Closed rig-wisp-p.survey
        $ mmpm mol ready rig-wisp-p --blocked
        rig-wisp-p  Witness patrol (wisp of mol-witness-patrol@1.0.0, 3/9 steps)
          ready in rig-wisp-p.arm-ace:
            rig-wisp-p.arm-ace.capture  Take down what ace shows
          waiting:
            rig-wisp-p.aggregate  Bring the findings together
              the child of 'survey' has not ended
            rig-wisp-p.summary  Write the round down
              it needs 'aggregate', which has not begun
            rig-wisp-p.arm-ace  Look after ace
              3 of its children are open: it ends with the last of them
            rig-wisp-p.arm-ace.assess  Judge how ace is doing
              it needs 'arm-ace.capture', which has not begun
            rig-wisp-p.arm-ace.act  Do what ace needs
              it needs 'arm-ace.assess', which has not begun
        $ mmpm mol close rig-wisp-p.arm-ace.capture rig-wisp-p.arm-ace.assess rig-wisp-p.arm-ace.act
        Closed rig-wisp-p.arm-ace.capture
        Closed rig-wisp-p.arm-ace.assess
        Closed rig-wisp-p.arm-ace.act
        Closed rig-wisp-p.arm-ace: all its children have ended
        Ready now:
          rig-wisp-p.aggregate  Bring the findings together
        $ mmpm mol close rig-wisp-p.aggregate rig-wisp-p.summary
        Closed rig-wisp-p.aggregate
        Closed rig-wisp-p.summary
        All steps of rig-wisp-p have ended: `mmpm mol squash rig-wisp-p --summary TEXT` keeps it
        $ mmpm mol ready
        rig-wisp-p  Witness patrol (wisp of mol-witness-patrol@1.0.0, 9/9 steps)
          nothing is ready: all its steps have ended: `mmpm mol squash rig-wisp-p --summary TEXT` keeps what came of it
        $ mmpm mol list --running
        rig-wisp-p  Witness patrol (wisp of mol-witness-patrol@1.0.0, 9/9 steps), bonded 2026-01-20 12:00 by ann
    """)


def test_a_gate_is_waited_for_and_opened(rig):
    (rig.cwd / "gated.formula.toml").write_text(GATED)
    quiet(rig, "mol", "pour", "gated.formula.toml", "--ref", "g")
    rig.play("""
        $ mmpm mol close rig-mol-g.ask
        error[molecule-refused]: 'ask' cannot close: it needs 'build', which has not begun; its human gate is closed until somebody opens it
          fix: `mmpm mol ready rig-mol-g --blocked` says what may run, and why the rest waits
        [exit 1]
        $ mmpm mol close rig-mol-g.build --dry-run
        would close rig-mol-g.build
        $ mmpm mol close rig-mol-g.build
        Closed rig-mol-g.build
        $ mmpm mol ready
        rig-mol-g  mol-gated (mol of mol-gated@1.0.0, 1/2 steps)
          nothing is ready: rig-mol-g.ask: its human gate is closed until somebody opens it (`mmpm mol gate open rig-mol-g.ask`)
        $ mmpm mol gate open rig-mol-g.ask --reason agreed
        Opened the gate of rig-mol-g.ask
        Ready now:
          rig-mol-g.ask  Ask somebody
    """)


def test_the_output_of_a_step_is_bonded_item_by_item(rig):
    (rig.cwd / "survey.formula.toml").write_text(SURVEY)
    quiet(rig, "mol", "pour", "survey.formula.toml", "--ref", "s")
    (rig.cwd / "out.json").write_text('{"workers": [{"name": "ace"}, {"name": "nux"}]}')
    rig.play("""
        $ mmpm mol close rig-mol-s.survey --output out.json
        Closed rig-mol-s.survey
        Bonded rig-mol-s.survey.mol-polecat-arm-1
        Bonded rig-mol-s.survey.mol-polecat-arm-2
        Ready now:
          rig-mol-s.survey.mol-polecat-arm-1.capture  Take down what ace shows
          rig-mol-s.survey.mol-polecat-arm-2.capture  Take down what nux shows
    """)


def test_an_end_without_its_output_says_what_was_not_bonded(rig):
    (rig.cwd / "survey.formula.toml").write_text(SURVEY)
    quiet(rig, "mol", "pour", "survey.formula.toml", "--ref", "s")
    found = shown(rig, "mol", "close", "rig-mol-s.survey")
    said = (
        "rig-mol-s.survey: its on_complete bonds mol-polecat-arm for each of output.workers;"
        " without --output nothing was bonded"
    )
    assert found["molecules"][0]["on_complete"] == [said]
    assert found["warnings"] == [said]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("[1]", "No such file"),
        ('{"a":', "is not JSON"),
        ("{}", "the output has no 'workers'"),
        ("list.json", "is not a JSON object"),
        ('{"workers": ["' + "[" * 5 + '"]}', "item 0 has no 'name'"),
    ],
)
def test_an_output_that_cannot_be_read_changes_nothing(rig, output, words):
    (rig.cwd / "survey.formula.toml").write_text(SURVEY)
    (rig.cwd / "list.json").write_text("[1]")
    quiet(rig, "mol", "pour", "survey.formula.toml", "--ref", "s")
    log = rig.cwd / ".beads" / "mmpm" / "mols" / "rig-mol-s.jsonl"
    before = log.read_bytes()
    seen = rig.run("mol", "close", "rig-mol-s.survey", "--output", output)
    assert seen.status != 0
    assert words in seen.err
    assert log.read_bytes() == before


def test_what_json_says_of_an_end(rig):
    quiet(rig, "mol", "pour", "mol-code-review", "--ref", "r", "--var", "scope=.")
    done = [f"rig-mol-r.discovery.{one}" for one in ("file-census", "dep-graph", "coverage-map")]
    dry = shown(rig, "mol", "close", *done, "--dry-run")
    assert (dry["applied"], dry["dry_run"]) == (False, True)
    found = shown(rig, "mol", "close", *done)
    assert found["schema"] == "mmpm.mol-close/1"
    assert dry["molecules"] == found["molecules"]
    one = found["molecules"][0]
    assert one["steps"] == done
    assert one["followed"] == [{"id": "rig-mol-r.discovery", "kind": "closed", "reason": "all its children have ended"}]
    assert len(one["ready"]) == 4
    ready = shown(rig, "mol", "ready", "--blocked")["molecules"][0]
    assert [group["group"] for group in ready["groups"]] == ["rig-mol-r.structural", "rig-mol-r.tactical"]
    assert (ready["over"], ready["steps"]) == (4, 13)
    assert all(blocked["holds"] for blocked in ready["blocked"])
    assert shown(rig, "mol", "start", "rig-mol-r.tactical.security-scan")["schema"] == "mmpm.mol-start/1"
    busy = shown(rig, "mol", "ready", "--blocked")["molecules"][0]["busy"]
    assert busy == [
        {
            "id": "rig-mol-r.tactical.security-scan",
            "title": "Scan for security",
            "by": "ann",
            "since": "2026-01-20T12:00:00Z",
        }
    ]


def test_ready_says_how_many_more_there_are(rig):
    quiet(rig, "mol", "pour", "mol-code-review", "--ref", "r", "--var", "scope=.")
    rig.play("""
        $ mmpm mol ready --limit 2
        rig-mol-r  Code review: . (mol of mol-code-review@1.0.0, 0/13 steps)
          2 at once in rig-mol-r.discovery:
            rig-mol-r.discovery.file-census  Count and sort the files
            rig-mol-r.discovery.dep-graph  Draw the dependencies
        and 1 more; --limit 0 shows all
    """)
    assert shown(rig, "mol", "ready", "--limit", "2")["left_out"] == 1
    assert shown(rig, "mol", "ready")["left_out"] == 0


def joined(terminal, molecule_id, *words):
    """Let two branches each do one thing to a molecule, and join their logs as git does."""
    log = terminal.cwd / ".beads" / "mmpm" / "mols" / f"{molecule_id}.jsonl"
    base, added = log.read_bytes(), []
    for one in words:
        log.write_bytes(base)
        quiet(terminal, "mol", *one)
        added.append(log.read_bytes().removeprefix(base))
    log.write_bytes(base + b"".join(added))


TWO = """
formula = "two"
version = 1
[[steps]]
id = "a"
title = "A"
[[steps]]
id = "b"
title = "B"
"""


def test_steps_that_wait_for_each_other_since_branches_were_joined_are_named(rig):
    (rig.cwd / "two.formula.toml").write_text(TWO)
    quiet(rig, "mol", "pour", "./two.formula.toml", "--ref", "t")
    joined(rig, "rig-mol-t", ("bond", "rig-mol-t.a", "rig-mol-t.b"), ("bond", "rig-mol-t.b", "rig-mol-t.a"))
    seen = rig.run("mol", "ready").both
    assert "these steps wait for each other: 'a' -> 'b' -> 'a'" in seen
    assert "`mmpm mol squash rig-mol-t`" in seen


def test_what_can_never_run_since_branches_were_joined_is_skipped_by_closing_it(rig):
    (rig.cwd / "two.formula.toml").write_text(TWO)
    quiet(rig, "mol", "pour", "./two.formula.toml", "--ref", "t")
    waits = ("bond", "rig-mol-t.a", "rig-mol-t.b", "--type", "conditional")
    joined(rig, "rig-mol-t", waits, ("close", "rig-mol-t.a"))
    assert "(`mmpm mol close rig-mol-t.b` skips it)" in rig.run("mol", "ready").both
    assert rig.run("mol", "close", "rig-mol-t.b").both.splitlines()[0] == "Skipped rig-mol-t.b: 'a' did not fail"
    assert "squash rig-mol-t" in rig.run("mol", "ready").both


def test_what_a_step_waits_for_is_said_where_it_is_asked_for(rig):
    quiet(rig, "mol", "pour", "mol-code-review", "--ref", "r", "--var", "scope=.")
    seen = rig.run("mol", "ready", "rig-mol-r.synthesis").both
    assert "nothing is ready: rig-mol-r.synthesis: it needs" in seen
    assert "in progress" not in seen


def test_a_molecule_that_is_waited_for_and_not_here_is_said_to_be_elsewhere(rig):
    """A wisp stays where it was made; the mol that waits for it may travel."""
    (rig.cwd / "two.formula.toml").write_text(TWO)
    quiet(rig, "mol", "pour", "./two.formula.toml", "--ref", "t")
    quiet(rig, "mol", "wisp", "./two.formula.toml", "--ref", "w")
    quiet(rig, "mol", "bond", "rig-wisp-w", "rig-mol-t")
    assert "the molecule rig-wisp-w has not ended" in rig.run("mol", "ready", "rig-mol-t").both
    (rig.cwd / ".beads-wisp" / "rig-wisp-w.jsonl").unlink()
    assert "the molecule rig-wisp-w is not here" in rig.run("mol", "ready").both
    assert "the molecule rig-wisp-w is not here" in rig.run("mol", "start", "rig-mol-t.a").both


def test_a_line_that_nobody_can_read_is_told_of_by_whoever_decides_over_the_rest(rig):
    """Perhaps it was the end of a step that seems to be ready."""
    (rig.cwd / "two.formula.toml").write_text(TWO)
    quiet(rig, "mol", "pour", "./two.formula.toml", "--ref", "t")
    log = rig.cwd / ".beads" / "mmpm" / "mols" / "rig-mol-t.jsonl"
    log.write_bytes(log.read_bytes() + b'{"events": "damaged"}\n')
    ways = [("ready",), ("ready",), ("ready", "rig-mol-t"), ("list", "--running"), ("start", "rig-mol-t.a")]
    for words in (*ways, ("close", "rig-mol-t.a"), ("ready",)):
        assert "rig-mol-t.jsonl: line 2: " in rig.run("mol", *words).both, words
    quiet(rig, "mol", "squash", "rig-mol-t", "--force")
    assert "line 2" not in rig.run("mol", "ready").both


def test_a_damaged_log_holds_those_that_wait_for_its_molecule_and_nobody_else(rig):
    (rig.cwd / "two.formula.toml").write_text(TWO)
    for name in ("one", "beside", "after"):
        quiet(rig, "mol", "pour", "./two.formula.toml", "--ref", name)
    quiet(rig, "mol", "bond", "rig-mol-one", "rig-mol-beside", "--type", "parallel")
    quiet(rig, "mol", "bond", "rig-mol-one", "rig-mol-after")
    (rig.cwd / ".beads" / "mmpm" / "mols" / "rig-mol-one.jsonl").write_bytes(b"{}\n")
    quiet(rig, "mol", "close", "rig-mol-beside.a")
    assert rig.run("mol", "close", "rig-mol-after.a").status == 1


def test_an_output_that_is_still_being_made_keeps_nobody_from_other_work(rig, monkeypatch):
    (rig.cwd / "mol-survey.formula.toml").write_text(SURVEY)
    quiet(rig, "mol", "pour", "./mol-survey.formula.toml", "--ref", "s")
    seen = []

    class Slow(io.BytesIO):
        def read(self, *size):
            seen.append(locking.is_held(str(rig.cwd / ".beads" / "mmpm" / "mols")))
            return super().read(*size)

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Slow(b'{"workers": []}')))
    quiet(rig, "mol", "close", "rig-mol-s.survey", "--output", "-")
    assert seen[0] is False


def test_an_output_from_a_closed_standard_input_is_refused(rig, monkeypatch):
    quiet(rig, "mol", "pour", "mol-code-review", "--ref", "r", "--var", "scope=.")
    monkeypatch.setattr("sys.stdin", None)
    seen = rig.run("mol", "close", "rig-mol-r.synthesis", "--output", "-")
    assert (seen.status, "standard input is closed" in seen.both) == (2, True)


def test_where_nothing_flows_the_way_to_begin_is_told(rig):
    rig.play("""
        $ mmpm mol ready
        No molecule flows here: `mmpm mol list` shows what can be bonded, `mmpm mol bond` bonds it
        $ mmpm mol list --running
        No molecule flows here
        $ mmpm mol list --running --all
        No molecule is here, and no digest
    """)


def test_what_was_squashed_is_listed_with_all(rig):
    quiet(rig, "mol", "wisp", "mol-witness-patrol", "--ref", "p")
    quiet(rig, "mol", "pour", "mol-code-review", "--ref", "r", "--var", "scope=.")
    quiet(rig, "mol", "squash", "rig-wisp-p", "--summary", "x", "--yes")
    assert [one["id"] for one in shown(rig, "mol", "list", "--running")["running"]] == ["rig-mol-r"]
    found = shown(rig, "mol", "list", "--running", "--all")["running"]
    assert [(one["id"], one["state"]) for one in found] == [("rig-mol-r", "flowing"), ("rig-wisp-p", "squashed")]


def test_options_that_mean_nothing_are_refused(rig):
    for words in (("list", "--all"), ("list", "--running", "--label", "x"), ("ready", "--limit", "-1"), ("close",)):
        assert rig.run("mol", *words).status == 2


def test_a_reason_that_was_no_text_is_refused(rig):
    quiet(rig, "mol", "pour", "mol-code-review", "--ref", "r", "--var", "scope=.")
    seen = rig.run("mol", "close", "rig-mol-r.discovery.dep-graph", "--reason", "\udcff")
    assert seen.status == 2
    assert "--reason: it is not UTF-8" in seen.err


HEAVY = ("pydantic", "rich", "tomlkit", "tuf", "obstore", "cryptography", "mmpm.molecule.cook.cooking", "mmpm.plan")
ASKED = """
import sys
from mmpm.cli.app import run
assert run(sys.argv[2:], environ={"HOME": sys.argv[1]}, cwd=sys.argv[1]) == 0
print([name for name in %r if name in sys.modules])
"""


@pytest.mark.parametrize("words", [("ready",), ("list", "--running")])
def test_what_only_looks_brings_along_nothing_heavy(rig, words):
    quiet(rig, "mol", "pour", "mol-code-review", "--ref", "r", "--var", "scope=.")
    command = [sys.executable, "-c", ASKED % (HEAVY,), str(rig.cwd), "mol", *words]
    seen = subprocess.run(command, capture_output=True, text=True, check=False)
    assert seen.stdout.splitlines()[-1] == "[]", seen.stderr
