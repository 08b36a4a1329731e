"""Ranges of versions: what a requirement allows.

Two dialects are read. `VersionRange.parse` is the one of manifests, formulas and command lines, in which a bound
without a pre-release leaves the pre-releases of its version out: ``<5`` and ``^4`` end *before* 5.0.0's first
pre-release (``<5.0.0-0``), else 5.0.0-dev would leak in. `VersionRange.parse_plain` is the one of `debug solve`, in
which comparators mean their plain precedence and nothing else.

Whether a pre-release that lies inside the intervals may be *chosen* is not decided here but by whoever builds the
universe, with `names_prerelease`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from mmpm.errors import quoted
from mmpm.model.versions import MAX_NUMBER, SortKey, Version

MAX_RANGE_LENGTH = 1000

# Half open, in the order of `Version.sort_key`: a version is inside when `low <= version.sort_key < high`. Every bound
# is the key of a version or the ceiling, and every version has a next one, so equal sets have equal intervals.
Interval: TypeAlias = tuple[SortKey, SortKey]

_FIRST_PRERELEASE: SortKey = (0, (0, 0))
_FLOOR: SortKey = (0, 0, 0, _FIRST_PRERELEASE)
_CEILING: SortKey = (MAX_NUMBER + 2,)
_EVERYTHING: tuple[Interval, ...] = ((_FLOOR, _CEILING),)

_COMPARATOR = re.compile(r"(>=|<=|==|!=|[<>=^~])?[ \t]*([^\s,<>=^~!|]+)[ \t]*(?:,[ \t]*)?")
_EQUAL = frozenset({"", "=", "=="})
_PARTIAL = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.(0|[1-9][0-9]{0,14}))?")


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A set of versions, as intervals of their order.

    Equality is on meaning: ``4`` equals ``>=4.0.0-0 <5.0.0-0``. The text keeps the operators that the author chose,
    with one spelling for separators.

    Attributes:
        text: canonical spelling; the dialect that read it reads it back to an equal value.
        intervals: sorted, disjoint and not touching, half open on `Version.sort_key`; empty if nothing is allowed.
        named: (major, minor, patch) of each pre-release that the text names. ``-0``, the notation for "before every
            pre-release", names none.
        exact: the version, if exactly one is allowed; its build metadata as written.
    """

    text: str = field(compare=False)
    intervals: tuple[Interval, ...]
    named: frozenset[tuple[int, int, int]] = frozenset()
    exact: Version | None = field(default=None, compare=False)

    @staticmethod
    def parse(text: str) -> VersionRange:
        """Read a requirement's range.

        ``4``, ``4.1``, ``4.0.0``, ``^4.1.2``, ``~4.1``, comparators joined by a comma or blank (``>=4,<6``),
        ``latest`` and ``*`` (any version), alternatives joined by ``||``.

        Raises:
            ValueError: `text` is none of these.
        """
        return _parse(text, plain=False)

    @staticmethod
    def parse_plain(text: str) -> VersionRange:
        """Read a range of a `debug solve` document: ``*``, or lists of comparators over full versions.

        Raises:
            ValueError: `text` is none of these.
        """
        return _parse(text, plain=True)

    @staticmethod
    def only(version: Version) -> VersionRange:
        """Give the range that allows `version` alone: a pin."""
        return _parse(str(version), plain=False)

    def allows(self, version: Version) -> bool:
        """Whether `version` lies in one of the intervals, pre-release or not."""
        key = version.sort_key
        return any(low <= key < high for low, high in self.intervals)

    def names_prerelease(self, version: Version) -> bool:
        """Whether the text names a pre-release of the same three numbers as `version`.

        Only then may a pre-release be chosen without `--pre`, as in npm's ranges.
        """
        return version.core in self.named

    @property
    def is_exact(self) -> bool:
        """Whether it allows one version only, which pins it."""
        return self.exact is not None

    @property
    def is_any(self) -> bool:
        """Whether it allows every version."""
        return self.intervals == _EVERYTHING

    @property
    def is_empty(self) -> bool:
        """Whether it allows no version at all, as ``>5,<4`` does."""
        return not self.intervals

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class _Comparator:
    """One comparator: its canonical text, what it allows, and the full version in it, if there is one.

    Attributes:
        names: whether it names a pre-release, which ``-0`` in a bound does not.
    """

    text: str
    intervals: tuple[Interval, ...]
    version: Version | None = None
    names: bool = False


def _before(major: int, minor: int, patch: int) -> SortKey:
    """Give the place before the first pre-release of a version: ``major.minor.patch-0``."""
    return (major, minor, patch, _FIRST_PRERELEASE)


def _after(version: Version) -> SortKey:
    """Give the key of the next version: 1.0.0 has 1.0.1-0 and 1.0.0-rc has 1.0.0-rc.0 right behind it."""
    if version.is_prerelease:
        return (*version.core, (*version.sort_key[3], (0, 0)))
    return _before(version.major, version.minor, version.patch + 1)


def _series(numbers: tuple[int, ...]) -> Interval:
    """Give what ``4`` or ``4.1`` stands for: every version that begins with these numbers."""
    if len(numbers) == 1:
        return _before(numbers[0], 0, 0), _before(numbers[0] + 1, 0, 0)
    return _before(numbers[0], numbers[1], 0), _before(numbers[0], numbers[1] + 1, 0)


