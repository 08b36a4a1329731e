"""Wrong usage in our own words: the command line parser's complaints, said as a person would say them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from mmpm.cli.options import SWITCHES, WITH_VALUE
from mmpm.cli.table import COMMANDS, GROUPS, knows_command
from mmpm.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cyclopts import CycloptsError

_KINDS = {int: "a whole number", bool: "no value"}


def as_usage(error: CycloptsError, line: Sequence[str]) -> UsageError:
    """Say what is wrong with a line, and point to the help of the command that it names.

    Args:
        error: what the parser says.
        line: the words behind `mmpm`.
    """
    words: list[str] = []
    for word in line:
        if word.startswith("-") or len(words) == 2:
            break
        words.append(word)
    while words and not knows_command(words):
        words.pop()
    command = " ".join(words)
    fact = _fact(error, command)
    return UsageError(f"{command}: {fact}" if command else fact, f"run `{' '.join(['mmpm', *words])} --help`")


def _fact(error: CycloptsError, command: str) -> str:
    match error:
        case UnknownOptionError(token=token) if "-" in {token.keyword, token.value}:
            return "'-' is one operand too many"
        case UnusedCliTokensError(unused_tokens=list(extra)):
            shown = ", ".join(f"'{word}'" for word in extra)
            return f"{shown} {'is one operand' if len(extra) == 1 else 'are operands'} too many"
        case UnknownCommandError(unused_tokens=[word, *_]):
            rows = {*(row.words for row in COMMANDS), *GROUPS}
            inner = {row.removeprefix(command).split()[0] for row in rows if row != command and row.startswith(command)}
            return f"there is no command '{word}'{_nearest(word, inner)}"
        case UnknownOptionError(token=token, argument_collection=known):
            option = token.keyword or token.value
            names = {*SWITCHES, *WITH_VALUE, *(name for one in known if one.parse for name in one.names)}
            return f"there is no option {option}{_nearest(option, names)}"
        case RepeatArgumentError(token=token):
            return f"{token.keyword} is given twice"
        case CoercionError(token=token, target_type=kind) if token is not None and kind in _KINDS:
            return f"{token.keyword} takes {_KINDS[kind]}, not '{token.value}'"
        case MissingArgumentError(argument=argument, keyword=option) if argument is not None:
            given = option or next((token.keyword for token in argument.tokens if token.keyword), None)
            return f"{given} needs a value" if given else f"{argument.name} is missing"
        case _:
            return " ".join(str(error).split())


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
