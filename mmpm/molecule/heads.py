"""A molecule in a few words: what a list shows of it, and what those that wait for it have to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mmpm.molecule.readiness import outcome_of
from mmpm.molecule.transitions import TRANSITIONS, is_live, is_over, next_state

if TYPE_CHECKING:
    from mmpm.molecule.digest import Digest
    from mmpm.molecule.events import Connected
    from mmpm.molecule.state import Molecule


class Head(NamedTuple):
    """A molecule in a few words. A tuple, for a town has tens of thousands.

    Attributes:
        formula: ``name@version``, or the name alone.
        bonded_at, bonded_by: when it began, and who began it.
        last_at: when something was bonded, started, closed or ended in it last.
        steps: how many there are; `over` of them have ended, `in_progress` are being worked on.
        is_over: whether those that wait for it wait no longer; `has_failed`: and run where they wait for a failure.
    """

    id: str
    phase: str
    state: str
    title: str
    formula: str
    bonded_at: str
    bonded_by: str
    last_at: str
    steps: int
    over: int
    in_progress: int
    is_over: bool
    has_failed: bool
    connections: tuple[Connected, ...]

    @property
    def is_live(self) -> bool:
        """Whether work goes on in it."""
        return is_live(self.state)


def is_of_another(digest: Digest | Head, molecule: Molecule | Head) -> str:
    """Say whose digest this is, where it is another molecule's of the same id; nothing where it is this one's.

    An id with a `--ref` may have been given in two checkouts of a repository, of which one squashed its molecule.
    """
    if (digest.phase, digest.bonded_at, digest.bonded_by) == (molecule.phase, molecule.bonded_at, molecule.bonded_by):
        return ""
    return f"it is the digest of another {digest.phase} of that id, bonded {digest.bonded_at} by {digest.bonded_by}"


def head_of(molecule: Molecule) -> Head:
    """Give a molecule in a few words."""
    records = molecule.steps.values()
    last_at = max(molecule.bonded_at, molecule.ended_at)
    over = in_progress = 0
    for one in records:
        last_at = max(last_at, one.added_at, one.started_at, one.closed_at)
        if is_over(one.state):
            over += 1
        elif next_state(one.state, "start") is None:
            in_progress += 1
    origin = molecule.provenance
    outcome = outcome_of(molecule)
    return Head(
        molecule.id,
        molecule.phase,
        molecule.state,
        molecule.title,
        f"{origin.name}@{origin.version}" if origin.version else origin.name,
        molecule.bonded_at,
        molecule.bonded_by,
        last_at,
        len(molecule.steps),
        over,
        in_progress,
        outcome.is_over,
        outcome.has_failed,
        molecule.connections,
    )


def head_of_digest(digest: Digest) -> Head:
    """Give what a digest says of its molecule in a few words."""
    return Head(
        digest.id,
        digest.phase,
        TRANSITIONS["flowing", "squash"],
        digest.title,
        digest.formula,
        digest.bonded_at,
        digest.bonded_by,
        digest.completed_at,
        len(digest.outcomes),
        sum(is_over(one.state) for one in digest.outcomes),
        0,
        is_over=True,
        has_failed=digest.has_failed,
        connections=(),
    )


def ended_by(head: Head, digest: Head) -> Head:
    """Give a molecule that flows by its log as the digest beside it ends it."""
    return head._replace(
        state=digest.state,
        last_at=max(head.last_at, digest.last_at),
        is_over=True,
        has_failed=head.has_failed or head.over < head.steps,
    )
