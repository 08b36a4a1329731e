"""Memory is bounded by what releases are named, not by what is in them: four times as many cost a few kilobytes each.

`benchmarks/test_bulk.py` holds the same verbs to 300 MB with 50,000 releases; here a small instance shows how they grow.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from registry_tree import HOST
from world import START_SCRIPT

MEASURED = Path(__file__).resolve().parent.parent / "measured.py"
FEW, MANY = 300, 1200
CONTENT_BYTES = 30_000
BYTES_A_RELEASE = 12_000
"""What a release more may cost; less than half of what is in it."""
VARYING_BYTES = 8_000_000

VERBS = {
    "publish": "publish --batch {f}/sources/batch.jsonl --to {f}/reg --yes",
    "create": "mirror create {f}/mirror --from {f}/reg {root} --yes",
    "update": "mirror update {f}/mirror --yes",
    "verify": "mirror verify {f}/mirror",
    "export": "mirror export {f}/mirror -o {f}/pack --yes",
    "import": "mirror import {f}/pack --to {f}/far {root} --yes",
    "to-store": "mirror import {f}/pack --to-store {root} --yes",
    "inventory": "mirror inventory {f}/far -o {f}/far.inventory",
    "increment": "mirror export {f}/mirror -o {f}/more.pack --base {f}/far.inventory --yes",
}


def _write(folder: Path, releases: int) -> None:
    folder.mkdir()
    with (folder / "batch.jsonl").open("w", encoding="utf-8") as batch:
        for number in range(releases):
            name = f"mol-{number // 2:04}"
            path = folder / f"{number}.formula.toml"
            text = f"{number} every release has its own words\\n" * (CONTENT_BYTES // 40)
            path.write_text(
                f'formula = "{name}"\nversion = 1\ntype = "workflow"\ndescription = "A release"\n\n'
                f'[[steps]]\nid = "a"\ntitle = "A"\ndescription = "{text}"\n'
            )
            line = {"name": name, "version": f"1.{number % 2}.0", "path": path.name}
            batch.write(json.dumps(line) + "\n")


def _peaks(folder: Path, releases: int) -> dict[str, int]:
    folder.mkdir()
    _write(folder / "sources", releases)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "dumb"}

    def run(line: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", str(MEASURED), str(folder / "cost"), sys.executable, str(START_SCRIPT)]
        done = subprocess.run(
            [*command, *line.split()], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stderr[-2000:])
        return json.loads((folder / "cost").read_text())["peak"], done.stdout.decode()

    _, made = run(f"registry init {folder}/reg --id {HOST} --no-passphrase --yes")
    root = f"--root sha256:{made.partition('Fingerprint: ')[2][:64]}"
    return {verb: run(line.format(f=folder, root=root))[0] for verb, line in VERBS.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are compared to the byte, and measured elsewhere otherwise")
def test_a_release_more_costs_a_few_kilobytes_in_every_verb(tmp_path):
    few, many = _peaks(tmp_path / "few", FEW), _peaks(tmp_path / "many", MANY)
    allowed = VARYING_BYTES + (MANY - FEW) * BYTES_A_RELEASE
    # A pack is compressed in a window, which is as large as what is in it, up to 128 MiB.
    window = (MANY - FEW) * CONTENT_BYTES
    bounds = {verb: allowed + window * (verb in {"export", "import", "to-store"}) for verb in VERBS}
    growth = {verb: many[verb] - few[verb] for verb in VERBS}
    assert {verb: size for verb, size in growth.items() if size > bounds[verb]} == {}, growth
