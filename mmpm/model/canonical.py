"""JSON as it is hashed and signed, and JSON as it is read from strangers."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_JSON_DEPTH = 64


def canonical_json(value: object) -> bytes:
    """Give the one text of `value`: sorted keys, no blanks, UTF-8.

    Raises:
        ValueError: `value` holds a float, a key that is not a string, or a lone surrogate; none has one spelling.
        TypeError: `value` holds something that JSON does not know.
    """
    _refuse_what_has_no_canonical_form(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate cannot be written as UTF-8") from None


def parse_canonical(data: bytes) -> Any:
    """Give the value of a text that is the one text of its value, as `canonical_json` writes it; None for any other.

    Several times quicker than `parse_json`, for the text is compared with the value's own instead of looked at by key.
    None does not say what is wrong: that is for `parse_json`. Whoever reads `null` here must not ask.
    """
    try:
        text = data.decode()
        value = _PLAIN.decode(text)
        if _CANONICAL.encode(value) != text:
            return None
        # Each level has a bracket of its own.
        if text.count("{") + text.count("[") > MAX_JSON_DEPTH:
            _refuse_what_has_no_canonical_form(value)
    except (ValueError, RecursionError):
        return None
    return value


def _refuse_what_has_no_canonical_form(value: object) -> None:
    # Breadth first, a level at a time: no recursion, and the depth is at hand.
    level = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                if not all(isinstance(key, str) for key in item):
                    raise ValueError("a key of canonical JSON is a string")
                inner.extend(item.values())
            elif isinstance(item, list | tuple):
                inner.extend(item)
            elif isinstance(item, float):
                raise ValueError("canonical JSON has no floats: write a decimal string")  # noqa: TRY004 - a value, not a type, is wrong
        if not inner:
            return
        level = inner
    raise ValueError(f"canonical JSON is at most {MAX_JSON_DEPTH} levels deep")


class _DuplicateKeyError(ValueError):
    """An object has the same key twice, which readers resolve differently."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise _DuplicateKeyError
    return table


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:  # infinite
        raise ValueError("a number is too large")
    return number


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"canonical JSON has no {text}")


_PLAIN = json.JSONDecoder(parse_float=_refuse_number, parse_constant=_refuse_number)
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)

# Made once: a lock reads a thousand short documents, and making a decoder costs as much as reading one.
_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)


def parse_json(
    data: bytes, what: str, *, max_bytes: int = MAX_JSON_BYTES, max_depth: int | None = MAX_JSON_DEPTH
) -> Any:
    """Read JSON that a stranger may have written.

    Args:
        data: the whole document.
        what: its name in a message, as in "the index of mol-x".
        max_bytes: a longer document is refused unread.
        max_depth: levels of objects and lists that the document may have; None where the caller looks at the keys
            that it knows and at no other, so that depth below them is nobody's business (a walk through all costs).

    Raises:
        ValueError: too long, not UTF-8, not JSON, a key twice in one object, NaN or infinity, a lone surrogate, or
            too deep. One sentence that starts with `what`.
    """
    if len(data) > max_bytes:
        raise ValueError(f"{what} has {len(data)} bytes, more than the {max_bytes} that it may have")
    try:
        value = _STRICT.decode(data.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except _DuplicateKeyError:
        raise ValueError(f"{what} has a key twice in one object") from None
    except RecursionError:
        raise ValueError(f"{what} is more than {max_depth or 'so many'} levels deep") from None
    except ValueError as error:
        raise ValueError(f"{what} is not strict JSON: {error}") from None
    has_escapes = b"\\u" in data
    if max_depth is not None or has_escapes:
        _refuse_depth_and_surrogates(value, what, max_depth or MAX_JSON_DEPTH, check_text=has_escapes)
    return value


def _refuse_depth_and_surrogates(value: object, what: str, max_depth: int, *, check_text: bool) -> None:
    level: list[object] = [value]
    for _ in range(max_depth + 1):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
                if check_text:
                    inner.extend(item)
            elif isinstance(item, list):
                inner.extend(item)
            elif check_text and isinstance(item, str) and not _is_encodable(item):
                raise ValueError(f"{what} has a lone surrogate, which is no character")
        if not inner:
            return
        level = inner
    raise ValueError(f"{what} is more than {max_depth} levels deep")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
