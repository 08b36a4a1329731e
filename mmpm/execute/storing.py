"""The effects on the store as such: collecting and mending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import MmpmError
from mmpm_store.check import Repaired, StoreHealth, mend
from mmpm_store.collect import Collected, collect
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmpm.execute.context import Context
    from mmpm.plan import CollectStore, RepairStore
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
