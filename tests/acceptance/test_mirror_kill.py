"""`mirror create` and `mirror update` killed with -9, and on a real disk that is full: a rerun finishes, nothing half is seen.

Where exactly a copy may be torn is swept in tests/registry/mirror/test_copying_crash.py; here the whole command is.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from far_side import tree_files, verify_tree
from world import FORESEEN, World

from mmpm.registry.mirror.origin import Believed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRACTIONS = (0.3, 0.45, 0.55, 0.65, 0.72, 0.79, 0.86, 0.93, 0.97, 1.0)
HOST = "acme.example"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with World(tmp_path_factory.mktemp("kills")) as world:
        yield Site(world)


class Site:
    """A registry with some large releases, and a machine that mirrors it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.registry = world.registry("acme").release("mol-a").release("mol-b", requires={"mol-a": "*"})
        for number in range(12):
            self.registry.release("mol-large", f"1.{number}.0", files={"data.bin": os.urandom(150_000)})
        self.machine = world.machine()
        self.machine.add(self.registry)
        self.belief = Believed(self.registry.fingerprint.removeprefix("sha256:"))
        self.count = 0

    def folder(self) -> Path:
        self.count += 1
        return self.machine.home / f"mirror-{self.count}"

    def words(self, verb: str, folder: Path) -> list[str]:
        return ["mirror", verb, str(folder), *(["--from", "acme"] if verb == "create" else [])]

    def truth(self) -> dict[str, bytes]:
        return tree_files(self.registry.folder, HOST, self.belief)

    def shown(self, folder: Path) -> dict[str, bytes] | None:
        """Every file of what the mirror shows, verified; None where it shows nothing."""
        tree = folder / "mirrors" / HOST
        if not (tree / "metadata" / "timestamp.json").exists():
            return None
        verify_tree(tree, HOST, self.belief)
        return tree_files(tree, HOST, self.belief)

    def finish(self, verb: str, folder: Path) -> None:
        """What a person types after the crash."""
        self.machine.run(*self.words(verb, folder))
        assert self.shown(folder) == self.truth()
        self.machine.run("mirror", "verify", str(folder))
        assert not list((folder).rglob(".staging/*"))


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["create", "update"])
def test_killed_at_spread_instants_a_rerun_finishes(site, sampled, verb):
    first = site.folder()
    site.machine.run(*site.words("create", first))
    before = site.truth()
    if verb == "update":
        site.registry.release("mol-a", "1.1.0")
        site.registry.release("mol-large", "2.0.0", files={"data.bin": os.urandom(900_000)})
        site.world.settle()
    started = time.perf_counter()
    subprocess.run(["cp", "-a", str(first), f"{first}-timed"], check=True)
    site.machine.run(*site.words(verb, first.with_name(f"{first.name}-timed") if verb == "update" else site.folder()))
    span = time.perf_counter() - started
    after = site.truth()
    for fraction in sampled(FRACTIONS, 5):
        folder = site.folder()
        if verb == "update":
            subprocess.run(["cp", "-a", str(first), str(folder)], check=True)
        process = site.machine.start(*site.words(verb, folder))
        time.sleep(span * fraction)
        process.kill()
        process.communicate()
        assert site.shown(folder) in ([None, after] if verb == "create" else [before, after])
        site.finish(verb, folder)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own that holds no more than `size`; skipped where only root may mount one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path, leave_bytes: int) -> Path:
    """Fill a disk but for so many bytes."""
    hog = disk / "hog"
    status = os.statvfs(disk)
    with hog.open("wb") as file:
        for _ in range(max(0, status.f_bavail * status.f_bsize - leave_bytes) // 65_536):
            file.write(bytes(65_536))
    return hog


def test_a_disk_with_too_little_room_is_refused_before_anything_is_fetched(site, tmp_path):
    with small_disk(tmp_path / "disk", "32m") as disk:
        folder = disk / "mirror"
        site.machine.run(*site.words("create", folder))
        before = site.shown(folder)
        site.registry.release("mol-large", "4.0.0", files={"data.bin": os.urandom(700_000)})
        site.world.settle()
        hog = fill(disk, 9 << 20)  # enough for the files, not for the archive beside them
        ran = site.machine.run(*site.words("update", folder), status=FORESEEN)
        assert "error[mirror-no-room]" in ran.err
        assert site.shown(folder) == before
        hog.unlink()
        site.finish("update", folder)


def test_a_disk_that_is_full_already_keeps_the_old_state(site, tmp_path):
    with small_disk(tmp_path / "disk", "32m") as disk:
        folder = disk / "mirror"
        site.machine.run(*site.words("create", folder))
        before = site.shown(folder)
        site.registry.release("mol-a", "1.9.0")  # so little that nobody asks beforehand whether there is room
        site.world.settle()
        for leave in (0, 8_192, 131_072):
            hog = fill(disk, leave)
            ran = site.machine.try_run(*site.words("update", folder))
            assert ran.status in {0, FORESEEN}, ran
            if ran.status == FORESEEN:
                assert "room" in ran.err or "space" in ran.err, ran
                assert site.shown(folder) == before
            hog.unlink()
        site.finish("update", folder)
