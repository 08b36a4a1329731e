"""The progress bar as in the seed: `Downloading... ████████████████████ 100%`; one plain line when piped."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmpm.cli.output import Output

CELLS = 20
REDRAW_SECONDS = 0.05


class TerminalProgress:
    """Draws on standard error; redraws only where the terminal can (`Output.moves`)."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._label = ""
        self._total = 0
        self._done = 0
        self._drawn_at = 0.0
        self._running = False

    def start(self, label: str, total: int, unit: str) -> None:
        """Begin a stretch; an unfinished one is ended first."""
        self.finish()
        with self._lock:
            self._label, self._total, self._done, self._running = label, total, 0, True
            self._output.detail(f"{label} {total} {unit}")
            self._draw(force=True)

    def advance(self, amount: int = 1) -> None:
        """Count; redraw at most 20 times a second."""
        with self._lock:
            self._done += amount
            self._draw(force=False)

    def finish(self) -> None:
        """End the line with the full bar, or with a check mark where nothing was drawn."""
        with self._lock:
            if not self._running:
                return
            self._running = False
            if self._output.moves:
                self._done = self._total
                self._output.redraw(self._line())
                self._output.say("")
            else:
                self._output.say(f"{self._label} ", self._output.mark("done"))

    def say(self, sentence: str) -> None:
        """Tell the person; a half drawn bar is wiped first."""
        with self._lock:
            self._wipe()
            self._output.say(sentence)

    def warn(self, sentence: str) -> None:
        """Warn the person; a half drawn bar is wiped first."""
        with self._lock:
            self._wipe()
            self._output.warn(sentence)

    def abandon(self) -> None:
        """Leave a half drawn bar's line, so that an error message starts on its own."""
        with self._lock:
            self._wipe()
            self._running = False

    def _line(self) -> str:
        share = min(1.0, self._done / self._total) if self._total else 1.0
        filled = int(share * CELLS)
        return f"{self._label} {self._output.mark('cell') * filled}{' ' * (CELLS - filled)} {int(share * 100):3d}%"

    def _draw(self, *, force: bool) -> None:
        if not self._running or not self._output.moves:
            return
        now = time.monotonic()
        if force or now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            self._output.redraw(self._line())

    def _wipe(self) -> None:
        if self._running and self._output.moves:
            self._output.redraw("")
