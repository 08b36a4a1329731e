"""Actions on keys, roles and what is signed with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Make a person's key pair in `keys`, the folder of all keys; `is_open` leaves it unprotected."""

    name: str
    keys: str
    passphrase_file: str | None = None
    is_open: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"make the key {self.name}"


TrustAction = CreateKey
