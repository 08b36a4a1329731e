"""Registries as queries and plans: `registry add`, `registry list`, `registry remove`, `update`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mmpm.errors import (
    MmpmError,
    NotARegistryError,
    OfflineError,
    RegistryFixedError,
    RegistryNotConfiguredError,
    RegistryUnreachableError,
    RegistryUntrustedError,
    RootMismatchError,
    TrustStateUnreadableError,
    UsageError,
)
from mmpm.execute.connect import source_of, trust_of
from mmpm.plan import AddRegistry, Plan, RefreshRegistries, RemoveRegistry
from mmpm.project.config import load_registries
from mmpm.project.files import read_project
from mmpm.project.registries import DEFAULT_PRIORITY, RegistryConfig
from mmpm.registry import layout
from mmpm.registry.address import folder_of, is_remote, join
from mmpm.registry.authenticate import MAX_ROOT_BYTES
from mmpm.registry.introduce import Introduction, introduce
from mmpm.registry.mirrored import MAX_MIRROR_BYTES, MIRROR_JSON, MIRRORS, mirrored_registries
from mmpm.registry.state import TrustFolder
from mmpm.registry.transport import NotFound, TransportError
from mmpm.textform import registry_of
from mmpm.trust.facts import is_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.execute.context import Context
    from mmpm.registry.transport import Transport

_DAMAGED = "unreadable"
"""Stands for a pinned root that cannot be read any more: like another one, it goes only with `--replace`."""


@dataclass(frozen=True, slots=True)
class Met:
    """A registry that is to be added.

    Attributes:
        introduction: what it says of itself.
        url: where it was met, as it will be kept: a URL or an absolute folder.
        pinned: the fingerprint accepted before for its id, or None.
        is_accepted: its fingerprint is the pinned one, or one that the person named.
    """

    introduction: Introduction
    url: str
    pinned: str | None
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class Addition:
    """How registries are added: what the options of `registry add` say; None and empty are "as before"."""

    name: str | None = None
    priority: int | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A configured registry and what is known of it; `serial` and `issued` are None before the first refresh."""

    config: RegistryConfig
    fingerprint: str | None
    serial: int | None
    issued: str | None


def meet(
    context: Context, where: str, roots: Sequence[str], name: str = "", *, may_replace: bool = False
) -> tuple[Met, ...]:
    """Ask the registry at `where` who it is; a mirror gives each registry in it.

    Args:
        context: how to reach it.
        where: a URL (of a registry, of a mirror, of a registry in a mirror), or the absolute path of a folder.
        roots: fingerprints that the person was given, with or without ``sha256:``.
        name: what it will be called, which names its token's variable; may be empty.
        may_replace: another root key than the accepted one is what the person expects.

    Returns:
        Each registry; of a mirror's several registries those that `roots` say nothing of are as without `roots`.

    Raises:
        RootMismatchError: its root key is none of `roots`, or not the one that was accepted before; or one of `roots`
            is the key of nothing there.
        MmpmError: as for `introduce`; a URL under `--offline`.
    """
    if is_remote(where) and context.offline:
        raise OfflineError(f"adding {where}")
    given = [fingerprint_of(root) for root in roots]
    urls = _mirrored_urls(context, where, name) if is_remote(where) else _folders(where)
    met = tuple(_meet(context, url, given, name, may_replace=may_replace) for url in urls)
    found = [one.introduction for one in met]
    for root in given:
        if len(met) > 1 and all(one.fingerprint != root for one in found):
            raise RootMismatchError(found[0].registry_id, root, found[0].fingerprint, found[0].origin)
    for one in found:
        if len(met) == 1 and given and one.fingerprint not in given:
            raise RootMismatchError(one.registry_id, given[0], one.fingerprint, one.origin)
    return met


