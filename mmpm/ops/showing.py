"""Everything that is known of one formula: `show`. Local bytes first; the rest of it only where a registry answers."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import MmpmError, NotFetchedError, NotFoundHereError, RegistryUnreachableError
from mmpm.execute.connect import find_registry, trust_of
from mmpm.execute.context import SILENT
from mmpm.model.formula import parse_formula
from mmpm.model.toml_text import MAX_TOML_BYTES
from mmpm.ops.knowledge import Knowledge, Known
from mmpm.ops.known import newest
from mmpm.ops.listing import FLAT_SUFFIX, Listed, list_formulas
from mmpm.ops.nearby import names_near
from mmpm.registry.documents import parse_document_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.execute.context import Context
    from mmpm.model.capabilities import Capabilities
    from mmpm.model.references import Reference
    from mmpm.model.release import Release
    from mmpm.ops.provenance import Vouchers
    from mmpm.project.tiers import Project
    from mmpm.receipt import Installed


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tier has a formula of the name, or has none.

    Attributes:
        tier, path: the file that bd and gt read; `path` is empty where there is none.
        listed: as in `list`; `None` where there is none.
        receipt: what the receipt says; `None` for files that we did not install.
    """

    tier: str
    path: str
    listed: Listed | None = None
    receipt: Installed | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What a formula says of itself; from its release document or from its file.

    Attributes:
        requires: what comes along with it.
        soft: what it can attach at run time; it does not come along.
    """

    description: str
    author: str | None
    license: str | None
    repository: str | None
    capabilities: Capabilities
    requires: tuple[str, ...]
    changelog: str | None = None
    files: int = 1
    soft: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """The registry that owns the name here, and the release that is shown.

    Attributes:
        registry: id.
        release: the one that the reference means.
        is_latest: whether it is the latest of all.
        versions: all, newest first; a withdrawn one has its reason.
        serial, issued: of the snapshot that says so.
        root: fingerprint of the pinned root key, or empty.
    """

    registry: str
    release: Release
    is_latest: bool
    versions: tuple[tuple[str, str | None], ...]
    serial: int
    issued: str
    root: str


@dataclass(frozen=True, slots=True)
class Shown:
    """All of it; `published` or some place with a path is there; `vouched` is of what is published."""

    name: str
    version: str
    about: About | None
    published: Published | None
    places: tuple[Place, ...]
    vouched: Vouchers | None = None

    @property
    def used(self) -> Place | None:
        """The place whose file bd and gt use: the first hit."""
        return next((place for place in self.places if place.path), None)


def show_formula(context: Context, reference: Reference, tiers: Sequence[Project]) -> Shown:
    """Gather what is known of a formula.

    Args:
        context: its registries are asked for the release's document where that is not here, unless offline.
        reference: name, range and perhaps a registry.
        tiers: in search order.

    Raises:
        NotFoundHereError: neither a tier nor a registry that is known here has it.
    """
    name = str(reference.name)
    places = tuple(_places(context, reference.name.base, tiers))
    used = next((place for place in places if place.path), None)
    try:
        found, vouched, reasons = _published(context, reference)
    except (RegistryUnreachableError, NotFetchedError) as error:
        if used is None or reference.registry is not None:
            raise
        # What lies here can be shown all the same.
        context.progress.warn(error.fact)
        found, vouched, reasons = None, None, []
    about = _about_release(context, found) if found else None
    if about is None and used is not None:
        about = _about_file(context, used.path)
    if found is None and (used is None or reference.registry is not None):
        raise NotFoundHereError(name, str(reference.range), reasons, names_near(context, name))
    version = str(found.release.version) if found else (used.listed.version if used and used.listed else "")
    return Shown(name, version, about, found, places, vouched)


def _places(context: Context, base: str, tiers: Sequence[Project]) -> list[Place]:
    from mmpm.project.files import read_project

    found = []
    for listing in list_formulas(context, tiers):
        project = listing.project
        listed = next((one for one in listing.formulas if one.installed_name == base), None)
        path = os.path.join(project.formulas, base + FLAT_SUFFIX)
        if listed is None:
            found.append(Place(project.tier, ""))
            continue
        if not os.path.exists(path):
            path = os.path.join(project.formulas, base, "formula.toml")
        entries = () if project.tier == "system" else read_project(project).receipt.entries
        receipt = next((entry for entry in entries if entry.installed_name == base), None)
        found.append(Place(project.tier, path, listed, receipt))
    return found


def _published(context: Context, reference: Reference) -> tuple[Published | None, Vouchers | None, list[str]]:
    """Ask for the registry that owns the name; say of each that was asked why it is not the one."""
    name = str(reference.name)
    bound = {name: str(reference.registry)} if reference.registry else None
    knowledge = Knowledge(context, bound)
    knowledge.learn([name])
    knowledge.commit()
    found = knowledge.of(name)
    if isinstance(found, Known):
        published, reasons = _choose(context, reference, found, knowledge.serials()[found.registry])
        return published, _vouchers(context, knowledge, published) if published else None, reasons
    words = {"absent": "has no such formula", "not mirrored": "lists it, but it is not mirrored here"}.get(
        found.why, f"{found.why} here, run `mmpm update --all`"
    )
    return None, None, [f"{registry}: {words}" for registry in found.registries]


def _vouchers(context: Context, knowledge: Knowledge, published: Published) -> Vouchers:
    """Bring the signatures of a release as far as they can be had, and say who vouches for it."""
    from mmpm.ops.provenance import vouchers_of
    from mmpm.ops.vouching import signed_by_known

    snapshot = knowledge.snapshot(published.registry)
    try:
        knowledge.fetch_signatures(published.registry, signed_by_known(snapshot, [published.release]))
    except MmpmError as error:
        context.progress.warn(error.fact)
    return vouchers_of(context, find_registry(context, published.registry), snapshot, published.release)


def _choose(context: Context, reference: Reference, known: Known, serial: int) -> tuple[Published | None, list[str]]:
    releases = known.releases
    allowed = tuple(one for one in releases if reference.range.allows(one.version))
    chosen = newest(allowed) or max(allowed, key=lambda one: one.version, default=None)
    ordered = sorted(releases, key=lambda one: one.version, reverse=True)
    if chosen is None:
        versions = ", ".join(str(one.version) for one in ordered[:5])
        return None, [f"{known.registry}: no version fits {reference.range}; it has {versions}"]
    best = newest(releases)
    published = Published(
        registry=known.registry,
        release=chosen,
        is_latest=best is not None and best.version == chosen.version,
        versions=tuple((str(one.version), one.yanked) for one in ordered),
        serial=serial,
        issued=known.issued,
        root=trust_of(context, find_registry(context, known.registry)).pinned() or "",
    )
    return published, []


def _about_release(context: Context, found: Published) -> About | None:
    """Read the release document: from the store, else from the registry; `None` with a warning if neither has it."""
    document_id = found.release.document
    if not context.store.has(document_id):
        if context.offline:
            return None
        from mmpm.execute.fetch import fetch

        try:
            fetch(replace(context, progress=SILENT), [str(document_id)], [found.registry], [str(found.release.name)])
        except MmpmError as error:
            context.progress.warn(error.fact)
            return None
    try:
        document = parse_document_of(found.release, context.store.read(document_id))
    except ValueError as error:
        context.progress.warn(f"the release document of {found.release.name} cannot be read: {error}")
        return None
    return About(
        description=document.description,
        author=document.author,
        license=document.license,
        repository=document.repository,
        capabilities=document.capabilities,
        requires=tuple(str(one) for one in document.requires),
        changelog=document.changelog,
        files=len(document.tree.entries),
        soft=tuple(str(one) for one in document.soft),
    )


def _about_file(context: Context, path: str) -> About | None:
    """Read what a formula file says; `None` with a warning where it is not one that we can read."""
    try:
        with open(path, "rb") as file:
            formula = parse_formula(file.read(MAX_TOML_BYTES + 1), os.path.basename(path))
    except MmpmError as error:
        context.progress.warn(error.fact)
        return None
    except OSError as error:
        context.progress.warn(f"{path} cannot be read: {error.strerror}")
        return None
    return About(
        description=formula.description,
        author=formula.author or None,
        license=formula.license or None,
        repository=formula.repository or None,
        capabilities=formula.capabilities,
        requires=tuple(str(one) for one in formula.requires),
        soft=tuple(formula.soft),
    )
