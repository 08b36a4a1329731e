"""What a person has set, and where: every value knows its origin.

Precedence: flags, `MMPM_*` variables, `config.toml`, `~/.gtconfig.yaml` (its registries list), the `config.toml` of
the whole machine (`/etc/mmpm`), defaults. Hand checks and no pydantic: a warm `sync --frozen` reads these values too.

Rule: `policy.*` is what this order gives, or what a pinned policy or the project's manifest (`[policy]`) states where
that is stricter: neither a project nor a person loosens what was pinned, and a project loosens nothing at all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from mmpm.errors import BadSettingError, ConfigSyntaxError, printable
from mmpm.project.places import expand_home
from mmpm.project.placing import refused
from mmpm.project.registries import (
    RegistryConfig,
    merge_registries,
    recognise,
    registries_from_gtconfig,
    registries_from_toml,
    with_project,
)
from mmpm.project.settings import SETTINGS, Setting, Value, parse_setting
from mmpm.project.small_file import check_size, read_small_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.project.places import Places
    from mmpm.project.policies import Pinned
    from mmpm.trust.policy import Policy, Stated


@dataclass(frozen=True, slots=True)
class Origin:
    """A setting's value and the place that decided it: `default`, `flag`, a variable, or a file's path."""

    value: Value
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings at one moment.

    Attributes:
        values: one `Origin` for every key of `SETTINGS`.
        hop: `[hop] host = url`, where a `hop://` host is served.
        warnings: sentences about keys that nobody reads.
        stated: every rule of policy that somebody stated, as (key, value, origin), the strongest origin first.
        pinned: the signed policies that hold here.
    """

    values: Mapping[str, Origin]
    hop: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    stated: tuple[tuple[str, Value, str], ...] = ()
    pinned: tuple[Pinned, ...] = ()

    def __getitem__(self, key: str) -> Value:
        """Give the value of `key`, typed as its row in `SETTINGS` says."""
        return self.values[key].value

    def seconds(self, key: str) -> int | None:
        """Give a duration; `None` is "never"."""
        return cast("int | None", self.values[key].value)

    def number(self, key: str) -> int:
        """Give a count, or a size that is set."""
        return int(cast("int | None", self.values[key].value) or 0)

    def text(self, key: str) -> str | None:
        """Give a text, path or choice; `None` where it is not set."""
        value = self.values[key].value
        return value if isinstance(value, str) else None

    @property
    def offline(self) -> bool:
        """Whether making a socket is an error."""
        return bool(self.values["offline"].value)

    @property
    def policy(self) -> Policy:
        """The rules in force."""
        from mmpm.trust.policy import Policy

        return Policy.of(_stated_rule(*one) for one in self.stated)

    @property
    def bars_nothing(self) -> bool:
        """Whether no rule was stated that can bar a release; without the import that `policy` takes."""
        return all(key in _AGES for key, _, _ in self.stated)

    @property
    def link(self) -> str:
        """`auto`, `hard` or `copy`."""
        return self.text("install.link") or "auto"


def read_toml_file(path: str) -> dict[str, object]:
    """Read a TOML file of a person; an absent file is an empty table.

    Raises:
        ConfigSyntaxError: unreadable, too large or not TOML, with line and column.
    """
    data = read_small_file(path)
    return {} if data is None else parse_toml(data, path)


