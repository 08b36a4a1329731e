"""Change a person's `config.toml`: comments and order survive, the file is replaced as a whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmpm.errors import BadSettingError, ConfigSyntaxError
from mmpm.project.config import find_setting
from mmpm.project.settings import parse_setting
from mmpm.project.small_file import read_small_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.plan import SetConfig
    from mmpm.project.registries import RegistryConfig


def apply_set_config(_context: object, action: SetConfig) -> None:
    """Effect of `SetConfig`: set or take out one value.

    Raises:
        BadSettingError: no such setting, or not its kind of value.
        ConfigSyntaxError: the file as it is cannot be read or edited.
    """
    from mmpm.project import toml_edit

    setting = find_setting(action.key)
    if action.value is None:
        _edit(action.path, lambda text: toml_edit.unset_value(text, action.key, action.path))
        return
    try:
        value = parse_setting(setting, action.value)
    except ValueError as error:
        raise BadSettingError(action.key, "", str(error)) from error
    # Times, sizes and "never" stay as the person wrote them; numbers and booleans become TOML's own.
    plain: object = action.value
    if setting.kind in {"bool", "count", "list"}:
        plain = list(value) if isinstance(value, tuple) else value
    _edit(action.path, lambda text: toml_edit.set_value(text, action.key, plain, action.path))


def put_registry(path: str, registry: RegistryConfig) -> None:
    """Add a registry to the file, or replace what it says of the one with the same id."""
    from mmpm.project import toml_edit

    _edit(path, lambda text: toml_edit.put_registry(text, registry.to_toml(), path))


def drop_registry(path: str, identity: str) -> None:
    """Take a registry out of the file; harmless where it is not in it."""
    from mmpm.project import toml_edit

    _edit(path, lambda text: toml_edit.drop_registry(text, identity, path))


def read_text(path: str) -> str:
    """Give a small text file of a person; an absent one is empty. Line ends stay as they are.

    Raises:
        ConfigSyntaxError: unreadable, too large or not UTF-8.
    """
    try:
        return (read_small_file(path) or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigSyntaxError(path, "is not UTF-8") from error


def _edit(path: str, change: Callable[[str], str]) -> None:
    from mmpm_store.durable import write_file_durably

    path = os.path.realpath(path)  # a link into a dotfiles folder stays a link
    before = read_text(path)
    after = change(before)
    if after != before:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644
        write_file_durably(path, after.encode("utf-8"), mode)