def _meet(context: Context, url: str, given: Sequence[str], name: str, *, may_replace: bool) -> Met:
    own = load_registries(context.places)
    found = introduce(_place(context, url, name))
    folder = url.rpartition("/")[2]
    if url.endswith(f"/{MIRRORS}/{folder}") and folder != found.registry_id:
        raise RegistryUntrustedError(found.registry_id, f"it lies in a mirror under the name {folder}", found.origin)
    known = next((one for one in own if one.id == found.registry_id), None)
    pinned = _pinned(context, found.registry_id, may_replace=may_replace) or (known.root if known is not None else None)
    if pinned is not None and pinned != found.fingerprint and not may_replace:
        raise RootMismatchError(found.registry_id, pinned, found.fingerprint, found.origin)
    return Met(found, url, pinned, is_accepted=found.fingerprint in given or found.fingerprint == pinned)


def _place(context: Context, url: str, name: str) -> Transport:
    """Give what asks `url`; an address that is configured already brings its token and certificates along."""
    configured = next((one for one in load_registries(context.places) if url in one.urls), None)
    probe = (
        replace(configured, urls=(url,))
        if configured is not None
        else RegistryConfig(id=_host(url), urls=(url,), name=name)
    )
    [place] = source_of(context, probe).places
    return place


def plan_add(context: Context, met: Sequence[Met], addition: Addition) -> Plan:
    """Plan to add registries whose root keys a person accepted. An address of a known one becomes an alternate.

    Raises:
        UsageError: the name belongs to another registry, or is given to several.
    """
    if addition.name is not None and len(met) > 1:
        raise UsageError("--name goes with one registry, and there are several", "add each by its own folder")
    actions: list[AddRegistry] = []
    # A person adds to what is theirs: a project neither lends its registries a name, nor takes one away.
    own = load_registries(context.places)
    for one in met:
        before = next((old for old in own if old.id == one.introduction.registry_id), None)
        action = _addition(one, before, addition)
        for other in own:
            if other.id == action.registry or _is_entry_for(context, other, one.url):
                continue
            if action.name and action.name in {other.name, other.id}:
                raise UsageError(f"{action.name} is the name of registry {other.id}", "choose another with --name")
        is_known = one.pinned == action.fingerprint and before is not None
        if not is_known or _config_of(action) != _config_of_config(before):
            actions.append(action)
    return Plan(actions=tuple(actions))


def _is_entry_for(context: Context, other: RegistryConfig, url: str) -> bool:
    """Whether `other` is no more than an entry of `~/.gtconfig.yaml` (which knows no ids) with this address."""
    return other.origin == context.places.gtconfig_file and url in other.urls


def _addition(one: Met, before: RegistryConfig | None, addition: Addition) -> AddRegistry:
    is_other_root = one.pinned is not None and one.pinned != one.introduction.fingerprint
    urls = before.urls if before is not None and not is_other_root else ()
    known_priority = before.priority if before is not None else DEFAULT_PRIORITY
    return AddRegistry(
        registry=one.introduction.registry_id,
        urls=urls if one.url in urls else (*urls, one.url),
        fingerprint=one.introduction.fingerprint,
        name=addition.name or (before.name if before else ""),
        priority=addition.priority if addition.priority is not None else known_priority,
        scopes=tuple(sorted(set(addition.scopes))) or (before.scopes if before else ()),
        replace=is_other_root,
    )


def _config_of(action: AddRegistry) -> tuple[object, ...]:
    return action.urls, action.fingerprint, action.name, action.priority, action.scopes


def _config_of_config(config: RegistryConfig | None) -> tuple[object, ...]:
    return (config.urls, config.root, config.name, config.priority, config.scopes) if config is not None else ()


def list_registries(context: Context) -> tuple[Listed, ...]:
    """Give every configured registry, the one asked first in front."""
    listed = []
    for config in context.registries:
        folder = trust_of(context, config)
        state = folder.read()
        listed.append(
            Listed(
                config,
                folder.pinned() or config.root or config.project_root,
                state.serial if state is not None else None,
                state.issued if state is not None else None,
            )
        )
    return tuple(listed)


