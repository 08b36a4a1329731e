"""`mirror import`: which registries a pack brings, whose root keys somebody has to vouch for, and the plan."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mmpm.errors import PackRootNotPinnedError, RootMismatchError, UsageError
from mmpm.execute.importing import landing_of
from mmpm.ops.registries import fingerprint_of
from mmpm.plan import Plan
from mmpm.plan.mirrors import ImportPacks
from mmpm.registry.pack.gathering import gather_packs
from mmpm.registry.pack.reading import PackReader
from mmpm.registry.pack.waiting import waiting_parcels
from mmpm.registry.state import TrustFolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import BinaryIO

    from mmpm.execute.context import Context
    from mmpm.registry.pack.format import PackedRegistry, PackHead


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is to be imported.

    Attributes:
        packs: absolute paths of packs, volumes and lists of volumes; none tries those that wait.
        folder: the mirror, absolute; empty for this machine's store.
        roots: fingerprints that the person was given, with or without ``sha256:``.
    """

    packs: tuple[str, ...]
    folder: str
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Brought:
    """A registry that packs bring.

    Attributes:
        told: what the pack's head says of it, unverified.
        pack: its name.
        fingerprint: the one of its root keys that was accepted before, or that somebody has to vouch for now.
        is_accepted: whether it was accepted, here or with `--root`.
    """

    told: PackedRegistry
    pack: str
    fingerprint: str
    is_accepted: bool


def look_into(context: Context, request: ImportRequest) -> tuple[Brought, ...]:
    """Read the heads of the packs, and of those that wait, and hold their root keys against what was accepted.

    Returns:
        Each registry once, in the order of the packs. Packs of which volumes are missing bring none yet.

    Raises:
        PackUnreadableError, PackRefusedError: a pack is not there, or is none.
        RootMismatchError: a pack has another root key than the accepted one.
        UsageError: a fingerprint is none; nothing says where to import to.
    """
    given = [fingerprint_of(one) for one in request.roots]
    landing = landing_of(context, request.folder)  # without its end: nobody holds the lock here, and others are at work
    heads = [(parcel.head, parcel.name) for parcel in waiting_parcels(landing.quarantine)]
    for pack in gather_packs(request.packs, landing.quarantine):
        if not pack.missing:
            with pack.open() as stream:
                heads.append((PackReader(cast("BinaryIO", stream), pack.name).head, pack.name))
    found: dict[str, Brought] = {}
    _check_given(given, heads)
    for head, name in heads:
        for told in head.registries:
            one = _brought(context, told, name, given)
            found[told.id] = (
                one if told.id not in found or one.told.serial > found[told.id].told.serial else found[told.id]
            )
    return tuple(found.values())


def _check_given(given: Sequence[str], heads: Sequence[tuple[PackHead, str]]) -> None:
    """Refuse a fingerprint that is that of nothing here: whoever gave it expects another registry.

    Raises:
        RootMismatchError: no registry of any pack has such a root.
    """
    told = [(one, name) for head, name in heads for one in head.registries]
    for root in given:
        if told and not any(root in one.roots for one, _ in told):
            (first, name) = told[0]
            raise RootMismatchError(first.id, root, first.roots[0], name)


def _brought(context: Context, told: PackedRegistry, pack: str, given: Sequence[str]) -> Brought:
    configured = next((one.root for one in context.registries if one.id == told.id), None)
    accepted = TrustFolder.of(context.places.trust, told.id).accepted(configured)
    if accepted is not None and accepted not in told.roots:
        raise RootMismatchError(told.id, accepted, told.roots[0], pack)
    if accepted is not None:
        return Brought(told, pack, accepted, is_accepted=True)
    matching = next((one for one in given if one in told.roots), None)
    if given and matching is None:
        raise PackRootNotPinnedError(told.id, told.roots[0], pack)
    return Brought(told, pack, matching or told.roots[0], is_accepted=matching is not None)


def plan_import(request: ImportRequest, brought: Iterable[Brought]) -> Plan:
    """Plan an import; each root key in `brought` was accepted by now.

    Raises:
        UsageError: a pack is named twice.
    """
    if len({os.path.realpath(one) for one in request.packs}) != len(request.packs):
        raise UsageError("a pack is named twice", "name each pack once")
    known = list(brought)
    accepted: Mapping[str, str] = {one.told.id: one.fingerprint for one in known}
    if not request.packs and not known:
        return Plan()
    return Plan(
        actions=(
            ImportPacks(
                request.folder,
                request.packs,
                tuple(sorted(accepted.items())),
                tuple((one.told.id, one.told.serial, one.told.files, one.told.size) for one in known),
            ),
        )
    )
