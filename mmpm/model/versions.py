"""Versions, as Semantic Versioning 2.0.0 (semver.org) defines them.

Rule: equality, hash and order all follow precedence (section 11), which ignores build metadata; only the text keeps
it. A registry never holds two versions of one formula that differ in build metadata alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from mmpm.errors import quoted

# A version is part of file names and a number of it is compared often: both stay small.
MAX_VERSION_LENGTH = 128
MAX_NUMBER = 10**15

# Compared as a tuple. (major, minor, patch, rest) where `rest` is (1,) for a release and (0, identifiers...) for a
# pre-release, each tagged 0 for a number and 1 for a word, since numbers sort first (section 11.4.3).
SortKey: TypeAlias = tuple[Any, ...]

_NUMBER = r"(0|[1-9][0-9]*)"
_DOTTED = r"([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_DOTTED})?(?:\+{_DOTTED})?")


def _identifier(text: str) -> int | str:
    """Read one dot-separated identifier of a pre-release: digits are a number.

    Raises:
        ValueError: a number has a leading zero.
    """
    if not text.isdecimal():
        return text
    if text[0] == "0" and text != "0":
        raise ValueError(text)
    return int(text)


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version of a formula.

    Attributes:
        major: below `MAX_NUMBER`, as are `minor` and `patch`.
        prerelease: its identifiers, numbers as `int`; empty for a release.
        build: build metadata without the ``+``; empty where there is none.
        sort_key: precedence as a tuple that compares fast; equal for equal versions.
        slot: what must be unique among the versions of one formula: `path_text` after case folding.
    """

    major: int
    minor: int
    patch: int
    prerelease: tuple[int | str, ...] = ()
    build: str = ""
    sort_key: SortKey = field(init=False, repr=False)
    slot: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rest: SortKey = (1,)
        if self.prerelease:
            rest = (0, *((0, part) if isinstance(part, int) else (1, part) for part in self.prerelease))
        object.__setattr__(self, "sort_key", (self.major, self.minor, self.patch, rest))
        object.__setattr__(self, "slot", self.path_text.lower())

    @staticmethod
    def parse(text: str) -> Version:
        """Read a full version such as ``4.0.0-rc.1+b5``; equal texts give the same value.

        Raises:
            ValueError: `text` is not a version of Semantic Versioning 2.0.0, or longer than we allow.
        """
        return _parse_version(text)

    @property
    def core(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        return self.major, self.minor, self.patch

    @property
    def is_prerelease(self) -> bool:
        """Whether it precedes the release of the same numbers."""
        return bool(self.prerelease)

    @property
    def path_text(self) -> str:
        """The version as paths of a registry spell it: without build metadata."""
        text = f"{self.major}.{self.minor}.{self.patch}"
        return f"{text}-{'.'.join(map(str, self.prerelease))}" if self.prerelease else text

    def __str__(self) -> str:
        return f"{self.path_text}+{self.build}" if self.build else self.path_text

    def __eq__(self, other: object) -> bool:
        return self.sort_key == other.sort_key if isinstance(other, Version) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.sort_key)

    def __lt__(self, other: Version) -> bool:
        return self.sort_key < other.sort_key

    def __le__(self, other: Version) -> bool:
        return self.sort_key <= other.sort_key

    def __gt__(self, other: Version) -> bool:
        return self.sort_key > other.sort_key

    def __ge__(self, other: Version) -> bool:
        return self.sort_key >= other.sort_key


# Real indexes repeat the same few texts in thousands of lines; the bound keeps a hostile one from filling memory.
@lru_cache(maxsize=65536)
def _parse_version(text: str) -> Version:
    if len(text) > MAX_VERSION_LENGTH:
        raise ValueError(f"{quoted(text)} is longer than the {MAX_VERSION_LENGTH} characters that a version may have")
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"{quoted(text)} is not a version, which is three numbers such as 4.0.0 or 4.0.0-rc.1")
    major, minor, patch, prerelease, build = match.groups()
    numbers = int(major), int(minor), int(patch)
    if max(numbers) >= MAX_NUMBER:
        raise ValueError(f"{quoted(text)} has a number with more than 15 digits")
    try:
        identifiers = tuple(map(_identifier, prerelease.split("."))) if prerelease else ()
    except ValueError:
        raise ValueError(f"{quoted(text)} has a pre-release number with a leading zero") from None
    return Version(*numbers, identifiers, build or "")
