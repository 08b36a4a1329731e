"""Refreshes beside each other, beside a publisher, killed at any instant; and what is left lying afterwards."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from signed_tree import SignedTree

from mmpm.registry.folder import FolderTransport
from mmpm.registry.local import LocalCopy
from mmpm.registry.refresh import ALL, RegistrySource, refresh
from mmpm.registry.snapshot import Snapshot
from mmpm.registry.state import TrustFolder

ID = "acme.corp"
PROGRAM = """
import sys
from datetime import datetime
from mmpm.registry.folder import FolderTransport
from mmpm.registry.refresh import ALL, RegistrySource, refresh
tree, folder, root, now = sys.argv[1:]
source = RegistrySource("acme.corp", (FolderTransport(tree),), root)
print("ready", flush=True)
refresh(source, folder + "/store", folder + "/trust", datetime.fromisoformat(now), ALL, catalog=True)
"""


@pytest.fixture
def tree(tmp_path):
    # At the time of the files on this disk: what was superseded for a day goes, and nothing here lasts so long.
    made = SignedTree(tmp_path / "registry", ID, datetime.now(UTC).replace(microsecond=0))
    for number in range(30):
        made.release(f"mol-{number}", "1.0.0")
    made.show()
    return made


def read(folder, tree):
    source = RegistrySource(ID, (FolderTransport(str(tree.folder)),), tree.fingerprint)
    return refresh(source, f"{folder}/store", f"{folder}/trust", tree.now, ALL)


def believed(folder):
    state = TrustFolder.of(f"{folder}/trust", ID).read()
    return Snapshot.open(LocalCopy.of(f"{folder}/store", ID), state)


def test_refreshes_at_once_beside_a_publisher_never_go_back_and_never_tear(tree, tmp_path):
    failures = []
    serials = []
    done = threading.Event()

    def keep_reading():
        try:
            while not done.is_set():
                read(tmp_path, tree)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    def keep_looking():
        try:
            while not done.is_set():
                if TrustFolder.of(f"{tmp_path}/trust", ID).read() is not None:
                    snapshot = believed(tmp_path)
                    serials.append(snapshot.serial)
                    versions = {len(snapshot.releases(name)) for name in snapshot.names()}
                    assert len(versions) == 1, versions
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=one) for one in (keep_reading, keep_reading, keep_reading, keep_looking)]
    for thread in threads:
        thread.start()
    publish_whole(tree, times=6)
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert serials == sorted(serials)
    assert read(tmp_path, tree).new_serial == tree.serial


def publish_whole(tree, times):
    """Publish so that readers never see a part: every file by rename, the timestamp last, as `publish` does."""

    def write(path, data):
        full = tree.folder / path
        full.parent.mkdir(parents=True, exist_ok=True)
        temporary = full.with_name(f".{full.name}.tmp")
        temporary.write_bytes(data)
        os.replace(temporary, full)

    tree.write = write
    for number in range(times):
        for name in list(tree.lines):
            tree.release(name, f"2.{number}.0")
        tree.show(days=0.001)
        time.sleep(0.05)


def test_killed_at_any_instant_the_next_refresh_completes(tree, tmp_path):
    picks = random.Random(20261122)
    serial = 0
    for _ in range(12):
        tree.release(f"mol-{picks.randrange(30)}", f"{tree.serial}.5.0")
        tree.show(days=0.001)
        words = [sys.executable, "-c", PROGRAM, str(tree.folder), str(tmp_path), tree.fingerprint, str(tree.now)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(picks.uniform(0, 0.15))
            process.kill()
        if TrustFolder.of(f"{tmp_path}/trust", ID).read() is not None:
            snapshot = believed(tmp_path)
            assert snapshot.serial >= serial
            serial = snapshot.serial
            for name in snapshot.names():
                snapshot.releases(name)
    read(tmp_path, tree)
    snapshot = believed(tmp_path)
    assert snapshot.serial == tree.serial
    assert {name: len(snapshot.releases(name)) for name in snapshot.names()} == {
        name: len(lines) for name, lines in tree.lines.items()
    }


def test_superseded_documents_go_after_a_day_and_roots_never(tree, tmp_path):
    read(tmp_path, tree)
    for day in range(5):
        tree.release("mol-1", f"2.{day}.0")
        tree.show(days=1)
        read(tmp_path, tree)
        for file in Path(tmp_path, "store").rglob("*.json"):
            os.utime(file, (0, (tree.now - timedelta(days=2)).timestamp()))
    copy = Path(tmp_path, "store", "registries", ID)
    assert sorted(file.name for file in (copy / "metadata").glob("*.root.json")) == ["1.root.json"]
    assert len(list((copy / "metadata").glob("*.snapshot.json"))) <= 2
    assert len(list((copy / "formulas" / "mol-1").iterdir())) <= 2
    assert len(believed(tmp_path).releases("mol-1")) == 6
