"""The life of a molecule: how its steps are worked on, and how it ends; how it begins and grows: `bonding`.

Rule: an operation is a function of state, request, moment and actor. It gives one line, or says why not; it changes
nothing and reads no clock. What is allowed in which state stands in `transitions.TRANSITIONS` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import quoted
from mmpm.molecule.answers import Answer, Change, Refusal, Stamp, may, step_may
from mmpm.molecule.digest import digest_of
from mmpm.molecule.ending import endings, never_runs
from mmpm.molecule.events import Burned, GateOpened, Squashed, Started
from mmpm.molecule.lines import Line
from mmpm.molecule.readiness import Outcome, View
from mmpm.molecule.transitions import next_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.molecule.state import Molecule


def start(molecule: Molecule, step: str, stamp: Stamp, others: Mapping[str, Outcome] | None = None) -> Answer:
    """Begin to work on a step: it has to be ready."""
    refusal = (
        may(molecule, "work") or step_may(molecule, step, "start") or _held(molecule, step, stamp, others, "start")
    )
    if refusal is not None:
        return refusal
    return Change(molecule.id, Line(stamp.at, stamp.actor, "start", (Started(step),)), step)


def close(
    molecule: Molecule, step: str, reason: str, stamp: Stamp, others: Mapping[str, Outcome] | None = None
) -> Answer:
    """End a step, and what ends with it: parents whose last child it was, and what only its failure would have run."""
    refusal = may(molecule, "work") or step_may(molecule, step, "close")
    is_skipped = False
    if refusal is None and next_state(molecule.steps[step].state, "start") is not None:
        is_skipped = bool(never_runs(molecule, molecule.steps[step]))
        refusal = None if is_skipped else _held(molecule, step, stamp, others, "close")
    if refusal is not None:
        return refusal
    left = 0 if is_skipped else View(molecule, stamp.at, others).open_children(step)
    if left == 1:
        return Refusal(f"a child of {quoted(step)} is open", "close it first")
    if left:
        return Refusal(f"{left} children of {quoted(step)} are open", "close them first")
    events = endings(molecule, step, reason, stamp.at, others)
    return Change(molecule.id, Line(stamp.at, stamp.actor, "close", events), step)


def open_gate(molecule: Molecule, step: str, reason: str, stamp: Stamp) -> Answer:
    """Open the gate of a step: human, timer, mail or what else it is."""
    refusal = may(molecule, "work") or step_may(molecule, step, "open-gate")
    if refusal is not None:
        return refusal
    record = molecule.steps[step]
    if record.step.gate is None:
        return Refusal(f"{quoted(step)} has no gate that could be opened; a fan-out gate opens by itself")
    if record.is_gate_open:
        return Refusal(f"the gate of {quoted(step)} is open")
    return Change(molecule.id, Line(stamp.at, stamp.actor, "open-gate", (GateOpened(step, reason),)), step)


def squash(molecule: Molecule, summary: str, lock_entry: Mapping[str, str], stamp: Stamp) -> Answer:
    """End a molecule in a digest. Steps that are open stay so, and the digest says it.

    Args:
        molecule: a mol (its steps stay) or a wisp (whoever writes the digest takes its log away).
        summary: as it is to stand; empty: an outline is made.
        lock_entry: what the lock says of the formula, texts by key; empty where it is not locked.
        stamp: when and who.
    """
    refusal = may(molecule, "squash")
    if refusal is not None:
        return refusal
    digest = digest_of(molecule, summary, lock_entry, stamp.at, stamp.actor)
    return Change(molecule.id, Line(stamp.at, stamp.actor, "squash", (Squashed(digest.root),)), digest=digest)


def burn(molecule: Molecule, reason: str, stamp: Stamp) -> Answer:
    """End a molecule in nothing. The line is for the audit log; whoever writes it takes the molecule's log away."""
    refusal = may(molecule, "burn")
    if refusal is not None:
        return refusal
    return Change(molecule.id, Line(stamp.at, stamp.actor, "burn", (Burned(molecule.id, reason),)))


def _held(
    molecule: Molecule, step: str, stamp: Stamp, others: Mapping[str, Outcome] | None, verb: str
) -> Refusal | None:
    holds = list(View(molecule, stamp.at, others).holds_of(step))
    if not holds:
        return None
    return Refusal(f"{quoted(step)} cannot {verb}: " + "; ".join(map(str, holds[:5])))
