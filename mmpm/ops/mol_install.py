"""`mol install`, `mol uninstall`: molecules, chosen and locked like any other release, merged into a catalogue.

A release of kind molecules is merged as it is; a formula or a bundle is cooked to records, and its file is installed
nowhere, unless it is among the formulas of the manifest as well.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from mmpm.errors import NoSolutionError, UsageError
from mmpm.ops.change import Change, edited, plan_change
from mmpm.project.manifest import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.execute.context import Context
    from mmpm.lock import Lockfile
    from mmpm.model.references import Reference
    from mmpm.project.manifest import Manifest

# What the solver says of formulas: `mol install` takes a pre-release by its version alone.
_INSTALL: Final = re.compile(
    r"`mmpm install (?:--pre [^`]*` or `mmpm install )?((?:hop://\S+/)?([^\s`/]+|@[^\s`]+)@[^\s`@]+)`"
)


def prepare_mol_install(context: Context, references: Sequence[Reference], *, dry_run: bool = False) -> Change:
    """Plan that the tier of `context` has these releases of molecules, and their records in its catalogue.

    Raises:
        UsageError: a name twice.
        NoSolutionError: no releases meet what is asked for; its remedies are commands about molecules.
        MmpmError: as for `plan_change`.
    """
    names = [str(reference.name) for reference in references]
    if len(set(names)) != len(names):
        raise UsageError("a release is named twice", "name each once")

    def edit(manifest: Manifest, _old: Lockfile | None) -> Manifest:
        for reference in references:
            wanted = _wanted(reference, manifest.find(str(reference.name), "molecules"))
            if wanted != manifest.find(wanted.name, "molecules"):
                manifest = edited(manifest, manifest.with_requirement(wanted))
        return manifest

    try:
        return plan_change(context, edit, dry_run=dry_run)
    except NoSolutionError as error:
        raise _about_molecules(error, names) from None


def _about_molecules(error: NoSolutionError, names: Sequence[str]) -> NoSolutionError:
    """Give the same refusal with remedies that install molecules, where they install what was asked for as such."""

    def command(match: re.Match[str]) -> str:
        return f"`mmpm mol install {match[1]}`" if match[2] in names else match[0]

    said = cast("Mapping[str, Any]", error.details)
    remedies = [_INSTALL.sub(command, one) for one in said["remedies"]]
    return type(error)(said["steps"], said["notes"], remedies, said["derivation"])


def _wanted(reference: Reference, before: Wanted | None) -> Wanted:
    registry = str(reference.registry) if reference.registry else (before.registry if before else None)
    if before is not None and reference.range.is_any:
        return replace(before, registry=registry)
    return Wanted("molecules", str(reference.name), str(reference.range), registry)
