"""`mmpm mol records`, `mol route` and `mol verify` as a person sees them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from molecule_town import patrol_that_failed, put, review_that_is_done, review_that_runs

from mmpm.molecule.digest import Digest, root_of
from mmpm.molecule.proofs import prove
from mmpm.project.mol_log import MolPlaces


@pytest.fixture
def town(terminal):
    """Molecules in the working folder."""
    put(terminal.cwd, *patrol_that_failed())
    put(terminal.cwd, *review_that_is_done())
    put(terminal.cwd, review_that_runs())
    return terminal.cwd


@pytest.mark.usefixtures("town")
def test_records_are_printed_as_the_seed_prints_them(terminal):
    seen = terminal.run("mol", "records", "--failed")
    assert seen.out == (
        "Polecat: beads/amber\n"
        "Formula: mol-witness-patrol@2.1.0\n"
        "Completed: 2026-01-10T15:30:00Z\n"
        "Capabilities exercised:\n"
        "- patrol (primary)\n"
        "- go (secondary)\n"
    )


@pytest.mark.usefixtures("town")
def test_steps_tell_who_did_what_and_how_it_ended(terminal):
    seen = terminal.run("mol", "records", "--steps", "--formula", "mol-witness-patrol")
    assert seen.out.splitlines()[6] == f"Molecule: {patrol_that_failed()[1].id} (wisp, squashed)"
    assert seen.out.splitlines()[9:] == [
        "✓ inbox 2026-01-10T15:30:00Z beads/amber: done",
        "✓ survey 2026-01-10T15:30:00Z beads/amber: done",
        "- aggregate open",
        "- summary open",
        "✗ arm-ace 2026-01-10T15:30:00Z beads/amber: failed: 1 of 2 children failed",
        "✓ arm-ace.load 2026-01-10T15:30:00Z beads/amber: done",
        "✗ arm-ace.check 2026-01-10T15:30:00Z beads/amber: failed: broken",
    ]


@pytest.mark.usefixtures("town")
def test_the_newest_come_first_and_as_many_as_are_asked_for(terminal):
    seen = terminal.run("mol", "records", "--limit", "2")
    assert [line for line in seen.out.splitlines() if line.startswith("Completed")] == [
        "Completed: 2026-01-13T09:00:00Z",
        "Completed: not yet; still running, 3 of 6 steps over",
    ]
    assert "Older ones that are not shown: 1" in seen.err


@pytest.mark.usefixtures("town")
def test_json_has_every_field_of_a_record(terminal):
    document = json.loads(terminal.run("mol", "records", "--json").out)
    done, running, _ = document["records"]
    digest = review_that_is_done()[1]
    assert (done["root"], running["root"]) == (digest.root, None)
    assert (running["completed_at"], running["last_close_at"]) == (None, "2026-01-12T08:00:00Z")
    assert done["formula"] == digest.provenance.to_dict()
    assert [one["step"] for one in done["steps"]] == [one.step for one in digest.outcomes]
    told = set(done) | {"provenance", "outcomes", "format"}
    assert set(digest.to_dict()) <= told


@pytest.mark.usefixtures("town")
def test_route_ranks_performers_with_their_reasons(terminal):
    terminal.play(
        """
        $ mmpm mol route --capabilities patrol,go --weight go=0.5
        1. beads/amber 0.683  2026-01-10T15:30:00Z
           patrol: 2 of 2 steps done well (mol-witness-patrol@2.1.0)
           go: 5 of 5 steps done well (mol-code-review@1.3.0, mol-witness-patrol@2.1.0)
        2. beads/onyx 0.200  2026-01-12T08:00:00Z
           patrol: no record
           go: 3 of 3 steps done well (mol-code-review@1.3.0)
        $ mmpm mol route --capabilities haskell
        Nobody has a record of haskell here
        Without any record of these: beads/amber, beads/onyx
        $ mmpm mol route --capabilities go --weight rust=1
        error[usage]: --weight: 'rust' is none of the capabilities asked for
          fix: write --capabilities security,go --weight go=0.5
        [exit 2]
        $ mmpm mol route --capabilities go --weight go=7
        error[usage]: '7' is not a number from 0 to 1
          fix: write --capabilities security,go --weight go=0.5
        [exit 2]
        $ mmpm mol records --since yesterday
        error[usage]: --since: 'yesterday' is neither a day nor a moment such as 2026-01-10T15:30:00Z
          fix: write --since 2026-01-10, or --since 7d
        [exit 2]
        $ mmpm mol records --actor nobody
        None of the 3 records here is so
        """
    )


def test_where_nothing_was_done_there_are_no_records(terminal):
    seen = terminal.run("mol", "records")
    assert (seen.status, seen.out) == (0, "")
    assert "There are no records" in seen.err


def test_a_record_that_was_changed_is_left_out_with_a_warning(terminal, town):
    digest = review_that_is_done()[1]
    path = MolPlaces(str(town)).digest(digest.id)
    with open(path, "wb") as file:
        file.write(digest.to_bytes().replace(b"beads/onyx", b"beads/opal"))
    with open(path, "rb") as file:
        assert Digest.parse(file.read()).root == digest.root
    seen = terminal.run("mol", "records", "--formula", "mol-code-review")
    assert "Completed: 2026-01-13" not in seen.out
    assert "this is no record: " in seen.err


def test_a_digest_is_verified_and_a_step_of_it_proved(terminal, town):
    digest = review_that_is_done()[1]
    assert terminal.run("mol", "verify", digest.id, "--step", "security", "--root", digest.root).out.splitlines() == [
        f"✓ The digest of {digest.id} holds",
        "Polecat: beads/amber",
        "Formula: mol-code-review@1.3.0",
        "Completed: 2026-01-13T09:00:00Z",
        f"Root: {digest.root}",
        "Log: the molecule's log is here and tells the same, step by step",
        "Step: security",
        "Title: Security",
        "State: closed",
        "Reason: no findings",
        "Actor: beads/onyx",
        "Closed at: 2026-01-12T08:00:00Z",
    ]
    printed = terminal.run("mol", "verify", digest.id, "--step", "security", "--proof")
    assert terminal.run("mol", "verify", digest.id, "--step", "security", "--proof", "-o", "proof.json").status == 0
    assert (town / "proof.json").read_text() == printed.out
    seen = terminal.run("mol", "verify", "proof.json", "--step", "security", "--root", digest.root)
    assert seen.out.splitlines()[:2] == ["✓ The proof holds: security", f"Root: {digest.root}"]
    again = terminal.run("mol", "verify", digest.id, "--step", "security", "--proof", "-o", "proof.json")
    assert (again.status, "is there already" in again.err) == (1, True)


def test_what_does_not_hold_is_named_with_exit_4(terminal, town):
    digest = patrol_that_failed()[1]
    (town / "a.json").write_bytes(digest.to_bytes().replace(b"broken", b"mended"))
    seen = terminal.run("mol", "verify", "a.json")
    assert seen.status == 4
    assert f"error[digest-untrusted]: {town}/a.json does not hold: its fields give the root" in seen.err
    seen = terminal.run("mol", "verify", digest.id, "--root", "0" * 64)
    assert (seen.status, "was given" in seen.err) == (4, True)


@pytest.mark.usefixtures("town")
def test_a_squashed_wisp_has_but_its_file_which_is_said(terminal):
    seen = terminal.run("mol", "verify", patrol_that_failed()[1].id)
    assert seen.status == 0
    assert "Log: the molecule's log is not here" in seen.out
    assert "compare it with one that you know, by --root" in seen.err


@pytest.mark.usefixtures("town")
def test_wrong_usage_of_verify_is_told(terminal):
    terminal.play(
        """
        $ mmpm mol verify x --proof
        error[usage]: --proof: of which step?
          fix: write `mmpm mol verify x --step STEP --proof`
        [exit 2]
        $ mmpm mol verify x -o p
        error[usage]: -o is where a proof is written
          fix: give --step STEP --proof with it
        [exit 2]
        $ mmpm mol verify x --root 12
        error[usage]: --root: 'sha256:12' is not a checksum, which is sha256: and 64 lower-case hexadecimal digits
          fix: write it as `mmpm mol verify` prints it
        [exit 2]
        $ mmpm mol verify x
        error[no-digest]: no digest by x: there is neither a digest of it nor a file of that name in ~/rig
          fix: name a molecule that was squashed (`mmpm mol records` lists them), or the file of a digest or proof
        [exit 1]
        """
    )


def test_a_record_from_elsewhere_cannot_forge_a_line(terminal):
    life, digest = patrol_that_failed()
    outcomes = tuple(replace(one, actor="a\nPolecat: b", reason="c\nd\x1b[2J") for one in digest.outcomes)
    forged = replace(digest, actor="e\nFormula: mol-other@9.9.9", outcomes=outcomes)
    forged = replace(forged, root=root_of(forged))
    put(terminal.cwd, life, forged)
    for words in (
        ("records",),
        ("records", "--steps"),
        ("verify", forged.id, "--step", "inbox"),
        ("route", "--capabilities", "go"),
    ):
        seen = terminal.run("mol", *words)
        assert seen.status == 0
        assert not any(line.startswith(("Formula: mol-other", "Polecat: b", "d")) for line in seen.both.splitlines())
        assert "\x1b" not in seen.both


def test_a_proof_is_verified_where_nothing_is_and_nothing_can_be_written(terminal):
    digest = review_that_is_done()[1]
    (terminal.cwd / "p.json").write_bytes(prove(digest, "security").to_bytes())
    terminal.environ["HOME"] = "/proc/nowhere"
    seen = terminal.run("mol", "verify", "p.json", "--step", "security", "--root", digest.root)
    assert (seen.status, seen.err) == (0, "")


@pytest.mark.parametrize("option", ["--step", "--root", "--output"])
def test_an_empty_operand_of_verify_is_refused_for_nothing_would_be_checked(terminal, town, option):
    assert town
    seen = terminal.run("mol", "verify", "x-mol-a", option, "")
    assert seen.status == 2
    assert "it is empty" in seen.err


@pytest.mark.parametrize("option", ["--actor", "--formula", "--since"])
def test_an_empty_filter_is_refused_for_everybody_would_be_taken_for_one(terminal, town, option):
    assert town
    seen = terminal.run("mol", "records", option, "")
    assert seen.status == 2
    assert "it is empty" in seen.err


def test_what_is_no_capability_is_refused_where_it_filters_as_where_it_ranks(terminal, town):
    assert town
    assert terminal.run("mol", "records", "--capability", "Go Lang").status == 2
    assert terminal.run("mol", "route", "--capabilities", "Go Lang").status == 2
