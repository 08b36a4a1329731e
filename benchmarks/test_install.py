"""Installing 1,000 releases of about 5,500 files: warm from a full store, and cold from nginx on loopback."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from nginx_server import Nginx, find_nginx
from references import copy_folder, link_folder, link_folder_durably, link_loop
from synthetic import write_bundles

if TYPE_CHECKING:
    from pathlib import Path

    from world import Machine, Registry

RELEASES = 1_000
RELEASES_IN_A_SMOKE_RUN = 20


@dataclass(frozen=True)
class Installed:
    """A project with everything installed, whose folder the references copy."""

    machine: Machine
    registry: Registry


@pytest.fixture(scope="module")
def installed(bench_world, scratch, small) -> Installed:
    count = RELEASES_IN_A_SMOKE_RUN if small else RELEASES
    batch = write_bundles(scratch / "bundles", count)
    registry = bench_world.registry("bundles")
    registry.publisher.run("publish", "--batch", str(batch), "--to", str(registry.folder), "--yes")
    machine = bench_world.machine("full")
    machine.run("init")
    machine.add(registry)
    names = "".join(f'"bench-{number:05d}" = "*"\n' for number in range(count))
    (machine.project / "mmpm.toml").write_text(f"[formulas]\n{names}")
    machine.run("sync")
    assert len(machine.installed()) == count
    return Installed(machine, registry)


def new_project(folder: Path, source: Path) -> Path:
    """A fresh clone: manifest and lock, nothing installed."""
    folder.mkdir(parents=True)
    for name in ("mmpm.toml", "mmpm.lock"):
        (folder / name).write_bytes((source / name).read_bytes())
    os.sync()
    return folder


def test_warm_frozen_sync_of_1000_releases(versus, installed, scratch):
    machine = installed.machine
    projects: dict[int, Path] = {}

    def prepare(number: int) -> None:
        projects[number] = new_project(machine.home / f"warm-{number}", machine.project)

    versus(
        lambda number: machine.run("sync", "--frozen", "--offline", cwd=projects[number]),
        lambda number: link_folder(machine.formulas, scratch / f"linked-{number}"),
        against="cp -rl",
        goal="1.0x",
        rounds=7,
        prepare=prepare,
    )


def test_warm_frozen_sync_beside_links_that_are_flushed(versus, installed, scratch):
    """The same, against a reference that gives the same promise."""
    machine = installed.machine
    projects: dict[int, Path] = {}

    def prepare(number: int) -> None:
        projects[number] = new_project(machine.home / f"flushed-{number}", machine.project)

    versus(
        lambda number: machine.run("sync", "--frozen", "--offline", cwd=projects[number]),
        lambda number: link_folder_durably(machine.formulas, scratch / f"linked-flushed-{number}"),
        against="cp -rl; sync -f",
        goal="none: decision 0009",
        rounds=7,
        prepare=prepare,
    )


def test_first_frozen_sync_of_a_lock_on_a_machine(versus, installed, scratch):
    """The store is full, but this machine has not installed this lock before: planned in full."""
    machine = installed.machine
    projects: dict[int, Path] = {}

    def prepare(number: int) -> None:
        shutil.rmtree(machine.home / ".local" / "state" / "mmpm" / "again", ignore_errors=True)
        projects[number] = new_project(machine.home / f"first-{number}", machine.project)

    versus(
        lambda number: machine.run("sync", "--frozen", "--offline", cwd=projects[number]),
        lambda number: link_folder(machine.formulas, scratch / f"linked-first-{number}"),
        against="cp -rl",
        goal="none: decision 0009",
        rounds=5,
        prepare=prepare,
    )


def test_bare_python_link_loop_for_comparison(versus, installed, scratch):
    versus(
        lambda number: link_loop(installed.machine.formulas, scratch / f"looped-{number}"),
        lambda number: link_folder(installed.machine.formulas, scratch / f"linked-beside-loop-{number}"),
        against="cp -rl",
        goal="none: what plain Python can do",
        rounds=7,
        prepare=lambda _number: os.sync(),
    )


def test_cold_install_of_1000_releases_from_nginx(versus, installed, scratch, bench_world):
    program = find_nginx()
    if program is None:
        pytest.skip("nginx is not installed")
    server = Nginx(program, installed.registry.folder, scratch / "nginx")
    machines: dict[int, Machine] = {}

    def prepare(number: int) -> None:
        machine = bench_world.machine(f"cold-{number}")
        new_project(machine.project / "cold", installed.machine.project)
        machine.add(installed.registry, url=server.url)
        machines[number] = machine

    try:
        versus(
            lambda number: machines[number].run("sync", "--frozen", cwd=machines[number].project / "cold"),
            lambda number: copy_folder(installed.machine.formulas, scratch / f"copied-{number}"),
            against="cp -r",
            goal="0.6x",
            rounds=5,
            prepare=prepare,
        )
    finally:
        server.stop()
