"""What may be chosen and installed here: the rules that are in force, and the one judgement that is made by them. Pure.

Rules: a policy is put together from what each place states, and the strictest of it holds, so that one more statement
never allows more. What bars a release says which rule it was and where that was set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from mmpm.errors import quoted
from mmpm.model.ranges import ANY, VersionRange
from mmpm.trust.facts import format_time, parse_time
from mmpm.trust.levels import UNVERIFIED, Level, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.model.versions import Version

RULES: Final = ("min_level", "min_age", "allow", "deny", "max_age", "red_line")
"""Everything that a policy can say, by its name below ``policy.``."""
MAX_PATTERNS: Final = 10_000

RuleValue: TypeAlias = str | int | tuple[str, ...] | None

_PATTERN = re.compile(r"(?:@([a-z0-9*][a-z0-9._*-]{0,63})/)?([a-z0-9*][a-z0-9._*-]{0,63})")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which releases a line of an allow or deny list means.

    Attributes:
        text: as written: ``@acme/*``, ``mol-*``, ``mol-a``, ``mol-a@<2``.
        name: matches whole names.
        range: of versions.
    """

    text: str
    name: re.Pattern[str]
    range: VersionRange

    def allows(self, version: Version) -> bool:
        """Whether a version of such a name is meant."""
        return self.range is ANY or self.range.allows(version)


@lru_cache(maxsize=1 << 16)
def parse_pattern(text: str) -> Pattern:
    """Read a pattern: a name in which ``*`` stands for any characters but ``/``, and perhaps ``@`` and a range.

    A lone ``*`` means every name; any other pattern without a scope means names without one.

    Raises:
        ValueError: it is none; one sentence.
    """
    at = text.find("@", 1)
    name, wanted = (text, "") if at < 0 else (text[:at], text[at + 1 :])
    found = _PATTERN.fullmatch(name)
    if found is None or (at >= 0 and not wanted):
        raise ValueError(f"{quoted(text)} is not a pattern such as @acme/*, mol-*, mol-a or mol-a@^2")
    versions = VersionRange.parse(wanted) if wanted else ANY
    if name == "*":
        return Pattern(text, re.compile(r".*"), versions)
    expression = "".join("[^/]*" if one == "*" else re.escape(one) for one in name)
    return Pattern(text, re.compile(expression), versions)


@dataclass(frozen=True, slots=True)
class Stated:
    """One rule as one place states it.

    Attributes:
        rule: one of `RULES`.
        value: a level; seconds, None for "never"; patterns.
        text: the value as a person would write it.
        origin: a file's path, a variable, ``flag``, or words such as ``the pinned policy acme, serial 3``.
    """

    rule: str
    value: RuleValue
    text: str
    origin: str

    @property
    def words(self) -> str:
        """The rule and where it was set: ``policy.min_level = audited (set in FILE)``."""
        return f"policy.{self.rule} = {self.text} ({set_by(self.origin)})"