def _caret_end(numbers: tuple[int, ...]) -> SortKey:
    """Give the end of ``^``: the leftmost number that is not zero stays; of zeros alone, the last one written."""
    major, minor, patch = (*numbers, 0, 0)[:3]
    if major or len(numbers) == 1:
        return _before(major + 1, 0, 0)
    if minor or len(numbers) == 2:
        return _before(0, minor + 1, 0)
    return _before(0, 0, patch + 1)


def _full_interval(operator: str, version: Version) -> Interval:
    """Give what a comparator over a full version allows."""
    key = version.sort_key
    match operator:
        case "^":
            return key, _caret_end(version.core)
        case "~":
            return key, _before(version.major, version.minor + 1, 0)
        case ">=":
            return key, _CEILING
        case ">":
            return _after(version), _CEILING
        case "<=":
            return _FLOOR, _after(version)
        case "<":
            return _FLOOR, key if version.is_prerelease else _before(*version.core)
        case _:
            return key, _after(version)


def _partial_interval(operator: str, numbers: tuple[int, ...]) -> Interval:
    """Give what a comparator over ``4`` or ``4.1`` allows: it compares with the whole series."""
    low, high = _series(numbers)
    match operator:
        case "^":
            return low, _caret_end(numbers)
        case ">=":
            return low, _CEILING
        case ">":
            return high, _CEILING
        case "<=":
            return _FLOOR, high
        case "<":
            return _FLOOR, low
        case _:
            return low, high


def _plain_intervals(operator: str, version: Version) -> tuple[Interval, ...]:
    """Give what a comparator means in plain precedence."""
    key = version.sort_key
    match operator:
        case "!=":
            return (_FLOOR, key), (_after(version), _CEILING)
        case "<":
            return ((_FLOOR, key),)
        case _:
            return (_full_interval(operator, version),)


def _read_comparator(operator: str, text: str, *, plain: bool) -> _Comparator:
    shown = "" if operator in _EQUAL and not plain else operator
    partial = None if plain else _PARTIAL.fullmatch(text)
    if partial is not None:
        numbers = tuple(int(number) for number in partial.groups() if number is not None)
        return _Comparator(shown + text, (_partial_interval(operator, numbers),))
    version = Version.parse(text)
    intervals = _plain_intervals(operator, version) if plain else (_full_interval(operator, version),)
    names = version.is_prerelease and (version.prerelease != (0,) or operator in _EQUAL)
    return _Comparator(f"{shown}{version}", intervals, version, names)


def _read_alternative(text: str, *, plain: bool) -> list[_Comparator]:
    """Read comparators joined by commas or blanks; `*` gives one that allows everything."""
    if text == "*":
        return [_Comparator("*", _EVERYTHING)]
    barred = {"^", "~"} if plain else {"!="}
    comparators = []
    position = 0
    while position < len(text):
        match = _COMPARATOR.match(text, position)
        if match is None or match.group(1) in barred:
            raise ValueError(f"{quoted(text)} is not a list of comparators such as >=4,<6")
        comparators.append(_read_comparator(match.group(1) or "", match.group(2), plain=plain))
        position = match.end()
    if not comparators or text.endswith(","):
        raise ValueError("an alternative is empty" if not comparators else f"{quoted(text)} ends in a comma")
    return comparators


def _intersection(left: tuple[Interval, ...], right: tuple[Interval, ...]) -> tuple[Interval, ...]:
    pairs = ((max(a, c), min(b, d)) for a, b in left for c, d in right)
    return tuple(sorted((low, high) for low, high in pairs if low < high))


def _union(intervals: list[Interval]) -> tuple[Interval, ...]:
    """Sort, drop empty intervals, and join those that overlap or touch."""
    joined: list[Interval] = []
    for low, high in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


# Indexes repeat the same few ranges in thousands of lines.
@lru_cache(maxsize=16384)
def _parse(text: str, *, plain: bool) -> VersionRange:
    if len(text) > MAX_RANGE_LENGTH:
        raise ValueError(f"{quoted(text)} is longer than the {MAX_RANGE_LENGTH} characters that a range may have")
    if text.strip() == "latest" and not plain:
        return ANY
    try:
        alternatives = [_read_alternative(part.strip(" \t"), plain=plain) for part in text.split("||")]
    except ValueError as error:
        raise ValueError(f"{quoted(text)} is not a range of versions: {error}") from None
    intervals: list[Interval] = []
    for alternative in alternatives:
        allowed = _EVERYTHING
        for comparator in alternative:
            allowed = _intersection(allowed, comparator.intervals)
        intervals.extend(allowed)
    comparators = [comparator for alternative in alternatives for comparator in alternative]
    named = frozenset(c.version.core for c in comparators if c.version and c.names)
    united = _union(intervals)
    spelled = (comparator.version for comparator in comparators)
    exact = next((v for v in spelled if v and united == ((v.sort_key, _after(v)),)), None)
    shown = " || ".join(",".join(comparator.text for comparator in alternative) for alternative in alternatives)
    return VersionRange(shown, united, named, exact)


ANY = VersionRange("*", _EVERYTHING)
"""Any version, the highest first."""
