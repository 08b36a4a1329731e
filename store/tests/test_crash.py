"""Killed at any instant, and eight at once: the store is as before, or as after."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from mmpm_store.check import verify_store
from mmpm_store.collect import collect
from mmpm_store.ids import ObjectId
from mmpm_store.objects import Store
from mmpm_store.roots import list_roots

if TYPE_CHECKING:
    from pathlib import Path

# What an install does to a store. Each call that changes names or contents counts; the process ends at call number
# argv[2], without any clean-up.
WORK = """
import os, sys
stop = int(sys.argv[2])
count = 0
def counted(function):
    def call(*args, **kwargs):
        global count
        count += 1
        if count == stop:
            os._exit(9)
        return function(*args, **kwargs)
    return call
for name in ("rename", "replace", "link", "unlink", "mkdir", "write", "fchmod", "fsync", "utime"):
    setattr(os, name, counted(getattr(os, name)))
from mmpm_store.objects import Store
from mmpm_store.materialise import Placement, materialise
from mmpm_store.roots import set_root
from mmpm_store.tree import FileEntry, Tree
from mmpm_store.collect import collect
root = sys.argv[1]
store = Store.open(root + "/store")
data = [b"file %d" % number * 100 for number in range(7)]
ids = store.put_many((one, number % 2 == 1) for number, one in enumerate(data))
tree = Tree.of(FileEntry(f"d/{number}", number % 2 == 1, ids[number], len(one)) for number, one in enumerate(data))
set_root(store, root + "/receipt", [store.put_tree(tree)])
out = root + "/out." + str(os.getpid())
materialise(store, out, [Placement(tree)])
store.put(b"unused")
collect(store, grace_seconds=0, now=4e9, user_exists=lambda key: True)
print(count)
"""


def work(folder: Path, stop: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", WORK, folder, str(stop)], capture_output=True, text=True, check=False)


def test_whatever_call_was_the_last_the_next_run_completes(tmp_path: Path) -> None:
    whole = work(tmp_path / "whole", -1)
    assert whole.returncode == 0, whole.stderr
    calls = int(whole.stdout)
    assert calls > 30
    # One folder for all: each run meets what the one before it left.
    shared = tmp_path / "shared"
    shared.mkdir()
    for stop in range(1, calls + 1, 2):
        alone = tmp_path / f"alone-{stop}"
        alone.mkdir()
        for folder in (alone, shared):
            assert work(folder, stop).returncode in {0, 9}
            if os.path.exists(folder / "store" / "version"):
                store = Store.open(folder / "store")
                health = verify_store(store)
                assert health.damaged == ()
                assert health.wrong_mode == ()
                # A root is set only after its objects are there.
                assert health.missing == ()
        if stop % 8 == 1:
            done = work(alone, -1)
            assert done.returncode == 0, done.stderr
    assert work(shared, -1).returncode == 0
    store = Store.open(shared / "store")
    assert verify_store(store).is_sound
    assert len(list_roots(store)) == 1
    assert not store.has(ObjectId.of(b"unused"))
    collect(store, grace_seconds=0, now=time.time() + 7200, user_exists=lambda _key: True)
    assert store.status().staging == 0


def test_a_kill_in_the_middle_of_many_puts_leaves_whole_objects(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom mmpm_store.objects import Store\n"
        "store = Store.open(sys.argv[1])\nprint('go', flush=True)\n"
        "number = 0\nwhile True:\n"
        "    store.put_many((b'%d' % (number + step) * 500, False) for step in range(50))\n    number += 50\n"
    )
    for delay in (0.0, 0.01, 0.05):
        process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "s"], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.kill()
        process.wait()
        process.stdout.close()
    assert verify_store(Store.open(tmp_path / "s")).is_sound


@pytest.mark.parametrize("durability", ["durable", "none"])
def test_eight_equal_writers_at_once_all_succeed(tmp_path: Path, durability: str) -> None:
    script = (
        "import sys, os\nfrom mmpm_store.objects import Store\n"
        "from mmpm_store.materialise import Placement, materialise\nfrom mmpm_store.roots import set_root\n"
        "from mmpm_store.tree import FileEntry, Tree\nfrom mmpm_store.ids import ObjectId\n"
        "sys.stdin.readline()\n"
        "store = Store.open(sys.argv[1] + '/store', durability=sys.argv[2])\n"
        "data = [b'%d' % number * 300 for number in range(60)]\n"
        "tree = Tree.of(FileEntry(f'{n % 5}/{n}', n % 3 == 0, ObjectId.of(one), len(one)) for n, one in enumerate(data))\n"
        "set_root(store, '/receipt', [tree.id])\n"
        "for n, one in enumerate(data[:20]):\n    store.put(one, n % 3 == 0)\n"
        "store.put_many((one, n % 3 == 0) for n, one in enumerate(data))\nstore.put_tree(tree)\n"
        "print(materialise(store, sys.argv[1] + '/out%d' % os.getpid(), [Placement(tree)]).linked)\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, tmp_path, durability],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        out, err = process.communicate()
        assert (out, err, process.returncode) == ("60\n", "", 0)
    store = Store.open(tmp_path / "store")
    assert verify_store(store).is_sound
    assert store.status().objects == 61
    assert store.status().staging == 0


def test_collecting_beside_installs_breaks_none(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom mmpm_store.objects import Store\nfrom mmpm_store.collect import collect\n"
        "from mmpm_store.materialise import Placement, materialise\nfrom mmpm_store.roots import set_root\n"
        "from mmpm_store.tree import FileEntry, Tree\nfrom mmpm_store.ids import ObjectId\n"
        "store = Store.open(sys.argv[1] + '/store', durability='none')\n"
        "if sys.argv[2] == 'collect':\n"
        "    for _ in range(60):\n        collect(store, grace_seconds=0, now=time.time() + 1, user_exists=lambda key: True)\n"
        "else:\n"
        "    for turn in range(15):\n"
        "        data = [b'%d of %s %d' % (number, sys.argv[2].encode(), turn) for number in range(10)]\n"
        "        tree = Tree.of(FileEntry(str(n), False, ObjectId.of(one), len(one)) for n, one in enumerate(data))\n"
        "        set_root(store, sys.argv[2], [tree.id])\n"
        "        for attempt in range(50):\n"
        "            try:\n"
        "                store.put_many((one, False) for one in [*data, tree.to_bytes()])\n"
        "                materialise(store, f'{sys.argv[1]}/{sys.argv[2]}.{turn}.{attempt}', [Placement(tree)])\n"
        "                break\n"
        "            except Exception as error:\n"
        "                last = error\n"
        "        else:\n            raise last\n"
    )
    Store.open(tmp_path / "store")
    running = [
        subprocess.Popen([sys.executable, "-c", script, tmp_path, role], stderr=subprocess.PIPE, text=True)
        for role in ("collect", "one", "two")
    ]
    for process in running:
        _, err = process.communicate()
        assert (err, process.returncode) == ("", 0)
    # A collector that read the roots before one was set may have taken the objects of the last turn, but damaged none.
    assert verify_store(Store.open(tmp_path / "store")).damaged == ()
