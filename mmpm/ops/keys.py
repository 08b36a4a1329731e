"""`keys create`, `keys list` and `keys export`: the private keys of this machine, of people and of registries."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import KeyExistsError, MmpmError
from mmpm.execute.trusting import load_person_key
from mmpm.model.names import RegistryId
from mmpm.plan import Plan, WriteFiles
from mmpm.plan.trust import CreateKey
from mmpm.registry.floor import read_terms
from mmpm.registry.key_folder import NEXT, has_keys, list_role_keys, load_root
from mmpm.registry.person_keys import FOLDER, find_person_key, key_path, list_person_keys
from mmpm.trust.facts import ROOT, format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.context import Context
    from mmpm.registry.key_folder import RoleKey
    from mmpm.registry.person_keys import PersonKey
    from mmpm.trust.keys import PublicKey

__all__ = ["KeyListing", "RegistryKeyring", "export_key", "list_keys", "load_person_key", "plan_create_key"]


@dataclass(frozen=True, slots=True)
class RegistryKeyring:
    """The keys of one registry on this machine.

    Attributes:
        registry: its id.
        folder: where they lie.
        keys: in the order of the roles.
        waiting: made for a rotation that no timestamp shows yet.
        root_version: of the newest root that this folder knows; None where it has none.
        expires: by role, until when its document holds, as of the last publish from here.
    """

    registry: str
    folder: str
    keys: tuple[RoleKey, ...]
    waiting: tuple[RoleKey, ...]
    root_version: int | None
    expires: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KeyListing:
    """All private keys of this machine, unopened."""

    people: tuple[PersonKey, ...]
    registries: tuple[RegistryKeyring, ...]


def plan_create_key(context: Context, name: str, *, passphrase_file: str | None, is_open: bool) -> Plan:
    """Plan a new key of a person.

    Raises:
        UsageError: `name` cannot be one.
        KeyExistsError: there is one of that name.
    """
    path = key_path(context.places.keys, name)
    if os.path.lexists(path):
        raise KeyExistsError(name, path)
    return Plan((CreateKey(name, context.places.keys, passphrase_file, is_open),))


def list_keys(context: Context) -> KeyListing:
    """List the keys of people by name, and those of registries by id."""
    keys = context.places.keys
    try:
        folders = sorted(os.listdir(keys))
    except FileNotFoundError:
        folders = []
    found = [_keyring(f"{keys}/{name}", name) for name in folders if name != FOLDER and _is_registry(name)]
    return KeyListing(tuple(list_person_keys(keys)), tuple(one for one in found if one is not None))


def export_key(context: Context, name: str) -> PublicKey:
    """Give the public part of a person's key.

    Raises:
        KeyUnknownError: there is none of that name.
        KeyUnreadableError: its public part is gone; it can only be had from the opened key.
    """
    found = find_person_key(context.places.keys, name)
    if found.public is None:
        return load_person_key(context, name).public
    return found.public


def plan_export(path: str, public: PublicKey) -> Plan:
    """Plan to write a public key into a file."""
    return Plan((WriteFiles(((path, public.to_document(), 0o644),)),))


def _keyring(folder: str, registry: str) -> RegistryKeyring | None:
    if not has_keys(folder):
        return None
    version, expires = None, read_terms(folder)
    try:
        from mmpm.trust.metadata import Chain

        chain = Chain(load_root(folder, registry))
        version, expires = chain.root_version, {**expires, ROOT: format_time(chain.expires(ROOT))}
    except MmpmError:
        pass  # a folder that was begun, or one that holds only some keys of the registry
    keys, waiting = list_role_keys(folder), list_role_keys(os.path.join(folder, NEXT))
    return RegistryKeyring(registry, folder, tuple(keys), tuple(waiting), version, expires)


def _is_registry(name: str) -> bool:
    try:
        return str(RegistryId.parse(name)) == name
    except ValueError:
        return False
