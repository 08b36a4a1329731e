"""What publish, build and import take from a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmpm.model.checksums import Checksum
    from mmpm.model.findings import Finding
    from mmpm.model.formula import Formula
    from mmpm.model.names import FormulaName
    from mmpm.model.release import ReleaseKind
    from mmpm.model.versions import Version
    from mmpm_store.tree import Tree


@dataclass(frozen=True, slots=True)
class Payload:
    """A release's bytes and what they say, before anybody has published them.

    Attributes:
        name: as the caller gave it, else as the file says.
        version: likewise.
        tree: the listing of its files; its id is `tree.id`.
        checksum: SHA-256 of the payload: of the one file, or of the bundle's canonical tar.
        size: bytes of the payload.
        formula: None for molecules and records.
        missing: fields that publishing requires and neither file nor caller gave: of ``version``, ``description``.
        findings: warnings about it as a whole; `inspect_formula` looks closer.
        skipped: paths of a folder that are not part of the payload, sorted.
        about: what it is, where no formula describes it; empty: its name has to do.
    """

    name: FormulaName
    version: Version
    kind: ReleaseKind
    tree: Tree
    checksum: Checksum
    size: int
    formula: Formula | None
    missing: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: tuple[str, ...] = ()
    about: str = ""
