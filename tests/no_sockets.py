"""Runs a Python script in a process in which making a socket is an error: `python no_sockets.py SCRIPT WORD...`.

Python's own sockets are caught by an audit hook. For sockets of native code (the HTTP client is Rust) the tests run
the same command in a network namespace without interfaces, where they may.
"""

import runpy
import sys


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith("socket."):
        sys.stderr.write(f"FORBIDDEN {event} {arguments!r}\n")
        sys.stderr.flush()
        raise RuntimeError(f"offline, and yet {event}")


sys.addaudithook(_forbid)
del sys.argv[0]
sys.path[0] = sys.argv[0].rpartition("/")[0]
runpy.run_path(sys.argv[0], run_name="__main__")
