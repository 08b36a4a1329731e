"""The effects on the store as such: collecting and mending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import MmpmError, size_text
from mmpm_store.check import Repaired, StoreHealth, clear_quarantine, mend
from mmpm_store.collect import Collected, collect
from mmpm_store.errors import StoreError
from mmpm_store.ids import ObjectId
from mmpm_store.roots import keep_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmpm.execute.context import Context
    from mmpm.plan import ClearQuarantine, CollectStore, PutObject, RepairStore
    from mmpm_store.check import Variant


def apply_collect(context: Context, action: CollectStore) -> Collected:
    """Collect; what came into use since the plan was made stays.

    Raises:
        UnreadableRootError: what is in use cannot be read; nothing was removed.
    """
    return collect(
        context.store,
        map(ObjectId.parse, action.keep),
        grace_seconds=action.grace_seconds,
        now=context.now.timestamp(),
        max_bytes=action.max_bytes,
        force=action.force,
    )


def shrink(context: Context) -> None:
    """Collect down to `store.max_size`, after something was fetched; what failed is a warning, for the work is done.

    What is in use or younger than `store.grace` stays, however large the store is.
    """
    max_bytes, grace = context.settings["store.max_size"], context.settings.seconds("store.grace")
    if not isinstance(max_bytes, int) or grace is None:
        return
    try:
        done = collect(context.store, grace_seconds=grace, now=context.now.timestamp(), max_bytes=max_bytes)
    except StoreError as error:
        context.progress.warn(f"the store was not brought down to store.max_size: {error.fact}")
        return
    if done.removed:
        freed = size_text(done.freed_bytes)
        context.progress.say(f"Removed from the store, for store.max_size: {len(done.removed)} unused ({freed})")
    if done.kept_bytes > max_bytes:
        limit, held = size_text(max_bytes), size_text(done.kept_bytes)
        context.progress.say(f"The store holds {held}, above store.max_size ({limit}): in use, or within store.grace")


def apply_clear_quarantine(context: Context, _action: ClearQuarantine) -> int:
    """Unlink the damaged files that were put aside; give how many there were."""
    return clear_quarantine(context.store)


def apply_repair(context: Context, action: RepairStore) -> Repaired:
    """Mend from the other variant of an object, else from any registry at hand; why one did not help is warned of.

    Raises:
        NoSpaceError: the disk is full.
        UnreadableRootError: what is in use cannot be read.
    """

    def bring(ids: Sequence[ObjectId]) -> None:
        from mmpm.execute.fetch import fetch

        try:
            fetch(context, [str(one) for one in ids], ())
        except MmpmError as error:
            context.progress.warn(error.fact)

    health = StoreHealth(
        objects=0,
        bytes=0,
        damaged=_variants(action.damaged),
        wrong_mode=_variants(action.wrong_mode),
        missing=_variants(action.missing),
        strangers=(),
    )
    return mend(context.store, health, bring)


def _variants(texts: Iterable[str]) -> tuple[Variant, ...]:
    return tuple((ObjectId.parse(text.removesuffix("-x")), text.endswith("-x")) for text in texts)


def apply_put_object(context: Context, action: PutObject) -> ObjectId:
    """Put an object, and note who needs it; one that is there already stays."""
    object_id = context.store.put(action.data)
    if action.user:
        keep_object(context.store, action.user, object_id, len(action.data))
    return object_id
