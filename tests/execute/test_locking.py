"""One change at a time in one folder: waiting is seen, has an owner and an end."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys

import pytest

from mmpm.errors import LockedByOtherError, SystemRefusedError
from mmpm.execute import locking

# Python 3.12 warns of any fork beside threads, such as those of a parallel test run; the children here start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Listener:
    def __init__(self, then=lambda: None):
        self.said = []
        self.then = then

    def say(self, sentence):
        self.said.append(sentence)
        self.then()


@pytest.fixture
def held_elsewhere(tmp_path):
    """A process that holds the lock of `/folder` until it is killed."""
    ready, told = os.pipe()
    ends, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(end)
            locking.hold(str(tmp_path), "/folder", Listener())
            os.write(told, b"x")
            os.read(ends, 1)  # for ever, or until the test run is gone
        finally:
            os._exit(0)
    os.close(told)
    assert os.read(ready, 1) == b"x"
    yield pid
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    for fd in (ready, ends, end):
        os.close(fd)


def test_waiting_is_said_with_its_owner_and_ends(tmp_path, held_elsewhere):
    listener = Listener()
    with pytest.raises(LockedByOtherError) as caught:
        locking.hold(str(tmp_path), "/folder", listener, wait_seconds=0.7)
    assert f"process {held_elsewhere}" in caught.value.fact
    assert f"process {held_elsewhere}" in listener.said[0]


def test_the_lock_goes_with_the_process_that_held_it(tmp_path, held_elsewhere):
    os.kill(held_elsewhere, 9)
    locking.hold(str(tmp_path), "/folder", Listener(), wait_seconds=600)
    locking.release("/folder")


def test_holding_twice_is_holding_once(tmp_path):
    locking.hold(str(tmp_path), "/folder", Listener())
    locking.hold(str(tmp_path), "/folder", Listener())
    assert locking.is_held("/folder")
    locking.release("/folder")
    locking.release("/folder")
    assert not locking.is_held("/folder")


@pytest.mark.usefixtures("held_elsewhere")
def test_other_folders_are_not_waited_for(tmp_path):
    locking.hold(str(tmp_path), "/other", Listener(), wait_seconds=0)
    locking.release("/other")


def test_who_waited_holds_the_lock_until_it_lets_go(tmp_path, held_elsewhere):
    listener = Listener(lambda: os.kill(held_elsewhere, 9))  # dies once somebody waits for it, and has said so
    locking.hold(str(tmp_path), "/folder", listener, wait_seconds=600)
    assert listener.said
    assert f"process {os.getpid()}" in in_another_process(tmp_path)
    locking.release("/folder")
    assert in_another_process(tmp_path) == "taken"


def test_a_free_lock_is_taken_without_the_library_that_waits(tmp_path):
    assert "filelock" not in in_another_process(tmp_path, "print(*sys.modules)")


def test_a_lock_whose_file_is_removed_while_it_is_taken_is_taken_again(tmp_path, monkeypatch):
    """As when somebody removes `.beads-wisp` by hand: the next one would make a file of its own, and hold that."""
    path = tmp_path / "wisps" / ".lock"
    removed = []
    flock = locking.fcntl.flock

    def taken(fd, how):
        flock(fd, how)
        if not removed:
            removed.append(os.fstat(fd).st_ino)
            shutil.rmtree(path.parent)

    monkeypatch.setattr(locking.fcntl, "flock", taken)
    locking.hold_file(str(path), "/folder", Listener())
    monkeypatch.undo()
    assert removed
    assert path.read_text() == f"process {os.getpid()}"
    with open(path) as file, pytest.raises(BlockingIOError):
        flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    locking.release("/folder")


def test_who_waits_for_a_lock_whose_file_is_removed_takes_the_one_that_is_there_then(tmp_path, held_elsewhere):
    """The one that it waited for is held by nobody who comes later."""
    listener = Listener(lambda: shutil.rmtree(tmp_path / "locks"))
    locking.hold(str(tmp_path), "/folder", listener, wait_seconds=600)
    assert f"process {held_elsewhere}" in listener.said[0]
    assert f"process {os.getpid()}" in in_another_process(tmp_path)
    locking.release("/folder")
    assert in_another_process(tmp_path) == "taken"


def in_another_process(tmp_path, afterwards="print('taken')"):
    """Give what a process says that wants the lock of `/folder` at once."""
    script = f"""
import sys
from mmpm.errors import LockedByOtherError
from mmpm.execute import locking
from mmpm.execute.context import SILENT
try:
    locking.hold({str(tmp_path)!r}, "/folder", SILENT, wait_seconds=0)
    {afterwards}
except LockedByOtherError as error:
    print(error.fact)
"""
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()


def test_a_disk_without_locks_is_named(tmp_path, monkeypatch):
    """As network file systems without a lock service answer."""

    def refuse(_fd, _how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locking.fcntl, "flock", refuse)
    with pytest.raises(SystemRefusedError) as caught:
        locking.hold(str(tmp_path), "/folder", Listener())
    assert str(tmp_path) in caught.value.fact
    assert "flock" in caught.value.remedy
    assert not locking.is_held("/folder")
