"""`mmpm.lock`: which releases were chosen, as a value and as text.

The text is a function of manifest, previous lock and chosen snapshots alone: no times, places, serials or levels.
JSON with one release a line, sorted, because its parser is on the warm path and lines merge well. The head carries
the requirements that it was made for, so that `sync --frozen` reads no manifest and `--locked` can compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from mmpm.textform import Reader, encode

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT_VERSION = 1
SECTIONS = ("formulas", "molecules")
KINDS = ("formula", "bundle", "molecules")
SOURCES = ("hop://", "import:", "local:")

_READER = Reader("mmpm.lock", "run `mmpm lock`, then commit mmpm.lock")


@dataclass(frozen=True, slots=True)
class Locked:
    """One chosen release. Every field is text as it stands in the file.

    Attributes:
        name: the formula's name, with its scope.
        version: SemVer.
        kind: ``formula``, ``bundle`` or ``molecules``.
        pinned: the person asked for exactly this version.
        checksum: ``sha256:..`` of the payload.
        tree: ``blake3:..`` of the listing.
        size: bytes of the payload.
        source: ``hop://<registry id>/formulas/<name>@<version>``, ``import:<name>@<version>`` or ``local:..``.
        requires: (name, range) pairs, sorted by name.
        yanked: withdrawn when it was locked; the lock alone keeps it.
        alias: the unscoped name to install under (``--as``), if another than the release's own.
    """

    name: str
    version: str
    kind: str
    pinned: bool
    checksum: str
    tree: str
    size: int
    source: str
    requires: tuple[tuple[str, str], ...] = ()
    yanked: bool = False
    alias: str | None = None

    @property
    def installed_name(self) -> str:
        """The unscoped name that the release's files bear on disk."""
        return self.alias or self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Lockfile:
    """What was asked and what was chosen.

    Attributes:
        requirements: (section, name, `requirement_text`), sorted, unique by section and name.
        releases: sorted by name, unique.
    """

    requirements: tuple[tuple[str, str, str], ...] = ()
    releases: tuple[Locked, ...] = ()

    def get(self, name: str) -> Locked | None:
        """Give the release of `name`, scoped name included, if it is locked."""
        return next((release for release in self.releases if release.name == name), None)

    @property
    def cooked(self) -> tuple[Locked, ...]:
        """The formulas and bundles that are asked for as molecules: a catalogue gets what they are cooked to."""
        asked = {name for section, name, _ in self.requirements if section == "molecules"}
        if not asked:
            return ()
        return tuple(one for one in self.releases if one.name in asked and one.kind != "molecules")

    @property
    def placed(self) -> tuple[Locked, ...]:
        """The releases whose files lie in a formulas folder: not those that only molecules are made of."""
        cooked = self.cooked
        if not cooked:
            return tuple(one for one in self.releases if one.kind != "molecules")
        formulas = self.reached(name for section, name, _ in self.requirements if section == "formulas")
        ingredients = self.reached(one.name for one in cooked) - formulas
        return tuple(one for one in self.releases if one.kind != "molecules" and one.name not in ingredients)

    def reached(self, names: Iterable[str]) -> set[str]:
        """Give the names of those of the releases `names` that are locked, and of all that they require."""
        by_name = {one.name: one for one in self.releases}
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in by_name and name not in found:
                found.add(name)
                waiting += [required for required, _ in by_name[name].requires]
        return found


def requirement_text(
    range_text: str, *, registry: str | None = None, alias: str | None = None, prerelease: bool = False
) -> str:
    """Give the text of a requirement for a lock's head: the range, and what else the manifest says of it."""
    extras = [f"registry={registry}"] * bool(registry) + [f"as={alias}"] * bool(alias) + ["pre"] * prerelease
    return "; ".join([range_text, *extras])


@dataclass(frozen=True, slots=True)
class Asked:
    """What a `requirement_text` says: the range, and what else the manifest says of the requirement."""

    range: str
    registry: str | None = None
    alias: str | None = None
    prerelease: bool = False


