"""A molecule as it is looked at: steps with how they stand, and the lines between them.

Whatever can be seen (a proto, the records of a catalogue, a running molecule, a digest) becomes one `Chart`
(`charting`), from which the terminal's tree (`drawing`), the waves and the pictures (`picture`) are made.

Rule: a chart need not be sound. Steps that wait for each other, or for what is not there, are shown and not refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mmpm.molecule.graph import check_graph, groups
from mmpm.molecule.steps import Edge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Standing: TypeAlias = Literal["template", "open", "ready", "in_progress", "closed", "failed", "skipped"]
LinkKind: TypeAlias = Literal["needs", "if-failed", "waits-for", "spawned"]

DIGEST: Final = "digest"
STANDINGS: Final[Mapping[str, str]] = {
    "template": "template",
    "ready": "ready",
    "in_progress": "in progress",
    "open": "open",
    "failed": "failed",
    "closed": "closed",
    "skipped": "skipped",
}
"""How a step can stand, in words; those somebody looks for first come first."""


@dataclass(frozen=True, slots=True)
class Node:
    """A step as it is looked at.

    Attributes:
        id: below the root.
        full_id: by which people name it.
        name: the last part of its id, below its parent; the full id where that is a number.
        parent: id of the step it is drawn below; empty for the root's.
        gate: what has to happen outside, in words; empty for nothing.
        waits: what it waits for, as in the seed: ``Needs: .1``.
        note: who is at it, or why it ended.
        since: since when somebody is at it; else empty.
        is_arm: whether it was bonded while the molecule ran.
    """

    id: str
    full_id: str
    name: str
    title: str = ""
    parent: str = ""
    gate: str = ""
    standing: Standing = "template"
    waits: tuple[str, ...] = ()
    note: str = ""
    since: str = ""
    is_arm: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One line of the graph: `step` comes after `on`.

    Attributes:
        kind: ``needs``; ``if-failed``; ``waits-for`` (for the children of `on`, or for the arm `on`); ``spawned``
            (`step` is an arm that hangs on `on`).
    """

    step: str
    on: str
    kind: LinkKind


@dataclass(frozen=True, slots=True)
class Chart:
    """What is to be drawn.

    Attributes:
        id: full id of the root.
        kind: a word for it: the record's type, ``workflow``, ``mol``, ``wisp``, ``digest``.
        state: of a molecule or digest; empty for a template.
        nodes: a parent before its children.
        links: in the order of their steps; both ends are among the nodes.
    """

    id: str
    kind: str
    title: str = ""
    state: str = ""
    nodes: tuple[Node, ...] = ()
    links: tuple[Link, ...] = ()
    children: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def has_standings(self) -> bool:
        """Whether its steps stand somewhere: those of a template do not."""
        return bool(self.state)

    @property
    def ended(self) -> int:
        """How many steps have ended."""
        return sum(1 for node in self.nodes if node.standing in _ENDED)

    def counts(self) -> dict[str, int]:
        """Give how many steps stand how, in the order of `STANDINGS`; what none does is left out."""
        found = dict.fromkeys(STANDINGS, 0)
        for node in self.nodes:
            found[node.standing] += 1
        return {standing: count for standing, count in found.items() if count}

    def waves(self) -> tuple[tuple[str, ...], ...]:
        """Give the steps that may run at once, wave by wave; nothing where steps wait for each other.

        Arms stand after what they hang on, where that leads to no circle. A digest does not know who waited for whom.
        """
        if self.kind == DIGEST:
            return ()
        ids = [node.id for node in self.nodes]
        edges = self._edges()
        arms = [Edge(link.step, link.on, "blocks") for link in self.links if link.kind == "spawned"]
        for wanted in ([*edges, *arms], edges):
            try:
                return groups(ids, wanted)
            except ValueError:
                continue
        return ()

    def circle(self) -> str:
        """Say which steps wait for each other; empty where none do."""
        problems = check_graph([node.id for node in self.nodes], self._edges())
        return problems[0].sentence if problems else ""

    def _edges(self) -> list[Edge]:
        edges = [Edge(node.id, node.parent, "parent-child") for node in self.nodes if node.parent]
        return edges + [Edge(link.step, link.on, "blocks") for link in self.links if link.kind != "spawned"]

    def work(self) -> tuple[tuple[str, ...], ...]:
        """Give the waves without parents that only hold what is below them."""
        arms = {node.id for node in self.nodes if node.is_arm}
        holders = {one for one, below in self.children.items() if any(child not in arms for child in below)}
        kept = (tuple(step for step in wave if step not in holders) for wave in self.waves())
        return tuple(wave for wave in kept if wave)

    def flows(self) -> dict[str, str]:
        """Give for each parent, and the root (empty text), how its children run: the seed's words.

        ``single``, ``parallel`` (all may start at once), ``sequential`` (one after the other), else ``3 groups``.
        """
        if self.kind == DIGEST:
            return {}
        wave_of = {step: number for number, wave in enumerate(self.waves()) for step in wave}
        found: dict[str, str] = {}
        for parent, below in self.children.items():
            starts = {wave_of[child] for child in below if child in wave_of}
            if len(below) == 1:
                found[parent] = "single"
            elif len(starts) == 1:
                found[parent] = "parallel"
            elif len(starts) == len(below):
                found[parent] = "sequential"
            elif starts:
                found[parent] = f"{len(starts)} groups"
        return found

    def below(self, step: str, full_id: str) -> Chart:
        """Give what is below one step, as a chart of its own."""
        kept = {step}
        nodes = []
        for node in self.nodes:
            if node.parent in kept:
                kept.add(node.id)
                nodes.append(replace(node, parent="") if node.parent == step else node)
        kept.discard(step)
        links = (link for link in self.links if link.step in kept and link.on in kept)
        own = next((node for node in self.nodes if node.id == step), None)
        title = own.title if own else self.title
        return make_chart(full_id, self.kind, title, self.state, nodes, links)


def alone(chart: Chart, step: str) -> Chart:
    """Give one step of a chart as a chart of its own, with nothing else in it.

    Raises:
        StopIteration: it has no such step.
    """
    node = next(node for node in chart.nodes if node.id == step)
    return make_chart(node.full_id, chart.kind, node.title, chart.state, (replace(node, parent=""),), ())


_ENDED: Final = frozenset({"closed", "failed", "skipped"})


def make_chart(  # noqa: PLR0917 - a chart's fields, in their order
    root: str, kind: str, title: str, state: str, nodes: Iterable[Node], links: Iterable[Link]
) -> Chart:
    """Give a chart; links that lead to what is not among its nodes are left out, and each stands once."""
    known = tuple(nodes)
    children: dict[str, list[str]] = {}
    for node in known:
        children.setdefault(node.parent, []).append(node.id)
    present = {node.id for node in known}
    sound = dict.fromkeys(link for link in links if link.step in present and link.on in present)
    return Chart(root, kind, title, state, known, tuple(sound), children)
