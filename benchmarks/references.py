"""What ours is measured against: an interpreter that does nothing, and the tools that copy and link folders."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from world import Machine


def run_quietly(command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command that must succeed; give what it said on standard error."""
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, check=False)
    assert done.returncode == 0, (command, done.stdout.decode()[-2000:], done.stderr.decode()[-2000:])
    return done.stderr.decode()


def pass_process(_round: int) -> None:
    """The reference of every start-up: an interpreter that does nothing."""
    run_quietly([sys.executable, "-I", "-S", "-c", "pass"], {"PATH": os.environ["PATH"]})


def modules_of(machine: Machine, *words: str) -> Path:
    """A file with the modules that a command imports, in the order in which their import ends."""
    said = machine.try_run(*words, environment={"PYTHONPROFILEIMPORTTIME": "1"}).err
    lines = [line.rpartition("|")[2].strip() for line in said.splitlines() if line.startswith("import time:")]
    file = machine.folder / "modules"
    file.write_text("\n".join(lines[1:]))
    return file


IMPORTS = """
import os, sys
for name in open(sys.argv[1]).read().split():
    try:
        __import__(name)
    except ImportError:
        pass
os._exit(0)
"""


def import_floor(modules: Path, environment: Mapping[str, str]) -> None:
    """An interpreter that imports what a command imports (one name a line) and ends as quickly as one can."""
    run_quietly([sys.executable, "-c", IMPORTS, str(modules)], environment)


def link_folder(source: Path, target: Path) -> None:
    """`cp -rl`."""
    run_quietly(["cp", "-rl", str(source), str(target)])


def link_folder_durably(source: Path, target: Path) -> None:
    """`cp -rl`, flushed: what outlives a power cut, as ours does."""
    link_folder(source, target)
    run_quietly(["sync", "-f", str(target)])


def copy_folder(source: Path, target: Path) -> None:
    """`cp -r`."""
    run_quietly(["cp", "-r", str(source), str(target)])


LINK_LOOP = """
import os, sys
source, target = sys.argv[1:]
def link(source, target):
    os.mkdir(target)
    there, here = os.open(source, os.O_RDONLY), os.open(target, os.O_RDONLY)
    for entry in os.scandir(source):
        if entry.is_dir():
            link(entry.path, os.path.join(target, entry.name))
        else:
            os.link(entry.name, entry.name, src_dir_fd=there, dst_dir_fd=here)
    os.close(there)
    os.close(here)
link(source, target)
"""


def link_loop(source: Path, target: Path) -> None:
    """Hard links by a bare Python loop that reads, hashes and promises nothing: what Python can reach at best."""
    run_quietly([sys.executable, "-I", "-S", "-c", LINK_LOOP, str(source), str(target)])
