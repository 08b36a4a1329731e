"""Keys that sign: ed25519, as PEM files protected by a passphrase.

A key id is TUF's: sha256 of the public key's canonical JSON, so that the ids in signed metadata, in an index's
list of signatures and in file names agree.
"""

from __future__ import annotations

import hashlib
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
from mmpm.model.canonical import canonical_json

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, order=True, slots=True)
class PublicKey:
    """The public part of a signing key: 64 hex digits."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise ValueError("an ed25519 public key is 64 lower-case hexadecimal digits")

    @property
    def key_id(self) -> str:
        """The id that TUF metadata gives this key."""
        return hashlib.sha256(canonical_json(self.to_json())).hexdigest()

    def to_json(self) -> dict[str, object]:
        """Give the key as TUF metadata spells it."""
        return {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": self.hex}}

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
