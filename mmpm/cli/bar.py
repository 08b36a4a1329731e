"""The seed's progress bar drawn by rich; imported once a stretch on a terminal has lasted a moment.

Rule: alone of our modules this one imports rich, which costs as much as five interpreters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REDRAWS_PER_SECOND = 20


class DrawnBar:
    """Hidden at first: one line at the end of `stream`, redrawn as the work goes on; may be called from any thread.

    Attributes:
        stream: a terminal whose cursor is at the start of an empty line.
        environ: of the command: the terminal's kind and width.
        line: gives the line for what is done.
        done, total: units.
    """

    def __init__(
        self, stream: TextIO, environ: Mapping[str, str], line: Callable[[int], str], done: int, total: int
    ) -> None:
        self._total = total
        self._progress = Progress(
            _SeedColumn(line),
            console=_SteadyConsole(
                file=stream, force_terminal=True, force_interactive=True, color_system=None, _environ=environ
            ),
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
            # Nothing else of ours writes meanwhile: words come through `hide` and `show`.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=total, completed=done)

    def advance(self, amount: int) -> None:
        """Count."""
        self._progress.advance(self._task, amount)

    def hide(self) -> None:
        """Wipe the line, so that words may stand there; harmless where it is hidden."""
        self._progress.stop()

    def show(self) -> None:
        """Draw the line again."""
        self._progress.start()

    def complete(self) -> None:
        """Draw the full bar; its line stays."""
        self._progress.live.transient = False
        self._progress.update(self._task, completed=self._total)
        self._progress.stop()


class _SeedColumn(ProgressColumn):
    """`Downloading... ████████             40%`, the whole line as one column; a narrow terminal shows its start."""

    def __init__(self, line: Callable[[int], str]) -> None:
        super().__init__()
        self._line = line

    def render(self, task: Task) -> Text:
        return Text(self._line(int(task.completed)), no_wrap=True, overflow="crop")


class _SteadyConsole(Console):
    """A console that never hides the cursor: a killed process could not bring it back."""

    def show_cursor(self, show: bool = True) -> bool:
        return show
