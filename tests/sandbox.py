"""A document's `console` blocks, typed in order on the machines that their prompts name; what is seen is compared.

    near$ mmpm mirror update /srv/mirror        typed on the machine `near`, at its clock
    near: serial 7, ...                         what must be seen, both streams as they came
    [exit 4]                                    how it ended, where that is not 0
    ...                                         any lines
    # 2026-02-03                                the day on which what follows happens, on every machine
    # far, 2001-01-01                           what the clock of one machine says from here on
    # Any other words                           for the reader

A machine sees `/srv` and `/home` as its own and `/media` as what is carried between all of them. Hexadecimal numbers stand for the ones
that come in a run: the first time one is met it is bound, from then on it must be that one, also in what is
typed. Sizes and times of day may be any.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from world import NO_SOCKETS

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPED = Path(__file__).with_name("typed.py")
PROMPT = re.compile(r"([a-z]+)\$ (.*)")
CLOCK = re.compile(r"# (?:([a-z]+), )?(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d))?")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEX = r"(?<![0-9a-z])[0-9a-f]{8,}(?![0-9a-z])"
VARIES = re.compile(
    rf"(?P<hex>{HEX})"
    r"|(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?Z?)"
    r"|(?P<size>\d+(?:\.\d+)? (?:bytes|byte|kB|MB|GB|KiB|MiB)\b)"
)


def without_network() -> list[str]:
    """Words in front of a command that take every interface away, loopback too; empty where that is not allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    words = [unshare, "-n"] if os.geteuid() == 0 else [unshare, "-rn"]
    allowed = subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    return words if allowed else []


