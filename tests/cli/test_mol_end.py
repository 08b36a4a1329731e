"""How molecules end, as a person sees it: squash, burn, gc."""

from __future__ import annotations

import io
import json
import os
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest
from killing import end_of, in_child
from molecule_roots import MolRoot

from mmpm.cli.output import Output
from mmpm.errors import DeclinedError
from mmpm.molecule.digest import Digest, verify_digest
from mmpm.molecule.steps import MAX_TEXT


@pytest.fixture
def root(tmp_path):
    made = MolRoot(tmp_path).begin()
    made.terminal.environ |= {"NO_COLOR": "1", "BD_ACTOR": "beads/amber"}
    return made


def digest_of(root, molecule_id):
    digest = Digest.parse(Path(root.places.digest(molecule_id)).read_bytes())
    assert verify_digest(digest)
    return digest


def play(root, made, transcript):
    """Play a transcript in which the id of a molecule is written ID, and a hash HASH."""
    expected = textwrap.dedent(transcript).strip().replace("ID", made)
    seen = []
    for line in expected.splitlines():
        if line.startswith("$ mmpm "):
            result = root.run(*line.removeprefix("$ mmpm ").split())
            seen += [line, *root.terminal.tidy(result.both).splitlines()]
            seen += [f"[exit {result.status}]"] * bool(result.status)
    text = "\n".join(seen)
    if os.path.exists(root.places.digest(made)):
        text = text.replace(digest_of(root, made).root, "sha256:HASH")
    assert text == expected


def test_a_mol_is_squashed_and_the_record_is_the_seed_s(root):
    made = root.make("pour", "mol-job")
    root.done("mol", "close", f"{made}.1")
    root.done("mol", "close", f"{made}.2")
    play(
        root,
        made,
        """
        $ mmpm mol squash ID --summary well
        ID  Digest: Job
        Root: sha256:HASH
        Polecat: beads/amber
        Formula: mol-job
        Completed: 2026-01-20T12:00:00Z
          digest  ~/rig/.beads/mmpm/digests/ID.json
        $ mmpm mol squash ID
        error[molecule-refused]: ID is squashed: it cannot be changed any more
          fix: `mmpm mol show ID` says how it stands
        [exit 1]
        """,
    )
    digest = digest_of(root, made)
    assert (digest.summary, digest.phase, digest.lock_entry) == ("well", "mol", {})
    assert [(one.step, one.state, one.actor) for one in digest.outcomes] == [
        ("1", "closed", "beads/amber"),
        ("2", "closed", "beads/amber"),
    ]
    assert os.path.exists(root.places.log(made, "mol"))


def test_a_wisp_is_squashed_and_its_trace_is_gone(root):
    made = root.make("wisp", "mol-job")
    play(
        root,
        made,
        """
        $ mmpm mol squash ID --dry-run
        would squash ID into a digest; its trace goes
        $ mmpm mol squash ID
        error[question-unanswered]: this needs an answer and there is no terminal: 2 steps of ID have not ended, and the digest will say so. Squash it?
          fix: run it again with `--yes`, or look first with `--dry-run`
        [exit 2]
        """,
    )
    assert os.path.exists(root.places.log(made, "wisp"))
    assert not os.path.exists(root.places.digest(made))
    root.done("mol", "squash", made, "--yes", "--actor", "beads/onyx")
    digest = digest_of(root, made)
    assert (digest.summary, digest.actor, digest.phase) == ("2 steps: 2 not done", "beads/onyx", "wisp")
    assert not os.path.exists(root.places.log(made, "wisp"))
    assert "is squashed" in root.run("mol", "close", f"{made}.1").err


@pytest.mark.parametrize("text", ["two\nlines", "- a dash", "--force", "", "ünïcode \u2603", "  blanks  "])
def test_a_summary_is_kept_as_it_was_given(root, text, monkeypatch):
    ids = [root.make("wisp", "mol-job") for _ in range(2)]
    if text != "--force":
        root.done("mol", "squash", ids[0], "--force", "--summary", text)
        assert digest_of(root, ids[0]).summary == (text or "2 steps: 2 not done")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode() + b"\n")))
    root.done("mol", "squash", ids[1], "--force", "--summary", "-")
    assert digest_of(root, ids[1]).summary == (text or "2 steps: 2 not done")


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\xff", "not UTF-8 at byte 0"), (b"x" * (MAX_TEXT + 1), "more than"), (b"x" * (4 * MAX_TEXT + 9), "more than")],
)
def test_a_summary_that_is_no_text_is_refused(root, data, words, monkeypatch):
    made = root.make("wisp", "mol-job")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    seen = root.run("mol", "squash", made, "--force", "--summary", "-")
    assert (seen.status, words in seen.err) == (2, True)
    assert not os.path.exists(root.places.digest(made))


