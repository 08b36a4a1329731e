"""The effects of `policy sign`, `pin`, `unpin`; and newer policies that come with mirrors and packs.

A newer policy takes the place of a pinned one of the same id if the pinned key signed it. One that is older, or not
signed with that key, changes nothing and is named; one of an id that is not pinned concerns nobody here.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import FileInTheWayError, MmpmError, PolicyRefusedError, printable
from mmpm.execute.writing import refuse_special
from mmpm.project.policies import Pinned, own_path, pinned_files, read_pinned
from mmpm.project.settings import SETTINGS, parse_setting
from mmpm.registry.address import is_mirror, is_remote
from mmpm.registry.destination import read_plain
from mmpm.registry.mirror.policies import keep_policy, refusal_of
from mmpm.registry.mirrored import POLICY_JSON
from mmpm.trust.signed_policy import MAX_BYTES, SignedPolicy
from mmpm_store.durable import exclusive_create, fsync_path, write_file_durably

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.execute.context import Context
    from mmpm.plan import CarriedRegistry
    from mmpm.plan.policies import PinPolicy, SignPolicy, UnpinPolicy


def apply_sign_policy(context: Context, action: SignPolicy) -> SignedPolicy:
    """Sign a policy and write it.

    Raises:
        KeyUnknownError, KeyUnreadableError: the key is not here, or not opened.
        FileInTheWayError: the file is there already.
    """
    from mmpm.execute.trusting import load_person_key

    key = load_person_key(context, action.key, action.passphrase_file)
    signed = SignedPolicy.parse(action.document).signed(key)
    os.makedirs(os.path.dirname(action.output), exist_ok=True)
    if action.overwrite:
        refuse_special(action.output)
        write_file_durably(action.output, signed.to_bytes(), 0o644)
    elif not exclusive_create(action.output, signed.to_bytes(), 0o644):
        raise FileInTheWayError(action.output)
    return signed


def apply_pin(_context: Context, action: PinPolicy) -> None:
    """Write a pinned policy down, whole or not at all."""
    os.makedirs(os.path.dirname(action.path), exist_ok=True)
    write_file_durably(action.path, action.data, 0o644)


def apply_unpin(_context: Context, action: UnpinPolicy) -> None:
    """Take a pinned policy away; harmless where it is gone."""
    try:
        os.unlink(action.path)
    except FileNotFoundError:
        return
    fsync_path(os.path.dirname(action.path))


def checked(data: bytes, where: str, key: str, before: Pinned | None) -> Pinned | None:
    """Hold a policy against the key that must have signed it, and the one that is pinned.

    Args:
        data: the file.
        where: names it in messages.
        key: public key, 64 hex digits.
        before: the pinned one of the same id.

    Returns:
        What to pin, its path still empty; None where that is what is pinned already.

    Raises:
        PolicyRefusedError: it is none that may take the place.
    """
    stays = before.origin if before else ""
    try:
        policy = SignedPolicy.parse(data)
        for rule, value in policy.rules.items():
            parse_setting(SETTINGS[f"policy.{rule}"], value)
        is_signed = policy.is_signed_by(key)
    except ValueError as error:
        raise PolicyRefusedError(where, str(error), stays) from None
    known = before.document if before is not None else None
    if known is not None and policy.serial < known.serial:
        raise PolicyRefusedError(where, f"it has serial {policy.serial}, which is older", stays)
    if not is_signed and (known is None or policy != known):
        raise PolicyRefusedError(where, f"it is not signed with the key ed25519:{key}", stays)
    if known is not None and policy.serial == known.serial:
        if policy.signed_bytes != known.signed_bytes:
            raise PolicyRefusedError(where, f"it is another policy under serial {policy.serial}", stays)
        return None
    return Pinned("", policy.successor or key, policy)


def take_newer(context: Context, folders: Iterable[str] = ()) -> list[str]:
    """Pin newer policies that mirrors of configured registries, and `folders`, offer.

    What is refused is warned of, with its name; the pinned one stays.

    Args:
        context: registries, where pinned policies are.
        folders: that may hold a ``policy.json``, such as a mirror that packs were imported into.

    Returns:
        A sentence for each that was taken.

    Raises:
        PolicyUnreadableError: a pinned policy cannot be read.
    """
    pinned = {one.document.id: one for one in read_pinned(pinned_files(context.places))}
    taken: list[str] = []
    if not pinned:
        return taken
    for where, data in _offered(context, folders):
        try:
            policy_id = SignedPolicy.parse(data).id
        except ValueError as error:
            context.progress.warn(PolicyRefusedError(where, str(error), "what is pinned").fact)
            continue
        before = pinned.get(policy_id)
        if before is None:
            continue
        try:
            found = checked(data, where, before.key, before)
        except PolicyRefusedError as error:
            context.progress.warn(f"{error.fact}; {before.origin} stays")
            continue
        if found is None:
            continue
        # One of the whole machine stays where it is; what is newer holds beside it, for this person.
        path = before.path if os.access(os.path.dirname(before.path), os.W_OK) else own_path(context.places, policy_id)
        found = replace(found, path=path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file_durably(path, found.to_bytes(), 0o644)
        pinned[policy_id] = found
        taken.append(f"policy {policy_id}: serial {before.document.serial} -> {found.document.serial} ({where})")
    return taken


def bring_policies(context: Context, folder: str, registries: Iterable[CarriedRegistry]) -> list[str]:
    """Take over the policies of the mirrors that a mirror is filled from, so that they travel on.

    One that is refused is warned of, with its name; what lies in `folder` stays then.

    Args:
        context: how to reach them; a policy that is pinned here must be signed with the pinned key.
        folder: the mirror that is filled; the caller holds its lock.
        registries: with their addresses.

    Returns:
        A sentence for each that was taken.

    Raises:
        NoSpaceError: the disk is full.
    """
    from mmpm.execute.connect import find_registry

    pinned = {one.document.id: one for one in context.settings.pinned}
    taken: list[str] = []
    seen: set[str] = set()
    for carried in registries:
        config = find_registry(context, carried.registry)
        for url in carried.urls:
            root = url.partition("/mirrors/")[0]
            if not is_mirror(url) or root in seen or (is_remote(root) and context.offline):
                continue
            seen.add(root)
            is_project = url in config.from_project or url in carried.unnamed
            data = read_at(context, carried.registry, root, is_project=is_project)
            here = _read(f"{folder}/{POLICY_JSON}")
            if data is None or data == here:
                continue
            where = f"{root}/{POLICY_JSON}"
            refusal = refusal_of(here, data)
            if not refusal:
                policy = SignedPolicy.parse(data)
                before = pinned.get(policy.id)
                try:
                    if before is not None:
                        checked(data, where, before.key, before)
                except PolicyRefusedError as error:
                    context.progress.warn(f"{error.fact}; it is not taken over")
                    continue
                keep_policy(folder, data)
                taken.append(f"policy {policy.id}: serial {policy.serial} ({where})")
            else:
                context.progress.warn(f"policy {where} is not taken over: {printable(refusal)}")
    return taken


def _offered(context: Context, folders: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Give policies in `folders`, and beside ``mirror.json`` of mirrors that are configured, each with its place."""
    for folder in dict.fromkeys(folders):
        data = _read(f"{folder}/{POLICY_JSON}")
        if data is not None:
            yield f"{folder}/{POLICY_JSON}", data
    seen: set[str] = set()
    for registry in context.registries:
        for url in registry.urls:
            root = url.partition("/mirrors/")[0]
            if not is_mirror(url) or root in seen or (is_remote(root) and context.offline):
                continue
            seen.add(root)
            data = read_at(context, registry.id, root, is_project=url in registry.from_project)
            if data is not None:
                yield f"{root}/{POLICY_JSON}", data


def read_at(
    context: Context, registry_id: str, root: str, name: str = POLICY_JSON, *, is_project: bool
) -> bytes | None:
    """Read a file at an address of which nothing is known to be there; None where it cannot be had."""
    from mmpm.execute.connect import find_registry, source_of
    from mmpm.registry.transport import TransportError

    config = find_registry(context, registry_id)
    from_project = frozenset({root}) if is_project else frozenset[str]()
    try:
        places = source_of(context, replace(config, urls=(root,), from_project=from_project)).places
        return places[0].get(name, MAX_BYTES) if places else None
    except (TransportError, MmpmError):
        return None


def _read(path: str) -> bytes | None:
    try:
        return read_plain(path, MAX_BYTES)  # a pipe on somebody's medium would be waited for
    except OSError:
        return None
