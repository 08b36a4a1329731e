"""What a formula file says, as far as a package manager reads it. What its steps mean is the business of `cook`.

Rule: an unknown key is a warning and never an error (real files are full of them); a key that we read and that has
the wrong type is an error with its path. All problems of a file are collected before one error is raised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mmpm.errors import FormulaInvalidError, printable, quoted
from mmpm.model.capabilities import Capabilities
from mmpm.model.dependencies import read_dependencies
from mmpm.model.json_text import parse_json_document
from mmpm.model.reading import Reading
from mmpm.model.toml_text import BYTE_ORDER_MARK, parse_toml
from mmpm.model.versions import MAX_NUMBER, Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.model.findings import Finding
    from mmpm.model.names import FormulaName
    from mmpm.model.references import Requirement

KindOfWork: TypeAlias = Literal["workflow", "convoy", "expansion", "aspect"]

_TOP_LEVEL = frozenset(
    {"formula", "version", "type", "description", "extends", "vars", "inputs", "steps", "template", "legs", "compose"}
    | {"advice", "aspects", "pointcuts", "phase", "pour", "squash", "presets", "prompts", "output", "synthesis"}
    | {"package", "capabilities", "title", "labels"}
)
_PACKAGE = frozenset({"name", "version", "author", "license", "repository", "requires"})
_SEED_FORMULA = frozenset({"name", "version", "description", "author", "license", "repository", "capabilities", "type"})
_CAPABILITIES = frozenset({"primary", "secondary", "weights"})
_KINDS: tuple[KindOfWork, ...] = ("workflow", "convoy", "expansion", "aspect")
# The first of these that a file has tells its kind where `type` is absent.
_KIND_BY_KEY: tuple[tuple[str, KindOfWork], ...] = (
    ("steps", "workflow"),
    ("legs", "convoy"),
    ("template", "expansion"),
    ("aspects", "aspect"),
    ("advice", "aspect"),
)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula file, read.

    Attributes:
        name: text of a valid `FormulaName`; without a scope in most files.
        version: ``[package] version``, else a full version in ``[formula]`` or at the top, else the integer N as
            N.0.0, else 1.0.0.
        kind_of_work: the file's ``type``, or what its keys make it.
        description: empty if absent, as are author, license and repository.
        requires: hard dependencies, sorted by name, each name once.
        soft: names that it bonds at run time, sorted, each once.
        step_count: steps, nested children, template steps, legs, aspects and advice steps.
        warnings: what the reader noticed; `findings.inspect_formula` gives these and what a careful look adds.
        missing: fields that publishing requires and the file lacks: of ``version``, ``description``.
        tables: the whole document; not to be changed.
    """

    name: str
    version: Version
    kind_of_work: KindOfWork
    description: str
    author: str
    license: str
    repository: str
    capabilities: Capabilities
    requires: tuple[Requirement, ...]
    soft: tuple[str, ...]
    step_count: int
    warnings: tuple[Finding, ...]
    missing: tuple[str, ...]
    tables: Mapping[str, Any] = field(repr=False, compare=False)


def parse_formula(data: bytes, filename: str, *, is_json: bool = False) -> Formula:
    """Read a formula file: the flat form that bd and gt read, or the seed's with a ``[formula]`` table.

    Args:
        data: the file's bytes, which stay as they are: CRLF line ends and a byte order mark are accepted.
        filename: for messages only.
        is_json: it is in the older form, which bd still cooks and nobody publishes.

    Raises:
        FormulaSyntaxError: it is not TOML 1.0 (or strict JSON), or longer or deeper than we read.
        FormulaInvalidError: it has no name, or something that we read is not what it has to be.
    """
    document = (parse_json_document if is_json else parse_toml)(data, filename)
    reading = Reading()
    if data.startswith(BYTE_ORDER_MARK):
        reading.warn("byte-order-mark", "", "the file starts with a byte order mark, which some readers of TOML refuse")
    seed_form = isinstance(document.get("formula"), dict)
    head = document["formula"] if seed_form else document
    package = reading.table(document, "package", "package")
    _warn_of_unknown_keys(reading, document, package, seed_form=seed_form)
    name = _read_name(reading, document, package, seed_form=seed_form)
    version, has_version = _read_version(reading, document, head, package, seed_form=seed_form)
    where = "formula." if seed_form else ""
    description = reading.text(head, "description", where) or reading.text(document, "description", "")
    about = {key: _read_about(reading, key, package, head, where) for key in ("author", "license", "repository")}
    capabilities = _read_capabilities(reading, document, head, where)
    dependencies = read_dependencies(reading, document, package, name)
    kind = _read_kind(reading, document, head, where)
    if reading.problems:
        raise FormulaInvalidError(filename, reading.problems)
    present = {"version": has_version, "description": bool(description.strip())}
    return Formula(
        name=str(name),
        version=version,
        kind_of_work=kind,
        description=description,
        author=about["author"],
        license=about["license"],
        repository=about["repository"],
        capabilities=capabilities,
        requires=dependencies.requires,
        soft=dependencies.soft,
        step_count=dependencies.step_count,
        warnings=tuple(reading.warnings),
        missing=tuple(key for key, is_present in present.items() if not is_present),
        tables=document,
    )


