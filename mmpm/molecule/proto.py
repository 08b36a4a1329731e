"""A proto: a formula cooked, frozen. Canonical JSON, its blake3 is its name, it is an object of the store.

Rule: a `Proto` that exists is sound: ids unique, every edge leads somewhere, nothing waits for itself, a parent comes
before its children. One proto has one text, and only that text is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self, cast, get_args

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.capabilities import Capabilities
from mmpm.model.fields import Fields
from mmpm.model.formula import KindOfWork
from mmpm.molecule.graph import GraphProblem, check_graph, groups
from mmpm.molecule.steps import MAX_STEPS, MAX_TEXT, Edge, Step, edges_of
from mmpm.molecule.variables import MAX_VARIABLES, Variable, names_in
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = 1
MAX_PROTO_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One release (or file) that a proto was cooked from.

    Attributes:
        name: of the formula.
        version: its text.
        checksum: ``sha256:..``: of the release where it was installed, else of the file's bytes.
        origin: ``release``, ``file`` or ``overlay``.
    """

    name: str
    version: str
    checksum: str
    origin: str = "release"


class UnsoundProtoError(ValueError):
    """Steps that cannot be a proto.

    Attributes:
        problems: what is wrong with the graph; empty where something else is.
    """

    def __init__(self, reason: str, problems: tuple[GraphProblem, ...] = ()) -> None:
        super().__init__(reason)
        self.problems = problems


_NONE: Final = Capabilities()


@dataclass(frozen=True, slots=True)
class Proto:
    """A template of work.

    Attributes:
        name: of the formula, and id of the root; the full id of a step is ``<name>.<step.id>``.
        version: its text; empty for a proto that came from a catalogue.
        kind: workflow, convoy, expansion or aspect.
        title: of the root, with its variables.
        description: of the root, with its variables.
        steps: a parent before its children, else in the file's order.
        variables: declared ones, sorted by name.
        sources: what it was cooked from: itself first, the others sorted by name.
        phase: ``liquid``, ``vapor`` or empty.
        capabilities: those of the formula.
        attributes: what else the formula says and somebody reads (prompts, output, bond points, hooks, squash).
    """

    name: str
    version: str = ""
    kind: KindOfWork = "workflow"
    title: str = ""
    description: str = ""
    steps: tuple[Step, ...] = ()
    variables: tuple[Variable, ...] = ()
    sources: tuple[Source, ...] = ()
    phase: str = ""
    capabilities: Capabilities = _NONE
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if len(self.steps) > MAX_STEPS:
            raise UnsoundProtoError(f"{len(self.steps)} steps are more than the {MAX_STEPS} that a proto may have")
        seen: set[str] = set()
        for step in self.steps:
            if step.id in seen:
                raise UnsoundProtoError(f"two steps have the id {quoted(step.id)}")
            if step.parent and step.parent not in seen:
                raise UnsoundProtoError(f"{quoted(step.id)} stands before its parent {quoted(step.parent)}")
            seen.add(step.id)
        problems = check_graph([step.id for step in self.steps], self.edges)
        if problems:
            raise UnsoundProtoError("; ".join(problem.sentence for problem in problems[:5]), problems)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every line of its graph, in the steps' order."""
        return edges_of(self.steps)

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The waves of steps that may run at once."""
        return groups([step.id for step in self.steps], self.edges)

    @property
    def object_id(self) -> ObjectId:
        """Its name as an object: of all that it says, what it was cooked from included."""
        return ObjectId.of(self.to_bytes())

    @property
    def graph_id(self) -> ObjectId:
        """The hash of what it means: without what it was cooked from, so that a comment more or less is nothing."""
        return ObjectId.of(replace(self, sources=()).to_bytes())

    @property
    def names_used(self) -> tuple[str, ...]:
        """Names of the variables that occur in its texts and conditions, each once, in order of first use."""
        used: dict[str, None] = dict.fromkeys((*names_in(self.title), *names_in(self.description)))
        for step in self.steps:
            texts = [step.title, step.description, step.design, step.acceptance, step.notes, step.assignee]
            texts += [step.condition, *step.labels]
            if step.gate is not None:
                texts += [step.gate.id, step.gate.timeout, step.gate.condition]
            for text in texts:
                used.update(dict.fromkeys(names_in(text)))
        return tuple(used)

    def to_dict(self) -> dict[str, Any]:
        """Give its JSON form: what is empty is left out."""
        said: dict[str, Any] = {"format": FORMAT, "name": self.name, "kind": self.kind}
        for key in ("version", "title", "description", "phase"):
            if value := getattr(self, key):
                said[key] = value
        said["steps"] = [step.to_dict() for step in self.steps]
        if self.variables:
            said["variables"] = [variable.to_dict() for variable in self.variables]
        if self.sources:
            said["sources"] = [[one.name, one.version, one.checksum, one.origin] for one in self.sources]
        if self.capabilities:
            said["capabilities"] = self.capabilities.to_document()
        if self.attributes:
            said["attributes"] = dict(self.attributes)
        return said

    def to_bytes(self) -> bytes:
        """Give its one text: canonical JSON."""
        return canonical_json(self.to_dict())

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a proto's text.

        Raises:
            ValueError: it is not the one text of a sound proto.
        """
        fields = Fields(parse_json(data, "a proto", max_bytes=MAX_PROTO_BYTES), "a proto")
        fields.require_format(FORMAT)
        kind = fields.text("kind")
        if kind not in get_args(KindOfWork):
            raise ValueError(f"a proto: {quoted(kind)} is no kind of formula")
        steps = fields.items("steps")
        variables = fields.items("variables")
        if len(steps) > MAX_STEPS or len(variables) > 2 * MAX_VARIABLES:
            raise ValueError(f"a proto has at most {MAX_STEPS} steps and {2 * MAX_VARIABLES} variables")
        found = cls(
            name=fields.text("name"),
            version=fields.optional("version") or "",
            kind=cast("KindOfWork", kind),
            title=fields.optional("title", MAX_TEXT) or "",
            description=fields.optional("description", MAX_TEXT) or "",
            steps=tuple(Step.of_dict(step, f"step {index} of a proto") for index, step in enumerate(steps)),
            variables=tuple(Variable.of_dict(one, "a variable of a proto") for one in variables),
            sources=tuple(_source(item) for item in fields.items("sources")),
            phase=fields.optional("phase") or "",
            capabilities=Capabilities.of_document(fields.table("capabilities")),
            attributes=fields.table("attributes"),
        )
        if found.to_bytes() != data:
            raise ValueError("a proto: this is not the one text that its contents have")
        return found


def _source(item: object) -> Source:
    if isinstance(item, list) and len(item) == 4 and all(isinstance(one, str) for one in item):
        return Source(*item)
    raise ValueError("a proto: a source is a name, a version, a checksum and an origin")
