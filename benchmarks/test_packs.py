"""Carrying 1,000 packages in three versions across a gap, then 100 new versions: bytes and CPU time beside others.

    full      ours of a mirror beside tar | zstd -19 --long=27 of the same tree; git bundle, casync, borg of packages
    next      ours against the far side's inventory beside git bundle of the last commit; tar | zstd -19 of the new
              versions; what is new in the stores of casync and borg
    import    both, into a mirror, beside git pull, casync extract, borg extract

CPU seconds are user and system time of all processes of a row. A program that is not installed has no row.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from carried import NEXT, VERSIONS, make_set
from corpus import Corpus, corpus_folder
from registry_tree import HOST, FolderRegistry

from mmpm.registry.pack.format import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = 1000
PACKAGES_IN_A_SMOKE_RUN = 20
FULL_GOAL = 1.1
INCREMENT_GOAL_MB = 0.18
_GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@example", "-c", "gc.auto=0", "-c", "core.fsync=none")


@dataclass
class Row:
    """What one way of carrying costs."""

    name: str
    full_bytes: int = 0
    full_seconds: float = 0.0
    increment_bytes: int = 0
    increment_seconds: float = 0.0
    import_seconds: float = 0.0

    def __str__(self) -> str:
        def number(value: float, text: str) -> str:
            return text.format(value) if value else "-"

        return (
            f"{self.name:44}{number(self.full_bytes / 1e6, '{:.2f}'):>9}{number(self.full_seconds, '{:.2f}'):>9}"
            f"{number(self.increment_bytes / 1e6, '{:.3f}'):>11}{number(self.increment_seconds, '{:.2f}'):>9}"
            f"{number(self.import_seconds, '{:.2f}'):>11}"
        )


HEADING = f"{'':44}{'full MB':>9}{'CPU s':>9}{'next MB':>11}{'CPU s':>9}{'import s':>11}"


@dataclass
class Ground:
    """The set on disk: a registry before and after, and the packages as plain folders."""

    folder: Path
    old: Path
    new: Path
    packages: Path
    more: Path
    fingerprint: str

    def run(self, command: str, **environment: str) -> float:
        """Run a shell command in the folder; give its CPU seconds."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environ = {**os.environ, **self.environment, **environment}
        done = subprocess.run(
            ["/bin/sh", "-ec", command], cwd=self.folder, env=environ, capture_output=True, check=False
        )
        assert done.returncode == 0, (command, done.stderr[-2000:])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    @property
    def environment(self) -> dict[str, str]:
        """A home of its own for every program."""
        home = str(self.folder / "home")
        xdg = {f"XDG_{name}_HOME": f"{home}/{name.lower()}" for name in ("DATA", "CONFIG", "STATE", "CACHE")}
        return {"HOME": home, "BORG_BASE_DIR": home, **xdg, "PYTHONDONTWRITEBYTECODE": ""}

    def size(self, path: str) -> int:
        """Give the length of a file, or of all files in a folder."""
        full = self.folder / path
        if full.is_file():
            return full.stat().st_size
        return sum(one.stat().st_size for one in full.rglob("*") if one.is_file() and not one.is_symlink())


@pytest.fixture(scope="module")
def ground(scratch, small) -> Ground:
    """Publish the set: three versions, then the fourth of a tenth."""
    place = corpus_folder()
    made = make_set(Corpus(place) if place else None, PACKAGES_IN_A_SMOKE_RUN if small else PACKAGES)
    folder = scratch / "carried"
    folder.mkdir()
    registry = FolderRegistry(folder)
    for version in VERSIONS:
        registry.publish(*made.items(made.names, version))
        registry.later(hours=1)
        made.write(folder / "packages", made.names, version)
    shutil.copytree(registry.root, folder / "old")
    registry.publish(*made.items(made.changed, NEXT))
    made.write(folder / "more", made.changed, NEXT)
    (folder / "home").mkdir()
    return Ground(
        folder, folder / "old", Path(registry.root), folder / "packages", folder / "more", registry.made.fingerprint
    )


def test_packs_beside_other_ways_of_carrying(ground, small, add_note):
    ours = _ours(ground)
    rows = [ours, *_tar(ground), *_others(ground)]
    add_note(HEADING)
    for row in rows:
        add_note(str(row))
    for line in _kinds(ground):
        add_note(line)
    if small:
        return
    tar = rows[1]
    assert ours.full_bytes <= FULL_GOAL * tar.full_bytes
    assert ours.full_seconds <= tar.full_seconds / 10
    assert ours.increment_bytes <= INCREMENT_GOAL_MB * 1e6


def _ours(ground: Ground) -> Row:
    mmpm = "mmpm -q mirror"
    root = f"--root sha256:{ground.fingerprint}"
    row = Row("mmpm, inventory")
    row.full_seconds = ground.run(f"{mmpm} export old -o full.pack {root}")
    row.full_bytes = ground.size("full.pack")
    row.import_seconds = ground.run(f"{mmpm} import full.pack --to far {root}")
    ground.run(f"{mmpm} inventory far -o far.inventory && {mmpm} inventory far --filter -o far.filter")
    row.increment_seconds = ground.run(f"{mmpm} export reg -o next.pack {root} --base far.inventory")
    row.increment_bytes = ground.size("next.pack")
    ground.run(f"{mmpm} export reg -o next.serial.pack {root} --base 4")
    row.import_seconds += ground.run(f"{mmpm} import next.pack --to far")
    newest = (ground.folder / "reg" / "metadata" / "timestamp.json").read_bytes()
    assert (ground.folder / "far" / "mirrors" / HOST / "metadata" / "timestamp.json").read_bytes() == newest
    return row


