"""Runs commands that are typed on one machine: a line of JSON in, a line of JSON out, until the input ends.

One process for many commands, because the machine of a sandbox may be in a network namespace of its own
(`unshare -n python no_sockets.py typed.py`), and each start of an interpreter costs as much as twenty commands.
"""

import contextlib
import io
import json
import os
import sys
from datetime import datetime

from mmpm.cli.app import run


def answer(line: str) -> dict[str, object]:
    """Run one command; give its status and what was seen, both streams as they came."""
    typed = json.loads(line)
    os.environ.clear()
    os.environ.update(typed["environ"])
    os.chdir(typed["cwd"])
    seen = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with contextlib.redirect_stdout(seen), contextlib.redirect_stderr(seen):
        status = run(
            typed["words"], environ=typed["environ"], cwd=typed["cwd"], now=datetime.fromisoformat(typed["now"])
        )
    return {"status": status, "seen": seen.buffer.getvalue().decode()}


for line in sys.stdin:
    sys.stdout.write(json.dumps(answer(line)) + "\n")
    sys.stdout.flush()
