"""The options that every command understands, wherever they stand on the line; no import but `os`-cheap ones.

They are taken out of the line before the command's own parser sees it: `mmpm --json list` is `mmpm list --json`.
Behind a lone `--` everything is an operand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COLORS = ("auto", "always", "never")

SWITCHES = {
    "--json": "as_json",
    "--offline": "offline",
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
    "--no-progress": "no_progress",
    "--dry-run": "dry_run",
    "-n": "dry_run",
    "--yes": "yes",
    "-y": "yes",
}
WITH_VALUE = {"--color": "color", "--project": "project", "--tier": "tier"}

EPILOGUE = """\
Everywhere: --json, --offline, --quiet (-q), --verbose (-v), --no-progress, --color auto|always|never.
Where something changes: --dry-run (-n), --yes (-y). Where a project matters: --project DIR, --tier T."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the line says besides the command."""

    as_json: bool = False
    offline: bool = False
    quiet: bool = False
    verbose: bool = False
    no_progress: bool = False
    dry_run: bool = False
    yes: bool = False
    color: str | None = None
    project: str | None = None
    tier: str | None = None


def take_options(line: Sequence[str]) -> tuple[Options, list[str]]:
    """Split a command line into the options above and the rest, in order.

    Raises:
        UsageError: an option without its value, given twice with two values, or an unknown colour.
    """
    found: dict[str, bool | str] = {}
    rest: list[str] = []
    words = iter(line)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            rest.append(word)
            rest.extend(words)
        elif word in SWITCHES:
            found[SWITCHES[word]] = True
        elif name in WITH_VALUE:
            if not equals:
                following = next(words, None)
                if following is None or following == "--":
                    raise _usage(f"{name} needs a value")
                value = following
            field = WITH_VALUE[name]
            if found.get(field, value) != value:
                raise _usage(f"{name} is given twice: {found[field]} and {value}")
            found[field] = value
        elif rest and _is_prose(word) and rest[-1].startswith("--") and "=" not in rest[-1]:
            rest[-1] += "=" + word
        else:
            rest.append(word)
    if found.get("color", "auto") not in COLORS:
        raise _usage(f"--color {found['color']}: expected one of {', '.join(COLORS)}")
    return Options(**found), rest  # type: ignore[arg-type]


def _is_prose(word: str) -> bool:
    """Whether a word that begins with a hyphen can only be an option's value: `--changelog "- Added a step"`."""
    return word.startswith("-") and any(character.isspace() for character in word)


def _usage(fact: str) -> Exception:
    from mmpm.errors import UsageError

    return UsageError(fact)