def test_texts_of_others_cannot_steer_the_terminal(root):
    made = root.make("wisp", "mol-arm", "--var", "who=\x1b[2Jx")
    seen = root.done("mol", "squash", made, "--force", "--summary", "\x1b]0;x\x07", "--json")
    assert json.loads(seen.out)["digest"]["summary"] == "\x1b]0;x\x07"
    made = root.make("wisp", "mol-arm", "--var", "who=\x1b[2Jx")
    assert "\x1b" not in root.done("mol", "burn", made, "--force", "--reason", "\x1b[1m").both


def test_a_digest_holds_what_the_lock_says_of_its_formula(root):
    release = {"name": "mol-job", "version": "1.0.0", "kind": "formula", "pinned": False, "size": 1}
    release |= {"checksum": "sha256:" + "1" * 64, "tree": "blake3:" + "2" * 64, "source": "hop://a.example/formulas/mol-job@1.0.0", "requires": {}}  # fmt: skip
    lock = {"version": 1, "requires": {}, "releases": [release]}
    (root.root / "mmpm.lock").write_text(json.dumps(lock))
    made = root.make("wisp", "mol-job")
    seen = root.run("mol", "squash", made, "--force")
    assert seen.status == 0, seen.both
    entry = digest_of(root, made).lock_entry
    assert entry["checksum"] == release["checksum"]
    assert set(entry) == {"name", "version", "kind", "checksum", "tree", "source"}
    (root.root / "mmpm.lock").rename(root.terminal.home / "mmpm.lock")  # installed for the person, not for the project
    made = root.make("wisp", "mol-job")
    root.done("mol", "squash", made, "--force")
    assert digest_of(root, made).lock_entry == entry
    (root.root / "mmpm.lock").write_text("<<<<<<< HEAD\n")
    made = root.make("wisp", "mol-job")
    assert "mmpm.lock" in root.run("mol", "squash", made, "--force").err
    assert not os.path.exists(root.places.digest(made))


def test_burning_asks_and_leaves_a_line_of_the_audit_log(root):
    made = root.make("pour", "mol-job")
    play(
        root,
        made,
        """
        $ mmpm mol burn ID
        error[question-unanswered]: this needs an answer and there is no terminal: No record will stay of ID (Job, 2 steps not ended). Burn it?
          fix: run it again with `--yes`, or look first with `--dry-run`
        [exit 2]
        $ mmpm mol burn ID --dry-run
        would burn ID
        $ mmpm mol burn ID.1 --force
        error[molecule-refused]: ID.1 is a step; a molecule ends as a whole
          fix: name ID, or end the step with `mmpm mol close`
        [exit 1]
        $ mmpm mol burn ID --force --reason mistake
        Burned: ID  Job
        $ mmpm mol burn ID --force
        error[molecule-not-here]: there is no molecule or step ID in ~/rig
          fix: `mmpm mol list --running` shows the molecules that are there; `--project DIR` looks elsewhere
        [exit 1]
        """,
    )
    line = json.loads(Path(root.places.audit).read_bytes())
    assert (line["actor"], line["operation"]) == ("beads/amber", "burn")
    assert line["events"] == [{"id": made, "kind": "burned", "reason": "mistake"}]


def test_of_several_none_is_burned_where_one_cannot_be(root):
    ids = [root.make("wisp", "mol-job") for _ in range(3)]
    root.done("mol", "squash", ids[2], "--force")
    assert root.run("mol", "burn", *ids, "--force").status == 1
    assert root.run("mol", "burn", *ids[:2], "nothing", "--force").status == 1
    assert all(os.path.exists(root.places.log(one, "wisp")) for one in ids[:2])
    seen = root.done("mol", "burn", ids[0], ids[1], ids[0], "--yes", "--json")
    assert json.loads(seen.out)["molecules"] == ids[:2]
    assert root.names(root.places.wisps) == [".gitignore", ".lock"]
    assert root.burned() == []  # routine cycles: nobody asked, nobody waited


