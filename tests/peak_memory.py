"""Runs a Python script and notes its peak memory: `python peak_memory.py FILE SCRIPT WORD...` writes bytes to FILE.

Not `ru_maxrss`: on Linux a process inherits that from the one that started it, which here is the whole test run.
"""

import atexit
import resource
import runpy
import sys


def note(file: str) -> None:
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            peak = int(status.read().partition("VmHWM:")[2].split()[0]) * 1024
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    with open(file, "w", encoding="ascii") as out:
        out.write(str(peak))


atexit.register(note, sys.argv[1])  # a command ends its process itself, once what is registered here was called
del sys.argv[:2]
sys.path[0] = sys.argv[0].rpartition("/")[0]
runpy.run_path(sys.argv[0], run_name="__main__")
