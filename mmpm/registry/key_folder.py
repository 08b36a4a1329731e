"""The private keys of a registry, in a folder of their own that is never inside the tree.

``<role>.pem``, or ``<role>-<16 digits of its id>.pem`` where a role has several or other ones than at first (0600,
PKCS #8); ``.pub`` beside each; ``root.json``: the root that whoever signs believes. ``next/`` holds keys that were made
for a rotation which no timestamp shows yet, ``retired/`` those that the registry names no more: none is ever deleted.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from mmpm.errors import KeysMissingError, KeyUnreadableError
from mmpm.registry.key_files import MAX_KEY_BYTES, is_encrypted, open_key_file, public_path, read_public_key
from mmpm.trust.facts import ONLINE_ROLES, ROLES
from mmpm.trust.keys import SigningKey
from mmpm_store.durable import exclusive_create, fsync_path, write_file_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mmpm.trust.facts import RoleKeys
    from mmpm.trust.keys import PublicKey

ROOT_NAME = "root.json"
UNFINISHED_NAME = "unfinished"
NEXT: Final = "next"
RETIRED: Final = "retired"
_ATTEMPTS: Final = 20
_KEY_FILE: Final = re.compile(rf"({'|'.join(ROLES)})(-[0-9a-f]{{16}})?\.pem")

_Found = TypeVar("_Found")


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
        signers: by role, all that are here of those that were asked for; which count, the registry says.
    """

    root: bytes
    signers: Mapping[str, tuple[SigningKey, ...]]


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
    return bool(list_role_keys(folder))


def load_keys(
    folder: str, registry_id: str, passphrase: bytes | None, roles: Sequence[str] = ONLINE_ROLES
) -> RegistryKeys:
    """Open the keys that `roles` need.

    Raises:
        KeysMissingError: a role has none here.
        KeyUnreadableError: a file does not open with `passphrase`.
    """
    found = _open([folder], passphrase, roles)
    for role in roles:
        if not found.get(role):
            raise KeysMissingError(registry_id, f"{folder}/{role}.pem")
    return RegistryKeys(load_root(folder, registry_id), found)


def load_every_key(folder: str, registry_id: str, passphrase: bytes | None) -> RegistryKeys:
    """Open all keys that are here, those of a rotation that was begun included.

    Raises:
        KeysMissingError: the root that they go with is not here.
        KeyUnreadableError: a file does not open with `passphrase`.
    """
    return RegistryKeys(load_root(folder, registry_id), open_every_key(folder, passphrase))


def open_every_key(folder: str, passphrase: bytes | None) -> dict[str, tuple[SigningKey, ...]]:
    """Open all keys in `folder`, also where nothing but keys lies there, as on a machine without network.

    Raises:
        KeyUnreadableError: a file does not open with `passphrase`.
    """
    return _open([f"{folder}/{NEXT}", folder], passphrase, ROLES)


def _open(folders: Sequence[str], passphrase: bytes | None, roles: Sequence[str]) -> dict[str, tuple[SigningKey, ...]]:
    """Open the keys of `roles` in `folders`, each once."""

    def look() -> dict[str, tuple[SigningKey, ...]]:
        found: dict[str, dict[str, SigningKey]] = {}
        for one in (key for folder in folders for key in _list(folder) if key.role in roles):
            opened = open_role_key(one, passphrase)
            found.setdefault(one.role, {})[opened.public.hex] = opened
        return {role: tuple(keys.values()) for role, keys in found.items()}

    return _repeated(look)


def open_role_key(key: RoleKey, passphrase: bytes | None) -> SigningKey:
    """Open one key.

    Raises:
        KeyUnreadableError: it does not open with `passphrase`.
    """
    with open(key.path, "rb") as file:
        return open_key_file(file.read(MAX_KEY_BYTES), passphrase, key.path)


def load_root(folder: str, registry_id: str) -> bytes:
    """Give the root that lies beside the keys.

    Raises:
        KeysMissingError: there is none.
    """
    return _read(f"{folder}/{ROOT_NAME}", registry_id)


def list_role_keys(folder: str) -> list[RoleKey]:
    """Give the keys in `folder`, unopened, in the order of the roles; none where there is no such folder."""
    return _repeated(lambda: _list(folder))


