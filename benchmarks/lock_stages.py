"""Where the time of `mmpm lock` goes: `python benchmarks/lock_stages.py MODULES`, in a project and its environment.

MODULES is a file with the names of all modules that the command imports (`test_locking.py` writes it). They are
imported first, so that what is timed is the work; then the command runs, each stage timed without those inside it.
The last line of standard error is the table as JSON: stage -> milliseconds.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REST = "rest: command line, registry's age, journal"
STAGES = {
    "settings, manifest": ("mmpm.cli.session:Session.context", "mmpm.ops.lock:read_manifest"),
    "files: read, sha256": ("mmpm.registry.local:LocalCopy.read",),
    "parsing: metadata": ("mmpm.registry.snapshot:read_snapshot_roles", "mmpm.registry.snapshot:read_bin_targets"),
    "parsing: lines": ("mmpm.registry.snapshot:Snapshot.releases", "mmpm.registry.written_lines:_whole"),
    "following requirements": ("mmpm.ops.resolve:_Question.learn",),
    "universe": ("mmpm.ops.resolve:_Question.universe",),
    "solving": ("mmpm.ops.resolve:solve",),
    "writing the lock": (
        "mmpm.ops.resolve:_Question.resolved",
        "mmpm.ops.lock:format_lock",
        "mmpm.cli.commands.resolve:run_plan",
    ),
}


class Clock:
    """Exclusive times: entering a stage stops the one around it."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys((*STAGES, REST), 0.0)
        self._open = [REST]
        self._since = time.perf_counter()

    def turn(self) -> None:
        now = time.perf_counter()
        self.spent[self._open[-1]] += now - self._since
        self._since = now

    def timed(self, stage: str, function: Callable[..., object]) -> Callable[..., object]:
        @wraps(function)
        def run(*arguments: object, **named: object) -> object:
            self.turn()
            self._open.append(stage)
            try:
                return function(*arguments, **named)
            finally:
                self.turn()
                self._open.pop()

        return run


def _wrap(clock: Clock, stage: str, place: str) -> None:
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner = importlib.import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    function = clock.timed(stage, getattr(owner, name))
    setattr(owner, name, staticmethod(function) if owners and name == "parse" else function)


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        for one in file.read().split():
            with suppress(ImportError):
                importlib.import_module(one)
    from mmpm.cli.app import run

    gc.set_threshold(200_000)  # as in mmpm.cli.entry
    clock = Clock()
    for stage, places in STAGES.items():
        for place in places:
            _wrap(clock, stage, place)
    clock.turn()
    clock.spent[REST] = 0.0
    status = run(["lock"])
    clock.turn()
    print(json.dumps({stage: round(seconds * 1000, 1) for stage, seconds in clock.spent.items()}), file=sys.stderr)
    sys.exit(status)


main()
