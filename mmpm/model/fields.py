"""A JSON object from outside, read field by field: every refusal is a `ValueError` that names document and key."""

from __future__ import annotations

from typing import Final

from mmpm.errors import quoted

MAX_TEXT: Final = 4096


class Fields:
    """A JSON object that is read field by field; every refusal names document and key."""

    __slots__ = ("_value", "_what")

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{what} is not a JSON object")  # noqa: TRY004 - one kind of refusal for all that enters
        self._value = value
        self._what = what

    def require_format(self, known: int) -> None:
        """Refuse any other format than `known`: what a newer one means is not known here."""
        found = self._value.get("format")
        if type(found) is not int or found != known:
            raise ValueError(f"{self._what} has format {quoted(str(found))}; this program reads format {known}")

    def text(self, key: str, limit: int = MAX_TEXT) -> str:
        """Give a text of at most `limit` characters."""
        found = self._value.get(key)
        if not isinstance(found, str) or len(found) > limit:
            raise ValueError(f"{self._what}: {key!r} is not a text of at most {limit} characters")
        return found

    def optional(self, key: str, limit: int = MAX_TEXT) -> str | None:
        """Give a text, or None where it is absent or null."""
        return None if self._value.get(key) is None else self.text(key, limit)

    def whole(self, key: str) -> int:
        """Give a whole number that every JSON reader keeps exactly."""
        found = self._value.get(key)
        if type(found) is not int or not 0 <= found < 1 << 53:
            raise ValueError(f"{self._what}: {key!r} is not a whole number")
        return found

    def flag(self, key: str) -> bool:
        """Give true or false; absent is false."""
        found = self._value.get(key, False)
        if type(found) is not bool:
            raise ValueError(f"{self._what}: {key!r} is neither true nor false")
        return found

    def items(self, key: str) -> list[object]:
        """Give a list; absent is empty."""
        found = self._value.get(key, [])
        if not isinstance(found, list):
            raise ValueError(f"{self._what}: {key!r} is not a list")  # noqa: TRY004
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of short texts; absent is empty."""
        found = self.items(key)
        if not all(isinstance(one, str) and len(one) <= MAX_TEXT for one in found):
            raise ValueError(f"{self._what}: {key!r} is not a list of short texts")
        return tuple(str(one) for one in found)

    def mapping(self, key: str) -> dict[str, str]:
        """Give an object whose values are texts; absent is empty."""
        found = self._value.get(key, {})
        if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
            raise ValueError(f"{self._what}: {key!r} is not an object of texts")
        return found

    def table(self, key: str) -> dict[str, object]:
        """Give an object; absent is empty."""
        found = self._value.get(key, {})
        if not isinstance(found, dict):
            raise ValueError(f"{self._what}: {key!r} is not an object")  # noqa: TRY004
        return found
