"""Publishers and marks of a folder registry: edited beside publishers, read by whoever follows, never brought back."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_tree import formula, verify
from rotating import Follower, RotatingRegistry

from mmpm.errors import RegistryUntrustedError, SigningRequestOutdatedError
from mmpm.registry import layout
from mmpm.registry.commit import Change, RoleDocument, commit
from mmpm.registry.marks import all_marks, marks_of, trust_change
from mmpm.registry.publish import publish
from mmpm.registry.tree_writer import TreeWriter
from mmpm.trust.edits import GiveMark, PutPublisher, Revoke, TakeMark, edit_marks, edit_publishers
from mmpm.trust.facts import TRUST, key_id_of
from mmpm.trust.keys import SigningKey
from mmpm.trust.levels import Mark, Marks, Publisher, PublisherKey, Publishers, Revocation, judge_level

ALICE = SigningKey.generate()
KEY = PublisherKey(key_id_of(ALICE.public.hex), "ed25519", ALICE.public.hex)
ACME = Publisher("acme", "Acme", (KEY,), ("@acme",), ("mol-a",))
AT = "2026-01-10T00:00:00Z"


@pytest.fixture
def registry(tmp_path):
    made = RotatingRegistry(tmp_path / "origin")
    publish(made.root, [formula("mol-a"), formula("mol-b")], made.how(), sign=ALICE)
    return made


@pytest.fixture
def reader(registry, tmp_path):
    made = Follower(tmp_path / "reader", registry.made.fingerprint)
    made.refresh(registry.root, registry.now)
    return made


def edit(registry, one, **limits):
    registry.later(hours=1)
    return registry.apply(registry.request(trust_change(registry.load(), one)), **limits)


def audit_of(registry, name="mol-a", version="1.0.0"):
    return Mark(name, version, str(registry.releases(name)[version].checksum), "Sec", AT)


def level(reader, name):
    [release] = reader.snapshot.releases(name)
    return judge_level(release, reader.snapshot.publishers(), reader.snapshot.marks(name)).level


def test_every_level_reaches_a_reader_and_goes_again_when_it_is_withdrawn(registry, reader):
    audit, official = audit_of(registry), Mark("mol-a", "", "", "Gas Town", AT)
    steps = [
        (PutPublisher(ACME), "verified"),
        (GiveMark(official), "official"),
        (GiveMark(audit), "audited"),
        (TakeMark("mol-a", "1.0.0", audit.checksum), "official"),
        (TakeMark("mol-a"), "verified"),
        (Revoke("acme", Revocation(KEY.key_id, 0, "stolen")), "unverified"),
    ]
    assert level(reader, "mol-a") == "unverified"
    for one, expected in steps:
        edit(registry, one)
        reader.refresh(registry.root, registry.now)
        assert (level(reader, "mol-a"), level(reader, "mol-b")) == (expected, "unverified")
    assert verify(registry) == {"mol-a@1.0.0", "mol-b@1.0.0"}


def test_an_edit_that_is_made_already_changes_nothing(registry):
    edit(registry, PutPublisher(ACME))
    assert trust_change(registry.load(), PutPublisher(ACME)).files == {}
    mark = GiveMark(audit_of(registry))
    edit(registry, mark)
    later = GiveMark(Mark(mark.mark.name, "1.0.0", mark.mark.checksum, "Sec", "2026-02-01T00:00:00Z"))
    assert trust_change(registry.load(), later).files == {}
    assert trust_change(registry.load(), TakeMark("mol-b")).files == {}


def test_marks_are_listed_by_name_the_official_one_first(registry):
    for one in (audit_of(registry, "mol-b"), audit_of(registry), Mark("mol-a", "", "", "", AT)):
        edit(registry, GiveMark(one))
    tree = registry.load()
    assert [(one.name, one.version) for one in all_marks(tree)] == [
        ("mol-a", ""),
        ("mol-a", "1.0.0"),
        ("mol-b", "1.0.0"),
    ]
    assert [one.version for one in marks_of(tree, "mol-a")] == ["", "1.0.0"]
    assert marks_of(tree, "mol-z") == ()


def test_a_shard_without_marks_is_not_listed(registry):
    mark = audit_of(registry)
    edit(registry, GiveMark(mark))
    edit(registry, TakeMark("mol-a", "1.0.0", mark.checksum))
    assert set(registry.load().chain.targets_of(TRUST)) == {layout.PUBLISHERS}


def test_an_edit_goes_onto_what_was_published_meanwhile(registry):
    request = registry.request(trust_change(registry.load(), GiveMark(audit_of(registry))))
    registry.later(hours=1)
    registry.publish(formula("mol-c"))
    registry.apply(request)
    assert verify(registry) == {"mol-a@1.0.0", "mol-b@1.0.0", "mol-c@1.0.0"}
    assert len(marks_of(registry.load(), "mol-a")) == 1


def test_an_edit_never_goes_onto_another_trust(registry):
    first = registry.request(trust_change(registry.load(), GiveMark(audit_of(registry))))
    edit(registry, PutPublisher(ACME))
    with pytest.raises(SigningRequestOutdatedError):
        registry.apply(first)
    assert marks_of(registry.load(), "mol-a") == ()


def test_marks_and_publishing_at_once_both_succeed(registry):
    marks = [GiveMark(Mark(f"mol-{number}", "", "", "", AT)) for number in range(4)]
    failures = []

    def publishing():
        try:
            for number in range(4):
                registry.publish(formula("mol-c", f"{number}.0.0"))
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    beside = threading.Thread(target=publishing)
    beside.start()
    for one in marks:  # at one time: both sides of a real race read the same clock
        registry.apply(registry.request(trust_change(registry.load(), one)))
    beside.join()
    assert failures == []
    assert len(list(all_marks(registry.load()))) == 4
    assert len(verify(registry)) == 6


def test_whoever_has_the_online_keys_alone_cannot_bring_back_what_was_withdrawn(registry, reader):
    mark = audit_of(registry)
    edit(registry, GiveMark(mark))
    tree = registry.load()
    before = RoleDocument(tree.chain.role_file(TRUST).version, tree.role_bytes(TRUST))
    edit(registry, TakeMark("mol-a", "1.0.0", mark.checksum))
    reader.refresh(registry.root, registry.now)

    class Rollback:
        def prepare(self, base, serial, writer):  # noqa: ARG002
            return Change(documents={TRUST: before})

        def names(self):
            return ()

        def write_aliases(self, base, writer):
            pass

    registry.later(hours=1)
    with TreeWriter(registry.root) as writer:
        commit(writer.root, registry.how(), Rollback(), writer)
    for folder in ("store", "elsewhere"):  # what is believed does not lie in the store
        (reader.folder / "store").rename(reader.folder / folder)
        with pytest.raises(RegistryUntrustedError, match="trust"):
            reader.refresh(registry.root, registry.now)


def test_superseded_evidence_is_pruned_after_a_grace_time(registry):
    for number in range(12):
        registry.now += timedelta(days=2)
        edit(registry, GiveMark(Mark("mol-a", "", "", f"by {number}", AT)), grace_seconds=0)
    shards = list(Path(registry.root, "trust", "levels").iterdir())
    assert any(b"by 11" in path.read_bytes() for path in shards)
    assert len(shards) < 12


NAMES = st.sampled_from(["mol-a", "mol-b", "@acme/mol-a"])
SUMS = st.sampled_from([f"sha256:{number:064x}" for number in range(2)])
GIVEN = st.builds(GiveMark, st.builds(Mark, NAMES, st.just("1.0.0"), SUMS, st.just("A"), st.just(AT)))
TAKEN = st.builds(TakeMark, NAMES, st.just("1.0.0"), SUMS)


@given(st.lists(GIVEN | TAKEN, max_size=8))
def test_the_marks_are_what_was_given_last_and_not_taken_since(edits):
    marks, model = Marks(), {}
    for one in edits:
        marks = edit_marks(one, marks)
        checksum = one.mark.checksum if isinstance(one, GiveMark) else one.checksum
        if isinstance(one, TakeMark):
            model.pop(checksum, None)
        else:
            model[checksum] = one.mark
    assert dict(marks.audits) == model


@settings(max_examples=50)
@given(st.permutations([Revocation(KEY.key_id, 3, "a"), Revocation("", 5, "b"), Revocation(KEY.key_id, 9, "c")]))
def test_the_order_of_revocations_plays_no_role_and_none_is_ever_lost(revocations):
    publishers = Publishers((ACME,))
    for one in revocations:
        publishers = edit_publishers(Revoke("acme", one), publishers)
        publishers = edit_publishers(PutPublisher(ACME), publishers)
    [found] = publishers.publishers
    assert len(found.revoked) == 3
    assert publishers.is_revoked(found, KEY.key_id, 3) is not None
    assert publishers.is_revoked(found, KEY.key_id, 2) is None
