"""Runs a Python script and notes its peak memory: `python peak_memory.py FILE SCRIPT WORD...` writes bytes to FILE.

Not `ru_maxrss`: on Linux a process inherits that from the one that started it, which here is the whole test run.
"""

import resource
import runpy
import sys

file = sys.argv[1]
del sys.argv[:2]
sys.path[0] = sys.argv[0].rpartition("/")[0]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            peak = int(status.read().partition("VmHWM:")[2].split()[0]) * 1024
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    with open(file, "w", encoding="ascii") as out:
        out.write(str(peak))
