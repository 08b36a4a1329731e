"""From one published state to the next: the only code that writes signed metadata of a tree that exists.

Order: objects (by the caller, before), claim of the serial, targets and aliases, bins, one flush, ``timestamp.json``.
The timestamp's rename is the commit; a crash at any instruction before it leaves the old state, and the next
publisher passes over the abandoned claim.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from mmpm.trust.facts import (
    BIN,
    BINS,
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
from mmpm.trust.metadata import sign_listing, sign_snapshot, sign_timestamp
from mmpm_store.durable import fsync_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mmpm.model.names import FormulaName
    from mmpm.registry.key_folder import RegistryKeys
    from mmpm.registry.tree_writer import TreeWriter
    from mmpm.trust.facts import TargetFile

WAIT_SECONDS = 120.0
_CLOCK_TOLERANCE = timedelta(minutes=10)


class Edit(Protocol):
    """What a verb does to a state; called again whenever another publisher was first."""

    def prepare(self, base: PublishedTree, serial: int, writer: TreeWriter) -> Mapping[str, TargetFile]:
        """Prepare the files of changed targets in `writer` and give what the bins must list; empty: nothing to do."""

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
        after_restore: go on above what was noted although the tree shows less; every bin is signed anew, because
            readers have seen newer ones than the tree has.
    """

    keys: RegistryKeys
    now: datetime
    wait_seconds: float = WAIT_SECONDS
    on_wait: Callable[[str], None] = lambda _line: None
    grace_seconds: float = GRACE_SECONDS
    key_folder: str = ""
    after_restore: bool = False


@dataclass(frozen=True, slots=True)
class _Signed:
    """The metadata of a new state, in memory."""

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
    with Claims(root, how.wait_seconds) as claims:
        while True:
            floor = read_floor(how.key_folder) if how.key_folder else None  # before the tree, which only goes on
            base = PublishedTree.load(root, how.keys.root)
            _check_keys(base, how.keys)
            last = Floor.of_tree(base) if floor is None else max(floor, Floor.of_tree(base))
            if floor is not None and not how.after_restore:
                floor.require_below(base)
            issued = _issue_time(base, last.issued, how.now)
            serial = max(last.serial, abandoned) + 1
            writer.forget_prepared()
            targets = edit.prepare(base, serial, writer)
            if not targets and not renew:
                return base.serial
            signed = _sign(base, how.keys, issued, serial, targets, every_bin=last.serial > base.serial)
            if not claims.claim(serial, writer.stage((signed.snapshot,))):
                claims.wait_for(serial, lambda serial=serial: shown_serial(root) >= serial, how.on_wait)  # type: ignore[misc]
                if shown_serial(root) < serial:
                    abandoned = serial
                continue
            if not base.is_current():
                continue  # suspended for so long between reading and claiming that the state has moved on
            _show(base, serial, signed, edit, writer)
            _note(how, Floor(serial, format_time(issued)))
            prune(root, issued, how.grace_seconds, targets)
            return serial


def _note(how: Committing, floor: Floor) -> None:
    if how.key_folder:
        try:
            raise_floor(how.key_folder, floor)
        except OSError as error:  # the publish is done, and readers see it
            how.on_wait(f"{how.key_folder}: what was published could not be noted there: {error.strerror}")


def _check_keys(base: PublishedTree, keys: RegistryKeys) -> None:
    # One wrong signature would shut every reader out, so it is found out before anything is claimed.
    for role in ONLINE_ROLES:
        if keys.signers[role].public.hex not in base.chain.keys_of(role).public:
            raise KeyForeignError(role)


def _issue_time(base: PublishedTree, last_issued: str, now: datetime) -> datetime:
    last = parse_time(last_issued)
    if now + _CLOCK_TOLERANCE < last:
        raise ClockBehindError(format_time(now), last_issued)
    issued = max(now, last)  # two machines' clocks differ by seconds; issue times still never go back
    for role in (ROOT, TARGETS, TRUST, BINS):
        expires = base.chain.expires(role)
        if expires <= issued:
            raise RegistryExpiredError(role, format_time(expires))
    return issued


def _sign(
    base: PublishedTree,
    keys: RegistryKeys,
    issued: datetime,
    serial: int,
    targets: Mapping[str, TargetFile],
    *,
    every_bin: bool,
) -> _Signed:
    changed = {role: dict(base.bin_targets(role)) for role in layout.bin_roles()} if every_bin else {}
    for target, file in targets.items():
        role = layout.bin_of(target)
        changed.setdefault(role, dict(base.bin_targets(role)) if role not in changed else {})[target] = file
    bins = {
        role: sign_listing(BIN, keys.signers[BIN], issued, listing, serial) for role, listing in sorted(changed.items())
    }
    roles = base.roles() | {role: RoleFile.of(serial, data) for role, data in bins.items()}
    snapshot = sign_snapshot(keys.signers[SNAPSHOT], issued, roles, serial)
    timestamp = sign_timestamp(keys.signers[TIMESTAMP], issued, RoleFile.of(serial, snapshot), base.chain.root_version)
    return _Signed(bins, snapshot, timestamp)


def _show(base: PublishedTree, serial: int, signed: _Signed, edit: Edit, writer: TreeWriter) -> None:
    """Write everything that the new timestamp reaches, flush, then rename the timestamp into place."""
    base.archive()
    mend_aliases(base, writer)
    note_aliases(writer, serial, edit.names())
    writer.reveal()
    edit.write_aliases(base, writer)
    for role, data in signed.bins.items():
        writer.put(layout.role_file(role, serial), data)
    writer.prepare(layout.TIMESTAMP, (signed.timestamp,), IMMUTABLE_MODE)
    writer.flush()
    if not base.is_current():  # only where file locks do not work
        raise PublisherBusyError(f"{base.root}/{layout.TIMESTAMP}", 0)
    writer.reveal()
    fsync_path(f"{base.root}/metadata")
    archive_timestamp(base.root, serial)
    forget_note(base.root, serial)
