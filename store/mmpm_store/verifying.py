"""Re-hashing many objects, on a second processor where there is one: the hot path of materialising."""

from __future__ import annotations

import os
import sys

from blake3 import blake3

from mmpm_store.layout import READ_FLAGS, hash_in, mode_of

TYPE_CHECKING = False  # typing is not imported: a warm installation pays for every import
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

# Below this a fork costs more than it gives (measured: 1 ms for it, 8 us an object).
_WORTH_A_PROCESS = 500
_REPORT_EVERY = 64


def intact_ones(objects_fd: int, objects: Sequence[tuple[str, int]]) -> Generator[bool, None, None]:
    """Say of each object, in order, whether it has the right bytes, size and mode (which is mended if it can be).

    Hashing runs ahead of the consumer in a forked process: linking and hashing take about the same time, and threads
    gain nothing here (each system call fights for the interpreter's lock). Where forking is not plainly safe, or the
    process fails, everything is done in this one.

    Args:
        objects_fd: of the folder that the names are below.
        objects: distinct (name as `mmpm_store.layout.name_of` gives it, size in bytes) pairs.
    """
    done = 0
    if len(objects) >= _WORTH_A_PROCESS and _may_fork():
        try:
            reader, writer = os.pipe()
            child = os.fork()
        except OSError:
            child = -1
        if child == 0:
            _report(objects_fd, objects, writer)
        elif child > 0:
            os.close(writer)
            try:
                while piece := os.read(reader, 4096):
                    for verdict in piece:
                        yield verdict == 1
                    done += len(piece)
            finally:
                os.close(reader)  # a child that still writes ends by that
                os.waitpid(child, 0)
    for name, size in objects[done:]:
        yield is_intact(objects_fd, name, size)


def is_intact(objects_fd: int, name: str, size: int) -> bool:
    """Whether the file `name` has that size, and the hash and mode that its name says; the mode is mended."""
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=objects_fd)
    except OSError:
        return False
    try:
        data = os.read(fd, size + 1)
        wanted = mode_of(name)
        if os.fstat(fd).st_mode & 0o7777 != wanted:
            os.fchmod(fd, wanted)
    except OSError:
        return False
    finally:
        os.close(fd)
    return len(data) == size and blake3(data).hexdigest() == hash_in(name)


def _may_fork() -> bool:
    """Whether this process has one thread (a lock held by another would stay held in the child) and two processors."""
    if sys.platform != "linux":
        return False
    try:
        return len(os.sched_getaffinity(0)) > 1 and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def _report(objects_fd: int, objects: Sequence[tuple[str, int]], writer: int) -> None:
    """Write a byte an object, 1 if it is intact, and end the process without its clean-up, whatever happens."""
    status = 1
    try:
        for start in range(0, len(objects), _REPORT_EVERY):
            part = objects[start : start + _REPORT_EVERY]
            os.write(writer, bytes(is_intact(objects_fd, name, size) for name, size in part))
        status = 0
    finally:
        os._exit(status)
