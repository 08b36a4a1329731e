"""TOML as a person would write it: tables and arrays of tables with headings, short things on one line.

For documents that the program makes as a whole; what a person wrote is edited in place elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_BARE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_SHORT: Final = 100
_ESCAPED: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    **{chr(code): f"\\u{code:04X}" for code in (*range(8), 11, *range(14, 32), 127)},
}
_BASIC: Final = str.maketrans(_ESCAPED)
_MULTILINE: Final = str.maketrans({key: value for key, value in _ESCAPED.items() if key != "\n"})


def write_toml(document: Mapping[str, Any]) -> str:
    """Give the text of a document of texts, whole numbers, booleans, lists and tables.

    Raises:
        ValueError: it holds something else; JSON's null and floats among it.
        RecursionError: it is hundreds of levels deep.
    """
    return "".join(_table(document, "", in_list=False)).lstrip("\n")


def _table(table: Mapping[str, Any], name: str, *, in_list: bool) -> Iterator[str]:
    plain: list[str] = []
    inner: list[tuple[str, Mapping[str, Any], bool]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            short = _literal(value) if in_list and value and not _has_tables(value) else ""
            if short and len(short) <= _SHORT:
                plain.append(f"{_key(key)} = {short}\n")
            else:
                inner.append((key, value, False))
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            inner.extend((key, one, True) for one in value)
        else:
            plain.append(f"{_key(key)} = {_literal(value, may_span=True)}\n")
    if name and (in_list or plain or not inner):
        yield f"\n[[{name}]]\n" if in_list else f"\n[{name}]\n"
    yield from plain
    for key, one, is_listed in inner:
        yield from _table(one, f"{name}.{_key(key)}" if name else _key(key), in_list=is_listed)


def _has_tables(table: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Mapping | list) for value in table.values())


def _key(text: str) -> str:
    return text if text and _BARE.issuperset(text) else _text(text)


def _literal(value: object, *, may_span: bool = False) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value, may_span=may_span)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_literal(one)}" for key, one in value.items()) + " }"
    raise ValueError(f"TOML cannot say {value!r}")


def _text(text: str, *, may_span: bool = False) -> str:
    if may_span and "\n" in text:
        return '"""\n' + text.translate(_MULTILINE) + '"""'
    return '"' + text.translate(_BASIC) + '"'
