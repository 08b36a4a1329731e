"""The chain from a pinned root down to a target: what it accepts, and all that it refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import RolledBackError, UntrustedMetadataError
from mmpm.registry.layout import bin_of, bin_roles
from mmpm.trust import metadata as m
from mmpm.trust.facts import ROLES, Floors, Identity, RoleFile, TargetFile, format_time
from mmpm.trust.keys import SigningKey
from mmpm.trust.metadata import Chain

NOW = datetime(2026, 1, 10, tzinfo=UTC)
KEYS = {role: SigningKey.generate() for role in ROLES}
PUBLIC = {role: key.public for role, key in KEYS.items()}
INDEX = "formulas/mol-a/index.json"


@dataclass(frozen=True)
class State:
    """One signed state, as bytes by role."""

    root: bytes
    roles: dict
    snapshot: bytes
    timestamp: bytes


def make(serial=1, now=NOW, *, targets=None, keys=KEYS, root_version=1):
    """Sign a state whose bins list `targets`."""
    listed = {INDEX: TargetFile.of(b"{}")} if targets is None else targets
    roles = {
        "targets": m.sign_top_targets(keys["targets"], NOW, trust=keys["trust"].public, bins=keys["bins"].public),
        "trust": m.sign_listing("trust", keys["trust"], NOW, {"trust/publishers.json": TargetFile.of(b"p")}, 1),
        "bins": m.sign_bins(keys["bins"], NOW, bin_key=keys["bin"].public),
    }
    empty = m.sign_listing("bin", keys["bin"], NOW, {}, 1)
    for role in bin_roles():
        mine = {path: file for path, file in listed.items() if bin_of(path) == role}
        roles[role] = m.sign_listing("bin", keys["bin"], now, mine, 1) if mine else empty
    files = {role: RoleFile.of(1, data) for role, data in roles.items()}
    snapshot = m.sign_snapshot(keys["snapshot"], now, files, serial)
    timestamp = m.sign_timestamp(keys["timestamp"], now, RoleFile.of(serial, snapshot), root_version)
    public = {role: key.public for role, key in keys.items()}
    root = m.make_root(Identity("acme.example", "Acme"), public, keys["root"], NOW)
    return State(root, roles, snapshot, timestamp)


STATE = make()


def walk(state, root=None, floors=None):
    """Verify a state down to all its roles."""
    chain = Chain(root or state.root)
    chain.accept_timestamp(state.timestamp, floors)
    chain.accept_snapshot(state.snapshot)
    for role, data in state.roles.items():
        chain.accept_targets(role, data)
    return chain


def test_a_signed_state_proves_what_is_there_and_what_is_not():
    chain = walk(STATE)
    assert chain.identity == Identity("acme.example", "Acme")
    assert chain.target(INDEX) == TargetFile.of(b"{}")
    assert chain.target("formulas/mol-b/index.json") is None
    assert chain.target("trust/publishers.json") == TargetFile.of(b"p")
    assert chain.target("trust/levels/00.json") is None
    assert chain.targets_of(bin_of(INDEX)) == {INDEX: TargetFile.of(b"{}")}


@given(st.text(min_size=1, max_size=40).filter(lambda name: not name.startswith("trust/")))
def test_our_layout_and_the_metadata_agree_which_bin_answers_for_a_path(path):
    if not hasattr(walk, "chain"):
        walk.chain = walk(STATE)
    assert walk.chain.role_of(path) == bin_of(path)


def test_what_the_timestamp_says_is_what_was_signed():
    facts = Chain(STATE.root).accept_timestamp(STATE.timestamp)
    assert facts.issued == "2026-01-10T00:00:00Z"
    assert facts.expires == "2026-01-17T00:00:00Z"
    assert (facts.root, facts.snapshot) == (1, RoleFile.of(1, STATE.snapshot))
    assert m.peek_root_version(STATE.timestamp) == 1


def test_ids_of_keys_are_those_of_the_metadata():
    roles = json.loads(STATE.root)["signed"]["roles"]
    assert roles["root"]["keyids"] == [KEYS["root"].public.key_id]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "empty"),
        (b"<html><body>502 Bad Gateway", "begins with '<html><body>502 Bad Gateway'"),
        (b"{}", "not signed metadata"),
        (b"[" * 100_000, "not signed metadata"),
        (b"\xff\xfe\x00", "not signed metadata"),
        (STATE.timestamp[:-30], "not signed metadata"),
        (STATE.snapshot, "signed by 0/1 keys"),
        (STATE.timestamp.replace(b'"version":1', b'"version":9'), "signed by 0/1 keys"),
    ],
)
def test_what_is_not_a_signed_timestamp_is_refused_with_its_cause(data, cause):
    with pytest.raises(UntrustedMetadataError) as refused:
        Chain(STATE.root).accept_timestamp(data)
    assert cause in refused.value.fact
    assert refused.value.exit_status == 4


@given(st.integers(0, len(STATE.timestamp) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing_that_was_signed(position, change):
    data = bytearray(STATE.timestamp)
    data[position] ^= change
    try:
        facts = Chain(STATE.root).accept_timestamp(bytes(data))
    except UntrustedMetadataError:
        return
    assert facts == Chain(STATE.root).accept_timestamp(STATE.timestamp)


def test_another_registrys_keys_are_not_believed():
    foreign = make(keys={role: SigningKey.generate() for role in ROLES})
    with pytest.raises(UntrustedMetadataError):
        walk(foreign, root=STATE.root)


def test_each_role_must_be_the_one_that_the_snapshot_names():
    other = make(2, NOW + timedelta(hours=1), targets={INDEX: TargetFile.of(b"other")})
    for role in ("targets", bin_of(INDEX)):
        mixed = replace(STATE, roles=STATE.roles | {role: other.roles[bin_of(INDEX)]})
        with pytest.raises(UntrustedMetadataError):
            walk(mixed)
    with pytest.raises(UntrustedMetadataError):
        walk(replace(STATE, snapshot=other.snapshot))


def test_within_an_epoch_neither_serial_nor_issue_time_goes_back():
    old, new = make(3, NOW), make(4, NOW + timedelta(days=1))
    epoch = Chain(new.root).epoch
    floors = Floors(epoch, format_time(NOW + timedelta(days=1)), 4)
    walk(new, floors=floors)
    with pytest.raises(RolledBackError):
        walk(old, floors=floors)
    with pytest.raises(RolledBackError):
        walk(make(5, NOW), floors=floors)
    walk(old, floors=replace(floors, epoch="another"))


def test_two_snapshots_with_one_serial_are_refused():
    first, fork = make(4), make(4, targets={})
    floors = Floors(Chain(first.root).epoch, format_time(NOW), 4, RoleFile.of(4, first.snapshot).sha256)
    walk(first, floors=floors)
    with pytest.raises(RolledBackError):
        walk(fork, floors=floors)


def test_expiry_is_judged_when_the_timestamp_was_issued_and_never_by_our_clock():
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    keys = KEYS
    root = m.make_root(Identity("acme.example", "Acme"), PUBLIC, keys["root"], long_ago)
    snapshot = m.sign_snapshot(keys["snapshot"], long_ago, {}, 1)
    within = long_ago + timedelta(days=29)
    chain = Chain(root)
    chain.accept_timestamp(m.sign_timestamp(keys["timestamp"], within, RoleFile.of(1, snapshot), 1))
    chain.accept_snapshot(snapshot)
    late = long_ago + timedelta(days=31)
    chain = Chain(root)
    chain.accept_timestamp(m.sign_timestamp(keys["timestamp"], late, RoleFile.of(1, snapshot), 1))
    with pytest.raises(UntrustedMetadataError, match="expired"):
        chain.accept_snapshot(snapshot)
    too_late = long_ago + timedelta(days=731)
    with pytest.raises(UntrustedMetadataError, match="expired"):
        Chain(root).accept_timestamp(m.sign_timestamp(keys["timestamp"], too_late, RoleFile.of(1, snapshot), 1))


def test_an_unsigned_issue_time_decides_nothing():
    forged = json.loads(STATE.timestamp)
    forged["signed"]["x-mmpm"]["issued"] = "1999-01-01T00:00:00Z"
    with pytest.raises(UntrustedMetadataError, match="signed by 0/1 keys"):
        Chain(STATE.root).accept_timestamp(json.dumps(forged).encode())


def rotated(version, *, signer, keys=PUBLIC, registry="acme.example"):
    return m.make_root(Identity(registry, "Acme"), keys, signer, NOW, version)


def test_roots_advance_one_by_one_signed_by_the_old_key():
    chain = Chain(STATE.root)
    before = chain.fingerprint
    chain.advance_root(rotated(2, signer=KEYS["root"]))
    assert chain.root_version == 2
    assert chain.fingerprint != before
    for bad in (rotated(4, signer=KEYS["root"]), rotated(3, signer=SigningKey.generate()), b"{}"):
        with pytest.raises(UntrustedMetadataError):
            chain.advance_root(bad)
    with pytest.raises(UntrustedMetadataError, match="another registry"):
        Chain(STATE.root).advance_root(rotated(2, signer=KEYS["root"], registry="evil.example"))


def test_new_timestamp_keys_open_a_new_epoch_and_other_new_keys_do_not():
    chain = Chain(STATE.root)
    epoch = chain.epoch
    chain.advance_root(rotated(2, signer=KEYS["root"], keys=PUBLIC | {"targets": SigningKey.generate().public}))
    assert chain.epoch == epoch
    chain.advance_root(rotated(3, signer=KEYS["root"], keys=PUBLIC | {"timestamp": SigningKey.generate().public}))
    assert chain.epoch != epoch


def test_a_timestamp_of_a_newer_root_waits_for_that_root():
    newer = make(2, root_version=2)
    with pytest.raises(UntrustedMetadataError, match="root 2"):
        Chain(STATE.root).accept_timestamp(newer.timestamp)
    chain = Chain(STATE.root)
    chain.advance_root(rotated(2, signer=KEYS["root"]))
    chain.accept_timestamp(newer.timestamp)


def test_only_bytes_that_are_a_root_begin_a_chain():
    for bad in (b"", b"{}", STATE.timestamp, STATE.root.replace(b"acme.example", b"evil.example")):
        with pytest.raises(UntrustedMetadataError):
            Chain(bad)
