"""What is looked at before a release is published: the seed's list, as values that the command line prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mmpm.errors import MmpmError, UnpublishableError, VersionTakenError
from mmpm.model.capabilities import Capabilities
from mmpm.model.names import FormulaName
from mmpm.plan import Publication
from mmpm.registry import history
from mmpm.registry.documents import ReleaseDocument
from mmpm.registry.payload import collect_bytes, collect_payload, join_lines

if TYPE_CHECKING:
    from mmpm.model.formula import Formula
    from mmpm.model.payload import Payload
    from mmpm.model.release import Release, ReleaseKind
    from mmpm.model.versions import Version
    from mmpm.registry.published import PublishedTree

Result = Literal["done", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Source:
    """Something to publish, as a person or a batch line names it.

    Attributes:
        path: of the formula file, bundle folder, archive, fragment or records.
        published_at: RFC 3339 UTC.
        name, version, author, changelog: override what the file says; None leaves it.
        parts: absolute paths of the files whose contents are the lines of `path`, which then need not be there.
    """

    path: str
    published_at: str
    name: FormulaName | None = None
    version: Version | None = None
    author: str | None = None
    changelog: str | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the pre-flight list."""

    result: Result
    sentence: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the look at one source found.

    Attributes:
        label: name and version where they are known, else the path.
        checks: in the seed's order; it ends at the first that makes the next ones meaningless.
        publication: what to publish; None where it is published already with equal bytes, or where a check failed.
        failure: why it cannot be published; None where it can.
        name: empty where the source cannot be read.
    """

    label: str
    checks: tuple[Check, ...]
    publication: Publication | None
    failure: MmpmError | None
    name: str = ""


class PublishedVersions:
    """The versions that a tree has, read once a name."""

    def __init__(self, tree: PublishedTree) -> None:
        self._tree = tree
        self._releases: dict[FormulaName, dict[str, Release]] = {}

    def find(self, name: FormulaName, version: Version) -> Release | None:
        """Give the published release in whose place `version` would come."""
        return self._of(name).get(version.slot)

    def holds_other(self, name: FormulaName, kind: ReleaseKind) -> Release | None:
        """Give a release of a name that holds records where `kind` does not, or the other way round."""
        return next((one for one in self._of(name).values() if (one.kind == "records") != (kind == "records")), None)

    def _of(self, name: FormulaName) -> dict[str, Release]:
        if name not in self._releases:
            index = self._tree.index(name)
            past = history.read_history(name, index, self._tree.older_lines(index) if index else ())
            self._releases[name] = {one.version.slot: one for one in past}
        return self._releases[name]


def preflight(source: Source, published: PublishedVersions) -> Preflight:
    """Look at one source; nothing is written."""
    try:
        if source.parts:
            data = join_lines(source.parts)
            payload = collect_bytes(data, source.path, name=source.name, version=source.version).payload
        else:
            payload = collect_payload(source.path, name=source.name, version=source.version).payload
    except MmpmError as error:
        return Preflight(
            source.path, (Check("failed", f"{_what(source.path)} is not valid: {error.fact}"),), None, error
        )
    label = f"{payload.name}@{payload.version}"
    checks = [Check("done", _validity(payload))]
    failure: MmpmError | None = None
    is_new = True
    if "version" not in payload.missing:
        version_check, failure, is_new = _check_version(payload, published)
        checks.append(version_check)
    checks.append(_check_fields(payload))
    if checks[-1].result == "failed" and failure is None:
        failure = UnpublishableError(str(payload.name), f"it lacks {' and '.join(payload.missing)}")
    if payload.formula is not None:
        checks.append(_check_skills(payload.formula))
    publication = _publication(source, payload) if is_new and failure is None else None
    return Preflight(label, tuple(checks), publication, failure, str(payload.name))


def _what(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _validity(payload: Payload) -> str:
    if payload.kind == "records":
        return f"Every record holds: {payload.about}"
    return "fragment is valid" if payload.kind == "molecules" else "formula.toml is valid"


def _check_version(payload: Payload, published: PublishedVersions) -> tuple[Check, MmpmError | None, bool]:
    other = published.holds_other(payload.name, payload.kind)
    if other is not None:
        # Who asks for the newest of a name would else be given what cannot be installed.
        reason = f"version {other.version} of it is of kind {other.kind}; give the {payload.kind} another name"
        failure = UnpublishableError(str(payload.name), reason)
        return Check("failed", f"The name means something else: {other.kind}"), failure, True
    present = published.find(payload.name, payload.version)
    if present is None:
        return Check("done", f"Version {payload.version} not yet published"), None, True
    if present.tombstone:
        gone = UnpublishableError(str(payload.name), f"version {present.version} was taken down; give it a new one")
        return Check("failed", f"Version {payload.version} was taken down"), gone, True
    if (present.checksum, present.kind) == (payload.checksum, payload.kind):
        return Check("done", f"Version {payload.version} already published, with equal bytes"), None, False
    error = VersionTakenError(str(payload.name), str(payload.version), str(present.version))
    return Check("failed", f"Version {payload.version} already published, with other bytes"), error, False


def _check_fields(payload: Payload) -> Check:
    if payload.missing:
        return Check("failed", f"Required fields missing ({', '.join(payload.missing)})")
    fields = "name, version, description" if payload.formula is not None else "name, version"
    return Check("done", f"Required fields present ({fields})")


def _check_skills(formula: Formula) -> Check:
    if not formula.capabilities:
        return Check("warning", "No skills declared")
    return Check("done", "Skills declared")


def _publication(source: Source, payload: Payload) -> Publication:
    formula = payload.formula
    document = ReleaseDocument(
        name=payload.name,
        version=payload.version,
        kind=payload.kind,
        description=formula.description if formula else payload.about or f"Molecules of {payload.name}",
        author=source.author or (formula.author if formula else "") or None,
        license=(formula.license if formula else "") or None,
        repository=(formula.repository if formula else "") or None,
        capabilities=formula.capabilities if formula else Capabilities(),
        changelog=source.changelog,
        published_at=source.published_at,
        requires=formula.requires if formula else (),
        soft=tuple(sorted({FormulaName.parse(one) for one in formula.soft})) if formula else (),
        checksum=payload.checksum,
        size=payload.size,
        tree=payload.tree,
    )
    return Publication(
        str(payload.name),
        str(payload.version),
        source.path,
        str(payload.checksum),
        payload.size,
        document.to_bytes(),
        source.parts,
    )
