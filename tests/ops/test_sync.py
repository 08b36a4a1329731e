"""`sync` and its flags, from a full store and without any registry."""

from __future__ import annotations

import pytest

from mmpm.errors import DriftError, LockMissingError, LockOutOfDateError, NoSolutionError
from mmpm.lock import parse_lock
from mmpm.ops.local import plan_import
from mmpm.ops.sync import SyncRequest, plan_sync
from mmpm.project.state import is_noop

A, B = b'formula = "mol-a"\n', b'formula = "mol-b"\n'


def locked_project(site, *names):
    releases = [site.release(name, "1.0.0", f'formula = "{name}"\n'.encode()) for name in names]
    site.write_manifest(*names)
    return site.write_lock(*releases)


def test_a_covering_lock_and_a_full_store_need_nothing_else(site):
    locked_project(site, "mol-a", "mol-b")
    before = (site.root / "mmpm.lock").read_bytes()
    site.sync(locked=True)
    assert site.files() == {"mol-a.formula.toml": A, "mol-b.formula.toml": B}
    assert (site.root / "mmpm.lock").read_bytes() == before
    assert is_noop(str(site.root), site.environ) == "Nothing to do"


def test_frozen_does_not_read_the_manifest(site):
    locked_project(site, "mol-a")
    (site.root / "mmpm.toml").write_text("this is [ not TOML")
    site.sync(frozen=True)
    assert site.files() == {"mol-a.formula.toml": A}


def test_after_a_frozen_sync_a_plain_one_looks(site):
    locked_project(site, "mol-a")
    site.write_manifest("mol-a", "mol-new")
    site.sync(frozen=True)
    assert is_noop(str(site.root), site.environ) is None
    with pytest.raises(NoSolutionError):
        site.sync()


def test_frozen_without_a_lock_is_refused(site):
    with pytest.raises(LockMissingError):
        site.sync(frozen=True)


def test_locked_fails_where_the_lock_would_change_and_changes_nothing(site):
    locked_project(site, "mol-a")
    site.write_manifest("mol-a", "mol-new")
    before = (site.root / "mmpm.lock").read_bytes()
    with pytest.raises(LockOutOfDateError, match="mol-new"):
        site.sync(locked=True)
    assert (site.root / "mmpm.lock").read_bytes() == before
    assert not site.formulas.exists()


def test_check_fails_on_drift_and_changes_nothing(site):
    locked_project(site, "mol-a")
    with pytest.raises(DriftError, match=r"sync would install mol-a 1\.0\.0; write the receipt"):
        site.sync(check=True)
    assert not site.formulas.exists()
    site.sync()
    assert plan_sync(site.context, SyncRequest(check=True)).is_empty
    (site.formulas / "mol-a.formula.toml").unlink()
    with pytest.raises(DriftError):
        site.sync(check=True)


def test_drift_is_said_in_words_a_few_names_of_each_kind_and_complete_for_programs():
    changes = [("install", f"mol-{letter} 1.0.0") for letter in "abcde"]
    error = DriftError("/p", [*changes, ("write", "mmpm.lock"), ("write", "the receipt")])
    assert error.fact.endswith(
        ": sync would install mol-a 1.0.0, mol-b 1.0.0, mol-c 1.0.0 and 2 more; write mmpm.lock, the receipt"
    )
    assert error.details["changes"] == {
        "install": [what for _, what in changes],
        "write": ["mmpm.lock", "the receipt"],
    }


def test_a_lock_that_lacks_what_it_requires_is_not_installed(site):
    from dataclasses import replace

    release = replace(site.release("mol-a", "1.0.0", A), requires=(("mol-gone", "*"),))
    site.write_lock(release)
    with pytest.raises(LockOutOfDateError, match="mol-gone"):
        site.sync(frozen=True)


def test_another_lock_is_installed_and_ours_is_left(site):
    ours = locked_project(site, "mol-a")
    other = site.root / "other.lock"
    (site.root / "mmpm.lock").rename(other)
    locked_project(site, "mol-b")
    site.sync(lock_path=str(other))
    assert site.files() == {"mol-a.formula.toml": A}
    assert site.read_lock() != ours


def test_a_receipt_alone_is_enough_to_install_the_same_bytes_elsewhere(site, tmp_path):
    from sites import Site

    site.install(site.release("mol-a", "1.0.0", A), site.release("@s/mol-b", "2.0.0", {"formula.toml": B, "x": b"x"}))
    elsewhere = Site(tmp_path / "elsewhere")
    elsewhere.context = site.context.__class__(
        **{name: getattr(elsewhere.context, name) for name in site.context.__slots__} | {"store": site.store}
    )
    elsewhere.sync(lock_path=str(site.formulas / ".lock.json"))
    assert elsewhere.files() == site.files()


def test_a_fresh_clone_makes_its_receipt_again(site):
    locked_project(site, "mol-a")
    site.sync()
    (site.formulas / ".lock.json").unlink()
    (site.formulas / "mol-a.formula.toml").unlink()
    (site.formulas / "mol-a.formula.toml").write_bytes(A)
    assert site.sync().kept == []
    assert (site.formulas / ".lock.json").exists()
    assert is_noop(str(site.root), site.environ) == "Nothing to do"


def test_the_lock_has_no_place_time_serial_or_level(site):
    locked_project(site, "mol-a")
    site.sync()
    text = (site.root / "mmpm.lock").read_text()
    assert str(site.home) not in text
    assert "installed_at" not in text
    assert "2026" not in text


@pytest.mark.parametrize(
    "data", [b"", b'{"version":1,', b"\xff", b'{"version":1,"formulas":{"../x":{}}}', b"<<<<<<< HEAD\n"]
)
def test_a_receipt_that_cannot_be_read_is_made_again_and_nobody_s_files_go(site, data):
    locked_project(site, "mol-a")
    site.sync()
    receipt = site.formulas / ".lock.json"
    before = receipt.read_bytes()
    (site.formulas / "mine.formula.toml").write_bytes(b"mine")
    receipt.write_bytes(data)
    site.sync()
    assert receipt.read_bytes() == before
    assert site.files() == {"mol-a.formula.toml": A, "mine.formula.toml": b"mine"}


def test_a_lock_without_a_manifest_asks_for_what_it_was_made_for(site):
    locked_project(site, "mol-a", "mol-b")
    (site.root / "mmpm.toml").unlink()
    before = (site.root / "mmpm.lock").read_bytes()
    site.sync()
    site.apply(
        plan_import(site.context, None, b'formula = "mol-c"\nversion = 1\ndescription = "d"\n[[steps]]\nid = "a"\n')
    )
    assert sorted(site.files()) == ["mol-a.formula.toml", "mol-b.formula.toml", "mol-c.formula.toml"]
    assert (site.root / "mmpm.toml").read_text().count("mol-") == 3
    assert site.read_lock().releases[:2] == parse_lock(before).releases
