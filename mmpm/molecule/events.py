"""What happened to a molecule: events, of which each line of a log has at least one.

Ids are below the molecule: ``arm-ace.load`` stands for ``<molecule>.arm-ace.load``, the empty text for the root.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeAlias

from mmpm.errors import quoted
from mmpm.model.capabilities import Capabilities
from mmpm.model.fields import Fields
from mmpm.molecule.proto import Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.molecule.steps import Step

MAX_ACTOR: Final = 256
PHASES: Final = ("mol", "wisp")
INNER_EDGES: Final = ("blocks", "conditional-blocks")
CONNECTIONS: Final = ("sequential", "parallel", "conditional")

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_ROOT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
MAX_ROOT: Final = 128


def check_moment(text: str) -> str:
    """Give `text` if it is a moment as all our documents write it: RFC 3339, UTC, whole seconds, ``Z`` at its end.

    Raises:
        ValueError: it is not one, or no such day is in the calendar.
    """
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a moment such as 2026-01-10T15:30:00Z")
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a moment such as 2026-01-10T15:30:00Z") from None
    return text


def is_molecule_id(text: str) -> bool:
    """Tell whether `text` can be the id of a molecule: no dot, so that the first dot of a full id ends it."""
    return len(text) <= MAX_ROOT and _ROOT.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which proto something was bonded from.

    Attributes:
        name: of the formula.
        version: its text; empty where the catalogue gives none.
        checksum: ``sha256:..`` of the formula; may be empty.
        object_id: ``blake3:..`` of the proto's text.
        sources: all that it was cooked from.
    """

    name: str
    version: str = ""
    checksum: str = ""
    object_id: str = ""
    sources: tuple[Source, ...] = ()
    capabilities: Capabilities = field(default_factory=Capabilities)

    def to_dict(self) -> dict[str, Any]:
        """Give its JSON form: what is empty is left out."""
        said: dict[str, Any] = {
            key: value for key in ("name", "version", "checksum", "object_id") if (value := getattr(self, key))
        }
        if self.sources:
            said["sources"] = [[one.name, one.version, one.checksum, one.origin] for one in self.sources]
        if self.capabilities:
            said["capabilities"] = self.capabilities.to_document()
        return said

    @classmethod
    def of_dict(cls, value: object, what: str) -> Self:
        """Read its JSON form.

        Raises:
            ValueError: it is not one.
        """
        table = Fields(value, what)
        sources = table.items("sources")
        if not all(
            isinstance(one, list) and len(one) == 4 and all(isinstance(text, str) for text in one) for one in sources
        ):
            raise ValueError(f"{what}: a source is a name, a version, a checksum and an origin")
        return cls(
            name=table.text("name"),
            version=table.optional("version") or "",
            checksum=table.optional("checksum") or "",
            object_id=table.optional("object_id") or "",
            sources=tuple(Source(*one) for one in sources),  # type: ignore[misc]  # four texts, looked at above
            capabilities=Capabilities.of_document(table.table("capabilities")),
        )


@dataclass(frozen=True, slots=True)
class Bonded:
    """A molecule began; the first event of a log.

    Attributes:
        id: of the molecule.
        phase: ``mol`` or ``wisp``.
        values: of its variables, defaults put in.
    """

    kind: ClassVar[str] = "bonded"
    id: str
    phase: str
    provenance: Provenance
    title: str = ""
    description: str = ""
    values: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class StepsAdded:
    """Steps came, a parent before its children, their variables put in."""

    kind: ClassVar[str] = "steps-added"
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ArmAdded:
    """A proto was bonded to a running molecule; the step `step` (in the same line) is its root.

    Attributes:
        step: id of the arm.
        spawners: ids of steps whose fan-out gates wait for this arm, beside its parent's.
    """

    kind: ClassVar[str] = "arm-added"
    step: str
    provenance: Provenance
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    spawners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeAdded:
    """The step `step` waits for `on`, of the same molecule, from now on; `edge` is one of `INNER_EDGES`."""

    kind: ClassVar[str] = "edge-added"
    step: str
    on: str
    edge: str


@dataclass(frozen=True, slots=True)
class Connected:
    """This molecule stands with another one, `on`: one of `CONNECTIONS`."""

    kind: ClassVar[str] = "connected"
    on: str
    connection: str

    @property
    def is_wait(self) -> bool:
        """Whether this molecule waits for the other one."""
        return self.connection != "parallel"


@dataclass(frozen=True, slots=True)
class Started:
    """Somebody works on a step."""

    kind: ClassVar[str] = "started"
    step: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A step ended; its reason says whether it failed."""

    kind: ClassVar[str] = "closed"
    step: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A step will not run, because what it was to run after did not fail."""

    kind: ClassVar[str] = "skipped"
    step: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GateOpened:
    """Somebody opened the gate of a step."""

    kind: ClassVar[str] = "gate-opened"
    step: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Squashed:
    """The molecule ended in a digest, whose root this is."""

    kind: ClassVar[str] = "squashed"
    root: str


@dataclass(frozen=True, slots=True)
class Burned:
    """The molecule ended in nothing; only the audit log holds this."""

    kind: ClassVar[str] = "burned"
    id: str
    reason: str = ""


Event: TypeAlias = (
    Bonded | StepsAdded | ArmAdded | EdgeAdded | Connected | Started | Closed | Skipped | GateOpened | Squashed | Burned
)
