"""What a picture is made of: steps as leaves and boxes, and the lines between them.

A parent is a box around its children. Boxes stand in boxes at most `DEEPEST_BOX` deep; a parent deeper than that is a
leaf like any other, and thin lines lead to its children.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mmpm.errors import TooManyToDrawError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmpm.molecule.picture.chart import Chart, Link, LinkKind, Node

MAX_STEPS: Final = 5000
MAX_LINES: Final = 20_000
DEEPEST_BOX: Final = 12

LineKind: TypeAlias = "LinkKind | Literal['child']"
LINE_WORDS: Final[Mapping[str, str]] = {
    "needs": "needs",
    "if-failed": "runs if it fails",
    "waits-for": "waits for its children",
    "spawned": "spawned by",
    "child": "is below",
}


# In front of a title, where the text itself is all that a format draws.
MARKS: Final[Mapping[str, str]] = {
    "open": "○ ",
    "ready": "▷ ",
    "in_progress": "◐ ",
    "closed": "● ",
    "failed": "✗ ",
    "skipped": "⊘ ",
}


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow: from `on` to `step`, who comes after it."""

    step: str
    on: str
    kind: LineKind


@dataclass(frozen=True, slots=True)
class Scene:
    """A chart as boxes.

    Attributes:
        nodes: by id, a parent before its children.
        container: by id of a step, the box it stands in; empty for none.
        items: by id of a box (empty text: the picture), what stands directly in it, in the order of the steps.
        waves: by id, from 0, when it may start.
        lines: arrows; none of them leads from a box into itself.
    """

    chart: Chart
    nodes: Mapping[str, Node]
    container: Mapping[str, str]
    items: Mapping[str, Sequence[str]]
    waves: Mapping[str, int]
    lines: tuple[Line, ...] = field(default=())

    def is_box(self, step: str) -> bool:
        """Whether a step is drawn around others."""
        return step in self.items

    def nested(self) -> Iterator[tuple[str, int]]:
        """Give steps from the outside in, with their depth from 1; behind the last one of a box the empty text."""
        stack = [(step, 1) for step in reversed(self.items[""])]
        while stack:
            step, depth = stack.pop()
            yield step, depth
            if step and self.is_box(step):
                stack.append(("", depth))
                stack.extend((child, depth + 1) for child in reversed(self.items[step]))

    def way_up(self, step: str) -> list[str]:
        """Give the boxes that a step stands in, the nearest first, the picture (empty text) last."""
        way = [self.container[step]]
        while way[-1]:
            way.append(self.container[way[-1]])
        return way


def scene_of(chart: Chart) -> Scene:
    """Give a chart as boxes.

    Raises:
        TooManyToDrawError: nobody could look at so many steps or lines.
    """
    if len(chart.nodes) > MAX_STEPS:
        raise TooManyToDrawError(chart.id, len(chart.nodes), "steps", MAX_STEPS)
    if len(chart.links) > MAX_LINES:
        raise TooManyToDrawError(chart.id, len(chart.links), "lines", MAX_LINES)
    container: dict[str, str] = {}
    depth = {"": 0}
    items: dict[str, list[str]] = {"": []}
    lines: list[Line] = []
    for node in chart.nodes:
        parent = node.parent
        if parent and parent not in items:  # too deep for a box of its own
            lines.append(Line(node.id, parent, "child"))
            parent = container[parent]
        container[node.id] = parent
        items[parent].append(node.id)
        depth[node.id] = depth[parent] + 1
        if chart.children.get(node.id) and depth[node.id] <= DEEPEST_BOX:
            items[node.id] = []
    nodes = {node.id: node for node in chart.nodes}
    waves = {step: number for number, wave in enumerate(chart.waves()) for step in wave}
    scene = Scene(chart, nodes, container, items, waves)
    drawn = [Line(link.step, link.on, link.kind) for link in _said_once(chart.links) if not _is_within(scene, link)]
    return Scene(chart, nodes, container, items, waves, (*drawn, *lines))


def _said_once(links: Sequence[Link]) -> Iterator[Link]:
    """Leave out what another line between the same two says as well.

    Who waits for a step's children waits for the step; and once there are arms, the lines from these say it.
    """
    fans = {(link.step, link.on) for link in links if link.kind == "waits-for"}
    needs = {(link.step, link.on) for link in links if link.kind == "needs"}
    spawned: dict[str, list[str]] = {}
    for link in links:
        if link.kind == "spawned":
            spawned.setdefault(link.on, []).append(link.step)
    for link in links:
        pair = (link.step, link.on)
        if pair in fans and pair in needs:
            by_arms = any((link.step, arm) in fans for arm in spawned.get(link.on, ()))
            if link.kind == ("waits-for" if by_arms else "needs"):
                continue
        yield link


def _is_within(scene: Scene, link: Link) -> bool:
    """Whether one end of a line is a box around the other: standing in it says as much."""
    return link.step == link.on or link.step in scene.way_up(link.on) or link.on in scene.way_up(link.step)
