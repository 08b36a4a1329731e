"""The documents of a registry tree but for the index: bytes to values and back, checked by hand where they enter.

Rule: a parser here believes nothing: `ValueError` with one plain sentence for anything that is not exactly the
document it expects, unknown keys excepted. Writers give canonical JSON, so that equal values are equal bytes.
Readers have checked the bytes' sha256 or blake3 before they come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.capabilities import Capabilities
from mmpm.model.checksums import Checksum
from mmpm.model.fields import Fields
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.registry.index import FORMAT, read_kind, read_requires, read_soft, requires_json
from mmpm_store.ids import ObjectId
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from mmpm.model.references import Requirement
    from mmpm.model.release import Release, ReleaseKind

MAX_CHANGELOG: Final = 65_536
MAX_YANK_REASON: Final = 1000
MAX_DEPENDENCIES: Final = 1000
MAX_DESCRIPTION_IN_CATALOG: Final = 500


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
                "requires": requires_json(self.requires),
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
            kind=read_kind(fields),
            description=fields.text("description", 1 << 20),
            author=fields.optional("author"),
            license=fields.optional("license"),
            repository=fields.optional("repository"),
            capabilities=Capabilities.of_document(fields.table("capabilities")),
            changelog=fields.optional("changelog", MAX_CHANGELOG),
            published_at=fields.text("published_at", 40),
            requires=read_requires(fields),
            soft=read_soft(fields),
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
            kind=read_kind(fields),
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


# --- registry.json ----------------------------------------------------------------------


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
