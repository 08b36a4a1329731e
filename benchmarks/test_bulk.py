"""Tens of thousands of releases through every verb: wall time, CPU time, peak memory, beside what the disk can do.

    MMPM_BULK=50000 pytest benchmarks/test_bulk.py      so many releases; 2,000 if nothing is said, 60 in a smoke run

Each verb is a process of its own, in order, on the results of those before it; the limits are measured among them, on
the same files. Peaks are of the verb alone. Nothing is said of rates, which depend on the disk; memory is bounded.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bulk import Bulk
from corpus import Corpus, corpus_folder
from nginx_server import Nginx, find_nginx
from registry_tree import HOST
from world import START_SCRIPT

RELEASES = 2_000
RELEASES_IN_A_SMOKE_RUN = 60
PEAK_BYTES = 300_000_000
MEASURED = Path(__file__).resolve().parent.parent / "tests" / "measured.py"


@dataclass
class Run:
    """The folder of the run, and the rows so far.

    Attributes:
        rows: name, wall and CPU seconds, peak in bytes, bytes that were worked on.
    """

    folder: Path
    rows: list[tuple[str, float, float, float, int]] = field(default_factory=list)

    def mmpm(self, label: str, line: str, work: int = 0, home: str = "home") -> str:
        """Run a command of ours, which must succeed; give its standard output."""
        words = line.format(f=self.folder).split()
        return self.measure(label, [sys.executable, str(START_SCRIPT), *words], work, home)

    def limit(self, label: str, script: str, work: int) -> None:
        """Run what ours is held against."""
        self.measure(f"    {label}", ["/bin/sh", "-ec", script.format(f=self.folder)], work, "home")

    def measure(self, label: str, command: list[str], work: int, home: str) -> str:
        """Run a command and note what it cost."""
        place = self.folder / home
        (place / "project").mkdir(parents=True, exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(place), "LANG": "C.UTF-8", "TERM": "dumb"}
        cost = self.folder / "cost"
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(MEASURED), str(cost), *command],
            cwd=place / "project", env=environment, capture_output=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
        found = json.loads(cost.read_text())
        self.rows.append((label, found["wall"], found["cpu"], found["peak"], work))
        return done.stdout.decode()

    def size(self, path: str) -> int:
        """Give the bytes of a file, or of all files in a folder, each inode once."""
        full = self.folder / path
        if full.is_file():
            return full.stat().st_size
        found = {}
        for top, _, names in os.walk(full):
            for name in names:
                status = os.lstat(os.path.join(top, name))
                found[status.st_ino] = status.st_size
        return sum(found.values())


@pytest.fixture(scope="module")
def run(scratch, small) -> Run:
    """Make the releases."""
    folder = scratch / "bulk"
    folder.mkdir()
    place = corpus_folder()
    releases = RELEASES_IN_A_SMOKE_RUN if small else int(os.environ.get("MMPM_BULK", RELEASES))
    bulk = Bulk.of(releases, Corpus(place) if place else None)
    bulk.write(folder / "sources")
    bulk.write_next(folder / "more", 100 if releases >= RELEASES else 10)
    names = [name for name, _ in bulk.formulas()][: max(1, releases // 10)]
    manifest = folder / "home" / "project" / "mmpm.toml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("[formulas]\n" + "".join(f'{name} = "^1"\n' for name in names))
    return Run(folder)


def test_bulk_through_every_verb(run, add_note):
    made = run.mmpm("registry init", f"registry init {{f}}/reg --id {HOST} --no-passphrase --yes")
    found = re.search(r"[0-9a-f]{64}", made)
    assert found is not None
    root = f"--root sha256:{found[0]}"
    sources = run.size("sources")
    run.mmpm("publish --batch", "publish --batch {f}/sources/batch.jsonl --to {f}/reg --yes", sources)
    run.limit("cp -r of the sources", "cp -r {f}/sources {f}/sources-copy", sources)
    _mirror(run, root)
    _carry(run, root)
    run.mmpm("registry add", f"registry add {{f}}/mirror {root} --yes")
    run.mmpm("lock, one in ten", "lock")
    run.mmpm("sync", "sync --yes")
    run.mmpm("sync, nothing to do", "sync")
    add_note(f"{'':36}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'MB/s':>9}")
    for label, wall, cpu, peak, work in run.rows:
        rate = f"{work / 1e6 / wall:9.1f}" if work else ""
        add_note(f"{label:36}{wall:9.2f}{cpu:9.2f}{peak / 1e6:9.0f}{rate}")
    assert {label: peak for label, _, _, peak, _ in run.rows if peak > PEAK_BYTES} == {}


def _mirror(run: Run, root: str) -> None:
    tree = run.size("reg")
    run.mmpm("mirror create, folder", f"mirror create {{f}}/mirror --from {{f}}/reg {root} --yes", tree)
    run.limit("cp -r of the registry", "cp -r {f}/reg {f}/reg-copy", tree)
    program = find_nginx()
    if program:
        server = Nginx(program, run.folder / "reg", run.folder / "nginx")
        try:
            run.mmpm("mirror create, nginx", f"mirror create {{f}}/served --from {server.url} {root} --yes", tree)
        finally:
            server.stop()
    objects = run.size(f"mirror/mirrors/{HOST}/objects")
    run.mmpm("mirror verify", "mirror verify {f}/mirror", objects)
    run.limit(
        "sha256sum of its objects",
        "find {f}/mirror -path '*/objects/*' -type f -exec sha256sum {{}} + > {f}/sums",
        objects,
    )


def _carry(run: Run, root: str) -> None:
    tree = run.size(f"mirror/mirrors/{HOST}")
    run.mmpm("mirror export, full", "mirror export {f}/mirror -o {f}/full.pack --yes", tree)
    run.limit("tar | zstd -10", "tar -c -C {f}/mirror mirrors | zstd -q -10 --single-thread > {f}/full.tar.zst", tree)
    run.mmpm("mirror import", f"mirror import {{f}}/full.pack --to {{f}}/far {root} --yes", tree)
    run.mmpm(
        "mirror import --to-store", f"mirror import {{f}}/full.pack --to-store {root} --yes", tree, "home-of-a-store"
    )
    run.mmpm("mirror inventory", "mirror inventory {f}/far -o {f}/far.inventory", tree)
    run.mmpm("publish, 1 % more", "publish --batch {f}/more/batch.jsonl --to {f}/reg --yes", run.size("more"))
    run.mmpm("mirror update, 1 % more", "mirror update {f}/mirror --yes")
    run.mmpm("mirror export, 1 % more", "mirror export {f}/mirror -o {f}/more.pack --base {f}/far.inventory --yes")
    run.mmpm("mirror import, 1 % more", "mirror import {f}/more.pack --to {f}/far --yes")
