"""What a person keeps on paper of a molecule: sets of ids, and the rules as a person would say them.

It knows nothing of the code; the tests of random lives, in memory and on disk, hold the code to it.
"""

from __future__ import annotations

from mmpm.molecule.proto import Proto
from mmpm.molecule.steps import Gate, Step, WaitsFor

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
REASONS = ("done", "failed: tests", "all fine", "rejected")
FAILURES = ("failed: tests", "rejected")


class Model:
    """What a person keeps on paper: who waits for whom, who is below whom, what became of each."""

    def __init__(self):
        self.is_held = False  # by another molecule, which this one waits for
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
        if self.is_held:
            return False
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

    def may_start(self, step):
        return self.state[step] == "open" and self.is_free(step)

    def may_close(self, step):
        is_open = self.state[step] == "in_progress" or self.may_start(step)
        return is_open and all(self.state[one] in OVER for one in self.own_children(step))

    def waiting_gates(self):
        return [one for one in self.fans if self.state[one] == "open"]

    def takes_arms(self, parent):
        return not parent or self.state[parent] not in OVER or (parent == "spawn" and bool(self.waiting_gates()))

    def attach(self, parent, ref):
        """An arm of `ARM`; one that is bonded to the root counts for the gates over `spawn`, which is below it."""
        name = f"{parent}.{ref}" if parent else ref
        if not parent and self.waiting_gates():
            self.fan_arms.add(name)
        self.arms.add(name)
        self.add(name, parent, set())
        self.add(f"{name}.load", name, set())
        self.add(f"{name}.run", name, {f"{name}.load"})

    @property
    def is_over(self):
        return all(state in OVER for state in self.state.values())

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