def plan_remove(context: Context, names: Sequence[str]) -> Plan:
    """Plan to forget registries, by id or name.

    Raises:
        RegistryNotConfiguredError: there is no such registry.
        RegistryFixedError: it is configured in a file that is not the person's `config.toml`.
    """
    own = {one.id: one for one in load_registries(context.places)}
    found = [find(context, name) for name in names]
    found = [own.get(one.id, one) for one in found]
    for config in found:
        if config.origin != context.places.config_file:
            raise RegistryFixedError(config.id, config.origin)
    return Plan(actions=tuple(RemoveRegistry(config.id) for config in found))


def plan_update(context: Context, names: Sequence[str], *, everything: bool) -> Plan:
    """Plan to ask registries (all of them if `names` is empty) what is new.

    Args:
        context: configured registries; the project, of whose formulas the index is brought where it is not here yet.
        names: ids or names of registries.
        everything: bring the index of every formula, and not just of those known or locked here.

    Raises:
        RegistryNotConfiguredError: there is no such registry.
    """
    found = [find(context, name) for name in names] if names else list(context.registries)
    if not found:
        return Plan()
    return Plan(actions=(RefreshRegistries(tuple(config.id for config in found), everything, _locked(context)),))


def _locked(context: Context) -> tuple[tuple[str, str], ...]:
    """Give registry and name of what the project has locked and installed; nothing of what cannot be read."""
    try:
        files = read_project(context.project)
        locked = {(one.source, one.name) for one in files.lock.releases} if files.lock is not None else set()
        installed = {(one.source, one.name) for one in files.receipt.entries}
    except MmpmError:
        return ()  # such as a lock that a merge left: that is no reason not to ask
    pairs = {(registry_of(source), name) for source, name in locked | installed}
    return tuple(sorted((registry, name) for registry, name in pairs if registry))


def find(context: Context, name: str) -> RegistryConfig:
    """Give the configured registry with this id or name.

    Raises:
        RegistryNotConfiguredError: there is none.
    """
    for config in context.registries:
        if name in {config.id, config.name}:
            return config
    raise RegistryNotConfiguredError(name, (config.label for config in context.registries))


def _pinned(context: Context, registry_id: str, *, may_replace: bool) -> str | None:
    folder = TrustFolder.of(context.places.trust, registry_id)
    try:
        pinned = folder.pinned()
        folder.read()
    except TrustStateUnreadableError:
        if not may_replace:
            raise
        return _DAMAGED
    return pinned


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "new") if is_remote(url) else "new"


def _mirrored_urls(context: Context, where: str, name: str) -> list[str]:
    """Give the addresses of the registries at a URL: itself, or where it has none but is a mirror, those in it.

    Raises:
        RegistryUnreachableError: it cannot be asked, or its ``mirror.json`` is none.
    """
    url = where.rstrip("/")
    place = _place(context, url, name)
    try:
        try:
            place.get(layout.role_file("root", 1), MAX_ROOT_BYTES)
        except NotFound:
            ids = mirrored_registries(place.get(MIRROR_JSON, MAX_MIRROR_BYTES))
            if not ids:
                raise ValueError(f"{MIRROR_JSON} names no registry") from None
            return [join(url, MIRRORS, one) for one in ids]
    except TransportError:
        pass  # whoever asks for it next says what is wrong with it
    except ValueError as error:
        raise RegistryUnreachableError(place.origin, f"does not answer as a mirror: {error}") from None
    return [url]


def _folders(where: str) -> list[str]:
    try:
        folder = os.path.abspath(folder_of(where))
    except ValueError as error:
        raise UsageError(str(error), "give the path of a folder, or its file:// URL") from None
    mirrors = os.path.join(folder, MIRRORS)
    if os.path.isdir(os.path.join(folder, "metadata")) or not os.path.isdir(mirrors):
        return [folder]
    found = sorted(entry.path for entry in os.scandir(mirrors) if entry.is_dir())
    if not found:
        raise NotARegistryError(folder)
    return found


def fingerprint_of(text: str) -> str:
    """Read a fingerprint that a person was given, with or without ``sha256:``.

    Raises:
        UsageError: it is none.
    """
    plain = text.strip().lower().removeprefix("sha256:")
    if not is_sha256(plain):
        raise UsageError(f"{text!r} is no fingerprint", "give the 64 hex digits after sha256: that its publisher shows")
    return plain
