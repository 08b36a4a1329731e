"""Who is to do the next work: performers ranked by what their records show of the capabilities that it needs.

Rule: exact fractions and a total order, so that two machines give one ranking; and every number has its
reason beside it.

For each capability wanted, a performer's steps under formulas that exercise it are counted, by how much they exercise
it: the formula's own weight for the tag, else 1 for a primary and 1/2 for a secondary one. The mark is what was done
well over one more than what was tried, so that one success in one try is less than nine in ten.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from mmpm.model.capabilities import canonical_weight, check_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmpm.model.capabilities import Capabilities
    from mmpm.molecule.digest import Digest

_SECONDARY: Final = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Reason:
    """What one capability comes to for one performer.

    Attributes:
        tried: steps that were closed, and not with the last of their children alone, under formulas that exercise it.
        done: how many of these did not fail.
        formulas: ``name@version`` of these, each once, sorted.
        mark: from 0 to below 1.
    """

    capability: str
    tried: int
    done: int
    formulas: tuple[str, ...]
    mark: Fraction

    def __str__(self) -> str:
        """Give it as a sentence."""
        if not self.tried:
            return f"{self.capability}: no record"
        names = ", ".join(self.formulas[:3]) + (" ..." if len(self.formulas) > 3 else "")
        return f"{self.capability}: {self.done} of {self.tried} steps done well ({names})"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A performer in a ranking.

    Attributes:
        score: the marks by their weights, from 0 to below 1.
        last: moment of the last step that counted; empty where none did.
        reasons: of each capability wanted, in the order of the question.
    """

    performer: str
    score: Fraction
    last: str
    reasons: tuple[Reason, ...]

    @property
    def score_text(self) -> str:
        """The score with three digits behind the point."""
        return f"{float(self.score):.3f}"


@dataclass(slots=True)
class _Tally:
    """What was counted so far."""

    tried: int
    done: int
    tried_weight: Fraction
    done_weight: Fraction
    formulas: set[str]


def rank(
    records: Iterable[Digest], capabilities: Sequence[str], weights: Mapping[str, str] | None = None
) -> tuple[Ranked, ...]:
    """Rank all performers that occur in the records, the best first.

    Of equal scores the one who worked last stands first, then the names decide.

    Args:
        records: in any order; the same record twice (a copy that was carried) counts once.
        capabilities: tags that the work needs, each once.
        weights: of tags, decimal texts from 0 to 1; one that is not there is 1.

    Raises:
        ValueError: a tag or a weight is not one.
    """
    wanted = tuple(dict.fromkeys(map(check_tag, capabilities)))
    shares = {tag: Fraction(canonical_weight((weights or {}).get(tag, "1"))) for tag in wanted}
    tallies: dict[str, dict[str, _Tally]] = {}
    last: dict[str, str] = {}
    for record in {one.root: one for one in records}.values():
        _count(record, wanted, tallies, last)
    whole = sum(shares.values(), Fraction(0))
    ranked = []
    for performer, found in tallies.items():
        reasons = tuple(_reason(tag, found.get(tag)) for tag in wanted)
        score = sum((one.mark * shares[one.capability] for one in reasons), Fraction(0))
        ranked.append(Ranked(performer, score / whole if whole else score, last.get(performer, ""), reasons))
    ranked.sort(key=lambda one: one.performer)
    ranked.sort(key=lambda one: one.last, reverse=True)
    ranked.sort(key=lambda one: one.score, reverse=True)
    return tuple(ranked)


def exercise(capabilities: Capabilities, tag: str) -> Fraction:
    """Give how much a formula exercises a capability, from 0 to 1."""
    if tag not in capabilities.tags:
        return Fraction(0)
    said = dict(capabilities.weights).get(tag)
    if said is not None:
        return Fraction(said)
    return Fraction(1) if tag in capabilities.primary else _SECONDARY


def _count(record: Digest, wanted: Sequence[str], tallies: dict[str, dict[str, _Tally]], last: dict[str, str]) -> None:
    """Count the steps of one record that somebody worked on; a step of an arm is work under the arm's formula."""
    arms = {arm.step: arm.provenance for arm in record.arms}
    exercised = {
        step: {tag: weight for tag in wanted if (weight := exercise(formula.capabilities, tag))}
        for step, formula in (("", record.provenance), *arms.items())
    }
    last_children = {(one.step.rpartition(".")[0], one.actor, one.closed_at) for one in record.outcomes if one.has_run}
    for outcome in record.outcomes:
        if not outcome.has_run or not outcome.actor:
            continue
        if not outcome.started_at and (outcome.step, outcome.actor, outcome.closed_at) in last_children:
            continue  # a parent that nobody worked on: it ended with the last of its children, which is counted
        arm = arm_of(outcome.step, arms)
        formula = arms[arm] if arm else record.provenance
        name = f"{formula.name}@{formula.version}" if formula.version else formula.name
        counted = tallies.setdefault(outcome.actor, {})
        for tag, weight in exercised[arm].items():
            tally = counted.setdefault(tag, _Tally(0, 0, Fraction(0), Fraction(0), set()))
            tally.tried += 1
            tally.tried_weight += weight
            tally.formulas.add(name)
            if not outcome.has_failed:
                tally.done += 1
                tally.done_weight += weight
            last[outcome.actor] = max(last.get(outcome.actor, ""), outcome.closed_at)


def arm_of(step: str, arms: Mapping[str, object]) -> str:
    """Give the innermost arm that a step belongs to; empty for none."""
    current = step
    while current and arms:
        if current in arms:
            return current
        current = current.rpartition(".")[0]
    return ""


def _reason(tag: str, tally: _Tally | None) -> Reason:
    if tally is None:
        return Reason(tag, 0, 0, (), Fraction(0))
    mark = tally.done_weight / (tally.tried_weight + 1)
    return Reason(tag, tally.tried, tally.done, tuple(sorted(tally.formulas)), mark)
