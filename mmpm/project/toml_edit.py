"""Edit a person's TOML file so that comments, order and formatting survive; alone imports tomlkit.

Rule: text in, text out. An edit that changes nothing gives back the very same text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, InlineTable, Table

from mmpm.errors import BadSettingError, ConfigSyntaxError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomlkit.container import Container


def set_value(text: str, key: str, value: object, path: str) -> str:
    """Set the dotted `key` (`install.link`) to a plain value or an inline table, making its tables where missing.

    Raises:
        BadSettingError: something that is not a table stands on the way.
        ConfigSyntaxError: `text` is not TOML.
    """
    return set_in_table(text, tuple(key.split(".")), value, path)


def set_in_table(text: str, parts: tuple[str, ...], value: object, path: str) -> str:
    """Set the key that `parts` spell; a part may hold dots."""
    document = _parse(text, path)
    table: Container | Table | InlineTable = document
    for part in parts[:-1]:
        if part not in table:
            table[part] = tomlkit.table()
        inner = table[part]
        if not isinstance(inner, (Table, InlineTable)):
            raise BadSettingError(part, path, "expected a table")
        table = inner
    last = parts[-1]
    if last in table and _plain(table[last]) == value:
        return text
    is_new = last not in table
    table[last] = _item(value)
    if is_new and isinstance(table, Table):
        _move_behind_last_key(table, last)
    return _checked(document, path, text)


def unset_value(text: str, key: str, path: str) -> str:
    """Take the dotted `key` out; where it is not there the text stays."""
    return unset_in_table(text, tuple(key.split(".")), path)


def unset_in_table(text: str, parts: tuple[str, ...], path: str) -> str:
    """Take out the key that `parts` spell; tables stay, also when they are empty then."""
    document = _parse(text, path)
    table: object = document
    for part in parts[:-1]:
        if not isinstance(table, dict) or part not in table:
            return text
        table = table[part]
    if not isinstance(table, dict) or parts[-1] not in table:
        return text
    del table[parts[-1]]
    return _checked(document, path, text)


def put_registry(text: str, entry: Mapping[str, object], path: str) -> str:
    """Add a `[[registries]]` entry, or replace the values of the one with the same id; its comments stay."""
    document = _parse(text, path)
    entries = document.get("registries")
    if entries is None:
        entries = tomlkit.aot()
        document["registries"] = entries
    if not isinstance(entries, AoT):
        raise BadSettingError("registries", path, "expected tables, each [[registries]]")
    for table in entries:
        if table.get("id") == entry["id"]:
            for name in [name for name in table if name not in entry]:
                del table[name]
            for name, value in entry.items():
                if _plain(table.get(name)) != value:
                    table[name] = _item(value)
            return _checked(document, path, text)
    fresh = tomlkit.table()
    for name, value in entry.items():
        fresh[name] = _item(value)
    entries.append(fresh)
    return _checked(document, path, text)


def drop_registry(text: str, identity: str, path: str) -> str:
    """Take out the `[[registries]]` entry with this id; where there is none the text stays."""
    document = _parse(text, path)
    entries = document.get("registries")
    if not isinstance(entries, AoT):
        return text
    for position, table in enumerate(entries):
        if table.get("id") == identity:
            del entries[position]
            if not len(entries):
                del document["registries"]
            return _checked(document, path, text)
    return text


def _parse(text: str, path: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, RecursionError) as error:
        raise ConfigSyntaxError(path, f"is not TOML: {error}") from error


def _move_behind_last_key(table: Table, name: str) -> None:
    """Put a table's newest key directly behind the one before it: a comment at the end belongs to what follows."""
    body = table.value.body
    newest = next(position for position, (key, _) in enumerate(body) if key is not None and key.key == name)
    place = max((position + 1 for position, (key, _) in enumerate(body[:newest]) if key is not None), default=0)
    if place < newest and "\n" in body[newest][1].trivia.trail:
        body.insert(place, body.pop(newest))


def _checked(document: tomlkit.TOMLDocument, path: str, before: str) -> str:
    """Give the document's text with the line ends of `before`.

    What comes out must be TOML again, or the person's file stays untouched.
    """
    import tomllib

    text = tomlkit.dumps(document)
    if "\r\n" in before and before.count("\r\n") == before.count("\n"):
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigSyntaxError(path, f"cannot be edited without breaking it: {error}") from error
    return text


def _item(value: object) -> object:
    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        inline.update(value)
        return inline
    return value


def _plain(item: object) -> object:
    unwrap = getattr(item, "unwrap", None)
    return unwrap() if callable(unwrap) else item
