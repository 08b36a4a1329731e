"""From one published state to the next: the only code that writes signed metadata of a tree that exists.

Order: objects (by the caller, before), claim of the serial, targets and aliases, bins, one flush, ``timestamp.json``.
The timestamp's rename is the commit; a crash at any instruction before it leaves the old state, and the next
publisher passes over the abandoned claim.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from mmpm.errors import ClockBehindError, KeyForeignError, PublisherBusyError, RegistryExpiredError
from mmpm.registry import layout
from mmpm.registry.claim import Claims
from mmpm.registry.floor import Floor, raise_floor, read_floor
from mmpm.registry.mending import forget_note, mend_aliases, note_aliases
from mmpm.registry.prune import GRACE_SECONDS, prune
from mmpm.registry.published import PublishedTree, archive_timestamp, shown_serial
from mmpm.registry.tree_writer import IMMUTABLE_MODE
from mmpm.trust.documents import read_facts
from mmpm.trust.facts import (
    BIN,
    BINS,
    DOCUMENTS,
    ONLINE_ROLES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TRUST,
    RoleFile,
    format_time,
    parse_time,
)
from mmpm.trust.metadata import Chain, sign_listing, sign_snapshot, sign_timestamp
from mmpm_store.durable import fsync_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mmpm.model.names import FormulaName
    from mmpm.registry.key_folder import RegistryKeys
    from mmpm.registry.tree_writer import TreeWriter
    from mmpm.trust.facts import TargetFile
    from mmpm.trust.keys import SigningKey

WAIT_SECONDS = 120.0
_CLOCK_TOLERANCE = timedelta(minutes=10)
_SAID_BEFORE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit makes of the state that it was shown.

    Attributes:
        targets: what the bins list from now on, beside what they list already.
        documents: of the roles targets, trust and bins, the signed documents that take the place of the present ones.
        roots: new roots, each signed as the one before it asks, the first one version above the present one.
        every_bin: sign every bin anew, because their keys changed.
    """

    targets: Mapping[str, TargetFile] = field(default_factory=dict)
    documents: Mapping[str, RoleDocument] = field(default_factory=dict)
    roots: tuple[bytes, ...] = ()
    every_bin: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.targets or self.documents or self.roots or self.every_bin)


@dataclass(frozen=True, slots=True)
class RoleDocument:
    """A signed document of a role that does not change at every publish, and its version."""

    version: int
    data: bytes


class Edit(Protocol):
    """What a verb does to a state; called again whenever another publisher was first."""

    def prepare(self, base: PublishedTree, serial: int, writer: TreeWriter) -> Change:
        """Prepare the files of changed targets in `writer`, and give what changes."""

    def names(self) -> Iterable[FormulaName]:
        """Give the formulas whose unsigned copies `write_aliases` will change."""

    def write_aliases(self, base: PublishedTree, writer: TreeWriter) -> None:
        """Write the unsigned copies, now that nobody else is at work."""


@dataclass(frozen=True, slots=True)
class Committing:
    """How to commit.

    Attributes:
        keys: with the online roles.
        now: becomes `issued`.
        wait_seconds: how long another publisher may keep us waiting.
        on_wait: takes one line for a person: when that begins, and where something could not be noted.
        grace_seconds: how long superseded metadata stays for readers in the middle of a refresh.
        key_folder: where it is noted what was published last (`mmpm.registry.floor`); empty notes and asks nothing.
        reload_keys: gives the keys anew where the registry names others by now; None cannot.
        after_theft: nobody has to be held to the issue times of the tree, which may be a thief's: the keys of a new
            epoch sign.
        after_restore: go on above what was noted although the tree shows less; every bin is signed anew, because
            readers have seen newer ones than the tree has.
        began: on `time.monotonic`'s scale, when it was `now`: what other publishers issued while we prepared or waited
            is no sign of a clock that is behind.
    """

    keys: RegistryKeys
    now: datetime
    wait_seconds: float = WAIT_SECONDS
    on_wait: Callable[[str], None] = lambda _line: None
    grace_seconds: float = GRACE_SECONDS
    key_folder: str = ""
    after_restore: bool = False
    after_theft: bool = False
    reload_keys: Callable[[PublishedTree], RegistryKeys] | None = None
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class _Signed:
    """The metadata of a new state, in memory."""

    change: Change
    bins: Mapping[str, bytes]
    snapshot: bytes
    timestamp: bytes


