"""What may run now, and which molecules flow here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import MoleculeLogError
from mmpm.molecule.events import is_molecule_id
from mmpm.molecule.readiness import Hold, ReadyStep, View, outcome_of, ready, why_blocked
from mmpm.molecule.transitions import is_live, is_over, next_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mmpm.molecule.readiness import Outcome
    from mmpm.molecule.state import Molecule, StepRecord
    from mmpm.ops.mol_state import Workspace

MAX_CAUSES: Final = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """A molecule in a few words.

    Attributes:
        formula: ``name@version``, or the name alone.
        steps, over, in_progress: how many there are, have ended, are being worked on.
        bonded_at, bonded_by, last_at: when it began, who began it, and when something happened to it last.
    """

    id: str
    phase: str
    state: str
    title: str
    formula: str
    steps: int
    over: int
    in_progress: int
    bonded_at: str
    bonded_by: str
    last_at: str

    @property
    def is_done(self) -> bool:
        """Whether it flows and every step of it has ended."""
        return is_live(self.state) and self.steps == self.over > 0


@dataclass(frozen=True, slots=True)
class Busy:
    """A step that somebody works on."""

    id: str
    title: str
    by: str
    since: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """A step that may not run now, and everything that holds it."""

    id: str
    title: str
    holds: tuple[Hold, ...]


@dataclass(frozen=True, slots=True)
class Front:
    """Where a molecule stands: what may run, what runs, what waits.

    Attributes:
        ready: in the molecule's order; those of one group may all run at once.
        busy, blocked: only where they were asked for.
        remark: where nothing is ready: why, and what to do; else empty.
    """

    summary: Summary
    ready: tuple[ReadyStep, ...]
    busy: tuple[Busy, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    remark: str = ""

    @property
    def groups(self) -> tuple[tuple[str, tuple[ReadyStep, ...]], ...]:
        """What may run, by the id of the parent whose children may all run at once."""
        found: dict[str, list[ReadyStep]] = {}
        for step in self.ready:
            found.setdefault(step.group, []).append(step)
        return tuple((group, tuple(steps)) for group, steps in found.items())


def fronts(
    workspace: Workspace, operands: Sequence[str] = (), *, with_blocked: bool = False
) -> tuple[tuple[Front, ...], tuple[str, ...]]:
    """Give where molecules stand, and sentences about those that cannot be read.

    Args:
        workspace: whose.
        operands: full ids of molecules or of steps (what is below them is meant); none: all that flow here.
        with_blocked: also what waits, and why.

    Raises:
        MoleculeNotHereError: an operand names nothing.
        MoleculeLogError: the log of one that was named cannot be used.
    """
    now = workspace.stamp("-").at
    if operands:
        return tuple(
            _named(workspace, operand, now, with_blocked=with_blocked) for operand in dict.fromkeys(operands)
        ), ()
    found: list[Front] = []
    problems: list[str] = []
    for molecule in _readable(workspace, problems):
        if is_live(molecule.state):
            others = workspace.others(molecule)
            found.append(front_of(molecule, now, others, with_blocked=with_blocked))
    return tuple(found), tuple(problems)


def front_of(
    molecule: Molecule, now: str, others: Mapping[str, Outcome], *, below: str = "", with_blocked: bool = False
) -> Front:
    """Give where a molecule stands, or what is below a step of it (and the step itself)."""

    def is_meant(step_id: str) -> bool:
        return not below or step_id == below or step_id.startswith(f"{below}.")

    found = tuple(one for one in ready(molecule, now, others) if is_meant(one.id))
    records = [(one, record) for one, record in molecule.steps.items() if is_meant(one)]
    busy = tuple(
        Busy(one, record.step.title, record.started_by, record.started_at)
        for one, record in records
        if with_blocked and _is_busy(record)
    )
    blocked: tuple[Blocked, ...] = ()
    if with_blocked:
        free = {one.id for one in found}
        blocked = tuple(
            Blocked(one, record.step.title, why_blocked(molecule, one, now, others))
            for one, record in records
            if next_state(record.state, "start") is not None and one not in free
        )
    remark = "" if found else _remark(molecule, now, others, below, records)
    return Front(summary_of(molecule), found, busy, blocked, remark)


def running(workspace: Workspace, *, with_ended: bool = False) -> tuple[tuple[Summary, ...], tuple[str, ...]]:
    """Give the molecules that flow here, and sentences about those that cannot be read.

    Args:
        workspace: whose.
        with_ended: also those that were squashed, by their digests where the trace is gone.
    """
    problems: list[str] = []
    found = [
        summary_of(molecule) for molecule in _readable(workspace, problems) if with_ended or is_live(molecule.state)
    ]
    if with_ended:
        found += _gone(workspace, {one.id for one in found}, problems)
    return tuple(sorted(found, key=lambda one: one.id)), tuple(problems)


def summary_of(molecule: Molecule) -> Summary:
    """Give a molecule in a few words."""
    records = molecule.steps.values()
    moments = [molecule.bonded_at, molecule.ended_at]
    moments += [moment for one in records for moment in (one.added_at, one.started_at, one.closed_at)]
    origin = molecule.provenance
    return Summary(
        molecule.id,
        molecule.phase,
        molecule.state,
        molecule.title,
        f"{origin.name}@{origin.version}" if origin.version else origin.name,
        len(molecule.steps),
        sum(is_over(one.state) for one in records),
        sum(map(_is_busy, records)),
        molecule.bonded_at,
        molecule.bonded_by,
        max(moments),
    )


def _gone(workspace: Workspace, known: set[str], problems: list[str]) -> Iterator[Summary]:
    for molecule_id in _digests(workspace):
        if molecule_id in known:
            continue
        try:
            digest = workspace.digest(molecule_id)
        except MoleculeLogError as error:
            problems.append(str(error))
            continue
        if digest is None:
            continue
        over = sum(is_over(one.state) for one in digest.outcomes)
        yield Summary(
            digest.id,
            digest.phase,
            "squashed",
            digest.title,
            digest.formula,
            len(digest.outcomes),
            over,
            0,
            digest.bonded_at,
            digest.bonded_by,
            digest.completed_at,
        )


def _digests(workspace: Workspace) -> list[str]:
    try:
        names = sorted(os.listdir(workspace.places.digests))
    except (FileNotFoundError, NotADirectoryError):
        return []
    ids = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return [one for one in ids if is_molecule_id(one)]


def _named(workspace: Workspace, operand: str, now: str, *, with_blocked: bool) -> Front:
    address = workspace.address(operand)
    molecule = address.molecule
    return front_of(molecule, now, workspace.others(molecule), below=address.step, with_blocked=with_blocked)


def _readable(workspace: Workspace, problems: list[str]) -> Iterator[Molecule]:
    """Give every molecule with a log; one that cannot be read hides no other."""
    for molecule_id in workspace.ids():
        try:
            molecule = workspace.molecule(molecule_id)
        except MoleculeLogError as error:
            problems.append(str(error))
            continue
        if molecule is not None:
            yield molecule
        workspace.forget(molecule_id)


def _is_busy(record: StepRecord) -> bool:
    """Tell whether somebody works on a step."""
    return next_state(record.state, "start") is None and next_state(record.state, "close") is not None


def _remark(
    molecule: Molecule,
    now: str,
    others: Mapping[str, Outcome],
    below: str,
    records: Iterable[tuple[str, StepRecord]],
) -> str:
    """Say why nothing is ready, and what to do."""
    if not is_live(molecule.state):
        return f"it is {molecule.state}"
    if not molecule.steps:
        return "it has no steps: bond some to it, or end it with `mmpm mol squash` or `mmpm mol burn`"
    if outcome_of(molecule).is_over:
        return f"all its steps have ended: `mmpm mol squash {molecule.id} --summary TEXT` keeps what came of it"
    open_records = [(one, record) for one, record in records if not is_over(record.state)]
    if not open_records:
        return f"everything below {molecule.full_id(below)} has ended" if below else ""
    causes = _causes(molecule, now, others, open_records)
    return "; ".join(causes) or "it waits for what is in progress"


def _causes(
    molecule: Molecule, now: str, others: Mapping[str, Outcome], records: Iterable[tuple[str, StepRecord]]
) -> list[str]:
    """Give what holds a molecule at the front: what no other step of it would release."""
    view = View(molecule, now, others)
    root = view.root_hold()
    if root is not None:
        return [str(root)]
    found: list[str] = []
    for step_id, record in records:
        full = molecule.full_id(step_id)
        if _is_busy(record):
            by = f" by {record.started_by}" if record.started_by else ""
            found.append(f"{full} is in progress{by}")
            continue
        holds = list(view.holds_of(step_id))
        if holds and all(hold.kind in {"gate", "timer"} for hold in holds):
            ways = any(hold.kind == "gate" for hold in holds)
            remedy = f" (`mmpm mol gate open {full}`)" if ways else ""
            found.append(f"{full}: {holds[0]}{remedy}")
    more = len(found) - MAX_CAUSES
    return found[:MAX_CAUSES] + ([f"and {more} more"] if more > 0 else [])
