"""TOML 1.0 as strangers write it: read with bounds, refused with line, column and the line itself.

A byte order mark at the start is skipped (bd's reader skips it too); CRLF line ends are legal TOML.
"""

from __future__ import annotations

import re
from typing import Any

from mmpm.errors import FormulaSyntaxError

# The longest real formula has 149 kB.
MAX_TOML_BYTES = 4 * 1024 * 1024
MAX_TOML_DEPTH = 64
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Brackets, equals signs and dots are what makes tables, and a table of eight bytes costs the reader a kilobyte. Real
# files have 7,000 of them in 149 kB at most; this many keep memory under 256 MiB.
_MAX_MARKS = 250_000

# A key of n dotted parts costs the reader n * n steps of about 10 ns; the most dotted real file has 17,563.
_MAX_DOT_SQUARES = 50_000_000
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_EXCERPT_WIDTH = 72


def parse_toml(data: bytes, filename: str) -> dict[str, Any]:
    """Read one TOML document; its floats come as `Decimal`.

    Raises:
        FormulaSyntaxError: it is too long, too deep, not UTF-8 or not TOML.
    """
    # tomllib costs more than the rest of a start-up that does not read TOML.
    import tomllib
    from decimal import Decimal

    if len(data) > MAX_TOML_BYTES:
        reason = f"the file has {len(data)} bytes, more than the {MAX_TOML_BYTES} that a formula may have"
        raise FormulaSyntaxError(filename, 1, 1, reason, "")
    data = data.removeprefix(BYTE_ORDER_MARK)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        head = data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode(errors="replace")
        raise FormulaSyntaxError(
            filename, line, len(head) + 1, "this byte is not UTF-8", head[-_EXCERPT_WIDTH:]
        ) from None
    if sum(text.count(mark) for mark in "[{=.") > _MAX_MARKS:
        raise FormulaSyntaxError(filename, 1, 1, f"the file has more than {_MAX_MARKS} tables, keys and dots", "")
    lines = text.split("\n")
    if sum(line.count(".") ** 2 for line in lines) > _MAX_DOT_SQUARES:
        worst = max(range(len(lines)), key=lambda index: lines[index].count("."))
        raise FormulaSyntaxError(filename, worst + 1, 1, "too many dots in a line", lines[worst][:_EXCERPT_WIDTH])
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(filename, lines, str(error)) from None
    except RecursionError:
        raise FormulaSyntaxError(filename, 1, 1, f"values are more than {MAX_TOML_DEPTH} levels deep", "") from None
    except ValueError:  # Python reads no longer ones
        raise FormulaSyntaxError(filename, 1, 1, "a number has thousands of digits", "") from None
    _refuse_depth(document, filename)
    return document


def _syntax_error(filename: str, lines: list[str], message: str) -> FormulaSyntaxError:
    match = _PLACE.search(message)
    reason = message[: match.start()] if match else message
    if match and match.group(1):
        line, column = int(match.group(1)), int(match.group(2))
    else:
        line, column = len(lines), len(lines[-1]) + 1
        reason += " at the end of the file"
    start = max(0, column - 1 - _EXCERPT_WIDTH // 2)
    excerpt = lines[line - 1][start : start + _EXCERPT_WIDTH] if line <= len(lines) else ""
    return FormulaSyntaxError(filename, line, column, reason[:1].lower() + reason[1:], excerpt.rstrip("\r"))


def _refuse_depth(document: dict[str, Any], filename: str) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_TOML_DEPTH):
        inner: list[Any] = []
        for item in level:
            values = item.values() if isinstance(item, dict) else item
            inner.extend(value for value in values if isinstance(value, dict | list))
        if not inner:
            return
        level = inner
    raise FormulaSyntaxError(filename, 1, 1, f"values are more than {MAX_TOML_DEPTH} levels deep", "")
