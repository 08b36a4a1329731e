"""Rotation: whoever follows a registry follows its keys, whatever was rotated, skipped, stolen or killed."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_tree import HOST, FolderRegistry, formula, verify, verify_aliases
from rotating import Follower, RotatingRegistry, copy_tree

from mmpm.errors import (
    KeyForeignError,
    RegistryUntrustedError,
    SignaturesMissingError,
    SigningRequestOutdatedError,
    SigningRequestRefusedError,
)
from mmpm.execute.rotating import reloading
from mmpm.registry import layout
from mmpm.registry.commit import Committing
from mmpm.registry.key_folder import list_role_keys, load_every_key, load_keys
from mmpm.registry.publish import publish
from mmpm.registry.rotate import RoleChange, apply_request, current_facts, current_keys, make_request
from mmpm.trust.facts import DOCUMENTS, ROLES, RoleKeys
from mmpm.trust.keys import SigningKey
from mmpm.trust.signing import add_signatures, examine


@pytest.fixture
def registry(tmp_path):
    made = RotatingRegistry(tmp_path / "origin")
    made.publish(formula("mol-a"))
    return made


@pytest.fixture
def reader(registry, tmp_path):
    made = Follower(tmp_path / "reader", registry.made.fingerprint)
    made.refresh(registry.root, registry.now)
    return made


# ---- each role


@pytest.mark.parametrize("roles", [*((role,) for role in ROLES), ROLES], ids="+".join)
def test_rotated_keys_are_followed_and_used_from_then_on(registry, reader, roles):
    before = current_keys(registry.load())
    applied = registry.rotate(*roles)
    after = current_keys(registry.load())
    assert {role for role in ROLES if before[role] != after[role]} == set(roles)
    assert reader.refresh(registry.root, registry.now).new_serial == applied.serial
    registry.publish(formula("mol-b"))
    reader.refresh(registry.root, registry.now)
    assert reader.names == {"mol-a", "mol-b"}
    assert verify(registry) == {"mol-a@1.0.0", "mol-b@1.0.0"}
    verify_aliases(registry)


def test_replaced_keys_are_retired_and_none_is_deleted(registry):
    before = {key.public for key in list_role_keys(registry.keys_folder)}
    registry.rotate(*ROLES)
    retired = list_role_keys(f"{registry.keys_folder}/retired")
    assert {key.public for key in retired} == before
    assert {oct(os.stat(key.path).st_mode)[-3:] for key in retired} == {"600"}
    assert list_role_keys(f"{registry.keys_folder}/next") == []
    assert len(list_role_keys(registry.keys_folder)) == len(ROLES)


def test_the_publishers_own_root_goes_along(registry):
    registry.rotate("timestamp")
    registry.rotate("root")
    assert registry.keys.root == registry.load().chain.root_bytes
    assert registry.load().chain.root_version == 3


def test_a_reader_that_skipped_three_roots_walks_them(registry, reader):
    for roles in (("root",), ("timestamp", "targets"), ("snapshot", "root"), ("bin",)):
        registry.rotate(*roles)
        registry.later(days=1)
        registry.publish(formula(f"mol-{roles[0]}"))
    reader.refresh(registry.root, registry.now)
    assert reader.names == {"mol-a", "mol-root", "mol-timestamp", "mol-snapshot", "mol-bin"}
    newcomer = Follower(registry.folder / "newcomer", registry.made.fingerprint)
    newcomer.refresh(registry.root, registry.now)
    assert newcomer.names == reader.names


def test_terms_are_renewed_with_the_same_keys_also_after_they_ended(registry, reader):
    registry.later(days=800)
    registry.apply(registry.request(RoleChange(renew=frozenset(DOCUMENTS))))
    facts = current_facts(registry.load())
    assert {role: one.version for role, one in facts.items()} == dict.fromkeys(DOCUMENTS, 2)
    registry.publish(formula("mol-b"))
    reader.refresh(registry.root, registry.now)
    assert reader.names == {"mol-a", "mol-b"}


def test_nothing_to_change_is_no_request(registry):
    assert make_request(registry.load(), RoleChange(current_keys(registry.load())), registry.now) is None


def test_a_key_that_is_only_added_leaves_the_bins_as_they_are(registry, reader):
    before = registry.load().roles()
    keys = current_keys(registry.load())["bin"]
    both = RoleKeys((*keys.public, SigningKey.generate().public.hex))
    registry.apply(registry.request(RoleChange({"bin": both})))
    after = registry.load().roles()
    assert {role for role in before if before[role] != after[role]} == {"bins"}
    reader.refresh(registry.root, registry.now)


def test_other_machines_learn_that_their_keys_are_foreign(registry, tmp_path):
    shutil.copytree(registry.keys_folder, tmp_path / "copied")
    registry.rotate("timestamp")
    how = Committing(load_keys(str(tmp_path / "copied"), HOST, None), registry.now)
    with pytest.raises(KeyForeignError, match="timestamp"):
        publish(registry.root, [formula("mol-b")], how)


# ---- thresholds


def test_two_of_three_online_keys_sign_every_publish(registry, reader):
    new = registry.new_keys("timestamp", "snapshot", "bin")
    more = registry.new_keys("timestamp", "snapshot", "bin")
    spare = SigningKey.generate().public.hex
    terms = {role: RoleKeys((*new[role].public, *more[role].public, spare), 2) for role in new}
    registry.apply(registry.request(RoleChange(terms)))
    registry.publish(formula("mol-b"))
    assert reader.refresh(registry.root, registry.now).new_serial == registry.load().serial
    assert len(registry.load().timestamp_bytes.split(b'"sig"')) == 3
    for key in list_role_keys(registry.keys_folder):
        if key.role == "bin":
            os.unlink(key.path)
            break
    registry.keys = load_keys(registry.keys_folder, HOST, None)
    with pytest.raises(KeyForeignError, match="bin"):
        registry.publish(formula("mol-c"))


def test_one_signature_less_than_the_threshold_is_refused_and_counted(registry):
    people = [SigningKey.generate() for _ in range(3)]
    three = RoleKeys(tuple(one.public.hex for one in people), 2)
    request = registry.request(RoleChange({"root": three}))
    with pytest.raises(SignaturesMissingError, match="root has 0 of 2 signatures"):
        registry.apply(request)
    request, added = add_signatures(examine(request), people[:1])
    assert added == (("root", people[0].public.key_id),)
    with pytest.raises(SignaturesMissingError, match="root has 1 of 2 signatures"):
        registry.apply(request)
    request, _ = add_signatures(examine(request), people[2:])
    registry.apply(request)
    # From now on the operator's machine alone can change nothing that the root says.
    request = registry.request(RoleChange(registry.new_keys("snapshot")))
    with pytest.raises(SignaturesMissingError, match="root has 0 of 2 signatures"):
        registry.apply(request)
    registry.publish(formula("mol-b"))
    registry.apply(add_signatures(examine(request), people[:2])[0])
    registry.publish(formula("mol-c"))
    assert verify(registry) == {"mol-a@1.0.0", "mol-b@1.0.0", "mol-c@1.0.0"}


# ---- requests on their way


def test_publishing_goes_on_while_a_request_is_carried(registry, reader):
    request = registry.request(RoleChange(registry.new_keys("targets", "timestamp", "bin")))
    registry.publish(formula("mol-b"))
    registry.apply(request)
    registry.publish(formula("mol-c"))
    reader.refresh(registry.root, registry.now)
    assert reader.names == {"mol-a", "mol-b", "mol-c"}


@pytest.mark.parametrize("roles", [("trust",), ("root",), ("timestamp", "bins")], ids="+".join)
def test_a_request_is_applied_once_and_then_is_history(registry, roles):
    request = registry.request(RoleChange(registry.new_keys(*roles)))
    first = registry.apply(request)
    again = registry.apply(request)
    assert (again.changed, again.serial) == (False, first.serial)
    registry.rotate(*roles)
    with pytest.raises(SigningRequestOutdatedError):
        registry.apply(request)


def test_of_two_requests_from_one_state_the_second_is_outdated(registry):
    first = registry.request(RoleChange(registry.new_keys("timestamp")))
    second = registry.request(RoleChange(registry.new_keys("snapshot")))
    registry.apply(first)
    with pytest.raises(SigningRequestOutdatedError):
        registry.apply(second)
    registry.publish(formula("mol-b"))


def test_a_request_of_another_registry_is_refused(registry, tmp_path):
    other = RotatingRegistry(tmp_path / "other")
    request = other.request(RoleChange(other.new_keys("trust")))
    with pytest.raises(SigningRequestRefusedError, match="not the one that is known here"):
        registry.apply(request)


def test_a_rotation_that_others_would_overtake_is_signed_beside_a_publishing_process(registry, reader):
    """Publishers of the same key folder take up the new keys in the middle of their work."""
    failures = []

    def publisher():
        try:
            for number in range(12):
                keys = load_keys(registry.keys_folder, HOST, None)
                how = Committing(keys, registry.now, key_folder=registry.keys_folder)
                publish(registry.root, [formula(f"mol-{number}")], reloading(how, registry.keys_folder, HOST, None))
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    thread = threading.Thread(target=publisher)
    thread.start()
    for roles in (("timestamp",), ("bin", "snapshot"), ("timestamp", "root")):
        registry.rotate(*roles)
    thread.join()
    assert failures == []
    reader.refresh(registry.root, registry.now)
    assert reader.names == {"mol-a", *(f"mol-{number}" for number in range(12))}


# ---- recovery


def steal(registry, tmp_path):
    """What a thief of the online keys publishes: a registry of its own making, far ahead."""
    thief = FolderRegistry.__new__(FolderRegistry)
    thief.folder, thief.now = tmp_path / "thief", registry.now
    thief.root = copy_tree(registry.root, tmp_path / "thief" / "reg")
    thief.keys_folder = copy_tree(registry.keys_folder, tmp_path / "thief" / "keys")
    thief.keys = load_keys(thief.keys_folder, HOST, None)
    for number in range(4):
        thief.later(days=20)
        thief.publish(formula(f"mol-evil-{number}"))
    return thief


@pytest.mark.parametrize("over", ["registry folder", "copied mirror"])
def test_after_a_theft_readers_of_the_thiefs_state_follow_the_new_keys(registry, reader, tmp_path, over):
    thief = steal(registry, tmp_path)
    reader.refresh(thief.root, thief.now)
    assert "mol-evil-3" in reader.names
    registry.later(days=1)
    applied = registry.rotate("timestamp", "snapshot", "bin", after_theft=True, after_restore=True)
    assert applied.serial < thief.load().serial
    place = registry.root if over == "registry folder" else copy_tree(registry.root, tmp_path / "mirror")
    reader.refresh(place, thief.now)
    assert reader.names == {"mol-a"}
    thief.publish(formula("mol-late"))
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(thief.root, thief.now)
    registry.publish(formula("mol-b"))
    reader.refresh(registry.root, thief.now)
    assert reader.names == {"mol-a", "mol-b"}


def test_a_restored_folder_goes_on_above_what_was_published_before(registry, reader, tmp_path):
    backup = copy_tree(registry.root, tmp_path / "backup")
    registry.publish(formula("mol-b"))
    registry.publish(formula("mol-c"))
    seen = reader.refresh(registry.root, registry.now).new_serial
    shutil.rmtree(registry.root)
    shutil.copytree(backup, registry.root)
    applied = registry.rotate("timestamp", "snapshot", "bin", after_theft=True, after_restore=True)
    assert applied.serial == seen + 1
    reader.refresh(registry.root, registry.now)
    assert reader.names == {"mol-a"}


def test_a_thiefs_issue_time_in_the_folder_itself_holds_nobody_back(registry, reader, tmp_path):
    thief = steal(registry, tmp_path)
    shutil.rmtree(registry.root)
    shutil.copytree(thief.root, registry.root)
    applied = registry.rotate("timestamp", "snapshot", "bin", after_theft=True, after_restore=True)
    assert registry.load().facts.issued == "2026-01-10T00:00:00Z"
    assert applied.serial == thief.load().serial + 1
    reader.refresh(registry.root, registry.now)


# ---- what lies about


def test_a_root_that_no_timestamp_shows_is_taken_away_by_the_next_publish(registry):
    orphan = Path(registry.root, layout.role_file("root", 2))
    orphan.write_bytes(b"{}")
    registry.publish(formula("mol-b"))
    assert not orphan.exists()


# ---- any history

STEPS = st.lists(
    st.one_of(
        st.just("publish"),
        st.just("follow"),
        st.sets(st.sampled_from(ROLES), min_size=1, max_size=3).map(lambda roles: tuple(sorted(roles))),
    ),
    min_size=3,
    max_size=8,
)


@settings(max_examples=6, deadline=None)
@given(STEPS, STEPS)
def test_a_follower_always_comes_to_the_newest_state_and_never_goes_back_within_an_epoch(first, second):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        registry = RotatingRegistry(Path(folder, "origin"))
        followers = [Follower(Path(folder, f"reader-{number}"), registry.made.fingerprint) for number in range(2)]
        seen = {}
        names = set()
        for number, step in enumerate([*first, *second, "follow"]):
            registry.later(hours=1)
            if step == "publish":
                registry.publish(formula(f"mol-{number}"))
                names.add(f"mol-{number}")
            elif step == "follow":
                one = followers[number % 2]
                epoch, serial = registry.load().chain.epoch, one.refresh(registry.root, registry.now).new_serial
                assert serial == registry.load().serial
                assert serial >= seen.get((number % 2, epoch), 0)
                seen[number % 2, epoch] = serial
                assert one.names == names
            else:
                registry.rotate(*step)
        for one in followers:
            one.refresh(registry.root, registry.now)
            assert one.names == names


def test_every_key_of_the_folder_is_opened_and_none_signs_by_itself(registry):
    keys = load_every_key(registry.keys_folder, HOST, None)
    assert {role: len(found) for role, found in keys.signers.items()} == dict.fromkeys(ROLES, 1)
    how = Committing(keys, registry.now)
    with pytest.raises(SignaturesMissingError):
        apply_request(
            registry.root, make_request(registry.load(), RoleChange(renew=frozenset({"root"})), registry.now), how
        )
