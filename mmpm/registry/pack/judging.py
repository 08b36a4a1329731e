"""What the state that a pack brings is to a registry as it is known here: newer, the same, older, or not believed.

Rules: the roots are walked from the root key that was accepted, and always up to the highest root that is known here,
so that keys which were rotated out after a theft vouch for nothing any more. Floors (the state shown at the
destination, and the one that this machine saw last) hold within their epoch. Nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import (
    MissingTreeFileError,
    MmpmError,
    RegistryUntrustedError,
    RolledBackError,
    UntrustedMetadataError,
)
from mmpm.registry import layout
from mmpm.registry.authenticate import serial_of
from mmpm.registry.mirror.origin import check_not_below
from mmpm.registry.verified import MAX_ROOT_BYTES, MAX_TIMESTAMP_BYTES, VerifiedState
from mmpm.trust.facts import ROOT, TIMESTAMP
from mmpm.trust.metadata import Chain, peek_root_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from mmpm.registry.mirror.origin import Believed, Shown
    from mmpm.registry.verified import Read
    from mmpm.trust.facts import Floors


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of comparing.

    Attributes:
        kind: `new`: may be shown once it is whole; `same` as is shown already; `older`: is not shown.
        state: that the pack brings; None where it is older.
        here: that the destination shows, or None where it shows none that can be verified.
        base: an older state where nothing is shown: packs that go on from it need its files.
    """

    kind: Literal["new", "same", "older"]
    state: VerifiedState | None
    here: VerifiedState | None
    base: VerifiedState | None = None


def judge(registry: str, brought: Read, timestamp: bytes | None, shown: Shown, believed: Believed) -> Judgement:
    """Verify the state that a pack brings, and hold it against what is known.

    Args:
        registry: its id.
        brought: reads what the pack brings, and where it brings nothing the destination.
        timestamp: that the pack brings, at most one byte longer than any may be; None where it has not come out yet.
        shown: what the destination shows.
        believed: what this machine believes.

    Raises:
        MissingTreeFileError: metadata is missing that would tell.
        UntrustedMetadataError, RegistryUntrustedError, RootMismatchError: it is not to be believed.
    """
    if timestamp is None:
        raise MissingTreeFileError(registry, layout.TIMESTAMP)
    if len(timestamp) > MAX_TIMESTAMP_BYTES:
        raise UntrustedMetadataError(TIMESTAMP, f"it is longer than {MAX_TIMESTAMP_BYTES} bytes")
    top = _highest_root(registry, brought, believed, shown.state)
    if shown.state is not None and shown.state.timestamp_bytes == timestamp:
        # Read through what is brought: a store shows a state of which it has only the documents that were asked for.
        state = VerifiedState.open(brought, top, registry_id=registry, timestamp=timestamp)
        return Judgement("same", state, shown.state)
    epoch = Chain(top).epoch
    if _is_of_an_older_epoch(brought, timestamp, top, epoch):
        return Judgement("older", None, shown.state)
    floors = _highest([shown.floors, believed.floors], epoch)
    try:
        state = VerifiedState.open(brought, top, registry_id=registry, floors=floors, timestamp=timestamp)
        check_not_below(state, shown)
    except RolledBackError as error:
        # An older pack is honest. One that is as new as what is known and takes something back is not.
        if floors is not None and serial_of(timestamp) >= floors.serial and "a timestamp" not in error.fact:
            raise RegistryUntrustedError(registry, error.fact) from None
        base = None
        if shown.floors is None:
            base = VerifiedState.open(brought, top, registry_id=registry, timestamp=timestamp)
        return Judgement("older", None, shown.state, base)
    return Judgement("new", state, shown.state)


def _highest_root(registry: str, brought: Read, believed: Believed, shown: VerifiedState | None) -> bytes:
    """Give the highest root that is known here already; only where there is none, the accepted one that is brought."""
    known = [] if believed.root is None else [(Chain(believed.root).root_version, believed.root)]
    if shown is not None:
        known.append((shown.chain.root_version, shown.chain.root_bytes))
    return max(known)[1] if known else believed.trusted_root(registry, brought)


def _is_of_an_older_epoch(brought: Read, timestamp: bytes, top: bytes, epoch: str) -> bool:
    """Whether a timestamp was good under roots from before `top`, whose keys have gone out since."""
    named = peek_root_version(timestamp) or 0
    highest = Chain(top).root_version
    if not 0 < named < highest:
        return False
    chain: Chain | None = None
    then: Chain | None = None
    try:
        for version in range(1, highest + 1):
            data = top if version == highest else brought(layout.role_file(ROOT, version), MAX_ROOT_BYTES)
            if data is None:
                return False
            if chain is None:
                chain = Chain(data)
            else:
                chain.advance_root(data)
            if version == named:
                then = Chain(data)
        if then is None or then.epoch == epoch:
            return False
        then.accept_timestamp(timestamp)
    except MmpmError:
        return False
    return True


def _highest(floors: Iterable[Floors | None], epoch: str) -> Floors | None:
    """Give the highest of those that hold in `epoch`, with the highest versions of roles of any of them."""
    holding = [one for one in floors if one is not None and one.epoch == epoch]
    if not holding:
        return None
    roles = {role: max(one.roles.get(role, 0) for one in holding) for each in holding for role in each.roles}
    return replace(max(holding, key=lambda one: (one.serial, one.issued)), roles=roles)
