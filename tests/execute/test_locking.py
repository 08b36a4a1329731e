"""One change at a time in one folder: waiting is seen, has an owner and an end."""

from __future__ import annotations

import os
import time

import pytest

from mmpm.errors import LockedByOtherError
from mmpm.execute import locking


class Listener:
    def __init__(self):
        self.said = []

    def say(self, sentence):
        self.said.append(sentence)


@pytest.fixture
def held_elsewhere(tmp_path):
    """A process that holds the lock of `/folder` until it is killed."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            locking.hold(str(tmp_path), "/folder", Listener())
            os.write(told, b"x")
            time.sleep(60)
        finally:
            os._exit(0)
    os.read(ready, 1)
    yield pid
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(ready)
    os.close(told)


def test_waiting_is_said_with_its_owner_and_ends(tmp_path, held_elsewhere):
    listener = Listener()
    with pytest.raises(LockedByOtherError) as caught:
        locking.hold(str(tmp_path), "/folder", listener, wait_seconds=0.7)
    assert f"process {held_elsewhere}" in caught.value.fact
    assert f"process {held_elsewhere}" in listener.said[0]


def test_the_lock_goes_with_the_process_that_held_it(tmp_path, held_elsewhere):
    os.kill(held_elsewhere, 9)
    locking.hold(str(tmp_path), "/folder", Listener(), wait_seconds=5)
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
