"""Work in a child process that ends at a change of our choice: killed, or with a disk that is full."""

from __future__ import annotations

import os
import signal
import sys
import traceback

CHANGES = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"}


def in_child(work, at_event=None):
    """Run `work` in a forked process; `at_event(number, event, arguments)` sees every change it is about to make."""
    pid = os.fork()
    if pid:
        return pid
    # The first child that imports a module would write its compiled form, and so make more changes than the next one.
    sys.dont_write_bytecode = True
    try:
        if at_event is not None:
            count = 0

            def hook(event, arguments):
                nonlocal count
                if event in CHANGES and not (event == "open" and not is_write(arguments)):
                    count += 1
                    at_event(count, event, arguments)

            sys.addaudithook(hook)
        work()
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it was
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def is_write(arguments):
    return isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)


def end_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def dying_at(number):
    """What kills its process before change `number`, counted from 1."""

    def die(count, _event, _arguments):
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return die
