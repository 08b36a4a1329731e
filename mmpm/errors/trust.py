"""What can be wrong with keys, signing requests, marks and policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import MmpmError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence


class KeyExistsError(MmpmError):
    """A key of that name is on this machine already."""

    code = "key-exists"

    def __init__(self, name: str, path: str) -> None:
        super().__init__(
            f"there is a key {printable(name)} already: {printable(path)}",
            "give the new one another name; a key is never overwritten",
            {"name": name, "file": path},
        )


class KeyUnknownError(MmpmError):
    """A command names a key that is not on this machine."""

    code = "key-unknown"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        listed = ", ".join(printable(one, 80) for one in known)
        super().__init__(
            f"no key {printable(name, 80)} is on this machine" + (f"; there are {listed}" if listed else ""),
            "see `mmpm keys list`, or make one with `mmpm keys create NAME`",
            {"name": name},
        )
