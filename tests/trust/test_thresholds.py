"""Roles with several keys and a threshold: what a document says is read back whole, and who signed it is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import RolledBackError, UntrustedMetadataError
from mmpm.trust import documents as d
from mmpm.trust.facts import (
    BIN,
    BINS,
    ROOT,
    TARGETS,
    TRUST,
    DocumentFacts,
    Floors,
    Identity,
    RoleFile,
    RoleKeys,
    TargetFile,
)
from mmpm.trust.keys import SigningKey
from mmpm.trust.metadata import Chain, expiry, sign_timestamp

NOW = datetime(2026, 1, 10, tzinfo=UTC)
SIGNERS = [SigningKey.generate() for _ in range(5)]
ROOT_ROLES = ("root", "targets", "snapshot", "timestamp")


def keys_of(*numbers, threshold=1):
    return RoleKeys(tuple(SIGNERS[number].public.hex for number in numbers), threshold)


def root_facts(version=1, **roles):
    delegates = {role: roles.get(role, keys_of(0)) for role in ROOT_ROLES}
    return DocumentFacts(ROOT, version, expiry(ROOT, NOW), delegates, Identity("acme.example", "Acme"))


ROLE_KEYS = st.lists(st.sampled_from(range(5)), min_size=1, unique=True).flatmap(
    lambda numbers: st.integers(1, len(numbers)).map(lambda threshold: keys_of(*numbers, threshold=threshold))
)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)).map(lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}")  # noqa: DTZ001
FACTS = st.one_of(
    st.builds(
        DocumentFacts, st.just(ROOT), st.integers(1, 99), TIMES, st.fixed_dictionaries(dict.fromkeys(ROOT_ROLES, ROLE_KEYS)),
        st.builds(Identity, st.just("acme.example"), st.text(max_size=20)),
    ),
    st.builds(
        DocumentFacts, st.just(TARGETS), st.integers(1, 99), TIMES,
        st.fixed_dictionaries({TRUST: ROLE_KEYS, BINS: ROLE_KEYS}),
        peers=st.lists(st.sampled_from(["a.example", "b.example"]), unique=True).map(tuple),
    ),
    st.builds(DocumentFacts, st.just(BINS), st.integers(1, 99), TIMES, st.fixed_dictionaries({BIN: ROLE_KEYS})),
    st.builds(
        DocumentFacts, st.just(TRUST), st.integers(1, 99), TIMES, st.just({}),
        targets=st.dictionaries(
            st.sampled_from(["trust/publishers.json", "trust/levels/0a.json"]),
            st.builds(TargetFile, st.sampled_from(["a" * 64, "b" * 64]), st.integers(0, 999)),
        ),
    ),
)  # fmt: skip


@given(FACTS)
def test_a_document_says_what_was_written_and_nothing_else(facts):
    data = d.write_document(facts)
    assert d.read_facts(facts.role, data) == facts
    assert d.signed_by(data, keys_of(0, 1, 2, 3, 4)) == frozenset()


@given(FACTS, st.sampled_from(["version", "expires", "more"]))
def test_what_a_document_says_beyond_that_is_refused(facts, where):
    value = json.loads(d.write_document(facts))
    signed = value["signed"]
    if where == "more":
        signed["x-hidden"] = 1
    elif where == "version":
        signed["version"] = str(signed["version"])
    else:
        signed["expires"] = "never"
    with pytest.raises(UntrustedMetadataError):
        d.read_facts(facts.role, json.dumps(value).encode())


@pytest.mark.parametrize("change", ["paths", "terminating", "more roles", "key id", "scheme", "bits", "prefix"])
def test_a_delegation_of_another_shape_is_refused(change):
    role = BINS if change in {"bits", "prefix"} else TARGETS
    delegates = {BIN: keys_of(0)} if role == BINS else {TRUST: keys_of(0), BINS: keys_of(1)}
    value = json.loads(d.write_document(DocumentFacts(role, 1, expiry(role, NOW), delegates)))
    delegations = value["signed"]["delegations"]
    if change == "paths":
        delegations["roles"][0]["paths"].append("formulas/*")
    elif change == "terminating":
        delegations["roles"][1]["terminating"] = False
    elif change == "more roles":
        delegations["roles"].append({**delegations["roles"][0], "name": "thief"})
    elif change == "key id":
        [first, *_] = delegations["keys"]
        delegations["keys"]["0" * 64] = delegations["keys"].pop(first)
        for one in delegations["roles"]:
            one["keyids"] = ["0" * 64 if key == first else key for key in one["keyids"]]
    elif change == "scheme":
        next(iter(delegations["keys"].values()))["scheme"] = "rot13"
    elif change == "bits":
        delegations["succinct_roles"]["bit_length"] = 4
    else:
        delegations["succinct_roles"]["name_prefix"] = "shelf"
    with pytest.raises(UntrustedMetadataError):
        d.read_facts(role, json.dumps(value).encode())


@pytest.mark.parametrize("threshold", [0, -1, 3, True, "1"])
def test_a_threshold_that_no_signatures_can_reach_is_no_threshold(threshold):
    with pytest.raises(ValueError, match="have to sign"):
        RoleKeys(keys_of(0, 1).public, threshold)


@given(st.sets(st.sampled_from(range(5))))
def test_only_signatures_of_a_roles_own_keys_are_counted_each_once(signing):
    data = d.sign_document(d.write_document(root_facts()), [SIGNERS[number] for number in sorted(signing)])
    wanted = keys_of(0, 1, 2, threshold=2)
    expected = {SIGNERS[number].public.key_id for number in signing & {0, 1, 2}}
    assert d.signed_by(data, wanted) == expected
    assert d.is_signed(data, wanted) == (len(expected) >= 2)


def test_a_signature_of_other_bytes_counts_nothing():
    one = d.sign_document(d.write_document(root_facts(1)), [SIGNERS[0]])
    other = d.write_document(root_facts(2))
    signed, _ = d.split_parts(other)
    _, signatures = d.split_parts(one)
    assert d.signed_by(d.join_parts(signed, signatures), keys_of(0)) == frozenset()


def test_signatures_made_on_several_machines_are_joined():
    unsigned = d.write_document(root_facts())
    signatures = {}
    for signer in SIGNERS[:3]:
        signatures |= d.split_parts(d.sign_document(unsigned, [signer]))[1]
    joined = d.join_parts(d.split_parts(unsigned)[0], signatures)
    assert d.is_signed(joined, keys_of(0, 1, 2, threshold=3))
    assert d.split_parts(joined)[1] == signatures


@given(ROLE_KEYS, ROLE_KEYS, st.sets(st.sampled_from(range(5))))
def test_a_next_root_needs_the_threshold_of_the_one_before_and_its_own(before, after, signing):
    first = root_facts(1, root=before)
    second = root_facts(2, root=after)
    chain = Chain(d.sign_document(d.write_document(first), SIGNERS))
    data = d.sign_document(d.write_document(second), [SIGNERS[number] for number in sorted(signing)])
    if d.is_signed(data, before) and d.is_signed(data, after):
        chain.advance_root(data)
        assert chain.root_version == 2
        assert chain.keys_of(ROOT) == after
    else:
        with pytest.raises(UntrustedMetadataError):
            chain.advance_root(data)


def test_the_epoch_is_that_of_the_online_keys_alone():
    chain = Chain(d.sign_document(d.write_document(root_facts()), SIGNERS))
    again = Chain(d.sign_document(d.write_document(replace(root_facts(), version=2)), SIGNERS))
    other = Chain(d.sign_document(d.write_document(root_facts(2, timestamp=keys_of(1))), SIGNERS))
    assert chain.epoch == again.epoch != other.epoch


def test_in_a_new_epoch_nothing_old_counts_that_a_key_signed_which_stayed():
    """A second timestamp key was added: what the first signed before is still signed, and yet a step back."""
    first = d.sign_document(d.write_document(root_facts(1)), [SIGNERS[0]])
    second = d.sign_document(d.write_document(root_facts(2, timestamp=keys_of(0, 1))), [SIGNERS[0]])
    snapshot = RoleFile(3, "a" * 64, 10)
    old = sign_timestamp(SIGNERS[0], NOW, snapshot, 1)
    new = sign_timestamp(SIGNERS[1], NOW, snapshot, 2)
    chain = Chain(first)
    floors = Floors(chain.epoch, "2026-02-01T00:00:00Z", 9, "b" * 64, 1)
    chain.advance_root(second)
    with pytest.raises(RolledBackError, match="root 1"):
        chain.accept_timestamp(old, floors)
    assert chain.accept_timestamp(new, floors).snapshot == snapshot
