"""The effects on molecules: each is there whole or not at all, whenever the process is killed.

Rule: the caller holds the root's lock (`mmpm.ops.mol_state.Workspace.begin`). The digest's file is the squash, the
burned line in the log is the burn. What follows them is noted beforehand in one file of the root (`places.ending`), so
that whoever comes next completes it (`complete`) without looking at every log.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import TYPE_CHECKING

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
from mmpm_store.durable import write_file_durably
from mmpm_store.roots import remove_root

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.plan import AppendLine, BurnMolecule, CompactLog, CompleteEnding, RemoveLeftovers, SquashMolecule

_MAX_NOTE = 4096


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
    _note(places, "squash", action.id, action.phase)
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


def apply_burn(context: Context, action: BurnMolecule) -> str:
    """End the log, tell the audit log, remove the log.

    Returns:
        The id of the molecule.
    """
    places = MolPlaces(action.root)
    if action.audits and os.path.lexists(places.audit):
        _check_writable(places.audit)  # before the molecule's log ends
    _note(places, "burn", action.id, action.phase, audits=action.audits)
    append(places.log(action.id, action.phase), action.line)
    if action.audits:
        _audit(places, action.line)
    remove(places.log(action.id, action.phase))
    _forget(places)
    _release(context, places.log(action.id, action.phase))
    return action.id


def apply_complete(_context: Context, action: CompleteEnding) -> str:
    """Complete a squash or a burn that was ended in between and that no note tells of.

    Returns:
        What was done, as a sentence; empty where nothing was.
    """
    places = MolPlaces(action.root)
    done = _complete_squash(places, action.id, action.phase) if os.path.lexists(places.digest(action.id)) else ""
    return done or _complete_burn(places, action.id, action.phase, audits=True)


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
    for path in action.paths:
        remove(path)
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
    try:
        said = json.loads(data)
        verb, molecule_id, phase = (str(said[key]) for key in ("verb", "id", "phase"))
        audits = bool(said["audits"])
    except (ValueError, KeyError, TypeError):
        verb, molecule_id, phase, audits = "", "", "", False
    done = ""
    # A note that says nothing is of a disk that lost power; `gc` finds what it was about.
    if is_molecule_id(molecule_id) and phase in {"mol", "wisp"}:
        try:
            if verb == "squash":
                done = _complete_squash(places, molecule_id, phase)
            elif verb == "burn":
                done = _complete_burn(places, molecule_id, phase, audits=audits)
        except MoleculeLogError:
            _forget(places)
            raise
    _forget(places)
    return done


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


def _complete_burn(places: MolPlaces, molecule_id: str, phase: str, *, audits: bool) -> str:
    """Remove a log that ends with its burn; without that line the burn has not begun."""
    path = places.log(molecule_id, phase)
    burns = [line for line in _lines(path) if any(isinstance(event, Burned) for event in line.events)]
    if not burns:
        return ""
    if audits:
        _audit(places, burns[-1].to_bytes())
    remove(path)
    return f"completed the burn of {molecule_id}"


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


def _audit(places: MolPlaces, line: bytes) -> None:
    """Append a line to the audit log, once."""
    make_synced_folder(places)
    if create(places.audit, line):
        return
    if not _is_told(places.audit, line):
        append(places.audit, line)


def _is_told(path: str, line: bytes) -> bool:
    """Tell whether a line stands in the audit log; only its end is looked at, where a killed process left it."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise MoleculeLogError(path, "it is not a plain file")
        start = max(0, status.st_size - len(line) - 1)
        tail = os.pread(fd, len(line) + 1, start)
    finally:
        os.close(fd)
    return tail.removesuffix(b"\n") == line or tail[1:] == line


def _note(places: MolPlaces, verb: str, molecule_id: str, phase: str, *, audits: bool = False) -> None:
    said = {"verb": verb, "id": molecule_id, "phase": phase, "audits": audits}
    write_file_durably(places.ending, json.dumps(said).encode() + b"\n")


def _forget(places: MolPlaces) -> None:
    remove(places.ending)
