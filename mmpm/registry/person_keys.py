"""The keys of people: ``people/NAME.pem`` (0600, PKCS #8) and ``NAME.pub`` in the folder of all keys (0700).

They sign releases, acknowledgements, policies and, carried to where they lie, roles of registries.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final

from mmpm.errors import KeyExistsError, KeyUnknownError, UsageError, quoted
from mmpm.registry.key_files import MAX_KEY_BYTES, is_encrypted, open_key_file, public_path, read_public_key
from mmpm.trust.keys import PublicKey, SigningKey
from mmpm_store.durable import exclusive_create, fsync_path, write_file_durably

FOLDER: Final = "people"
"""No registry may have this id: its keys would lie among those of people."""
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9._@-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class PersonKey:
    """A key of a person, unopened; `public` is None where its ``.pub`` file is gone."""

    name: str
    path: str
    public: PublicKey | None
    is_protected: bool


def create_person_key(keys: str, name: str, passphrase: bytes | None) -> PublicKey:
    """Make a key pair and give its public part.

    Args:
        keys: the folder of all keys (`Places.keys`).
        name: what the person calls it.
        passphrase: None leaves it open, which only an explicit flag may ask.

    Raises:
        KeyExistsError: there is one of that name.
        UsageError: `name` cannot be one.
    """
    folder = f"{keys}/{FOLDER}"
    path = key_path(keys, name)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    key = SigningKey.generate()
    if not exclusive_create(path, key.to_pem(passphrase), 0o600):
        raise KeyExistsError(name, path)
    write_file_durably(public_path(path), key.public.to_document(), 0o644)
    fsync_path(folder)
    return key.public


def key_path(keys: str, name: str) -> str:
    """Give the file of the private key `name`.

    Raises:
        UsageError: no key can be called that.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{quoted(name)} cannot be the name of a key",
            "use small letters, digits and . _ - @, at most 64, as in `mmpm keys create alice`",
        )
    return f"{keys}/{FOLDER}/{name}.pem"


def list_person_keys(keys: str) -> list[PersonKey]:
    """Give all keys of people on this machine, by name."""
    try:
        names = sorted(os.listdir(f"{keys}/{FOLDER}"))
    except FileNotFoundError:
        return []
    plain = [name.removesuffix(".pem") for name in names if name.endswith(".pem")]
    return [find_person_key(keys, name) for name in plain if _NAME.fullmatch(name)]


def find_person_key(keys: str, name: str) -> PersonKey:
    """Give one key, unopened.

    Raises:
        KeyUnknownError: there is none of that name.
        UsageError: `name` cannot be one.
    """
    path = key_path(keys, name)
    data = _private(keys, name)
    return PersonKey(name, path, read_public_key(public_path(path)), is_encrypted(data))


def open_person_key(keys: str, name: str, passphrase: bytes | None) -> SigningKey:
    """Open a key.

    Raises:
        KeyUnknownError: there is none of that name.
        KeyUnreadableError: it does not open with `passphrase`.
        UsageError: `name` cannot be one.
    """
    return open_key_file(_private(keys, name), passphrase, key_path(keys, name))


def _private(keys: str, name: str) -> bytes:
    try:
        with open(key_path(keys, name), "rb") as file:
            return file.read(MAX_KEY_BYTES)
    except FileNotFoundError:
        raise KeyUnknownError(name, _names(keys)) from None


def _names(keys: str) -> list[str]:
    try:
        return sorted(name.removesuffix(".pem") for name in os.listdir(f"{keys}/{FOLDER}") if name.endswith(".pem"))
    except FileNotFoundError:
        return []
