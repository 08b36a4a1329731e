"""The manifest `mmpm.toml`: what a person asked for. Read with tomllib and hand checks, edited with comments kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from mmpm.errors import ManifestError
from mmpm.lock import parse_requirement_text, requirement_text
from mmpm.model.names import FormulaName, RegistryId
from mmpm.model.ranges import VersionRange
from mmpm.project.config import parse_toml
from mmpm.project.config_file import read_text
from mmpm.project.registries import RegistryConfig, registries_from_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECTIONS = ("formulas", "molecules")
KEYS = ("version", "registry", "as", "pre", "was")
EMPTY = """\
# What this project asks for. `mmpm sync` installs it, `mmpm.lock` says exactly what was chosen.

[formulas]
"""


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """One requirement of the manifest.

    Attributes:
        section: `formulas` or `molecules`.
        name: the full name, `@acme/mol-deploy` with its scope.
        range: the version range as a person wrote it; `*` is any.
        registry: the registry id that it must come from, or `None`.
        installed_as: the unscoped name that it is installed under (`--as`), or `None`.
        prerelease: whether a pre-release may be chosen where nothing else exists (`--pre`).
        was: the range before `pin`, which `unpin` puts back; empty where it was required by others alone; else `None`.
    """

    section: str
    name: str
    range: str
    registry: str | None = None
    installed_as: str | None = None
    prerelease: bool = False
    was: str | None = None

    @property
    def requirement(self) -> tuple[str, str, str]:
        """What the head of a lock says of it: section, name, and range with all that else is asked."""
        text = requirement_text(self.range, registry=self.registry, alias=self.installed_as, prerelease=self.prerelease)
        return self.section, self.name, text

    def to_toml(self) -> str | dict[str, object]:
        """Give the manifest's value: a plain range, or an inline table where more is said."""
        if self.registry is None and self.installed_as is None and not self.prerelease and self.was is None:
            return self.range
        table: dict[str, object] = {"version": self.range}
        if self.registry is not None:
            table["registry"] = self.registry
        if self.installed_as is not None:
            table["as"] = self.installed_as
        if self.prerelease:
            table["pre"] = True
        if self.was is not None:
            table["was"] = self.was
        return table


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as read.

    Attributes:
        path: where it lies, for messages.
        wanted: sorted by section and name; a name occurs once a section.
        registries: its `[[registries]]`, in the order of the file.
        policy: its `[policy]`, unchecked (`load_settings` checks it).
        exists: whether there is a file at `path`.
        text: the file's text, line ends as they are.
    """

    path: str
    wanted: tuple[Wanted, ...] = ()
    registries: tuple[RegistryConfig, ...] = ()
    policy: Mapping[str, object] = field(default_factory=dict)
    exists: bool = False
    text: str = ""

    def find(self, name: str, section: str = "formulas") -> Wanted | None:
        """Give the requirement of a name, or `None`."""
        return next((one for one in self.wanted if one.name == name and one.section == section), None)

    def or_asking_for(self, requirements: Iterable[tuple[str, str, str]]) -> Manifest:
        """Give this manifest; where there is none, the one that a lock was made for (the head of it, `Lockfile`)."""
        if self.exists:
            return self
        lines: dict[str, list[str]] = {section: [] for section in SECTIONS}
        for section, name, text in requirements:
            asked = parse_requirement_text(text)
            wanted = Wanted(section, name, asked.range, asked.registry, asked.alias, asked.prerelease)
            lines[section].append(f"{_key(name)} = {_value(wanted.to_toml())}\n")
        if not any(lines.values()):
            return self
        text = EMPTY + "".join(lines["formulas"])
        if lines["molecules"]:
            text += "\n[molecules]\n" + "".join(lines["molecules"])
        return parse_manifest(text, self.path)

    def with_requirement(self, wanted: Wanted) -> str:
        """Give the text with this requirement set; a manifest that is not there yet begins with a comment."""
        from mmpm.project.toml_edit import set_in_table

        return set_in_table(self.text or EMPTY, (wanted.section, wanted.name), wanted.to_toml(), self.path)

    def without_requirement(self, name: str, section: str = "formulas") -> str:
        """Give the text without this requirement; the same text where it has none."""
        from mmpm.project.toml_edit import unset_in_table

        return unset_in_table(self.text, (section, name), self.path)


def read_manifest(path: str) -> Manifest:
    """Read a manifest; an absent one is empty.

    Raises:
        ConfigSyntaxError: unreadable or not TOML, with line and column.
        ManifestError: a value is not what it has to be, with its line and key.
        BadSettingError: a registry entry is not well formed.
    """
    text = read_text(path)
    if not text:
        import os

        return Manifest(path, exists=os.path.exists(path))
    return parse_manifest(text, path)


# A command reads it for its settings and again for its work.
@lru_cache(maxsize=4)
def parse_manifest(text: str, path: str) -> Manifest:
    """Read a manifest's text; see `read_manifest`."""
    document = parse_toml(text.encode("utf-8"), path)
    wanted: list[Wanted] = []
    for section in SECTIONS:
        table = document.get(section, {})
        if not isinstance(table, dict):
            raise ManifestError(path, _line_of(text, section), section, "expected a table of name = range")
        wanted += [_requirement(text, path, section, name, value) for name, value in table.items()]
    policy = document.get("policy", {})
    if not isinstance(policy, dict):
        raise ManifestError(path, _line_of(text, "policy"), "policy", "expected a table")
    return Manifest(
        path=path,
        wanted=tuple(sorted(wanted)),
        registries=registries_from_toml(document, path),
        policy=policy,
        exists=True,
        text=text,
    )


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else _value(name)


