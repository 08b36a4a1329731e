"""The effects on molecules: each is there whole or not at all, whenever the process is killed.

Rule: the caller holds the root's lock (`mmpm.ops.mol_state.Workspace.begin`). The digest's file is the squash, the
burned line in the log is the burn; what follows them is completed by whoever comes next.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmpm.errors import MoleculeRefusedError
from mmpm.project.mol_log import MolPlaces, append, create, make_folders, remove
from mmpm_store.durable import write_file_durably

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.plan import AppendLine, BurnMolecule, CompactLog, SquashMolecule


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


def apply_squash(_context: Context, action: SquashMolecule) -> str:
    """Write the digest, then end the log.

    Returns:
        The path of the digest.
    """
    places = MolPlaces(action.root)
    path = places.digest(action.id)
    os.makedirs(places.digests, exist_ok=True)
    write_file_durably(path, action.digest)
    log = places.log(action.id, action.phase)
    if action.phase == "wisp":
        remove(log)
    else:
        append(log, action.line)
    return path


def apply_burn(_context: Context, action: BurnMolecule) -> str:
    """End the log, tell the audit log, remove the log.

    Returns:
        The id of the molecule.
    """
    places = MolPlaces(action.root)
    log = places.log(action.id, action.phase)
    append(log, action.line)
    if action.audits:
        os.makedirs(os.path.dirname(places.audit), exist_ok=True)
        if not create(places.audit, action.line):
            append(places.audit, action.line)
    remove(log)
    return action.id


def apply_compact(_context: Context, action: CompactLog) -> str:
    """Drop the lines without effect."""
    raise NotImplementedError(action.id)
