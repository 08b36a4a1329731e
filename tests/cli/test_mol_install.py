"""Releases of molecules as a person sees them: into the catalogue, and out of it again."""

from __future__ import annotations

import json
import os

import pytest

from mmpm.execute import install

pytestmark = pytest.mark.usefixtures("fragments")


@pytest.fixture
def fragments(mall, terminal):
    """Publish two releases of molecules beside the formulas `mol-a` and `mol-b`."""
    assert mall
    terminal.environ["NO_COLOR"] = "1"

    def publish(name, version, *records):
        path = terminal.folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in records))
        done = terminal.run("publish", str(path), "--version", version, "--to", "../reg", "--yes")
        assert done.status == 0, done.both

    publish("mol-scan", "1.0.0", {"id": "scan", "title": "One", "labels": ["template", "plugin"]}, {"id": "scan.1"})
    publish("mol-scan", "1.1.0", {"id": "scan", "title": "Two", "labels": ["template", "plugin"]}, {"id": "scan.x"})


def catalogue(terminal, tier="user"):
    return ({"user": terminal.home, "project": terminal.cwd}[tier] / ".beads" / "molecules.jsonl").read_text()


def ids(text):
    return [json.loads(line)["id"] for line in text.splitlines()]


def done(terminal, *words):
    seen = terminal.run(*words)
    assert seen.status == 0, seen.both
    return seen


def test_molecules_are_installed_into_the_user_s_catalogue_and_taken_out(terminal):
    own = '{"id": "mine",  "title": "with blanks"}\nnot json\n'
    (terminal.home / ".beads").mkdir()
    (terminal.home / ".beads" / "molecules.jsonl").write_text(own)
    seen = done(terminal, "mol", "install", "mol-scan@1.0.0")
    assert seen.out == "Installed: mol-scan@1.0.0\n"
    text = catalogue(terminal)
    assert text.startswith(own)
    assert ids(text.removeprefix(own)) == ["scan", "scan.1"]
    assert 'mol-scan = "1.0.0"' in (terminal.home / "mmpm.toml").read_text().partition("[molecules]")[2]
    assert '"molecules"' in (terminal.home / "mmpm.lock").read_text()
    assert "scan One [plugin] (user)" in done(terminal, "mol", "list", "--label", "plugin").out
    again = done(terminal, "mol", "install", "mol-scan")
    assert "already" in again.err
    done(terminal, "mol", "uninstall", "mol-scan")
    assert catalogue(terminal) == own
    assert "mol-scan" not in (terminal.home / "mmpm.lock").read_text()
    assert "mol-scan" not in (terminal.home / "mmpm.toml").read_text()


def test_an_upgrade_replaces_what_was_put_in_and_nothing_else(terminal):
    done(terminal, "mol", "install", "mol-scan@1.0.0")
    done(terminal, "mol", "install", "mol-scan@^1.1")
    assert ids(catalogue(terminal)) == ["scan", "scan.x"]
    assert '"Two"' in catalogue(terminal)
    put = json.loads((terminal.home / ".beads" / "mmpm" / "catalogue.json").read_text())
    assert [json.loads(line)["title"] for line in put["replaced"]["mol-scan@1.1.0"].values()] == ["One"]
    done(terminal, "sync", "--tier", "user")
    assert json.loads((terminal.home / ".beads" / "mmpm" / "catalogue.json").read_text()) == put


def test_a_record_of_the_person_s_own_stays_and_it_is_said(terminal):
    (terminal.home / ".beads").mkdir()
    (terminal.home / ".beads" / "molecules.jsonl").write_text('{"id":"scan","title":"mine"}\n')
    seen = done(terminal, "mol", "install", "mol-scan@1.0.0")
    assert "scan of mol-scan@1.0.0 is left out" in seen.err
    assert ids(catalogue(terminal)) == ["scan", "scan.1"]
    assert '"mine"' in catalogue(terminal)


def test_a_record_that_was_edited_stays_when_its_release_goes_and_it_is_said_once(terminal):
    done(terminal, "mol", "install", "mol-scan@1.0.0")
    path = terminal.home / ".beads" / "molecules.jsonl"
    path.write_text(catalogue(terminal).replace('"One"', '"Mine"'))
    assert "stays in" in terminal.run("mol", "uninstall", "mol-scan", "--dry-run").err
    seen = done(terminal, "mol", "uninstall", "mol-scan")
    assert f"warning: scan stays in {path}: it was edited there, and is yours from now on\n" in seen.err
    assert ids(catalogue(terminal)) == ["scan"]
    assert "stays" not in done(terminal, "sync", "--tier", "user").err