def test_a_wisp_for_which_another_waits_is_audited(root):
    wisp, mol = root.make("wisp", "mol-job"), root.make("pour", "mol-job")
    root.done("mol", "bond", wisp, mol, "--type", "sequential")
    assert root.run("mol", "start", f"{mol}.1").status == 1
    root.done("mol", "burn", wisp, "--force")
    assert root.burned() == [wisp]
    root.done("mol", "start", f"{mol}.1")


def test_stale_wisps_are_collected_and_nothing_else(root):
    old, mol = root.make("wisp", "mol-job"), root.make("pour", "mol-job")
    root.terminal.now += timedelta(hours=23)
    young = root.make("wisp", "mol-job")
    worked = root.make("wisp", "mol-job")
    root.terminal.now += timedelta(hours=2)
    root.done("mol", "close", f"{worked}.1")
    play(
        root,
        old,
        """
        $ mmpm mol gc --dry-run --quiet
        would burn ID
        $ mmpm mol gc --quiet
        Burned: ID  Job (nothing happened since 2026-01-20T12:00:00Z)
        $ mmpm mol gc --quiet --older soon
        error[usage]: --older soon: not a duration
          fix: write it as in --older 24h or --older 7d
        [exit 2]
        """,
    )
    assert root.burned() == [old]
    assert all(os.path.exists(root.places.log(one, "wisp")) for one in (young, worked))
    root.terminal.now += timedelta(minutes=30)
    seen = json.loads(root.done("mol", "gc", "--older", "1h", "--json").out)
    assert (seen["schema"], [one["id"] for one in seen["burned"]]) == ("mmpm.mol-gc/1", [young])
    assert os.path.exists(root.places.log(mol, "mol"))


def test_a_wisp_that_waits_for_a_timer_is_not_stale(root):
    (root.root / ".beads" / "formulas").mkdir()
    (root.root / ".beads" / "formulas" / "mol-slow.formula.toml").write_text(
        'formula = "mol-slow"\nversion = 1\ntype = "workflow"\ndescription = "Waits"\n[[steps]]\nid = "wait"\n'
        'title = "Wait"\n[steps.gate]\ntype = "timer"\ntimeout = "72h"\n'
    )
    made = root.make("wisp", "mol-slow")
    root.terminal.now += timedelta(hours=48)
    assert root.done("mol", "gc").out == ""
    root.terminal.now += timedelta(hours=48)
    assert made in root.done("mol", "gc").out


def test_programs_get_the_whole_digest(root):
    made = root.make("pour", "mol-job")
    document = json.loads(root.done("mol", "squash", made, "--force", "--json").out)
    assert (document["schema"], document["id"], document["open_steps"]) == ("mmpm.mol-squash/1", made, 2)
    assert document["digest"] == json.loads(Path(root.places.digest(made)).read_bytes())
    assert document["root"] == digest_of(root, made).root
    assert document["path"] == root.places.digest(made)


@pytest.mark.parametrize("words", [("squash", "x"), ("burn", "x", "--force"), ("gc",), ("close", "x.1")])
def test_where_there_are_no_molecules_nothing_is_made(tmp_path, words):
    root = MolRoot(tmp_path)
    (root.root / ".beads").mkdir()
    seen = root.run("mol", *words)
    assert seen.status == (0 if words == ("gc",) else 1)
    assert "molecule-not-here" in seen.err or "Nothing to collect in " in seen.err
    assert list(root.root.rglob("*")) == [root.root / ".beads"]


def test_while_a_question_is_open_others_write(root):
    made, other = (root.make("wisp", "mol-job") for _ in range(2))
    begun = []

    def ask(_output, question, *, yes):
        assert not yes
        begun.append(question)
        assert end_of(in_child(root.work("mol", "start", f"{other}.1"))) == 0
        raise DeclinedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Output, "ask", ask)
        assert root.run("mol", "squash", made).status == 1
    assert os.path.exists(root.places.log(made, "wisp"))


