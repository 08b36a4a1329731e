"""The index of a formula, and its pages of older releases: bytes to lines to releases and back.

    formulas/<name>/<sha256>.index.json    the newest lines, and the pages that hold the rest

Rule: as in `documents`, nothing is believed: `ValueError` with one plain sentence for anything that is not exactly
what is expected, unknown keys excepted. Readers have checked the bytes' sha256 before they come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.checksums import Checksum
from mmpm.model.fields import Fields
from mmpm.model.names import FormulaName
from mmpm.model.ranges import VersionRange
from mmpm.model.references import Requirement
from mmpm.model.release import RELEASE_KINDS, Release, ReleaseKind
from mmpm.model.versions import Version
from mmpm.trust.key_ids import kind_of
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

FORMAT: Final = 1
INDEX_LINES: Final = 256
"""An index holds at most the newest 256 lines of a history."""
PAGE_LINES: Final = 128
"""What moves into an immutable page when an index would grow beyond that."""
MAX_PAGES: Final = 8192
"""A million releases; more is no history but an attack on its readers."""


def requires_json(requires: Sequence[Requirement]) -> dict[str, str]:
    """Give requirements as JSON: range by name."""
    return {str(one.name): str(one.range) for one in requires}


def read_requires(fields: Fields) -> tuple[Requirement, ...]:
    """Read what `requires_json` gave, sorted by name; `ValueError` for anything else."""
    found = fields.mapping("requires")
    return tuple(requirement(key, found[key]) for key in sorted(found))


def read_kind(fields: Fields) -> ReleaseKind:
    """Read the kind of a release; `ValueError` for one that there is not."""
    text = fields.text("kind", 40)
    for kind in RELEASE_KINDS:
        if text == kind:
            return kind
    raise ValueError(f"{quoted(text)} is not one of the kinds {', '.join(RELEASE_KINDS)}")


def read_soft(fields: Fields) -> tuple[FormulaName, ...]:
    """Read the names that a formula bonds at run time; `ValueError` for what is no list of names."""
    return tuple(FormulaName.parse(one) for one in fields.texts("soft"))


def read_signatures(fields: Fields) -> tuple[tuple[str, str], ...]:
    """Read key id and sha256 of each detached signature, sorted; `ValueError` for what is neither."""
    found = fields.mapping("signatures")
    for key_id, sha256 in found.items():
        kind_of(key_id)
        Checksum.parse(f"sha256:{sha256}")
    return tuple(sorted(found.items()))


def _read_signed_later(fields: Fields) -> tuple[tuple[str, int], ...]:
    """Read the serials at which signatures were added, sorted by key id."""
    table = fields.table("signed_later")
    later = Fields(table, "the signatures added later")
    for key_id in table:
        kind_of(key_id)
    return tuple((key_id, later.whole(key_id)) for key_id in sorted(table))


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
        line["requires"] = requires_json(release.requires)
    if release.soft:
        line["soft"] = [str(one) for one in release.soft]
    if release.signatures:
        line["signatures"] = dict(release.signatures)
    if release.signed_later:
        line["signed_later"] = dict(release.signed_later)
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


_RARE_KEYS: Final = frozenset({"soft", "signatures", "signed_later", "yanked", "tombstone"})


def _read_plain_line(name: FormulaName, line: dict[str, Any]) -> Release | None:
    """Read a line of the common shape; None, or any error, means that it has to be read field by field."""
    size, serial, published_at, kind = line["size"], line["serial"], line["published_at"], line["kind"]
    requires: dict[str, str] = line.get("requires", _NOTHING)
    is_plain = (
        _RARE_KEYS.isdisjoint(line)
        and type(requires) is dict
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
        tuple([requirement(key, requires[key]) for key in sorted(requires)]),
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
def requirement(name: str, text: str) -> Requirement:
    """Read one requirement; indexes repeat the same ones from release to release."""
    return Requirement(FormulaName.parse(name), VersionRange.parse(text))


def _read_line_by_fields(name: FormulaName, line: object) -> Release:
    fields = Fields(line, f"a release line of {name}")
    return Release(
        name=name,
        version=Version.parse(fields.text("version", 256)),
        kind=read_kind(fields),
        requires=read_requires(fields),
        soft=read_soft(fields),
        checksum=Checksum.parse(fields.text("checksum", 80)),
        tree=ObjectId.parse(fields.text("tree", 80)),
        size=fields.whole("size"),
        published_at=fields.text("published_at", 40),
        serial=fields.whole("serial"),
        document=ObjectId.parse(fields.text("document", 80)),
        signatures=read_signatures(fields),
        yanked=fields.optional("yanked"),
        tombstone=fields.flag("tombstone"),
        signed_later=_read_signed_later(fields),
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
