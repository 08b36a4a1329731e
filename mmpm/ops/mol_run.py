"""Work on molecules: steps that begin and end, gates that open.

Rule: several operands are decided in their order, each over what the ones before it came to, and what happens to one
molecule is one line of its log. If one of them is refused, nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from mmpm.errors import MoleculeRefusedError, UsageError, quoted
from mmpm.molecule import lifecycle
from mmpm.molecule.answers import Refusal
from mmpm.molecule.events import ArmAdded, Closed, Event, Skipped
from mmpm.molecule.lines import Line
from mmpm.molecule.picture.wrapping import one_line
from mmpm.molecule.readiness import ReadyStep, outcome_of, ready
from mmpm.molecule.state import Molecule, apply, is_failure
from mmpm.molecule.transitions import is_live, is_over
from mmpm.ops.mol_state import accepted, check_text, written
from mmpm.plan import AppendLine, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mmpm.molecule.answers import Answer, Stamp
    from mmpm.molecule.completion import Completion
    from mmpm.molecule.proto import Proto
    from mmpm.molecule.readiness import Outcome
    from mmpm.ops.mol_state import Address, Workspace
    from mmpm.plan import PutObject

MAX_NAMED: Final = 5  # ids in the sentence of a plan
MAX_WORDS: Final = 200  # characters of a file's own words in a sentence


@dataclass(frozen=True, slots=True)
class Ran:
    """What the operands of one command came to in one molecule.

    Attributes:
        after: the molecule as it stands then.
        verb: ``start``, ``close`` or ``open-gate``.
        asked: ids below the molecule that were named.
        followed: what ended with them, or was skipped; what was named and will never run, too.
        bonded: ids of arms that `on_complete` asked for.
        notes: what `on_complete` asks for and was not done, one sentence each.
        released: steps that were not ready before, and are.
    """

    after: Molecule
    verb: str
    asked: tuple[str, ...]
    followed: tuple[Closed | Skipped, ...]
    bonded: tuple[str, ...]
    notes: tuple[str, ...]
    released: tuple[ReadyStep, ...]

    @property
    def is_done(self) -> bool:
        """Whether every step has ended, and there is one."""
        records = self.after.steps.values()
        return bool(records) and all(is_over(one.state) for one in records)


@dataclass(frozen=True, slots=True)
class Work:
    """What one command does.

    Attributes:
        ran: by molecule, in the order of the operands.
        woken: steps that are ready in other molecules once these have ended, with their molecule.
    """

    plan: Plan
    ran: tuple[Ran, ...]
    woken: tuple[tuple[Molecule, tuple[ReadyStep, ...]], ...] = ()


def start(workspace: Workspace, operands: Iterable[str], actor: str | None = None) -> Work:
    """Begin to work on steps.

    Raises:
        MoleculeNotHereError: there is no such step.
        MoleculeRefusedError: one of them is not ready.
    """
    run = _Run(workspace, "start", workspace.stamp(actor))
    for address in _steps(workspace, operands):
        run.take(address, lambda now, step, others: lifecycle.start(now, step, run.stamp, others))
    return run.work()


def open_gate(workspace: Workspace, operands: Iterable[str], reason: str, actor: str | None = None) -> Work:
    """Open the gates of steps.

    Raises:
        MoleculeNotHereError: there is no such step.
        MoleculeRefusedError: it has no gate that is closed.
    """
    check_text("--reason", reason)
    run = _Run(workspace, "open-gate", workspace.stamp(actor))
    for address in _steps(workspace, operands):
        run.take(address, lambda now, step, _: lifecycle.open_gate(now, step, reason, run.stamp))
    return run.work()


def close(
    workspace: Workspace,
    operands: Iterable[str],
    reason: str,
    actor: str | None = None,
    *,
    output: Mapping[str, Any] | None = None,
    proto_of: Callable[[str], Proto] | None = None,
) -> Work:
    """End steps, and what ends with them; bond what `on_complete` asks for.

    Args:
        workspace: begun, unless nothing is written.
        operands: full ids.
        reason: of all of them; says whether they failed.
        actor: see `Workspace.stamp`.
        output: what the step made, for its `on_complete`; only with one operand.
        proto_of: gives the proto of a name; needed with `output`.

    Raises:
        MoleculeNotHereError: there is no such step.
        MoleculeRefusedError: one of them cannot end yet, or the output is not what its `on_complete` reads.
        UsageError: an output, and several operands; or the reason cannot be kept.
        MmpmError: whatever `proto_of` raises; VariablesRefusedError of an item's values.
    """
    check_text("--reason", reason)
    run = _Run(workspace, "close", workspace.stamp(actor))
    addresses = _steps(workspace, operands)
    if output is not None and len(addresses) > 1:
        raise UsageError("--output is of one step, and there are several", "close each with its own --output")
    for address in addresses:
        if run.has_ended(address):
            continue
        if output is not None:
            completion = _completion(address.molecule, address.step)
            if completion is None or not completion.bond:
                why = f"{quoted(address.step)} has no on_complete that reads an output"
                raise MoleculeRefusedError(why, "close it without --output")
            assert proto_of is not None, "an output comes with somebody who finds the proto"
            proto = proto_of(completion.bond)
            run.take(address, _fan_out(run.stamp, reason, completion, output, proto))
            run.keep(address, proto)
            continue
        run.take(address, lambda now, step, others: lifecycle.close(now, step, reason, run.stamp, others))
    return run.work()


def _fan_out(
    stamp: Stamp, reason: str, completion: Completion, output: Mapping[str, Any], proto: Proto
) -> Callable[[Molecule, str, Mapping[str, Outcome]], Answer]:
    from mmpm.molecule.completion import complete, values_of

    try:
        values = values_of(completion, output)
    except ValueError as error:
        raise MoleculeRefusedError(f"on_complete: {error}") from None
    return lambda now, step, others: complete(
        now, step, reason, stamp, others, completion=completion, proto=proto, values=values
    )


def _completion(molecule: Molecule, step: str) -> Completion | None:
    table = molecule.steps[step].step.on_complete
    if not table:
        return None
    from mmpm.molecule.completion import Completion, completion_of

    try:
        return completion_of(table)
    except ValueError as error:
        # Its author's mistake must not keep the step from ending: it is said, and nothing is bonded.
        return Completion("", "", {}, is_sequential=False, unknown=(str(error),))


def _steps(workspace: Workspace, operands: Iterable[str]) -> tuple[Address, ...]:
    """Give what the operands name, each once; a molecule itself is no step."""
    found: dict[str, Address] = {}
    for operand in operands:
        address = workspace.address(operand)
        if not address.step:
            one = next(iter(address.molecule.steps), "STEP")
            raise UsageError(f"{operand} is a molecule, not a step", f"name a step of it, as {operand}.{one}")
        found[address.id] = address
    if not found:
        raise UsageError("no step is named", "`mmpm mol ready` lists what may run, with its ids")
    return tuple(found.values())


def keep(workspace: Workspace, work: Work) -> None:
    """Tell the index what was written, so that nobody reads a long log again for one line."""
    lines = {action.id: action.data for action in work.plan.actions if isinstance(action, AppendLine)}
    for ran in work.ran:
        workspace.keep(ran.after, lines[ran.after.id])


class _Run:
    """Operands of one command, taken one after the other."""

    def __init__(self, workspace: Workspace, verb: str, stamp: Stamp) -> None:
        self.stamp = stamp
        self._workspace = workspace
        self._verb = verb
        self._before: dict[str, Molecule] = {}
        self._now: dict[str, Molecule] = {}
        self._events: dict[str, list[Event]] = {}
        self._asked: dict[str, list[str]] = {}
        self._spread: set[str] = set()
        self._kept: list[PutObject] = []

    def has_ended(self, address: Address) -> bool:
        """Tell whether a step ended with one of the operands before it."""
        now = self._now.get(address.molecule.id)
        if now is None or not is_over(now.steps[address.step].state):
            return False
        before = self._before[now.id].steps[address.step]
        return not is_over(before.state)

    def take(self, address: Address, decide: Callable[[Molecule, str, Mapping[str, Outcome]], Answer]) -> None:
        """Decide about one operand over what those before it came to.

        Raises:
            MoleculeRefusedError: it cannot be done.
        """
        molecule_id = address.molecule.id
        before = self._before.setdefault(molecule_id, address.molecule)
        now = self._now.get(molecule_id, before)
        answer = decide(now, address.step, self._workspace.others(now))
        if isinstance(answer, Refusal) and not answer.remedy:
            remedy = f"`mmpm mol ready {molecule_id} --blocked` says what may run, and why the rest waits"
            if not is_live(now.state):
                remedy = f"`mmpm mol show {molecule_id}` says how it ended"
            answer = replace(answer, remedy=remedy)
        change = accepted(answer)
        self._now[molecule_id] = apply(now, change.line)
        self._events.setdefault(molecule_id, []).extend(change.line.events)
        self._asked.setdefault(molecule_id, []).append(address.step)

    def keep(self, address: Address, proto: Proto) -> None:
        """Keep what was bonded as `on_complete` of a step asks."""
        molecule = address.molecule
        self._kept.append(self._workspace.keeping(proto, molecule.id, molecule.phase))
        self._spread.add(address.id)

    def _notes(self, molecule: Molecule, closed: Iterable[Closed]) -> Iterator[str]:
        """Say what the `on_complete` of steps that ended asks for and nobody did."""
        for event in closed:
            completion = _completion(molecule, event.step)
            if completion is None:
                continue
            full = molecule.full_id(event.step)
            for key in completion.unknown[:MAX_NAMED]:
                yield f"{full}: its on_complete has {one_line(key, MAX_WORDS)}; that is not carried out"
            if completion.bond and full not in self._spread and not is_failure(event.reason):
                bond, each = one_line(completion.bond, MAX_WORDS), one_line(completion.for_each, MAX_WORDS)
                yield f"{full}: its on_complete bonds {bond} for each of {each}; without --output nothing was bonded"

    def work(self) -> Work:
        """Give what all of it comes to."""
        ran = tuple(self._ran(molecule_id) for molecule_id in self._now)
        actions = tuple(self._action(one) for one in ran)
        return Work(Plan((*self._kept, *actions)), ran, self._woken())

    def _ran(self, molecule_id: str) -> Ran:
        before, after = self._before[molecule_id], self._now[molecule_id]
        asked, events = self._asked[molecule_id], self._events[molecule_id]
        others = self._workspace.others(after)
        named = frozenset(asked)
        ended = tuple(one for one in events if isinstance(one, Closed | Skipped))
        was_ready = {one.id for one in ready(before, self.stamp.at, others)}
        return Ran(
            after,
            self._verb,
            tuple(asked),
            tuple(one for one in ended if isinstance(one, Skipped) or one.step not in named),
            tuple(one.step for one in events if isinstance(one, ArmAdded)),
            tuple(self._notes(after, (one for one in ended if isinstance(one, Closed)))),
            tuple(one for one in ready(after, self.stamp.at, others) if one.id not in was_ready),
        )

    def _action(self, ran: Ran) -> AppendLine:
        molecule = ran.after
        line = Line(self.stamp.at, self.stamp.actor, self._verb, tuple(self._events[molecule.id]))
        words = f"{_WORDS[self._verb]} {_named(molecule, ran.asked)}"
        if ran.bonded:
            words += f", bond {_named(molecule, ran.bonded)}"
        if ran.followed:
            words += f"; with it ends {_named(molecule, tuple(one.step for one in ran.followed))}"
        data = written(line, "this", "name fewer steps at once")
        return AppendLine(self._workspace.places.root, molecule.id, molecule.phase, data, creates=False, sentence=words)

    def _woken(self) -> tuple[tuple[Molecule, tuple[ReadyStep, ...]], ...]:
        """Give what is ready in molecules that waited for one of these to end."""
        ended = {
            one: outcome_of(after)
            for one, after in self._now.items()
            if outcome_of(after).is_over and not outcome_of(self._before[one]).is_over
        }
        if not ended:
            return ()
        found = []
        for waiting, on in self._workspace.links().items():
            if waiting in self._now or ended.keys().isdisjoint(on):
                continue
            molecule = self._workspace.molecule(waiting)
            if molecule is None:
                continue
            steps = ready(molecule, self.stamp.at, {**self._workspace.others(molecule), **ended})
            if steps:
                found.append((molecule, steps))
        return tuple(found)


_WORDS: Final = {"start": "start", "close": "close", "open-gate": "open the gate of"}


def _named(molecule: Molecule, steps: tuple[str, ...]) -> str:
    named = ", ".join(molecule.full_id(step) for step in steps[:MAX_NAMED])
    more = len(steps) - MAX_NAMED
    return named + (f" and {more} more" if more > 0 else "")
