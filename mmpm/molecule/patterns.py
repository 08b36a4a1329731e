"""Patterns of variables, matched in linear time.

A formula comes from a stranger, and Python's own `re` can be made to run for years by ten characters. This is the
dialect that beads' regular expressions have (RE2: no back references, no looking around), as a set of states that
walks over the value once. See Thompson, "Regular expression search algorithm" (1968).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from mmpm.errors import quoted

MAX_PATTERN: Final = 1_000
MAX_PROGRAM: Final = 5_000
MAX_REPEAT: Final = 1_000
_MAX_GROUPS_DEEP: Final = 50
_MAX_WORK: Final = 5_000_000

Accepts: TypeAlias = Callable[[str], bool]


class PatternError(ValueError):
    """A pattern is not one that we match, or matching it would take too long."""


@dataclass(frozen=True, slots=True)
class _Take:
    """Take one character that `accepts` likes, and go on behind it."""

    accepts: Accepts


@dataclass(frozen=True, slots=True)
class _Split:
    """Go on at both places (given relative to this one)."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class _Here:
    """Go on if the place between two characters is what `sign` says: ``^ $ b B``."""

    sign: str


_Program: TypeAlias = list[_Take | _Split | _Here]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern.

    Attributes:
        text: as it was written.
        program: its states; one past the last is a match.
    """

    text: str
    program: tuple[_Take | _Split | _Here, ...]

    def is_in(self, value: str) -> bool:
        """Tell whether the pattern is found anywhere in `value`.

        Raises:
            PatternError: `value` is so long that looking would take seconds.
        """
        if len(self.program) * (len(value) + 1) > _MAX_WORK:
            raise PatternError(f"{len(value)} characters are too many for the pattern {quoted(self.text)}")
        end = len(self.program)
        states: set[int] = set()
        for at in range(len(value) + 1):
            states = self._reached(states | {0}, value, at)
            if end in states:
                return True
            if at == len(value):
                break
            character = value[at]
            taken = set()
            for state in states:
                step = self.program[state]
                if isinstance(step, _Take) and step.accepts(character):
                    taken.add(state + 1)
            states = taken
        return False

    def _reached(self, states: set[int], value: str, at: int) -> set[int]:
        """Give all states that can be reached without taking a character."""
        seen = set(states)
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state == len(self.program):
                continue
            step = self.program[state]
            if isinstance(step, _Split):
                following = [state + step.first, state + step.second]
            elif isinstance(step, _Here) and _holds(step.sign, value, at):
                following = [state + 1]
            else:
                continue
            for target in following:
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return seen


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        PatternError: it is no regular expression, uses what has no linear matching, or is too large.
    """
    if len(text) > MAX_PATTERN:
        raise PatternError(f"the pattern has {len(text)} characters, more than {MAX_PATTERN}")
    parser = _Parser(text)
    program = parser.alternatives(0)
    if parser.at < len(text):
        raise PatternError(f"the pattern {quoted(text)} has a ')' too many")
    return Pattern(text, tuple(program))


def _holds(sign: str, value: str, at: int) -> bool:
    if sign == "^":
        return at == 0
    if sign == "$":
        return at == len(value)
    before = at > 0 and _is_word(value[at - 1])
    after = at < len(value) and _is_word(value[at])
    return (before != after) is (sign == "b")


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9"


def _is_word(character: str) -> bool:
    return character == "_" or (character.isascii() and character.isalnum())


def _is_space(character: str) -> bool:
    return character in " \t\n\r\f\v"


_CLASSES: Final[dict[str, Accepts]] = {
    "d": _is_digit,
    "w": _is_word,
    "s": _is_space,
    "D": lambda character: not _is_digit(character),
    "W": lambda character: not _is_word(character),
    "S": lambda character: not _is_space(character),
}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


