"""Levels: what vouches for a release, and that what is withdrawn never raises one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.model.checksums import Checksum
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.trust.facts import key_id_of
from mmpm.trust.levels import (
    LEVELS,
    Mark,
    Marks,
    Publisher,
    PublisherKey,
    Publishers,
    Revocation,
    judge_level,
    rank,
)

AT = "2026-01-10T00:00:00Z"
PUBLIC = [f"{number:02x}" * 32 for number in range(4)]
KEYS = [PublisherKey(key_id_of(public), "ed25519", public) for public in PUBLIC]
PGP = PublisherKey("ab" * 20, "openpgp", "-----BEGIN PGP PUBLIC KEY BLOCK-----")
NAMES = ["@acme/mol-a", "mol-b", "@acme/mol-b"]
SUM = [f"sha256:{number:02x}{'0' * 62}" for number in range(3)]


@dataclass(frozen=True)
class Line:
    """The part of an index line that levels look at."""

    name: FormulaName
    version: Version
    checksum: Checksum
    serial: int
    signatures: tuple[tuple[str, str], ...] = ()
    signed_later: tuple[tuple[str, int], ...] = ()


def line(name="@acme/mol-a", *keys, serial=5, checksum=SUM[0], later=()):
    signatures = tuple((key.key_id, "0" * 64) for key in keys)
    return Line(FormulaName.parse(name), Version.parse("1.0.0"), Checksum.parse(checksum), serial, signatures, later)


def acme(*keys, scopes=("@acme",), names=(), revoked=()):
    return Publisher("acme", "Acme", tuple(keys), scopes, names, tuple(revoked))


def level_of(release, publishers=(), marks=None, verified=None):
    return judge_level(release, Publishers(tuple(publishers)), marks or Marks(), verified).level


LINES = st.builds(
    line,
    st.sampled_from(NAMES),
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
    serial=st.integers(0, 6),
    checksum=st.sampled_from(SUM),
    later=st.lists(st.tuples(st.sampled_from([key.key_id for key in KEYS]), st.integers(0, 6)), max_size=2).map(tuple),
)
REVOCATIONS = st.builds(
    Revocation, st.sampled_from(["", *(key.key_id for key in KEYS)]), st.integers(0, 6), st.sampled_from(["", "stolen"])
)
AUDITS = st.builds(Mark, st.sampled_from(NAMES), st.just("1.0.0"), st.sampled_from(SUM), st.just("A"), st.just(AT))
OFFICIALS = st.builds(Mark, st.sampled_from(NAMES), st.just(""), st.just(""), st.just("A"), st.just(AT))


@st.composite
def worlds(draw):
    owner = {key: draw(st.integers(0, 2)) for key in ("@acme", *NAMES)}
    holder = [draw(st.integers(0, 2)) for _ in KEYS]
    publishers = Publishers(
        tuple(
            Publisher(
                f"p{number}",
                f"P{number}",
                tuple(key for key, one in zip(KEYS, holder, strict=True) if one == number),
                ("@acme",) if owner["@acme"] == number else (),
                tuple(name for name in NAMES if owner[name] == number),
                tuple(draw(st.lists(REVOCATIONS, max_size=2))),
            )
            for number in range(2)
        )
    )
    marks = Marks()
    for mark in draw(st.lists(AUDITS | OFFICIALS, max_size=4)):
        marks = marks.with_mark(mark)
    return publishers, marks


@given(worlds(), LINES)
def test_withdrawing_never_raises_a_level(world, release):
    publishers, marks = world
    before = rank(judge_level(release, publishers, marks).level)
    weaker = [(publishers, marks.without_official(release.name)), (publishers, marks.without_audit(release.checksum))]
    for one in publishers.publishers:
        rest = tuple(other for other in publishers.publishers if other != one)
        weaker.append((Publishers(rest), marks))
        cut = [replace(one, **{key: getattr(one, key)[1:]}) for key in ("keys", "scopes", "names")]
        cut.append(replace(one, revoked=(*one.revoked, Revocation("", 0, "gone"))))
        weaker += [(Publishers((*rest, changed)), marks) for changed in cut]
    assert all(rank(judge_level(release, *one).level) <= before for one in weaker)


@given(worlds(), LINES, st.frozensets(st.sampled_from([key.key_id for key in KEYS])))
def test_a_signature_that_was_not_checked_never_raises_a_level_above_the_claim(world, release, verified):
    claimed, checked = judge_level(release, *world), judge_level(release, *world, verified)
    assert rank(checked.level) <= rank(claimed.level)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_what_a_document_lists_plays_no_role(world, shuffle):
    publishers, _ = world
    mixed = []
    for one in publishers.publishers:
        parts = {key: list(getattr(one, key)) for key in ("keys", "scopes", "names", "revoked")}
        for part in parts.values():
            shuffle.shuffle(part)
        mixed.append(Publisher(one.id, one.name, **{key: tuple(part) for key, part in parts.items()}))
    shuffle.shuffle(mixed)
    assert Publishers(tuple(mixed)) == publishers
    assert Publishers(tuple(mixed)).to_bytes() == publishers.to_bytes()


@given(worlds())
def test_both_documents_read_back_as_they_were_written(world):
    publishers, marks = world
    assert Publishers.parse(publishers.to_bytes()) == publishers
    assert Marks.parse(marks.to_bytes()) == marks


def test_the_levels_stand_from_the_least_to_the_most_trusted():
    assert [rank(level) for level in LEVELS] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="no level"):
        rank("blessed")


def test_a_release_that_nobody_vouches_for_is_unverified_and_says_so():
    assert judge_level(line(), Publishers(), Marks()).sentences == ("nobody vouches for it",)
    assert level_of(line("mol-b", KEYS[0])) == "unverified"  # a key that nobody is known by


def test_a_publisher_who_owns_the_scope_or_the_name_verifies_by_its_signature():
    assert level_of(line("@acme/mol-a", KEYS[0]), [acme(KEYS[0])]) == "verified"
    assert level_of(line("mol-b", KEYS[0]), [acme(KEYS[0], names=("mol-b",))]) == "verified"
    assert level_of(line("mol-b", KEYS[0]), [acme(KEYS[0])]) == "unverified"


def test_a_signature_by_a_publisher_of_other_names_says_whose_it_is_and_does_not_count():
    judged = judge_level(line("mol-b", KEYS[0]), Publishers((acme(KEYS[0]),)), Marks())
    assert judged.level == "unverified"
    assert judged.publisher is None
    assert "does not own the name mol-b" in judged.sentences[0]


def test_a_revocation_from_a_serial_on_leaves_what_was_signed_before():
    publishers = [acme(KEYS[0], revoked=[Revocation(KEYS[0].key_id, 6, "laptop stolen")])]
    assert level_of(line("@acme/mol-a", KEYS[0], serial=5), publishers) == "verified"
    assert level_of(line("@acme/mol-a", KEYS[0], serial=6), publishers) == "unverified"


def test_a_revocation_from_zero_takes_every_signature_and_its_reason_is_said():
    publishers = Publishers((acme(KEYS[0], KEYS[1], revoked=[Revocation(KEYS[0].key_id, 0, "laptop stolen")]),))
    judged = judge_level(line("@acme/mol-a", KEYS[0], serial=0), publishers, Marks())
    assert judged.level == "unverified"
    assert "laptop stolen" in judged.sentences[0]
    assert judge_level(line("@acme/mol-a", KEYS[0], KEYS[1]), publishers, Marks()).level == "verified"


def test_a_stolen_key_gains_nothing_by_signing_an_old_release_later():
    publishers = [acme(KEYS[0], revoked=[Revocation(KEYS[0].key_id, 6, "stolen")])]
    assert level_of(line("@acme/mol-a", KEYS[0], serial=2, later=((KEYS[0].key_id, 7),)), publishers) == "unverified"


def test_a_revoked_publisher_loses_all_of_its_keys():
    publishers = [acme(KEYS[0], KEYS[1], revoked=[Revocation("", 0, "bankrupt")])]
    assert level_of(line("@acme/mol-a", KEYS[0], KEYS[1]), publishers) == "unverified"


def test_an_audit_is_of_these_bytes_under_this_name_and_version():
    marks = Marks().with_mark(Mark("@acme/mol-a", "1.0.0", SUM[0], "Sec", AT, "twice read"))
    judged = judge_level(line(), Publishers(), marks)
    assert (judged.level, judged.sentences) == ("audited", ("audited by Sec on 2026-01-10: twice read",))
    assert level_of(line(checksum=SUM[1]), marks=marks) == "unverified"
    assert level_of(replace(line(), version=Version.parse("9.0.0")), marks=marks) == "unverified"
    assert level_of(line("@acme/mol-b"), marks=marks) == "unverified"


def test_an_official_name_is_official_whoever_signed_it():
    marks = Marks().with_mark(Mark("mol-b", "", "", "Gas Town", AT))
    assert level_of(line("mol-b"), marks=marks) == "official"
    assert level_of(line("@acme/mol-b"), marks=marks) == "unverified"


@pytest.mark.parametrize(
    ("publishers", "reason"),
    [
        (lambda: (acme(KEYS[0]), Publisher("other", "Other", (KEYS[0],))), "listed twice"),
        (lambda: (acme(), Publisher("other", "Other", scopes=("@acme",))), "two publishers"),
        (lambda: (acme(), acme(KEYS[0], scopes=())), "two publishers with the id"),
        (lambda: (Publisher("x", "X", (PublisherKey(KEYS[0].key_id, "ed25519", PUBLIC[1]),)),), "does not have the id"),
        (lambda: (Publisher("x", "X", (PublisherKey(PGP.key_id, "ed25519", PUBLIC[1]),)),), "kind"),
        (lambda: (Publisher("Big", "X"),), "lower-case"),
        (lambda: (Publisher("x", "X", scopes=("acme",)),), "not a scope"),
        (lambda: (Publisher("x", ""),), "characters"),
    ],
)
def test_publishers_that_contradict_each_other_are_refused(publishers, reason):
    with pytest.raises(ValueError, match=reason):
        Publishers(publishers())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format":2,"publishers":[]}',
        b'{"format":1,"publishers":[1]}',
        b'{"format":1,"publishers":[{"id":"x","name":"X","keys":[{"id":"../x","kind":"ed25519","public":""}]}]}',
        b'{"format":1,"publishers":[{"id":"x","name":"X","revoked":[{"key":"","from_serial":-1,"reason":""}]}]}',
        b'{"format":1,"publishers":[],"publishers":[]}',
    ],
)
def test_what_is_no_list_of_publishers_is_refused_in_one_sentence(data):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        Publishers.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"format":1,"official":[]}',
        b'{"format":1,"official":{"Big":{"by":"","at":"2026-01-10T00:00:00Z","note":""}}}',
        b'{"format":1,"official":{"x":{"by":"","at":"yesterday","note":""}}}',
        b'{"format":1,"audited":{"md5:x":{"name":"x","version":"1.0.0","by":"","at":"2026-01-10T00:00:00Z","note":""}}}',
    ],
)
def test_what_is_no_levels_shard_is_refused_in_one_sentence(data):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        Marks.parse(data)


def test_the_document_of_a_registry_made_before_there_were_publishers_names_none():
    assert Publishers.parse(b'{"format":1,"names":{},"publishers":[],"revoked":[]}') == Publishers()
