"""What is believed of a registry is kept outside the store, and never goes back."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import TrustStateUnreadableError
from mmpm.registry.state import TrustFolder, TrustState

HASH = "ab" * 32
STATE = TrustState("acme.corp", 1, "keys-1", 5, "2026-11-21T00:00:00Z", HASH, 100, HASH, "2026-11-21T01:00:00Z")


@pytest.fixture
def folder(tmp_path):
    return TrustFolder.of(str(tmp_path / "trust"), "acme.corp")


STATES = st.builds(
    replace,
    st.just(STATE),
    root_version=st.integers(1, 3),
    serial=st.integers(1, 4),
    issued=st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
).map(lambda state: replace(state, keyset="old" if state.root_version < 2 else "new"))


@given(STATES, STATES)
def test_of_two_states_at_most_one_is_newer(one, two):
    assert not (one.is_newer_than(two) and two.is_newer_than(one))


@given(STATES, STATES, STATES)
def test_newer_is_transitive(one, two, three):
    if one.is_newer_than(two) and two.is_newer_than(three):
        assert one.is_newer_than(three)


def test_a_new_key_set_opens_a_new_epoch_and_an_old_one_never_returns():
    recovered = replace(STATE, root_version=2, keyset="keys-2", serial=1, issued="2026-01-01T00:00:00Z")
    assert recovered.is_newer_than(STATE)
    assert not STATE.is_newer_than(recovered)
    assert not replace(STATE, serial=99).is_newer_than(recovered)


def test_nothing_is_believed_at_first(folder):
    assert (folder.pinned(), folder.root(), folder.read()) == (None, None, None)


def test_what_is_promoted_is_read_again(folder):
    assert folder.promote(STATE, b"root one")
    assert folder.read() == STATE
    assert folder.root() == b"root one"


def test_a_promotion_never_goes_back(folder):
    assert folder.promote(STATE, b"root one")
    assert not folder.promote(replace(STATE, serial=4), b"root one")
    assert folder.read() == STATE


def test_a_confirmation_only_moves_the_time_of_the_check(folder):
    folder.promote(STATE, b"root one")
    assert not folder.promote(replace(STATE, checked_at="2026-11-22T00:00:00Z"), b"root one")
    assert folder.read() == replace(STATE, checked_at="2026-11-22T00:00:00Z")


def test_promotions_at_once_end_at_the_highest(folder):
    serials = list(range(1, 25))
    threads = [
        threading.Thread(target=folder.promote, args=(replace(STATE, serial=serial), b"root")) for serial in serials
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folder.read().serial == 24


def test_another_pin_makes_what_was_believed_void(folder):
    folder.pin(HASH)
    folder.promote(STATE, b"root one")
    folder.pin(HASH)
    assert folder.read() == STATE
    folder.pin("cd" * 32)
    assert folder.read() is None
    assert folder.pinned() == "cd" * 32


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"null", b'{"format":2}', b"\xff", b"[" * 10_000, b"x" * 20_000,
        STATE.to_bytes().replace(b"acme.corp", b"evil.corp"),
        STATE.to_bytes().replace(b": 5", b": -5"),
        STATE.to_bytes().replace(b": 5", b': "5"'),
        STATE.to_bytes().replace(b"abab", b"zzzz", 1),
        STATE.to_bytes().replace(STATE.issued.encode(), b"yesterday"),
    ],
)  # fmt: skip
def test_a_damaged_state_is_refused_and_never_taken_for_none(folder, text, tmp_path):
    folder.promote(STATE, b"root")
    (tmp_path / "trust" / "acme.corp" / "state.json").write_bytes(text)
    with pytest.raises(TrustStateUnreadableError):
        folder.read()


def test_a_damaged_pin_is_refused(folder, tmp_path):
    folder.pin(HASH)
    (tmp_path / "trust" / "acme.corp" / "pinned").write_bytes(b"no\n")
    with pytest.raises(TrustStateUnreadableError):
        folder.pinned()