def parse_toml(data: bytes, path: str) -> dict[str, object]:
    """Read TOML bytes; `path` names them in errors.

    Raises:
        ConfigSyntaxError: too large, not UTF-8, nested too deep, or not TOML.
    """
    check_size(data, path)
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigSyntaxError(path, f"is not UTF-8 (at line {line})") from error
    except tomllib.TOMLDecodeError as error:
        from mmpm.textform import conflict_line

        marker = conflict_line(data)
        if marker:
            remedy = "keep there what both sides ask for, then run the same command again"
            raise ConfigSyntaxError(path, f"has merge-conflict markers (at line {marker})", remedy) from error
        raise ConfigSyntaxError(path, f"is not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigSyntaxError(path, "is nested too deep") from error


def load_settings(
    places: Places,
    environ: Mapping[str, str],
    *,
    flags: Mapping[str, Value] | None = None,
    policy: Mapping[str, object] | None = None,
    manifest_path: str = "mmpm.toml",
) -> Settings:
    """Gather every setting from its first origin that has it.

    Args:
        places: gives the path of `config.toml`.
        environ: the process environment.
        flags: values that the command line gave, by key.
        policy: the `[policy]` table of the project's manifest; it only tightens.
        manifest_path: names the manifest in errors and origins.

    Raises:
        BadSettingError: a value is not what its setting asks for.
        ConfigSyntaxError: `config.toml` cannot be read.
    """
    path = places.config_file
    document = read_toml_file(path)
    files = [(file, read_toml_file(file)) for file in reversed(places.system_config_files)] + [(path, document)]
    pinned = _pinned(places)
    found: dict[str, Origin] = {}
    stated: list[tuple[str, Value, str]] = []
    for key, setting in SETTINGS.items():
        found[key] = Origin(setting.default, "default")
        for file, content in files:
            in_file = look_up(content, key) if content else None
            if in_file is not None:
                value = _placed(setting, _checked(setting, in_file, file), places, os.path.dirname(file))
                found[key] = Origin(value, file)
        variable = setting.environment_variable
        if environ.get(variable):
            value = _checked(setting, environ[variable], variable)
            found[key] = Origin(_placed(setting, value, places, os.getcwd()), variable)
        if flags is not None and flags.get(key) is not None:
            found[key] = Origin(flags[key], "flag")
        if key in _RULES:
            mine = _statements(setting, found[key], pinned, policy or {}, manifest_path)
            if mine:
                found[key] = _strictest(mine)
            stated += mine
    hop = document.get("hop", {})
    if not isinstance(hop, dict) or not all(isinstance(url, str) for url in hop.values()):
        raise refused("hop", path, "expected a table of host = url")
    unknown = [warning for file, content in files[::-1] for warning in _unknown_keys(content, file)]
    unknown += [
        f"{manifest_path}: no rule is called policy.{printable(name, 80)}"
        for name in policy or ()
        if f"policy.{name}" not in _RULES
    ]
    return Settings(found, hop, tuple(unknown), tuple(stated), pinned)


_RULES = frozenset(key for key in SETTINGS if key.startswith("policy."))
_AGES = ("policy.max_age", "policy.red_line")


def _pinned(places: Places) -> tuple[Pinned, ...]:
    from mmpm.project.policies import pinned_files, read_pinned

    return read_pinned(pinned_files(places))


def _statements(
    setting: Setting, own: Origin, pinned: Sequence[Pinned], manifest: Mapping[str, object], manifest_path: str
) -> list[tuple[str, Value, str]]:
    """Give what each place states of one rule: pinned policies, the person, the project.

    A default counts where nobody but a project states the rule, so that no project loosens it.
    """
    key, rule = setting.key, setting.key.partition(".")[2]
    found = [
        (key, _checked(setting, one.document.rules[rule], one.origin), one.origin)
        for one in pinned
        if rule in one.document.rules
    ]
    if own.origin != "default" or (not found and rule in manifest and own.value is not None):
        found.append((key, own.value, own.origin))
    if rule in manifest:
        found.append((key, _checked(setting, manifest[rule], manifest_path), manifest_path))
    return found


def _strictest(stated: Sequence[tuple[str, Value, str]]) -> Origin:
    """Give what of several statements of one rule holds; of lists that deny all of it, of those that allow the first.

    Every list that allows counts (`Settings.policy`), but together they are no list that one could write down.
    """
    [(key, value, origin), *more] = stated
    if not more:
        return Origin(value, origin)
    if key == "policy.allow":
        return Origin(value, origin)
    if key == "policy.deny":
        patterns = [one for _, values, _ in stated if isinstance(values, tuple) for one in values]
        return Origin(tuple(dict.fromkeys(patterns)), ", ".join(one for _, _, one in stated))
    from mmpm.trust.policy import strictness

    _, value, origin = max(stated, key=lambda one: strictness(_stated_rule(*one)))
    return Origin(value, origin)


def _stated_rule(key: str, value: Value, origin: str) -> Stated:
    from mmpm.project.settings import show_setting
    from mmpm.trust.policy import Stated

    return Stated(key.partition(".")[2], value, show_setting(SETTINGS[key], value), origin)


def load_registries(places: Places, manifest_registries: tuple[RegistryConfig, ...] = ()) -> tuple[RegistryConfig, ...]:
    """Give the configured registries, first to be asked first.

    One that manifest and configuration both name is one: the manifest decides what it states (but for root key,
    credentials and certificates), the configuration gives the rest, most of all the URLs. `~/.gtconfig.yaml` has no
    ids: its entry for a registry of `config.toml` is known by address or name, and adds to that one.

    Raises:
        BadSettingError: an entry is not well formed.
        ConfigSyntaxError: a file cannot be read.
    """
    own = registries_from_toml(read_toml_file(places.config_file), places.config_file)
    from_gt: tuple[RegistryConfig, ...] = ()
    if os.path.exists(places.gtconfig_file):
        from_gt = recognise(registries_from_gtconfig(places.gtconfig_file), own)
    return with_project(merge_registries(own, from_gt), manifest_registries)


def find_setting(key: str) -> Setting:
    """Give the row of `key`.

    Raises:
        BadSettingError: there is no such setting; the closest one is named.
    """
    if key in SETTINGS:
        return SETTINGS[key]
    import difflib

    close = difflib.get_close_matches(key, SETTINGS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise BadSettingError(key, "", f"there is no such setting{hint}")


def look_up(document: Mapping[str, object], key: str) -> object | None:
    """Give what stands at a dotted key of a TOML document, or `None`."""
    value: object = document
    for part in key.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _checked(setting: Setting, value: object, origin: str) -> Value:
    try:
        return parse_setting(setting, value)
    except ValueError as error:
        raise refused(setting.key, origin, f"{error}, found {printable(repr(value), 80)}") from error


def _placed(setting: Setting, value: Value, places: Places, folder: str) -> Value:
    """Make a path absolute: `~` is the home, a relative one begins at `folder`; other values stay."""
    if setting.kind != "path" or not isinstance(value, str):
        return value
    return os.path.normpath(os.path.join(folder, expand_home(value, places.home)))


def _unknown_keys(document: Mapping[str, object], path: str) -> list[str]:
    """Name the keys that no setting has; readers go on (a newer mmpm may know them)."""
    unknown: list[str] = []
    sections = {key.partition(".")[0] for key in SETTINGS} | {"registries", "hop", "format"}
    for name, value in document.items():
        if name not in sections:
            unknown.append(name)
        elif isinstance(value, dict) and name != "hop":
            unknown += [f"{name}.{inner}" for inner in value if f"{name}.{inner}" not in SETTINGS]
    return [f"{path}: no setting is called {printable(key, 80)}" for key in unknown]
