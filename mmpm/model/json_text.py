"""JSON in the place of TOML: the older form of formula files, which bd still reads (``X.formula.json``)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from mmpm.errors import FormulaSyntaxError, printable
from mmpm.model.canonical import parse_json
from mmpm.model.toml_text import BYTE_ORDER_MARK, MAX_TOML_BYTES, MAX_TOML_DEPTH

_MAX_VALUES: Final = 250_000  # as many as a TOML document may have: a value is a hundred bytes in memory
_PLACE = re.compile(r" at line (\d+), column (\d+)$")


def parse_json_document(data: bytes, filename: str) -> dict[str, Any]:
    """Read one JSON object as a TOML document would be read: numbers with a point as `Decimal`, null as absent.

    Raises:
        FormulaSyntaxError: it is too long, too deep, not UTF-8, not strict JSON, or no object.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    if sum(map(data.count, (b",", b"[", b"{"))) > _MAX_VALUES:
        raise FormulaSyntaxError(filename, 1, 1, f"it has more than {_MAX_VALUES} values", "")
    try:
        document = parse_json(data, filename, max_bytes=MAX_TOML_BYTES, max_depth=MAX_TOML_DEPTH)
    except ValueError as error:
        raise _refused(data, filename, str(error)) from None
    if not isinstance(document, dict):
        raise FormulaSyntaxError(filename, 1, 1, "it is not a JSON object", "")
    return {key: _as_toml(value) for key, value in document.items() if value is not None}


def _as_toml(value: Any) -> Any:
    """Give a value as TOML has it. The depth was bounded when it was read."""
    if isinstance(value, dict):
        return {key: _as_toml(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_as_toml(inner) for inner in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def _refused(data: bytes, filename: str, sentence: str) -> FormulaSyntaxError:
    reason = sentence.removeprefix(filename).strip()
    place = _PLACE.search(reason)
    if place is None:
        return FormulaSyntaxError(filename, 1, 1, f"it {reason}", "")
    line, column = int(place[1]), int(place[2])
    rows = data.decode(errors="replace").split("\n")
    start = max(0, column - 37)
    excerpt = rows[line - 1][start : start + 72] if line <= len(rows) else ""
    return FormulaSyntaxError(filename, line, column, f"it {reason[: place.start()]}", printable(excerpt.rstrip("\r")))
