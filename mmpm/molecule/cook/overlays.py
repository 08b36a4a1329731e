"""Overlays of Gas Town: what a town or a rig says otherwise about single steps of a formula.

``<town>/formula-overlays/<formula>.toml``; the rig's replaces the town's. ``[[step-overrides]]`` with ``step_id``,
``mode`` (replace | append | skip) and ``description``. A step that is not there any more is a warning: formulas change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from mmpm.errors import FormulaInvalidError, quoted
from mmpm.model.reading import Reading
from mmpm.model.toml_text import parse_toml
from mmpm.molecule.cook.wiring import without

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.molecule.proto import Source
    from mmpm.molecule.steps import Step

Mode: TypeAlias = Literal["replace", "append", "skip"]


@dataclass(frozen=True, slots=True)
class Override:
    """What is said of one step."""

    step: str
    mode: Mode
    description: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """One file.

    Attributes:
        source: which, with its checksum: a proto says that it was cooked with it.
        overrides: in the file's order.
    """

    source: Source
    overrides: tuple[Override, ...]


def parse_overlay(data: bytes, filename: str, source: Source) -> Overlay:
    """Read an overlay.

    Raises:
        FormulaSyntaxError: it is not TOML.
        FormulaInvalidError: it is not an overlay; every problem is named.
    """
    reading = Reading()
    found = []
    for path, item in reading.tables(parse_toml(data, filename), "step-overrides", "step-overrides"):
        step, mode = reading.text(item, "step_id", f"{path}."), reading.text(item, "mode", f"{path}.")
        if not step:
            reading.problem(f"{path}.step_id", "it does not say which step")
        if mode not in ("replace", "append", "skip"):
            reading.problem(f"{path}.mode", f"{quoted(mode)} is none of replace, append, skip")
        found.append(Override(step, cast("Mode", mode), reading.text(item, "description", f"{path}.")))
    if reading.problems:
        raise FormulaInvalidError(filename, reading.problems)
    return Overlay(source, tuple(found))


def overlaid(steps: Sequence[Step], overlay: Overlay) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Give `steps` as the overlay wants them, and the ids it names that are not there.

    Whoever needed a step that is skipped needs what that one needed.
    """
    found = {step.id: step for step in steps}
    stale = []
    skipped = set()
    for override in overlay.overrides:
        step = found.get(override.step)
        if step is None:
            stale.append(override.step)
        elif override.mode == "skip":
            skipped.add(step.id)
        elif override.mode == "replace":
            found[step.id] = replace(step, description=override.description)
        else:
            found[step.id] = replace(step, description=f"{step.description}\n{override.description}")
    return without([found[step.id] for step in steps], skipped), tuple(stale)
