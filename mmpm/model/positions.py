"""Where in a TOML text its keys stand: tomllib does not say, and a finding is worth little without its line.

The text is known to parse (`toml_text.parse_toml` took it), so this walks it by its line structure: headers and keys
at the start of a line, outside of strings and brackets. Keys inside inline tables get the place of the table.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmpm.model.toml_text import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_DOTTED})[ \t]*\]\]?")
_KEY = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")
_ONE_PART = re.compile(_PART)
# What matters between two logical lines: strings and comments (skipped whole), brackets, line ends. Possessive, so
# that a text of megabytes is no stack of megabytes.
_TOKEN = re.compile(
    r'"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+"{3,5}'
    r"|'''[^']*+(?:'(?!'')[^']*+)*+'{3,5}"
    r'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}]"
    r"|\n",
    re.DOTALL,
)
_STEP_UP = re.compile(r"(?:\.[^.\[\]]*|\[[0-9]+\])$")


def locate(data: bytes, keys: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Find key paths such as ``steps[3].needs`` in a TOML text that parses.

    Returns:
        Line and column (from 1, in characters) of each key; of the nearest table above it where the key itself
        has no place of its own; (1, 1) where nothing of it is found.
    """
    text = data.removeprefix(BYTE_ORDER_MARK).decode(errors="replace").replace("\r\n", "\n")
    places = _places(text)
    found = {}
    for key in keys:
        path = key
        while path and path not in places:
            path = _above(path)
        found[key] = places.get(path, (1, 1))
    return found


def _above(path: str) -> str:
    shorter = _STEP_UP.sub("", path)
    return shorter if shorter != path else ""


def _places(text: str) -> dict[str, tuple[int, int]]:
    places: dict[str, tuple[int, int]] = {}
    last_index: dict[str, int] = {}
    table = ""
    for start, line in _logical_lines(text):
        header = _HEADER.match(text, start)
        if header is not None:
            table = _resolve(_parts(header.group(2)), last_index, opens=header.group(1) == "[[")
            path = table
            while path and path not in places:  # `[steps.start]` makes the table `steps`, too
                places[path] = (line, header.start(1) - start + 1)
                path = _above(path)
        elif (key := _KEY.match(text, start)) is not None:
            path = table
            for part in _parts(key.group(1)):
                path = f"{path}.{part}" if path else part
                places.setdefault(path, (line, key.start(1) - start + 1))
    return places


def _resolve(parts: list[str], last_index: dict[str, int], *, opens: bool) -> str:
    """Give the key path of a header: each array of tables on the way stands for its last element."""
    path = ""
    for number, part in enumerate(parts, 1):
        path = f"{path}.{part}" if path else part
        if opens and number == len(parts):
            last_index[path] = last_index.get(path, -1) + 1
        if path in last_index:
            path = f"{path}[{last_index[path]}]"
    return path


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _ONE_PART.findall(dotted)]


def _logical_lines(text: str) -> Iterator[tuple[int, int]]:
    """Give start offset and line number of each line that begins outside of strings and brackets."""
    yield 0, 1
    depth, line = 0, 1
    for token in _TOKEN.finditer(text):
        piece = token.group()
        if piece in "[{":
            depth += 1
        elif piece in "]}":
            depth = max(0, depth - 1)
        elif piece == "\n":
            line += 1
            if not depth:
                yield token.end(), line
        else:
            line += piece.count("\n")
