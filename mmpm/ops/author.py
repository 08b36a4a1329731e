"""What an author does before publishing: `new`, `check`, `build`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mmpm.errors import FormulaInvalidError, FormulaSyntaxError, MmpmError, PayloadRefusedError, UsageError
from mmpm.model.findings import inspect_formula
from mmpm.model.names import FormulaName
from mmpm.model.positions import locate
from mmpm.model.versions import Version
from mmpm.plan import Plan, WriteFiles
from mmpm.registry.payload import (
    BUNDLE_FORMULA,
    BUNDLE_SUFFIX,
    FORMULA_SUFFIX,
    FRAGMENT_SUFFIX,
    SKIPPED_NAMES,
    collect_payload,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmpm.model.payload import Payload
    from mmpm.registry.payload import Collected

# `check` reads a fragment without publishing it, so that its version does not matter.
_NO_VERSION = Version(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Noticed:
    """One finding with its place.

    Attributes:
        file: as the person named it.
        line: from 1, as is `column`.
        severity: with an error the file cannot be published.
        key: path in the document; empty for the file as a whole.
    """

    file: str
    line: int
    column: int
    severity: Literal["error", "warning"]
    code: str
    key: str
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One file, bundle or fragment that was looked at; `payload` is None if it is refused."""

    path: str
    payload: Payload | None
    noticed: tuple[Noticed, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing keeps it from being published."""
        return all(one.severity != "error" for one in self.noticed)


def check(paths: Sequence[tuple[str, str]]) -> Iterator[Checked]:
    """Look at formulas, bundles and fragments; a folder that is no bundle stands for all of these below it.

    Args:
        paths: (as the person wrote it, absolute) of each.
    """
    for shown, path in paths:
        for one_shown, one in _expand(shown, path):
            yield _check_one(one_shown, one)


def _expand(shown: str, path: str) -> Iterator[tuple[str, str]]:
    if not os.path.isdir(path) or os.path.isfile(os.path.join(path, BUNDLE_FORMULA)) or path.endswith(BUNDLE_SUFFIX):
        yield shown, path
        return
    found = False
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_NAMES)
        below = os.path.join(shown, os.path.relpath(folder, path)) if folder != path else shown
        if folder != path and (BUNDLE_FORMULA in files or folder.endswith(BUNDLE_SUFFIX)):
            folders.clear()
            found = True
            yield below, folder
            continue
        for name in sorted(files):
            if name.endswith(FORMULA_SUFFIX):
                found = True
                yield os.path.join(below, name), os.path.join(folder, name)
    if not found:
        raise PayloadRefusedError(shown, "there is no formula and no bundle in this folder")


def _check_one(shown: str, path: str) -> Checked:
    version = _NO_VERSION if path.endswith(FRAGMENT_SUFFIX) else None
    try:
        collected = collect_payload(path, version=version)
    except FormulaSyntaxError as error:
        file = _formula_file(shown, path)
        return Checked(shown, None, (_syntax(file, error),))
    except FormulaInvalidError as error:
        file = _formula_file(shown, path)
        places = locate(_formula_text(path), [key for key, _ in error.problems])
        noticed = [
            Noticed(file, *places[key], "error", error.code, key, f"{key}: {why}") for key, why in error.problems
        ]
        return Checked(shown, None, tuple(sorted(noticed, key=_by_place)))
    except MmpmError as error:
        return Checked(shown, None, (Noticed(shown, 1, 1, "error", error.code, "", error.fact),))
    return Checked(shown, collected.payload, tuple(sorted(_warnings(shown, path, collected), key=_by_place)))


def _by_place(noticed: Noticed) -> tuple[int, int]:
    return noticed.line, noticed.column


def _syntax(file: str, error: FormulaSyntaxError) -> Noticed:
    message = f"{error.reason}: {error.excerpt}" if error.excerpt else error.reason
    return Noticed(file, error.line, error.column, "error", error.code, "", message)


def _warnings(shown: str, path: str, collected: Collected) -> Iterator[Noticed]:
    payload = collected.payload
    for skipped in payload.skipped:
        yield Noticed(shown, 1, 1, "warning", "skipped", "", f"{skipped} is no part of the bundle")
    if payload.formula is None:
        return
    file = _formula_file(shown, path)
    main = BUNDLE_FORMULA if payload.kind == "bundle" else collected.files[0].path
    text = next(one.data for one in collected.files if one.path == main)
    findings = dict.fromkeys((*payload.findings, *inspect_formula(payload.formula)))
    places = locate(text, [finding.key for finding in findings])
    for finding in findings:
        yield Noticed(file, *places[finding.key], "warning", finding.code, finding.key, finding.message)


def _formula_file(shown: str, path: str) -> str:
    """Give the name of the formula itself: of a bundle, the file in it."""
    return shown if path.endswith(".toml") else os.path.join(shown, BUNDLE_FORMULA)


def _formula_text(path: str) -> bytes:
    """Give the text of a formula that was read before; of an archive nothing, which has no lines to point at."""
    file = os.path.join(path, BUNDLE_FORMULA) if os.path.isdir(path) else path
    if not file.endswith(".toml"):
        return b""
    try:
        with open(file, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def plan_new(name: str, folder: str, *, bundle: bool, description: str, author: str = "") -> Plan:
    """Plan a first formula to edit, which `check` finds nothing wrong with.

    Args:
        name: with or without a scope.
        folder: where the file, or the bundle's folder, is made; absolute.
        bundle: make a folder with a template, a script and a README beside the formula.
        description: one sentence; a stand-in if empty.
        author: who writes it; left out if empty.

    Raises:
        UsageError: `name` is not a formula's name, or description or author have more than one line.
    """
    try:
        wanted = FormulaName.parse(name)
    except ValueError as error:
        raise UsageError(str(error), "choose a name such as mol-my-workflow") from None
    for what, text in (("description", description), ("author", author)):
        if not text.isprintable():
            raise UsageError(f"the {what} has more than one line, or a control character", "give one sentence")
    description = description or f"Say in one sentence what {wanted.base} is for."
    formula = _first_formula(wanted, description, author, bundle=bundle)
    if not bundle:
        path = os.path.join(folder, wanted.base + FORMULA_SUFFIX)
        return Plan(actions=(WriteFiles(files=((path, formula, 0o644),)),))
    top = os.path.join(folder, wanted.base + BUNDLE_SUFFIX)
    readme = f"# {wanted.base}\n\nWhat it does, what it needs, and what it leaves behind.\n"
    files = (
        (os.path.join(top, BUNDLE_FORMULA), formula, 0o644),
        (os.path.join(top, "README.md"), readme.encode(), 0o644),
        (
            os.path.join(top, "scripts", "check.sh"),
            b"#!/bin/sh\n# Runs at the top of the work place.\nset -eu\n",
            0o755,
        ),
        (os.path.join(top, "templates", "report.md"), b"# Report\n\n## Done\n\n## Left\n", 0o644),
    )
    return Plan(actions=(WriteFiles(files=files),))


def _first_formula(name: FormulaName, description: str, author: str, *, bundle: bool) -> bytes:
    import tomli_w

    package = {"name": str(name) if name.scope else "", "version": "1.0.0", "author": author, "license": "MIT"}
    head = {
        "formula": name.base,
        "version": 1,
        "type": "workflow",
        "description": description,
        "package": {key: value for key, value in package.items() if value},
    }
    hint = "Run scripts/check.sh, then fill templates/report.md." if bundle else "Compare with what was asked for."
    return f"""\
{tomli_w.dumps(head)}
# What agents are routed by: the skills that this work exercises.
[capabilities]
primary = ["planning"]

[vars.task]
description = "What is asked for"
required = true

[[steps]]
id = "understand"
title = "Understand {{{{task}}}}"
description = "Write down what should be different afterwards."

[[steps]]
id = "do"
title = "Do {{{{task}}}}"
needs = ["understand"]
description = "Work in small steps that can each be checked."

[[steps]]
id = "check"
title = "Check {{{{task}}}}"
needs = ["do"]
description = "{hint}"
""".encode()


@dataclass(frozen=True, slots=True)
class Built:
    """What `build` makes.

    Attributes:
        path: absolute, of the file.
        size: its bytes; a bundle's archive is a little longer than the payload that the checksum is of.
    """

    payload: Payload
    path: str
    size: int


def plan_build(path: str, output: str, *, force: bool) -> tuple[Plan, Built]:
    """Plan to write a path's canonical payload: the formula file, or ``name-version.bundle.tar.gz``.

    Args:
        path: absolute, of whatever `publish` takes.
        output: absolute; a folder if it is one or ends in a slash, else the file to write.
        force: write over a file with other bytes.

    Returns:
        A plan that is empty if the file is there already, byte for byte.

    Raises:
        PayloadRefusedError, FormulaSyntaxError, FormulaInvalidError: `path` is not a payload.
    """
    version = _NO_VERSION if path.endswith(FRAGMENT_SUFFIX) else None
    collected = collect_payload(path, version=version)
    payload = collected.payload
    name, data = _artifact(collected)
    target = os.path.join(output, name) if output.endswith("/") or os.path.isdir(output) else output
    notes = tuple(f"publishing requires a {key}" for key in payload.missing)
    notes += tuple(f"{skipped} is no part of the bundle" for skipped in payload.skipped)
    built = Built(payload, os.path.normpath(target), len(data))
    if _holds(built.path, data):
        return Plan(notes=notes), built
    return Plan(actions=(WriteFiles(files=((built.path, data, 0o644),), overwrite=force),), notes=notes), built


def _artifact(collected: Collected) -> tuple[str, bytes]:
    """Give the file name that a registry's `download` has, and the bytes."""
    payload = collected.payload
    if payload.kind != "bundle":
        return collected.files[0].path, collected.files[0].data
    from mmpm_store.canonical import canonical_tar, stored_gzip

    base = payload.name.unscoped
    archive = b"".join(stored_gzip(canonical_tar(base, collected.files)))
    return f"{base}-{payload.version.path_text}.bundle.tar.gz", archive


def _holds(path: str, data: bytes) -> bool:
    try:
        if os.path.getsize(path) != len(data):
            return False
        with open(path, "rb") as file:
            return file.read() == data
    except OSError:
        return False
