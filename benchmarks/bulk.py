"""Tens of thousands of small releases, written to disk one after the other: what bulk is measured with.

Of `releases` 4 % are bundles of four files in one version, the others formulas of 1.5 to 6 kB in two or three. Every
fifth formula requires the one before it. A name's texts follow from the seed and the name alone, so any of them, and
the version after the last, can be made again without the others.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carried import Language, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpus import Corpus

VERSIONS_OF_A_FORMULA = (2, 3, 2, 2, 3)
RELEASES_TO_A_BUNDLE = 25
NAMES_IN_A_FOLDER = 200
_SEED = 20_260_410
_NOT_IN_A_TEXT = dict.fromkeys(map(ord, '"\\'))
"""What would end a TOML string."""


@dataclass(frozen=True)
class Bulk:
    """The generated releases.

    Attributes:
        releases: how many.
        language: what their texts are made of.
    """

    releases: int
    language: Language

    @classmethod
    def of(cls, releases: int, corpus: Corpus | None) -> Bulk:
        """Make a set; equal arguments (and corpora) give equal bytes."""
        return cls(releases, Language(text_of(corpus).translate(_NOT_IN_A_TEXT)))

    @property
    def bundles(self) -> int:
        """How many bundles there are."""
        return self.releases // RELEASES_TO_A_BUNDLE

    def formulas(self) -> Iterator[tuple[str, int]]:
        """Give name and number of versions of each formula, sorted."""
        left, number = self.releases - self.bundles, 0
        while left > 0:
            versions = min(left, VERSIONS_OF_A_FORMULA[number % len(VERSIONS_OF_A_FORMULA)])
            yield f"mol-bulk-{number:05}", versions
            left -= versions
            number += 1

    def write(self, folder: Path) -> Path:
        """Write all releases below `folder`; give the file for `publish --batch`."""
        folder.mkdir(parents=True)
        batch = folder / "batch.jsonl"
        with batch.open("w", encoding="utf-8") as lines:
            for name, versions in self.formulas():
                for version, text in enumerate(self._history(name, versions)):
                    lines.write(_line(name, version, _put_formula(folder, name, version, text)))
            for number in range(self.bundles):
                name = f"bundle-bulk-{number:05}"
                lines.write(_line(name, 0, self._put_bundle(folder, name)))
        return batch

    def write_next(self, folder: Path, share: int = 100) -> Path:
        """Write one new release to `share` old ones, each the next of its formula; give the batch's file."""
        folder.mkdir(parents=True)
        every = share * len(VERSIONS_OF_A_FORMULA) // sum(VERSIONS_OF_A_FORMULA)
        batch = folder / "batch.jsonl"
        with batch.open("w", encoding="utf-8") as lines:
            for number, (name, versions) in enumerate(self.formulas()):
                if number % every == 0:
                    *_, text = self._history(name, versions + 1)
                    lines.write(_line(name, versions, _put_formula(folder, name, versions, text)))
        return batch

    def _history(self, name: str, versions: int) -> Iterator[str]:
        source = random.Random(f"{_SEED} {name}")
        lines = self._formula(name, source)
        for version in range(versions):
            if version:
                lines[4 + source.randrange(3)] = self.language.lines(source, 80)[0]
            yield "\n".join([*lines, ""])

    def _formula(self, name: str, source: random.Random) -> list[str]:
        description = self.language.lines(source, 400)
        lines = [f'formula = "{name}"', "version = 1", 'type = "workflow"', 'description = """', *description, '"""']
        size, goal, step = 0, source.uniform(1200, 5600), 0
        while size < goal:
            text = self.language.lines(source, int(source.uniform(200, 900)))
            lines += ["", "[[steps]]", f'id = "step-{step}"', f'title = "{text[0]}"', 'description = """', *text, '"""']
            size += sum(map(len, text)) + 60
            step += 1
        number = int(name[-5:])
        if name.startswith("mol-") and number % 5 == 4:
            lines += ["", "[package.requires]", f'"mol-bulk-{number - 1:05}" = "^1"']
        return lines

    def _put_bundle(self, folder: Path, name: str) -> str:
        source = random.Random(f"{_SEED} {name}")
        top = folder / f"{name[:-2]}" / f"{name}.formula.bundle"
        (top / "templates").mkdir(parents=True)
        (top / "formula.toml").write_text("\n".join([*self._formula(name, source), ""]), encoding="utf-8")
        for path in ("README.md", "templates/first.md", "templates/second.md"):
            text = self.language.lines(source, int(source.uniform(500, 3000)))
            (top / path).write_text("\n".join([*text, ""]), encoding="utf-8")
        return str(top.relative_to(folder))


def _put_formula(folder: Path, name: str, version: int, text: str) -> str:
    place = folder / f"{name[:-2]}" / f"{name}-1.{version}.0"
    place.mkdir(parents=True)
    (place / f"{name}.formula.toml").write_text(text, encoding="utf-8")
    return str((place / f"{name}.formula.toml").relative_to(folder))


def _line(name: str, version: int, path: str) -> str:
    at = f"2026-04-{version + 1:02}T00:00:00Z"
    return json.dumps({"name": name, "version": f"1.{version}.0", "path": path, "published_at": at}) + "\n"
