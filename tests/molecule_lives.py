"""Small protos and molecules for the tests of their lives."""

from __future__ import annotations

from mmpm.model.capabilities import Capabilities
from mmpm.molecule import bonding, lifecycle
from mmpm.molecule.answers import Change, Stamp
from mmpm.molecule.bonding import Bond
from mmpm.molecule.proto import Proto, Source
from mmpm.molecule.state import fold
from mmpm.molecule.steps import Step, WaitsFor
from mmpm.molecule.variables import Variable

SHA = "sha256:" + "a" * 64
AT = "2026-01-10T15:30:00Z"
ANN = Stamp(AT, "beads/amber")

ARM = Proto(
    "mol-polecat-arm",
    "1.0.0",
    title="Arm {{polecat}}",
    steps=(Step("load", "Load {{polecat}}"), Step("check", "Check", needs=("load",))),
    variables=(Variable("polecat", required=True),),
)
PATROL = Proto(
    "mol-witness-patrol",
    "2.1.0",
    title="Witness patrol",
    steps=(
        Step("inbox", "Inbox"),
        Step("survey", "Survey", needs=("inbox",)),
        Step("aggregate", "Aggregate", waits_for=(WaitsFor("all-children", "survey"),)),
        Step("summary", "Summary", needs=("aggregate",)),
    ),
    sources=(Source("mol-witness-patrol", "2.1.0", SHA),),
    capabilities=Capabilities(("patrol",), ("go",)),
)
REVIEW = Proto(
    "mol-code-review",
    "1.3.0",
    title="Review of {{scope}}",
    steps=(
        Step("discovery", "Discovery", kind="epic"),
        Step("discovery.files", "Files of {{scope}}", parent="discovery"),
        Step("discovery.deps", "Dependencies", parent="discovery"),
        Step("security", "Security", needs=("discovery",)),
        Step("repair", "Repair", if_failed=("security",)),
        Step("synthesis", "Synthesis", needs=("security", "repair")),
    ),
    variables=(Variable("scope", default="src/"),),
    capabilities=Capabilities(("code-review",), ("security", "go")),
)


def linear(*ids, **more):
    """A proto whose steps run one after the other."""
    steps = tuple(Step(one, one, needs=ids[at - 1 : at] if at else (), **more) for at, one in enumerate(ids))
    return Proto("mol-linear", "1.0.0", title="Linear", steps=steps)


class Life:
    """A molecule with its log, driven as a person would."""

    def __init__(self, proto, phase="mol", **values):
        made = bonding.pour(Bond(proto, values), "gt", "n1", ANN, phase=phase)
        assert isinstance(made, Change), made
        self.lines = [made.line]

    @property
    def now(self):
        return fold(self.lines)

    def do(self, verb, *operands, stamp=ANN, **named):
        """Do it and give the change; a refusal fails the test."""
        made = self.ask(verb, *operands, stamp=stamp, **named)
        assert isinstance(made, Change), made
        self.lines.append(made.line)
        return made

    def ask(self, verb, *operands, stamp=ANN, **named):
        return (getattr(bonding, verb, None) or getattr(lifecycle, verb))(self.now, *operands, stamp=stamp, **named)

    def close(self, *steps, reason="done"):
        for step in steps:
            self.do("close", step, reason)

    def arm(self, ref, parent="", proto=ARM, **named):
        values = {"polecat": ref} if proto is ARM else {}
        return self.do("attach", parent, Bond(proto, values), ref=ref, **named)
