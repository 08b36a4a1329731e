"""Where the passphrase of a private key comes from: a file, or the environment.

A person at a terminal is asked in `mmpm.cli.passphrases`, which puts the answer into the environment of the run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmpm.errors import KeyUnreadableError

if TYPE_CHECKING:
    from mmpm.execute.context import Context

PASSPHRASE_VARIABLE = "MMPM_KEY_PASSPHRASE"  # noqa: S105 - the variable's name


def read_passphrase(context: Context, file: str | None) -> bytes | None:
    """Give the passphrase from `file` (its first line), else from the environment; None where there is none.

    Raises:
        KeyUnreadableError: the file cannot be read, or is empty.
    """
    if file is not None:
        try:
            with open(file, "rb") as opened:
                line = opened.readline(4096).rstrip(b"\r\n")
        except OSError as error:
            raise KeyUnreadableError(f"{error.strerror}", file) from None
        if not line:
            raise KeyUnreadableError("its first line is empty", file)
        return line
    return os.fsencode(context.environ.get(PASSPHRASE_VARIABLE, "")) or None
