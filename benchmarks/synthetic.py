"""A synthetic registry's worth of releases: a function of a seed, with sizes and sharing like the real bundles'.

In the corpus a bundle has 17 files of 7 kB, of which 22 % of the bytes are unique; the peers that are compared in the
benchmarks were measured with 1,000 packages of about 5.5 files, so that is the shape here: every release has its
own formula.toml and README, and shares most templates and scripts with others.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20260110
SHARED_FILES = 400
VOCABULARY = (
    "review deploy branch merge rebase witness patrol convoy step gate formula bead town rig hook queue digest "
    "evidence summary report check run build test lint ship hold notify close open wait record trace"
)
WORDS = VOCABULARY.split()


def prose(chooser: random.Random, size_bytes: int) -> str:
    """Text of about that size in which words repeat as they do in prose."""
    lines = []
    length = 0
    while length < size_bytes:
        line = " ".join(chooser.choices(WORDS, k=12))
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines) + "\n"


def formula(chooser: random.Random, name: str, version: str) -> str:
    """A valid formula of 4 to 12 kB."""
    lines = [f'formula = "{name}"', f'description = "{" ".join(chooser.choices(WORDS, k=8))}"', "version = 1", ""]
    for number in range(chooser.randint(4, 12)):
        lines += [
            "[[steps]]",
            f'id = "step-{number}"',
            f'title = "{" ".join(chooser.choices(WORDS, k=5))}"',
            f'description = """\n{prose(chooser, 900)}"""',
            "",
        ]
    lines += ["[package]", f'version = "{version}"', 'author = "bench@example.com"', 'license = "MIT"', ""]
    return "\n".join(lines)


def write_bundles(folder: Path, count: int) -> Path:
    """Write `count` bundles of 5.5 files on average, one version each.

    Returns:
        A batch file for `publish --batch`, its lines sorted by name.
    """
    chooser = random.Random(SEED)
    shared = [prose(chooser, chooser.randint(500, 16_000)) for _ in range(SHARED_FILES)]
    lines = []
    for number in range(count):
        name = f"bench-{number:05d}"
        bundle = folder / f"{name}.formula.bundle"
        (bundle / "templates").mkdir(parents=True)
        (bundle / "scripts").mkdir()
        (bundle / "formula.toml").write_text(formula(chooser, name, "1.0.0"))
        (bundle / "README.md").write_text(f"# {name}\n\n{prose(chooser, 1500)}")
        for index in range(chooser.randint(1, 4)):
            (bundle / "templates" / f"t{index}.tmpl").write_text(chooser.choice(shared))
        for index in range(chooser.randint(0, 2)):
            script = bundle / "scripts" / f"s{index}.sh"
            script.write_text(chooser.choice(shared))
            script.chmod(0o755)
        lines.append({"name": name, "version": "1.0.0", "path": str(bundle)})
    return write_batch(folder, lines)


def write_formulas(folder: Path, count: int) -> Path:
    """Write `count` single-file releases, three versions a name, for publishing in one batch."""
    chooser = random.Random(SEED + 1)
    lines = []
    for number in range(count):
        name = f"bench-{number // 3:05d}"
        version = f"1.{number % 3}.0"
        path = folder / f"{name}-{version}" / f"{name}.formula.toml"
        path.parent.mkdir(parents=True)
        path.write_text(formula(chooser, name, version))
        lines.append({"name": name, "version": version, "path": str(path)})
    return write_batch(folder, lines)


def write_batch(folder: Path, lines: list[dict[str, str]]) -> Path:
    """Write the lines of a batch beside what they name."""
    batch = folder / "batch.jsonl"
    batch.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return batch
