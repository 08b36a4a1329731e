"""Signing requests: what they prove, what they say in words, and every way in which one that was tampered with is refused."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpm.errors import SigningRequestOutdatedError, SigningRequestRefusedError
from mmpm.trust import documents as d
from mmpm.trust.describing import describe
from mmpm.trust.facts import BIN, BINS, ROOT, TARGETS, TRUST, DocumentFacts, Identity, RoleKeys, TargetFile
from mmpm.trust.keys import SigningKey
from mmpm.trust.levels import Mark, Marks, Publisher, PublisherKey, Publishers, Revocation
from mmpm.trust.metadata import expiry
from mmpm.trust.signing import add_signatures, examine, require_known
from mmpm.trust.signing_request import Base, SigningRequest

NOW = datetime(2026, 1, 10, tzinfo=UTC)
LATER = datetime(2027, 1, 10, tzinfo=UTC)
ID = "acme.example"
K = {
    name: SigningKey.generate()
    for name in ("root", "root2", "root3", "targets", "trust", "bins", "bin", "snapshot", "timestamp")
}
SHARD = "trust/levels/0a.json"
PUBLISHERS = "trust/publishers.json"
CHECKSUM = "sha256:" + "5" * 64
ALICE = SigningKey.generate().public


def keys(*names, threshold=1):
    return RoleKeys(tuple(K[name].public.hex for name in names), threshold)


def signed(facts, *names):
    return d.sign_document(d.write_document(facts), [K[name] for name in names])


def root(version, root_keys, at=NOW, **others):
    delegates = {"root": root_keys, **{role: keys(role) for role in ("targets", "snapshot", "timestamp")}, **others}
    return DocumentFacts(ROOT, version, expiry(ROOT, at), delegates, Identity(ID, "Acme"))


def targets(version, at=NOW, **others):
    return DocumentFacts(TARGETS, version, expiry(TARGETS, at), {TRUST: keys("trust"), BINS: keys("bins"), **others})


def trust(version, files, at=NOW):
    listed = {target: TargetFile.of(text.encode()) for target, text in files.items()}
    return DocumentFacts(TRUST, version, expiry(TRUST, at), {}, targets=listed)


def mark(note="", name="mol-a"):
    return Mark(name, "1.0.0", CHECKSUM, "Eve", "2026-01-01T00:00:00Z", note)


OLD_FILES = {
    PUBLISHERS: Publishers((Publisher("eve", "Eve Inc", scopes=("@eve",)),)).to_bytes().decode(),
    SHARD: Marks(audits={CHECKSUM: mark("looked at")}).to_bytes().decode(),
}
ROOTS = (signed(root(1, keys("root")), "root"), signed(root(2, keys("root", "root2", threshold=2)), "root", "root2"))
DOCUMENTS = {
    TARGETS: signed(targets(1), "targets"),
    TRUST: signed(trust(1, OLD_FILES), "trust"),
    BINS: signed(DocumentFacts(BINS, 1, expiry(BINS, NOW), {BIN: keys("bin")}), "bins"),
}
BASE = Base(7, ROOTS, DOCUMENTS)


def request(documents, files=None, before=(), purpose=("yearly renewal",)):
    base = Base(7, ROOTS, DOCUMENTS, {target: OLD_FILES[target] for target in before})
    return SigningRequest(ID, purpose, base, documents, files or {}).sealed(K["snapshot"])


def everything():
    """A request that changes every document and both kinds of files."""
    owner = Publisher("acme", "Acme", (PublisherKey(ALICE.key_id, "ed25519", ALICE.hex),), ("@acme",), ("mol-x",))
    eve = Publisher("eve", "Eve Inc", (), (), (), (Revocation("", 5, "stole"),))
    files = {PUBLISHERS: Publishers((owner, eve)).to_bytes().decode(), SHARD: Marks().to_bytes().decode()}
    documents = {
        ROOT: d.write_document(root(3, keys("root", "root3"), LATER, targets=keys("root2"))),
        TARGETS: d.write_document(targets(2, LATER, trust=keys("trust", "root3", threshold=2))),
        TRUST: d.write_document(trust(2, files, LATER)),
        BINS: d.write_document(DocumentFacts(BINS, 2, expiry(BINS, LATER), {BIN: keys("root3")})),
    }
    return request(documents, files, before=(PUBLISHERS, SHARD))


def complete():
    return add_signatures(examine(everything()), K.values())[0]


def test_a_request_comes_back_from_its_file():
    one = complete()
    assert SigningRequest.parse(one.to_bytes()) == one
    assert one.id == everything().id
    assert SigningRequest.parse(json.dumps(json.loads(one.to_bytes()), indent=4).encode()) == one


def test_everything_that_is_signed_is_in_a_sentence():
    examined = examine(everything())
    told = "\n".join(describe(examined))
    assert f"registry {ID} (Acme), first root key sha256:{d.fingerprint_of(ROOTS[0])}" in told
    for line in (
        "said to be for: yearly renewal",
        f"root: the key {K['root3'].public.text} ({K['root3'].public.key_id[:16]}) is added",
        f"root: the key {K['root2'].public.text} ({K['root2'].public.key_id[:16]}) is taken out",
        "(before: 2 of 2 keys)",
        "trust: from now on 2 of 2 keys must sign",
        f"targets: the key {K['root2'].public.text}",
        f"bin: the key {K['bin'].public.text} ({K['bin'].public.key_id[:16]}) is taken out",
        "root becomes version 3, good until 2029-01-09T00:00:00Z (before: 2028-01-10T00:00:00Z)",
        "bins becomes version 2",
        "publisher acme (Acme) is added",
        f"publisher acme: the key {ALICE.text} ({ALICE.key_id[:16]}) is added",
        "publisher acme owns @acme from now on",
        "publisher acme owns mol-x from now on",
        "publisher eve owns @eve no more",
        "publisher eve: every key is revoked from serial 5 on: stole",
        f"mol-a@1.0.0 {CHECKSUM} is audited no more (by Eve at 2026-01-01T00:00:00Z: looked at)",
    ):
        assert line in told, line
    assert "a new epoch" not in told


def test_a_new_epoch_is_said():
    documents = {ROOT: d.write_document(root(3, keys("root", "root2", threshold=2), timestamp=keys("root3")))}
    assert any("a new epoch" in line for line in describe(examine(request(documents))))


def test_what_waits_for_which_keys_is_counted():
    examined = examine(everything())
    assert [(one.role, one.keys.threshold, len(one.signed), one.is_former) for one in examined.needs] == [
        ("root", 2, 0, True), ("root", 1, 0, False), ("targets", 1, 0, False), ("trust", 2, 0, False), ("bins", 1, 0, False),
    ]  # fmt: skip
    one, added = add_signatures(examined, [K["root"], K["bins"], SigningKey.generate()])
    assert sorted(added) == [("bins", K["bins"].public.key_id), ("root", K["root"].public.key_id)]
    missing = [need.sentence for need in examine(one).missing]
    assert missing[0].startswith("root has 1 of 2 signatures by the keys before, of ")
    assert len(missing) == 3
    assert examine(complete()).missing == ()
    assert add_signatures(examine(complete()), K.values())[1] == ()


# --- tampering


def leaves(value, path=()):
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
            yield (*path, key)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, (*path, number))
            yield (*path, number)
    else:
        yield path


VALUE = json.loads(complete().to_bytes())
PATHS = sorted(set(leaves(VALUE)), key=str)


def changed(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value[:-1] + ("1" if value.endswith("0") else "0")
    return [] if value else None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PATHS), st.booleans())
def test_whatever_is_changed_on_the_way_is_refused(path, remove):
    value = copy.deepcopy(VALUE)
    *above, last = path
    place = value
    for step in above:
        place = place[step]
    if remove:
        del place[last]
    else:
        place[last] = changed(place[last])
    if not remove and place[last] == VALUE:
        return
    try:
        examined = examine(SigningRequest.parse(json.dumps(value).encode()))
    except SigningRequestRefusedError:
        return
    # What is left is a request with signatures, or its seal, taken away: it says the same, and lacks them.
    assert examined.request.id == complete().id
    assert examined.missing or path[0] == "seal" or len(path) == 4
    if path[0] == "seal":
        assert "(nobody vouches for this sentence)" in "\n".join(describe(examined))


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("documents", lambda one: one["documents"].append(one["documents"][0])),
        ("documents", lambda one: one["documents"].reverse()),
        ("format", lambda one: one.update(format=2)),
        ("field", lambda one: one.update(more=1)),
        ("signature", lambda one: one["documents"][0]["signatures"].append({"keyid": "0" * 64, "sig": "00" * 64})),
        ("file", lambda one: one["files"].append({"target": "formulas/x", "text": "{}"})),
        ("nothing", lambda one: one.update(documents=[], files=[])),
    ],
)  # fmt: skip
def test_other_shapes_are_refused(what, change):
    value = copy.deepcopy(VALUE)
    change(value)
    with pytest.raises(SigningRequestRefusedError):
        examine(SigningRequest.parse(json.dumps(value).encode()))
    assert what


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"format":1}', b"{" * 1000, b'{"format":1,"kind":"pack"}']
)
def test_what_is_no_request_is_refused_in_one_line(data):
    with pytest.raises(SigningRequestRefusedError) as refused:
        SigningRequest.parse(data)
    assert "\n" not in refused.value.fact


def test_a_thief_who_makes_the_base_up_is_caught_by_whoever_knows_a_root():
    thief = SigningKey.generate()
    own = RoleKeys((*keys("root").public, thief.public.hex))
    facts = [root(1, own), root(2, own)]
    roots = tuple(d.sign_document(d.write_document(one), [thief]) for one in facts)
    made_up = SigningRequest(ID, (), Base(7, roots, DOCUMENTS), {ROOT: d.write_document(root(3, own))})
    examined = examine(made_up)  # consistent in itself, so that the fingerprint is what tells
    assert describe(examined)[0] != describe(examine(everything()))[0]
    with pytest.raises(SigningRequestRefusedError, match="not the one that is known here"):
        require_known(examined, ROOTS[0])


def test_a_replayed_request_is_known_for_one():
    third = signed(root(3, keys("root", "root2", threshold=2), LATER), "root", "root2")
    require_known(examine(everything()), ROOTS[0])
    require_known(examine(everything()), ROOTS[1])
    with pytest.raises(SigningRequestOutdatedError):
        require_known(examine(everything()), third)
    require_known(examine(complete()), complete().documents[ROOT])  # what it led to itself


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        ({ROOT: d.write_document(root(4, keys("root")))}, "version 4"),
        ({ROOT: d.write_document(root(2, keys("root")))}, "version 2"),
        ({ROOT: d.write_document(root(3, keys("root"), targets=keys("bin")))}, "no targets document"),
        ({TARGETS: d.write_document(targets(2, trust=keys("bin")))}, "no trust document"),
        ({"snapshot": d.write_document(root(3, keys("root")))}, "none of"),
        ({TRUST: d.write_document(trust(2, {PUBLISHERS: "{}"}))}, "not those"),
    ],
)  # fmt: skip
def test_documents_that_do_not_fit_together_are_refused(documents, reason):
    with pytest.raises(SigningRequestRefusedError, match=reason):
        examine(request(documents))


@pytest.mark.parametrize(
    "text", ["{}", '{"format":1,"publishers":[],"more":1}', '{"publishers":[],"format":1}', "no json"]
)
def test_a_file_that_no_sentence_describes_is_not_signed(text):
    files = {PUBLISHERS: text, SHARD: OLD_FILES[SHARD]}
    one = request({TRUST: d.write_document(trust(2, files))}, {PUBLISHERS: text}, before=(PUBLISHERS,))
    with pytest.raises(SigningRequestRefusedError, match="cannot be described"):
        describe(examine(one))
