"""Real histories under a thousand names: the corpus' formulas and bundles, laid out in copies.

The corpus has 62 formulas and 45 bundles: 107 names with 663 versions. A copy of it renames each of them, and what
they require of each other, by one ending, so that the versions, sizes, dates and requirements of a copy are those of
the real histories, and two copies have nothing in common. Hashes are made up, each its own: a lock looks into none.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice
from typing import TYPE_CHECKING

from mmpm.model.checksums import Checksum
from mmpm.model.formula import parse_formula
from mmpm.model.names import FormulaName
from mmpm.model.references import Requirement
from mmpm.model.release import Release
from mmpm.model.versions import Version
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corpus import Corpus

    from mmpm.model.formula import Formula
    from mmpm.model.release import ReleaseKind

BUNDLE = ".bundle"
"""Formulas and bundles of the corpus share names; in one registry they cannot."""


def real_histories(corpus: Corpus, names: int) -> dict[str, list[Release]]:
    """Give the histories of so many names, each in order of publication; what is required of a name is among them."""
    originals = _originals(corpus)
    # Those that need others come last, so that a copy may end anywhere.
    order = sorted(originals, key=lambda name: (any(one.requires for one in originals[name]), name))
    copies = ((name, number) for number in count() for name in order)
    return {
        renamed(name, number): [_copy(one, number) for one in originals[name]]
        for name, number in islice(copies, names)
    }  # fmt: skip


def renamed(name: str, number: int) -> str:
    """The name of a copy; copy 0 is the original."""
    return f"{name}-copy-{number:02d}" if number else name


def _originals(corpus: Corpus) -> dict[str, list[Release]]:
    parsed: dict[str, Formula] = {}
    published: dict[tuple[str, str], str] = {}
    committed: dict[str, str] = {}
    found: dict[str, list[Release]] = {}
    for line in corpus.formulas:
        name, version, date = str(line["name"]), str(line["version"]), str(line["published_at"])
        formula = parse_formula((corpus.folder / str(line["path"])).read_bytes(), str(line["path"]))
        parsed[str(line["sha256"])] = formula
        published[name, version] = committed[str(line["commit"])] = date
        size = line["size"]
        assert isinstance(size, int)
        found.setdefault(name, []).append(_release((name, version), "formula", formula, size, date))
    for name, version in corpus.bundle_versions:
        files = [line for line in corpus.bundle_files if (line["bundle"], line["version"]) == (name, version)]
        formula = next(parsed[str(line["sha256"])] for line in files if line["path"] == "formula.toml")
        date = published.get((name, version)) or committed.get(str(files[0]["commit"])) or "2026-06-01T00:00:00Z"
        size = sum(line["size"] for line in files if isinstance(line["size"], int))
        bundle = _release((name + BUNDLE, version), "bundle", formula, size, date)
        found.setdefault(name + BUNDLE, []).append(bundle)
    for history in found.values():
        history.sort(key=lambda one: (one.published_at, one.version))
    return found


def _release(at: tuple[str, str], kind: ReleaseKind, formula: Formula, size: int, date: str) -> Release:
    name, version = at
    return Release(
        name=FormulaName.parse(name),
        version=Version.parse(version),
        kind=kind,
        requires=formula.requires,
        soft=tuple(map(FormulaName.parse, formula.soft)),
        checksum=Checksum.of(f"{name} {version}".encode()),
        tree=ObjectId.of(f"tree {name} {version}".encode()),
        size=size,
        published_at=date,
        serial=1,
        document=ObjectId.of(f"document {name} {version}".encode()),
    )


def _copy(release: Release, number: int) -> Release:
    if not number:
        return release
    name = FormulaName.parse(renamed(str(release.name), number))
    requires = [Requirement(FormulaName.parse(renamed(str(one.name), number)), one.range) for one in release.requires]
    return replace(
        release,
        name=name,
        requires=tuple(requires),
        checksum=Checksum.of(f"{name} {release.version}".encode()),
        tree=ObjectId.of(f"tree {name} {release.version}".encode()),
        document=ObjectId.of(f"document {name} {release.version}".encode()),
    )


def manifest(histories: dict[str, list[Release]]) -> str:
    """A project that asks for every name as `install` writes it: up to the next major."""
    return "[formulas]\n" + "".join(_asked(histories))


def _asked(histories: dict[str, list[Release]]) -> Iterator[str]:
    for name, history in histories.items():
        newest = max(one.version for one in history)
        yield f'"{name}" = "^{newest.major}"\n'
