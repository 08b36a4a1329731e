"""Publishers, readers and `cp -r` at the same time: nobody ever sees a torn state."""

from __future__ import annotations

import json
import subprocess
import threading

import pytest
from world import copy_folder, formula_text

ROUNDS = 4


def write_formula(folder, name, version="1.0.0"):
    path = folder / f"{name}-{version}" / f"{name}.formula.toml"
    path.parent.mkdir(parents=True)
    path.write_text(formula_text(name, version, {}))
    return path


@pytest.fixture
def registry(world):
    registry = world.registry("acme").release("mol-base")
    world.settle()
    return registry


class Publishing:
    """Publishes release after release until it has done all its rounds."""

    def __init__(self, world, registry):
        self.done: list[str] = []
        self.failure = ""
        self._thread = threading.Thread(target=self._publish, args=(world, registry))
        self._thread.start()

    def _publish(self, world, registry):
        for number in range(ROUNDS):
            path = write_formula(world.folder / "loop", "mol-loop", f"1.{number}.0")
            ran = registry.publisher.try_run("publish", str(path), "--to", str(registry.folder), "--yes")
            if ran.status:
                self.failure = str(ran)
                return
            self.done.append(f"1.{number}.0")

    @property
    def is_running(self):
        return self._thread.is_alive()

    def finish(self):
        self._thread.join()
        assert not self.failure, self.failure
        assert len(self.done) == ROUNDS


def test_a_reader_refreshing_all_the_while_never_fails(world, registry):
    reader = world.machine("reader")
    reader.run("init")
    reader.add(registry, url=world.serve(registry.folder).url)
    publishing = Publishing(world, registry)
    seen: list[str] = []
    try:
        while not seen or publishing.is_running:
            reader.run("update", "--all")
            ran = reader.run("show", "mol-base", "--json")
            assert ran.json
            seen.append("round")
    finally:
        publishing.finish()
    reader.run("install", "mol-loop")
    assert reader.installed()["mol-loop"]["version"] == f"1.{ROUNDS - 1}.0"


def test_every_copy_taken_while_publishing_is_a_whole_registry(world, registry):
    publishing = Publishing(world, registry)
    copies = []
    try:
        while not copies or publishing.is_running:
            copies.append(world.folder / f"copy-{len(copies)}")
            # cp says so when a staged file goes while it walks; what it copied must be whole all the same.
            subprocess.run(["cp", "-r", str(registry.folder), str(copies[-1])], check=False, capture_output=True)
    finally:
        publishing.finish()
    chosen = copies[:: max(1, len(copies) // 5)]
    for number, copy in enumerate(chosen):
        machine = world.machine(f"of-copy-{number}")
        machine.run("init")
        machine.run("registry", "add", str(copy), "--name", "acme", "--root", registry.fingerprint)
        machine.run("update", "--all")
        machine.run("install", "mol-base")


def test_several_publishers_at_once_on_one_folder_all_succeed(world, registry):
    names = [f"mol-rival-{number}" for number in range(4)]
    running = [
        registry.publisher.start(
            "publish", str(write_formula(world.folder / "rivals", name)), "--to", str(registry.folder), "--yes"
        )
        for name in names
    ]
    for process in running:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, out.decode() + err.decode()
    machine = world.machine("after")
    machine.run("init")
    machine.add(registry)
    machine.run("install", *names)
    assert set(machine.installed()) == set(names)


def test_a_publisher_killed_at_work_does_not_stop_the_next(world, registry):
    process = registry.publisher.start(
        "publish", str(write_formula(world.folder / "first", "mol-killed")), "--to", str(registry.folder), "--yes"
    )
    process.kill()
    process.communicate()
    registry.publisher.run(
        "publish", str(write_formula(world.folder / "second", "mol-next")), "--to", str(registry.folder), "--yes"
    )
    copy_folder(registry.folder, world.folder / "copied")
    machine = world.machine("after")
    machine.run("init")
    machine.run("registry", "add", str(world.folder / "copied"), "--root", registry.fingerprint)
    machine.run("install", "mol-next", "mol-base")


def test_publishing_equal_bytes_again_is_done_already_and_other_bytes_are_refused(world, registry):
    path = write_formula(world.folder / "again", "mol-again")
    words = ["publish", str(path), "--to", str(registry.folder), "--yes"]
    registry.publisher.run(*words)
    registry.publisher.run(*words)
    path.write_text(path.read_text() + "# changed\n")
    refused = registry.publisher.run(*words, status=1)
    assert "1.0.0" in refused.err
    document = json.loads((registry.folder / "formulas" / "mol-again" / "index.json").read_bytes())
    assert document["name"] == "mol-again"
