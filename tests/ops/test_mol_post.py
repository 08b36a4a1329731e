"""Execution records are posted as releases, once each, and read from wherever these come by."""

from __future__ import annotations

import json
import re

import pytest
from executions import squashed
from terminal import Terminal

from mmpm.molecule.record_file import read_record_lines, write_records
from mmpm.registry import payload


@pytest.fixture
def terminal(tmp_path):
    made = Terminal(tmp_path)
    made.environ["NO_COLOR"] = "1"
    init = made.run("registry", "init", "../reg", "--id", "far.example", "--no-passphrase", "--yes")
    assert init.status == 0, init.both
    fingerprint = re.search(r"[0-9a-f]{64}", init.out)[0]
    assert made.run("registry", "add", "../reg", "--root", fingerprint, "--name", "far").status == 0
    (made.cwd / ".beads").mkdir()
    return made


def keep(terminal, *digests):
    folder = terminal.cwd / ".beads" / "mmpm" / "digests"
    folder.mkdir(parents=True, exist_ok=True)
    for one in digests:
        (folder / f"{one.id}.json").write_bytes(one.to_bytes())
    return [one.id for one in digests]


def done(terminal, *words):
    seen = terminal.run(*words)
    assert seen.status == 0, seen.both
    return seen


def document(terminal, *words, status=0):
    seen = terminal.run(*words, "--json")
    assert seen.status == status, seen.both
    return json.loads(seen.out)


def posted(terminal, version, name="records-rig"):
    data = (terminal.home / "reg" / "formulas" / name / version / "download").read_bytes()
    return [line.digest.id for line in read_record_lines(data)]


def test_what_is_here_is_posted_once_and_then_what_came_since(terminal):
    first = keep(terminal, squashed(2), squashed(1))
    seen = done(terminal, "mol", "post", "--to", "../reg", "--yes")
    assert seen.out == "Posted: hop://far.example/formulas/records-rig@1.0.0  2 records\n"
    assert "Every record holds: 2 execution records of mol-witness-patrol" in seen.err
    assert posted(terminal, "1.0.0") == first[::-1]
    again = done(terminal, "mol", "post", "--to", "../reg", "--yes")
    assert again.out == ""
    assert "Nothing to post: 2 records are in records-rig of far.example already" in again.err
    later = keep(terminal, squashed(3))
    found = document(terminal, "mol", "post", "--to", "far", "--yes")
    assert [(one["version"], one["records"]) for one in found["posts"]] == [("2.0.0", later)]
    assert posted(terminal, "2.0.0") == later


def test_a_root_without_digests_has_nothing_to_post(terminal):
    assert "no molecule was squashed here" in done(terminal, "mol", "post", "--to", "../reg").err


def test_named_records_are_posted_alone(terminal):
    ids = keep(terminal, squashed(1), squashed(2))
    done(terminal, "mol", "post", ids[1], "--to", "../reg", "--name", "records-two", "--yes")
    assert posted(terminal, "1.0.0", "records-two") == [ids[1]]
    seen = terminal.run("mol", "post", "rig-mol-aaaaaaaa", "--to", "../reg", "--yes")
    assert (seen.status, "rig-mol-aaaaaaaa" in seen.err) == (1, True)


def test_a_dry_run_posts_nothing(terminal):
    keep(terminal, squashed(1))
    seen = done(terminal, "mol", "post", "--to", "../reg", "--dry-run")
    assert "would publish 1 release to" in seen.out
    assert not (terminal.home / "reg" / "formulas" / "records-rig").exists()


def test_without_a_yes_nobody_reads_it(terminal):
    keep(terminal, squashed(1))
    assert terminal.run("mol", "post", "--to", "../reg").status == 2
    assert not (terminal.home / "reg" / "formulas" / "records-rig").exists()


def test_a_changed_digest_is_left_out_and_told(terminal):
    ids = keep(terminal, squashed(1), squashed(2))
    path = terminal.cwd / ".beads" / "mmpm" / "digests" / f"{ids[0]}.json"
    path.write_bytes(path.read_bytes().replace(b"Went well", b"Went fine"))
    seen = terminal.run("mol", "post", "--to", "../reg", "--yes")
    assert (seen.status, "left out" in seen.err) == (1, True)
    assert posted(terminal, "1.0.0") == ids[1:]
    named = terminal.run("mol", "post", ids[0], "--to", "../reg", "--yes")
    assert (named.status, "error[" in named.err) == (1, True)


def test_more_than_a_release_may_hold_becomes_several(terminal, monkeypatch):
    from mmpm.ops import mol_post
    from mmpm_store.tar import Limits

    digests = [squashed(number) for number in range(1, 6)]
    ids = keep(terminal, *digests)
    limit = Limits(file_bytes=2 * len(digests[0].to_bytes()) + 80)
    monkeypatch.setattr(mol_post, "DEFAULT_LIMITS", limit)
    monkeypatch.setattr(payload, "DEFAULT_LIMITS", limit)
    found = document(terminal, "mol", "post", "--to", "../reg", "--yes")
    assert [(one["version"], one["records"]) for one in found["posts"]] == [
        ("1.0.0", ids[:2]),
        ("2.0.0", ids[2:4]),
        ("3.0.0", ids[4:]),
    ]
    assert found["serial"] == 2


