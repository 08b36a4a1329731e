"""Signing keys: what they sign verifies, and their files open only rightly."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import KeyUnreadableError
from mmpm.trust.keys import PublicKey, SigningKey

KEY = SigningKey.generate()
OTHER = SigningKey.generate()


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_signature_holds_for_its_data_and_key_alone(data, other):
    signature = KEY.sign(data)
    assert KEY.public.verifies(signature, data)
    assert not OTHER.public.verifies(signature, data)
    assert KEY.public.verifies(signature, other) == (data == other)


@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
def test_a_key_comes_back_from_its_file(passphrase):
    assert SigningKey.load_pem(KEY.to_pem(passphrase), passphrase).public == KEY.public


@pytest.mark.parametrize(
    ("data", "passphrase"),
    [
        (KEY.to_pem(b"right"), b"wrong"),
        (KEY.to_pem(b"right"), None),
        (KEY.to_pem(None), b"needless"),
        (b"no key", None),
        (b"", b"x"),
        (generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), None),
    ],
)
def test_a_file_that_does_not_open_says_why_and_shows_no_secret(data, passphrase):
    with pytest.raises(KeyUnreadableError) as refused:
        SigningKey.load_pem(data, passphrase)
    assert "right" not in refused.value.fact
    assert refused.value.exit_status == 1


def test_a_public_key_is_64_hex_digits():
    assert PublicKey(KEY.public.hex) == KEY.public
    for wrong in ("", "AB" * 32, "ab" * 31):
        with pytest.raises(ValueError, match="hexadecimal"):
            PublicKey(wrong)


def test_a_key_does_not_show_its_secret():
    assert "PRIVATE" not in repr(KEY)