def _warn_of_unknown_keys(
    reading: Reading, document: dict[str, Any], package: dict[str, Any], *, seed_form: bool
) -> None:
    tables: list[tuple[str, Any, frozenset[str]]] = [
        ("", document, _TOP_LEVEL),
        ("package.", package, _PACKAGE),
        ("capabilities.", document.get("capabilities"), _CAPABILITIES),
    ]
    if seed_form:
        tables.append(("formula.", document["formula"], _SEED_FORMULA))
        tables.append(("formula.capabilities.", document["formula"].get("capabilities"), _CAPABILITIES))
        reading.warn("formula-table", "formula", 'bd and gt cannot read a [formula] table: write formula = "name"')
    for prefix, table, known in tables:
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                reading.warn("unknown-key", prefix + key, "this key is not known here, and is left alone")


def _read_name(
    reading: Reading, document: dict[str, Any], package: dict[str, Any], *, seed_form: bool
) -> FormulaName | None:
    """Read the name; ``[package] name`` may add a scope, which bd and gt do not know."""
    key, value = (
        ("formula.name", document["formula"].get("name")) if seed_form else ("formula", document.get("formula"))
    )
    name = reading.name(key, value) if value is not None else None
    if value is None:
        reading.problem(key, "the formula has no name")
    if name is not None and name.scope is not None and not seed_form:
        reading.warn("scoped-name", key, "bd and gt know no scopes: write the scoped name as [package] name")
    if "name" in package:
        scoped = reading.name("package.name", package["name"])
        if name is not None and scoped is not None and scoped.base != name.base:
            reading.problem("package.name", f"{quoted(str(scoped))} is not {quoted(name.base)} with a scope")
        name = scoped or name
    return name


def _read_version(
    reading: Reading, document: dict[str, Any], head: dict[str, Any], package: dict[str, Any], *, seed_form: bool
) -> tuple[Version, bool]:
    """Give the version, and whether the file states one."""
    places = [("package.version", package.get("version")), ("version", head.get("version"))]
    if seed_form:
        places[1] = ("formula.version", head.get("version"))
        places.append(("version", document.get("version")))
    versions = [(key, _one_version(reading, key, value)) for key, value in places if value is not None]
    if not versions:
        return Version(1, 0, 0), False
    return next((version for _, version in versions if version is not None), Version(1, 0, 0)), True


def _one_version(reading: Reading, key: str, value: object) -> Version | None:
    if isinstance(value, int) and not isinstance(value, bool) and key != "package.version":
        if 0 <= value < MAX_NUMBER:
            return Version(value, 0, 0)
        reading.problem(key, "the number is not a version")
    elif isinstance(value, str):
        try:
            return Version.parse(value)
        except ValueError as error:
            reading.problem(key, str(error))
    else:
        reading.problem(key, f'a version is text such as "4.0.0", not {quoted(printable(str(value)))}')
    return None


def _read_about(reading: Reading, key: str, package: dict[str, Any], head: dict[str, Any], where: str) -> str:
    text = reading.text(package, key, "package.")
    # Only the seed's form has these beside the name; at the top of a flat file they are keys that nobody defined.
    if not text and where:
        text = reading.text(head, key, where)
    if not text.isprintable():
        reading.problem(f"package.{key}", "the text has a control character or more than one line")
    return text


def _read_capabilities(reading: Reading, document: dict[str, Any], head: dict[str, Any], where: str) -> Capabilities:
    for prefix, table in ((where, head), ("", document)):
        if "capabilities" in table:
            declared = reading.table(table, "capabilities", f"{prefix}capabilities")
            try:
                return Capabilities.of_document(declared)
            except ValueError as error:
                reading.problem(f"{prefix}capabilities", str(error))
                break  # in the flat form both are one table
    return Capabilities()


def _read_kind(reading: Reading, document: dict[str, Any], head: dict[str, Any], where: str) -> KindOfWork:
    inferred: KindOfWork = next((kind for key, kind in _KIND_BY_KEY if document.get(key)), "workflow")
    stated = reading.text(head, "type", where) or reading.text(document, "type", "")
    known = {str(kind): kind for kind in _KINDS}
    if stated in known:
        return known[stated]
    if stated:
        reading.warn("unknown-type", "type", f"{quoted(stated)} is not a type; the formula is read as {inferred}")
    return inferred