def commit(root: str, how: Committing, edit: Edit, writer: TreeWriter, *, renew: bool = False) -> int:
    """Publish what `edit` does to the newest state.

    Args:
        root: the tree's folder.
        how: keys, time and limits.
        edit: the change.
        writer: of the tree at `root`; nothing is prepared in it yet.
        renew: sign a new timestamp also where nothing changes.

    Returns:
        The serial that shows the change: a new one, or the present one where there was nothing to do.

    Raises:
        PublisherBusyError: another publisher does not finish.
        KeyForeignError, ClockBehindError, RegistryExpiredError, RegistryRestoredError: readers would refuse what we
            would sign.
    """
    abandoned = 0
    keys = how.keys
    with Claims(root, how.wait_seconds) as claims:
        while True:
            floor = read_floor(how.key_folder) if how.key_folder else None  # before the tree, which only goes on
            base = PublishedTree.load(root, how.keys.root)
            last = Floor.of_tree(base) if floor is None else max(floor, Floor.of_tree(base))
            if floor is not None and not how.after_restore:
                floor.require_below(base)
            serial = max(last.serial, abandoned) + 1
            writer.forget_prepared()
            change = edit.prepare(base, serial, writer)
            if change.is_empty and not renew:
                return base.serial
            try:
                keys, signers = _online_signers(base, change, keys, how)
            except KeyForeignError:
                if base.is_current():
                    raise
                continue  # our keys are of a rotation that was shown after `base` was read
            issued = _issue_time(base, change, (floor or last) if how.after_theft else last, how)
            if last.serial > base.serial:
                change = replace(change, every_bin=True)
            signed = _sign(base, signers, issued, serial, change)
            _require_believable(base, signed)
            if not claims.claim(serial, writer.stage((signed.snapshot,))):
                claims.wait_for(serial, lambda serial=serial: shown_serial(root) >= serial, how.on_wait)  # type: ignore[misc]
                if shown_serial(root) < serial:
                    abandoned = serial
                continue
            if not base.is_current():
                continue  # suspended for so long between reading and claiming that the state has moved on
            _show(base, serial, signed, edit, writer)
            _note(how, Floor(serial, format_time(issued)), _terms(base, change))
            prune(root, issued, how.grace_seconds, change.targets)
            return serial


def _note(how: Committing, floor: Floor, terms: Mapping[str, datetime]) -> None:
    soon = [role for role, expires in terms.items() if expires < how.now + _SAID_BEFORE]
    if soon:
        first = min(terms[role] for role in soon)
        how.on_wait(
            f"{', '.join(soon)} of this registry expire from {format_time(first)} on: run "
            "`mmpm registry rotate DIR --renew all` before"
        )
    if how.key_folder:
        try:
            raise_floor(how.key_folder, floor, {role: format_time(expires) for role, expires in terms.items()})
        except OSError as error:  # the publish is done, and readers see it
            how.on_wait(f"{how.key_folder}: what was published could not be noted there: {error.strerror}")


def _online_signers(
    base: PublishedTree, change: Change, keys: RegistryKeys, how: Committing
) -> tuple[RegistryKeys, Mapping[str, tuple[SigningKey, ...]]]:
    """Give, by online role, those of our keys that the registry names once `change` is made.

    One wrong signature would shut every reader out, so this is found out before anything is claimed.

    Raises:
        KeyForeignError: too few of ours are named.
    """
    named = {role: base.chain.keys_of(role) for role in ONLINE_ROLES}
    if change.roots:
        named |= {role: read_facts(ROOT, change.roots[-1]).delegates[role] for role in (SNAPSHOT, TIMESTAMP)}
    if BINS in change.documents:
        named[BIN] = read_facts(BINS, change.documents[BINS].data).delegates[BIN]
    signers = {
        role: tuple(one for one in keys.signers.get(role, ()) if one.public.hex in named[role].public)
        for role in ONLINE_ROLES
    }
    foreign = next((role for role in ONLINE_ROLES if len(signers[role]) < named[role].threshold), None)
    if foreign is None:
        return keys, signers
    if how.reload_keys is None:
        raise KeyForeignError(foreign)
    return _online_signers(base, change, how.reload_keys(base), replace(how, reload_keys=None))