@dataclass
class Computer:
    """One machine of a sandbox.

    Attributes:
        folder: stands for its root folder.
        before: words in front of its process, such as `unshare -n`.
        is_cut_off: making a socket is an error there.
    """

    folder: Path
    before: Sequence[str] = ()
    is_cut_off: bool = False
    clock: str = "2026-01-05T09:00:00+00:00"
    process: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.cwd = self.folder / "home" / "ann"
        self.cwd.mkdir(parents=True)
        (self.folder / "srv").mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        self.environ = kept | {"HOME": str(self.cwd), "LANG": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1"}

    def mmpm(self, words: Sequence[str]) -> tuple[int, str]:
        """Run one command of ours in this machine's process."""
        if self.process is None:
            guard = [str(NO_SOCKETS)] if self.is_cut_off else []
            self.process = subprocess.Popen(
                [*self.before, sys.executable, *guard, str(TYPED)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self.environ,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        typed = {"words": list(words), "cwd": str(self.cwd), "environ": self.environ, "now": self.clock}
        self.process.stdin.write(json.dumps(typed) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        return said["status"], said["seen"]

    def shell(self, line: str) -> tuple[int, str]:
        """Run a line that is not ours; where it leaves off, the next one begins (`cd`)."""
        ends = self.folder / ".cwd"
        script = f'{line}\nstatus=$?\npwd > "{ends}"\nexit $status'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.cwd,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.cwd = Path(ends.read_text().strip())
        return done.returncode, done.stdout

    def stop(self) -> None:
        if self.process is not None:
            self.process.communicate()


class Sandbox:
    """Machines in a folder, and what is carried between them.

    Attributes:
        urls: the addresses of a document, and where they really are.
        bound: numbers of a document, and those of this run.
    """

    def __init__(self, folder: Path, machines: Sequence[str]) -> None:
        self.carried = folder / "carried"
        (self.carried / "media" / "stick").mkdir(parents=True)
        self.machines = {name: Computer(folder / name) for name in machines}
        self.urls: dict[str, str] = {}
        self.bound: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for machine in self.machines.values():
            machine.stop()

    def play(self, document: str) -> str:
        """Type a document's blocks; give the document as it would have to be."""
        return BLOCK.sub(lambda block: f"```console\n{self._block(block[1])}```", document)

    def _block(self, text: str) -> str:
        seen: list[str] = []
        lines = text.splitlines()
        while lines:
            line = lines.pop(0)
            seen.append(line)
            prompt = PROMPT.fullmatch(line)
            if prompt is None:
                self._set_clocks(line)
                continue
            typed = prompt[2]
            while typed.endswith("\\"):
                seen.append(lines.pop(0))
                typed = typed[:-1] + seen[-1].strip()
            expected: list[str] = []
            while lines and not PROMPT.fullmatch(lines[0]) and not lines[0].startswith("# "):
                expected.append(lines.pop(0))
            after = 0
            while expected and not expected[-1]:  # lines between commands, which none of them printed
                after += len(expected.pop()) == 0
            seen += self._compare(expected, self._type(prompt[1], typed)) + [""] * after
        return "".join(f"{line}\n" for line in seen)

    def _set_clocks(self, line: str) -> None:
        said = CLOCK.match(line)
        if said is not None:
            for name, machine in self.machines.items():
                if said[1] in {None, name}:
                    machine.clock = f"{said[2]}T{said[3] or '09:00'}:00+00:00"
        elif line and not line.startswith("# "):
            raise AssertionError(f"neither a command, what follows one, nor a comment: {line!r}")

    def _type(self, name: str, typed: str) -> list[str]:
        machine = self.machines[name]
        line = self._real(machine, typed)
        words = shlex.split(line)
        if words[0] == "mmpm" and not re.search(r"[|<>;&*]", line):
            home = machine.environ["HOME"]
            status, seen = machine.mmpm(
                ["--no-progress", *[home + word[1:] if word.startswith("~/") else word for word in words[1:]]]
            )
        else:
            status, seen = machine.shell(line)
        lines = self._shown(machine, seen).splitlines()
        return [*lines, f"[exit {status}]"] if status else lines

    def _real(self, machine: Computer, text: str) -> str:
        text = re.sub(HEX, lambda number: self._value(number[0]), text)
        for shown, real in self.urls.items():
            text = text.replace(shown, real)
        text = re.sub(r"(?<![\w.~/])/media\b", f"{self.carried}/media", text)
        return re.sub(r"(?<![\w.~/])/(srv|home)\b", lambda found: f"{machine.folder}/{found[1]}", text)

    def _shown(self, machine: Computer, text: str) -> str:
        for shown, real in self.urls.items():
            text = text.replace(real, shown)
        text = text.replace(str(machine.folder), "").replace(str(self.carried), "")
        back = {real: shown for shown, real in self.bound.items()}
        return re.sub(HEX, lambda number: back.get(number[0], number[0]), text)

    def _value(self, number: str) -> str:
        if number in self.bound:
            return self.bound[number]
        for shown, real in self.bound.items():  # a key is also named by its first digits
            if shown.startswith(number):
                return real[: len(number)]
        return number

    def _compare(self, expected: list[str], seen: list[str]) -> list[str]:
        """Give `seen`, in the words of `expected` wherever these fit."""
        told: list[str] = []
        position = 0
        for number, line in enumerate(expected):
            if line == "...":
                following = expected[number + 1 :][:1]
                while position < len(seen) and not (following and self._fits(following[0], seen[position])):
                    position += 1
                told.append(line)
            elif position < len(seen):
                told.append(line if self._fits(line, seen[position]) else seen[position])
                position += 1
        return told + seen[position:]

    def _fits(self, expected: str, seen: str) -> bool:
        parts, found = _parts(expected), _parts(seen)
        if [part for kind, part in parts if not kind] != [part for kind, part in found if not kind]:
            return False
        if [kind for kind, _ in parts] != [kind for kind, _ in found]:
            return False
        numbers = [(one[1], other[1]) for one, other in zip(parts, found, strict=True) if one[0] == "hex"]
        if any(shown in self.bound and real not in {shown, self.bound[shown]} for shown, real in numbers):
            return False
        self.bound.update((shown, real) for shown, real in numbers if shown not in self.bound)
        return True


def _parts(line: str) -> list[tuple[str, str]]:
    """Cut a line into what is to be as it is (kind empty) and what varies."""
    parts, end = [], 0
    for found in VARIES.finditer(line):
        parts += [("", line[end : found.start()]), (found.lastgroup or "", found[0])]
        end = found.end()
    return [*parts, ("", line[end:])]
