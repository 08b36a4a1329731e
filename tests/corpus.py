"""The corpus of real formulas and bundles, as values."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def corpus_folder() -> Path | None:
    """Find the shared corpus: `MMPM_CORPUS`, else beside the checkout; None where neither is there."""
    named = os.environ.get("MMPM_CORPUS")
    places = [Path(named)] if named else [CHECKOUT.parent / "shared" / "corpus"]
    return next((place for place in places if (place / "index.jsonl").is_file()), None)


@dataclass(frozen=True)
class Corpus:
    """A folder in the corpus's layout (its README.md).

    Attributes:
        folder: absolute.
    """

    folder: Path

    @cached_property
    def formulas(self) -> list[dict[str, object]]:
        """The lines of index.jsonl, sorted by name, then version."""
        return read_lines(self.folder / "index.jsonl")

    @cached_property
    def edge(self) -> list[dict[str, object]]:
        """The lines of edge.jsonl: unusual contents that have no version."""
        return read_lines(self.folder / "edge.jsonl")

    @cached_property
    def bundle_files(self) -> list[dict[str, object]]:
        """The lines of bundles.index.jsonl: one a file."""
        return read_lines(self.folder / "bundles.index.jsonl")

    @cached_property
    def bundle_versions(self) -> list[tuple[str, str]]:
        """(bundle, version), in the index's order, each once."""
        return list(dict.fromkeys((str(line["bundle"]), str(line["version"])) for line in self.bundle_files))

    def formula_bytes(self, name: str, version: str) -> bytes:
        """The bytes of one formula version."""
        line = next(line for line in self.formulas if (line["name"], line["version"]) == (name, version))
        return (self.folder / str(line["path"])).read_bytes()

    def unpack_bundles(self, target: Path) -> Path:
        """Unpack bundles.tar.zst under `target`: `<name>/<version>/<name>.formula.bundle/...`, modes as in the archive."""
        target.mkdir(parents=True, exist_ok=True)
        archive = self.folder / "bundles.tar.zst"
        # zstd by way of the library that the project has anyway, so that the tool need not be installed.
        import zstandard

        tar = subprocess.Popen(["tar", "-xpf", "-", "-C", str(target), "--no-same-owner"], stdin=subprocess.PIPE)
        assert tar.stdin is not None
        with archive.open("rb") as source:
            zstandard.ZstdDecompressor(max_window_size=2**27).copy_stream(source, tar.stdin)
        tar.stdin.close()
        assert tar.wait() == 0
        return target


def read_lines(path: Path) -> list[dict[str, object]]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def formula_batch(corpus: Corpus) -> str:
    """The whole of index.jsonl in the form that `publish --batch` reads."""
    lines = [
        {
            "name": line["name"],
            "version": line["version"],
            "path": str(corpus.folder / str(line["path"])),
            "published_at": line["published_at"],
        }
        for line in corpus.formulas
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def bundle_batch(corpus: Corpus, unpacked: Path) -> str:
    """All bundle versions in the form that `publish --batch` reads; `unpacked` is what `unpack_bundles` gave."""
    lines = []
    for name, version in corpus.bundle_versions:
        folder = next((unpacked / name / version).iterdir())
        lines.append({"name": name, "version": version, "path": str(folder)})
    return "".join(json.dumps(line) + "\n" for line in lines)
