"""The names of objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blake3 import blake3

from mmpm_store.errors import quoted

if TYPE_CHECKING:
    from typing import Self

PREFIX = "blake3:"
_DIGITS = "0123456789abcdef"


@dataclass(frozen=True, order=True, slots=True)
class ObjectId:
    """The name of an object: a checksum that can only be made from bytes or from well-formed text.

    Attributes:
        hex: 64 lower-case hexadecimal digits, the BLAKE3-256 of the object's bytes.
    """

    hex: str

    def __post_init__(self) -> None:
        # strip() with a set of characters is the one C-speed "consists of" test that needs no regular expression.
        if len(self.hex) != 64 or self.hex.strip(_DIGITS):
            raise ValueError(f"not an object id: {quoted(self.hex)}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``blake3:<hex>``, the one spelling used in every file we write.

        Raises:
            ValueError: `text` is anything else, upper-case digits included.
        """
        if not text.startswith(PREFIX):
            raise ValueError(f"not an object id: {quoted(text)}")
        return cls(text[7:])

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Give the id that `data` has as an object."""
        return cls(blake3(data).hexdigest())

    def __str__(self) -> str:
        return PREFIX + self.hex
