"""The intent of a change, written down durably before its first visible step, and completed by whoever comes next.

A change is staged in full beside the formulas folder; then the journal is written to ``$XDG_STATE_HOME/mmpm/journals``
and flushed; then come the steps; then the journal goes. Killed before the journal is there: the old state, and a
staging folder that the next command removes. Killed after: the next command does the steps again (`mmpm.execute.steps`
may be repeated), so the new state.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from mmpm.execute.locking import STAGING_PREFIX, journal_path
from mmpm.execute.steps import Step, Work
from mmpm.project.files import read_optional
from mmpm_store.durable import fsync_path, write_file_durably

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORMAT = 1


def write_journal(state: str, formulas: str, staging: str, steps: Sequence[Step]) -> None:
    """Write the intent down; durable when this returns."""
    document = {"format": _FORMAT, "formulas": formulas, "staging": staging, "steps": list(steps)}
    path = journal_path(state, formulas)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_file_durably(path, json.dumps(document).encode(), 0o600)


def has_journal(state: str, formulas: str) -> bool:
    """Tell whether an intent is written down and not done."""
    return os.path.lexists(journal_path(state, formulas))


def drop_journal(state: str, formulas: str) -> None:
    """Say that the intent is done."""
    try:
        os.unlink(journal_path(state, formulas))
    except FileNotFoundError:
        return


def recover(state: str, formulas: str) -> Work | None:
    """Complete what a killed process began in `formulas`, and remove its staging folders.

    The caller holds the folder's lock, so whatever staging folder there is belongs to nobody.

    Returns:
        What was done; None if there was nothing to complete.
    """
    data = read_optional(journal_path(state, formulas))
    work = None
    if data is not None:
        work = _complete(data, formulas)
        drop_journal(state, formulas)
    for folder in (os.path.dirname(formulas), formulas):
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            if name.startswith(STAGING_PREFIX):
                shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
    return work


def _complete(data: bytes, formulas: str) -> Work | None:
    """Do the steps of a journal; one that cannot be read (a disk that lost it) says nothing that could be done."""
    try:
        document = json.loads(data)
        staging, steps = document["staging"], document["steps"]
        is_ours = document["format"] == _FORMAT and document["formulas"] == formulas
    except (ValueError, TypeError, KeyError):
        return None
    if not is_ours:
        return None
    work = Work(formulas, staging)
    work.run(steps)
    flush(work)
    return work


def flush(work: Work) -> None:
    """Flush the names of every folder that the steps changed."""
    for folder in sorted(work.touched):
        try:
            fsync_path(folder)
        except FileNotFoundError:  # it was removed as empty
            continue
