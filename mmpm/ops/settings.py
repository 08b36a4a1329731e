"""Settings as queries and plans: `config list`, `get`, `set`, `unset`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import BadSettingError
from mmpm.plan import Plan, SetConfig
from mmpm.project.config import find_setting, look_up, read_toml_file
from mmpm.project.settings import SETTINGS, parse_setting, show_setting

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.project.settings import Value


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as it stands: `text` is how a person would write `value`."""

    key: str
    value: Value
    text: str
    origin: str
    help: str


def list_settings(context: Context) -> tuple[Shown, ...]:
    """Give every setting in the order of the manual."""
    return tuple(show(context, key) for key in SETTINGS)


def show(context: Context, key: str) -> Shown:
    """Give one setting.

    Raises:
        BadSettingError: there is no such setting.
    """
    setting = find_setting(key)
    found = context.settings.values[key]
    return Shown(key, found.value, show_setting(setting, found.value), found.origin, setting.help)


def plan_set(context: Context, key: str, text: str) -> Plan:
    """Plan to write one setting into the person's `config.toml`; empty where it already says so.

    Raises:
        BadSettingError: no such setting, or not its kind of value.
    """
    setting = find_setting(key)
    try:
        value = parse_setting(setting, text)
    except ValueError as error:
        raise BadSettingError(key, "", str(error)) from error
    path = context.places.config_file
    present = look_up(read_toml_file(path), key)
    if present is not None and parse_setting(setting, present) == value:
        return Plan()
    found = context.settings.values[key]
    notes: tuple[str, ...] = ()
    if found.origin not in {"default", path}:
        notes = (f"{key} is decided by {found.origin}, which comes before {path}",)
    return Plan(actions=(SetConfig(path, key, text),), notes=notes)


def plan_unset(context: Context, key: str) -> Plan:
    """Plan to take one setting out of the person's `config.toml`; empty where it is not in it."""
    find_setting(key)
    path = context.places.config_file
    if look_up(read_toml_file(path), key) is None:
        return Plan()
    return Plan(actions=(SetConfig(path, key, None),))
