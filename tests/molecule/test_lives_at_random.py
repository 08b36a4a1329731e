"""Random lives against a model that knows nothing of the code: sets of ids, and the rules as a person would say them."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from molecule_lives import AT

from mmpm.molecule import lifecycle
from mmpm.molecule.digest import prove, verify, verify_digest
from mmpm.molecule.events import parse_line
from mmpm.molecule.lifecycle import Bond, Change, Refusal, Stamp
from mmpm.molecule.proto import Proto
from mmpm.molecule.readiness import ready, why_blocked
from mmpm.molecule.state import apply, fold
from mmpm.molecule.steps import Gate, Step, WaitsFor

WHO = Stamp(AT, "ann")
MAIN = Proto(
    "mol-main",
    title="Main",
    steps=(
        Step("start", "Start"),
        Step("area", "Area", kind="epic", needs=("start",)),
        Step("area.one", "One", parent="area"),
        Step("area.two", "Two", parent="area", needs=("area.one",)),
        Step("spawn", "Spawn", needs=("start",)),
        Step("all", "All", waits_for=(WaitsFor("all-children", "spawn"),)),
        Step("any", "Any", waits_for=(WaitsFor("any-children", "spawn"),)),
        Step("mend", "Mend", if_failed=("start",)),
        Step("mend.deep", "Deep", parent="mend"),
        Step("ask", "Ask", needs=("area",), gate=Gate("human")),
        Step("end", "End", needs=("all", "any", "mend", "ask")),
    ),
)
ARM = Proto("mol-arm", title="Arm", steps=(Step("load", "Load"), Step("run", "Run", needs=("load",))))
OVER = ("closed", "skipped")
REASONS = st.sampled_from(["done", "failed: tests", "all fine", "rejected"])


class Model:
    """What a person keeps on paper: who waits for whom, who is below whom, what became of each."""

    def __init__(self):
        self.state = {}
        self.failed = set()
        self.parent = {}
        self.needs = {}
        self.only_after = {}
        self.fans = {"all": "spawn", "any": "spawn"}
        self.gates = {"ask"}
        self.fan_arms = set()
        self.arms = set()
        for step in MAIN.steps:
            self.add(step.id, step.parent, set(step.needs))
        self.only_after["mend"] = "start"

    def add(self, step, parent, needs):
        self.state[step] = "open"
        self.parent[step] = parent
        self.needs[step] = needs

    def below(self, step):
        return [one for one, parent in self.parent.items() if parent == step]

    def is_free_itself(self, step):
        if any(self.state[need] not in OVER for need in self.needs[step]) or step in self.gates:
            return False
        cause = self.only_after.get(step)
        if cause and not (self.state[cause] == "closed" and cause in self.failed):
            return False
        spawner = self.fans.get(step)
        if spawner is None:
            return True
        if self.state[spawner] not in OVER:
            return False
        ended = [self.state[one] in OVER for one in {*self.below(spawner), *self.fan_arms}]
        return all(ended) if step == "all" else any(ended) or not ended

    def is_free(self, step):
        above = step
        while above:
            if self.state[above] == "open" and not self.is_free_itself(above):
                return False
            above = self.parent[above]
        return True

    def own_children(self, step):
        return [one for one in self.below(step) if not (one in self.arms and step == "spawn")]

    def came_with_children(self, step):
        return any(one not in self.arms for one in self.below(step))

    def ready(self):
        return {
            step
            for step, state in self.state.items()
            if state == "open"
            and self.is_free(step)
            and not (self.came_with_children(step) and any(self.state[c] not in OVER for c in self.own_children(step)))
        }

    def close(self, step, *, has_failed):
        self.state[step] = "closed"
        if has_failed:
            self.failed.add(step)
        # Repeat until nothing changes: slow and plain.
        changed = True
        while changed:
            changed = False
            for one, state in list(self.state.items()):
                if state != "open":
                    continue
                cause = self.only_after.get(one)
                is_moot = (
                    cause and self.state[cause] in OVER and not (self.state[cause] == "closed" and cause in self.failed)
                )
                if is_moot or (self.parent[one] and self.state[self.parent[one]] == "skipped"):
                    self.state[one] = "skipped"
                    changed = True
                    break
                children = self.own_children(one)
                if self.came_with_children(one) and all(self.state[c] in OVER for c in children) and self.is_free(one):
                    self.state[one] = "closed"
                    if any(self.state[c] == "closed" and c in self.failed for c in self.below(one)):
                        self.failed.add(one)
                    changed = True
                    break


class Lives(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        made = lifecycle.pour(Bond(MAIN), "gt", "n", WHO)
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
        allowed = not self.ended and self.model.state[step] == "open" and self.model.is_free(step)
        if self.judge(lifecycle.start(self.now, step, WHO), is_allowed=allowed):
            self.model.state[step] = "in_progress"

    @rule(data=st.data(), reason=REASONS, is_any=st.booleans())
    def close(self, data, reason, is_any):
        model = self.model
        startable = sorted(model.ready() | {one for one, state in model.state.items() if state == "in_progress"})
        step = self.pick(data, "close") if is_any or not startable else data.draw(st.sampled_from(startable))
        allowed = (
            not self.ended
            and (model.state[step] == "in_progress" or (model.state[step] == "open" and model.is_free(step)))
            and all(model.state[one] in OVER for one in model.own_children(step))
        )
        if self.judge(lifecycle.close(self.now, step, reason, WHO), is_allowed=allowed):
            model.close(step, has_failed=reason in ("failed: tests", "rejected"))

    @rule(parent=st.sampled_from(["", "spawn", "area"]))
    def attach(self, parent):
        model = self.model
        self.count += 1
        ref = f"arm-{self.count}"
        gates_wait = [one for one in model.fans if model.state[one] == "open"]
        allowed = not self.ended and (
            not parent or model.state[parent] not in OVER or (parent == "spawn" and bool(gates_wait))
        )
        if self.judge(lifecycle.attach(self.now, parent, Bond(ARM), WHO, ref=ref), is_allowed=allowed):
            name = f"{parent}.{ref}" if parent else ref
            model.arms.add(name)
            model.add(name, parent, set())
            model.add(f"{name}.load", name, set())
            model.add(f"{name}.run", name, {f"{name}.load"})
            if not parent and gates_wait:
                model.fan_arms.add(name)

    @rule()
    def open_gate(self):
        allowed = not self.ended and self.model.state["ask"] == "open" and "ask" in self.model.gates
        if self.judge(lifecycle.open_gate(self.now, "ask", "yes", WHO), is_allowed=allowed):
            self.model.gates.discard("ask")

    @rule(data=st.data())
    def order(self, data):
        """Any edge: a circle is refused, so that whoever waits can still be reached."""
        step, on = self.pick(data, "step"), self.pick(data, "on")
        answer = lifecycle.order(self.now, step, on, "sequential", WHO)
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


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_random_lives_go_as_on_paper = Lives.TestCase
