"""Names of formulas and of registries.

A name is also a file name, a folder name and a part of a URL on every system, which is where its rules come from:
`docs/formats.md`, "References, requirements, names".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

from mmpm.errors import quoted

MAX_NAME_LENGTH = 64
MAX_HOST_LENGTH = 253

_WELL_FORMED = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_ODD_CHARACTER = re.compile(r"[^a-z0-9._-]")
# Else `formulas/index.json` or `x.formula.toml` would be a legal name, and its folder would hide a document.
_RESERVED_ENDINGS = (".json", ".jsonl", ".toml")
_DEVICES = frozenset({"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)})
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")


def is_device_name(part: str) -> bool:
    """Whether Windows opens a device for a file of the (lower-case) name `part`, whatever follows its first dot."""
    return part.partition(".")[0] in _DEVICES


def _check_part(part: str, what: str) -> None:
    """Hold one part of a name to the rules, the sentence saying which one it breaks."""
    if not part:
        raise ValueError(f"a {what} cannot be empty")
    if len(part) > MAX_NAME_LENGTH:
        raise ValueError(f"{quoted(part)} is longer than the {MAX_NAME_LENGTH} characters that a {what} may have")
    if not _WELL_FORMED.fullmatch(part):
        odd = _ODD_CHARACTER.search(part)
        if odd is None:
            raise ValueError(f"{quoted(part)} does not start and end with a letter or digit, as a {what} must")
        raise ValueError(
            f"{quoted(part)} has the character {quoted(odd.group())}; "
            f"a {what} has only lower-case letters, digits and . _ -"
        )
    if part.endswith(_RESERVED_ENDINGS):
        raise ValueError(f"{quoted(part)} ends in .json, .jsonl or .toml, which a {what} may not")
    if is_device_name(part):
        raise ValueError(f"{quoted(part)} is the name of a device on Windows, which a {what} may not be")


@dataclass(frozen=True, slots=True)
class FormulaName:
    """The name of a formula, with the scope of its publisher where it has one.

    Names order as their text does, so that every sorted list of ours has one order.

    Attributes:
        scope: without its ``@``; None for a name that is not scoped.
        base: the name in files and folders of a person's machine, which know no scopes.
        text: its one spelling, `str` of it; kept because a lock asks for it hundreds of thousands of times.
    """

    scope: str | None
    base: str
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.scope is not None:
            _check_part(self.scope, "scope")
        _check_part(self.base, "formula name")
        object.__setattr__(self, "text", self.base if self.scope is None else f"@{self.scope}/{self.base}")

    @staticmethod
    def parse(text: str) -> FormulaName:
        """Read ``base`` or ``@scope/base``.

        Raises:
            ValueError: `text` breaks a rule of names; the sentence says which.
        """
        return _parse_name(text)

    @property
    def unscoped(self) -> str:
        """The name without its scope, which bd and gt look for."""
        return self.base

    def __str__(self) -> str:
        return self.text

    def __lt__(self, other: FormulaName) -> bool:
        return str(self) < str(other)

    def __le__(self, other: FormulaName) -> bool:
        return str(self) <= str(other)

    def __gt__(self, other: FormulaName) -> bool:
        return str(self) > str(other)

    def __ge__(self, other: FormulaName) -> bool:
        return str(self) >= str(other)


@lru_cache(maxsize=65536)
def _parse_name(text: str) -> FormulaName:
    if not text.startswith("@"):
        return FormulaName(None, text)
    scope, slash, base = text[1:].partition("/")
    if not slash:
        raise ValueError(f"{quoted(text)} has a scope but no name: write @scope/name")
    return FormulaName(scope, base)


@dataclass(frozen=True, order=True, slots=True)
class RegistryId:
    """The identity of a registry: a host name, with ``_port`` where it is not the scheme's own port.

    The underscore stands for the colon so that the id is a folder name (``mirrors/<host>[_port]``) and one part of
    a ``hop://`` URI everywhere.
    """

    host: str

    def __post_init__(self) -> None:
        name, underscore, port = self.host.partition("_")
        if len(name) > MAX_HOST_LENGTH:
            raise ValueError(f"{quoted(self.host)} is longer than the {MAX_HOST_LENGTH} characters of a host name")
        if not all(_LABEL.fullmatch(label) for label in name.split(".")):
            raise ValueError(f"{quoted(self.host)} is not a registry id, which is a host name such as molmall.example")
        if underscore and not (_PORT.fullmatch(port) and int(port) < 65536):
            raise ValueError(f"{quoted(self.host)} has a port that is not a number from 1 to 65535")
        if is_device_name(name):
            raise ValueError(f"{quoted(self.host)} is the name of a device on Windows, which a registry id may not be")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host``, ``host_port`` or ``host:port``; upper-case letters of a host are lowered.

        Raises:
            ValueError: `text` is not a host name.
        """
        return cls(text.lower().replace(":", "_", 1) if text.isascii() else text)

    def __str__(self) -> str:
        return self.host
