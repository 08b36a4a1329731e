"""Runs a Python script in a process in which making a socket is an error: `python no_sockets.py SCRIPT WORD...`.

Python's own sockets are caught by an audit hook. For sockets of native code (the HTTP client is Rust) the tests run
the same command in a network namespace without interfaces, where they may.
"""

import runpy
import sys


def _frames():
    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _forbid(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith("socket."):
        # At import urllib3, which python-tuf pulls in, makes a socket to see whether there is IPv6, and takes a refusal
        # for "no". It stays refused, and is not reported.
        if any(frame.f_code.co_name == "_has_ipv6" for frame in _frames()):
            raise RuntimeError("no probing")
        sys.stderr.write(f"FORBIDDEN {event} {arguments!r}\n")
        sys.stderr.flush()
        raise RuntimeError(f"offline, and yet {event}")


sys.addaudithook(_forbid)
del sys.argv[0]
sys.path[0] = sys.argv[0].rpartition("/")[0]
runpy.run_path(sys.argv[0], run_name="__main__")
