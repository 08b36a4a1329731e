"""How molecules end: squashed into a digest, burned, or, where nobody looks after a wisp any more, collected.

Rule: what is decided here is decided over one state: whoever writes has called `Workspace.begin`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mmpm.errors import (
    DocumentUnreadableError,
    LeadsOutsideError,
    MmpmError,
    MoleculeLogError,
    MoleculeRefusedError,
    UsageError,
    printable,
    size_text,
)
from mmpm.molecule import lifecycle
from mmpm.molecule.compacting import Compacted, compacted
from mmpm.molecule.digest import Digest
from mmpm.molecule.events import Burned
from mmpm.molecule.heads import is_of_another
from mmpm.molecule.readiness import TIMER, View, seconds_of
from mmpm.molecule.state import fold
from mmpm.molecule.transitions import is_live, is_over
from mmpm.ops.mol_state import accepted, check_text, written
from mmpm.plan import BurnMolecule, CompactLog, CompleteEnding, Plan, RemoveLeftovers, SquashMolecule
from mmpm.project.files import read_project
from mmpm.project.mol_lines import MAX_LOG_BYTES, open_log
from mmpm.project.mol_log import read_plain
from mmpm.project.tiers import search_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mmpm.lock import Locked, Lockfile
    from mmpm.molecule.answers import Stamp
    from mmpm.molecule.lines import Line
    from mmpm.molecule.state import Molecule
    from mmpm.ops.mol_state import Workspace
    from mmpm.plan import Action
    from mmpm.project.mol_log import LogFile

OLDER: Final = "24h"
MAX_COMPACTED_BYTES: Final = 64 << 20  # of a log: its lines are all in memory while it is written anew
RELEASE: Final = "release"  # `Source.origin`
_BEGINNING: Final = b'{"actor":'
# `.<name>.<process>.<8 hex digits>.tmp`, as `mmpm_store.durable` writes beside a log, a digest or the audit log.
_LEFTOVER: Final = re.compile(r"\.[A-Za-z0-9_.-]+\.[0-9]+\.[0-9a-f]{8}\.tmp")


@dataclass(frozen=True, slots=True)
class Squashing:
    """A molecule about to be squashed.

    Attributes:
        path: where its digest will lie.
        open_steps: how many steps have not ended: the digest will say so.
        unreadable: how many lines of the log cannot be read: the digest will not tell of them.
    """

    plan: Plan
    digest: Digest
    path: str
    open_steps: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class Burning:
    """Molecules about to be burned: (id, title, steps that have not ended)."""

    plan: Plan
    molecules: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """A wisp in which nothing has happened since `last`."""

    id: str
    title: str
    last: str


@dataclass(frozen=True, slots=True)
class Collecting:
    """What `gc` found.

    Attributes:
        stale: wisps that are burned.
        ended: ids whose end was begun and not completed.
        leftovers: files of killed processes.
        compacted: (id, lines that go).
    """

    plan: Plan
    stale: tuple[Stale, ...]
    ended: tuple[str, ...]
    leftovers: tuple[str, ...]
    compacted: tuple[tuple[str, int], ...]


def plan_squash(workspace: Workspace, operand: str, summary: str, stamp: Stamp) -> Squashing:
    """Plan a digest of a molecule as it stands.

    Raises:
        MoleculeNotHereError, MoleculeLogError: there is none of that id, or it cannot be read.
        MoleculeRefusedError: it has ended, `operand` is a step, or its digest would be too long to be read again.
        DocumentUnreadableError: the project's lock cannot be read.
        UsageError: the summary cannot be kept.
    """
    check_text("--summary", summary)
    molecule = _whole(workspace, operand)
    change = accepted(lifecycle.squash(molecule, summary, lock_entry(workspace, molecule), stamp), molecule.id)
    assert change.digest is not None, "a squash brings its digest"
    data = change.digest.to_bytes()
    try:
        Digest.parse(data)
    except ValueError as error:
        raise MoleculeRefusedError(f"the digest of {molecule.id} could not be read again: {error}") from error
    action = SquashMolecule(workspace.places.root, molecule.id, molecule.phase, data, change.line.to_bytes())
    plan = Plan((action,), notes=molecule.problems)
    skimmed = _skim(workspace.places.log(molecule.id, molecule.phase))
    unreadable = skimmed.unreadable if skimmed is not None else 0
    return Squashing(plan, change.digest, workspace.places.digest(molecule.id), _open_steps(molecule), unreadable)


def lock_entry(workspace: Workspace, molecule: Molecule) -> dict[str, str]:
    """Give what a lock says of the release that a molecule was bonded from: the root's own, else those of other tiers.

    Raises:
        DocumentUnreadableError: the root's own lock cannot be read; one of another tier is passed over then.
    """
    context = workspace.context
    own = context.project.root
    for project in (context.project, *search_order(context.places, own)):
        try:
            found = entry_of(read_project(project).lock, molecule)
        except (DocumentUnreadableError, LeadsOutsideError, OSError):
            if project.root == own:
                raise
            continue
        if found:
            return found
    return {}


def entry_of(lock: Lockfile | None, molecule: Molecule) -> dict[str, str]:
    """Give what a lock says of the release that a molecule was bonded from; empty where it says nothing.

    An entry of another version than the one that was bonded is none of it: the lock has moved on since. Of a molecule
    of the catalogue the release is meant that put it there, by whatever name.
    """
    wanted = molecule.provenance
    releases = [one for one in wanted.sources if one.origin == RELEASE]
    carried = {(one.name, one.version, one.checksum) for one in releases if len(releases) == 1}
    for release in lock.releases if lock else ():
        is_own = wanted.name in {release.name, release.installed_name} and wanted.version in {"", release.version}
        if is_own or (release.name, release.version, release.checksum) in carried:
            return _texts(release)
    return {}


def plan_burn(workspace: Workspace, operands: Sequence[str], reason: str, stamp: Stamp) -> Burning:
    """Plan to end molecules in nothing.

    Raises:
        MoleculeNotHereError, MoleculeLogError: there is none of an id, or it cannot be read; none is burned then.
        MoleculeRefusedError: one has ended, or an operand is a step.
        UsageError: the reason cannot be kept.
    """
    check_text("--reason", reason)
    molecules = [_whole(workspace, operand) for operand in dict.fromkeys(operands)]
    told = {one.id for one in molecules if one.phase == "mol" or reason or one.connections}
    told |= _stood_with(workspace, {one.id for one in molecules} - told)
    actions = [_burn(workspace, molecule, reason, stamp, audits=molecule.id in told) for molecule in molecules]
    shown = tuple((molecule.id, molecule.title, _open_steps(molecule)) for molecule in molecules)
    return Burning(Plan(tuple(actions)), shown)


def plan_gc(workspace: Workspace, older: str, stamp: Stamp) -> Collecting:
    """Plan to burn stale wisps, complete what was killed, remove what it left, and compact logs.

    A wisp in which a timer runs is not stale: it waits. What cannot be read is left, and said in the plan's notes.

    Raises:
        UsageError: `older` is no duration.
    """
    before = _before(workspace, older)
    actions: list[Action] = []
    notes: list[str] = []
    stale: list[Stale] = []
    ended: list[str] = []
    dropped: list[tuple[str, int]] = []
    leftovers = find_leftovers(workspace)
    progress = workspace.context.progress
    logs = workspace.logs()
    progress.start("Looking through molecules...", len(logs), "logs")
    for log in logs:
        progress.advance()
        try:
            found = _look(workspace, log, before, stamp)
        except (MmpmError, OSError, ValueError) as error:
            notes.append(f"{error.fact if isinstance(error, MmpmError) else f'{log.path}: {error}'}; it is left alone")
            continue
        match found:
            case BurnMolecule(), Stale() as old:
                actions.append(found[0])
                stale.append(old)
            case CompleteEnding():
                actions.append(found)
                ended.append(found.id)
            case CompactLog():
                actions.append(found)
                dropped.append((found.id, found.lines))
            case RemoveLeftovers():
                leftovers += found.paths
            case str() as note if note:
                notes.append(note)
    progress.finish()
    if leftovers:
        actions.append(RemoveLeftovers(leftovers))
    return Collecting(Plan(tuple(actions), notes=tuple(notes)), tuple(stale), tuple(ended), leftovers, tuple(dropped))


def find_leftovers(workspace: Workspace) -> tuple[str, ...]:
    """Give the files that killed processes left; only the holder of the lock may say so of all of them."""
    places = workspace.places
    found: list[str] = []
    for folder in (places.mols, places.wisps, places.digests, os.path.dirname(places.audit)):
        try:
            names = sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        # In `.beads/mmpm` itself others write, too: the list of what `mol install` put in, under another lock.
        own = (".audit.jsonl.", "..gitattributes.") if folder == os.path.dirname(places.audit) else "."
        found += [os.path.join(folder, name) for name in names if name.startswith(own) and _LEFTOVER.fullmatch(name)]
    return tuple(found)


def _look(
    workspace: Workspace, log: LogFile, before: str, stamp: Stamp
) -> tuple[BurnMolecule, Stale] | CompleteEnding | CompactLog | RemoveLeftovers | str | None:
    """Say what is to be done about one log; a text says why nothing is."""
    places = workspace.places
    if log.size > MAX_COMPACTED_BYTES:
        done = Compacted(b"", reason=f"it has {size_text(log.size)}, more than is compacted at once")
    else:
        data = read_plain(log.path, MAX_LOG_BYTES)
        if data is None:
            return None
        if _is_torn_bond(data):
            return RemoveLeftovers((log.path,))
        done = compacted(data)
    skimmed = _skimmed(done.lines)
    own = skimmed.molecule
    if (own.id, own.phase) != (log.id, log.phase):
        # What cannot be read whole, and what is another's: said as every reader says it, or folded without it.
        again = _skim(log.path)
        if workspace.molecule(log.id) is None or again is None:
            return None
        skimmed, own = again, again.molecule
    digest = workspace.digest(log.id)
    flows = is_live(own.state)
    another = is_of_another(digest, own) if digest is not None else ""
    if another and flows:
        raise MoleculeLogError(places.digest(log.id), another)
    digest = None if another else digest
    if (digest is not None and (flows or log.phase == "wisp")) or (digest is None and skimmed.has_burn):
        return CompleteEnding(places.root, log.id, log.phase)
    if log.phase == "wisp" and flows and skimmed.last < before and not _waits_for_time(own, stamp.at):
        reason = f"stale: nothing happened since {skimmed.last}"
        return _burn(workspace, own, reason, stamp), Stale(log.id, own.title, skimmed.last)
    if done.reason:
        return f"{log.path}: {done.reason}; it is left alone"
    return CompactLog(places.root, log.id, log.phase, done.dropped) if done.dropped else None


def _is_torn_bond(data: bytes) -> bool:
    """Tell whether a log is what a killed bond left, where the disk has no hard links.

    A line that has its end is none of it, with or without a line feed: an editor may have taken that.
    """
    begins = b"\n" not in data and _BEGINNING.startswith(data[: len(_BEGINNING)])
    return begins and not data.rstrip().endswith(b"}")


@dataclass(frozen=True, slots=True)
class _Skimmed:
    """What a log comes to, without its lines: the fold, when the last of them was written, whether one is a burn."""

    molecule: Molecule
    last: str
    has_burn: bool
    unreadable: int = 0


def _skim(path: str) -> _Skimmed | None:
    """Read a log, one line in memory at a time; None where there is none.

    Raises:
        OSError, ValueError: as `open_log`.
    """
    with open_log(path) as log:
        return replace(_skimmed(log), unreadable=len(log.problems)) if log is not None else None


def _skimmed(lines: Iterable[Line]) -> _Skimmed:
    last, has_burn = "", False

    def passing() -> Iterator[Line]:
        nonlocal last, has_burn
        for line in lines:
            last = max(last, line.at)
            has_burn = has_burn or any(isinstance(event, Burned) for event in line.events)
            yield line

    molecule = fold(passing())
    return _Skimmed(molecule, last, has_burn)


def _waits_for_time(molecule: Molecule, now: str) -> bool:
    """Tell whether a timer of an open step runs: time alone will open it."""
    timed = [
        step_id
        for step_id, record in molecule.steps.items()
        if record.step.gate is not None and record.step.gate.kind == TIMER and not is_over(record.state)
    ]
    view = View(molecule, now)
    return any(hold.kind == "timer" for step_id in timed for hold in view.holds_of(step_id))


def _before(workspace: Workspace, older: str) -> str:
    seconds = seconds_of(older)
    if seconds is None:
        raise UsageError(f"--older {printable(older, 80)}: not a duration", "write it as in --older 24h or --older 7d")
    try:
        moment = workspace.context.now - timedelta(seconds=seconds)
    except OverflowError:
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _whole(workspace: Workspace, operand: str) -> Molecule:
    """Give the molecule that an operand names; it may not be a step of it.

    Raises:
        MoleculeNotHereError, MoleculeRefusedError: as `plan_squash`.
    """
    address = workspace.address(operand)
    if address.step:
        raise MoleculeRefusedError(
            f"{address.id} is a step; a molecule ends as a whole",
            f"name {address.molecule.id}, or end the step with `mmpm mol close`",
        )
    return address.molecule


def _burn(workspace: Workspace, molecule: Molecule, reason: str, stamp: Stamp, *, audits: bool = True) -> BurnMolecule:
    change = accepted(lifecycle.burn(molecule, reason, stamp), molecule.id)
    data = written(change.line, "this", "give a shorter reason")
    return BurnMolecule(workspace.places.root, molecule.id, molecule.phase, data, audits)


def _stood_with(workspace: Workspace, ids: set[str]) -> set[str]:
    """Give those of the molecules with which another one stands, as the other's log says.

    Logs are searched for the ids and not read: an id that stands in a text costs a line of the audit log.
    """
    sought = {one: b'"' + one.encode() + b'"' for one in ids}
    for log in workspace.logs():
        if not sought.keys() - {log.id}:
            continue
        try:
            data = read_plain(log.path, MAX_LOG_BYTES) or b""
        except (OSError, ValueError):
            return set(ids)  # it may say so of each
        for one in [one for one, text in sought.items() if one != log.id and text in data]:
            del sought[one]
    return set(ids) - sought.keys()


def _open_steps(molecule: Molecule) -> int:
    return sum(1 for record in molecule.steps.values() if not is_over(record.state))


def _texts(release: Locked) -> dict[str, str]:
    said: Mapping[str, str] = {
        key: getattr(release, key) for key in ("name", "version", "kind", "checksum", "tree", "source")
    }
    return {key: value for key, value in said.items() if value}
