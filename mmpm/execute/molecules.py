"""The effects on molecules: each is there whole or not at all, whenever the process is killed.

Rule: the caller holds the root's lock (`mmpm.ops.mol_state.Workspace.begin`). The digest's file is the squash, the
burned line in the log is the burn. What follows them is noted beforehand in one file of the root (`places.ending`), so
that whoever comes next completes it (`complete`) without looking at every log. Burns that follow each other share the
note and every flush: each of them is begun or not, and all that were begun are completed.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from mmpm.errors import MoleculeLogError, MoleculeRefusedError
from mmpm.molecule.compacting import compacted
from mmpm.molecule.events import Burned, Squashed, is_molecule_id
from mmpm.molecule.heads import is_of_another
from mmpm.molecule.lines import Line
from mmpm.molecule.state import fold
from mmpm.molecule.transitions import is_live
from mmpm.project.mol_lines import MAX_LOG_BYTES
from mmpm.project.mol_log import (
    MolPlaces,
    append,
    create,
    make_folder,
    make_folders,
    make_synced_folder,
    read_digest,
    read_log,
    read_plain,
    remove,
)
from mmpm_store.durable import fsync_path, sync_filesystem, write_file_durably
from mmpm_store.roots import remove_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmpm.execute.context import Context
    from mmpm.plan import AppendLine, BurnMolecule, CompactLog, CompleteEnding, RemoveLeftovers, SquashMolecule

MOST_AT_ONCE: Final = 5000  # molecules that one note names
_MOST_BYTES_AT_ONCE: Final = 4 << 20  # of their last lines, unless one alone has more
_MAX_NOTE: Final = 512 * MOST_AT_ONCE


class _Ending(NamedTuple):
    """A line of the note: what is about to end, and how."""

    verb: str
    id: str
    phase: str
    audits: bool = False


class _Burned(NamedTuple):
    """A log that ends with its burn."""

    path: str
    line: bytes
    audits: bool


def apply_append(_context: Context, action: AppendLine) -> str:
    """Append the line.

    Returns:
        The id of the molecule.

    Raises:
        MoleculeRefusedError: it should begin, and there is one of that id.
    """
    places = MolPlaces(action.root)
    path = places.log(action.id, action.phase)
    if not action.creates:
        append(path, action.data)
        return action.id
    make_folders(places, action.phase)
    other = places.log(action.id, "mol" if action.phase == "wisp" else "wisp")
    if any(os.path.lexists(one) for one in (other, places.digest(action.id))) or not create(path, action.data):
        raise MoleculeRefusedError(f"there is a molecule {action.id} already", "give another --ref, or none")
    return action.id


def apply_squash(context: Context, action: SquashMolecule) -> str:
    """Write the digest, then end the log.

    Returns:
        The path of the digest.

    Raises:
        MoleculeLogError: another digest is there in its place.
    """
    places = MolPlaces(action.root)
    path = places.digest(action.id)
    log = places.log(action.id, action.phase)
    if action.phase == "mol":
        _check_writable(log)  # before its digest is there
    if os.path.lexists(path):
        raise MoleculeLogError(path, "it is there already, and would be written over", "move it away")
    _note(places, [_Ending("squash", action.id, action.phase)])
    make_folder(places.digests)
    write_file_durably(path, action.digest)
    if action.phase == "wisp":
        remove(log)
    else:
        append(log, action.line)
    _forget(places)
    if action.phase == "wisp":
        _release(context, log)
    return path


def apply_burns(context: Context, actions: Sequence[BurnMolecule]) -> list[str]:
    """End the logs, tell the audit log, remove the logs: many at a time.

    Returns:
        The ids of the molecules.

    Raises:
        MmpmError, StoreError, OSError: one cannot be burned; those before it are.
    """
    for batch in _batches(actions):
        places = MolPlaces(batch[0].root)
        if any(one.audits for one in batch) and os.path.lexists(places.audit):
            _check_writable(places.audit)  # before a molecule's log ends
        _note(places, [_Ending("burn", one.id, one.phase, one.audits) for one in batch])
        ended: list[_Burned] = []
        try:
            for one in batch:
                log = places.log(one.id, one.phase)
                append(log, one.line, flush=len(batch) == 1)
                ended.append(_Burned(log, one.line, one.audits))
        finally:
            _bury(places, ended)
        _forget(places)
        for gone in ended:
            _release(context, gone.path)
    return [one.id for one in actions]


def _batches(actions: Sequence[BurnMolecule]) -> Iterator[list[BurnMolecule]]:
    batch: list[BurnMolecule] = []
    size = 0
    for one in actions:
        size += len(one.line)
        is_full = len(batch) == MOST_AT_ONCE or size > _MOST_BYTES_AT_ONCE
        if batch and (is_full or one.root != batch[0].root):
            yield batch
            batch, size = [], len(one.line)
        batch.append(one)
    if batch:
        yield batch


def apply_complete(_context: Context, action: CompleteEnding) -> str:
    """Complete a squash or a burn that was ended in between and that no note tells of.

    Returns:
        What was done, as a sentence; empty where nothing was.
    """
    places = MolPlaces(action.root)
    done = _complete_squash(places, action.id, action.phase) if os.path.lexists(places.digest(action.id)) else ""
    return done or _complete_burns(places, [_Ending("burn", action.id, action.phase, audits=True)])


def apply_compact(_context: Context, action: CompactLog) -> int:
    """Write the log anew without the lines that have no effect; the old one stays until the new one is whole.

    Returns:
        How many lines went.

    Raises:
        MoleculeLogError: the log cannot be read.
        NoSpaceError: the log is as it was.
    """
    path = MolPlaces(action.root).log(action.id, action.phase)
    try:
        data = read_plain(path, MAX_LOG_BYTES)
    except ValueError as error:
        raise MoleculeLogError(path, str(error)) from error
    done = compacted(data or b"")
    if data is None or not done.dropped or done.reason:
        return 0
    write_file_durably(path, done.data, stat.S_IMODE(os.lstat(path).st_mode))
    return done.dropped


def apply_remove_leftovers(_context: Context, action: RemoveLeftovers) -> int:
    """Unlink what killed processes left.

    Returns:
        How many files went.
    """
    remove(*action.paths)
    return len(action.paths)


def complete(places: MolPlaces) -> str:
    """Complete the squash or burn in whose middle a process was killed; the caller holds the lock.

    Returns:
        What was done, as a sentence; empty where nothing was.

    Raises:
        MoleculeLogError: the log or the digest that it is about cannot be used; the note is gone, `gc` finds it.
        OSError, StoreError: the system refuses it; the note stays.
    """
    try:
        data = read_plain(places.ending, _MAX_NOTE)
    except ValueError:
        data = b""
    if data is None:
        return ""
    endings = _endings(data)
    try:
        done = [_complete_squash(places, one.id, one.phase) for one in endings if one.verb == "squash"]
        done.append(_complete_burns(places, [one for one in endings if one.verb == "burn"]))
    except MoleculeLogError:
        _forget(places)
        raise
    _forget(places)
    return "; ".join(filter(None, done))


def _endings(data: bytes) -> list[_Ending]:
    """Read a note. A line that says nothing is of a disk that lost power: `gc` finds what it was about."""
    found: dict[_Ending, None] = {}
    for line in data.splitlines()[:MOST_AT_ONCE]:
        try:
            said = json.loads(line)
            one = _Ending(str(said["verb"]), str(said["id"]), str(said["phase"]), bool(said["audits"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if is_molecule_id(one.id) and one.phase in {"mol", "wisp"}:
            found[one] = None
    return list(found)


def _complete_squash(places: MolPlaces, molecule_id: str, phase: str) -> str:
    """End the log of a molecule whose digest is there; without one the squash has not begun."""
    path = places.digest(molecule_id)
    digest = read_digest(places, molecule_id)
    if digest is None:
        return ""
    log_path = places.log(molecule_id, phase)
    molecule = fold(_lines(log_path))
    if is_of_another(digest, molecule):
        return ""
    if phase == "wisp":
        remove(log_path)
        return f"completed the squash of {molecule_id}: its digest is {path}"
    line = Line(digest.completed_at, digest.actor, "squash", (Squashed(digest.root),))
    if not is_live(molecule.state):
        return ""
    append(log_path, line.to_bytes())
    return f"completed the squash of {molecule_id}: its digest is {path}"


def _complete_burns(places: MolPlaces, endings: Sequence[_Ending]) -> str:
    """Remove logs that end with their burn; without that line a burn has not begun.

    Raises:
        MoleculeLogError: a log cannot be read; the others are completed.
    """
    ended: list[_Burned] = []
    failures: list[MoleculeLogError] = []
    ids: list[str] = []
    for one in endings:
        path = places.log(one.id, one.phase)
        try:
            burns = [line for line in _lines(path) if any(isinstance(event, Burned) for event in line.events)]
        except MoleculeLogError as error:
            failures.append(error)
            continue
        if burns:
            ended.append(_Burned(path, burns[-1].to_bytes(), one.audits))
            ids.append(one.id)
    _bury(places, ended)
    if failures:
        raise failures[0]
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    return f"completed the burn of {ids[0]}{more}" if ids else ""


def _bury(places: MolPlaces, ended: Sequence[_Burned]) -> None:
    """Tell the audit log of logs that end with their burn, then remove them; every step is flushed before the next."""
    if len(ended) == 1:
        fsync_path(ended[0].path)
    elif ended:
        for folder in sorted({os.path.dirname(one.path) for one in ended}):
            sync_filesystem(folder)
    told = [one.line for one in ended if one.audits]
    if told:
        _audit(places, told)
    remove(*(one.path for one in ended))


def _release(context: Context, log: str) -> None:
    """Let the store collect what a log that is gone was bonded from; if it cannot be told so, it finds out itself."""
    with contextlib.suppress(OSError):
        remove_root(context.store, log)


def _check_writable(path: str) -> None:
    """Refuse a file to which nothing can be appended.

    Raises:
        OSError, MoleculeLogError: it cannot be.
    """
    if os.path.islink(path):
        raise MoleculeLogError(path, "it is a link")
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise MoleculeLogError(path, "it is not a plain file")
    finally:
        os.close(fd)


def _lines(path: str) -> tuple[Line, ...]:
    try:
        log = read_log(path)
    except ValueError as error:
        raise MoleculeLogError(path, str(error)) from error
    return log.lines if log is not None else ()


def _audit(places: MolPlaces, lines: Sequence[bytes]) -> None:
    """Append lines to the audit log, each once, in one write."""
    make_synced_folder(places)
    if create(places.audit, b"\n".join(lines)):
        return
    told = _told(places.audit, sum(map(len, lines)) + len(lines) + _MOST_BYTES_AT_ONCE)
    left = [line for line in lines if line not in told]
    if left:
        append(places.audit, b"\n".join(left))


def _told(path: str, size: int) -> frozenset[bytes]:
    """Give the lines at the end of the audit log, where a killed process left those of its molecules."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise MoleculeLogError(path, "it is not a plain file")
        return frozenset(os.pread(fd, size, max(0, status.st_size - size)).split(b"\n"))
    finally:
        os.close(fd)


def _note(places: MolPlaces, endings: Sequence[_Ending]) -> None:
    write_file_durably(places.ending, b"".join(json.dumps(one._asdict()).encode() + b"\n" for one in endings))


def _forget(places: MolPlaces) -> None:
    remove(places.ending)