def test_a_trace_that_cannot_be_read_whole_is_not_given_up_unasked(root):
    made = root.make("wisp", "mol-job")
    root.done("mol", "close", f"{made}.1")
    root.done("mol", "close", f"{made}.2")
    path = Path(root.places.log(made, "wisp"))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"step":"2"', b'"step":"2'))
    seen = root.run("mol", "squash", made)
    assert (seen.status, "1 line of the log of" in seen.err, "1 step of" in seen.err) == (2, True, True)
    assert path.exists()
    path.write_bytes(whole + b"\n")
    root.done("mol", "squash", made)


def test_of_many_routine_wisps_those_that_others_stand_with_are_audited(root):
    wisps = [root.make("wisp", "mol-job") for _ in range(4)]
    for wisp in wisps[1:3]:
        root.done("mol", "bond", wisp, root.make("wisp", "mol-job"), "--type", "sequential")
    root.done("mol", "burn", *wisps, "--force")
    assert root.burned() == wisps[1:3]


@pytest.mark.parametrize(
    ("words", "option"), [(("burn", "--reason"), "--reason"), (("squash", "--summary"), "--summary")]
)
@pytest.mark.parametrize(("text", "why"), [("a\udcff", "not UTF-8"), ("x" * (MAX_TEXT + 1), "are the most")])
def test_a_text_that_cannot_be_kept_is_refused_and_nothing_ends(root, words, option, text, why):
    made = root.make("pour", "mol-job")
    result = root.run("mol", words[0], made, "--force", words[1], text)
    assert f"{option}: it " in result.both
    assert why in result.both
    assert "Traceback" not in result.both
    assert root.run("mol", "close", f"{made}.1").status == 0


def test_git_is_told_to_join_audit_logs_where_only_wisps_were_burned(root):
    made = root.make("wisp", "mol-job")
    root.done("mol", "burn", made, "--force", "--reason", "mistake")
    attributes = Path(root.places.audit).parent / ".gitattributes"
    assert "audit.jsonl merge=union" in attributes.read_text().splitlines()


@pytest.mark.parametrize("phase", ["pour", "wisp"])
def test_gc_keeps_a_molecule_whose_last_line_feed_an_editor_took(root, phase):
    made = root.make(phase, "mol-job")
    log = Path(root.places.log(made, "mol" if phase == "pour" else "wisp"))
    log.write_bytes(log.read_bytes().removesuffix(b"\n"))
    assert "Removed" not in root.done("mol", "gc").both
    root.done("mol", "close", f"{made}.1")


def test_gc_keeps_a_bond_that_was_damaged_or_is_of_a_newer_program(root):
    made = root.make("pour", "mol-job")
    log = Path(root.places.log(made, "mol"))
    whole = log.read_bytes().removesuffix(b"\n")
    for data in (whole.replace(b'"format":1', b'"format":2'), whole.replace(b'"steps"', b'"stops"')):
        log.write_bytes(data)
        assert "Removed" not in root.run("mol", "gc").both
        assert log.read_bytes() == data
    log.write_bytes(whole[:-1])
    assert "Removed: 1 file" in root.run("mol", "gc").both


@pytest.mark.parametrize("phase", ["mol", "wisp"])
def test_a_molecule_does_not_end_with_the_digest_of_another_checkout_s(root, phase):
    """One id was given twice, with --ref; the other one was squashed, and its digest came by version control."""
    words = ("pour" if phase == "mol" else "wisp", "mol-job", "--ref", "p")
    made = root.done("mol", *words).out.split()[0]
    root.done("mol", "squash", made, "--force", "--summary", "theirs")
    digest = Path(root.places.digest(made))
    theirs = digest.read_bytes()
    digest.unlink()
    Path(root.places.log(made, phase)).unlink(missing_ok=True)
    root.terminal.now += timedelta(seconds=5)
    root.done("mol", *words)
    digest.write_bytes(theirs)
    log = Path(root.places.log(made, phase)).read_bytes()
    another = f"it is the digest of another {phase} of that id"
    for words in (("ready",), ("gc",), ("close", f"{made}.1"), ("squash", made, "--force"), ("gc", "--older", "0s")):
        assert another in root.run("mol", *words).both, words
    assert (Path(root.places.log(made, phase)).read_bytes(), digest.read_bytes()) == (log, theirs)
    digest.unlink()
    root.done("mol", "close", f"{made}.1")
