"""How people and files name what they want: requirements, and references with an optional registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from mmpm.errors import quoted
from mmpm.model.names import FormulaName, RegistryId
from mmpm.model.ranges import ANY, VersionRange

HOP = "hop://"


def _split(text: str) -> tuple[FormulaName, VersionRange]:
    """Read ``name``, ``@scope/name``, each with an optional ``@range``."""
    scope = "@" if text.startswith("@") else ""
    name, at, wanted = text.removeprefix("@").partition("@")
    if at and not wanted.strip():
        raise ValueError(f"{quoted(text)} ends in @ where a version or range should follow")
    return FormulaName.parse(scope + name), VersionRange.parse(wanted) if at else ANY


@dataclass(frozen=True, slots=True)
class Requirement:
    """A formula by name, and the versions of it that will do."""

    name: FormulaName
    range: VersionRange = ANY

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name``, ``name@range`` or ``@scope/name@range``.

        Raises:
            ValueError: the name or the range is not one.
        """
        return cls(*_split(text))

    def __str__(self) -> str:
        return str(self.name) if self.range == ANY else f"{self.name}@{self.range}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A requirement, with the registry that it names, if it names one.

    Attributes:
        registry: None for the short forms, which leave the choice to the priority of registries.
    """

    registry: RegistryId | None
    name: FormulaName
    range: VersionRange = ANY

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read every short form, and ``hop://host/formulas/name@range``.

        Raises:
            ValueError: `text` is not a reference; the sentence says where.
        """
        if text[: len(HOP)].lower() != HOP:
            return cls(None, *_split(text))
        host, slash, rest = text[len(HOP) :].partition("/")
        folder, second_slash, formula = rest.partition("/")
        if not slash or folder != "formulas" or not second_slash:
            raise ValueError(f"{quoted(text)} is not of the form hop://registry/formulas/name@version")
        try:
            return cls(RegistryId.parse(host), *_split(formula))
        except ValueError as error:
            raise ValueError(f"{quoted(text)} is not a reference: {error}") from None

    @property
    def is_pin(self) -> bool:
        """Whether it names one exact version, which pins it."""
        return self.range.is_exact

    @property
    def requirement(self) -> Requirement:
        """The reference without its registry."""
        return Requirement(self.name, self.range)

    def __str__(self) -> str:
        return str(self.requirement) if self.registry is None else f"{HOP}{self.registry}/formulas/{self.requirement}"


def release_address(registry: object, name: object, version: object) -> str:
    """Give the address of one release, the ``source`` of locks and receipts: ``hop://host/formulas/name@version``."""
    return f"{HOP}{registry}/formulas/{name}@{version}"
