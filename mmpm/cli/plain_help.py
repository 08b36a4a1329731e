"""Help where it is read by a program, through a pipe, or on a terminal without boxes: each entry wrapped once."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from cyclopts.help.formatters import PlainFormatter
    from rich.console import Console, ConsoleOptions

_INDENT = "  "
_BELOW = 6 * " "
_ENDLESS = 100_000


class PlainHelp:
    """The library's plain format, whose entries it would wrap first by themselves and then again behind their names."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one panel."""
        from rich.console import Console

        endless = Console(file=io.StringIO(), width=_ENDLESS)
        with endless.capture() as capture:
            _library()(endless, options, panel.copy(entries=[_on_one_line(one) for one in panel.entries]))
        for line in capture.get().splitlines():
            lines = textwrap.wrap(
                line.strip(),
                console.width,
                initial_indent=_INDENT if line.startswith(_INDENT) else "",
                subsequent_indent=_BELOW,
                break_long_words=False,
                break_on_hyphens=False,
            )
            console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Print the line of usage."""
        _library().render_usage(console, options, usage)

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Print what the command does."""
        _library().render_description(console, options, description)


def shown_default(value: object) -> str | None:
    """Give a default as help shows it; None for one that says nothing, such as that a switch is off."""
    if value is None or value is False or value in ((), ""):
        return None
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _on_one_line(entry: HelpEntry) -> HelpEntry:
    """Give a command's other names beside its first one."""
    return entry.copy(positive_names=(", ".join(entry.positive_names),)) if len(entry.positive_names) > 1 else entry


def _library() -> PlainFormatter:
    from cyclopts.help.formatters import PlainFormatter

    return PlainFormatter()
