"""A proto made of what a molecule turned out to be: its steps, arms included, with its values back to ``{{name}}``.

Where the proto that something was bonded from is at hand, its own texts come back wherever they still give what the
molecule says; elsewhere values are looked for in the texts. A text is taken only if the values give it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import quoted
from mmpm.molecule.arranging import moved
from mmpm.molecule.proto import Proto
from mmpm.molecule.steps import Step, in_values
from mmpm.molecule.variables import Variable, names_in, substitute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.molecule.state import Molecule, StepRecord

MAX_WORK: Final = 1 << 30
"""Characters that are compared with values at most: some seconds."""
_KEPT_OF_THE_ROOT: Final = ("labels", "squash", "pour")


@dataclass(frozen=True, slots=True)
class Distilled:
    """What became of a molecule.

    Attributes:
        proto: bonding it with `values` gives the molecule's texts again.
        values: of the molecule and of its arms; where they differ, the name is nobody's.
        notes: texts that no variable can give again, a sentence each.
    """

    proto: Proto
    values: Mapping[str, str]
    notes: tuple[str, ...] = ()


def distill(molecule: Molecule, name: str, origins: Mapping[str, Proto] | None = None) -> Distilled:
    """Give the proto that a molecule is worth.

    Where one value holds another the longer one is put back; empty values, and values inside a word, are not. A
    variable keeps what the proto it came from says of it; one of which nothing is known is required.

    Args:
        molecule: as it stands; its states do not matter.
        name: of the new proto.
        origins: the protos that the molecule (under the empty text) and its arms (under their ids) were bonded from,
            those that are known.

    Raises:
        ValueError: what the molecule became is no sound proto.
    """
    known = origins or {}
    values = _agreed(molecule)
    restoring = {False: _Restoring(molecule.values, values), True: _Restoring(values, values)}
    templates = _templates(known)
    root = templates.get("", Step(""))
    inside: set[str] = set()
    steps = []
    for step_id, record in molecule.steps.items():  # a parent before its children
        if step_id in molecule.arms or record.step.parent in inside:
            inside.add(step_id)
        restore = restoring[step_id in inside]
        steps.append(_template(record, molecule, templates.get(step_id, Step("")), restore, name))
    usual = molecule.title == molecule.provenance.name and root.title in ("", molecule.title)
    made = Proto(
        name=name,
        version="1.0.0",
        title=name if usual else restoring[False](molecule.title, root.title),
        description=restoring[False](molecule.description, root.description),
        steps=tuple(steps),
        sources=molecule.provenance.sources,
        phase=known[""].phase if "" in known else "",
        capabilities=molecule.provenance.capabilities,
        attributes={key: known[""].attributes[key] for key in _KEPT_OF_THE_ROOT if key in known[""].attributes}
        if "" in known
        else {},
    )
    made = replace(made, variables=_variables(made, values, known))
    notes = [*restoring[False].lost, *restoring[True].lost]
    return Distilled(made, values, tuple(dict.fromkeys(notes)))


def _agreed(molecule: Molecule) -> dict[str, str]:
    """Give the values of the molecule, and those of its arms that nobody else has otherwise."""
    found = dict(molecule.values)
    at_odds: set[str] = set()
    for arm in molecule.arms.values():
        for variable, value in arm.values.items():
            if found.setdefault(variable, value) != value and variable not in molecule.values:
                at_odds.add(variable)
    return {variable: value for variable, value in found.items() if variable not in at_odds}


def _templates(origins: Mapping[str, Proto]) -> dict[str, Step]:
    """Give each step as the proto it came from has it; the root, under the empty text, as a step as well."""
    found: dict[str, Step] = {}
    for arm, proto in origins.items():
        found[arm] = Step(arm, title=proto.title or proto.name, description=proto.description)
        found.update((step.id, step) for step in (moved(proto.steps, arm) if arm else proto.steps))
    return found


class _Restoring:
    """Gives for a text of a molecule the one with variables that it was made of."""

    def __init__(self, looked_for: Mapping[str, str], values: Mapping[str, str]) -> None:
        self._names: dict[str, str] = {}  # of two names with one value the first in order
        for name, value in sorted(looked_for.items()):
            if value:
                self._names.setdefault(value, name)
        self._values = values
        self._left = MAX_WORK
        self.lost: list[str] = []

    def __call__(self, text: str, template: str = "") -> str:
        if (template or not text) and substitute(template, self._values) == text:
            return template
        for one in (self._back(text), text):
            if substitute(one, self._values) == text:
                return one
        self.lost.append(f"{quoted(text)} will read otherwise: what stands in it is also the name of a variable")
        return text

    def _back(self, text: str) -> str:
        """Put names in the place of values, in one pass, the longest value first."""
        self._left -= len(text) * (1 + len(self._names) // 32)
        found = [value for value in self._names if value in text] if self._left > 0 else []
        self._left -= len(text) * len(found)
        if self._left <= 0:
            self.lost.append("some texts keep their values: they are too long, or the values too many, to look for all")
            return text
        if not found:
            return text
        alternatives = "|".join(re.escape(value) for value in sorted(found, key=lambda value: (-len(value), value)))
        whole = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")
        return whole.sub(lambda match: f"{{{{{self._names[match[0]]}}}}}", text)


def _template(record: StepRecord, molecule: Molecule, origin: Step, restore: _Restoring, name: str) -> Step:
    step = record.step.with_texts_beside(origin, restore)
    # An arm that a gate waits for although it is no child of the spawner is a step to be waited for.
    arms = [arm for wait in step.waits_for for arm in molecule.spawned.get(wait.spawner, ())]
    return replace(
        step,
        needs=tuple(dict.fromkeys((*record.needs, *arms))),
        if_failed=tuple(dict.fromkeys(record.if_failed)),
        source=name,
    )


def _variables(made: Proto, values: Mapping[str, str], origins: Mapping[str, Proto]) -> tuple[Variable, ...]:
    """Declare the variables that occur: as a proto that it came from does, the molecule's before those of arms."""
    declared: dict[str, Variable] = {}
    for arm in sorted(origins):
        for one in origins[arm].variables:
            declared.setdefault(one.name, one)
    occurring = set(made.names_used)

    def note(text: str) -> str:
        occurring.update(names_in(text))
        return text

    for step in made.steps:
        in_values(step.on_complete, note)
    used = [name for name in sorted(occurring) if name in values or name in declared]
    found = []
    for name in used:
        one = declared.get(name, Variable(name, required=True))
        found.append(replace(one, unless=tuple(other for other in one.unless if other in used)))
    return tuple(found)
