"""What a refresh believes and refuses: keys, names, hashes, time."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from loopback import Loopback
from registry_reader import ID, QUICK, Reader, versions
from signed_tree import SignedTree

from mmpm.errors import (
    RegistryTooOldError,
    RegistryUnreachableError,
    RegistryUntrustedError,
    RootMismatchError,
    RootNotPinnedError,
)
from mmpm.registry import layout
from mmpm.registry.folder import FolderTransport
from mmpm.registry.http import HttpTransport
from mmpm.registry.refresh import ALL
from mmpm.trust.clock import AgePolicy

# ---- what is believed


def test_without_an_accepted_root_nothing_is_believed(reader):
    reader.root = None
    with pytest.raises(RootNotPinnedError) as caught:
        reader.refresh(["mol-a"])
    assert reader.tree.fingerprint in caught.value.fact
    assert reader.state is None


def test_another_root_is_refused(reader):
    reader.root = "ab" * 32
    with pytest.raises(RootMismatchError):
        reader.refresh(["mol-a"])
    assert reader.state is None


def test_another_registry_in_the_same_place_is_refused(reader, tree):
    reader.refresh(["mol-a"])
    state = reader.state
    shutil.rmtree(tree.folder)
    foreign = SignedTree(tree.folder, ID, tree.now + timedelta(days=1))
    foreign.release("mol-a", "6.6.6")
    foreign.show()
    with pytest.raises(RegistryUntrustedError, match="not to be trusted"):
        reader.refresh(["mol-a"])
    assert reader.state == state


def test_a_registry_that_calls_itself_otherwise_is_refused(tmp_path):
    tree = SignedTree(tmp_path / "registry", "other.corp")
    with pytest.raises(RegistryUntrustedError, match=r"calls itself other\.corp"):
        Reader(tmp_path / "machine", tree).refresh(["mol-a"])


@pytest.mark.parametrize("roles", [["timestamp"], ["snapshot"], ["root"], ["root", "timestamp", "snapshot"]])
def test_a_rotation_is_followed_along_the_chain_of_roots(reader, tree, roles):
    reader.refresh(["mol-a"])
    for _ in range(3):
        tree.rotate(*roles)
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    assert versions(reader.offline(), "mol-a")[-1] == "2.0.0"
    assert reader.state.root_version == 4


def test_after_theft_a_new_key_set_may_start_from_a_lower_serial(reader, tree):
    for _ in range(5):
        tree.show(days=1)
    reader.refresh(["mol-a"])
    tree.rotate("timestamp", "snapshot")
    tree.serial = 2
    tree.show(days=1)
    assert reader.refresh(["mol-a"]).new_serial == 3


def test_a_bin_with_a_foreign_signature_is_refused(reader, tree):
    from mmpm.trust.facts import RoleFile
    from mmpm.trust.keys import SigningKey
    from mmpm.trust.metadata import sign_listing

    role = layout.bin_of(layout.index_target("mol-a"))
    forged = sign_listing("bin", SigningKey.generate(), tree.now, tree.listed[role], 9)
    tree.write(layout.role_file(role, 9), forged)
    tree.meta[role] = RoleFile.of(9, forged)
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(["mol-a"])
    assert reader.state is None


@pytest.mark.parametrize("sha256", ["../../../../secret", "AB" * 32, "", "a" * 63])
def test_a_hash_that_could_be_a_path_is_refused(reader, tree, sha256):
    from mmpm.trust.facts import TargetFile

    target = layout.index_target("mol-a")
    tree.listed[layout.bin_of(target)][target] = TargetFile(sha256, 10)
    tree.show(days=1)
    with pytest.raises((RegistryUntrustedError, RegistryUnreachableError)):
        reader.refresh(["mol-a"])


def test_a_hostile_name_in_the_listing_is_refused(reader, tree):
    target = "formulas/../index.json"
    tree.target("formulas/mol-x/index.json", b"{}")
    tree.listed[layout.bin_of(target)][target] = tree.listed[layout.bin_of("formulas/mol-x/index.json")][
        "formulas/mol-x/index.json"
    ]
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(ALL)


@pytest.mark.parametrize("name", ["..", "UPPER", "@x/.."])
def test_a_hostile_name_among_what_changed_is_refused(reader, tree, name):
    reader.refresh(catalog=True)
    tree.target(layout.index_target("mol-x"), b"{}")
    listed = tree.listed[layout.bin_of(layout.index_target("mol-x"))].pop(layout.index_target("mol-x"))
    tree.listed[layout.bin_of(layout.index_target(name))][layout.index_target(name)] = listed
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(catalog=True)


def test_a_malformed_line_among_what_changed_is_refused(reader, tree):
    reader.refresh(["mol-a"])
    tree.lines["mol-a"].append({"version": "no version"})
    tree.release("mol-a", "3.0.0")
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(["mol-a"])


@pytest.mark.parametrize("twins", [("2.0.0", "2.0.0"), ("2.0.0+a", "2.0.0+b"), ("2.0.0-RC", "2.0.0-rc")])
def test_an_index_with_a_version_twice_is_refused(reader, tree, twins):
    tree.release("mol-a", *twins)
    tree.show(days=1)
    reader.refresh(["mol-a", "mol-b"])
    with pytest.raises(RegistryUntrustedError, match="mol-a twice"):
        reader.offline().releases("mol-a")
    assert versions(reader.offline(), "mol-b") == ["1.0.0"]


# ---- time


def test_an_older_valid_copy_is_not_used_and_said(reader, tree, tmp_path):
    shutil.copytree(tree.folder, tmp_path / "older")
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    reader.places = (FolderTransport(str(tmp_path / "older")),)
    refreshed = reader.refresh(["mol-a"])
    assert refreshed.is_held
    assert refreshed.new_serial == 3
    assert "older copy" in refreshed.warnings[0]
    assert versions(reader.offline(), "mol-a")[-1] == "2.0.0"


def test_of_two_places_the_one_that_is_not_older_is_used(reader, tree, tmp_path):
    reader.refresh(["mol-a"])
    shutil.copytree(tree.folder, tmp_path / "older")
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    tree.release("mol-a", "3.0.0")
    tree.show(days=1)
    reader.places = (FolderTransport(str(tmp_path / "older")), FolderTransport(str(tree.folder)))
    refreshed = reader.refresh(["mol-a"])
    assert not refreshed.is_held
    assert refreshed.new_serial == 4


def test_two_histories_of_one_serial_are_refused(reader, tree):
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    state = reader.state
    tree.serial -= 1
    tree.release("mol-evil", "6.6.6")
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError, match="another snapshot"):
        reader.refresh(["mol-a"])
    assert reader.state == state


def test_no_role_goes_back_under_a_newer_snapshot(reader, tree):
    role = layout.bin_of(layout.index_target("mol-a"))
    before = tree.meta[role]
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    tree.meta[role] = before
    tree.sign(tree.serial + 1)
    with pytest.raises(RegistryUntrustedError, match=role):
        reader.refresh(["mol-a"])
    del tree.meta[role]
    tree.sign(tree.serial + 1)
    with pytest.raises(RegistryUntrustedError, match=role):
        reader.refresh(["mol-b"])
    assert versions(reader.offline(), "mol-a") == ["1.0.0", "1.1.0", "2.0.0"]


def test_online_an_expired_timestamp_is_refused_and_behind_a_gap_it_is_not(reader, tree):
    reader.now = tree.now + timedelta(days=8)
    assert reader.refresh(["mol-a"]).warnings == ()
    with Loopback(tree.folder) as server:
        reader.places = (HttpTransport(server.url, patience=QUICK),)
        with pytest.raises(RegistryTooOldError, match="expired"):
            reader.refresh(["mol-a"])
        reader.places = (HttpTransport(server.url, patience=QUICK, is_online=False),)
        reader.refresh(["mol-a"])


def test_behind_a_gap_age_warns_and_then_stops(reader, tree):
    reader.now = tree.now + timedelta(days=31)
    [warning] = reader.refresh(["mol-a"]).warnings
    assert "31 days ago" in warning
    reader.now = tree.now + timedelta(days=366)
    [warning] = reader.refresh(["mol-a"]).warnings  # any clock is worked under unless a policy draws the line
    assert "366 days ago" in warning
    reader.policy = AgePolicy(red_line=365 * 86_400)
    with pytest.raises(RegistryTooOldError, match="red_line"):
        reader.refresh(["mol-a"])
    with pytest.raises(RegistryTooOldError, match="red_line"):
        reader.offline()


def test_a_clock_before_the_issue_time_warns(reader, tree):
    reader.now = tree.now - timedelta(hours=1)
    [warning] = reader.refresh(["mol-a"]).warnings
    assert "clock" in warning
