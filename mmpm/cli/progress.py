"""The progress bar as in the seed: `Downloading... ████████████████████ 100%`; one plain line when piped.

Rule: a stretch that is over in a moment is its label and then the full line; only a longer one on a terminal is worth
the import of what redraws it (`mmpm.cli.bar`).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from mmpm.cli.output import clean

if TYPE_CHECKING:
    from mmpm.cli.bar import DrawnBar
    from mmpm.cli.output import Output

CELLS = 20
MOMENT_SECONDS = 0.2


class TerminalProgress:
    """Shows a stretch on standard error; redraws only where the terminal can (`Output.moves`).

    Attributes:
        ends_with_mark: a finished line is `Downloading... ✓` on a terminal too, as in the seed's `upgrade` and
            `publish`; its `install` leaves the full bar.
    """

    def __init__(self, output: Output) -> None:
        self.ends_with_mark = False
        self._output = output
        self._lock = threading.Lock()
        self._label = ""
        self._total = 0
        self._done = 0
        self._began = 0.0
        self._running = False
        self._bar: DrawnBar | None = None

    def start(self, label: str, total: int, unit: str) -> None:
        """Begin a stretch; one that never was finished failed, and is not told as done."""
        self.abandon()
        with self._lock:
            self._label, self._total, self._done, self._running = label, total, 0, True
            self._began = time.monotonic()
            self._output.detail(f"{label} {total} {unit}")
            self._show()

    def advance(self, amount: int = 1) -> None:
        """Count; what lasts longer than a moment is drawn from then on."""
        with self._lock:
            self._done += amount
            if self._bar is not None:
                self._bar.advance(amount)
            elif self._moves and time.monotonic() - self._began >= MOMENT_SECONDS:
                from mmpm.cli.bar import DrawnBar

                self._hide()
                self._bar = DrawnBar(self._output.err, self._output.environ, self._line, self._done, self._total)
                self._bar.show()

    def finish(self) -> None:
        """End the line with the full bar, or with a check mark where that is wanted or nothing may be redrawn."""
        with self._lock:
            if not self._running:
                return
            if self.ends_with_mark or not self._moves:
                self._hide()
                self._output.say(f"{self._label} ", self._output.mark("done"))
            elif self._bar is not None:
                self._bar.complete()
            else:
                self._output.redraw(self._line(self._total))
                self._output.say("")
            self._bar, self._running = None, False

    def say(self, sentence: str) -> None:
        """Tell the person; the bar makes room."""
        with self._lock:
            self._hide()
            self._output.say(sentence)
            self._show()

    def warn(self, sentence: str) -> None:
        """Warn the person; the bar makes room."""
        with self._lock:
            self._hide()
            self._output.warn(sentence)
            self._show()

    def abandon(self) -> None:
        """Wipe an unfinished bar, so that an error message starts on a line of its own."""
        with self._lock:
            self._hide()
            self._bar, self._running = None, False

    @property
    def _moves(self) -> bool:
        return self._running and self._output.moves

    def _line(self, done: int) -> str:
        share = min(1.0, done / self._total) if self._total else 1.0
        filled = int(share * CELLS)
        cells = self._output.mark("cell") * filled + " " * (CELLS - filled)
        return clean(f"{self._label} {cells} {int(share * 100):3d}%")

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.show()
        elif self._moves:
            self._output.redraw(f"{self._label} ")

    def _hide(self) -> None:
        if self._bar is not None:
            self._bar.hide()
        elif self._moves:
            self._output.redraw("")
