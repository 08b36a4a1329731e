"""A published version of a formula, as one line of a registry's index has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.model.checksums import Checksum
    from mmpm.model.names import FormulaName
    from mmpm.model.references import Requirement
    from mmpm.model.versions import Version
    from mmpm_store.ids import ObjectId

ReleaseKind: TypeAlias = Literal["formula", "bundle", "molecules", "records"]
RELEASE_KINDS: tuple[ReleaseKind, ...] = ("formula", "bundle", "molecules", "records")


@dataclass(frozen=True, slots=True)
class Release:
    """One release: what a solver and an installer need to know of it. Immutable but for signatures, yank and tombstone.

    A solver looks at the name, version and requirements of ten thousand releases and takes a few hundred of them, so
    that one made by `later` reads its other fields when the first of them is asked for.

    Attributes:
        requires: hard dependencies, sorted by name, each name once.
        soft: names that the formula bonds at run time; listed, never solved.
        checksum: SHA-256 of the payload.
        tree: id of the canonical listing of its files.
        size: bytes of the payload.
        published_at: RFC 3339, UTC.
        serial: the registry's serial at which it appeared.
        document: object id of the release document, which holds the rest.
        signatures: key id and sha256 (hex) of each detached signature's file, sorted.
        yanked: why it was withdrawn from choice; None if it was not.
        tombstone: whether its bytes were taken down; the line stays so that the version is never given twice.
        signed_later: of signatures that were added after the release, key id and the serial at which; sorted.
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
    signatures: tuple[tuple[str, str], ...] = ()
    yanked: str | None = None
    tombstone: bool = False
    signed_later: tuple[tuple[str, int], ...] = ()
    _whole: Callable[[], Release] | None = field(default=None, init=False, repr=False, compare=False)

    @staticmethod
    def later(
        name: FormulaName,
        version: Version,
        requires: tuple[Requirement, ...],
        published_at: str,
        whole: Callable[[], Release],
    ) -> Release:
        """Give a release that is neither yanked nor taken down, and of which the rest is not read yet.

        Args:
            name: as in what `whole` will give, and so are the next three.
            version: of the release.
            requires: sorted by name, each name once.
            published_at: RFC 3339, UTC.
            whole: reads all of it; called at most once if it succeeds, and what it raises comes out of the access to
                a field.
        """
        release = _new(Release)
        _set(release, "name", name)
        _set(release, "version", version)
        _set(release, "requires", requires)
        _set(release, "published_at", published_at)
        _set(release, "yanked", None)
        _set(release, "tombstone", False)
        _set(release, "_whole", whole)
        return release

    if not TYPE_CHECKING:  # else mypy would believe in any attribute

        def __getattr__(self, key: str) -> object:
            """Read the rest: Python comes here for a slot that is empty, and for what there is no slot of."""
            if key not in _READ_LATER or self._whole is None:
                raise AttributeError(f"a release has no {key}")
            whole = self._whole()
            for each in _READ_LATER:
                _set(self, each, getattr(whole, each))
            _set(self, "_whole", None)
            return getattr(whole, key)


_READ_LATER = ("kind", "soft", "checksum", "tree", "size", "serial", "document", "signatures", "signed_later")
_new, _set = object.__new__, object.__setattr__