def set_by(origin: str) -> str:
    """Say where a value was set."""
    return f"set {'in' if '/' in origin else 'by'} {origin}"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force.

    Attributes:
        min_level: the least level; None where none is asked for.
        min_age: releases younger than this are not chosen.
        allow: lists, each of which must mean a release.
        deny: lists, none of which may mean it.
        max_age, red_line: the age of what is known of a registry that warns, and that is refused.
    """

    min_level: Stated | None = None
    min_age: Stated | None = None
    allow: tuple[Stated, ...] = ()
    deny: tuple[Stated, ...] = ()
    max_age: Stated | None = None
    red_line: Stated | None = None

    @classmethod
    def of(cls, stated: Iterable[Stated]) -> Policy:
        """Put together what several places state: of each rule the strictest; the first of equal ones is named."""
        found: dict[str, Stated] = {}
        lists: dict[str, dict[Stated, None]] = {"allow": {}, "deny": {}}
        for one in stated:
            if one.rule in lists:
                lists[one.rule][one] = None
            elif one.rule not in found or strictness(one) > strictness(found[one.rule]):
                found[one.rule] = one
        return cls(
            _unless_idle(found.get("min_level")),
            _unless_idle(found.get("min_age")),
            tuple(lists["allow"]),
            tuple(one for one in lists["deny"] if one.value),
            found.get("max_age"),
            found.get("red_line"),
        )

    @property
    def asks_for_levels(self) -> bool:
        """Whether the level of a release decides."""
        return self.min_level is not None

    @property
    def asks_registries(self) -> bool:
        """Whether it takes what registries say, and not the name and version alone, to judge a release."""
        return self.min_level is not None or self.min_age is not None

    @property
    def bars_nothing(self) -> bool:
        """Whether no rule can bar a release."""
        return not (self.min_level or self.min_age or self.allow or self.deny)

    @property
    def stated(self) -> Iterator[Stated]:
        """Give every rule in force, as it was stated."""
        for one in (self.min_level, self.min_age, *self.allow, *self.deny, self.max_age, self.red_line):
            if one is not None:
                yield one

    def oldest_cut(self, now: str) -> str:
        """Give the latest time of publication that `min_age` lets through at `now`, RFC 3339; empty where any goes."""
        if self.min_age is None or not isinstance(self.min_age.value, int):
            return ""
        return format_time(parse_time(now) - timedelta(seconds=self.min_age.value))

    def barrier(self, release: Release, level: Level, now: str) -> str | None:
        """Say why a release may be neither chosen nor installed.

        Args:
            release: its index line.
            level: how far it is trusted.
            now: the moment by which ages are judged, RFC 3339: when its registry's snapshot was issued, so that equal
                snapshots give equal answers.

        Returns:
            A clause that follows "barred by", None where nothing bars it.
        """
        return (
            self.barrier_by_name(release.name, release.version)
            or self.barrier_by_level(level)
            or self.barrier_by_age(release.published_at, now)
        )

    def barrier_by_name(self, name: FormulaName | str, version: Version) -> str | None:
        """Say which list bars a release; `barrier` has looked at this."""
        text = str(name)
        for one in self.deny:
            fitting = next((each for each in _about(one, text) if each.allows(version)), None)
            if fitting is not None:
                return f"policy.deny, which has {fitting.text} ({set_by(one.origin)})"
        for one in self.allow:
            if not any(each.allows(version) for each in _about(one, text)):
                return f"policy.allow, which does not have it ({set_by(one.origin)})"
        return None

    def barrier_by_level(self, level: Level) -> str | None:
        """Say that a level is too low; `barrier` has looked at this."""
        least = self.min_level
        if least is None or rank(level) >= rank(str(least.value)):
            return None
        return f"{least.words}: it is {level}, not {least.value}"

    def barrier_by_age(self, published_at: str, now: str) -> str | None:
        """Say that a release is too young; `barrier` has looked at this."""
        cut = self.oldest_cut(now)
        if not cut or self.min_age is None or published_at <= cut:
            return None
        return f"{self.min_age.words}: it was published on {published_at[:10]}"


def strictness(one: Stated) -> float:
    """Give a number that is the higher the less a rule allows; for rules that are no lists."""
    if one.rule == "min_level":
        return rank(str(one.value))
    never = one.value is None
    seconds = float(one.value) if isinstance(one.value, int) else 0.0
    if one.rule == "min_age":
        return seconds
    return float("-inf") if never else -seconds


def _unless_idle(one: Stated | None) -> Stated | None:
    """Give a rule that can bar something; None for the ones that let everything through."""
    return one if one is not None and one.value not in (None, 0, UNVERIFIED) else None


@lru_cache(maxsize=4096)
def _about(one: Stated, name: str) -> tuple[Pattern, ...]:
    """Give the patterns of a list that mean a name; a formula's releases are judged one after another."""
    assert isinstance(one.value, tuple)
    return tuple(each for each in map(parse_pattern, one.value) if each.name.fullmatch(name))
