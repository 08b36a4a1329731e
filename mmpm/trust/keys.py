"""Keys that sign: ed25519, as PEM files protected by a passphrase.

A key id is TUF's: sha256 of the public key's canonical JSON, so that the ids in signed metadata, in an index's
list of signatures and in file names agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mmpm.errors import KeyUnreadableError
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.trust.facts import ed25519_key, key_id_of

_FORMAT = 1
_MAX_BYTES = 4096
_TEXT_FORM = "ed25519:"
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True, slots=True)
class PublicKey:
    """The public part of a signing key: 64 hex digits."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise ValueError("an ed25519 public key is 64 lower-case hexadecimal digits")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the text form ``ed25519:<hex>``, or the document that `to_document` writes.

        Raises:
            ValueError: it is neither, or names another key id than its own.
        """
        text = data.decode("ascii", "replace").strip()
        if text.startswith(_TEXT_FORM):
            return cls(text.removeprefix(_TEXT_FORM))
        value = parse_json(data, "the public key", max_bytes=_MAX_BYTES)
        if not isinstance(value, dict) or value.get("format") != _FORMAT or value.get("type") != "ed25519":
            raise ValueError(f"a public key is written {_TEXT_FORM}<64 hex digits>, or as `mmpm keys export` writes it")
        key = cls(value["public"] if isinstance(value.get("public"), str) else "")
        if value.get("key_id") != key.key_id:
            raise ValueError("the public key has another id than its document says")
        return key

    @property
    def key_id(self) -> str:
        """The id that TUF metadata gives this key."""
        return key_id_of(self.hex)

    @property
    def text(self) -> str:
        """The key on one line, as people pass it on."""
        return _TEXT_FORM + self.hex

    def to_json(self) -> dict[str, object]:
        """Give the key as TUF metadata spells it."""
        return ed25519_key(self.hex)

    def to_document(self) -> bytes:
        """Give the key as the file beside a private key says it: canonical JSON and a line break."""
        value = {"format": _FORMAT, "type": "ed25519", "public": self.hex, "key_id": self.key_id}
        return canonical_json(value) + b"\n"

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` is this key's over `data`."""
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.hex)).verify(signature, data)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A private key in memory. Neither its text form nor an error shows the secret."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex())

    @classmethod
    def generate(cls) -> Self:
        """Make a new key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load_pem(cls, data: bytes, passphrase: bytes | None) -> Self:
        """Read an (encrypted) PKCS #8 PEM file.

        Raises:
            KeyUnreadableError: wrong or missing passphrase, another kind of key, or no key at all.
        """
        try:
            private = load_pem_private_key(data, passphrase)
        except TypeError:
            reason = "it is protected by a passphrase" if passphrase is None else "it is not protected by a passphrase"
            raise KeyUnreadableError(reason) from None
        except (ValueError, UnsupportedAlgorithm):
            raise KeyUnreadableError("the passphrase is wrong, or the file is not a PEM private key") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyUnreadableError("it is not an ed25519 key")
        return cls(private)

    def to_pem(self, passphrase: bytes | None) -> bytes:
        """Give PKCS #8 PEM, encrypted with `passphrase`; None writes it open, which only a caller's flag may ask."""
        encryption: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    def sign(self, data: bytes) -> bytes:
        """Give the signature over `data`, 64 bytes."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id[:8]})"
