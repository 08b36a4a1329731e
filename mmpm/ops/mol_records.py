"""Execution records: who did what under which formula, and how it ended; and who is to do the next work.

A squash leaves a record: the digest. So does every close: a molecule that still flows and of which somebody closed a
step gives a record that says so, and that has no root yet. Records of other origins (a registry that they were posted
to) come in as a `Found` beside those that are here.

Rule: what does not hold is no record. A digest that was changed is named among the problems and counts for nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from mmpm.errors import MoleculeLogError, printable, quoted
from mmpm.model.ranges import ANY, VersionRange
from mmpm.model.versions import Version
from mmpm.molecule.digest import digest_of
from mmpm.molecule.events import check_moment
from mmpm.molecule.readiness import seconds_of
from mmpm.molecule.routing import arm_of, rank
from mmpm.molecule.transitions import has_run, is_live, is_over
from mmpm.project.mol_log import list_digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mmpm.molecule.digest import Digest
    from mmpm.molecule.events import Provenance
    from mmpm.molecule.routing import Ranked
    from mmpm.molecule.state import Molecule
    from mmpm.ops.mol_state import Workspace

HERE: Final = "here"


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """What was done under a formula.

    Attributes:
        digest: of a molecule that is not squashed what its digest would say now, with the moment of the last close for
            that of the squash and who did it for who squashed.
        origin: ``here``, or the id of the registry that it was posted to.
        is_running: whether the molecule still flows.
        is_proved: whether there is a digest: its root holds, and stands for the record elsewhere.
        release: address of the release that brought it; empty for what is here.
    """

    digest: Digest
    origin: str = HERE
    is_running: bool = False
    is_proved: bool = True
    release: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether a step failed; of what has ended also whether one was left open."""
        return any(one.has_failed for one in self.digest.outcomes) if self.is_running else self.digest.has_failed

    def lines(self) -> tuple[str, ...]:
        """Give it as the seed prints it; of what still runs everybody who closed a step, and how far it is."""
        said = self.digest.lines()
        if not self.is_running:
            return said
        outcomes = self.digest.outcomes
        people = dict.fromkeys(one.actor for one in outcomes if one.has_run)
        over = sum(1 for one in outcomes if is_over(one.state))
        completed = f"Completed: not yet; still running, {over} of {len(outcomes)} steps over"
        return (f"Polecat: {', '.join(map(printable, people))}", said[1], completed, *said[3:])


@dataclass(frozen=True, slots=True)
class Found:
    """Records, and what could not be one.

    Attributes:
        problems: a sentence each, with the path of what it is about.
        passed_over: how many more there were that nobody asked for.
    """

    records: tuple[ExecutionRecord, ...] = ()
    problems: tuple[str, ...] = ()
    passed_over: int = 0


