"""Runs a command and notes what it cost: `python -I -S measured.py FILE COMMAND...` writes one line of JSON to FILE.

A process of its own that imports next to nothing: on Linux the peak memory of a process counts from that of the one
that started it. Signals go to the command, whose exit status is this one's.
"""

import os
import resource
import signal
import sys
import time

file, *command = sys.argv[1:]
started = time.perf_counter()
pid = os.posix_spawnp(command[0], command, os.environ)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda got, _frame: os.kill(pid, got))
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
wall = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
with open(file, "w", encoding="ascii") as out:
    out.write(f'{{"wall": {wall}, "cpu": {used.ru_utime + used.ru_stime}, "peak": {peak}}}\n')
sys.exit(status if status >= 0 else 128 - status)
