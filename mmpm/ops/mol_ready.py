"""What may run now, and which molecules flow here.

Rule: neither is read from the logs where the index knows it, and nothing that only writers need is imported.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import MoleculeLogError, MoleculeNotHereError, MoleculeRefusedError
from mmpm.molecule.ending import never_runs
from mmpm.molecule.graph import check_graph
from mmpm.molecule.heads import Head, head_of
from mmpm.molecule.picture.wrapping import one_line
from mmpm.molecule.readiness import Hold, ReadyStep, View, ready, why_blocked
from mmpm.molecule.transitions import is_over, next_state
from mmpm.project.mol_index import MolIndex, index_path
from mmpm.project.mol_log import MolPlaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from mmpm.execute.context import Progress
    from mmpm.molecule.readiness import Outcome
    from mmpm.molecule.state import Molecule, StepRecord
    from mmpm.ops.mol_state import Workspace

MAX_CAUSES: Final = 5
MAX_NAME: Final = 60
MAX_WORDS: Final = 300
# Molecules in which nothing is ready are read whole to say why, where this is soon done.
MAX_READ: Final = 20
MAX_READ_STEPS: Final = 2_000


TOLD_BYTES: Final = 5_000_000  # fewer bytes of logs are read within half a second


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

    head: Head
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


def moment(now: datetime) -> str:
    """Give a moment, UTC, as all our documents write it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def open_index(state: str, root: str, now: str, progress: Progress | None = None) -> MolIndex:
    """Give what stands in all logs of a root, looked at now.

    Args:
        state: ``$XDG_STATE_HOME/mmpm``.
        root: absolute path below which the molecules lie.
        now: the moment, as timers see it.
        progress: hears where much has to be read.
    """
    index = MolIndex(index_path(state, root), MolPlaces(root), reading(progress) if progress is not None else None)
    index.refresh(now)
    return index


def reading(progress: Progress) -> Callable[[int, int], None]:
    """Give what tells somebody how far the logs of a root are read: for `MolIndex`. What is quick is not told."""
    told = 0

    def on_read(done: int, total: int) -> None:
        nonlocal told
        if total < TOLD_BYTES:
            return
        if not told:
            progress.start("Reading the logs of molecules...", total, "bytes")
        progress.advance(done - told)
        told = done
        if done == total:
            progress.finish()

    return on_read


def fronts(
    index: MolIndex, now: str, workspace_of: Callable[[], Workspace], *, with_blocked: bool = False
) -> tuple[Front, ...]:
    """Give where all molecules stand that flow here; `MolIndex.troubles` has those that cannot be read.

    Args:
        index: of the root.
        now: the moment, as timers see it.
        workspace_of: gives the root's workspace; called only where a molecule has to be read whole.
        with_blocked: also what runs, and what waits and why.
    """
    found = {head.id: steps for head, steps in index.ready(now)}
    count = 0
    all_fronts: list[Front] = []
    workspace: Workspace | None = None
    for head in index.heads():
        if not head.is_live:
            continue
        steps = found.get(head.id, ())
        remark = "" if steps else _remark_of(head)
        is_short = not steps and not remark and count < MAX_READ and head.steps <= MAX_READ_STEPS
        if with_blocked or is_short:
            workspace = workspace or workspace_of()
            count += is_short
            all_fronts += _front_of_head(workspace, head, now, with_blocked=with_blocked)
        else:
            says = remark or f"`mmpm mol ready {head.id} --blocked` says what holds it"
            all_fronts.append(Front(head, steps, remark="" if steps else says))
    return tuple(all_fronts)


def _front_of_head(workspace: Workspace, head: Head, now: str, *, with_blocked: bool) -> list[Front]:
    """Read a molecule whole; nothing where it ended meanwhile, or cannot be read any more."""
    try:
        return [front_at(workspace, head.id, now, with_blocked=with_blocked)]
    except (MoleculeNotHereError, MoleculeRefusedError, MoleculeLogError):
        return []
    finally:
        workspace.forget(head.id)


