"""The set that carrying is measured on: 1,000 bundles of some 38 kB in three versions, and 100 of them in a fourth.

Made from a seed. Its words come from the real corpus where that is at hand (else from a list), in sentences of a chain
of words, so that a file compresses as formulas do: 3 to 3.5 times alone, almost away beside its next version. Versions
change as the corpus' bundles do: about half of the files stay, in the others a few lines are rewritten, come or go.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from corpus import Corpus

    from mmpm.registry.publish import PublishItem

VERSIONS = ("1.0.0", "1.1.0", "1.2.0")
NEXT = "1.3.0"
FORMULA_BYTES = 16_000
FILE_BYTES = 4_500
MORE_FILES = (1, 2, 3, 4, 5, 6)
SHARE_OF_FILES_THAT_STAY = 0.5
EDITS = (1, 2, 3, 4, 6, 8, 12)
_WORDS = (
    "the agent reads a step and writes what it found into the report before it goes on with the next one when every "
    "check of the branch has passed and nothing is left open in the list of work that was handed over by the mayor "
    "polecat refinery witness deacon bead hook convoy merge queue gate test build release version tag commit review"
)


@dataclass(frozen=True)
class Carried:
    """The generated set.

    Attributes:
        names: of all packages, sorted.
        changed: those that have a fourth version.
        versions: by name and version, the files by path.
    """

    names: Sequence[str]
    changed: Sequence[str]
    versions: dict[tuple[str, str], dict[str, bytes]]

    def items(self, names: Sequence[str], version: str) -> Iterator[PublishItem]:
        """Give releases as a publisher takes them."""
        from registry_tree import bundle

        for name in names:
            files = [(path, path.endswith(".sh"), data) for path, data in sorted(self.versions[name, version].items())]
            yield bundle(name, version, files)

    def write(self, folder: Path, names: Sequence[str], version: str) -> None:
        """Write packages as people have them, `folder`/NAME/VERSION/..."""
        for name in names:
            for path, data in self.versions[name, version].items():
                full = folder / name / version / path
                full.parent.mkdir(parents=True, exist_ok=True)
                full.write_bytes(data)


class Language:
    """Words after words, as in a text: what follows a word in the corpus may follow it here."""

    def __init__(self, text: str) -> None:
        words = text.split()
        self.first = words[0]
        self.following: dict[str, list[str]] = {}
        for one, other in pairwise(words):
            self.following.setdefault(one, []).append(other)

    def lines(self, source: random.Random, size: int) -> list[str]:
        """Give lines of some eighty characters, of `size` characters together."""
        lines, line, word = [], [], self.first
        while size > 0:
            # A word at random now and then, so that the text does not turn in circles.
            following = self.following.get(word)
            word = source.choice(following if following and source.random() < 0.5 else self.words)
            line.append(word)
            size -= len(word) + 1
            if sum(map(len, line)) > 70:
                lines.append(" ".join(line))
                line = []
        return [*lines, " ".join(line)]

    @property
    def words(self) -> list[str]:
        """All words, those that occur often as often."""
        if not hasattr(self, "_words"):
            self._words = [word for words in self.following.values() for word in words]
        return self._words


def make_set(corpus: Corpus | None, packages: int = 1000, seed: int = 20_260_110) -> Carried:
    """Make the set; equal arguments (and corpora) give equal bytes."""
    source = random.Random(seed)
    language = Language(text_of(corpus))
    names = [f"mol-carried-{number:04}" for number in range(packages)]
    changed = sorted(source.sample(names, packages // 10))
    versions: dict[tuple[str, str], dict[str, bytes]] = {}
    for name in names:
        texts = _first(name, language, source)
        for version in (*VERSIONS, NEXT) if name in set(changed) else VERSIONS:
            if version != VERSIONS[0]:
                texts = {path: _edited(path, lines, language, source) for path, lines in texts.items()}
            versions[name, version] = {path: ("\n".join(lines) + "\n").encode() for path, lines in texts.items()}
    return Carried(names, changed, versions)


def text_of(corpus: Corpus | None) -> str:
    if corpus is None:
        return " ".join(random.Random(1).choices(_WORDS.split(), k=20_000))
    newest = {str(line["name"]): str(line["path"]) for line in corpus.formulas}
    return "\n".join((corpus.folder / path).read_text(encoding="utf-8") for path in sorted(newest.values()))


def _first(name: str, language: Language, source: random.Random) -> dict[str, list[str]]:
    texts = {"formula.toml": _formula(name, language, source), "README.md": language.lines(source, FILE_BYTES)}
    for number in range(source.choice(MORE_FILES)):
        path = f"scripts/step-{number}.sh" if number % 3 == 2 else f"templates/part-{number}.md"
        texts[path] = language.lines(source, int(source.uniform(0.3, 1.7) * FILE_BYTES))
    return texts


def _formula(name: str, language: Language, source: random.Random) -> list[str]:
    lines = [
        f'formula = "{name}"',
        "version = 1",
        'type = "workflow"',
        'description = """',
        *language.lines(source, 400),
    ]
    lines.append('"""')
    size = sum(map(len, lines))
    number = 0
    while size < FORMULA_BYTES:
        number += 1
        step = [
            "",
            "[[steps]]",
            f'id = "step-{number}"',
            f'title = "{language.lines(source, 40)[0]}"',
            'description = """',
        ]
        step += [*language.lines(source, int(source.uniform(300, 2500))), '"""']
        lines += step
        size += sum(map(len, step))
    return lines


def _edited(path: str, lines: list[str], language: Language, source: random.Random) -> list[str]:
    if path != "formula.toml" and source.random() < SHARE_OF_FILES_THAT_STAY:
        return lines
    lines = list(lines)
    for _ in range(source.choice(EDITS)):
        at = source.randrange(len(lines))
        new = language.lines(source, source.choice((60, 120, 240)))
        kind = source.randrange(3)
        lines[at : at + (0, 1, len(new))[kind]] = [] if kind == 1 and source.random() < 0.5 else new
    return lines
