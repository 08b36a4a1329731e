"""Release documents: what a person wants to read of a release before it is installed (author, skills, changelog)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import ObjectsMissingError
from mmpm.execute.connect import fetch_from_registries
from mmpm.execute.context import SILENT
from mmpm.registry.documents import parse_document_of
from mmpm_store.errors import DamagedObjectError, MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmpm.execute.context import Context
    from mmpm.model.release import Release
    from mmpm.registry.documents import ReleaseDocument
    from mmpm_store.ids import ObjectId


def fetch_quietly(context: Context, wanted: Mapping[ObjectId, str], registries: Iterable[str]) -> None:
    """Bring small documents into the store without a bar of their own, those that are here already left out.

    Args:
        context: the store and the registries.
        wanted: by id the release (``name@version``) that needs it, for messages.
        registries: ids of those that are asked first.

    Raises:
        ObjectsMissingError: no registry at hand has some of them.
    """
    absent = [each for each in wanted if not context.store.has(each)]
    if absent:
        names = [wanted[each] for each in absent]
        fetch_from_registries(replace(context, progress=SILENT), absent, registries, names)


def read_documents(context: Context, registry: str, releases: Iterable[Release]) -> dict[str, ReleaseDocument]:
    """Give release documents by version text; one that is not here and cannot be had is left out."""
    listed = list(releases)
    try:
        needed_by = {release.document: f"{release.name}@{release.version}" for release in listed}
        fetch_quietly(context, needed_by, [registry])
    except ObjectsMissingError as error:
        context.progress.warn(f"some release documents are not here: {error.fact}")
    found: dict[str, ReleaseDocument] = {}
    for release in listed:
        try:
            found[str(release.version)] = parse_document_of(release, context.store.read(release.document))
        except (MissingObjectError, DamagedObjectError, ValueError):
            continue
    return found


@dataclass(frozen=True, slots=True)
class Described:
    """What the seed shows of a release that is about to be installed.

    Attributes:
        is_latest: no higher version may be chosen from the registry.
        author, skills: from the release document; empty where it is not here.
        level, badge: how far it is trusted, and that where it is to be shown.
    """

    name: str
    version: str
    registry: str
    is_latest: bool
    is_pinned: bool
    author: str = ""
    skills: tuple[str, ...] = ()
    level: str = "unverified"
    badge: str = ""
