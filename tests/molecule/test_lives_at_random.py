"""Random lives against what a person keeps on paper of them."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from molecule_lives import AT
from molecule_model import ARM, FAILURES, MAIN, REASONS, Model

from mmpm.molecule import bonding, lifecycle
from mmpm.molecule.answers import Change, Refusal, Stamp
from mmpm.molecule.bonding import Bond
from mmpm.molecule.digest import verify_digest
from mmpm.molecule.lines import parse_line
from mmpm.molecule.proofs import prove, verify
from mmpm.molecule.readiness import ready, why_blocked
from mmpm.molecule.state import apply, fold

WHO = Stamp(AT, "ann")


class Lives(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        made = bonding.pour(Bond(MAIN), "gt", "n", WHO)
        self.lines = [made.line]
        self.now = fold(self.lines)
        self.model = Model()
        self.ended = False
        self.count = 0

    def take(self, answer):
        line = parse_line(answer.line.to_bytes())
        self.lines.append(line)
        self.now = apply(self.now, line)

    def pick(self, data, label):
        return data.draw(st.sampled_from(sorted(self.model.state)), label=label)

    def judge(self, answer, *, is_allowed):
        assert isinstance(answer, Change if is_allowed else Refusal), answer
        if is_allowed:
            self.take(answer)
        return is_allowed

    @rule(data=st.data())
    def start(self, data):
        step = self.pick(data, "start")
        allowed = not self.ended and self.model.may_start(step)
        if self.judge(lifecycle.start(self.now, step, WHO), is_allowed=allowed):
            self.model.state[step] = "in_progress"

    @rule(data=st.data(), reason=st.sampled_from(REASONS), is_any=st.booleans())
    def close(self, data, reason, is_any):
        model = self.model
        startable = sorted(model.ready() | {one for one, state in model.state.items() if state == "in_progress"})
        step = self.pick(data, "close") if is_any or not startable else data.draw(st.sampled_from(startable))
        allowed = not self.ended and model.may_close(step)
        if self.judge(lifecycle.close(self.now, step, reason, WHO), is_allowed=allowed):
            model.close(step, has_failed=reason in FAILURES)

    @rule(parent=st.sampled_from(["", "spawn", "area"]))
    def attach(self, parent):
        model = self.model
        self.count += 1
        ref = f"arm-{self.count}"
        allowed = not self.ended and model.takes_arms(parent)
        if self.judge(bonding.attach(self.now, parent, Bond(ARM), WHO, ref=ref), is_allowed=allowed):
            model.attach(parent, ref)

    @rule()
    def open_gate(self):
        allowed = not self.ended and self.model.state["ask"] == "open" and "ask" in self.model.gates
        if self.judge(lifecycle.open_gate(self.now, "ask", "yes", WHO), is_allowed=allowed):
            self.model.gates.discard("ask")

    @rule(data=st.data())
    def order(self, data):
        """Any edge: a circle is refused, so that whoever waits can still be reached."""
        step, on = self.pick(data, "step"), self.pick(data, "on")
        answer = bonding.order(self.now, step, on, "sequential", WHO)
        if isinstance(answer, Change):
            assert not self.ended
            assert step != on
            assert not on.startswith(f"{step}.")
            assert not step.startswith(f"{on}.")
            self.model.needs[step].add(on)
            self.take(answer)

    @precondition(lambda self: not self.ended and self.count > 2)
    @rule(is_burned=st.booleans())
    def end(self, is_burned):
        if is_burned:
            self.take(lifecycle.burn(self.now, "no use", WHO))
        else:
            answer = lifecycle.squash(self.now, "", {}, WHO)
            self.take(answer)
            digest = answer.digest
            assert {one.step: one.state for one in digest.outcomes} == self.model.state
            assert {one.step for one in digest.outcomes if one.has_failed} == self.model.failed
            assert {arm.step for arm in digest.arms} == self.model.arms
            assert verify_digest(digest, self.now.root)
            assert verify(prove(digest, "end"), "end", self.now.root)
        self.ended = True

    @invariant()
    def no_child_is_lost_and_nothing_is_otherwise_than_on_paper(self):
        assert {step: record.state for step, record in self.now.steps.items()} == self.model.state
        assert not self.now.problems

    @invariant()
    def what_is_ready_is_what_nothing_holds(self):
        found = {step.id for step in ready(self.now, AT)}
        assert found == (set() if self.ended else self.model.ready())
        assert found == {step for step in self.now.steps if not why_blocked(self.now, step, AT)}

    @invariant()
    def the_state_is_the_fold_of_the_lines(self):
        assert fold(self.lines) == self.now


Lives.TestCase.settings = settings(max_examples=3 * settings().max_examples, stateful_step_count=40)
test_random_lives_go_as_on_paper = Lives.TestCase
