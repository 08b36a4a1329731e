"""The effects of `registry add`, `registry remove` and `update`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import UNTRUSTED, MmpmError
from mmpm.execute.connect import session_of
from mmpm.project.config import load_registries
from mmpm.project.config_file import drop_registry, put_registry
from mmpm.project.registries import RegistryConfig
from mmpm.registry.state import TrustFolder

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.plan import AddRegistry, RefreshRegistries, RemoveRegistry
    from mmpm.registry.refresh import Refreshed, RefreshSession


def apply_add(context: Context, action: AddRegistry) -> Refreshed:
    """Effect of `AddRegistry`: verify it from the accepted root, keep its addresses, pin the root; in this order.

    Raises:
        MmpmError: it cannot be reached or is not to be trusted; then nothing was changed, but that with `replace`
            what was believed under the other root key is forgotten.
    """
    # As the person configured it: what a project states of it is not kept.
    own = load_registries(context.places)
    before = next((one for one in own if one.id == action.registry), RegistryConfig(action.registry))
    config = replace(
        before,
        urls=action.urls,
        name=action.name,
        priority=action.priority,
        scopes=action.scopes,
        root=action.fingerprint,
        origin=context.places.config_file,
    )
    if action.replace:
        TrustFolder.of(context.places.trust, action.registry).forget()
    session = session_of(context, config)
    session.begin()
    _bring_catalog(context, session)
    put_registry(context.places.config_file, config)
    done = session.commit()
    for warning in done.warnings:
        context.progress.warn(warning)
    return done


def _bring_catalog(context: Context, session: RefreshSession) -> None:
    """Bring what `search` reads, so that it works at once; where it is only missing, the registry is added without it.

    Raises:
        MmpmError: what came is not to be trusted.
    """
    try:
        session.fetch_catalog()
    except MmpmError as error:
        if error.exit_status == UNTRUSTED:
            raise
        context.progress.warn(f"the catalog was not brought, so that search finds nothing yet: {error.fact}")


def apply_remove(context: Context, action: RemoveRegistry) -> None:
    """Effect of `RemoveRegistry`: its addresses go.

    Its root key and what was seen last stay noted: added again, it cannot show an older state or another key unseen.
    """
    drop_registry(context.places.config_file, action.registry)


def apply_refresh(context: Context, action: RefreshRegistries) -> tuple[tuple[Refreshed, ...], tuple[MmpmError, ...]]:
    """Effect of `RefreshRegistries`: bring what changed; a registry that fails does not keep the others from it.

    Returns:
        What each refresh did, and the failures, both in the order of the registries.
    """
    from mmpm.registry.refresh import ALL

    refreshed: list[Refreshed] = []
    failures: list[MmpmError] = []
    wanted = set(action.registries)
    for registry in context.registries:
        if registry.id not in wanted:
            continue
        try:
            session = session_of(context, registry)
            session.begin()
            session.fetch_catalog()
            if action.everything:
                session.fetch(ALL)
            elif not session.is_held:
                session.fetch(name for registry_id, name in action.locked if registry_id == registry.id)
            done = session.commit()
        except MmpmError as error:
            failures.append(error)
            continue
        for warning in done.warnings:
            context.progress.warn(warning)
        refreshed.append(done)
    if context.settings.pinned:
        from mmpm.execute.policing import take_newer

        for sentence in take_newer(context):
            context.progress.say(sentence)
    return tuple(refreshed), tuple(failures)
