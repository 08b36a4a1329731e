"""A conflict in words: numbered steps from facts to the end, what is known of the names in it, what to try.

The steps are the proof that the search found, first cut down to facts of which none can be spared, then read from
the bottom up: each fact is a sentence, told from the project outwards, each conclusion names the sentences that it
follows from. Huge proofs (a pigeonhole's have thousands of steps) are capped to their first and last facts.
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
    from collections.abc import Iterable, Iterator, Sequence

    from mmpm.solver.incompatibility import Incompatibility
    from mmpm.solver.numbering import Numbering
    from mmpm.solver.solve import Conflict

# A longer telling is cut to its first and last facts: what is asked, and where it ends.
MOST_STEPS = 24
FIRST_FACTS, LAST_FACTS = 12, 6
MOST_FACTS_AS_DATA, MOST_CONCLUSIONS_AS_DATA = 1000, 480


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


def explanation(conflict: Conflict, whole: Conflict | None = None) -> Explanation:
    """Give the explanation in its parts.

    Args:
        conflict: what to tell.
        whole: the conflict that it is the smallest proof of, where it was cut down already.
    """
    small = smallest_proof(conflict)
    facts = list(leaves(small.proof))
    return Explanation(
        tuple(_steps(small.proof, small.numbering)),
        notes_on(small.numbering, facts),
        remedies_for(small.numbering, facts, whole or conflict),
    )


def _steps(proof: Incompatibility, numbering: Numbering) -> list[str]:
    words = Wording(numbering)
    order = conclusions(proof)
    facts = list(leaves(proof))
    if not order:
        return [_sentence(words.fact(proof))]
    if len(order) + len(facts) > MOST_STEPS:
        return _abridged(words, _from_the_project(facts, numbering.names), order)
    steps: list[str] = []
    told: dict[Incompatibility, int] = {}
    for each in order:
        assert isinstance(each.cause, Learned)
        premises = _from_the_project(each.cause.causes, numbering.names)
        for group, text in _told(words, [one for one in premises if one not in told]):
            steps.append(_sentence(text))
            told |= dict.fromkeys(group, len(steps))
        origin = ""
        if len(order) > 1:
            origin = f" (from {listed([str(number) for number in sorted({told[one] for one in premises})], most=24)})"
        steps.append(f"{_end(words, facts) if not each.terms else f'So {words.conclusion(each)}'}{origin}.")
        told[each] = len(steps)
    return steps


def _abridged(words: Wording, facts: Sequence[Incompatibility], order: Sequence[Incompatibility]) -> list[str]:
    """Tell the first and the last facts of a proof that is too long, and how long it is."""
    lines = [_sentence(text) for _, text in _told(words, facts, most=FIRST_FACTS + LAST_FACTS)]
    conclusion = words.conclusion(order[-1])
    if len(order) == 1:
        return [*lines, f"So {conclusion}."]
    return [*lines, f"So, by a proof of {len(order)} steps, {conclusion}."]


def _told(
    words: Wording, premises: Sequence[Incompatibility], most: int = MOST_STEPS
) -> Iterator[tuple[Sequence[Incompatibility], str]]:
    """Give facts with their words, the project's wishes as one; beyond `most` those in the middle are counted."""
    wishes = [premise for premise in premises if _is_wish(premise)]
    if wishes:
        first, *others = [words.fact(wish) for wish in wishes]
        yield wishes, listed([first, *(text.removeprefix("you ask for ") for text in others)], most=MOST_STEPS)
    facts = [one for one in premises if not isinstance(one.cause, Learned) and not _is_wish(one)]
    left_out = len(facts) - most if len(facts) > most else 0
    for position, fact in enumerate(facts):
        if not left_out or not FIRST_FACTS <= position < FIRST_FACTS + left_out:
            yield [fact], words.fact(fact)
        elif position == FIRST_FACTS:
            yield [fact], f"{left_out} more facts of this kind follow"


def _end(words: Wording, facts: Sequence[Incompatibility]) -> str:
    """Give the last conclusion; where one name is what the facts disagree about, with that name."""
    name = words.disputed(facts)
    end = "the requirements cannot be met together"
    return f"No version of {name} fits all of these, so {end}" if name else f"So {end}"


def _from_the_project(premises: Iterable[Incompatibility], names: Sequence[str]) -> list[Incompatibility]:
    """Order premises so that each package is met as somebody's requirement before its own are told."""

    def order(one: Incompatibility) -> tuple[str, int]:
        cause = one.cause
        wish = f"{names[cause.dependency]} {cause.range}" if isinstance(cause, Required) and not cause.dependant else ""
        return wish, min((term[1] for term in one.terms), default=0)

    told_by: dict[int, list[Incompatibility]] = {}
    for each in reversed(dict.fromkeys(premises)):
        told_by.setdefault(_dependant(each), []).append(each)
    for mine in told_by.values():
        mine.sort(key=order)
    ordered: list[Incompatibility] = []
    waiting = [*reversed(told_by), ROOT]
    while waiting:
        mine = told_by.pop(waiting.pop(), [])
        ordered.extend(mine)
        waiting.extend(package for each in reversed(mine) for package, _ in reversed(each.terms) if package in told_by)
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
    """Give the same proof for programs: facts and conclusions by number, the last one has no terms.

    Of a huge one the first facts, the last conclusions, and under `left_out` how many more there are.
    """
    small = smallest_proof(conflict)
    numbering = small.numbering
    words = Wording(numbering)
    all_facts, all_derived = list(leaves(small.proof)), conclusions(small.proof)
    facts, derived = all_facts[:MOST_FACTS_AS_DATA], all_derived[-MOST_CONCLUSIONS_AS_DATA:]
    left_out = {"facts": len(all_facts) - len(facts), "conclusions": len(all_derived) - len(derived)}
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
        **({"left_out": left_out} if any(left_out.values()) else {}),
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


def _sentence(text: str) -> str:
    """Give text as a sentence; one that begins with a formula's name keeps the name as it is."""
    return f"{text[0].upper()}{text[1:]}." if text.startswith(("you ask", "every version")) else f"{text}."
