"""Files outside of formulas folders: what `init`, `new`, `build` and `fork` make for a person."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from mmpm.errors import FileInTheWayError
from mmpm_store.durable import exclusive_create, write_file_durably

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.plan import WriteFiles


def write_files(_context: Context, action: WriteFiles) -> list[str]:
    """Write the action's files, each whole or not at all; folders on the way are made.

    Returns:
        The paths written.

    Raises:
        FileInTheWayError: one is there already, and the action does not say to write over it, or it is no plain
            file; none was written then.
    """
    for path, _, _ in action.files:
        if action.overwrite:
            refuse_special(path)
        elif os.path.lexists(path):
            raise FileInTheWayError(path)
    for path, data, mode in action.files:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if action.overwrite:
            write_file_durably(path, data, mode)
        elif not exclusive_create(path, data, mode):
            raise FileInTheWayError(path)
    return [path for path, _, _ in action.files]


def refuse_special(path: str) -> None:
    """Refuse to put a file in the place of a folder, a device, a pipe or a socket: `-o /dev/null` would be its end.

    Raises:
        FileInTheWayError: such is there, or a link to one. Of other links the file takes the place.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:  # nothing there, or a link to nothing: whatever else is wrong is found when it is written
        return
    if stat.S_ISDIR(mode):
        raise FileInTheWayError(path, "is a folder")
    # Where these lead to a plain file, it is what this process was started with.
    is_stream = os.path.islink(path) and os.path.realpath(os.path.dirname(path)) == "/dev"
    if is_stream or not stat.S_ISREG(mode):
        raise FileInTheWayError(path, "is a device, a pipe or a socket")