def read_records(workspace: Workspace | None, others: Iterable[Found] = ()) -> Found:
    """Give every record at hand, newest first.

    Args:
        workspace: whose own records come first: of one digest that came by several ways, its first origin stands.
            None where only other origins are asked for.
        others: what other origins have.
    """
    own = Found() if workspace is None else _own(workspace)
    passed_over = 0
    records: dict[str, ExecutionRecord] = {}
    problems = list(own.problems)
    for record in own.records:
        records.setdefault(record.digest.root, record)
    for found in others:
        problems.extend(found.problems)
        passed_over += found.passed_over
        for record in found.records:
            records.setdefault(record.digest.root, record)
    newest = sorted(records.values(), key=lambda one: (one.digest.completed_at, one.digest.id), reverse=True)
    return Found(tuple(newest), tuple(dict.fromkeys(problems)), passed_over)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are meant: all that is said must hold of one piece of work in them, a step or the squash.

    Attributes:
        actor: who did it, whole name; empty for anybody.
        formula: the formula it was done under: the molecule's, or an arm's; empty for any.
        range: of that formula's versions.
        capabilities: tags that it exercises, all of them.
        since: the earliest moment of a record's end, RFC 3339; empty for any.
        has_failed: only what failed.
    """

    actor: str = ""
    formula: str = ""
    range: VersionRange = ANY
    capabilities: tuple[str, ...] = ()
    since: str = ""
    has_failed: bool = False

    def takes(self, record: ExecutionRecord) -> bool:
        """Tell whether a record is meant."""
        if self.since and record.digest.completed_at < self.since:
            return False
        return any(
            (not self.actor or actor == self.actor)
            and (not self.has_failed or has_failed)
            and self._is_under(formula)
            and all(tag in formula.capabilities.tags for tag in self.capabilities)
            for actor, formula, has_failed in _work(record)
        )

    def _is_under(self, formula: Provenance) -> bool:
        if self.formula and formula.name != self.formula:
            return False
        if self.range == ANY:
            return True
        try:
            return self.range.allows(Version.parse(formula.version))
        except ValueError:
            return False


def parse_formula_operand(text: str) -> tuple[str, VersionRange]:
    """Read ``NAME`` or ``NAME@RANGE``; the name may be an id of a catalogue, which no registry would take.

    Raises:
        ValueError: what follows the @ is no range.
    """
    scope = "@" if text.startswith("@") else ""
    name, at, wanted = text.removeprefix("@").partition("@")
    return scope + name, VersionRange.parse(wanted) if at else ANY


def parse_since(text: str, now: datetime) -> str:
    """Read a day (``2026-01-10``), a moment, or how long ago (``7d``), as the moment that is meant, UTC.

    Raises:
        ValueError: it is none of these.
    """
    seconds = seconds_of(text)
    if seconds is not None:
        return (now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        return check_moment(text if "T" in text else f"{text}T00:00:00Z")
    except ValueError:
        raise ValueError(f"{quoted(text)} is neither a day nor a moment such as 2026-01-10T15:30:00Z") from None


def ranking(
    found: Found, capabilities: Sequence[str], weights: Mapping[str, str] | None = None
) -> tuple[tuple[Ranked, ...], tuple[Ranked, ...]]:
    """Rank the performers of all records for work that needs these capabilities.

    Returns:
        Those who did any such work, the best first; then those who did none, by name.

    Raises:
        ValueError: a tag or a weight is not one.
    """
    ranked = rank((one.digest for one in found.records), capabilities, weights)
    tried = tuple(one for one in ranked if any(reason.tried for reason in one.reasons))
    others = [one for one in ranked if not any(reason.tried for reason in one.reasons)]
    return tried, tuple(sorted(others, key=lambda one: one.performer))


def _own(workspace: Workspace) -> Found:
    records: list[ExecutionRecord] = []
    problems: list[str] = []
    for molecule_id in sorted({*workspace.ids(), *list_digests(workspace.places)}):
        try:
            # The log first: what is squashed just now has a digest before its log ends or goes.
            molecule = workspace.molecule(molecule_id)
            digest = workspace.digest(molecule_id)
        except MoleculeLogError as error:
            problems.append(error.fact)
            continue
        was_over = molecule is not None and not is_live(molecule.state)
        if digest is not None and molecule is not None and was_over and molecule.root != digest.root:
            path = printable(workspace.places.digest(molecule_id))
            problems.append(f"{path}: the log of {molecule_id} was squashed into another digest; see `mmpm mol verify`")
            continue
        record = ExecutionRecord(digest) if digest else _without_digest(molecule)
        if record is not None:
            records.append(record)
    return Found(tuple(records), tuple(problems))


def _without_digest(molecule: Molecule | None) -> ExecutionRecord | None:
    """Give the record of a molecule that has no digest here; None where nothing was done, or it was burned."""
    if molecule is None:
        return None
    if is_live(molecule.state):
        closed = [(one.closed_at, one.closed_by) for one in molecule.steps.values() if has_run(one.state)]
        if not closed:
            return None
        at, actor = max(closed)
        return ExecutionRecord(digest_of(molecule, "", {}, at, actor), is_running=True, is_proved=False)
    if not molecule.root:
        return None  # burned: nobody wanted a record
    # Squashed, and the digest is not here: what the log tells is told; nothing can be proved of it.
    digest = digest_of(molecule, "", {}, molecule.ended_at, molecule.ended_by)
    return ExecutionRecord(digest, is_proved=False)


def _work(record: ExecutionRecord) -> Iterator[tuple[str, Provenance, bool]]:
    """Give each piece of work: who, under which formula, whether it failed; arms that nobody worked on by nobody."""
    digest = record.digest
    yield digest.actor, digest.provenance, record.has_failed
    arms = {arm.step: arm.provenance for arm in digest.arms}
    for formula in arms.values():
        yield "", formula, False
    for outcome in digest.outcomes:
        if outcome.actor:
            arm = arm_of(outcome.step, arms)
            yield outcome.actor, arms[arm] if arm else digest.provenance, outcome.has_failed
