"""Random lives of several molecules on disk, through the operations of the commands, against what stands on paper.

After every step all is read anew, by somebody who has seen nothing before.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from molecule_front import fronts, running
from molecule_model import ARM, FAILURES, MAIN, OVER, REASONS, Model
from sites import Site

from mmpm.errors import MoleculeRefusedError
from mmpm.execute import locking
from mmpm.execute.apply import apply
from mmpm.molecule.beads.protos import to_records
from mmpm.molecule.readiness import ready
from mmpm.molecule.state import fold
from mmpm.ops import mol_bond, mol_run, mol_state
from mmpm.ops.mol_bond import Wish, prepare_bond
from mmpm.ops.mol_end import plan_burn, plan_squash
from mmpm.ops.mol_state import Workspace
from mmpm.project.mol_log import read_log

FAN_OUT = {"for_each": "output.items", "bond": "mol-arm"}
# What a gate waits for, and what none does: the arms are below the one, and beside the other.
SPREADING = replace(
    MAIN,
    steps=tuple(
        replace(step, on_complete=FAN_OUT) if step.id in {"spawn", "area.one"} else step for step in MAIN.steps
    ),
)
NOW = "2026-01-10T00:00:00Z"
MOST = 3  # molecules that flow at once


@dataclass
class Paper:
    """What a person keeps of one molecule.

    Attributes:
        waits: for other molecules: (id, connection).
        end: empty, ``squashed`` or ``burned``.
    """

    phase: str
    model: Model = field(default_factory=Model)
    waits: list = field(default_factory=list)
    end: str = ""
    arms: int = 0

    @property
    def has_log(self):
        return not self.end or (self.end == "squashed" and self.phase == "mol")

    @property
    def is_over(self):
        return bool(self.end) or self.model.is_over

    @property
    def has_failed(self):
        failed = any(self.model.state[one] == "closed" for one in self.model.failed)
        return failed or self.end == "burned" or (bool(self.end) and not self.model.is_over)


class LivesOnDisk(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="lives-"))
        self.site = Site(self.folder)
        (self.site.root / ".beads").mkdir()
        records = [record.to_bytes() + b"\n" for proto in (SPREADING, ARM) for record in to_records(proto)]
        (self.site.root / ".beads" / "molecules.jsonl").write_bytes(b"".join(records))
        self.papers = {}
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(mol_state, "KEPT_STEPS", 1)  # what is written is kept in the index, also of short ones

    def teardown(self):
        self.patch.undo()
        locking.release_all()
        shutil.rmtree(self.folder)

    @property
    def workspace(self):
        return Workspace(self.site.context)

    def write(self, plan_of, *, is_allowed=True):
        """Do it as a command does, or see it refused; give what was planned."""
        workspace = self.workspace
        try:
            workspace.begin()
            made = plan_of(workspace)
            assert is_allowed
            apply(workspace.context, made.plan)
            if isinstance(made, mol_run.Work):
                mol_run.keep(workspace, made)
            elif isinstance(made, mol_bond.Bonding):
                mol_bond.keep(workspace, made.plan)
        except MoleculeRefusedError:
            assert not is_allowed
            return None
        finally:
            locking.release_all()
        return made

    def bond(self, *operands, is_allowed=True, **wanted):
        wish = Wish(operands, **wanted)
        context, root = self.site.context, str(self.site.root)
        return self.write(lambda workspace: prepare_bond(workspace, context, root, wish), is_allowed=is_allowed)

    def pick(self, data, *, flows=True):
        ids = [one for one, paper in self.papers.items() if (not paper.end if flows else paper.has_log)]
        return data.draw(st.sampled_from(ids), label="molecule")

    def pick_step(self, data, molecule_id):
        """Mostly one with which something can be done."""
        model = self.papers[molecule_id].model
        live = sorted(model.ready() | {one for one, state in model.state.items() if state == "in_progress"})
        is_any = not live or data.draw(st.integers(0, 4), label="any") == 4
        return data.draw(st.sampled_from(sorted(model.state) if is_any else live), label="step")

    def pick_to_end(self, data):
        """Mostly one whose work is done; None where this is not the time."""
        one = self.pick(data)
        return one if self.papers[one].model.is_over or data.draw(st.integers(0, 5), label="early") == 5 else None

    def flows(self):
        return [paper for paper in self.papers.values() if not paper.end]

    def look_who_is_held(self):
        for paper in self.papers.values():
            others = [(self.papers[on], connection) for on, connection in paper.waits if connection != "parallel"]
            paper.model.is_held = any(
                not other.is_over or (connection == "conditional" and not other.has_failed)
                for other, connection in others
            )

    @precondition(lambda self: len(self.flows()) < MOST)
    @rule(is_wisp=st.booleans())
    def begin(self, is_wisp):
        made = self.bond("mol-main", is_wisp=is_wisp)
        assert made.id not in self.papers
        self.papers[made.id] = Paper("wisp" if is_wisp else "mol")

    @precondition(lambda self: self.flows())
    @rule(data=st.data(), parent=st.sampled_from(["", "spawn", "area"]))
    def hang_an_arm(self, data, parent):
        one = self.pick(data)
        paper = self.papers[one]
        paper.arms += 1
        ref = f"arm-{paper.arms}"
        on = f"{one}.{parent}" if parent else one
        made = self.bond("mol-arm", on, ref=ref, is_allowed=paper.model.takes_arms(parent))
        if made:
            paper.model.attach(parent, ref)
            assert made.id == f"{on}.{ref}"

    @precondition(lambda self: self.flows())
    @rule(data=st.data())
    def hang_an_arm_on_an_arm(self, data):
        one = self.pick(data)
        paper = self.papers[one]
        below = sorted(arm for arm in paper.model.arms if arm.count(".") < 3)
        if not below:
            return
        paper.arms += 1
        parent, ref = data.draw(st.sampled_from(below)), f"arm-{paper.arms}"
        if self.bond("mol-arm", f"{one}.{parent}", ref=ref, is_allowed=paper.model.state[parent] not in OVER):
            paper.model.attach(parent, ref)

    @precondition(lambda self: len(self.papers) > 1 and self.flows())
    @rule(data=st.data(), connection=st.sampled_from(["sequential", "parallel", "conditional"]))
    def connect(self, data, connection):
        first, second = self.pick(data, flows=False), self.pick(data)
        if first == second:
            return
        other, paper = self.papers[first], self.papers[second]
        never = connection == "conditional" and other.is_over and not other.has_failed
        cycle = connection != "parallel" and self.leads(first, second)
        is_allowed = not never and not cycle and (first, connection) not in paper.waits
        if self.bond(first, second, connection=connection, is_allowed=is_allowed):
            paper.waits.append((first, connection))

    def leads(self, start, goal):
        """Tell whether `start` waits for `goal`, at any remove; of what left no log nobody knows what it waited for."""
        if start == goal:
            return True
        paper = self.papers[start]
        return paper.has_log and any(self.leads(on, goal) for on, connection in paper.waits if connection != "parallel")

    @precondition(lambda self: self.flows())
    @rule(data=st.data())
    def start(self, data):
        one = self.pick(data)
        step, model = self.pick_step(data, one), self.papers[one].model
        if self.write(lambda it: mol_run.start(it, [f"{one}.{step}"]), is_allowed=model.may_start(step)):
            model.state[step] = "in_progress"

    @precondition(lambda self: self.flows())
    @rule(data=st.data(), reason=st.sampled_from(REASONS), number=st.integers(1, 3))
    def close(self, data, reason, number):
        one = self.pick(data)
        self.close_in_order(one, list(dict.fromkeys(self.pick_step(data, one) for _ in range(number))), reason)

    @precondition(lambda self: self.flows())
    @rule(data=st.data(), reason=st.sampled_from(REASONS))
    def close_all_that_is_ready(self, data, reason):
        one = self.pick(data)
        model = self.papers[one].model
        steps = sorted(model.ready() | {step for step, state in model.state.items() if state == "in_progress"})
        if steps:
            self.close_in_order(one, steps, reason)

    @precondition(lambda self: self.flows())
    @rule(
        data=st.data(),
        step=st.sampled_from(["spawn", "area.one"]),
        number=st.integers(0, 3),
        reason=st.sampled_from(REASONS),
    )
    def close_with_its_output(self, data, step, number, reason):
        """As many arms as there are items, before the step ends: the gate over them never opens in between."""
        one = self.pick(data)
        before = self.papers[one].model
        model = copy.deepcopy(before)
        is_allowed = model.may_close(step)
        if is_allowed:
            parent, ref = ("spawn", "mol-arm") if step == "spawn" else ("area", "one-mol-arm")
            for count in range(number):
                model.attach(parent, f"{ref}-{count + 1}")
            model.close(step, has_failed=reason in FAILURES)
        output = {"items": ["x"] * number}
        work = self.write(
            lambda it: mol_run.close(it, [f"{one}.{step}"], reason, output=output, proto_of=lambda _: ARM),
            is_allowed=is_allowed,
        )
        if work:
            self.papers[one].model = model
            assert len(work.ran[0].bonded) == number
            if number and step == "spawn":
                assert "all" not in {one.id for one in fronts(self.workspace, [one])[0][0].ready}

    def close_in_order(self, one, steps, reason):
        """Close all or none, each decided after those before it."""
        before = self.papers[one].model
        model = copy.deepcopy(before)
        is_allowed = True
        for step in steps:
            if model.state[step] in OVER and before.state[step] not in OVER:
                continue  # it ended with one of those before it
            is_allowed = is_allowed and model.may_close(step)
            if is_allowed:
                model.close(step, has_failed=reason in FAILURES)
        ids = [f"{one}.{step}" for step in steps]
        work = self.write(lambda it: mol_run.close(it, ids, reason), is_allowed=is_allowed)
        if work:
            was_ready = before.ready()
            self.papers[one].model = model
            assert {step.id for step in work.ran[0].released} == model.ready() - was_ready
            assert work.ran[0].is_done == model.is_over
            changed = {step for step, state in model.state.items() if state != before.state[step]}
            assert changed == {*work.ran[0].asked, *(event.step for event in work.ran[0].followed)}
            self.check_who_is_told(work)

    def check_who_is_told(self, work):
        """What waited for a molecule that has just ended is told of, with all that is ready there."""
        self.look_who_is_held()
        for molecule, steps in work.woken:
            assert {step.id for step in steps} == self.papers[molecule.id].model.ready()

    @precondition(lambda self: self.flows())
    @rule(data=st.data())
    def open_gate(self, data):
        one = self.pick(data)
        model = self.papers[one].model
        is_allowed = model.state["ask"] == "open" and "ask" in model.gates
        if self.write(lambda it: mol_run.open_gate(it, [f"{one}.ask"], "yes"), is_allowed=is_allowed):
            model.gates.discard("ask")

    @precondition(lambda self: len(self.papers) > 1 and self.flows())
    @rule(data=st.data())
    def squash(self, data):
        one = self.pick_to_end(data)
        if one is None:
            return
        made = self.write(lambda it: plan_squash(it, one, "", it.stamp()))
        paper = self.papers[one]
        paper.end = "squashed"
        assert {outcome.step for outcome in made.digest.outcomes if outcome.has_failed} == paper.model.failed

    @precondition(lambda self: len(self.papers) > 1 and self.flows())
    @rule(data=st.data(), reason=st.sampled_from(["", "no use"]))
    def burn(self, data, reason):
        one = self.pick_to_end(data)
        if one is None:
            return
        self.write(lambda it: plan_burn(it, [one], reason, it.stamp()))
        self.papers[one].end = "burned"

    @invariant()
    def no_child_is_lost_and_nothing_is_otherwise_than_on_paper(self):
        self.look_who_is_held()
        workspace = self.workspace
        assert set(workspace.ids()) == {one for one, paper in self.papers.items() if paper.has_log}
        for one, paper in self.papers.items():
            if paper.has_log:
                molecule = workspace.molecule(one)
                assert {step: record.state for step, record in molecule.steps.items()} == paper.model.state
                assert (molecule.phase, molecule.state) == (paper.phase, paper.end or "flowing")
                assert not molecule.problems
                assert read_log(workspace.places.log(one, paper.phase)) is not None
            if paper.end == "squashed":
                digest = workspace.digest(one)
                assert {outcome.step: outcome.state for outcome in digest.outcomes} == paper.model.state

    @invariant()
    def what_is_ready_is_what_stands_on_paper_and_in_memory(self):
        self.look_who_is_held()
        workspace = self.workspace
        found, problems = fronts(workspace)
        assert not problems
        from_disk = {front.head.id: {step.id for step in front.ready} for front in found}
        assert from_disk == {one: paper.model.ready() for one, paper in self.papers.items() if not paper.end}
        for one, steps in from_disk.items():
            lines = read_log(workspace.places.log(one, self.papers[one].phase)).lines
            molecule = fold(lines)
            assert steps == {step.id for step in ready(molecule, NOW, workspace.others(molecule))}
            front = next(front for front in found if front.head.id == one)
            assert bool(front.remark) == (not steps)

    @invariant()
    def the_list_has_all_that_flow_and_with_all_also_what_was_squashed(self):
        flowing = {one for one, paper in self.papers.items() if not paper.end}
        squashed = {one for one, paper in self.papers.items() if paper.end == "squashed"}
        assert {one.id for one in running(self.workspace)[0]} == flowing
        assert {one.id for one in running(self.workspace, with_ended=True)[0]} == flowing | squashed


LivesOnDisk.TestCase.settings = settings(max_examples=settings().max_examples // 5, stateful_step_count=35)
test_random_lives_on_disk_go_as_on_paper = LivesOnDisk.TestCase
