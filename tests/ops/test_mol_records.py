"""Execution records: every squash and every close leaves one; what was changed is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from molecule_lives import REVIEW, Life
from molecule_town import ONYX, patrol_that_failed, put, review_that_is_done, review_that_runs

from mmpm.model.ranges import VersionRange
from mmpm.ops.mol_records import (
    ExecutionRecord,
    Filter,
    Found,
    parse_formula_operand,
    parse_since,
    ranking,
    read_records,
)
from mmpm.ops.mol_state import Workspace
from mmpm.project.mol_log import MolPlaces

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)


@dataclass
class Root:
    """What a workspace asks its context for, in tests that only read."""

    root: str


@dataclass
class Here:
    project: Root


@pytest.fixture
def town(tmp_path):
    """A root with a failed wisp, a finished mol, a running one and one that nobody worked on."""
    put(tmp_path, *patrol_that_failed())
    put(tmp_path, *review_that_is_done())
    put(tmp_path, review_that_runs())
    put(tmp_path, Life(REVIEW, scope="untouched"))
    return tmp_path


def workspace(folder):
    return Workspace(Here(Root(str(folder))))


def titles(records):
    return [one.digest.title for one in records]


def taken(folder, **wanted):
    return titles(record for record in read_records(workspace(folder)).records if Filter(**wanted).takes(record))


PATROLLED, REVIEWED, RUNNING = "Digest: Witness patrol", "Digest: Review of lib/", "Digest: Review of src/"


def test_every_squash_and_every_molecule_with_a_closed_step_gives_a_record_the_newest_first(town):
    found = read_records(workspace(town))
    assert titles(found.records) == [REVIEWED, RUNNING, PATROLLED]
    assert [one.is_running for one in found.records] == [False, True, False]
    assert not found.problems


def test_a_record_is_printed_as_the_seed_prints_it(town):
    assert read_records(workspace(town)).records[0].lines() == (
        "Polecat: beads/amber",
        "Formula: mol-code-review@1.3.0",
        "Completed: 2026-01-13T09:00:00Z",
        "Capabilities exercised:",
        "- code-review (primary)",
        "- security (secondary)",
        "- go (secondary)",
    )


def test_a_record_of_what_still_runs_says_so_and_names_who_closed_steps(town):
    running = read_records(workspace(town)).records[1]
    assert running.lines()[:3] == (
        "Polecat: beads/onyx",
        "Formula: mol-code-review@1.3.0",
        "Completed: not yet; still running, 3 of 6 steps over",
    )
    assert not running.is_proved


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"actor": "beads/amber"}, [REVIEWED, PATROLLED]),
        ({"actor": "beads/onyx"}, [REVIEWED, RUNNING]),
        ({"actor": "onyx"}, []),
        ({"formula": "mol-code-review"}, [REVIEWED, RUNNING]),
        ({"formula": "mol-code-review", "range": VersionRange.parse("^2")}, []),
        ({"formula": "mol-polecat-arm", "range": VersionRange.parse("^1")}, [PATROLLED]),
        ({"formula": "mol-polecat-arm", "actor": "beads/onyx"}, []),
        ({"capabilities": ("security", "go")}, [REVIEWED, RUNNING]),
        ({"capabilities": ("patrol",), "actor": "beads/onyx"}, []),
        ({"since": "2026-01-12T08:00:00Z"}, [REVIEWED, RUNNING]),
        ({"has_failed": True}, [PATROLLED]),
        ({"has_failed": True, "formula": "mol-polecat-arm"}, [PATROLLED]),
        ({"has_failed": True, "actor": "beads/onyx"}, []),
    ],
)
def test_filters_answer_on_every_piece_of_work_not_only_on_the_squash(town, wanted, expected):
    assert taken(town, **wanted) == expected


def test_a_digest_that_was_changed_is_no_record_and_is_named(town):
    path = MolPlaces(str(town)).digest(read_records(workspace(town)).records[0].digest.id)
    with open(path, "rb+") as file:
        data = file.read().replace(b"no findings", b"a finding..")
        file.seek(0)
        file.write(data)
    found = read_records(workspace(town))
    assert titles(found.records) == [RUNNING, PATROLLED]
    assert [path in one for one in found.problems] == [True]


def test_a_digest_that_another_took_the_place_of_is_no_record_where_the_log_tells(tmp_path):
    life, digest = review_that_is_done()
    other = Life(REVIEW, scope="lib/")
    other.do("close", "discovery.files", "done", stamp=ONYX)
    forged = other.do("squash", "all well", {}).digest
    assert forged.id == digest.id
    put(tmp_path, life, forged)
    found = read_records(workspace(tmp_path))
    assert found.records == ()
    assert "squashed into another digest" in found.problems[0]


def test_a_mol_whose_digest_is_gone_is_told_from_its_log_but_is_not_proved(tmp_path):
    life, _ = review_that_is_done()
    put(tmp_path, life)
    (record,) = read_records(workspace(tmp_path)).records
    assert not record.is_proved
    assert not record.is_running
    assert record.digest.completed_at == "2026-01-13T09:00:00Z"


def test_what_was_burned_leaves_no_record(tmp_path):
    life = review_that_runs()
    life.do("burn", "no use")
    put(tmp_path, life)
    assert read_records(workspace(tmp_path)).records == ()


def test_a_root_without_molecules_has_no_records(tmp_path):
    assert read_records(workspace(tmp_path)) == Found()


def test_a_record_that_came_by_several_ways_counts_once_and_is_told_as_from_here(town):
    own = read_records(workspace(town))
    posted = Found(
        tuple(ExecutionRecord(one.digest, "molmall.example") for one in own.records if one.is_proved), ("x: no",)
    )
    found = read_records(workspace(town), [posted])
    assert found.records == own.records
    assert found.problems == ("x: no",)
    elsewhere = read_records(workspace(town / "empty"), [posted, posted])
    assert [one.origin for one in elsewhere.records] == ["molmall.example"] * 2


def test_routing_ranks_over_all_of_them_running_ones_too(town):
    tried, others = ranking(read_records(workspace(town)), ["security"])
    assert [(one.performer, one.reasons[0].tried) for one in tried] == [("beads/onyx", 3), ("beads/amber", 3)]
    assert others == ()
    tried, others = ranking(read_records(workspace(town)), ["haskell"])
    assert tried == ()
    assert [one.performer for one in others] == ["beads/amber", "beads/onyx"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-10", "2026-01-10T00:00:00Z"),
        ("2026-01-10T15:30:00Z", "2026-01-10T15:30:00Z"),
        ("7d", "2026-01-13T12:00:00Z"),
    ],
)
def test_since_is_a_day_a_moment_or_how_long_ago(text, moment):
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "2026-1-1", "2026-01-10T15:30:00+01:00"])
def test_since_is_nothing_else(text):
    with pytest.raises(ValueError, match="neither a day nor a moment"):
        parse_since(text, NOW)


def test_a_formula_is_named_with_or_without_a_range():
    assert parse_formula_operand("@acme/mol-a@^1") == ("@acme/mol-a", VersionRange.parse("^1"))
    assert parse_formula_operand("mol-b.1")[0] == "mol-b.1"
    with pytest.raises(ValueError, match="range"):
        parse_formula_operand("mol-b@>>")


@pytest.mark.parametrize("life", [patrol_that_failed, review_that_is_done])
def test_what_is_squashed_while_records_are_read_is_one_of_them(tmp_path, life):
    ended, digest = life()
    flowing = Path(str(MolPlaces(str(tmp_path)).log(digest.id, digest.phase)))
    put(tmp_path, ended)
    flowing.write_bytes(b"".join(flowing.read_bytes().splitlines(keepends=True)[:-1]))

    class Meanwhile(Workspace):
        """Another process squashes the molecule between two readings."""

        def ids(self):
            return (digest.id,)

        def digest(self, molecule_id):
            found = super().digest(molecule_id)
            squash()
            return found

        def molecule(self, molecule_id):
            found = super().molecule(molecule_id)
            squash()
            return found

    def squash():
        put(tmp_path, ended, digest)
        if digest.phase == "wisp":
            flowing.unlink(missing_ok=True)

    found = read_records(Meanwhile(Here(Root(str(tmp_path)))))
    assert titles(found.records) == [digest.title]
    assert not found.problems