def _require_believable(base: PublishedTree, signed: _Signed) -> None:
    """Take the new state as a reader will who knows the present root.

    Raises:
        UntrustedMetadataError: a new root or document is not signed as it must be.
    """
    change = signed.change
    if not (change.documents or change.roots):
        return
    chain = Chain(base.chain.root_bytes)
    for root in change.roots:
        chain.advance_root(root)
    chain.accept_timestamp(signed.timestamp)
    chain.accept_snapshot(signed.snapshot)
    for role in (TARGETS, TRUST, BINS):
        changed = change.documents.get(role)
        chain.accept_targets(role, base.role_bytes(role) if changed is None else changed.data)
    if BINS in change.documents or signed.bins:
        for role in layout.bin_roles():
            chain.accept_targets(role, signed.bins.get(role) or base.role_bytes(role))
            chain.forget(role)


def _issue_time(base: PublishedTree, change: Change, last: Floor, how: Committing) -> datetime:
    before = parse_time(last.issued)
    passed = timedelta(seconds=time.monotonic() - how.began)
    if how.now + passed + _CLOCK_TOLERANCE < before:
        raise ClockBehindError(format_time(how.now), last.issued)
    issued = max(how.now, before)  # two machines' clocks differ by seconds; issue times still never go back
    for role, expires in _terms(base, change).items():
        if expires <= issued:
            raise RegistryExpiredError(role, format_time(expires))
    return issued


def _terms(base: PublishedTree, change: Change) -> dict[str, datetime]:
    """Give until when the documents hold that rarely change, by role, once `change` is made."""
    new = {role: one.data for role, one in change.documents.items()}
    if change.roots:
        new[ROOT] = change.roots[-1]
    return {
        role: parse_time(read_facts(role, new[role]).expires) if role in new else base.chain.expires(role)
        for role in DOCUMENTS
    }


def _sign(
    base: PublishedTree,
    signers: Mapping[str, tuple[SigningKey, ...]],
    issued: datetime,
    serial: int,
    change: Change,
) -> _Signed:
    changed = {role: dict(base.bin_targets(role)) for role in layout.bin_roles()} if change.every_bin else {}
    for target, file in change.targets.items():
        role = layout.bin_of(target)
        changed.setdefault(role, dict(base.bin_targets(role)) if role not in changed else {})[target] = file
    bins = {role: sign_listing(BIN, signers[BIN], issued, listing, serial) for role, listing in sorted(changed.items())}
    roles = base.roles() | {role: RoleFile.of(serial, data) for role, data in bins.items()}
    roles |= {role: RoleFile.of(one.version, one.data) for role, one in change.documents.items()}
    snapshot = sign_snapshot(signers[SNAPSHOT], issued, roles, serial)
    root_version = base.chain.root_version + len(change.roots)
    timestamp = sign_timestamp(signers[TIMESTAMP], issued, RoleFile.of(serial, snapshot), root_version)
    return _Signed(change, bins, snapshot, timestamp)


def _show(base: PublishedTree, serial: int, signed: _Signed, edit: Edit, writer: TreeWriter) -> None:
    """Write everything that the new timestamp reaches, flush, then rename the timestamp into place."""
    base.archive()
    _drop_unshown_roots(base)
    writer.put(layout.role_file(ROOT, base.chain.root_version), base.chain.root_bytes)  # a restored tree may lack it
    mend_aliases(base, writer)
    note_aliases(writer, serial, edit.names())
    writer.reveal()
    edit.write_aliases(base, writer)
    for role, data in signed.bins.items():
        writer.put(layout.role_file(role, serial), data)
    for role, document in signed.change.documents.items():
        writer.put(layout.role_file(role, document.version), document.data)
    for version, root in enumerate(signed.change.roots, base.chain.root_version + 1):
        writer.prepare(layout.role_file(ROOT, version), (root,))
    timestamp = writer.stage((signed.timestamp,), IMMUTABLE_MODE)
    writer.flush()
    if not base.is_current():  # only where file locks do not work
        raise PublisherBusyError(f"{base.root}/{layout.TIMESTAMP}", 0)
    if signed.change.roots:
        writer.reveal()
        fsync_path(f"{base.root}/metadata")  # a timestamp never outlives the root that it names
    writer.place(timestamp, layout.TIMESTAMP)
    fsync_path(f"{base.root}/metadata")
    archive_timestamp(base.root, serial)
    forget_note(base.root, serial)


def _drop_unshown_roots(base: PublishedTree) -> None:
    """Remove the roots of a rotation that was killed before its timestamp: no reader of ours walked so far."""
    version = base.chain.root_version + 1
    with suppress(FileNotFoundError):
        while True:
            os.unlink(f"{base.root}/{layout.role_file(ROOT, version)}")
            version += 1