def front_at(workspace: Workspace, operand: str, now: str, *, with_blocked: bool = False) -> Front:
    """Give where a molecule stands, or what is below a step of it.

    Raises:
        MoleculeNotHereError: the operand names nothing.
        MoleculeLogError: the log cannot be used.
    """
    address = workspace.address(operand)
    molecule = address.molecule
    return front_of(molecule, now, workspace.others(molecule), below=address.step, with_blocked=with_blocked)


def running(index: MolIndex, *, with_ended: bool = False) -> tuple[Head, ...]:
    """Give the molecules that flow here, sorted by id; `MolIndex.troubles` has those that cannot be read.

    Args:
        index: of the root.
        with_ended: also those that were squashed, by their digests where the trace is gone.
    """
    found = [head for head in index.heads() if with_ended or head.is_live]
    if with_ended:
        found = sorted((*found, *index.digests()), key=lambda head: head.id)
    return tuple(found)


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
    return Front(head_of(molecule), found, busy, blocked, remark)


def _is_busy(record: StepRecord) -> bool:
    """Tell whether somebody works on a step."""
    return next_state(record.state, "start") is None and next_state(record.state, "close") is not None


def _remark_of(head: Head) -> str:
    """Say why nothing is ready where that is plain from its numbers."""
    if not head.steps:
        return "it has no steps: bond some to it, or end it with `mmpm mol squash` or `mmpm mol burn`"
    if head.over == head.steps:
        return f"all its steps have ended: `mmpm mol squash {head.id} --summary TEXT` keeps what came of it"
    return ""


def _remark(
    molecule: Molecule,
    now: str,
    others: Mapping[str, Outcome],
    below: str,
    records: Iterable[tuple[str, StepRecord]],
) -> str:
    """Say why nothing is ready, and what to do."""
    head = head_of(molecule)
    plain = _remark_of(head) if head.is_live else f"it is {head.state}"
    if plain:
        return plain
    open_records = [(one, record) for one, record in records if not is_over(record.state)]
    if not open_records:
        return f"everything below {molecule.full_id(below)} has ended" if below else ""
    causes = _causes(molecule, now, others, open_records)
    if not causes and not below and (circle := _circle(molecule)):
        return f"{circle}; nothing releases them: `mmpm mol squash {head.id}` or `mmpm mol burn {head.id}` ends it"
    return "; ".join(causes or _first_holds(molecule, now, others, open_records))


def _circle(molecule: Molecule) -> str:
    """Say which steps wait for each other, as two branches may have let them; nothing where none do."""
    left = {one for one, record in molecule.steps.items() if not is_over(record.state)}
    problems = check_graph(left, (edge for edge in molecule.edges() if edge.step in left and edge.on in left))
    return problems[0].sentence if problems else ""


def _first_holds(
    molecule: Molecule, now: str, others: Mapping[str, Outcome], records: Iterable[tuple[str, StepRecord]]
) -> list[str]:
    """Give the first thing that each of the first steps waits for, with the way out where it will never come."""
    found = []
    for step_id, record in itertools.islice(records, MAX_CAUSES):
        full = molecule.full_id(step_id)
        why = why_blocked(molecule, step_id, now, others)
        remedy = f" (`mmpm mol close {full}` skips it)" if never_runs(molecule, record) else ""
        found.append(f"{full}: {one_line(str(why[0]), MAX_WORDS)}{remedy}")
    return found


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
            by = f" by {one_line(record.started_by, MAX_NAME)}" if record.started_by else ""
            found.append(f"{full} is in progress{by}")
            continue
        holds = list(view.holds_of(step_id))
        if holds and all(hold.kind in {"gate", "timer"} for hold in holds):
            ways = any(hold.kind == "gate" for hold in holds)
            remedy = f" (`mmpm mol gate open {full}`)" if ways else ""
            found.append(f"{full}: {one_line(str(holds[0]), MAX_WORDS)}{remedy}")
    more = len(found) - MAX_CAUSES
    return found[:MAX_CAUSES] + ([f"and {more} more"] if more > 0 else [])