def parse_requirement_text(text: str) -> Asked:
    """Read what `requirement_text` wrote; an extra that is not known is left out, the range is not looked at."""
    range_text, *extras = text.split("; ")
    said = dict(extra.partition("=")[::2] for extra in extras)
    return Asked(range_text, said.get("registry"), said.get("as"), "pre" in said)


def make_lockfile(requirements: set[tuple[str, str, str]], releases: list[Locked]) -> Lockfile:
    """Make the one value for these requirements and releases, whatever order they come in."""
    return Lockfile(tuple(sorted(requirements)), tuple(sorted(releases, key=lambda locked: locked.name)))


def parse_lock(data: bytes, what: str = "mmpm.lock") -> Lockfile:
    """Read a lock.

    Args:
        data: the file's bytes, from anywhere.
        what: the file's name for messages.

    Raises:
        DocumentUnreadableError: not a lock; merge-conflict markers and JSON errors carry their line.
        NewerFormatError: a newer major wrote it.
    """
    reader = _READER if what == _READER.what else Reader(what, _READER.remedy)
    document = reader.document(data, FORMAT_VERSION)
    asked = reader.mapping(document.get("requires"), "`requires`")
    requirements = tuple(
        (section, name, text)
        for section in SECTIONS
        for name, text in reader.ranges(asked.get(section, {}), f"`requires.{section}`")
    )
    lines = document.get("releases")
    if not isinstance(lines, list):
        reader.fail("`releases` is not a list")
    releases = [_parse_release(reader, line, number) for number, line in enumerate(lines, 1)]
    releases.sort(key=lambda locked: locked.name)
    for before, after in pairwise(releases):
        if before.name == after.name:
            reader.fail(f"has two releases of {before.name}")
    return Lockfile(requirements, tuple(releases))


def _parse_release(reader: Reader, line: object, number: int) -> Locked:
    where = f"release {number}:"
    entry = reader.mapping(line, f"release {number}")
    name = reader.name(entry.get("name"), f"{where} `name`")
    where = name
    kind = entry.get("kind", "formula")
    if kind not in KINDS:
        reader.fail(f"{where}: `kind` is none that mmpm knows")
    source = reader.source(entry.get("source"), f"{where}: `source`")
    if not source.startswith(SOURCES):
        reader.fail(f"{where}: `source` is neither hop://, import: nor local:")
    alias = entry.get("as")
    if alias is not None and "/" in reader.name(alias, f"{where}: `as`"):
        reader.fail(f"{where}: `as` is a scoped name")
    return Locked(
        name,
        reader.version(entry.get("version"), f"{where}: `version`"),
        kind,
        reader.flag(entry.get("pinned", False), f"{where}: `pinned`"),
        reader.checksum(entry.get("checksum"), f"{where}: `checksum`"),
        reader.object_id(entry.get("tree"), f"{where}: `tree`"),
        reader.number(entry.get("size"), f"{where}: `size`"),
        source,
        reader.ranges(entry.get("requires", {}), f"{where}: `requires`"),
        reader.flag(entry.get("yanked", False), f"{where}: `yanked`"),
        alias,
    )


def format_lock(lock: Lockfile) -> bytes:
    """Write `lock`: the same value always gives the same bytes."""
    head = []
    for section in SECTIONS:
        lines = [f"{encode(name)}:{encode(text)}" for place, name, text in lock.requirements if place == section]
        body = "{\n" + ",\n".join(lines) + "\n}" if lines else "{}"
        head.append(f"{encode(section)}:{body}")
    releases = ",\n".join(encode(_release_line(release)) for release in lock.releases)
    listing = f"[\n{releases}\n]" if releases else "[]"
    return f'{{"version":{FORMAT_VERSION},\n"requires":{{{",".join(head)}}},\n"releases":{listing}}}\n'.encode()


def _release_line(locked: Locked) -> dict[str, object]:
    line: dict[str, object] = {"name": locked.name, "version": locked.version}
    if locked.kind != "formula":
        line["kind"] = locked.kind
    line.update(
        pinned=locked.pinned,
        checksum=locked.checksum,
        tree=locked.tree,
        size=locked.size,
        source=locked.source,
        requires=dict(locked.requires),
    )
    if locked.yanked:
        line["yanked"] = True
    if locked.alias:
        line["as"] = locked.alias
    return line