def test_of_many_edited_records_the_first_are_named(terminal):
    done(terminal, "mol", "install", "mol-scan@1.0.0")
    path = terminal.home / ".beads" / "molecules.jsonl"
    path.write_text(catalogue(terminal).replace('"id"', '"notes":"mine","id"'))
    assert f"scan, scan.1 stay in {path}: they" in done(terminal, "mol", "uninstall", "mol-scan").err


def test_a_project_has_its_own_and_a_clone_gets_them_by_sync(terminal):
    done(terminal, "mol", "install", "mol-scan", "--tier", "project")
    text = catalogue(terminal, "project")
    assert ids(text) == ["scan", "scan.x"]
    (terminal.cwd / ".beads" / "molecules.jsonl").unlink()
    done(terminal, "sync", "--frozen", "--offline")
    assert catalogue(terminal, "project") == text
    assert done(terminal, "sync").out == ""
    assert done(terminal, "sync", "--check").status == 0


def test_the_store_keeps_what_a_catalogue_was_made_from(terminal):
    done(terminal, "mol", "install", "mol-scan")
    done(terminal, "store", "prune", "--yes")
    (terminal.home / ".beads" / "molecules.jsonl").unlink()
    (terminal.home / "reg").rename(terminal.home / "gone")
    done(terminal, "sync", "--tier", "user", "--frozen", "--offline")
    assert ids(catalogue(terminal)) == ["scan", "scan.x"]


def test_a_dry_run_writes_nothing(terminal):
    seen = done(terminal, "mol", "install", "mol-scan", "--dry-run")
    assert "would write" in seen.out
    assert not (terminal.home / ".beads").exists()
    assert not (terminal.home / "mmpm.toml").exists()


def test_a_fragment_is_sent_to_its_own_command(terminal):
    seen = terminal.run("install", "mol-scan")
    assert (seen.status, "mmpm mol install mol-scan" in seen.err) == (1, True)
    assert not (terminal.home / "mmpm.toml").exists()


def test_formulas_and_molecules_of_one_tier_do_not_disturb_each_other(terminal):
    done(terminal, "mol", "install", "mol-scan", "--tier", "project")
    done(terminal, "install", "mol-b@1.0.0")
    assert ids(catalogue(terminal, "project")) == ["scan", "scan.x"]
    done(terminal, "mol", "uninstall", "mol-scan", "--tier", "project")
    assert catalogue(terminal, "project") == ""
    assert (terminal.cwd / ".beads" / "formulas" / "mol-b.formula.toml").exists()
    assert done(terminal, "verify").status == 0


def test_a_damaged_list_or_catalogue_is_refused_and_nothing_changes(terminal):
    done(terminal, "mol", "install", "mol-scan@1.0.0")
    (terminal.home / ".beads" / "molecules.jsonl").write_bytes(b'{"id":"x"}\n\xff\n')
    seen = terminal.run("mol", "install", "mol-scan@^1.1")
    assert "not UTF-8" in seen.err
    (terminal.home / ".beads" / "molecules.jsonl").unlink()
    (terminal.home / ".beads" / "mmpm" / "catalogue.json").write_text("{}")
    seen = terminal.run("mol", "install", "mol-scan@^1.1")
    assert "document-unreadable" in seen.err
    assert not (terminal.home / ".beads" / "molecules.jsonl").exists()


