"""A receipt without manifest and lock: what it lists is wanted, also where the seed's own program wrote it."""

from __future__ import annotations

import hashlib
import json

import pytest

from mmpm.errors import EntryIncompleteError, LockMissingError, LockOutOfDateError
from mmpm.ops.listing import list_formulas
from mmpm.ops.local import plan_import
from mmpm.ops.lock import LockRequest, plan_lock
from mmpm.ops.uninstall import plan_uninstall
from mmpm.ops.upgrade import UpgradeRequest, prepare_upgrade
from mmpm.ops.verify import verify_installed
from mmpm.project.manifest import read_manifest

A = b'formula = "mol-a"\nversion = 4\n'
B = b'formula = "mol-b"\nextends = ["mol-a"]\n'


def seed_entry(name, version, data, *, pinned):
    return {
        "version": version,
        "pinned": pinned,
        "checksum": "sha256:" + hashlib.sha256(data).hexdigest(),
        "installed_at": "2026-01-10T00:00:00Z",
        "source": f"hop://molmall.gastown.io/formulas/{name}@{version}",
    }


@pytest.fixture
def town(site):
    """A folder as the seed's program leaves it: formulas, and a receipt with its five fields."""
    site.formulas.mkdir(parents=True)
    (site.formulas / "mol-a.formula.toml").write_bytes(A)
    (site.formulas / "mol-b.formula.toml").write_bytes(B)
    entries = {
        "mol-a": seed_entry("mol-a", "4.0.0", A, pinned=True),
        "mol-b": seed_entry("mol-b", "1.3.0", B, pinned=False),
    }
    (site.formulas / ".lock.json").write_text(json.dumps({"version": 1, "formulas": entries}, indent=2))
    return site


BOTH = {"mol-a.formula.toml": A, "mol-b.formula.toml": B}


def receipt(site):
    return json.loads((site.formulas / ".lock.json").read_text())["formulas"]


def test_sync_takes_a_town_of_the_seed_over_as_it_is(town):
    before = receipt(town)
    town.sync()
    assert town.files() == BOTH
    after = receipt(town)
    assert {name: {key: entry[key] for key in before[name]} for name, entry in after.items()} == before
    assert all(entry["tree"] and entry["files"] for entry in after.values())
    assert town.read_lock().requirements == (("formulas", "mol-a", "4.0.0"), ("formulas", "mol-b", "*"))
    assert dict(town.read_lock().get("mol-b").requires) == {"mol-a": "*"}
    assert not (town.root / "mmpm.toml").exists()
    town.sync(locked=True)
    town.sync(frozen=True)
    assert town.files() == BOTH


def test_frozen_goes_by_the_receipt_and_writes_no_lock(town):
    town.sync(frozen=True)
    assert town.files() == BOTH
    assert not (town.root / "mmpm.lock").exists()
    with pytest.raises(LockOutOfDateError):
        town.sync(locked=True)
    town.write_manifest("mol-a")
    with pytest.raises(LockMissingError):
        town.sync(frozen=True)


def test_a_receipt_of_the_seed_installs_the_same_bytes_elsewhere(town, tmp_path):
    from sites import Site

    elsewhere = Site(tmp_path / "elsewhere")
    elsewhere.sync(lock_path=str(town.formulas / ".lock.json"))
    assert elsewhere.files() == BOTH


def test_an_entry_whose_bytes_nobody_has_is_named_and_nothing_is_removed(town):
    (town.formulas / "mol-a.formula.toml").write_bytes(b"edited")
    before = (town.formulas / ".lock.json").read_bytes()
    for request in ({}, {"frozen": True}, {"lock_path": str(town.formulas / ".lock.json")}):
        with pytest.raises(EntryIncompleteError, match=r"mol-a 4\.0\.0"):
            town.sync(**request)
    assert (town.formulas / ".lock.json").read_bytes() == before
    assert town.files() == BOTH | {"mol-a.formula.toml": b"edited"}


def test_what_is_installed_besides_is_added_to_what_was_there(town, tmp_path):
    path = tmp_path / "mol-c.formula.toml"
    path.write_bytes(b'formula = "mol-c"\nversion = 2\n')
    town.apply(plan_import(town.context, str(path), b""))
    assert set(town.files()) == {*BOTH, "mol-c.formula.toml"}
    wanted = read_manifest(str(town.root / "mmpm.toml")).wanted
    assert {one.name: one.range for one in wanted} == {"mol-a": "4.0.0", "mol-b": "*", "mol-c": "2.0.0"}
    town.sync()
    assert set(town.files()) == {*BOTH, "mol-c.formula.toml"}


def test_uninstalling_removes_what_was_named_and_nothing_else(town):
    town.apply(plan_uninstall(town.context, ["mol-b"]))
    assert town.files() == {"mol-a.formula.toml": A}
    town.sync()
    assert town.files() == {"mol-a.formula.toml": A}


def test_the_receipt_makes_the_lock(town):
    (town.formulas / ".lock.json").write_text(
        json.dumps({"version": 1, "formulas": {"mol-a": {**receipt(town)["mol-a"], "source": "local:mol-a@4.0.0"}}})
    )
    town.apply(plan_lock(town.context, LockRequest()))
    assert [one.name for one in town.read_lock().releases] == ["mol-a"]


def test_an_upgrade_of_a_receipt_alone_writes_no_manifest(site):
    site.apply(plan_import(site.context, None, A))
    (site.root / "mmpm.toml").unlink()
    (site.root / "mmpm.lock").unlink()
    site.apply(prepare_upgrade(site.context, UpgradeRequest()).plan)
    assert site.files() == {"mol-a.formula.toml": A}
    assert not (site.root / "mmpm.toml").exists()


def test_our_own_receipt_alone_keeps_what_was_asked_for_and_its_dependencies(site):
    a, b = site.release("mol-a", "4.0.0", A), site.release("mol-b", "1.0.0", B)
    site.install(a, b)
    (site.root / "mmpm.lock").unlink()
    row = receipt(site)
    row["mol-a"]["requested"] = ""
    row["mol-b"]["requested"] = "^1; as=mol-b"
    (site.formulas / ".lock.json").write_text(json.dumps({"version": 1, "formulas": row}))
    site.sync()
    assert site.files() == BOTH
    assert site.read_lock().requirements == (("formulas", "mol-b", "^1; as=mol-b"),)


def test_verify_and_list_go_by_the_checksum_where_no_files_are_listed(town):
    assert [(one.files, one.problems) for one in verify_installed(town.context)] == [(1, ()), (1, ())]
    (town.formulas / "mol-a.formula.toml").write_bytes(b"edited")
    (town.formulas / "mol-b.formula.toml").unlink()
    found = {one.name: one.problems for one in verify_installed(town.context)}
    assert found == {
        "mol-a": ("mol-a.formula.toml was edited",),
        "mol-b": ("mol-b.formula.toml is missing",),
    }
    (tier,) = list_formulas(town.context, [town.context.project], installed_only=True)
    assert [(one.name, one.problem) for one in tier.formulas] == [("mol-a", "edited"), ("mol-b", "missing")]
