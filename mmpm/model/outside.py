"""Documents that people and other tools write, as pydantic models: the base of each, and one sentence a refusal.

Rule: only modules that are imported when such a document is read import this one; importing pydantic costs as much as
ten interpreters. What is read on every run (lock, receipt, index, settings) has checks of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError

from mmpm.errors import printable
from mmpm.model.canonical import parse_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class OutsideDocument(BaseModel):
    """A JSON object from outside: nothing is converted, unknown keys are left to later versions."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def parse(cls, data: bytes, what: str) -> Self:
        """Read a document.

        Args:
            data: JSON, held to the bounds of `parse_json`.
            what: its name in a message, as in "the line".

        Raises:
            ValueError: it is not such a document; one sentence that names the first key that is wrong.
        """
        value = parse_json(data, what)
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise ValueError(_sentence(error, what)) from None


def parsed(parse: Callable[[str], object]) -> PlainValidator:
    """Make a text into a noun of ours; its `ValueError` says what is wrong."""

    def read(value: Any) -> object:
        if not isinstance(value, str):
            raise ValueError("expected a text")  # noqa: TRY004 - pydantic listens for this one
        return parse(value)

    return PlainValidator(read)


# Pydantic's own kinds of refusal, in our words; others keep theirs.
_REASONS = {
    "missing": "is missing",
    "string_type": "expected a text",
    "string_too_long": "the text is too long",
    "bool_type": "expected true or false",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "list_type": "expected a list",
}


def _sentence(error: ValidationError, what: str) -> str:
    first, *others = error.errors(include_url=False, include_input=False)
    kind = first["type"]
    reason = str(first["ctx"]["error"]) if kind == "value_error" else _REASONS.get(kind, first["msg"])
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
    more = f" ({len(others)} more)" if others else ""
    joint = " " if kind == "missing" else ": "
    return printable(f"{where or what}{joint}{reason}{more}")