def test_a_lock_that_was_tampered_with_is_seen_before_the_catalogue_changes(terminal):
    done(terminal, "mol", "install", "mol-scan@1.0.0", "--tier", "project")
    old = json.loads((terminal.cwd / "mmpm.lock").read_text())["releases"][0]["tree"]
    done(terminal, "mol", "install", "mol-scan@1.1.0", "--tier", "project")
    before = catalogue(terminal, "project")
    lock = json.loads((terminal.cwd / "mmpm.lock").read_text())
    lock["releases"][0]["tree"] = old
    (terminal.cwd / "mmpm.lock").write_text(json.dumps(lock))
    seen = terminal.run("sync", "--frozen")
    assert seen.status == 4
    assert "error[checksum-mismatch]" in seen.err
    assert catalogue(terminal, "project") == before


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_every_instant_the_same_command_completes_it(terminal):
    """The process is ended at each checkpoint in turn; then the command is typed again."""
    for instant in range(100):
        child = os.fork()
        if not child:
            left = [instant]

            def stop(_name, left=left):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

            install.checkpoint = stop
            os._exit(terminal.run("mol", "install", "mol-scan@1.0.0").status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        there = terminal.home / ".beads" / "molecules.jsonl"
        assert ids(there.read_text() if there.exists() else "") in ([], ["scan", "scan.1"])
        done(terminal, "mol", "install", "mol-scan@1.0.0")
        assert ids(catalogue(terminal)) == ["scan", "scan.1"]
        done(terminal, "mol", "uninstall", "mol-scan")
        assert catalogue(terminal) == ""
        if status == 0:
            break
    assert status == 0
    assert instant > 5


def test_upgrade_moves_molecules_like_anything_else(terminal):
    done(terminal, "mol", "install", "mol-scan@<1.1")
    assert ids(catalogue(terminal)) == ["scan", "scan.1"]
    done(terminal, "mol", "install", "mol-scan@^1")
    assert ids(catalogue(terminal)) == ["scan", "scan.1"]
    done(terminal, "upgrade", "mol-scan", "--tier", "user", "--yes")
    assert ids(catalogue(terminal)) == ["scan", "scan.x"]
    assert '"Two"' in catalogue(terminal)


def test_what_a_release_changes_of_molecules_that_are_not_its_own_is_said(terminal):
    path = terminal.folder / "mol-sly.jsonl"
    records = [
        {"id": "sly", "title": "Sly", "labels": ["template"]},
        {"id": "sly.1", "title": "its own step"},
        {"id": "mol-code-review.z", "title": "Send it all"},
        {"id": "mol-engineer-in-box", "title": "Another", "labels": ["template"]},
        {"id": "mol-polecat-arm", "title": "x", "status": "tombstone"},
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    done(terminal, "publish", str(path), "--version", "1.0.0", "--to", "../reg", "--yes")
    told = [
        "mol-code-review.z of mol-sly@1.0.0 becomes a step of mol-code-review (built-in), which is not of that release",
        (
            "mol-engineer-in-box of mol-sly@1.0.0 counts before that of the built-in catalogue, "
            "whose 5 other steps stay below it"
        ),
        "mol-polecat-arm of the built-in catalogue is hidden by mol-sly@1.0.0",
    ]
    before = done(terminal, "mol", "install", "mol-sly", "--dry-run", "--json")
    assert json.loads(before.out)["plan"]["notes"] == told
    seen = done(terminal, "mol", "install", "mol-sly")
    assert all(f"warning: {one}\n" in seen.err for one in told)
    assert "warning" not in done(terminal, "mol", "install", "mol-scan@1.0.0").err  # said when it comes, not for ever
    assert "warning" not in done(terminal, "mol", "uninstall", "mol-sly").err


def test_remedies_of_refused_installs_are_about_molecules(terminal):
    seen = terminal.run("mol", "install", "mol-scan@3")
    assert seen.status == 3
    assert "`mmpm mol install mol-scan@1.1.0`" in seen.err
    done(terminal, "mol", "install", "mol-scan@1.1.0")
    path = terminal.folder / "mol-pre.jsonl"
    path.write_text('{"id": "pre", "labels": ["template"]}\n')
    done(terminal, "publish", str(path), "--version", "2.0.0-rc.1", "--to", "../reg", "--yes")
    seen = terminal.run("mol", "install", "mol-pre")
    assert seen.status == 3
    assert "allow the pre-release: `mmpm mol install mol-pre@2.0.0-rc.1`\n" in seen.err
    done(terminal, "mol", "install", "mol-pre@2.0.0-rc.1")


def test_what_is_no_molecules_here_is_told_with_a_command_that_shows_it(terminal):
    done(terminal, "mol", "install", "mol-scan@1.0.0")
    seen = terminal.run("mol", "uninstall", "mol-none")
    assert seen.status == 1
    assert "`mmpm tree --tier user` shows what is locked there" in seen.err
    assert "mol-scan 1.0.0" in done(terminal, "tree", "--tier", "user").out
    done(terminal, "install", "mol-a", "--tier", "user")
    seen = terminal.run("mol", "uninstall", "mol-a")
    assert "run `mmpm uninstall mol-a --tier user`" in seen.err
    done(terminal, "uninstall", "mol-a", "--tier", "user")
    assert "run `mmpm mol install NAME`" in terminal.run("mol", "install").err
