"""The store's own verbs: `status`, `verify`, `repair`, `prune`, `path`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import NotFoundInStoreError, StoreIncompleteError
from mmpm.plan import ClearQuarantine, CollectStore, Plan, RepairStore
from mmpm.project.files import read_project
from mmpm_store.check import users_of, verify_store
from mmpm_store.collect import collect
from mmpm_store.ids import ObjectId
from mmpm_store.roots import list_roots

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.execute.context import Context
    from mmpm_store.check import StoreHealth, Variant
    from mmpm_store.objects import StoreStatus


@dataclass(frozen=True, slots=True)
class Held:
    """What the store holds, and for whom.

    Attributes:
        path: of the store.
        status: counts and bytes.
        users: (receipt, number of releases) that use it, sorted.
        max_bytes: what collection shrinks it to, if set.
    """

    path: str
    status: StoreStatus
    users: tuple[tuple[str, int], ...]
    max_bytes: int | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What reading every object found, and which receipts are concerned by each bad one (none: nothing installed)."""

    health: StoreHealth
    users: dict[ObjectId, tuple[str, ...]]


def store_status(context: Context) -> Held:
    """Count what the store holds, without reading it.

    Raises:
        UnreadableRootError: what is in use cannot be read.
    """
    users = tuple((root.key, len(root.trees)) for root in list_roots(context.store))
    return Held(context.store.path, context.store.status(), users, _max_bytes(context))


def verify_objects(context: Context) -> Looked:
    """Read and hash every object; nothing is changed.

    Raises:
        UnreadableRootError: what is in use cannot be read.
    """
    progress = context.progress
    started = False

    def tell(done: int, everything: int) -> None:
        nonlocal started
        if not started:
            started = True
            progress.start("Verifying...", everything, "objects")
        progress.advance()
        if done == everything:
            progress.finish()

    health = verify_store(context.store, tell)
    bad = {object_id for object_id, _ in (*health.damaged, *health.missing)}
    return Looked(health, users_of(context.store, bad) if bad else {})


def plan_repair(context: Context) -> Plan:
    """Plan to mend whatever is damaged, missing or writable; empty where the store is sound.

    Raises:
        UnreadableRootError: what is in use cannot be read.
    """
    health = verify_objects(context).health
    if health.is_sound:
        return Plan()
    return Plan((RepairStore(_texts(health.damaged), _texts(health.missing), _texts(health.wrong_mode)),))


def plan_prune(context: Context, *, everything: bool = False, force: bool = False, quarantine: bool = False) -> Plan:
    """Plan to remove what no receipt and not this project's lock needs.

    Args:
        context: `store.grace` and `store.max_size` say what goes: what is older than the one, until the store is no
            larger than the other (all of it where there is no such limit).
        everything: without regard to both.
        force: although it is not known what some releases in use need.
        quarantine: also what is damaged and was put aside.

    Raises:
        StoreIncompleteError: without `force`: it is not known what some releases in use need.
        UnreadableRootError: what is in use cannot be read.
        DocumentUnreadableError, NewerFormatError: the lock cannot be read.
    """
    plan = _plan_collection(context, everything=everything, force=force)
    held = context.store.status()
    if not (quarantine and held.quarantined):
        return plan
    return replace(plan, actions=(*plan.actions, ClearQuarantine(held.quarantined, held.quarantined_bytes)))


def _plan_collection(context: Context, *, everything: bool, force: bool) -> Plan:
    lock = read_project(context.project).lock
    keep = tuple(sorted({locked.tree for locked in lock.releases})) if lock else ()
    grace = 0 if everything else context.settings.seconds("store.grace")
    if grace is None:  # `never`: nothing is ever old enough
        return Plan()
    max_bytes = None if everything else _max_bytes(context)
    found = collect(
        context.store,
        map(ObjectId.parse, keep),
        grace_seconds=grace,
        now=context.now.timestamp(),
        max_bytes=max_bytes,
        dry_run=True,
        force=force,
    )
    if found.unreadable and not force:
        raise StoreIncompleteError(str(tree) for tree in found.unreadable)
    if not (found.removed or found.vanished or found.dropped or context.store.status().staging):
        return Plan()
    notes = [
        f"{key} is gone; what it used stays for {grace} seconds from when that was first seen" for key in found.vanished
    ]
    action = CollectStore(grace, max_bytes, keep, force, len(found.removed), found.freed_bytes)
    return Plan((action,), notes=tuple(notes))


def object_path(context: Context, text: str) -> str:
    """Give the path of an object that the store has, plain variant first.

    Raises:
        NotFoundInStoreError: `text` is no object id, or not here.
    """
    try:
        object_id = ObjectId.parse(text)
    except ValueError:
        raise NotFoundInStoreError(text, "is no object id") from None
    for executable in (False, True):
        if context.store.has(object_id, executable):
            return context.store.path_of(object_id, executable)
    raise NotFoundInStoreError(text, "is not in the store")


def _max_bytes(context: Context) -> int | None:
    value = context.settings["store.max_size"]
    assert value is None or isinstance(value, int)
    return value


def _texts(variants: Iterable[Variant]) -> tuple[str, ...]:
    return tuple(f"{object_id}-x" if executable else str(object_id) for object_id, executable in variants)
