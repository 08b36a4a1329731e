"""OpenPGP signatures of releases, by the library and, where it is installed, by GnuPG."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from release_lines import NAME

from mmpm.model.checksums import Checksum
from mmpm.model.release import Release
from mmpm.model.versions import Version
from mmpm.trust import openpgp
from mmpm.trust.signatures import BAD, GOOD, UNCHECKED, check_signature, signed_bytes
from mmpm_store.ids import ObjectId

needs_library = pytest.mark.skipif(
    not (openpgp.is_available() or os.environ.get("CI")), reason="the extra openpgp is not installed"
)
RELEASE = Release(
    NAME,
    Version.parse("1.0.0"),
    "formula",
    (),
    (),
    Checksum.of(b"a"),
    ObjectId.of(b"b"),
    1,
    "2026-01-01T00:00:00Z",
    1,
    ObjectId.of(b"c"),
)


@pytest.fixture(scope="module")
def carol():
    from pysequoia import Tsk

    return Tsk.generate("Carol <carol@acme.example>")


def signature(key, data=None):
    from pysequoia import SignatureMode, sign

    return sign(key.signer(), signed_bytes(RELEASE) if data is None else data, mode=SignatureMode.DETACHED)


def certificate(key):
    return openpgp.read_certificate(str(key.extract_certificate()).encode())


def check(key_id, data, text, release=RELEASE, now=None):
    return check_signature(release, key_id, data, certificate=text, now=now)


@needs_library
def test_a_signature_by_the_listed_certificate_is_good(carol):
    key_id, text = certificate(carol)
    assert check(key_id, signature(carol), text).state == GOOD


@needs_library
def test_one_over_other_bytes_or_by_another_key_is_bad(carol):
    from pysequoia import Tsk

    key_id, text = certificate(carol)
    assert check(key_id, signature(carol, b"other"), text).state == BAD
    assert check(key_id, signature(carol), text, replace(RELEASE, size=2)).state == BAD
    other = check(key_id, signature(Tsk.generate("Mallory")), text)
    assert (other.state, "\n" in other.reason) == (BAD, False)


@needs_library
@pytest.mark.parametrize("data", [b"", b"-----BEGIN PGP SIGNATURE-----", b"\xff" * 400, b"x" * 70_000])
def test_what_is_no_signature_is_bad_in_one_line(carol, data):
    key_id, text = certificate(carol)
    checked = check(key_id, data, text)
    assert (checked.state, "\n" in checked.reason) == (BAD, False)


@needs_library
def test_a_flipped_bit_anywhere_makes_it_good_for_nothing_else_and_never_raises(carol):
    from pysequoia import Sig

    key_id, text = certificate(carol)
    whole = bytes(Sig.from_bytes(signature(carol)))
    for place in range(0, len(whole), 3):
        data = bytearray(whole)
        data[place] ^= 1
        # Hints to the key are not signed: changing one may leave the signature as good as it was, for what it is over.
        assert check(key_id, bytes(data), text).state in {GOOD, BAD}
        assert check(key_id, bytes(data), text, replace(RELEASE, size=2)).state == BAD


@needs_library
def test_where_the_clock_stands_before_the_signature_it_is_not_taken_for_forged(carol):
    key_id, text = certificate(carol)
    early = datetime(2001, 1, 1, tzinfo=UTC)
    assert check(key_id, signature(carol, b"other"), text, now=early).state == UNCHECKED
    assert check(key_id, signature(carol, b"other"), text, now=datetime.now(UTC) + timedelta(days=1)).state == BAD


@needs_library
def test_a_certificate_under_the_id_of_another_says_nothing(carol):
    from pysequoia import Tsk

    key_id, _ = certificate(carol)
    other = Tsk.generate("Mallory")
    assert check(key_id, signature(other), certificate(other)[1]).state == UNCHECKED
    assert check(key_id, signature(carol), "no certificate").state == UNCHECKED


@needs_library
def test_of_a_secret_key_only_the_public_part_is_taken(carol):
    key_id, text = openpgp.read_certificate(bytes(carol))
    assert key_id == certificate(carol)[0]
    assert "PRIVATE" not in text
    assert "BEGIN PGP PUBLIC KEY BLOCK" in text


@needs_library
@pytest.mark.parametrize("data", [b"", b"x", b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"x" * 300_000])
def test_what_is_no_certificate_is_refused_in_one_sentence(data):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        openpgp.read_certificate(data)


def test_without_a_certificate_nothing_can_be_said():
    assert check_signature(RELEASE, "ab" * 20, b"x").state == UNCHECKED


def test_without_the_library_nothing_is_verified_and_nothing_is_forged(monkeypatch):
    monkeypatch.setattr(openpgp, "is_available", lambda: False)
    checked = check("ab" * 20, b"x", "-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert checked.state == UNCHECKED
    assert "molmall[openpgp]" in checked.reason
    with pytest.raises(ValueError, match="extra"):
        openpgp.read_certificate(b"x")


@needs_library
@pytest.mark.skipif(shutil.which("gpg") is None, reason="GnuPG is not installed")
def test_what_gnupg_signs_is_verified(tmp_path):
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)

    def gpg(*words, data=b""):
        command = ["gpg", "--homedir", str(home), "--batch", "--yes", *words]
        return subprocess.run(command, input=data, check=True, capture_output=True).stdout

    try:
        for _ in range(60):  # its agent is given five seconds to start, which a busy machine may need
            if not subprocess.run(
                ["gpg-connect-agent", "--homedir", str(home), "/bye"], check=False, capture_output=True
            ).returncode:
                break
        gpg("--passphrase", "", "--quick-gen-key", "Dave <dave@acme.example>", "ed25519", "sign", "never")
        data = gpg("--armor", "--detach-sign", data=signed_bytes(RELEASE))
        key_id, text = openpgp.read_certificate(gpg("--armor", "--export"))
        assert check(key_id, data, text).state == GOOD
        assert check(key_id, data, text, replace(RELEASE, size=2)).state == BAD
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
