"""Molecules as a person sees them: `mol show` of what runs, has ended, or is a formula, and `mol graph`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from mmpm.molecule.digest import ArmRecord, Digest, StepOutcome, root_of
from mmpm.molecule.events import Bonded, Closed, Provenance, StepsAdded
from mmpm.molecule.lines import Line
from mmpm.molecule.steps import Step

AT = "2026-01-20T12:00:00Z"


@pytest.fixture
def patrol(terminal):
    """A wisp with two arms, one of which failed at its first step; gives its id."""
    (terminal.cwd / ".beads").mkdir()
    terminal.environ |= {"NO_COLOR": "1", "BD_ACTOR": "beads/amber"}
    made = done(terminal, "wisp", "mol-witness-patrol").split()[0]
    done(terminal, "close", f"{made}.inbox-check", f"{made}.load-context")
    done(terminal, "start", f"{made}.survey")
    for name in ("ace", "nux"):
        done(terminal, "bond", "mol-polecat-arm", made, "--ref", f"arm-{name}", "--var", f"polecat={name}")
    done(terminal, "close", f"{made}.arm-ace.capture", "--reason", "failed: silent")
    return made


def done(terminal, *words):
    seen = terminal.run("mol", *words)
    assert seen.status == 0, seen.both
    return seen.out


def tree(text):
    return [line for line in text.splitlines() if line.startswith(("├", "│", "└", "    "))]


def test_a_running_molecule_is_shown_with_its_progress_and_its_states(terminal, patrol):
    lines = done(terminal, "show", patrol).splitlines()
    assert lines[:3] == [
        f"{patrol} Witness patrol",
        "State: flowing (wisp)",
        "Progress: 3/13 2 ready, 1 in progress, 1 failed",
    ]
    assert lines[3].startswith("Formula: mol-witness-patrol@")
    assert lines[4:7] == [f"Bonded: {AT} by beads/amber", "", f"{patrol} (wisp)"]
    assert lines[7:] == [
        '├── ● inbox-check "Read the inbox"',
        '├── ● load-context "Recall the last patrol"',
        f'├── ◐ survey "Look after every polecat" by beads/amber since {AT}',
        '├── ○ aggregate "Bring the findings together" Needs: .survey WaitsFor: all-children of .survey',
        '├── ○ summary "Write the round down" Needs: .aggregate',
        '├── ○ arm-ace (sequential, 1/3) "Look after ace"',
        '│   ├── ✗ capture "Take down what ace shows" failed: silent',
        '│   ├── ○ assess "Judge how ace is doing" ready',
        '│   └── ○ act "Do what ace needs" Needs: .arm-ace.assess',
        '└── ○ arm-nux (sequential, 0/3) "Look after nux"',
        '    ├── ○ capture "Take down what nux shows" ready',
        '    ├── ○ assess "Judge how nux is doing" Needs: .arm-nux.capture',
        '    └── ○ act "Do what nux needs" Needs: .arm-nux.assess',
    ]


def test_states_are_read_without_colours_and_fancy_characters(terminal, patrol):
    terminal.encoding = "ascii"
    out = done(terminal, "show", patrol)
    assert '+-- [x] inbox-check "Read' in out
    assert '+-- [~] survey "Look' in out
    assert '|   +-- [!] capture "Take' in out
    assert "    `-- [ ] act " in out
    assert out.isascii()


def test_steps_are_coloured_on_a_terminal_that_wants_it(terminal, patrol):
    del terminal.environ["NO_COLOR"]
    terminal.environ["FORCE_COLOR"] = "1"
    out = done(terminal, "show", patrol)
    assert "\x1b[31m✗\x1b[0m capture" in out
    assert "\x1b[36m ready\x1b[0m" in out


def test_the_groups_of_steps_that_may_run_at_once_are_listed(terminal, patrol):
    out = done(terminal, "show", patrol, "--parallel")
    assert out[out.index("Group 3") :].splitlines()[:4] == [
        "Group 3 (2 at once)",
        '├── ✗ .arm-ace.capture "Take down what ace shows"',
        '└── ○ .arm-nux.capture "Take down what nux shows"',
        "Group 4 (2 at once)",
    ]
    assert "Group 1 (3 at once)\n├── .discovery.file-census" in done(terminal, "show", "mol-code-review", "--parallel")


def test_a_step_is_shown_with_what_holds_it(terminal, patrol):
    assert done(terminal, "show", f"{patrol}.aggregate").splitlines()[:4] == [
        f"{patrol}.aggregate Bring the findings together",
        "State: open",
        "Waits: it needs 'survey', which is in progress",
        "Waits: it waits for the children of 'survey', which is in progress",
    ]
    failed = done(terminal, "show", f"{patrol}.arm-ace.capture")
    assert f"State: failed\nEnded: {AT} by beads/amber\nReason: failed: silent\n\n  Take the last" in failed
    arm = done(terminal, "show", f"{patrol}.arm-nux")
    assert "Formula: mol-polecat-arm@" in arm
    assert "Variables: polecat=nux\n" in arm
    assert len(tree(arm)) == 3
    ready = done(terminal, "show", f"{patrol}.arm-nux.capture")
    assert "State: ready\n" in ready
    assert "Waits" not in ready


def test_programs_get_every_step_with_its_full_id(terminal, patrol):
    document = json.loads(done(terminal, "show", patrol, "--json"))
    assert document["schema"] == "mmpm.mol-show/1"
    assert document["progress"] == {"ended": 3, "steps": 13}
    states = {step["id"].removeprefix(f"{patrol}."): step["state"] for step in document["steps"]}
    assert states["survey"] == "in_progress"
    assert states["arm-ace.capture"] == "failed"
    assert states["arm-ace.assess"] == "ready"
    assert document["groups"][1] == [f"{patrol}.survey"]
    step = json.loads(done(terminal, "show", f"{patrol}.aggregate", "--json"))
    assert [hold["kind"] for hold in step["waits"]] == ["needs", "fan-out"]


def test_a_digest_is_the_execution_record_and_what_became_of_each_step(terminal, patrol):
    done(terminal, "squash", patrol, "--summary", "Two looked after.\nOne is silent.", "--yes")
    lines = done(terminal, "show", patrol).splitlines()
    assert lines[:4] == [
        f"{patrol} Digest: Witness patrol",
        "Polecat: beads/amber",
        f"Formula: {json.loads(digest(terminal, patrol))['provenance']['name']}@1.0.0",
        f"Completed: {AT}",
    ]
    assert lines[-17:-13] == ["  Two looked after.", "  One is silent.", "", f"{patrol} (digest)"]
    assert '│   ├── ✗ capture "Take down what ace shows" failed: silent' in lines
    seen = terminal.run("mol", "show", f"{patrol}.arm-ace.capture")
    assert f"State: failed, ended {AT} by beads/amber\nReason: failed: silent\n" in seen.out
    assert f"`mmpm mol verify {patrol} --step arm-ace.capture --proof` proves this outcome" in seen.err
    assert terminal.run("mol", "verify", patrol, "--step", "arm-ace.capture", "--proof").status == 0
    assert terminal.run("mol", "show", patrol, "--parallel").err == "Who waits for whom is not known here\n"
    assert terminal.run("mol", "show", f"{patrol}.nope").err.startswith("error[step-unknown]")


def digest(terminal, molecule):
    return (terminal.cwd / ".beads" / "mmpm" / "digests" / f"{molecule}.json").read_text()


def test_a_log_s_faults_are_told(terminal, patrol):
    log = terminal.cwd / ".beads-wisp" / f"{patrol}.jsonl"
    log.write_bytes(log.read_bytes() + b"not a line\n")
    seen = terminal.run("mol", "show", patrol)
    assert seen.status == 0
    assert f"warning: {patrol}: line " in seen.err


def test_a_formula_is_shown_by_its_name_and_by_its_file(terminal):
    by_name = done(terminal, "show", "mol-incident")
    assert by_name.startswith("mol-incident 1.0.0 ")
    assert '├── stop "Stop the harm" Needs: .open' in by_name
    path = terminal.cwd / "mine.formula.toml"
    path.write_text(
        'formula = "mol-mine"\nversion = 1\ndescription = "Mine"\n[[steps]]\nid = "a"\ntitle = "\x7f\u202eA"\n'.replace(
            "\x7f", "\\u001b[2J"
        )
    )
    by_file = done(terminal, "show", "mine.formula.toml")
    assert '└── a "\\x1b[2J\\u202eA"' in by_file
    assert json.loads(done(terminal, "show", "./mine.formula.toml", "--json"))["proto"]["name"] == "mol-mine"


def test_what_is_not_there_is_named_with_what_is_near(terminal, patrol):
    terminal.play(f"""
        $ mmpm mol show {patrol}.surve
        error[molecule-not-here]: there is no molecule or step {patrol}.surve in ~/rig; did you mean {patrol}.survey?
          fix: `mmpm mol list --running` shows the molecules that are there; `--project DIR` looks elsewhere
        [exit 1]
        $ mmpm mol show mol-witnes-patrol
        error[molecule-not-found]: there is no molecule mol-witnes-patrol in any catalogue here; did you mean mol-witness-patrol?
          fix: `mmpm mol list` shows what there is
        [exit 1]
    """)


def test_a_long_molecule_is_cut_unless_all_is_wanted(terminal):
    steps = "".join(f'[[steps]]\nid = "s{number}"\ntitle = "Step {number}"\n' for number in range(500))
    (terminal.cwd / "wide.formula.toml").write_text(f'formula = "mol-wide"\nversion = 1\ndescription = "d"\n{steps}')
    cut = done(terminal, "show", "wide.formula.toml")
    assert len(tree(cut)) == 200
    assert cut.endswith("└── (301 more)\n")
    assert len(tree(done(terminal, "show", "wide.formula.toml", "--all"))) == 500
    assert len(tree(done(terminal, "show", "wide.formula.toml", "--verbose"))) == 500
    assert len(tree(done(terminal, "cook", "wide.formula.toml"))) == 200


def test_a_molecule_is_drawn_to_standard_output_or_a_file(terminal, patrol):
    svg = done(terminal, "graph", patrol)
    assert len([one for one in ET.fromstring(svg).iter() if one.get("role") == "graphics-symbol"]) == 13
    assert done(terminal, "graph", patrol) == svg
    assert done(terminal, "graph", "mol-code-review", "--format", "mermaid").startswith("flowchart TD\n")
    assert done(terminal, "graph", "mol-incident", "--format", "dot").startswith("digraph molecule {\n")
    terminal.play(f"""
        $ mmpm mol graph {patrol} -o patrol.svg
        Drew {patrol}: ~/rig/patrol.svg
        $ mmpm mol graph {patrol} -o patrol.svg
        error[file-in-the-way]: ~/rig/patrol.svg is there already
          fix: move it away, or choose another name
        [exit 1]
        $ mmpm mol graph {patrol} -o patrol.svg --force
        Drew {patrol}: ~/rig/patrol.svg
        $ mmpm mol graph {patrol} -o patrol.dot --dry-run
        would write ~/rig/patrol.dot
    """)
    assert (terminal.cwd / "patrol.svg").read_text() == svg
    done(terminal, "graph", patrol, "-o", "patrol.mmd")
    assert (terminal.cwd / "patrol.mmd").read_text().startswith("flowchart TD\n")


def test_a_part_of_a_molecule_can_be_drawn(terminal, patrol):
    part = done(terminal, "graph", f"{patrol}.arm-ace", "--format", "dot")
    assert part.count("label=") == 4
    document = json.loads(done(terminal, "graph", f"{patrol}.arm-ace", "--format", "dot", "--json"))
    assert document["picture"] == part
    assert document["id"] == f"{patrol}.arm-ace"


def test_molecules_that_stand_together_name_each_other(terminal, patrol):
    other = done(terminal, "pour", "mol-engineer-in-box", "--var", "feature_name=auth").split()[0]
    done(terminal, "bond", patrol, other)
    assert f"After: {patrol} (it flows)\n" in done(terminal, "show", other)
    assert f"Waits: the molecule {patrol} has not ended\n" in done(terminal, "show", f"{other}.1")


def test_a_gate_that_somebody_opened_is_said_to_be_open(terminal):
    terminal.environ["NO_COLOR"] = "1"
    (terminal.cwd / ".beads").mkdir()
    (terminal.cwd / "gated.formula.toml").write_text(
        'formula = "mol-gated"\nversion = 1\ndescription = "d"\n'
        '[[steps]]\nid = "go"\ntitle = "Go"\ngate = {type = "human", id = "approval"}\n'
    )
    made = done(terminal, "pour", "./gated.formula.toml").split()[0]
    assert done(terminal, "show", made).endswith('└── ○ go "Go" Gate: human approval\n')
    assert "Waits: its human gate 'approval' is closed until somebody opens it\n" in done(
        terminal, "show", f"{made}.go"
    )
    done(terminal, "gate", "open", f"{made}.go")
    assert done(terminal, "show", made).endswith('└── ○ go "Go" ready\n')
    assert "Gate: human approval (open)" in done(terminal, "graph", made)


def test_ids_of_what_runs_complete_too(terminal, patrol):
    assert terminal.run("completion", "words", "--", "mol", "show", patrol[:-2]).out == f"{patrol}\n"


def test_ids_of_digests_and_of_what_can_be_cooked_complete_where_they_can_stand(terminal, patrol):
    done(terminal, "squash", patrol, "--summary", "s", "--yes")
    for verb in ("verify", "show", "graph", "export"):
        assert terminal.run("completion", "words", "--", "mol", verb, patrol[:-2]).out == f"{patrol}\n"
    for verb in ("cook", "check"):
        assert terminal.run("completion", "words", "--", "mol", verb, "mol-code-r").out == "mol-code-review\n"


def test_a_step_that_nothing_is_below_is_drawn_itself(terminal, patrol):
    assert "Take down what ace shows<br>" in done(terminal, "graph", f"{patrol}.arm-ace.capture", "--format", "mermaid")
    done(terminal, "squash", patrol, "--summary", "s", "--yes")
    assert "Take down what ace shows<br>" in done(terminal, "graph", f"{patrol}.arm-ace.capture", "--format", "mermaid")
    drawn = json.loads(done(terminal, "graph", f"{patrol}.arm-ace.capture", "--format", "dot", "--json"))
    assert (drawn["id"], drawn["steps"]) == (f"{patrol}.arm-ace.capture", 1)


def test_a_file_s_name_does_not_promise_another_picture_than_it_gets(terminal):
    assert terminal.run("mol", "graph", "mol-code-review", "-o", "x.png").status == 2
    assert not (terminal.cwd / "x.png").exists()
    assert terminal.run("mol", "graph", "mol-code-review", "-o", "x.txt", "--format", "mermaid").status == 0
    assert terminal.run("mol", "graph", "mol-code-review", "-o", "X.DOT").status == 0
    assert (terminal.cwd / "X.DOT").read_text().startswith("digraph")


EVIL = "x\nRoot: sha256:0\u2028Root: sha256:1 \x1b[31m\u202e"


def test_no_text_of_a_digest_log_or_record_begins_a_line_of_its_own_or_steers_the_terminal(terminal):
    folder = terminal.cwd / ".beads" / "mmpm"
    (folder / "mols").mkdir(parents=True)
    (folder / "digests").mkdir()
    formula = Provenance(EVIL, EVIL, EVIL)
    texts = {"title": EVIL, "actor": EVIL, "bonded_by": EVIL, "summary": EVIL}
    moments = {"bonded_at": AT, "completed_at": AT}
    outcome = StepOutcome("arm", EVIL, "closed", EVIL, EVIL, AT, AT)
    arm = ArmRecord("arm", formula, {EVIL: EVIL})
    digest = Digest("d-mol-a", "mol", provenance=formula, variables={EVIL: EVIL}, **texts, **moments)
    digest = replace(digest, arms=(arm,), outcomes=(outcome,))
    digest = replace(digest, root=root_of(digest))
    (folder / "digests" / "d-mol-a.json").write_bytes(digest.to_bytes())
    step = Step("s", EVIL, description=EVIL, notes=EVIL, labels=(EVIL,))
    bonded = Bonded("r-mol-a", "mol", formula, EVIL, EVIL, {EVIL: EVIL})
    lines = [Line(AT, EVIL, "pour", (bonded, StepsAdded((step,))), "n")]
    lines.append(Line(AT, EVIL, EVIL[:60], (Closed("s", EVIL), Closed("s", EVIL))))
    (folder / "mols" / "r-mol-a.jsonl").write_bytes(b"".join(line.to_bytes() + b"\n" for line in lines))
    record = {"id": "mol-x", "title": EVIL, "labels": ["template", EVIL], "issue_type": EVIL, "status": EVIL}
    (terminal.cwd / ".beads" / "molecules.jsonl").write_text(json.dumps(record) + "\n")
    for words in (
        *(("mol", "show", one) for one in ("d-mol-a", "d-mol-a.arm", "r-mol-a", "r-mol-a.s", "mol-x")),
        *(("mol", "verify", "d-mol-a", "--step", "arm"), ("mol", "records", "--steps"), ("mol", "list"), ("doctor",)),
        ("mol", "show", "r-mol-a", "--verbose"),
    ):
        seen = terminal.run(*words)
        assert seen.status in {0, 1}
        found = seen.out.split("\n") + seen.err.split("\n")
        assert [line for line in found if line.startswith("Root: ")] == [
            line for line in found if line == f"Root: {digest.root}"
        ]
        assert not {"\x1b", "\u202e", "\u2028"} & set(seen.both), words
