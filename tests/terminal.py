"""A person at a terminal, for tests: types a command, sees what comes back, exactly.

`Terminal.play` runs a transcript: lines that begin with `$ ` are typed, what follows must be what is seen, `[exit N]`
says how it ended where that is not 0. The home folder is written `~`.
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mmpm.cli.app import run

CHECKOUT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 1, 20, 12, 0, 0, tzinfo=UTC)
SILENCE_SECONDS = 300


@dataclass
class Seen:
    """How a command ended and what it printed: standard output, standard error, both as they came."""

    status: int
    out: str
    err: str
    both: str


@dataclass
class Terminal:
    """A home folder, a working folder and an environment of one's own."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW
    encoding: str = "utf-8"
    sockets_forbidden: int = 0

    def __post_init__(self):
        self.home = self.folder / "home"
        self.cwd = self.home / "rig"
        self.cwd.mkdir(parents=True)
        self.environ = {"HOME": str(self.home), "TERM": "xterm", "PATH": os.environ["PATH"], **self.environ}

    def run(self, *words: str) -> Seen:
        """Run one command in this process, piped."""
        both, out, err = io.BytesIO(), io.BytesIO(), io.BytesIO()
        streams = [_Tee(self.encoding, both, own) for own in (out, err)]
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            status = run(words, environ=self.environ, cwd=str(self.cwd), now=self.now, guard_offline=self._forbid)
        for stream in streams:
            stream.flush()
        return Seen(status, *(part.getvalue().decode(self.encoding) for part in (out, err, both)))

    def play(self, transcript: str) -> None:
        """Type each command of a transcript and compare what is seen."""
        expected = textwrap.dedent(transcript).strip() + "\n"
        seen = ""
        for line in expected.splitlines():
            if line.startswith("$ "):
                result = self.run(*shlex.split(line.removeprefix("$ mmpm").strip()))
                seen += f"{line}\n{self.tidy(result.both)}"
                if result.status:
                    seen += f"[exit {result.status}]\n"
        assert seen == expected

    def tidy(self, text: str) -> str:
        """Write the home folder as `~`."""
        return text.replace(str(self.home), "~")

    def look(self, *words: str, typed: str = "", columns: int = 200) -> Seen:
        """Run one command as a process on a terminal of its own; what is seen is rendered, `both` is raw."""
        master, slave = pty.openpty()
        script = (
            "import sys, datetime, mmpm.cli.app as app\n"
            f"app._clock = lambda: datetime.datetime.fromisoformat({self.now.isoformat()!r})\n"
            f"sys.argv = {['mmpm', *words]!r}\n"
            "from mmpm.cli.entry import main; main()"
        )
        environ = {**self.environ, "COLUMNS": str(columns)}
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=self.cwd,
            env=environ,
            close_fds=True,
        )
        os.close(slave)
        raw = b""
        answers = typed.encode()
        while chunk := read_of(master):
            raw += chunk
            if answers and raw.rstrip().endswith(b"[y/N]"):
                os.write(master, answers)
                answers = b""
        os.close(master)
        text = raw.decode("utf-8")
        return Seen(process.wait(), render(text), "", text)

    def _forbid(self) -> None:
        self.sockets_forbidden += 1


def read_of(master: int) -> bytes:
    """Give the next piece that a terminal receives; nothing once whoever had it is gone, and all of it was read.

    Raises:
        TimeoutError: who has it is silent for minutes.
    """
    if not select.select([master], [], [], SILENCE_SECONDS)[0]:
        raise TimeoutError("a command on a terminal hangs")
    try:
        return os.read(master, 65536)
    except OSError:  # how Linux says that nobody has the other side any more
        return b""


class _Tee(io.TextIOWrapper):
    """A stream whose bytes also go to a shared one, so that the order of both streams is kept."""

    def __init__(self, encoding: str, both: io.BytesIO, own: io.BytesIO):
        super().__init__(own, encoding=encoding, write_through=True)
        self._both = both

    def write(self, text: str) -> int:
        self._both.write(text.encode(self.encoding))
        return super().write(text)


def render(raw: str) -> str:
    """Give what stands on the screen in the end: redrawn and wiped lines as they are last, without colour."""
    lines = [""]
    for piece in re.split(r"(\r?\n|\r\x1b\[2K|\r\x1b\[1A\x1b\[2K)", raw):
        if piece.endswith("\n"):
            lines.append("")
        elif piece.endswith("\x1b[1A\x1b[2K"):
            lines[-2:] = [""]
        elif piece == "\r\x1b[2K":
            lines[-1] = ""
        else:
            lines[-1] += re.sub(r"\x1b\[[0-9;]*m", "", piece)
    return "\n".join(lines)
