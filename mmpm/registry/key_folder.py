"""The private keys of a registry, in a folder of their own that is never inside the tree.

``<role>.pem`` for each of the seven roles (0600, PKCS #8), ``<role>.pub`` beside it, and ``root.json``: the root that
whoever signs believes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import KeysMissingError, KeyUnreadableError
from mmpm.registry.key_files import is_encrypted, open_key_file, public_path, read_public_key
from mmpm.trust.facts import ONLINE_ROLES, ROLES
from mmpm.trust.keys import SigningKey
from mmpm_store.durable import exclusive_create, fsync_path, write_file_durably

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.trust.keys import PublicKey

ROOT_NAME = "root.json"
UNFINISHED_NAME = "unfinished"


@dataclass(frozen=True, slots=True)
class RoleKey:
    """A key of a role, unopened; `public` is None where its ``.pub`` file is not there."""

    role: str
    path: str
    public: PublicKey | None
    is_protected: bool


@dataclass(frozen=True, slots=True)
class RegistryKeys:
    """Opened keys of one registry.

    Attributes:
        root: the root metadata that the publisher starts verification from.
        signers: by role; those that were asked for.
    """

    root: bytes
    signers: Mapping[str, SigningKey]


def generate_keys() -> dict[str, SigningKey]:
    """Make one new key for every role."""
    return {role: SigningKey.generate() for role in ROLES}


def begin_keys(folder: str, root: str) -> None:
    """Note that keys for a new tree at `root` are about to be made, and clear away those of an unfinished attempt."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    write_file_durably(f"{folder}/{UNFINISHED_NAME}", os.fsencode(root), 0o600)
    for name in (*(f"{role}.{kind}" for role in ROLES for kind in ("pem", "pub")), ROOT_NAME):
        with suppress(FileNotFoundError):
            os.unlink(f"{folder}/{name}")


def finish_keys(folder: str) -> None:
    """Note that the tree is there: from now on the keys are never made anew."""
    os.unlink(f"{folder}/{UNFINISHED_NAME}")
    fsync_path(folder)


def unfinished_root(folder: str) -> str | None:
    """Give the tree for which keys in `folder` were begun and, as far as was noted, not finished."""
    try:
        with open(f"{folder}/{UNFINISHED_NAME}", "rb") as file:
            return os.fsdecode(file.read(1 << 16))
    except FileNotFoundError:
        return None


def save_keys(folder: str, keys: Mapping[str, SigningKey], root: bytes, passphrase: bytes | None) -> None:
    """Write `keys` and the root that names them into `folder` (0700), none over an older one.

    Args:
        folder: made where it is missing.
        keys: by role.
        root: version 1 of the root.
        passphrase: None writes them open, which only an explicit flag may ask.

    Raises:
        KeyUnreadableError: a key is there already.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for role, key in keys.items():
        path = f"{folder}/{role}.pem"
        if not exclusive_create(path, key.to_pem(passphrase), 0o600):
            raise KeyUnreadableError("a key is there already, and it is not overwritten", path)
        write_file_durably(public_path(path), key.public.to_document(), 0o644)
    exclusive_create(f"{folder}/{ROOT_NAME}", root, 0o644)
    fsync_path(os.path.dirname(folder))


def has_keys(folder: str) -> bool:
    """Whether any key lies in `folder`."""
    return any(os.path.exists(f"{folder}/{role}.pem") for role in ROLES)


def load_keys(
    folder: str, registry_id: str, passphrase: bytes | None, roles: Sequence[str] = ONLINE_ROLES
) -> RegistryKeys:
    """Open the keys that `roles` need.

    Raises:
        KeysMissingError: a file is not there.
        KeyUnreadableError: a file does not open with `passphrase`.
    """
    signers = {}
    for role in roles:
        path = f"{folder}/{role}.pem"
        data = _read(path, registry_id)
        signers[role] = open_key_file(data, passphrase, path)
    return RegistryKeys(load_root(folder, registry_id), signers)


def load_root(folder: str, registry_id: str) -> bytes:
    """Give the root that lies beside the keys.

    Raises:
        KeysMissingError: there is none.
    """
    return _read(f"{folder}/{ROOT_NAME}", registry_id)


def list_role_keys(folder: str) -> list[RoleKey]:
    """Give the keys in `folder`, unopened, in the order of the roles."""
    found = []
    for role in ROLES:
        path = f"{folder}/{role}.pem"
        try:
            with open(path, "rb") as file:
                found.append(RoleKey(role, path, read_public_key(public_path(path)), is_encrypted(file.read(40))))
        except FileNotFoundError:
            continue
    return found


def is_protected(folder: str) -> bool:
    """Whether the online keys in `folder` ask for a passphrase; False also where there are none."""
    try:
        with open(f"{folder}/timestamp.pem", "rb") as file:
            return is_encrypted(file.read(40))
    except OSError:
        return False


def _read(path: str, registry_id: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except FileNotFoundError:
        raise KeysMissingError(registry_id, path) from None
