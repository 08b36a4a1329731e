"""Checksums of release payloads, the seed's field of that name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from mmpm.errors import quoted

_DIGITS = "0123456789abcdef"


@dataclass(frozen=True, order=True, slots=True)
class Checksum:
    """The SHA-256 of a release's payload.

    Attributes:
        hex: 64 lower-case hexadecimal digits.
    """

    hex: str

    def __post_init__(self) -> None:
        # strip() with a set of characters is the one C-speed "consists of" test that needs no regular expression.
        if len(self.hex) != 64 or self.hex.strip(_DIGITS):
            raise ValueError(f"{quoted(self.hex)} is not 64 lower-case hexadecimal digits")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sha256:<64 lower-case hexadecimal digits>``, the one spelling in files.

        Raises:
            ValueError: `text` is anything else, upper-case digits included.
        """
        prefix, _, digits = text.partition(":")
        # Once here and once above would be twice too much for the many that are well formed.
        try:
            if prefix == "sha256":
                return cls(digits)
        except ValueError:
            pass
        raise ValueError(f"{quoted(text)} is not a checksum, which is sha256: and 64 lower-case hexadecimal digits")

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Compute the checksum of a whole payload."""
        # Most commands compare checksums as text and never compute one.
        from hashlib import sha256

        return cls(sha256(data).hexdigest())

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
