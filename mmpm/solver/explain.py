"""A conflict in words: numbered steps from facts to the end, what is known of the names in it, what to try.

The steps are the proof that the search found, first cut down to facts of which none can be spared, then read from
the bottom up. Huge proofs (a pigeonhole's have thousands of steps) are capped: the facts that matter most to a
person, what they ask for and what is missing, are always said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.solver.core import leaves, smallest_proof
from mmpm.solver.incompatibility import Constrained, Learned, Pinned, Required
from mmpm.solver.numbering import ROOT
from mmpm.solver.remedies import notes_on, remedies_for
from mmpm.solver.wording import Wording, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.solver.incompatibility import Incompatibility
    from mmpm.solver.numbering import Numbering
    from mmpm.solver.solve import Conflict

MOST_STEPS = 24
MOST_PREMISES = 16


@dataclass(frozen=True, slots=True)
class Explanation:
    """What to tell a person.

    Attributes:
        steps: numbered sentences, the last one says that there is no answer.
        notes: what is known of the names that lack a fitting release, one sentence each.
        remedies: what to try, likeliest first; at least one.
    """

    steps: tuple[str, ...]
    notes: tuple[str, ...]
    remedies: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it, in lines."""
        lines = [f"{number}. {step}" for number, step in enumerate(self.steps, 1)]
        lines += self.notes
        lines += ["What to try:", *(f"- {remedy}" for remedy in self.remedies)]
        return "\n".join(lines)


def explain(conflict: Conflict) -> str:
    """Give the whole explanation as text, in several lines."""
    return explanation(conflict).text


def explanation(conflict: Conflict) -> Explanation:
    """Give the explanation in its parts."""
    small = smallest_proof(conflict)
    facts = list(leaves(small.proof))
    return Explanation(
        tuple(_steps(small.proof, small.numbering)),
        notes_on(small.numbering, facts),
        remedies_for(small.numbering, facts),
    )


def _steps(proof: Incompatibility, numbering: Numbering) -> list[str]:
    words = Wording(numbering)
    order = conclusions(proof)
    if not order:
        return [_capitalised(f"{words.fact(proof)}.")]
    left_out = max(0, len(order) - MOST_STEPS)
    numbers = {each: position for position, each in enumerate(order, 1)}
    steps: list[str] = []
    for each in order if not left_out else [order[-1]]:
        assert isinstance(each.cause, Learned)
        premises: list[str] = []
        chain = _from_the_project(dict.fromkeys(reversed(each.cause.causes)))
        wishes = [premise for premise in chain if _is_wish(premise)]
        if wishes:
            first, *others = [words.fact(wish) for wish in wishes]
            premises.append(listed([first, *(text.removeprefix("you ask for ") for text in others)]))
        for premise in chain:
            if _is_wish(premise):
                continue
            if not isinstance(premise.cause, Learned):
                premises.append(words.fact(premise))
            elif left_out:
                premises.append(words.conclusion(premise))
            else:
                premises.append(f"{words.conclusion(premise)} ({numbers[premise]})")
        steps.append(f"Because {listed(premises, ', and ', MOST_PREMISES)}: {words.conclusion(each)}.")
    if left_out:
        facts = [words.fact(leaf) for leaf in leaves(proof)]
        steps.insert(
            0, f"The proof has {len(order)} steps; it rests on these facts: {listed(facts, ' and ', MOST_STEPS)}."
        )
    return steps


def _from_the_project(premises: Iterable[Incompatibility]) -> list[Incompatibility]:
    """Order premises so that each package is met as somebody's requirement before its own are told."""
    told_by: dict[int, list[Incompatibility]] = {}
    for each in premises:
        told_by.setdefault(_dependant(each), []).append(each)
    ordered: list[Incompatibility] = []
    waiting = [*reversed(told_by), ROOT]
    while waiting:
        for each in told_by.pop(waiting.pop(), ()):
            ordered.append(each)
            waiting.extend(package for package, _ in each.terms if package in told_by)
    return ordered


def _dependant(incompatibility: Incompatibility) -> int:
    cause = incompatibility.cause
    return cause.dependant if isinstance(cause, Required | Constrained) else -1


def _is_wish(incompatibility: Incompatibility) -> bool:
    """Whether it is a requirement of the project that something could meet."""
    cause = incompatibility.cause
    return isinstance(cause, Required) and cause.dependant == ROOT and bool(incompatibility.terms)


def conclusions(proof: Incompatibility) -> list[Incompatibility]:
    """Give the derived incompatibilities of a proof, each after those that it rests on."""
    order: dict[Incompatibility, None] = {}
    waiting: list[tuple[Incompatibility, bool]] = [(proof, False)]
    while waiting:
        each, is_ready = waiting.pop()
        if not isinstance(each.cause, Learned) or each in order:
            continue
        if is_ready:
            order[each] = None
        else:
            waiting.append((each, True))
            waiting.extend((cause, False) for cause in each.cause.causes)
    return list(order)


def derivation(conflict: Conflict) -> dict[str, object]:
    """Give the same proof for programs: facts and conclusions by number, the last one has no terms."""
    small = smallest_proof(conflict)
    numbering = small.numbering
    words = Wording(numbering)
    facts = list(leaves(small.proof))
    derived = conclusions(small.proof)[-MOST_STEPS * 20 :]
    numbers = {each: position for position, each in enumerate([*facts, *derived], 1)}
    return {
        "facts": [{"id": numbers[each], **_fact(each, numbering), "text": words.fact(each)} for each in facts],
        "conclusions": [
            {
                "id": numbers[each],
                "from": [numbers[cause] for cause in each.cause.causes if cause in numbers],
                "text": words.conclusion(each),
            }
            for each in derived
            if isinstance(each.cause, Learned)
        ],
    }


def _fact(leaf: Incompatibility, numbering: Numbering) -> dict[str, object]:
    match leaf.cause:
        case Pinned(package=package, version=version):
            return {"kind": "pinned", "name": numbering.names[package], "version": str(version)}
        case Required() | Constrained() as cause:
            fact: dict[str, object] = {
                "kind": "required" if isinstance(cause, Required) else "constrained",
                "name": numbering.names[cause.dependency],
                "range": str(cause.range),
            }
            if cause.dependant != ROOT:
                dependant = numbering.names[cause.dependant]
                inside = numbering.candidates_in(cause.dependant, cause.versions)
                fact["by"] = {
                    "name": dependant,
                    "registry": numbering.universe.packages[dependant].registry,
                    "versions": [str(candidate.version) for candidate in inside],
                }
            return fact
        case _:
            raise AssertionError("a leaf is no derivation")


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
