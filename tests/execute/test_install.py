"""Installing from a full store: what lies where, what is kept, what is removed."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from dataclasses import replace

import pytest

from mmpm.errors import (
    ChangedMeanwhileError,
    InstallConflictError,
    LeadsOutsideError,
    ListingMalformedError,
    NotWhatWasLockedError,
    ObjectsMissingError,
    ReleaseMalformedError,
)
from mmpm.execute.apply import apply
from mmpm.execute.journal import has_journal
from mmpm.execute.locking import STAGING_PREFIX
from mmpm.project.state import is_noop
from mmpm.receipt import parse_receipt

FORMULA = b'formula = "mol-a"\nversion = 1\n'
BUNDLE = {"formula.toml": b'formula = "mol-b"\n', "scripts/run.sh": b"#!/bin/sh\n", "README.md": b"read me\n"}


def test_a_formula_is_one_read_only_hard_link(site):
    outcome = site.install(site.release("mol-a", "1.0.0", FORMULA))
    path = site.formulas / "mol-a.formula.toml"
    assert path.read_bytes() == FORMULA
    assert path.stat().st_ino == site.object_path(FORMULA).stat().st_ino
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert (outcome.linked, outcome.copied) == (1, 0)


def test_a_bundle_is_a_folder_and_a_flat_copy_of_its_formula(site):
    site.install(site.release("@acme/mol-b", "1.0.0", BUNDLE, executable=("scripts/run.sh",)))
    assert site.files() == {
        "mol-b.formula.toml": BUNDLE["formula.toml"],
        **{f"mol-b/{path}": data for path, data in BUNDLE.items()},
    }
    assert (site.formulas / "mol-b/scripts/run.sh").stat().st_mode & 0o111 == 0o111
    assert (site.formulas / "mol-b/README.md").stat().st_mode & 0o111 == 0


def test_the_receipt_has_the_fields_of_the_seed_and_is_kept_from_git(site):
    site.install(site.release("mol-a", "1.0.0", FORMULA))
    entry = json.loads((site.formulas / ".lock.json").read_text())["formulas"]["mol-a"]
    assert entry["version"] == "1.0.0"
    assert entry["installed_at"] == "2026-01-10T00:00:00Z"
    assert entry["source"] == "hop://r.example/formulas/mol-a@1.0.0"
    assert "/.lock.json" in (site.formulas / ".gitignore").read_text().splitlines()


def test_gt_is_told_of_another_hash_than_the_file_has(site):
    site.formulas.mkdir(parents=True)
    (site.formulas / ".installed.json").write_text('{"formulas": {"other.formula.toml": "ab"}, "more": 1}')
    site.install(site.release("mol-a", "1.0.0", FORMULA))
    listed = json.loads((site.formulas / ".installed.json").read_text())
    assert listed["more"] == 1
    assert listed["formulas"]["other.formula.toml"] == "ab"
    assert set(listed["formulas"]["mol-a.formula.toml"]) == {"0"}
    site.install()
    assert json.loads((site.formulas / ".installed.json").read_text())["formulas"] == {"other.formula.toml": "ab"}


def test_applying_and_planning_again_gives_an_empty_plan(site):
    releases = site.release("mol-a", "1.0.0", FORMULA), site.release("mol-b", "1.0.0", BUNDLE)
    site.install(*releases)
    assert site.plan(*releases).is_empty


def test_a_sync_with_nothing_to_do_is_answered_from_inodes(site):
    releases = site.release("mol-a", "1.0.0", FORMULA), site.release("mol-b", "1.0.0", BUNDLE)
    assert is_noop(str(site.root), site.environ) is None
    site.install(*releases)
    assert is_noop(str(site.root), site.environ) == "Nothing to do"


@pytest.mark.parametrize("change", ["edit", "delete", "replace", "chmod", "lock", "manifest", "add"])
def test_the_short_answer_sees_every_change(site, change):
    site.install(site.release("mol-a", "1.0.0", FORMULA))
    path = site.formulas / "mol-a.formula.toml"
    time.sleep(0.02)  # the clock of many file systems ticks a hundred times a second
    if change == "edit":
        path.chmod(0o644)
        path.write_bytes(b"more")
    elif change == "delete":
        path.unlink()
    elif change == "replace":
        other = site.formulas / "x"
        other.write_bytes(FORMULA)
        other.rename(path)
    elif change == "chmod":
        path.chmod(0o555)
    elif change == "lock":
        (site.root / "mmpm.lock").write_bytes(b"{}")
    elif change == "manifest":
        (site.root / "mmpm.toml").write_bytes(b"")
    else:
        (site.formulas / "mine.formula.toml").write_bytes(b"")
    assert is_noop(str(site.root), site.environ) is None


def test_an_upgrade_replaces_what_changed_and_removes_what_went(site):
    site.install(site.release("mol-b", "1.0.0", BUNDLE))
    (site.formulas / "mol-b" / "mine.txt").write_text("mine")
    site.install(site.release("mol-b", "2.0.0", {"formula.toml": b"two", "docs/new.md": b"new"}))
    assert site.files() == {
        "mol-b.formula.toml": b"two",
        "mol-b/formula.toml": b"two",
        "mol-b/docs/new.md": b"new",
        "mol-b/mine.txt": b"mine",
    }


def test_a_file_becomes_a_folder_and_back(site):
    one = site.release("mol-b", "1.0.0", {"formula.toml": b"f", "part": b"file"})
    two = site.release("mol-b", "2.0.0", {"formula.toml": b"f", "part/a": b"a", "part/b": b"b"})
    site.install(one)
    site.install(two)
    assert site.files().keys() == {"mol-b.formula.toml", "mol-b/formula.toml", "mol-b/part/a", "mol-b/part/b"}
    site.install(one)
    assert site.files() == {"mol-b.formula.toml": b"f", "mol-b/formula.toml": b"f", "mol-b/part": b"file"}


def test_removing_a_release_removes_only_what_the_receipt_lists(site):
    site.install(site.release("mol-a", "1.0.0", FORMULA), site.release("mol-b", "1.0.0", BUNDLE))
    (site.formulas / "hand.formula.toml").write_bytes(b"by hand")
    site.install()
    assert site.files() == {"hand.formula.toml": b"by hand"}
    assert not (site.formulas / "mol-b").exists()


def test_equal_bytes_of_a_clone_are_adopted_and_left(site):
    site.formulas.mkdir(parents=True)
    path = site.formulas / "mol-a.formula.toml"
    path.write_bytes(FORMULA)
    inode = path.stat().st_ino
    release = site.release("mol-a", "1.0.0", FORMULA)
    outcome = site.install(release)
    assert path.stat().st_ino == inode
    assert outcome.kept == []
    assert site.plan(release).is_empty


def test_other_bytes_of_the_same_name_are_kept_beside(site):
    site.formulas.mkdir(parents=True)
    (site.formulas / "mol-a.formula.toml").write_bytes(b"mine")
    outcome = site.install(site.release("mol-a", "1.0.0", FORMULA))
    ((path, kept),) = outcome.kept
    assert path == "mol-a.formula.toml"
    assert site.files() == {path: FORMULA, kept: b"mine"}
    assert not kept.endswith(".toml")


def test_an_edit_through_the_shared_inode_is_kept_and_never_linked_again(site):
    release = site.release("mol-a", "1.0.0", FORMULA)
    site.install(release)
    path = site.formulas / "mol-a.formula.toml"
    path.chmod(0o644)
    path.write_bytes(b"edited in place")
    with pytest.raises(ObjectsMissingError) as caught:
        site.install(release)
    assert path.read_bytes() == b"edited in place"
    assert caught.value.details["names"] == ["mol-a"]
    assert not site.object_path(FORMULA).exists()
    site.store.put(FORMULA)
    outcome = site.install(release)
    ((_, kept),) = outcome.kept
    assert site.files() == {path.name: FORMULA, kept: b"edited in place"}
    assert (site.formulas / kept).stat().st_mode & 0o200


def test_an_edited_copy_is_kept_beside_and_mended(site):
    release = site.release("mol-a", "1.0.0", FORMULA)
    site.install(release)
    path = site.formulas / "mol-a.formula.toml"
    path.unlink()
    path.write_bytes(b"another file")
    outcome = site.install(release)
    ((_, kept),) = outcome.kept
    assert site.files() == {path.name: FORMULA, kept: b"another file"}


def test_an_edited_file_survives_its_removal(site):
    site.install(site.release("mol-b", "1.0.0", BUNDLE))
    path = site.formulas / "mol-b/README.md"
    path.unlink()
    path.write_bytes(b"notes")
    outcome = site.install()
    ((_, kept),) = outcome.kept
    assert site.files() == {kept: b"notes"}


def test_a_link_in_the_way_is_kept_and_nothing_is_written_through_it(site, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    site.formulas.mkdir(parents=True)
    (site.formulas / "mol-b").symlink_to(outside)
    (site.formulas / "mol-b.formula.toml").symlink_to(outside / "target")
    release = site.release("mol-b", "1.0.0", BUNDLE)
    outcome = site.install(release)
    assert len(outcome.kept) == 2
    assert list(outside.iterdir()) == []
    assert not (site.formulas / "mol-b").is_symlink()
    assert site.plan(release).is_empty


@pytest.mark.parametrize("name", [".beads/formulas", ".beads", "mmpm.lock", "mmpm.toml"])
def test_a_link_in_a_clone_that_leads_out_of_it_is_refused(site, tmp_path, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    path = site.root / name
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(outside / "target" if "mmpm" in name else outside)
    with pytest.raises(LeadsOutsideError):
        site.install(site.release("mol-a", "1.0.0", FORMULA))
    assert list(outside.iterdir()) == []


def test_a_person_s_own_tier_may_be_a_link(site, tmp_path):
    from dataclasses import replace

    from mmpm.project.tiers import Project

    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    (site.root / ".beads").symlink_to(dotfiles)
    site.context = replace(site.context, project=Project("user", str(site.root)))
    site.install(site.release("mol-a", "1.0.0", FORMULA))
    assert (dotfiles / "formulas" / "mol-a.formula.toml").read_bytes() == FORMULA
    assert is_noop(str(site.root), site.environ) == "Nothing to do"


def test_two_scopes_of_one_name_conflict_with_a_remedy(site):
    releases = site.release("@acme/mol-a", "1.0.0", FORMULA), site.release("mol-a", "1.0.0", FORMULA)
    with pytest.raises(InstallConflictError) as caught:
        site.plan(*releases)
    assert "--as" in caught.value.remedy


def test_a_checksum_that_is_not_the_files_is_refused_before_anything_is_linked(site):
    from dataclasses import replace

    release = replace(site.release("mol-a", "1.0.0", FORMULA), checksum="sha256:" + "1" * 64)
    with pytest.raises(NotWhatWasLockedError):
        site.install(release)
    assert not site.formulas.exists()


def test_a_plan_made_over_another_lock_is_not_applied(site):
    plan = site.plan(site.release("mol-a", "1.0.0", FORMULA))
    (site.root / "mmpm.lock").write_bytes(b"changed")
    with pytest.raises(ChangedMeanwhileError):
        apply(site.context, plan)
    assert not site.formulas.exists()


def test_the_time_of_installation_stays_while_the_bytes_do(site):
    from dataclasses import replace
    from datetime import UTC, datetime

    one, two = site.release("mol-a", "1.0.0", FORMULA), site.release("mol-b", "1.0.0", BUNDLE)
    site.install(one)
    site.context = replace(site.context, now=datetime(2027, 1, 1, tzinfo=UTC))
    site.install(one, two)
    receipt = parse_receipt((site.formulas / ".lock.json").read_bytes())
    assert [entry.installed_at[:4] for entry in receipt.entries] == ["2026", "2027"]


def test_nothing_is_left_beside_the_formulas(site):
    site.install(site.release("mol-a", "1.0.0", FORMULA))
    site.install()
    assert os.listdir(site.root / ".beads") == ["formulas"]
    assert list((site.home / ".local/state/mmpm/journals").iterdir()) == []


@pytest.mark.parametrize("name", [".lock.json", ".installed.json", ".gitignore"])
def test_a_pipe_in_place_of_a_text_is_refused_and_not_waited_for(site, name):
    site.formulas.mkdir(parents=True)
    os.mkfifo(site.formulas / name)
    with pytest.raises(OSError, match="not a plain file"):
        site.install(site.release("mol-a", "1.0.0", b"a"))


def test_what_gt_s_list_says_of_others_stays_whatever_its_characters(site):
    site.formulas.mkdir(parents=True)
    listed = site.formulas / ".installed.json"
    listed.write_bytes(b'{"formulas": {"odd-\\ud800": "x"}, "other": 1}')
    site.install(site.release("mol-a", "1.0.0", b"a"))
    document = json.loads(listed.read_bytes())
    assert document["formulas"]["odd-\ud800"] == "x"
    assert (document["other"], len(document["formulas"])) == (1, 2)


def test_two_sides_of_gt_s_list_that_git_left_become_one(site):
    site.formulas.mkdir(parents=True)
    listed = site.formulas / ".installed.json"
    listed.write_text(
        """{
  "formulas": {
    "both.formula.toml": "ab",
<<<<<<< HEAD
    "mine.formula.toml": "cd",
    "moved.formula.toml": "01"
=======
    "moved.formula.toml": "02",
    "theirs.formula.toml": "ef"
>>>>>>> other
  }
}
"""
    )
    site.install(site.release("mol-a", "1.0.0", b"a"))
    assert json.loads(listed.read_bytes()) == {
        "formulas": {
            "both.formula.toml": "ab",
            "mine.formula.toml": "cd",
            "mol-a.formula.toml": "0" * 64,
            "moved.formula.toml": "0" * 64,
            "theirs.formula.toml": "ef",
        }
    }


def test_a_formulas_folder_that_cannot_be_changed_is_left_with_nothing_begun(site, monkeypatch):
    site.install(site.release("mol-a", "1.0.0", b"a"))
    rename = os.rename

    def refusing(source, target):
        if os.path.dirname(target) == str(site.formulas):
            raise PermissionError(errno.EACCES, "Permission denied", target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", refusing)
    with pytest.raises(PermissionError):
        site.install(site.release("mol-a", "2.0.0", b"new"))
    monkeypatch.undo()
    assert os.listdir(site.root / ".beads") == ["formulas"]
    assert not has_journal(site.context.places.state, str(site.formulas))
    assert site.files() == {"mol-a.formula.toml": b"a"}


def test_a_formulas_folder_on_a_file_system_of_its_own_is_changed(site, monkeypatch):
    site.install(site.release("mol-a", "1.0.0", b"a"))
    rename = os.rename

    def refusing(source, target):
        if target.startswith(str(site.formulas)) != source.startswith(str(site.formulas)):
            raise OSError(errno.EXDEV, "Invalid cross-device link", source)
        rename(source, target)

    monkeypatch.setattr(os, "rename", refusing)
    site.install(site.release("mol-a", "2.0.0", b"new"), site.release("mol-b", "1.0.0", BUNDLE))
    assert site.files()["mol-a.formula.toml"] == b"new"
    assert not [name for name in os.listdir(site.formulas) if name.startswith(STAGING_PREFIX)]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_store_that_may_only_be_read_is_installed_from(site, monkeypatch, number):
    def refusing(store, *_arguments, **_options):
        raise OSError(number, "refused", store)

    release = site.release("mol-a", "1.0.0", b"a")
    monkeypatch.setattr("mmpm_store.roots.write_root", refusing)
    site.install(release)
    assert site.files() == {"mol-a.formula.toml": b"a"}


def test_a_checksum_that_changes_under_the_same_tree_is_refused(site):
    release = site.release("mol-a", "1.0.0", b"a")
    site.install(release)
    before = (site.formulas / ".lock.json").read_bytes()
    with pytest.raises(NotWhatWasLockedError):
        site.install(replace(release, checksum="sha256:" + "0" * 64))
    assert (site.formulas / ".lock.json").read_bytes() == before


@pytest.mark.parametrize("files", [FORMULA, BUNDLE])
def test_a_release_of_another_size_than_is_signed_is_refused(site, files):
    release = site.release("mol-a", "1.0.0", files)
    with pytest.raises(ReleaseMalformedError, match=f"is to have {release.size + 1} bytes"):
        site.install(replace(release, size=release.size + 1))
    assert not site.files()
    site.install(release)
    site.install()
    with pytest.raises(ReleaseMalformedError):
        site.install(replace(release, size=release.size - 1))


def test_a_listing_that_is_none_is_not_to_be_trusted(site):
    release = site.release("mol-a", "1.0.0", FORMULA)
    listing = site.store.put(b'{"files":[["../evil",0,"blake3:' + b"0" * 64 + b'",1]],"format":1}')
    with pytest.raises(ListingMalformedError) as raised:
        site.install(replace(release, tree=str(listing)))
    assert raised.value.exit_status == 4
