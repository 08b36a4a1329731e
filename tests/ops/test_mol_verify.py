"""Verifying digests and proofs: whatever is changed in them is found, and named where something here can name it."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import Life, linear
from molecule_town import patrol_that_failed, put, review_that_is_done, review_that_runs

from mmpm.errors import UNTRUSTED, DigestUntrustedError, NoDigestError, StepUnknownError, UsageError
from mmpm.model.canonical import canonical_json
from mmpm.molecule.digest import Digest, root_of
from mmpm.molecule.proofs import Proof, prove
from mmpm.ops.mol_state import Workspace
from mmpm.ops.mol_verify import parse_root, verify_operand

WISP = patrol_that_failed()[1]
LIFE, MOL = review_that_is_done()
STEP = "arm-ace.check"
PROOF = prove(WISP, STEP)


@dataclass
class Root:
    """What a workspace asks its context for, in tests that only read."""

    root: str


@dataclass
class Here:
    project: Root


def check(folder, operand, **asked):
    return verify_operand(lambda: Workspace(Here(Root(str(folder)))), str(operand), str(folder / operand), **asked)


def nowhere():
    raise AssertionError("a proof needs nothing but its file")


def written(folder, data, name="a.json"):
    (folder / name).write_bytes(data)
    return name


def spots(value, path=()):
    """Every place in a JSON document."""
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from spots(value[key], (*path, key))


def altered(document, path, change):
    found = deepcopy(document)
    *above, last = path
    place = found
    for key in above:
        place = place[key]
    change(place, last)
    return found


def other_value(place, key):
    old = place[key]
    place[key] = (
        old + "x"
        if isinstance(old, str)
        else old + 1
        if isinstance(old, int)
        else [*old, "x"]
        if isinstance(old, list)
        else {**old, "x": "x"}
    )


def one_less(place, key):
    old = place[key]
    place[key] = (
        old - 1 if isinstance(old, int) else dict(list(old.items())[:-1]) if isinstance(old, dict) else old[:-1]
    )


def empty_value(place, key):
    place[key] = type(place[key])()


def taken_out(place, key):
    del place[key]


DIGEST_DOCUMENT = json.loads(WISP.to_bytes())
CHANGES = (other_value, empty_value, taken_out)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("path", list(spots(DIGEST_DOCUMENT)), ids=lambda path: ".".join(map(str, path)))
def test_a_digest_with_any_field_changed_or_gone_does_not_hold(tmp_path, path, change):
    data = canonical_json(altered(DIGEST_DOCUMENT, path, change))
    if data == WISP.to_bytes():
        pytest.skip("it was empty before")
    with pytest.raises(DigestUntrustedError):
        check(tmp_path, written(tmp_path, data))


@pytest.mark.parametrize("path", list(spots(DIGEST_DOCUMENT)), ids=lambda path: ".".join(map(str, path)))
def test_a_digest_with_any_field_changed_and_its_root_made_anew_is_not_what_the_known_root_stands_for(tmp_path, path):
    try:
        forged = Digest.parse(canonical_json(altered(DIGEST_DOCUMENT, path, other_value)))
    except ValueError:
        return
    forged = replace(forged, root=root_of(forged))
    if path != ("root",):
        assert forged.root != WISP.root
        with pytest.raises(DigestUntrustedError, match="was given"):
            check(tmp_path, written(tmp_path, forged.to_bytes()), root=WISP.root)


def test_a_digest_with_any_byte_changed_does_not_hold(tmp_path):
    data = WISP.to_bytes()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1 << at % 7]) + data[at + 1 :]
        with pytest.raises(DigestUntrustedError):
            check(tmp_path, written(tmp_path, changed), root=WISP.root)


@pytest.mark.parametrize("change", [*CHANGES, one_less])
@pytest.mark.parametrize("step", [one.step for one in MOL.outcomes])
def test_a_proof_with_any_field_changed_or_gone_does_not_hold(tmp_path, step, change):
    document = json.loads(prove(MOL, step).to_bytes())
    for path in spots(document):
        data = canonical_json(altered(document, path, change))
        if data != canonical_json(document):
            with pytest.raises(DigestUntrustedError):
                check(tmp_path, written(tmp_path, data), step=step, root=MOL.root)


def test_a_proof_with_any_byte_changed_does_not_hold(tmp_path):
    data = PROOF.to_bytes()
    for at in range(len(data)):
        for byte in (data[at] ^ 1, data[at] ^ 0x20, ord('"') if data[at] != ord('"') else 0):
            changed = data[:at] + bytes([byte]) + data[at + 1 :]
            with pytest.raises(DigestUntrustedError):
                check(tmp_path, written(tmp_path, changed), step=STEP, root=WISP.root)


@given(st.binary(max_size=200), st.sampled_from([b"", b'{"leaf":', WISP.to_bytes()[:300], PROOF.to_bytes()[:300]]))
def test_any_other_file_is_untrusted_in_one_line(tmp_path_factory, data, before):
    folder = tmp_path_factory.getbasetemp()
    with pytest.raises(DigestUntrustedError) as caught:
        check(folder, written(folder, before + data, "any.json"), root=WISP.root)
    assert caught.value.exit_status == UNTRUSTED
    assert "\n" not in caught.value.fact


def test_a_proof_holds_with_nothing_but_its_file_and_the_root(tmp_path):
    path = tmp_path / written(tmp_path, PROOF.to_bytes() + b"\n")
    found = verify_operand(nowhere, str(path), str(path), step=STEP, root=WISP.root)
    assert found.outcome["reason"] == "failed: broken"
    assert verify_operand(nowhere, str(path), str(path), root=WISP.root).step == STEP


def test_a_proof_needs_a_root_and_is_not_proved_again(tmp_path):
    name = written(tmp_path, PROOF.to_bytes())
    with pytest.raises(UsageError, match="a root that you know"):
        check(tmp_path, name, step=STEP)
    with pytest.raises(UsageError, match="a proof already"):
        check(tmp_path, name, step=STEP, root=WISP.root, proves=True)


def test_a_proof_names_what_does_not_fit(tmp_path):
    name = written(tmp_path, PROOF.to_bytes())
    with pytest.raises(DigestUntrustedError, match=r"shows the step 'arm-ace\.check', and not 'load'"):
        check(tmp_path, name, step="load", root=WISP.root)
    with pytest.raises(DigestUntrustedError, match=f"under {WISP.root}, and {MOL.root} was given"):
        check(tmp_path, name, step=STEP, root=MOL.root)
    changed = replace(PROOF, leaf=PROOF.leaf.replace(b"broken", b"brakes"))
    with pytest.raises(DigestUntrustedError, match="does not lead to its root"):
        check(tmp_path, written(tmp_path, changed.to_bytes()), step=STEP, root=WISP.root)


def test_a_proof_of_one_step_among_a_thousand_is_less_than_a_kilobyte(tmp_path):
    life = Life(linear(*(f"step-{number}" for number in range(1000))))
    digest = life.do("squash", "", {}).digest
    put(tmp_path, life, digest)
    proof = check(tmp_path, digest.id, step="step-999", proves=True).proof
    assert len(proof.to_bytes()) < 1000
    assert check(tmp_path, written(tmp_path, proof.to_bytes()), step="step-999", root=digest.root).step == "step-999"


def test_a_digest_is_held_against_the_log_that_is_still_here(tmp_path):
    put(tmp_path, LIFE, MOL)
    assert check(tmp_path, MOL.id).log == "agrees"
    assert check(tmp_path, written(tmp_path, MOL.to_bytes())).log == "agrees"
    assert check(tmp_path, MOL.id, step=f"{MOL.id}.security", proves=True).proof == prove(MOL, "security")
    assert check(tmp_path, written(tmp_path, WISP.to_bytes())).log == "none"


def test_a_squash_that_was_killed_before_its_line_agrees_with_its_log(tmp_path):
    life, digest = review_that_is_done()
    life.lines.pop()
    put(tmp_path, life, digest)
    assert check(tmp_path, digest.id).log == "agrees"


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        (b'"no findings"', b'"a finding.."', "tells otherwise of: step 'security'$"),
        (b'"beads/amber","bonded_at"', b'"beads/opal","bonded_at"', "of: actor$"),
        (b'"lib/"', b'"src/"', "of: variable 'scope'$"),
        (b'"1.3.0"', b'"1.3.1"', "of: provenance$"),
        (b'"summary":"6', b'"summary":"7', "all but the summary and the lock entry"),
    ],
)
def test_the_log_names_what_was_changed_in_a_digest(tmp_path, before, after, named):
    put(tmp_path, LIFE, MOL)
    assert before in MOL.to_bytes()
    name = written(tmp_path, MOL.to_bytes().replace(before, after, 1))
    with pytest.raises(DigestUntrustedError, match="it was changed") as caught:
        check(tmp_path, name)
    assert caught.match(named)


def test_a_log_that_was_changed_after_the_squash_is_found(tmp_path):
    life, digest = review_that_is_done()
    closed = life.lines[3]
    life.lines[3] = replace(closed, actor="beads/opal")
    put(tmp_path, life, digest)
    with pytest.raises(DigestUntrustedError, match=r"the log of .* tells otherwise of: step 'security'"):
        check(tmp_path, digest.id)


def test_a_log_that_cannot_be_used_vouches_for_nothing_which_is_said(tmp_path):
    put(tmp_path, LIFE, MOL)
    log = tmp_path / ".beads/mmpm/mols" / f"{MOL.id}.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"format":1', b'"format":9', 1))
    assert "a newer mmpm wrote it" in check(tmp_path, MOL.id).log
    log.write_bytes(b"no\n")
    assert "does not begin with the bond" in check(tmp_path, MOL.id).log


def test_a_digest_under_another_molecules_name_is_untrusted(tmp_path):
    put(tmp_path, LIFE, MOL)
    path = tmp_path / ".beads/mmpm/digests" / f"{MOL.id}.json"
    path.write_bytes(WISP.to_bytes())
    with pytest.raises(DigestUntrustedError, match=f"it is the digest of {WISP.id}"):
        check(tmp_path, MOL.id)


def test_what_has_no_digest_is_told_why(tmp_path):
    life = review_that_runs()
    with pytest.raises(NoDigestError, match="it still runs"):
        check(tmp_path, put(tmp_path, life))
    put(tmp_path, LIFE)
    with pytest.raises(NoDigestError, match="that digest is not here"):
        check(tmp_path, MOL.id)
    with pytest.raises(NoDigestError, match="neither a digest of it nor a file"):
        check(tmp_path, "nothing")
    with pytest.raises(NoDigestError, match="no such file"):
        check(tmp_path, "nothing.json")
    with pytest.raises(NoDigestError, match="not a plain file"):
        check(tmp_path, ".")


def test_a_step_that_the_digest_does_not_tell_of_is_unknown(tmp_path):
    put(tmp_path, LIFE, MOL)
    with pytest.raises(StepUnknownError, match="did you mean security"):
        check(tmp_path, MOL.id, step="secrity")


def test_a_root_is_written_with_or_without_its_kind():
    assert parse_root(MOL.root) == parse_root(MOL.root[7:]) == MOL.root
    for text in ("", "sha256:", MOL.root.upper(), MOL.root[:-1], "md5:" + MOL.root[7:]):
        with pytest.raises(ValueError, match="not a checksum"):
            parse_root(text)


def test_a_proof_whose_leaf_is_no_outcome_is_untrusted_even_where_it_leads_to_the_root(tmp_path):
    forged = Proof("sha256:" + "0" * 64, b'["step x",{"title":1}]', (), "")
    root = "sha256:" + hashlib.sha256(b"\0" + forged.leaf).hexdigest()
    name = written(tmp_path, replace(forged, root=root).to_bytes())
    with pytest.raises(DigestUntrustedError, match="not what became of a step"):
        check(tmp_path, name, root=root)


def test_a_step_whose_id_is_too_long_for_a_proof_is_named_by_whoever_checks(tmp_path):
    long = "a" * 300
    digest = replace(WISP, outcomes=(replace(WISP.outcomes[0], step=long), *WISP.outcomes[1:]))
    digest = replace(digest, root=root_of(digest))
    name = written(tmp_path, prove(digest, long).to_bytes())
    found = check(tmp_path, name, step=long, root=digest.root)
    assert found.step == found.outcome["step"] == long
    with pytest.raises(UsageError, match="too long"):
        check(tmp_path, name, root=digest.root)
    with pytest.raises(DigestUntrustedError, match="does not show the step 'b'"):
        check(tmp_path, name, step="b", root=digest.root)


def test_a_full_id_does_not_pass_for_the_step_of_a_proof_and_the_reason_says_why(tmp_path):
    name = written(tmp_path, PROOF.to_bytes())
    with pytest.raises(DigestUntrustedError, match="a proof names a step without its molecule"):
        check(tmp_path, name, step=f"{WISP.id}.{STEP}", root=WISP.root)


def test_a_file_that_bears_a_molecule_s_id_does_not_vouch_for_it_with_another_s_digest(tmp_path):
    written(tmp_path, WISP.to_bytes(), "other-mol-a")
    with pytest.raises(NoDigestError, match=f"holds the digest of {WISP.id}"):
        check(tmp_path, "other-mol-a")
    assert check(tmp_path, "./other-mol-a").digest == WISP
    written(tmp_path, WISP.to_bytes(), WISP.id)
    assert check(tmp_path, WISP.id).digest == WISP


def test_what_a_leaf_says_of_its_step_does_not_stand_over_what_was_asked_for(tmp_path):
    long = "a" * 300
    label = f"step_hash {hashlib.sha256(long.encode()).hexdigest()}"
    forged = Proof("", canonical_json([label, {"state": "closed", "step": "another"}]), (), "")
    root = "sha256:" + hashlib.sha256(b"\0" + forged.leaf).hexdigest()
    name = written(tmp_path, replace(forged, root=root).to_bytes())
    assert check(tmp_path, name, step=long, root=root).outcome["step"] == long