def test_what_was_yanked_is_not_posted_again_unless_it_is_named(terminal):
    ids = keep(terminal, squashed(1))
    done(terminal, "mol", "post", "--to", "../reg", "--yes")
    done(terminal, "yank", "records-rig@1.0.0", "--reason", "by mistake", "--to", "../reg", "--yes")
    assert "Nothing to post" in done(terminal, "mol", "post", "--to", "../reg", "--yes").err
    done(terminal, "mol", "post", ids[0], "--to", "../reg", "--yes")
    assert posted(terminal, "2.0.0") == ids


def test_what_may_have_been_taken_down_does_not_come_back_by_itself(terminal):
    old = keep(terminal, squashed(1))
    done(terminal, "mol", "post", "--to", "../reg", "--yes")
    down = ("yank", "records-rig@1.0.0", "--reason", "a password", "--take-down", "--to", "../reg", "--yes")
    done(terminal, *down)
    new = keep(terminal, squashed(24 * 25))
    seen = done(terminal, "mol", "post", "--to", "../reg", "--yes")
    assert f"may have held {old[0]}: name those that you mean" in seen.err
    assert posted(terminal, "2.0.0") == new
    done(terminal, "mol", "post", *old, "--to", "../reg", "--yes")
    assert posted(terminal, "3.0.0") == old


def test_a_name_that_means_something_else_is_refused(terminal):
    keep(terminal, squashed(1))
    fragment = terminal.folder / "records-rig.jsonl"
    fragment.write_text('{"id":"a"}\n')
    done(terminal, "publish", str(fragment), "--version", "1.0.0", "--to", "../reg", "--yes")
    seen = terminal.run("mol", "post", "--to", "../reg", "--yes")
    assert (seen.status, "of kind molecules" in seen.err) == (2, True)
    done(terminal, "mol", "post", "--to", "../reg", "--name", "records-b", "--yes")
    other = terminal.folder / "records-b.jsonl"
    other.write_text('{"id":"a"}\n')
    seen = terminal.run("publish", str(other), "--version", "7.0.0", "--to", "../reg", "--yes")
    assert (seen.status, "give the molecules another name" in seen.err) == (1, True)
    by_hand = terminal.folder / "records-rig.records.jsonl"
    by_hand.write_bytes(write_records([squashed(1)]))
    seen = terminal.run("publish", str(by_hand), "--version", "7.0.0", "--to", "../reg", "--yes")
    assert (seen.status, "give the records another name" in seen.err) == (1, True)


def test_who_posts_is_asked_with_what_goes_out(terminal):
    keep(terminal, squashed(1))
    seen = terminal.run("mol", "post", "--to", "../reg")
    assert seen.status == 2
    assert "with summaries, values of variables and reasons of steps as they are?" in seen.err
    assert "Posted" not in seen.out


def test_an_empty_name_is_no_name(terminal):
    keep(terminal, squashed(1))
    seen = terminal.run("mol", "post", "--to", "../reg", "--name", "", "--yes")
    assert (seen.status, "--name: " in seen.err) == (2, True)


def test_records_are_shown_and_searched_and_never_installed(terminal):
    keep(terminal, squashed(1))
    done(terminal, "mol", "post", "--to", "../reg", "--yes")
    done(terminal, "update")
    assert "records-rig v1.0.0 [records]" in done(terminal, "search", "records").out
    assert document(terminal, "show", "records-rig@1")["published"]["kind"] == "records"
    for words in (("install", "records-rig"), ("mol", "install", "records-rig")):
        seen = terminal.run(*words)
        assert (seen.status, "error[nothing-to-install]: records-rig 1.0.0" in seen.err) == (1, True)
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\nrecords-rig = "1"\n')
    assert "nothing-to-install" in terminal.run("lock").err
    assert not (terminal.cwd / "mmpm.lock").exists()
    data = done(terminal, "export", "records-rig@1.0.0").out
    assert [line.digest for line in read_record_lines(data.encode())] == [squashed(1)]
    (terminal.cwd / "x.records.jsonl").write_text(data)
    seen = terminal.run("import", "x.records.jsonl", "--version", "1.0.0")
    assert (seen.status, "nothing-to-install" in seen.err) == (1, True)


def test_a_file_of_records_is_published_as_anything_is(terminal):
    path = terminal.cwd / "records-by-hand.records.jsonl"
    path.write_bytes(squashed(1).to_bytes() + b"\n")
    seen = done(terminal, "publish", str(path), "--version", "1.0.0", "--to", "../reg", "--yes")
    assert "Every record holds: 1 execution record of mol-witness-patrol, 2026-01-01T01:30:00Z" in seen.err
    path.write_bytes(squashed(1).to_bytes().replace(b"Went well", b"Went fine"))
    seen = terminal.run("publish", str(path), "--version", "2.0.0", "--to", "../reg", "--yes")
    assert (seen.status, "line 1 does not hold" in seen.err) == (1, True)


@pytest.mark.parametrize("is_same", [False, True])
def test_two_that_post_under_one_name_at_once_both_succeed(terminal, monkeypatch, is_same):
    from mmpm.cli.commands import mol_post

    ids = keep(terminal, squashed(1))
    apply, others = mol_post._apply, [squashed(1 if is_same else 2)]

    def overtaken(*arguments):
        if others:
            path = terminal.folder / "records-rig.records.jsonl"
            path.write_bytes(write_records([others.pop()]))
            done(terminal, "publish", str(path), "--version", "1.0.0", "--to", "../reg", "--yes")
        apply(*arguments)

    monkeypatch.setattr(mol_post, "_apply", overtaken)
    seen = done(terminal, "mol", "post", "--to", "../reg", "--yes")
    assert ("once more" in seen.err) == (not is_same)
    assert posted(terminal, "1.0.0" if is_same else "2.0.0") == ids