class _Parser:
    """Recursive descent over a pattern; groups may be 50 deep."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ignores_case = False

    def _fail(self, reason: str) -> PatternError:
        return PatternError(f"the pattern {quoted(self.text)} {reason}")

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise self._fail("ends too early")
        self.at += 1
        return character

    def alternatives(self, depth: int) -> _Program:
        if depth > _MAX_GROUPS_DEEP:
            raise self._fail("has its groups too deep")
        program = self._sequence(depth)
        while self._peek() == "|":
            self.at += 1
            other = self._sequence(depth)
            # first | second: split over both; the first jumps over the second (a split to one place).
            jump = _Split(len(other) + 1, len(other) + 1)
            program = self._bounded([_Split(1, len(program) + 2), *program, jump, *other])
        return program

    def _bounded(self, program: _Program) -> _Program:
        if len(program) > MAX_PROGRAM:
            raise self._fail("is too large")
        return program

    def _sequence(self, depth: int) -> _Program:
        program: _Program = []
        while self._peek() not in ("", "|", ")"):
            program = self._bounded([*program, *self._repeated(self._atom(depth))])
        return program

    def _repeated(self, atom: _Program) -> _Program:
        while True:
            sign = self._peek()
            if sign in ("*", "+", "?") and sign:
                self.at += 1
                low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
            elif sign == "{" and (counts := self._counts()) is not None:
                low, high = counts
            else:
                return atom
            if self._peek() == "?":  # lazy: which match is found first is nobody's business here
                self.at += 1
            atom = self._times(atom, low, high)

    def _counts(self) -> tuple[int, int | None] | None:
        close = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : max(close, self.at + 1)].partition(",")
        if close < 0 or not low.isdecimal() or not (high == "" or high.isdecimal()):
            return None  # a brace that counts nothing stands for itself
        self.at = close + 1
        if len(low) > 4 or len(high) > 4:
            raise self._fail(f"repeats more than {MAX_REPEAT} times")
        first, last = int(low), (int(high) if high else None) if comma else int(low)
        if max(first, last or 0) > MAX_REPEAT or (last is not None and last < first):
            raise self._fail(f"repeats more than {MAX_REPEAT} times, or less than it has to")
        return first, last

    def _times(self, atom: _Program, low: int, high: int | None) -> _Program:
        if len(atom) * max(low, high or 1) > MAX_PROGRAM:
            raise self._fail("is too large")
        program = atom * low
        if high is None:
            back = -(len(atom) + 1)
            program = [*program, _Split(1, len(atom) + 2), *atom, _Split(back, back)]
        else:
            for remaining in range(high - low, 0, -1):
                program = [*program, _Split(1, remaining * (len(atom) + 1)), *atom]
        return self._bounded(program)

    def _atom(self, depth: int) -> _Program:
        character = self._next()
        if character == "(":
            return self._group(depth)
        if character == "[":
            return [_Take(self._folded(self._set()))]
        if character == ".":
            return [_Take(lambda found: found != "\n")]
        if character in "^$":
            return [_Here(character)]
        if character in "*+?":
            raise self._fail(f"has a {character!r} that repeats nothing")
        if character == "\\":
            return self._escape()
        return [_Take(self._folded(character.__eq__))]

    def _escape(self) -> _Program:
        character = self._next()
        if character in _CLASSES:
            return [_Take(_CLASSES[character])]
        if character in ("b", "B", "A", "z", "Z"):
            return [_Here({"A": "^", "z": "$", "Z": "$"}.get(character, character))]
        if character.isalnum() and character not in _CONTROLS:
            raise self._fail(f"has \\{character}, which is not understood here")
        return [_Take(_CONTROLS.get(character, character).__eq__)]

    def _group(self, depth: int) -> _Program:
        outer = self.ignores_case
        if self._peek() == "?":
            self.at += 1
            name = self._next()
            if name in {"P", "<"}:
                end = self.text.find(">", self.at)
                if (
                    end < 0
                    or self.text[self.at : self.at + 1] in ("=", "!", ">")
                    or (name == "P" and self._peek() != "<")
                ):
                    raise self._fail("looks around or back, which is not understood here")
                self.at = end + 1
            elif name == "i":
                self.ignores_case = True
                if self._next() == ")":  # (?i): from here to the end
                    return []
                self.at -= 1
                if self._next() != ":":
                    raise self._fail("has flags that are not understood here")
            elif name != ":":
                raise self._fail("has a group that is not understood here")
        program = self.alternatives(depth + 1)
        if self._next() != ")":
            raise self._fail("has a group that is not closed")
        self.ignores_case = outer
        return program

    def _folded(self, accepts: Accepts) -> Accepts:
        if not self.ignores_case:
            return accepts
        return lambda found: accepts(found.lower()) or accepts(found.upper())

    def _set(self) -> Accepts:
        negated = self._peek() == "^"
        self.at += negated
        singles: set[str] = set()
        ranges: list[tuple[str, str]] = []
        classes: list[Accepts] = []
        first = True
        while first or self._peek() != "]":
            first = False
            low = self._member(classes)
            if low is None:
                continue
            if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self._member(classes)
                if high is None or high < low:
                    raise self._fail("has a range that ends before it starts")
                ranges.append((low, high))
            else:
                singles.add(low)
        self.at += 1

        def accepts(found: str) -> bool:
            inside = (
                found in singles
                or any(low <= found <= high for low, high in ranges)
                or any(known(found) for known in classes)
            )
            return inside is not negated

        return accepts

    def _member(self, classes: list[Accepts]) -> str | None:
        character = self._next()
        if character == "[" and self._peek() == ":":
            raise self._fail("has a [:class:], which is not understood here")
        if character != "\\":
            return character
        character = self._next()
        if character in _CLASSES:
            classes.append(_CLASSES[character])
            return None
        if character.isalnum() and character not in _CONTROLS:
            raise self._fail(f"has \\{character}, which is not understood here")
        return _CONTROLS.get(character, character)
