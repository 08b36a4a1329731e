"""Digests: change any field and they no longer hold; a proof shows one step without the rest."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import ANN, ARM, PATROL, Life, linear

from mmpm.model.capabilities import Capabilities
from mmpm.molecule import bonding
from mmpm.molecule import digest as digests
from mmpm.molecule.bonding import Bond
from mmpm.molecule.digest import Digest, root_of, verify_digest
from mmpm.molecule.proofs import Proof, prove, verify


def lived():
    life = Life(PATROL, "wisp", extra="value")
    life.close("inbox")
    life.do("start", "survey")
    life.do("attach", "", Bond(ARM, {"polecat": "ace"}), ref="arm-ace")
    life.close("survey", "arm-ace.load")
    life.close("arm-ace.check", reason="failed: " + "because " * 20)
    return life.do("squash", "Two lines\nof summary", {"name": "mol-witness-patrol", "version": "2.1.0"}).digest


DIGEST = lived()
T = "2026-01-10T15:30:00Z"


def places(value, path=()):
    """Every place of a value at which something stands that can be changed."""
    if is_dataclass(value):
        for one in fields(value):
            yield from places(getattr(value, one.name), (*path, one.name))
    elif isinstance(value, dict):
        yield path
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, tuple):
        if path[-1] not in ("weights", "sources"):
            yield path
        for at, one in enumerate(value):
            yield from places(one, (*path, at))
    else:
        yield path


def changed(value, path):
    if not path:
        if isinstance(value, str):
            return value + "x"
        if isinstance(value, dict):
            return {**value, "x": "x"}
        return value[:-1] if value else ("x",)
    head, *rest = path
    if is_dataclass(value):
        return replace(value, **{head: changed(getattr(value, head), rest)})
    if isinstance(value, dict):
        return {**value, head: changed(value[head], rest)}
    return (*value[:head], changed(value[head], rest), *value[head + 1 :])


PLACES = [
    path
    for path in places(DIGEST)
    if path not in {("arms", 0, "provenance", "sources"), ("provenance", "sources")}
    and not (path == ("arms",) and not DIGEST.arms)
]


def test_a_digest_holds_as_it_is():
    assert verify_digest(DIGEST)
    assert verify_digest(DIGEST, DIGEST.root)
    assert not verify_digest(DIGEST, "sha256:" + "0" * 64)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_digest_with_any_field_changed_does_not_hold(path):
    other = changed(DIGEST, path)
    assert other != DIGEST
    assert not verify_digest(other)


def test_a_digest_that_is_written_is_read_back_and_in_one_text_only():
    data = DIGEST.to_bytes()
    assert Digest.parse(data) == DIGEST
    with pytest.raises(ValueError, match="not the one text"):
        Digest.parse(data.replace(b'{"', b'{ "', 1))


@given(st.data())
def test_a_digest_with_any_byte_changed_is_refused_or_does_not_hold(data):
    text = bytearray(DIGEST.to_bytes())
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != text[at]))
    text[at] = byte
    try:
        other = Digest.parse(bytes(text))
    except ValueError:
        return
    assert not verify_digest(other, DIGEST.root)


@pytest.mark.parametrize("step", [one.step for one in DIGEST.outcomes])
def test_a_proof_shows_its_step_and_no_other(step):
    proof = Proof.parse(prove(DIGEST, step).to_bytes())
    assert verify(proof, step, DIGEST.root)
    assert proof.outcome["step"] == step
    assert not verify(proof, step + "x", DIGEST.root)
    assert not verify(proof, step, "sha256:" + "0" * 64)


@given(st.integers(1, 70), st.data())
def test_every_step_of_a_digest_of_any_size_is_proved(count, data):
    outcomes = tuple(replace(DIGEST.outcomes[0], step=f"s{at}") for at in range(count))
    digest = replace(DIGEST, outcomes=outcomes)
    digest = replace(digest, root=root_of(digest))
    step = f"s{data.draw(st.integers(0, count - 1))}"
    proof = prove(digest, step)
    assert verify(proof, step, digest.root)
    assert not verify(replace(proof, path=proof.path[:-1]), step, digest.root)
    assert not verify(replace(proof, path=(*proof.path, b"\0" * 32)), step, digest.root)
    for at, side in enumerate(proof.sides):
        other = proof.sides[:at] + ("r" if side == "l" else "l") + proof.sides[at + 1 :]
        assert not verify(replace(proof, sides=other), step, digest.root)
    assert not verify(replace(proof, sides=proof.sides + "l"), step, digest.root)
    assert not verify(replace(proof, sides=proof.sides.upper() or "L"), step, digest.root)
    assert not verify(replace(proof, leaf=proof.leaf.replace(b"closed", b"opened")), step, digest.root)


@given(st.data())
def test_a_proof_with_any_byte_changed_is_refused_or_shows_nothing(data):
    text = bytearray(prove(DIGEST, "arm-ace.check").to_bytes())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(0, 255).filter(lambda one: one != text[at]))
    try:
        proof = Proof.parse(bytes(text))
    except ValueError:
        return
    assert not verify(proof, "arm-ace.check", DIGEST.root)


def test_a_proof_of_one_step_among_a_thousand_is_under_a_kilobyte_whatever_was_written():
    life = Life(linear("first"))
    digest = life.do("squash", "", {}).digest
    long = replace(DIGEST.outcomes[0], title="t" * 5000, reason="r" * 5000, actor="a" * 200)
    digest = replace(digest, outcomes=tuple(replace(long, step=f"discovery.step-number-{at:04}") for at in range(1000)))
    digest = replace(digest, root=root_of(digest))
    proof = prove(digest, "discovery.step-number-0999")
    assert verify(proof, "discovery.step-number-0999", digest.root)
    assert len(proof.to_bytes()) < 1000


@pytest.mark.parametrize("character", ["t", "\u8a66", "\U0001f600", '"', "\n", "\x01"])
@pytest.mark.parametrize("length", [10, 63, 64, 65, 500])
def test_a_proof_is_under_a_kilobyte_in_any_script_and_with_any_step(character, length):
    text = character * length
    long = replace(
        DIGEST.outcomes[0], title=text, reason=text, actor=text, state="in_progress", started_at=T, closed_at=T
    )
    outcomes = tuple(replace(long, step=f"{'s' * (length - 4)}-{at:03}") for at in range(1000))
    digest = replace(DIGEST, outcomes=outcomes, variables={f"v{at}": "x" for at in range(50)})
    digest = replace(digest, root=root_of(digest))
    step = outcomes[-1].step
    proof = prove(digest, step)
    assert len(proof.to_bytes()) < 1024
    assert Proof.parse(proof.to_bytes()) == proof
    assert proof.is_of(step)
    assert verify(proof, step, digest.root)
    assert not verify(proof, outcomes[0].step, digest.root)


def test_a_digest_without_a_summary_has_an_outline():
    life = Life(linear("a", "b", "c"))
    life.close("a")
    life.close("b", reason="failed")
    assert life.do("squash", "", {}, stamp=ANN).digest.summary == "3 steps: 1 done, 1 failed, 1 not done"


def test_capabilities_are_part_of_what_is_proved():
    other = replace(DIGEST, provenance=replace(DIGEST.provenance, capabilities=Capabilities(("go",))))
    assert not verify_digest(other)


@pytest.mark.parametrize(
    "other",
    [
        replace(DIGEST, id="a/b"),
        replace(DIGEST, id="a.b"),
        replace(DIGEST, phase="gas"),
        replace(DIGEST, arms=(replace(DIGEST.arms[0], step="a\nb"),)),
        replace(DIGEST, arms=(*DIGEST.arms, *DIGEST.arms)),
        replace(DIGEST, outcomes=(replace(DIGEST.outcomes[0], state="done"),)),
        replace(DIGEST, outcomes=(replace(DIGEST.outcomes[0], step="../a"),)),
        replace(DIGEST, outcomes=(replace(DIGEST.outcomes[0], closed_at="today"),)),
    ],
)
def test_what_no_molecule_could_have_come_to_is_no_digest_though_its_root_be_right(other):
    with pytest.raises(ValueError, match=r"digest|moment"):
        Digest.parse(replace(other, root=root_of(other)).to_bytes())


def test_a_digest_of_more_steps_than_any_molecule_has_is_refused_unread(monkeypatch):
    assert digests.MAX_OUTCOMES > bonding.MAX_STEPS_OF_MOLECULE
    data = DIGEST.to_bytes()
    monkeypatch.setattr(digests, "MAX_OUTCOMES", len(DIGEST.outcomes) + len(DIGEST.arms))
    assert Digest.parse(data) == DIGEST
    texts = replace(DIGEST, summary='{"step":"a"}' * 100)
    assert Digest.parse(texts.to_bytes()) == texts
    monkeypatch.setattr(digests, "MAX_OUTCOMES", len(DIGEST.outcomes))
    with pytest.raises(ValueError, match="tells of more than"):
        Digest.parse(data)