def _value(value: object) -> str:
    """Write a text, true, or a table of these in one line; a JSON text is a TOML text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + "}"
    return "true" if value is True else json.dumps(value)


def _requirement(text: str, path: str, section: str, name: str, value: object) -> Wanted:
    """Check one entry; `value` is a range or a table with `version`, `registry`, `as`, `pre`, `was`."""

    def wrong(reason: str) -> ManifestError:
        return ManifestError(path, _line_of(text, name), f"{section}.{name}", reason)

    table: Mapping[str, object] = value if isinstance(value, dict) else {"version": value}
    version, registry, alias, pre, was = (table.get(key) for key in KEYS)
    unknown = sorted(set(table) - set(KEYS))
    if unknown:
        raise wrong(f"unknown key {unknown[0]}; known are {', '.join(KEYS)}")
    if version is None:
        version = "*"
    if not isinstance(version, str):
        raise wrong('expected a range in quotes, such as "^4"')
    if not isinstance(pre, bool | None):
        raise wrong("pre: expected true or false")
    if not isinstance(registry, str | None) or not isinstance(alias, str | None):
        raise wrong("registry and as: expected texts")
    if not isinstance(was, str | None):
        raise wrong('was: expected a range in quotes, such as "^4"')
    try:
        FormulaName.parse(name)
        VersionRange.parse(version)
        if was:
            VersionRange.parse(was)
        if registry is not None:
            RegistryId.parse(registry)
        if alias is not None and FormulaName.parse(alias).scope is not None:
            raise wrong("as: an installed name has no scope")
    except ValueError as error:
        raise wrong(str(error)) from error
    return Wanted(section, name, version, registry, alias, bool(pre), was)


def _line_of(text: str, key: str) -> int:
    """Find the line of a key for a message: the first that begins with it, as bare, quoted or table name; else 1."""
    spellings = (key, f'"{key}"', f"'{key}'", f"[{key}]", f"[[{key}]]")
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        for spelling in spellings:
            if stripped.startswith(spelling) and stripped[len(spelling) :].lstrip()[:1] in {"=", "", "#", "."}:
                return number
    return 1
