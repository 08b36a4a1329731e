"""Files of single keys: ``NAME.pem``, the private key (PKCS #8), and ``NAME.pub`` beside it, its public part."""

from __future__ import annotations

from typing import Final

from mmpm.errors import KeyUnreadableError
from mmpm.trust.keys import PublicKey, SigningKey

MAX_KEY_BYTES: Final = 1 << 16


def public_path(path: str) -> str:
    """Give the file of the public part of the private key at `path`."""
    return path.removesuffix(".pem") + ".pub"


def open_key_file(data: bytes, passphrase: bytes | None, path: str) -> SigningKey:
    """Open the private key file `path` that holds `data`.

    Raises:
        KeyUnreadableError: it does not open with `passphrase`.
    """
    try:
        # An open key needs no passphrase, and one that is given all the same is no reason to refuse.
        return SigningKey.load_pem(data, passphrase if is_encrypted(data) else None)
    except KeyUnreadableError as error:
        raise KeyUnreadableError(error.reason, path) from None


def is_encrypted(pem: bytes) -> bool:
    """Whether a private key file asks for a passphrase."""
    return b"ENCRYPTED" in pem[:40]


def read_public_key(path: str) -> PublicKey | None:
    """Read the ``.pub`` file at `path`; None where there is none that says what it should."""
    try:
        with open(path, "rb") as file:
            return PublicKey.parse(file.read(MAX_KEY_BYTES))
    except (OSError, ValueError):
        return None
