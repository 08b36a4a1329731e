"""Operands of the command line as values; what cannot be one is wrong usage."""

import sys
from collections.abc import Iterable

from mmpm.cli.output import is_terminal
from mmpm.errors import UsageError
from mmpm.model.references import Reference


def parse_reference(text: str) -> Reference:
    """Read `NAME`, `NAME@RANGE` or `hop://..`.

    Raises:
        UsageError: it is none of these.
    """
    try:
        return Reference.parse(text)
    except ValueError as error:
        raise UsageError(str(error), "write NAME, NAME@4, NAME@^4.1 or hop://HOST/formulas/NAME@VERSION") from error


def parse_values(texts: Iterable[str]) -> dict[str, str]:
    """Read what `--var NAME=VALUE` gave; of one name the last.

    Raises:
        UsageError: one is not of that form, or no UTF-8.
    """
    from mmpm.molecule.variables import parse_assignment

    try:
        values = dict(parse_assignment(text) for text in texts)
    except ValueError as error:
        raise UsageError(f"--var: {error}", "write --var name=value") from None
    for name, value in values.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"--var {name}: its value is not UTF-8", "give it as UTF-8") from None
    return values


def given(text: str | None, option: str) -> str | None:
    """Give an option's text; one that was given and is empty is a script's slip.

    Raises:
        UsageError: it is empty.
    """
    if text == "":
        raise UsageError(f"{option} is empty", f"give it a text, or leave {option} out")
    return text


def read_piped(option: str, max_bytes: int) -> bytes:
    """Read what was piped in for an option whose value is -; one byte more than may be, so that it can be refused.

    Raises:
        UsageError: standard input is closed, or a terminal.
    """
    stream = sys.stdin
    if stream is None or is_terminal(stream):
        why = "closed" if stream is None else "a terminal"
        raise UsageError(f"{option} -: standard input is {why}", f"pipe it in, or write it after {option}")
    return stream.buffer.read(max_bytes + 1)
