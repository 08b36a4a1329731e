"""What an operation on a molecule answers: a line that may be written, or why it cannot be done.

Rule: what is allowed in which state stands in `transitions.TRANSITIONS` alone; `may` and `step_may` ask it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mmpm.errors import quoted
from mmpm.molecule.transitions import next_state

if TYPE_CHECKING:
    from mmpm.molecule.digest import Digest
    from mmpm.molecule.lines import Line
    from mmpm.molecule.state import Molecule


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something is done, and by whom: RFC 3339, UTC, whole seconds."""

    at: str
    actor: str


@dataclass(frozen=True, slots=True)
class Change:
    """An operation that may be written.

    Attributes:
        id: of the molecule whose log the line belongs to; a `burn`'s belongs to the audit log.
        line: the whole operation.
        step: id below the molecule of what was made or ended; empty for the molecule.
        digest: of a squash.
    """

    id: str
    line: Line
    step: str = ""
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an operation cannot be done: one sentence, and what to do instead where that is known."""

    reason: str
    remedy: str = ""


Answer: TypeAlias = Change | Refusal


def may(molecule: Molecule, verb: str) -> Refusal | None:
    """Refuse what the molecule does not allow as it stands."""
    if next_state(molecule.state, verb) is None:
        return Refusal(f"{molecule.id or 'this'} is {molecule.state}: it cannot be changed any more")
    return None


def step_may(molecule: Molecule, step: str, verb: str) -> Refusal | None:
    """Refuse what the step does not allow as it stands; one that is not there allows nothing."""
    record = molecule.steps.get(step)
    if record is None:
        return Refusal(f"{molecule.id} has no step {quoted(step)}")
    if next_state(record.state, verb) is not None:
        return None
    who = f" (by {record.closed_by or record.started_by})" if record.closed_by or record.started_by else ""
    return Refusal(f"{quoted(step)} is {record.state.replace('_', ' ')}{who}")
