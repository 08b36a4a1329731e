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
PERSON_VARIABLE = "MMPM_PERSON_KEY_PASSPHRASE"
"""Comes before the other for a person's key, where one command opens that and a registry's keys."""


def read_passphrase(context: Context, file: str | None, variable: str = PASSPHRASE_VARIABLE) -> bytes | None:
    """Give the passphrase from `file` (its first line), else from the environment; None where there is none.

    `variable` comes before the one that is for all keys.

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
    found = context.environ.get(variable) or context.environ.get(PASSPHRASE_VARIABLE, "")
    return os.fsencode(found) or None
