"""What was posted is read from every registry at hand; what is damaged, missing, withdrawn or barred does not count."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta

import pytest
from executions import squashed
from molecule_lives import REVIEW
from terminal import Terminal

from mmpm.molecule import record_file
from mmpm.molecule.record_file import write_records
from mmpm.ops import mol_posted


@pytest.fixture
def terminal(tmp_path):
    made = Terminal(tmp_path)
    made.environ["NO_COLOR"] = "1"
    (made.cwd / ".beads").mkdir()
    return made


def registry(terminal, name):
    init = terminal.run("registry", "init", f"../{name}", "--id", f"{name}.example", "--no-passphrase", "--yes")
    fingerprint = re.search(r"[0-9a-f]{64}", init.out)[0]
    done(terminal, "registry", "add", f"../{name}", "--root", fingerprint, "--name", name)
    return terminal.home / name


@pytest.fixture
def far(terminal):
    return registry(terminal, "far")


def done(terminal, *words):
    seen = terminal.run(*words)
    assert seen.status == 0, seen.both
    return seen


def post(terminal, data, version="1.0.0", name="records-a", to="far"):
    base = name.rpartition("/")[2]
    path = terminal.folder / f"{base}.records.jsonl"
    path.write_bytes(data)
    line = {"path": str(path), "name": name, "version": version}
    batch = terminal.folder / "batch.jsonl"
    batch.write_text(json.dumps(line) + "\n")
    done(terminal, "publish", "--batch", str(batch), "--to", to, "--yes")


def post_unseen(terminal, monkeypatch, data, **more):
    """Publish as somebody would who does not look at what it is."""
    with monkeypatch.context() as patched:
        patched.setattr(record_file, "verify_digest", lambda _digest: True)
        post(terminal, data, **more)


def found(terminal, *words):
    """Ids and origins of the records, newest first, and the warnings."""
    seen = done(terminal, "mol", "records", "--json", *(words or ("--everywhere",)))
    document = json.loads(seen.out)
    return [(one["summary"], one["origin"]) for one in document["records"]], document["warnings"]


def one(summary, number=1, **more):
    return squashed(number, summary=summary, **more)


@pytest.mark.usefixtures("far")
def test_what_was_posted_is_read_beside_what_is_here_each_record_once(terminal):
    post(terminal, write_records([one("a", 1), one("b", 2)]))
    post(terminal, write_records([one("b", 2), one("c", 3)]), version="2.0.0")
    post(terminal, write_records([one("a", 1), one("d", 4)]), name="records-b")
    assert found(terminal) == ([(name, "far.example") for name in "dcba"], [])
    digest = one("b", 2)
    folder = terminal.cwd / ".beads" / "mmpm" / "digests"
    folder.mkdir(parents=True)
    (folder / f"{digest.id}.json").write_bytes(digest.to_bytes())
    origins = dict(found(terminal)[0])
    assert origins == {"d": "far.example", "c": "far.example", "b": "here", "a": "far.example"}
    assert found(terminal, "--limit", "9")[0] == [("b", "here")]
    assert found(terminal, "--registry", "far")[0] == [(name, "far.example") for name in "dcba"]


def test_registries_are_read_in_order_and_one_of_them_alone_where_it_is_named(terminal, far):
    assert far.exists()
    registry(terminal, "other")
    post(terminal, write_records([one("a", 1), one("b", 2)]))
    post(terminal, write_records([one("b", 2), one("c", 3)]), to="other")
    assert dict(found(terminal)[0]) == {"a": "far.example", "b": "far.example", "c": "other.example"}
    assert dict(found(terminal, "--registry", "other")[0]) == {"b": "other.example", "c": "other.example"}
    assert terminal.run("mol", "records", "--registry", "nobody").status == 1
    assert terminal.run("mol", "records", "--registry", "far", "--everywhere").status == 2


@pytest.mark.usefixtures("far")
def test_filters_and_ranking_take_what_was_posted(terminal):
    post(terminal, write_records([one("a", 1), one("b", 2, reason="failed"), one("c", 3, proto=REVIEW, actor="x/y")]))
    assert found(terminal, "--everywhere", "--actor", "x/y")[0] == [("c", "far.example")]
    assert found(terminal, "--everywhere", "--capability", "security")[0] == [("c", "far.example")]
    seen = terminal.run("mol", "records", "--everywhere", "--actor", "nobody")
    assert "None of the 3 records at hand is so" in seen.err
    ranked = done(terminal, "mol", "route", "--capabilities", "patrol", "--everywhere").out
    assert "patrol: 1 of 2 steps done well (mol-witness-patrol@2.1.0)" in ranked
    assert "Nobody has a record" in done(terminal, "mol", "route", "--capabilities", "patrol").err


@pytest.mark.usefixtures("far")
def test_what_was_withdrawn_does_not_count(terminal):
    for number, name in enumerate("abc", 1):
        post(terminal, write_records([one(name, number)]), version=f"{number}.0.0")
    done(terminal, "yank", "records-a@1.0.0", "--reason", "wrong", "--to", "far", "--yes")
    done(terminal, "yank", "records-a@2.0.0", "--reason", "wrong", "--take-down", "--to", "far", "--yes")
    assert found(terminal) == ([("c", "far.example")], [])


@pytest.mark.usefixtures("far")
def test_a_damaged_line_is_told_by_release_and_number_and_counts_for_nobody(terminal, monkeypatch):
    bad = write_records([one("a", 1), one("b", 2), one("c", 3)]).replace(b'"b"', b'"x"')
    post_unseen(terminal, monkeypatch, bad)
    records, [warning] = found(terminal)
    assert records == [("c", "far.example"), ("a", "far.example")]
    assert warning.startswith("records-a@1.0.0 of far.example: line 2 does not hold")


@pytest.mark.usefixtures("far")
def test_of_many_damaged_lines_the_first_are_told_and_the_others_counted(terminal, monkeypatch):
    bad = write_records([one("a", number) for number in range(1, 12)]).replace(b'"a"', b'"x"')
    post_unseen(terminal, monkeypatch, bad)
    records, warnings = found(terminal)
    assert records == []
    assert warnings[-1] == "records-a@1.0.0 of far.example: 6 more lines are no records"
    assert len(warnings) == 6


def test_a_flipped_byte_is_refused(terminal, far):
    post(terminal, write_records([one("a", 1)]))
    [path] = [path for path in (far / "objects").rglob("*") if path.is_file() and b'"summary":"a"' in path.read_bytes()]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"summary":"a"', b'"summary":"b"'))
    seen = terminal.run("mol", "records", "--everywhere")
    assert (seen.status, "has not the bytes that its name says" in seen.err) == (4, True)


def test_what_is_not_at_hand_is_told(terminal, far):
    post(terminal, write_records([one("a", 1)]))
    post(terminal, write_records([one("b", 2)]), version="2.0.0")
    assert len(found(terminal)[0]) == 2
    post(terminal, write_records([one("c", 3)]), version="3.0.0")
    done(terminal, "update")
    shutil.rmtree(far / "objects")
    records, [warning] = found(terminal)
    assert [name for name, _ in records] == ["b", "a"]
    assert warning == "records of far.example are not here: records-a@3.0.0; no place of it at hand has them"
    shutil.rmtree(far)
    records, warnings = found(terminal, "--everywhere")
    assert [name for name, _ in records] == ["b", "a"]
    assert any("far.example" in one for one in warnings)


def test_a_file_that_was_damaged_in_the_store_is_set_aside_and_comes_anew(terminal, far):
    assert far.exists()
    post(terminal, write_records([one("a", 1)]))
    assert found(terminal)[0]
    store = terminal.home / ".local" / "share" / "mmpm" / "store"
    [path] = [path for path in store.rglob("*") if path.is_file() and b'"summary":"a"' in path.read_bytes()]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"summary":"a"', b'"summary":"b"'))
    records, [warning] = found(terminal)
    assert (records, "damaged in the store" in warning) == ([], True)
    assert found(terminal) == ([("a", "far.example")], [])


def test_a_scope_counts_only_from_the_registry_that_it_is_bound_to(terminal, far):
    other = registry(terminal, "other")
    post(terminal, write_records([one("a", 1)]), name="@acme/records-a")
    post(terminal, write_records([one("b", 2)]), name="@acme/records-a", to="other")
    assert dict(found(terminal)[0]) == {"a": "far.example", "b": "other.example"}
    done(terminal, "registry", "add", str(other), "--scope", "@acme")
    records, [warning] = found(terminal)
    assert records == [("b", "other.example")]
    assert warning == "@acme/records-a of far.example is left out: its scope belongs to other.example"
    assert far.exists()


@pytest.mark.usefixtures("far")
def test_what_policy_bars_does_not_count(terminal):
    post(terminal, write_records([one("a", 1)]))
    post(terminal, write_records([one("b", 2)]), name="records-b")
    done(terminal, "config", "set", "policy.deny", "records-a")
    records, [warning] = found(terminal)
    assert records == [("b", "far.example")]
    assert warning.startswith("records-a@1.0.0 of far.example does not count: ")
    done(terminal, "config", "set", "policy.min_level", "verified")
    assert found(terminal)[0] == []


@pytest.mark.usefixtures("far")
def test_the_newest_releases_are_read_where_there_are_more_than_memory_is_for(terminal, monkeypatch):
    first, second = write_records([one("a", 1)]), write_records([one("b", 2)])
    post(terminal, first)
    post(terminal, second, version="2.0.0")
    monkeypatch.setattr(mol_posted, "MAX_BYTES", len(first) + len(second) - 1)
    records, [warning] = found(terminal)
    assert records == [("b", "far.example")]
    assert warning.startswith("records-a@1.0.0 of far.example and what is older: left out")


def test_without_a_registry_or_records_that_is_said(terminal):
    seen = done(terminal, "mol", "records", "--everywhere")
    assert "no registry is configured" in seen.err
    assert "There are no records" in seen.err
    registry(terminal, "far")
    assert "none that counts was posted" in done(terminal, "mol", "records", "--everywhere").err


def test_a_publisher_s_signature_counts_where_policy_asks_for_one(terminal, far):
    digest = one("signed", 1)
    folder = terminal.cwd / ".beads" / "mmpm" / "digests"
    folder.mkdir(parents=True)
    (folder / f"{digest.id}.json").write_bytes(digest.to_bytes())
    done(terminal, "keys", "create", "alice", "--no-passphrase")
    words = ("--key", "alice", "--formula", "records-rig", "--yes")
    done(terminal, "registry", "publisher", "add", str(far), "acme", *words)
    done(terminal, "mol", "post", "--to", "far", "--sign", "alice", "--yes")
    post(terminal, write_records([one("unsigned", 2)]))
    done(terminal, "config", "set", "policy.min_level", "verified")
    records, [warning] = found(terminal, "--registry", "far")
    assert records == [("signed", "far.example")]
    assert warning.startswith("records-a@1.0.0 of far.example does not count: ")


@pytest.mark.usefixtures("far")
def test_where_a_record_was_posted_is_said(terminal):
    post(terminal, write_records([one("a", 1)]))
    seen = done(terminal, "mol", "records", "--everywhere")
    assert "squashed, from hop://far.example/formulas/records-a@1.0.0)" in seen.err


@pytest.mark.usefixtures("far")
def test_a_release_that_is_not_one_file_of_records_is_left_out(terminal, monkeypatch):
    from mmpm.registry import payload

    with monkeypatch.context() as patched:
        patched.setattr(payload, "RECORDS_SUFFIX", ".jsonl")
        post(terminal, write_records([one("a", 1)]))
    records, [warning] = found(terminal)
    assert (records, warning) == ([], "records-a@1.0.0 of far.example is left out: it is not one file of records")


@pytest.mark.usefixtures("far")
def test_records_of_one_name_in_two_registries_confuse_nobody(terminal):
    registry(terminal, "other")
    post(terminal, write_records([one("a", 1)]))
    post(terminal, write_records([one("b", 2)]), to="other")
    done(terminal, "update")
    assert done(terminal, "audit", "confusion").out == ""


@pytest.mark.usefixtures("far")
def test_a_registry_behind_the_red_line_does_not_count_and_keeps_nobody_from_the_others(terminal):
    post(terminal, write_records([one("old", 1)]))
    terminal.now += timedelta(days=300)
    registry(terminal, "other")
    post(terminal, write_records([one("new", 2)]), to="other")
    done(terminal, "config", "set", "policy.red_line", "30d")
    records, warnings = found(terminal)
    assert records == [("new", "other.example")]
    assert [one for one in warnings if one.startswith("what was posted to far.example is not known here: ")]