def _list(folder: str) -> list[RoleKey]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        match = _KEY_FILE.fullmatch(name)
        if match is not None:
            path = f"{folder}/{name}"
            with open(path, "rb") as file:
                found.append(RoleKey(match[1], path, read_public_key(public_path(path)), is_encrypted(file.read(40))))
    return sorted(found, key=lambda one: ROLES.index(one.role))


def _repeated(look: Callable[[], _Found]) -> _Found:
    """Look at a folder, and again where a rotation moved keys between its listing and their opening."""
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            return look()
    return look()


def prepare_keys(folder: str, role: str, count: int, passphrase: bytes | None) -> tuple[PublicKey, ...]:
    """Make `count` new keys of a role; they wait in ``next/`` until the registry names them.

    Args:
        folder: the registry's key folder.
        role: any of the seven.
        count: at least 1.
        passphrase: None leaves them open, as the others are.
    """
    os.makedirs(f"{folder}/{NEXT}", mode=0o700, exist_ok=True)
    made = []
    for _ in range(count):
        key = SigningKey.generate()
        path = f"{folder}/{NEXT}/{_file_name(role, key.public)}"
        write_file_durably(public_path(path), key.public.to_document(), 0o644)
        exclusive_create(path, key.to_pem(passphrase), 0o600)
        made.append(key.public)
    fsync_path(folder)
    return tuple(made)


def has_prepared_keys(folder: str) -> bool:
    """Whether keys wait for a rotation to be shown."""
    return bool(list_role_keys(f"{folder}/{NEXT}"))


def settle_keys(folder: str, named: Mapping[str, RoleKeys], root: bytes, *, retire: Iterable[str] = ()) -> None:
    """Make the folder agree with what the registry shows; may be killed anywhere and called again.

    Keys that waited and are named take their place; of their roles, and of those in `retire`, keys that are not named
    any more go to ``retired/``.

    Args:
        folder: the registry's key folder.
        named: whose signatures count, by role.
        root: the newest root that was verified.
        retire: roles that lost keys and got none here.
    """
    roles = set(retire)
    for key in list_role_keys(f"{folder}/{NEXT}"):
        if key.public is not None and key.public.hex in named[key.role].public:
            _move(key, key.public, folder)
            roles.add(key.role)
    for key in list_role_keys(folder):
        if key.role in roles and key.public is not None and key.public.hex not in named[key.role].public:
            os.makedirs(f"{folder}/{RETIRED}", mode=0o700, exist_ok=True)
            _move(key, key.public, f"{folder}/{RETIRED}")
    remember_root(folder, root)


def known_root(folder: str) -> bytes | None:
    """Give the root that lies in `folder`, or None."""
    try:
        with open(f"{folder}/{ROOT_NAME}", "rb") as file:
            return file.read(1 << 20)
    except FileNotFoundError:
        return None


def remember_root(folder: str, root: bytes) -> None:
    """Believe `root`, which was verified from the one that was believed before, from now on."""
    if known_root(folder) != root:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        write_file_durably(f"{folder}/{ROOT_NAME}", root, 0o644)


def note_public_keys(folder: str, passphrase: bytes | None) -> None:
    """Write the ``.pub`` files that a folder made by an older version lacks.

    Raises:
        KeyUnreadableError: a key does not open with `passphrase`.
    """
    for key in list_role_keys(folder):
        if key.public is None:
            public = open_role_key(key, passphrase).public
            write_file_durably(public_path(key.path), public.to_document(), 0o644)


def _move(key: RoleKey, public: PublicKey, folder: str) -> None:
    path = f"{folder}/{_file_name(key.role, public)}"
    write_file_durably(public_path(path), public.to_document(), 0o644)
    with suppress(FileNotFoundError):  # another process of the same machine was first
        os.replace(key.path, path)
    fsync_path(folder)
    with suppress(FileNotFoundError):
        os.unlink(public_path(key.path))


def _file_name(role: str, public: PublicKey) -> str:
    return f"{role}-{public.key_id[:16]}.pem"


def is_protected(folder: str, roles: Sequence[str] = ONLINE_ROLES) -> bool:
    """Whether a key of `roles` in `folder` asks for a passphrase; False also where there are none."""
    return any(key.is_protected for key in list_role_keys(folder) if key.role in roles)


def _read(path: str, registry_id: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except FileNotFoundError:
        raise KeysMissingError(registry_id, path) from None
