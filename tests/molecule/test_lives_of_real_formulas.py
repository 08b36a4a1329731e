"""Every real formula is worked to its end: whatever is ready is closed, gates are opened, and nothing is left over."""

from __future__ import annotations

import random

import pytest
from corpus import Corpus, corpus_folder
from kitchen import ingredient

from mmpm.errors import CookError, VariablesRefusedError
from mmpm.molecule import bonding, lifecycle
from mmpm.molecule.answers import Change, Stamp
from mmpm.molecule.bonding import Bond
from mmpm.molecule.cook.cooking import cook
from mmpm.molecule.readiness import ready, why_blocked
from mmpm.molecule.state import apply, fold

FOLDER = corpus_folder()
pytestmark = [pytest.mark.corpus, pytest.mark.skipif(FOLDER is None, reason="the shared corpus is not here")]
AT = "2026-01-10T15:30:00Z"
LATER = Stamp("2036-01-10T15:30:00Z", "ann")  # every timer has run out
VALUES = ("x", "1", "true", "a/b", "1.2.3", "owner/repo")


def protos():
    """The newest version of each name that can be cooked."""
    newest = {}
    corpus = Corpus(FOLDER)
    for line in corpus.formulas:
        newest[line["name"]] = line
    shelf = {name: ingredient((FOLDER / str(line["path"])).read_bytes()) for name, line in newest.items()}
    for name in sorted(shelf):
        try:
            yield cook(shelf[name], shelf.get, (), None).proto
        except CookError:
            continue


def poured(proto):
    """Pour it with the first values that it takes; None where it takes none of ours."""
    for value in VALUES:
        values = {one.name: one.enum[0] if one.enum else value for one in proto.variables if one.default is None}
        try:
            made = bonding.pour(Bond(proto, values), "gt", "n", Stamp(AT, "ann"))
        except VariablesRefusedError:
            continue
        assert isinstance(made, Change)
        return fold([made.line])
    return None


def did(now, answer):
    assert isinstance(answer, Change), answer
    return apply(now, answer.line)


def test_every_real_formula_can_be_worked_to_its_end():
    worked = 0
    for proto in protos():
        now = poured(proto)
        if now is None:
            continue
        chance = random.Random(proto.name)
        while any(record.state == "open" for record in now.steps.values()):
            free = [step.id for step in ready(now, LATER.at)]
            if not free:
                gated = [
                    one
                    for one, record in now.steps.items()
                    if record.state == "open" and record.step.gate and not record.is_gate_open
                ]
                held = {one: why_blocked(now, one, LATER.at) for one, it in now.steps.items() if it.state == "open"}
                assert gated, (proto.name, held)
                now = did(now, lifecycle.open_gate(now, gated[0], "yes", LATER))
                continue
            for step in chance.sample(free, len(free)):
                reason = chance.choice(["done", "done", "failed"])
                # One that is ready is not held by what is closed beside it, but may have ended with that.
                if now.steps[step].state == "open":
                    now = did(now, lifecycle.close(now, step, reason, LATER))
        assert not now.problems
        worked += 1
    assert worked > 50
