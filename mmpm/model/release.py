"""A published version of a formula, as one line of a registry's index has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from mmpm.model.checksums import Checksum
    from mmpm.model.names import FormulaName
    from mmpm.model.references import Requirement
    from mmpm.model.versions import Version
    from mmpm_store.ids import ObjectId

ReleaseKind: TypeAlias = Literal["formula", "bundle", "molecules"]
RELEASE_KINDS: tuple[ReleaseKind, ...] = ("formula", "bundle", "molecules")


@dataclass(frozen=True, slots=True)
class Release:
    """One release: what a solver and an installer need to know of it. Immutable but for its last four fields.

    Attributes:
        requires: hard dependencies, sorted by name, each name once.
        soft: names that the formula bonds at run time; listed, never solved.
        checksum: SHA-256 of the payload.
        tree: id of the canonical listing of its files.
        size: bytes of the payload.
        published_at: RFC 3339, UTC.
        serial: the registry's serial at which it appeared.
        document: object id of the release document, which holds the rest.
        signatures: key ids of detached signatures, sorted.
        yanked: why it was withdrawn from choice; None if it was not.
        tombstone: whether its bytes were taken down; the line stays so that the version is never given twice.
    """

    name: FormulaName
    version: Version
    kind: ReleaseKind
    requires: tuple[Requirement, ...]
    soft: tuple[FormulaName, ...]
    checksum: Checksum
    tree: ObjectId
    size: int
    published_at: str
    serial: int
    document: ObjectId
    signatures: tuple[str, ...] = ()
    yanked: str | None = None
    tombstone: bool = False
