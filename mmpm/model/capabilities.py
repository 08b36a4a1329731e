"""What a formula exercises: the tags by which it is searched and agents are routed. The seed also calls them skills."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from mmpm.errors import quoted

MAX_TAGS = 256
MAX_TAG_LENGTH = 64

_TAG = re.compile(r"[a-z0-9](?:[a-z0-9._+#-]*[a-z0-9+#])?")
_MAX_FRACTION_DIGITS = 18


def check_tag(text: str) -> str:
    """Give `text` if it is a capability tag: lower-case letters, digits, ``. _ + # -``, such as ``ci-cd`` or ``c++``.

    Raises:
        ValueError: it is not one.
    """
    if len(text) > MAX_TAG_LENGTH or not _TAG.fullmatch(text):
        raise ValueError(
            f"{quoted(text)} is not a capability, "
            f"which has 1 to {MAX_TAG_LENGTH} lower-case letters, digits and . _ + # -"
        )
    return text


def canonical_weight(value: object) -> str:
    """Give the decimal string of a weight: no exponent, no zeros at its end.

    Args:
        value: a number from 0 to 1 as int, Decimal, float or decimal text.

    Raises:
        ValueError: it is not such a number, or has more than 18 digits behind the point.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"a weight is a number from 0 to 1, not {quoted(str(value))}")  # noqa: TRY004 - a document is wrong, not a caller
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{quoted(str(value))} is not a number from 0 to 1") from None
    if not number.is_finite() or not 0 <= number <= 1:
        raise ValueError(f"{quoted(str(value))} is not a number from 0 to 1")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MAX_FRACTION_DIGITS:
        raise ValueError(f"{quoted(str(value))} has more than {_MAX_FRACTION_DIGITS} digits behind the point")
    text = format(number.copy_abs(), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capabilities that a formula declares.

    Attributes:
        primary: tags in the author's order, each once.
        secondary: likewise; none of them is primary.
        weights: tag and decimal string (0 to 1), sorted by tag, each tag once.
    """

    primary: tuple[str, ...] = ()
    secondary: tuple[str, ...] = ()
    weights: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """Read ``{primary: [tag], secondary: [tag], weights: {tag: number}}``; each key may be absent.

        Raises:
            ValueError: a key has another type, or a tag or weight is not one. The sentence names the key.
        """
        primary = _tags(document, "primary")
        secondary = tuple(tag for tag in _tags(document, "secondary") if tag not in primary)
        weights = document.get("weights", {})
        if not isinstance(weights, Mapping) or len(weights) > MAX_TAGS:
            raise ValueError("weights is not a table of capability and number")
        try:
            pairs = tuple(sorted((check_tag(tag), canonical_weight(value)) for tag, value in weights.items()))
        except ValueError as error:
            raise ValueError(f"weights: {error}") from None
        return cls(primary, secondary, pairs)

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags, the primary ones first."""
        return self.primary + self.secondary

    def to_document(self) -> dict[str, Any]:
        """Give what `of_document` reads, without empty parts, fit for canonical JSON."""
        document: dict[str, Any] = {}
        if self.primary:
            document["primary"] = list(self.primary)
        if self.secondary:
            document["secondary"] = list(self.secondary)
        if self.weights:
            document["weights"] = dict(self.weights)
        return document

    def __bool__(self) -> bool:
        return bool(self.primary or self.secondary)


def _tags(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = document.get(key, [])
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        raise ValueError(f"{key} is not a list of texts")
    if len(value) > MAX_TAGS:
        raise ValueError(f"{key} has more than {MAX_TAGS} capabilities")
    try:
        return tuple(dict.fromkeys(map(check_tag, value)))
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
