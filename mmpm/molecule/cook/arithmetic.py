"""Ranges of loops: ``1..10``, ``1..2^{disks}``, ``{start}..{count}+1``, worked out in whole numbers.

beads works with floating numbers and cuts what is behind the point at the end; here a division that leaves a rest
keeps it as an exact fraction until then, so that the result is the same wherever beads' is exact.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mmpm.errors import quoted

MAX_EXPRESSION: Final = 500
_MAX_BITS: Final = 256
_MAX_DEEP: Final = 50
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([-+*/^()]))", re.ASCII)


def parse_range(text: str) -> tuple[int, int]:
    """Work out ``start..end``; both ends are meant.

    Raises:
        ValueError: it is not a range, or ends before it starts.
    """
    if len(text) > MAX_EXPRESSION:
        raise ValueError(f"the range has {len(text)} characters, more than {MAX_EXPRESSION}")
    start, dots, end = text.rpartition("..")
    if not dots or not start.strip() or not end.strip():
        raise ValueError(f"{quoted(text)} is not a range such as 1..10")
    first, last = evaluate(start), evaluate(end)
    if last < first:
        raise ValueError(f"the range {quoted(text)} ends at {last}, before it starts at {first}")
    return first, last


def evaluate(text: str) -> int:
    """Work out an expression of numbers, ``+ - * / ^`` and parentheses.

    Raises:
        ValueError: it is not one, divides by zero, or becomes too large.
    """
    tokens: list[str] = []
    at = 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise ValueError(f"{quoted(text)} is not a number: {quoted(stripped[at:].lstrip()[:20])} is not understood")
        tokens.append(match[1] or match[2])
        at = match.end()
    reader = _Expression(text, tokens)
    value = reader.sum(0)
    if reader.tokens:
        raise ValueError(f"{quoted(text)} has {quoted(reader.tokens[-1])} too many")
    return int(value)


class _Expression:
    """Recursive descent; parentheses and powers may be 50 deep."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text = text
        self.tokens = tokens[::-1]

    def _next_is(self, signs: str) -> bool:
        return bool(self.tokens) and self.tokens[-1] in tuple(signs)

    def _bounded(self, value: Fraction) -> Fraction:
        if value.numerator.bit_length() + value.denominator.bit_length() > _MAX_BITS:
            raise ValueError(f"{quoted(self.text)} is too large a number")
        return value

    def sum(self, depth: int) -> Fraction:
        value = self._product(depth)
        while self._next_is("+-"):
            sign = self.tokens.pop()
            other = self._product(depth)
            value = self._bounded(value + other if sign == "+" else value - other)
        return value

    def _product(self, depth: int) -> Fraction:
        value = self._power(depth)
        while self._next_is("*/"):
            sign = self.tokens.pop()
            other = self._power(depth)
            if sign == "/" and not other:
                raise ValueError(f"{quoted(self.text)} divides by zero")
            value = self._bounded(value * other if sign == "*" else value / other)
        return value

    def _power(self, depth: int) -> Fraction:
        base = self._unary(depth)
        if not self._next_is("^"):
            return base
        self.tokens.pop()
        exponent = self._power(self._deeper(depth))
        if exponent.denominator != 1 or abs(exponent) > _MAX_BITS or (not base and exponent < 0):
            raise ValueError(f"{quoted(self.text)} has a power that is no whole number, or too large")
        return self._bounded(base ** int(exponent))

    def _unary(self, depth: int) -> Fraction:
        if self._next_is("-"):
            self.tokens.pop()
            return -self._unary(self._deeper(depth))
        if self._next_is("("):
            self.tokens.pop()
            value = self.sum(self._deeper(depth))
            if not self._next_is(")"):
                raise ValueError(f"{quoted(self.text)} has a parenthesis that is not closed")
            self.tokens.pop()
            return value
        if not self.tokens or self.tokens[-1] in "+-*/^()":
            raise ValueError(f"{quoted(self.text)} lacks a number")
        return self._bounded(Fraction(self.tokens.pop()))

    def _deeper(self, depth: int) -> int:
        if depth >= _MAX_DEEP:
            raise ValueError(f"{quoted(self.text)} is too deep")
        return depth + 1