def _tar(ground: Ground) -> Iterator[Row]:
    ground.run("mkdir whole && zstd -q -d --long=27 < full.pack | tar -x -C whole")
    row = Row("tar | zstd -19 --long=27 of the same tree")
    row.full_seconds = ground.run(
        "tar -c --sort=name -C whole mirrors | zstd -q -19 --long=27 --single-thread > full.tar.zst"
    )
    row.full_bytes = ground.size("full.tar.zst")
    row.increment_seconds = ground.run("tar -c --sort=name more | zstd -q -19 --long=27 --single-thread > more.tar.zst")
    row.increment_bytes = ground.size("more.tar.zst")
    row.import_seconds = ground.run("mkdir again && zstd -q -d --long=27 < full.tar.zst | tar -x -C again")
    yield row
    plain = Row("tar | zstd -19 --long=27 of the packages alone")
    plain.full_seconds = ground.run(
        "tar -c --sort=name packages | zstd -q -19 --long=27 --single-thread > packages.tar.zst"
    )
    plain.full_bytes = ground.size("packages.tar.zst")
    yield plain


def _others(ground: Ground) -> Iterator[Row]:
    if shutil.which("git"):
        yield _git(ground)
    if shutil.which("casync"):
        yield _casync(ground)
    if shutil.which("borg"):
        yield _borg(ground)


def _git(ground: Ground) -> Row:
    """Each version in the place of the one before, as people keep packages in git: its deltas find it."""
    git = " ".join(_GIT)
    row = Row("git bundle, a commit a version")
    put = "for one in ../{0}/*/{1}; do name=$(basename $(dirname $one)); rm -rf $name; cp -r $one $name; done"
    ground.run("git init -q repository")
    for version in VERSIONS:
        ground.run(f"cd repository && {put.format('packages', version)}")
        row.full_seconds += ground.run(f"cd repository && git add -A && {git} commit -qm {version}")
    row.full_seconds += ground.run("cd repository && git bundle create -q ../full.bundle HEAD")
    row.full_bytes = ground.size("full.bundle")
    ground.run(f"cd repository && git tag old && {put.format('more', NEXT)}")
    row.increment_seconds = ground.run(
        f"cd repository && git add -A && {git} commit -qm new && git bundle create -q ../next.bundle old..HEAD"
    )
    row.increment_bytes = ground.size("next.bundle")
    row.import_seconds = ground.run("git clone -q full.bundle far-git && cd far-git && git pull -q ../next.bundle HEAD")
    return row


def _casync(ground: Ground) -> Row:
    row = Row("casync, chunks that are new")
    casync = "casync make --without=all --store=store.castr"
    row.full_seconds = ground.run(f"{casync} full.caidx packages > /dev/null")
    row.full_bytes = ground.size("store.castr") + ground.size("full.caidx")
    ground.run("cp -r packages both && cp -r more/. both/")
    row.increment_seconds = ground.run(f"{casync} next.caidx both > /dev/null")
    row.increment_bytes = ground.size("store.castr") + ground.size("next.caidx") - row.full_bytes
    row.import_seconds = ground.run(
        "casync extract --without=all --store=store.castr next.caidx far-casync > /dev/null"
    )
    return row


def _borg(ground: Ground) -> Row:
    row = Row("borg, zstd 19, segments that are new")
    ground.run("borg init -e none borg 2> /dev/null")
    row.full_seconds = ground.run("borg create -C zstd,19 borg::full packages")
    row.full_bytes = ground.size("borg")
    ground.run("[ -d both ] || { cp -r packages both && cp -r more/. both/; }")
    row.increment_seconds = ground.run("cd both && borg create -C zstd,19 ../borg::next .")
    row.increment_bytes = ground.size("borg") - row.full_bytes
    row.import_seconds = ground.run("mkdir far-borg && cd far-borg && borg extract ../borg::next")
    return row


def _kinds(ground: Ground) -> Iterator[str]:
    """What an increment's bytes are: the frame of patches, the list, and the compressed list by kind of line."""
    import io

    import zstandard

    from mmpm.registry.pack.reading import PackReader, entries_of

    for name in ("next.pack", "next.serial.pack"):
        data = (ground.folder / name).read_bytes()
        reader = PackReader(io.BytesIO(data), name)
        listing = reader.list_bytes()
        frames = sum(len(frame) for _, frame in reader.members())
        entries = list(entries_of(reader.head, listing, name))
        packed = len(zstandard.ZstdCompressor(level=19).compress(listing))
        bases = b"".join(line for line in listing.splitlines(keepends=True) if line.startswith(b'{"base"'))
        lines_of_bases = len(zstandard.ZstdCompressor(level=19).compress(bases))
        yield (
            f"{name}: {len(data)} bytes = members {frames}, {len(entries)} of them, list {packed} "
            f"(of which bases {lines_of_bases}), {HEAD} {len(reader.head_bytes)}"
        )
    for name in ("far.inventory", "far.filter"):
        yield f"{name}: {ground.size(name)} bytes"
