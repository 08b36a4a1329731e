"""A proto made of what a molecule turned out to be: its steps, arms included, with its values back to ``{{name}}``."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.molecule.proto import Proto
from mmpm.molecule.variables import Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmpm.molecule.state import Molecule, StepRecord
    from mmpm.molecule.steps import Step


def distill(molecule: Molecule, name: str) -> Proto:
    """Give the proto: bonding it with the molecule's values gives its texts again.

    Where one value holds another the longer one is put back; empty values, and values inside a word, are not. Each
    variable that occurs is required.

    Raises:
        ValueError: what the molecule became is no sound proto.
    """
    back = _putting_back(molecule.values)
    steps = tuple(_template(record, back) for record in molecule.steps.values())
    made = Proto(
        name=name,
        title=back(molecule.title),
        description=back(molecule.description),
        steps=steps,
        sources=molecule.provenance.sources,
        capabilities=molecule.provenance.capabilities,
    )
    used = set(made.names_used) & set(molecule.values)
    return replace(made, variables=tuple(Variable(one, required=True) for one in sorted(used)))


def _putting_back(values: Mapping[str, str]) -> Callable[[str], str]:
    """Give what puts names in the place of values, in one pass; of two names with one value the first in order."""
    names: dict[str, str] = {}
    for name, value in sorted(values.items()):
        if value:
            names.setdefault(value, name)
    if not names:
        return str
    alternatives = "|".join(re.escape(value) for value in sorted(names, key=lambda value: (-len(value), value)))
    found = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")
    return lambda text: found.sub(lambda match: f"{{{{{names[match[0]]}}}}}", text)


def _template(record: StepRecord, back: Callable[[str], str]) -> Step:
    step = record.step
    return replace(
        step,
        title=back(step.title),
        description=back(step.description),
        design=back(step.design),
        acceptance=back(step.acceptance),
        notes=back(step.notes),
        needs=tuple(dict.fromkeys(record.needs)),
        if_failed=tuple(dict.fromkeys(record.if_failed)),
    )
