"""A rotation that is killed, at every few changes of files: the old state, or one that the next command completes."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from itertools import pairwise

import pytest
from registry_tree import HOST, formula
from rotating import Follower, RotatingRegistry

from mmpm.execute.rotating import reloading
from mmpm.registry.commit import Committing
from mmpm.registry.key_folder import list_role_keys, load_keys
from mmpm.registry.publish import publish
from mmpm.registry.rotate import RoleChange

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def registry(tmp_path):
    made = RotatingRegistry(tmp_path / "origin")
    made.publish(formula("mol-a"))
    return made


def killed_at(number, work):
    """Run `work` in a child that is killed before the change of that number; give whether it lived to its end."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    sys.dont_write_bytecode = True  # or the first child would make more changes than the next one
    try:
        count = 0

        def hook(event, arguments):
            nonlocal count
            changes = event in {"os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"}
            if changes or (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
            ):
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it was
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def test_killed_anywhere_a_rotation_leaves_the_old_state_or_one_that_the_next_command_completes(registry, tmp_path):
    request = registry.request(RoleChange(registry.new_keys("timestamp", "root", "targets")))
    total = 0
    while True:
        case = CaseAt(registry, tmp_path / f"count-{total}")
        if killed_at(total := total + 40, lambda case=case: case.apply(request)):
            break
    instants = [*range(1, total, 25), *range(max(1, total - 60), total + 1, 2)]
    shown = []
    for number in sorted(set(instants)):
        case = CaseAt(registry, tmp_path / f"case-{number}")
        killed_at(number, lambda case=case: case.apply(request))
        shown.append(case.load().chain.root_version)
        case.publish_with_reloading(formula("mol-b"))
        follower = Follower(tmp_path / f"reader-{number}", registry.made.fingerprint)
        follower.refresh(case.root, registry.now)
        assert follower.names == {"mol-a", "mol-b"}
        case.apply(request)
        assert case.load().chain.root_version == 2
        assert list_role_keys(f"{case.keys_folder}/next") == []
        case.publish_with_reloading(formula("mol-c"))
        follower.refresh(case.root, registry.now)
        assert follower.names == {"mol-a", "mol-b", "mol-c"}
        shutil.rmtree(case.folder)
    assert all(one <= other for one, other in pairwise(shown))
    assert (shown[0], shown[-1]) == (1, 2)


class CaseAt(RotatingRegistry):
    """A copy of a registry and its keys, on which one thing is tried."""

    def __init__(self, registry, folder):
        self.folder, self.now, self.made = folder, registry.now, registry.made
        self.root, self.keys_folder = str(folder / "reg"), str(folder / "keys")
        shutil.copytree(registry.root, self.root, copy_function=os.link)
        shutil.copytree(registry.keys_folder, self.keys_folder)
        self.keys = registry.keys

    def publish_with_reloading(self, *items):
        how = Committing(load_keys(self.keys_folder, HOST, None), self.now, key_folder=self.keys_folder)
        publish(self.root, items, reloading(how, self.keys_folder, HOST, None))
