"""What a publisher signs, and how a signature file is checked."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lines import RELEASES

from mmpm.model.checksums import Checksum
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.trust.key_ids import kind_of, short
from mmpm.trust.keys import SigningKey
from mmpm.trust.levels import Publisher, PublisherKey, Publishers
from mmpm.trust.signatures import (
    BAD,
    GOOD,
    UNCHECKED,
    check_known_signatures,
    check_signature,
    make_signature,
    parse_signature,
    signed_bytes,
)
from mmpm_store.ids import ObjectId

ALICE, BOB = SigningKey.generate(), SigningKey.generate()
COVERED = {
    "name": st.just(FormulaName.parse("@acme/mol-z")),
    "version": st.just(Version.parse("9.9.9")),
    "checksum": st.just(Checksum.of(b"other bytes")),
    "tree": st.just(ObjectId.of(b"another tree")),
    "size": st.integers(1 << 41, 1 << 42),
}


@given(RELEASES)
def test_a_signature_is_good_for_what_it_was_made_over(release):
    assert check_signature(release, ALICE.public.key_id, make_signature(release, ALICE)).state == GOOD


@given(RELEASES, st.sampled_from(sorted(COVERED)), st.data())
def test_a_signature_is_bad_for_any_other_name_version_or_bytes(release, field, data):
    other = replace(release, **{field: data.draw(COVERED[field])})
    checked = check_signature(other, ALICE.public.key_id, make_signature(release, ALICE))
    assert (checked.state, bool(checked.reason)) == (BAD, True)


@given(RELEASES, RELEASES)
def test_what_may_change_of_a_published_release_is_not_signed(release, later):
    changed = replace(
        release, yanked=later.yanked, tombstone=later.tombstone, signatures=later.signatures, serial=later.serial
    )
    assert signed_bytes(changed) == signed_bytes(release)


@given(RELEASES, st.integers(0, 10_000), st.integers(1, 255))
def test_a_signature_with_any_byte_changed_is_not_good_for_that_key(release, place, flip):
    data = bytearray(make_signature(release, ALICE))
    data[place % len(data)] ^= flip
    assert check_signature(release, ALICE.public.key_id, bytes(data)).state == BAD


@given(RELEASES, st.binary(max_size=300))
def test_what_is_no_signature_file_is_bad_and_never_raises(release, data):
    assert check_signature(release, ALICE.public.key_id, data).state == BAD


@given(RELEASES)
def test_a_signature_under_the_name_of_another_key_is_bad(release):
    assert check_signature(release, BOB.public.key_id, make_signature(release, ALICE)).state == BAD


@given(RELEASES)
def test_one_that_is_cut_or_padded_is_bad(release):
    data = make_signature(release, ALICE)
    assert check_signature(release, ALICE.public.key_id, data[:-1]).state == BAD
    assert check_signature(release, ALICE.public.key_id, data + b" " * (1 << 17)).state == BAD


def test_a_signature_of_another_kind_of_key_is_refused_by_its_own_words():
    document = {"format": 1, "key": {"type": "rsa", "public": ""}, "signature": ""}
    with pytest.raises(ValueError, match="ed25519"):
        parse_signature(json.dumps(document).encode())


@given(RELEASES)
def test_only_signatures_of_known_publishers_are_looked_at(release):
    release = replace(release, signatures=((ALICE.public.key_id, "0" * 64), (BOB.public.key_id, "0" * 64)))
    key = PublisherKey(ALICE.public.key_id, "ed25519", ALICE.public.hex)
    publishers = Publishers((Publisher("acme", "Acme", (key,)),))
    asked = []

    def read(key_id):
        asked.append(key_id)
        return make_signature(release, ALICE)

    assert [one.state for one in check_known_signatures(release, publishers, read)] == [GOOD]
    assert asked == [ALICE.public.key_id]
    assert [one.state for one in check_known_signatures(release, publishers, lambda _id: None)] == [UNCHECKED]
    assert [one.state for one in check_known_signatures(release, publishers, lambda _id: b"")] == [BAD]
    assert check_known_signatures(release, Publishers(), read) == ()


def test_the_length_of_a_key_id_tells_its_kind():
    assert (kind_of("ab" * 32), kind_of("ab" * 20)) == ("ed25519", "openpgp")
    assert (short("0123456789abcdef" * 4), short("ab" * 10 + "0123456789abcdef0123")) == (
        "01234567",
        "456789abcdef0123",
    )
    for text in ("", "ab", "AB" * 32, "../" * 20 + "abcd", "ab" * 33):
        with pytest.raises(ValueError, match="no key id"):
            kind_of(text)
