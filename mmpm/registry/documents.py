"""The documents of a registry tree: bytes to values and back, checked by hand where they enter.

Rule: a parser here believes nothing: `ValueError` with one plain sentence for anything that is not exactly the
document it expects, unknown keys excepted. Writers give canonical JSON, so that equal values are equal bytes.
Readers have checked the bytes' sha256 or blake3 before they come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.capabilities import Capabilities
from mmpm.model.checksums import Checksum
from mmpm.model.names import FormulaName
from mmpm.model.ranges import VersionRange
from mmpm.model.references import Requirement
from mmpm.model.release import RELEASE_KINDS, Release, ReleaseKind
from mmpm.model.versions import Version
from mmpm.registry.fields import Fields
from mmpm_store.ids import ObjectId
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

FORMAT: Final = 1
INDEX_LINES: Final = 256
"""An index holds at most the newest 256 lines of a history."""
PAGE_LINES: Final = 128
"""What moves into an immutable page when an index would grow beyond that."""
MAX_PAGES: Final = 8192
"""A million releases; more is no history but an attack on its readers."""
MAX_CHANGELOG: Final = 65_536
MAX_YANK_REASON: Final = 1000
MAX_DEPENDENCIES: Final = 1000
MAX_DESCRIPTION_IN_CATALOG: Final = 500


def _requires_json(requires: Sequence[Requirement]) -> dict[str, str]:
    return {str(one.name): str(one.range) for one in requires}


def _read_requires(fields: Fields) -> tuple[Requirement, ...]:
    found = fields.mapping("requires")
    return tuple(_requirement(key, found[key]) for key in sorted(found))


def _read_kind(fields: Fields) -> ReleaseKind:
    text = fields.text("kind", 40)
    for kind in RELEASE_KINDS:
        if text == kind:
            return kind
    raise ValueError(f"{quoted(text)} is not one of the kinds {', '.join(RELEASE_KINDS)}")


def _read_soft(fields: Fields) -> tuple[FormulaName, ...]:
    return tuple(FormulaName.parse(one) for one in fields.texts("soft"))


# --- formulas/<name>/<sha256>.index.json and its pages ---------------------------------------------------------


def release_line(release: Release) -> dict[str, object]:
    """Give the index line of a release: empty lists, no yank and no tombstone are left out."""
    line: dict[str, object] = {
        "version": str(release.version),
        "kind": release.kind,
        "checksum": str(release.checksum),
        "tree": str(release.tree),
        "size": release.size,
        "published_at": release.published_at,
        "serial": release.serial,
        "document": str(release.document),
    }
    if release.requires:
        line["requires"] = _requires_json(release.requires)
    if release.soft:
        line["soft"] = [str(one) for one in release.soft]
    if release.signatures:
        line["signatures"] = list(release.signatures)
    if release.yanked is not None:
        line["yanked"] = release.yanked
    if release.tombstone:
        line["tombstone"] = True
    return line


def parse_release_line(name: FormulaName, line: object) -> Release:
    """Give the release that an index line describes.

    A lock reads tens of thousands of lines, so that one that is as `release_line` writes it is read in one go; any
    other is read field by field, which says what is wrong with it.

    Raises:
        ValueError: the line is not what `release_line` writes.
    """
    if type(line) is dict:
        try:
            found = _read_plain_line(name, line)
        except (KeyError, TypeError, ValueError, AttributeError):
            found = None
        if found is not None:
            return found
    return _read_line_by_fields(name, line)


_RARE_KEYS: Final = frozenset({"soft", "signatures", "yanked", "tombstone"})


def _read_plain_line(name: FormulaName, line: dict[str, Any]) -> Release | None:
    """Read a line of the common shape; None, or any error, means that it has to be read field by field."""
    size, serial, published_at, kind = line["size"], line["serial"], line["published_at"], line["kind"]
    requires: dict[str, str] = line.get("requires", _NOTHING)
    is_plain = (
        _RARE_KEYS.isdisjoint(line)
        and kind in RELEASE_KINDS
        and type(size) is type(serial) is int
        and 0 <= size < 1 << 53
        and 0 <= serial < 1 << 53
        and type(published_at) is str
        and len(published_at) <= 40
    )
    if not is_plain:
        return None
    return Release(
        name,
        Version.parse(line["version"]),
        kind,
        tuple([_requirement(key, requires[key]) for key in sorted(requires)]),
        (),
        Checksum.parse(line["checksum"]),
        ObjectId.parse(line["tree"]),
        size,
        published_at,
        serial,
        ObjectId.parse(line["document"]),
    )


_NOTHING: Final[dict[str, str]] = {}


@lru_cache(maxsize=65536)
def _requirement(name: str, text: str) -> Requirement:
    """Read one requirement; indexes repeat the same ones from release to release."""
    return Requirement(FormulaName.parse(name), VersionRange.parse(text))


def _read_line_by_fields(name: FormulaName, line: object) -> Release:
    fields = Fields(line, f"a release line of {name}")
    return Release(
        name=name,
        version=Version.parse(fields.text("version", 256)),
        kind=_read_kind(fields),
        requires=_read_requires(fields),
        soft=_read_soft(fields),
        checksum=Checksum.parse(fields.text("checksum", 80)),
        tree=ObjectId.parse(fields.text("tree", 80)),
        size=fields.whole("size"),
        published_at=fields.text("published_at", 40),
        serial=fields.whole("serial"),
        document=ObjectId.parse(fields.text("document", 80)),
        signatures=fields.texts("signatures"),
        yanked=fields.optional("yanked"),
        tombstone=fields.flag("tombstone"),
    )


@dataclass(frozen=True, slots=True)
class PageReference:
    """One page of older lines, as the index names it; `number` counts from 1, the oldest."""

    number: int
    sha256: str
    length: int


@dataclass(frozen=True, slots=True)
class FormulaIndex:
    """What the solver needs of one formula.

    Attributes:
        name: the formula.
        lines: release lines as parsed JSON, in order of publication, at most `INDEX_LINES`; parsed one by one
            by `releases`, because a refresh of 1,000 names touches most of them only to pass them on.
        pages: older lines, oldest page first, each `PAGE_LINES` long.
    """

    name: FormulaName
    lines: tuple[object, ...]
    pages: tuple[PageReference, ...] = ()

    def releases(self) -> tuple[Release, ...]:
        """Give the releases of this document alone, in order of publication.

        Raises:
            ValueError: a line is malformed.
        """
        return tuple(parse_release_line(self.name, line) for line in self.lines)

    def to_bytes(self) -> bytes:
        """Give the target ``formulas/<name>/index.json``."""
        document: dict[str, object] = {"format": FORMAT, "name": str(self.name), "releases": list(self.lines)}
        if self.pages:
            document["pages"] = [{"number": p.number, "sha256": p.sha256, "length": p.length} for p in self.pages]
        return canonical_json(document)

    @classmethod
    def parse(cls, data: bytes, name: FormulaName) -> Self:
        """Read an index whose sha256 was checked.

        Raises:
            ValueError: not an index, of another formula, or of a newer format.
        """
        what = f"the index of {name}"
        fields = Fields(parse_json(data, what, max_depth=None), what)
        fields.require_format(FORMAT)
        if fields.text("name") != str(name):
            raise ValueError(f"the index of {name} is that of another formula")
        lines = fields.items("releases")
        if len(lines) > INDEX_LINES:
            raise ValueError(f"the index of {name} has {len(lines)} lines; at most {INDEX_LINES} are allowed")
        listed = fields.items("pages")
        if len(listed) > MAX_PAGES:
            raise ValueError(f"the index of {name} has {len(listed)} pages; at most {MAX_PAGES} are allowed")
        pages = tuple(_read_page_reference(one, name) for one in listed)
        if any(page.number != number for number, page in enumerate(pages, 1)):
            raise ValueError(f"the pages of {name} are not numbered from 1")
        return cls(name, tuple(lines), pages)


def _read_page_reference(value: object, name: FormulaName) -> PageReference:
    fields = Fields(value, f"a page of {name}")
    sha256 = fields.text("sha256", 64)
    Checksum.parse(f"sha256:{sha256}")
    return PageReference(fields.whole("number"), sha256, fields.whole("length"))


def page_to_bytes(name: FormulaName, lines: Sequence[object]) -> bytes:
    """Give the bytes of a page of older release lines."""
    return canonical_json({"format": FORMAT, "name": str(name), "releases": list(lines)})


def parse_page(data: bytes, name: FormulaName) -> tuple[object, ...]:
    """Give the lines of a page whose sha256 was checked against its index.

    Raises:
        ValueError: not a page of this formula.
    """
    return FormulaIndex.parse(data, name).lines


# --- the release document (an object, and formulas/<name>/<version>/index.json) ---------------------------------


@dataclass(frozen=True, slots=True)
class ReleaseDocument:
    """What people and search want to know of one release; immutable, content-addressed."""

    name: FormulaName
    version: Version
    kind: ReleaseKind
    description: str
    author: str | None
    license: str | None
    repository: str | None
    capabilities: Capabilities
    changelog: str | None
    published_at: str
    requires: tuple[Requirement, ...]
    soft: tuple[FormulaName, ...]
    checksum: Checksum
    size: int
    tree: Tree

    def to_bytes(self) -> bytes:
        """Give canonical JSON: the seed's fields of ``GET /formulas/{name}/{version}`` and ours."""
        return canonical_json(
            {
                "format": FORMAT,
                "name": str(self.name),
                "version": str(self.version),
                "kind": self.kind,
                "description": self.description,
                "author": self.author,
                "license": self.license,
                "repository": self.repository,
                "capabilities": self.capabilities.to_document(),
                "changelog": self.changelog,
                "published_at": self.published_at,
                "requires": _requires_json(self.requires),
                "soft": [str(one) for one in self.soft],
                "checksum": str(self.checksum),
                "size": self.size,
                "tree": str(self.tree.id),
                "files": [[one.path, int(one.executable), str(one.id), one.size] for one in self.tree.entries],
                "content": f"formulas/{self.name}/{self.version.path_text}/download",
                "signature": None,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a release document whose object id was checked.

        Raises:
            ValueError: not a release document, or its listing is not the tree that it names.
        """
        fields = Fields(parse_json(data, "the release document"), "the release document")
        fields.require_format(FORMAT)
        tree = _read_files(fields.items("files"))
        if str(tree.id) != fields.text("tree", 80):
            raise ValueError("the release document lists other files than the tree that it names")
        return cls(
            name=FormulaName.parse(fields.text("name")),
            version=Version.parse(fields.text("version", 256)),
            kind=_read_kind(fields),
            description=fields.text("description", 1 << 20),
            author=fields.optional("author"),
            license=fields.optional("license"),
            repository=fields.optional("repository"),
            capabilities=Capabilities.of_document(fields.table("capabilities")),
            changelog=fields.optional("changelog", MAX_CHANGELOG),
            published_at=fields.text("published_at", 40),
            requires=_read_requires(fields),
            soft=_read_soft(fields),
            checksum=Checksum.parse(fields.text("checksum", 80)),
            size=fields.whole("size"),
            tree=tree,
        )


def parse_document_of(release: Release, data: bytes) -> ReleaseDocument:
    """Read the release document that an index line names, whose object id was checked.

    Raises:
        ValueError: as for `ReleaseDocument.parse`, or it speaks of another release than its line does.
    """
    found = ReleaseDocument.parse(data)
    told = (found.name, str(found.version), found.kind, found.checksum, found.tree.id, found.size, found.requires)
    line = (release.name, str(release.version), release.kind, release.checksum, release.tree, release.size)
    if told != (*line, release.requires):
        raise ValueError(f"the release document of {release.name} {release.version} is not that of its index line")
    return found


def _read_files(rows: Sequence[object]) -> Tree:
    entries = []
    for row in rows:
        if not (isinstance(row, list) and len(row) == 4 and isinstance(row[0], str) and row[1] in (0, 1)):
            raise ValueError("the release document: a file is not [path, 0 or 1, object id, size]")
        if not isinstance(row[2], str) or type(row[3]) is not int:
            raise ValueError("the release document: a file is not [path, 0 or 1, object id, size]")
        entries.append(FileEntry(row[0], bool(row[1]), ObjectId.parse(row[2]), row[3]))
    return Tree.of(entries)


# --- catalog/<sha256>.<xx>.jsonl ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CatalogLine:
    """What search reads of one formula: its latest release, described shortly."""

    name: FormulaName
    latest: Version
    kind: ReleaseKind
    description: str
    author: str | None
    license: str | None
    repository: str | None
    capabilities: Capabilities
    published_at: str

    def to_bytes(self) -> bytes:
        """Give the line, newline included."""
        return canonical_json(self.to_json()) + b"\n"

    def to_json(self) -> dict[str, object]:
        """Give the line as a JSON object."""
        return {
            "name": str(self.name),
            "latest": str(self.latest),
            "kind": self.kind,
            "description": self.description,
            "author": self.author,
            "license": self.license,
            "repository": self.repository,
            "capabilities": self.capabilities.to_document(),
            "published_at": self.published_at,
        }

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read one line.

        Raises:
            ValueError: not a catalog line.
        """
        fields = Fields(parse_json(data, "a catalog line"), "a catalog line")
        return cls(
            name=FormulaName.parse(fields.text("name")),
            latest=Version.parse(fields.text("latest", 256)),
            kind=_read_kind(fields),
            description=fields.text("description"),
            author=fields.optional("author"),
            license=fields.optional("license"),
            repository=fields.optional("repository"),
            capabilities=Capabilities.of_document(fields.table("capabilities")),
            published_at=fields.text("published_at", 40),
        )


def parse_catalog(data: bytes) -> tuple[CatalogLine, ...]:
    """Read a catalog shard: lines sorted by name, no name twice.

    Raises:
        ValueError: a line is malformed, or the lines are not in order.
    """
    lines = tuple(CatalogLine.parse(line) for line in data.splitlines())
    names = [str(line.name) for line in lines]
    if any(first >= second for first, second in pairwise(names)):
        raise ValueError("a catalog shard is not sorted by name")
    return lines


def catalog_to_bytes(lines: Mapping[str, bytes]) -> bytes:
    """Give a shard from its lines by name."""
    return b"".join(lines[name] for name in sorted(lines))


# --- registry.json and trust/publishers.json ----------------------------------------------------------------------


def registry_json(registry_id: str, title: str, peers: Sequence[str] = (), api: str | None = None) -> bytes:
    """Give ``registry.json``: advisory, for people and browsers; what is believed is signed in root and targets."""
    return canonical_json({"format": FORMAT, "id": registry_id, "title": title, "peers": list(peers), "api": api})


def parse_registry_json(data: bytes) -> tuple[str, str]:
    """Give id and title of ``registry.json``, unverified.

    Raises:
        ValueError: not that document.
    """
    fields = Fields(parse_json(data, "registry.json"), "registry.json")
    fields.require_format(FORMAT)
    return fields.text("id", 300), fields.text("title")


def publishers_json() -> bytes:
    """Give the ``publishers.json`` of a new registry: nobody is verified, nothing is owned or revoked."""
    return canonical_json({"format": FORMAT, "publishers": [], "names": {}, "revoked": []})
