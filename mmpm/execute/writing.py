"""Files outside of formulas folders: what `init`, `new`, `build` and `fork` make for a person."""

from __future__ import annotations

import os
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
        FileInTheWayError: one is there already, and the action does not say to write over it; none was written then.
    """
    if not action.overwrite:
        for path, _, _ in action.files:
            if os.path.lexists(path):
                raise FileInTheWayError(path)
    for path, data, mode in action.files:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if action.overwrite:
            write_file_durably(path, data, mode)
        elif not exclusive_create(path, data, mode):
            raise FileInTheWayError(path)
    return [path for path, _, _ in action.files]
