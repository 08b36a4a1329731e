"""A chart as the lines of a tree, in the seed's look: what a terminal draws.

Rule: the lines are bounded. Where a tree has more steps than are wanted, each parent shows as many of its children as
fit, those somebody looks for first (in progress, failed, ready), and says what it leaves out. Nothing recurses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mmpm.molecule.picture.chart import STANDINGS
from mmpm.molecule.picture.wrapping import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from mmpm.molecule.picture.chart import Chart, Node, Standing

USUAL_LINES: Final = 200
DEEPEST: Final = 64
TITLE_COLUMNS: Final = 120

Style: TypeAlias = Literal["", "bold", "dim", "red", "green", "yellow", "cyan"]
Piece: TypeAlias = tuple[str, Style]
_RANKS: Final[Mapping[str, int]] = {
    standing: rank
    for rank, standing in enumerate(("in_progress", "failed", "ready", "open", "template", "skipped", "closed"))
}


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One line of a tree.

    Attributes:
        lasts: for each level below the root, down to its own, whether it is the last of its siblings there; at most
            `DEEPEST` of them.
        deeper: levels that are left out of `lasts`.
        standing: of its step; empty for the root and for what says how many are left out.
        pieces: texts, each with a style.
    """

    lasts: tuple[bool, ...] = ()
    deeper: int = 0
    standing: Standing | Literal[""] = ""
    pieces: tuple[Piece, ...] = ()


def draw(chart: Chart, most: int | None = USUAL_LINES) -> Iterator[TreeLine]:
    """Give the lines of a chart, the root's first.

    Args:
        chart: what is drawn.
        most: about how many lines at most; None for all, however deep.
    """
    kind = f" ({chart.kind})" if chart.kind else ""
    yield TreeLine(pieces=((f"{chart.id}{kind}", ""),))
    tree = _Tree(chart, most)
    yield from tree.lines()
    if tree.too_deep:
        yield TreeLine(pieces=((f"({tree.too_deep} more, deeper than {DEEPEST} levels)", "dim"),))


def draw_waves(chart: Chart, most: int | None = USUAL_LINES) -> Iterator[TreeLine]:
    """Give the waves of steps that may run at once; nothing where steps wait for each other.

    Args:
        chart: what is shown; parents that only hold what is below them are left out.
        most: about how many lines at most; None for all.
    """
    found = chart.work()
    nodes = {node.id: node for node in chart.nodes}
    shown = found if most is None else found[: max(most // 2, 1)]
    room = _room([len(wave) for wave in shown], most)
    for number, wave in enumerate(shown, 1):
        together = f" ({len(wave)} at once)" if len(wave) > 1 else ""
        yield TreeLine(pieces=((f"Group {number}", "bold"), (together, "dim")))
        ordered = sorted(wave, key=lambda step: _RANKS[nodes[step].standing])[:room]
        kept = [step for step in wave if step in set(ordered)] if len(ordered) < len(wave) else wave
        for step in kept:
            node = nodes[step]
            is_last = step == kept[-1] and len(kept) == len(wave)
            pieces = [_named(node, node.full_id if node.name == node.full_id else f".{node.id}"), *_title(node)]
            yield TreeLine((is_last,), 0, node.standing, tuple(pieces))
        if len(kept) < len(wave):
            left = [nodes[step] for step in wave if step not in set(kept)]
            yield TreeLine((True,), 0, "", (_left_out(left),))
    if len(shown) < len(found):
        yield TreeLine(pieces=((f"({len(found) - len(shown)} more groups)", "dim"),))


def standing_style(standing: str) -> Style:
    """Give the colour in which a standing is shown beside its mark."""
    styles: dict[str, Style] = {"ready": "cyan", "in_progress": "yellow", "closed": "green", "failed": "red"}
    return styles.get(standing, "dim" if standing == "skipped" else "")


# A step, or what is left out below it; its `lasts`, its `deeper`.
_Waiting: TypeAlias = tuple[str, bool, tuple[bool, ...], int]


class _Tree:
    """The tree of a chart, cut to what is wanted.

    Attributes:
        too_deep: steps that are not drawn, for they are deeper than anybody can read.
    """

    def __init__(self, chart: Chart, most: int | None) -> None:
        self._chart = chart
        self._most = most
        self._nodes = {node.id: node for node in chart.nodes}
        self._flows = chart.flows()
        depths = {"": 0}
        ranks: dict[str, int] = {}
        for node in chart.nodes:
            depths[node.id] = depths[node.parent] + 1
            ranks[node.id] = _RANKS[node.standing]
        # A parent is looked for as much as what is below it.
        for node in reversed(chart.nodes):
            if node.parent:
                ranks[node.parent] = min(ranks[node.parent], ranks[node.id])
        self.too_deep = 0 if most is None else sum(1 for node in chart.nodes if depths[node.id] > DEEPEST)
        self._drawn = {
            parent: tuple(below) for parent, below in chart.children.items() if most is None or depths[parent] < DEEPEST
        }
        self._wanted = {parent: sorted(below, key=ranks.__getitem__) for parent, below in self._drawn.items()}
        self._room = None if most is None else self._widest(most)

    def lines(self) -> Iterator[TreeLine]:
        """Give a line a step, parents before their children."""
        stack: list[_Waiting] = []
        self._push(stack, "", (), 0)
        drawn = 0
        while stack:
            if self._most is not None and drawn > self._most:
                left = len(self._nodes) - drawn - self.too_deep
                yield TreeLine(pieces=((f"({left} more steps)", "dim"),))
                return
            step, is_rest, lasts, deeper = stack.pop()
            if is_rest:
                yield TreeLine(lasts, deeper, "", (_left_out(self._hidden(step)),))
                continue
            drawn += 1
            node = self._nodes[step]
            yield TreeLine(lasts, deeper, node.standing, tuple(self._pieces(node)))
            self._push(stack, step, lasts, deeper)

    def _push(self, stack: list[_Waiting], parent: str, above: tuple[bool, ...], deeper: int) -> None:
        """Put the children of a step on the stack, the first on top; below them what says how many are left out."""
        below = self._drawn.get(parent, ())
        if not below:
            return
        if len(above) == DEEPEST:
            above, deeper = above[:-1], deeper + 1
        kept = self._kept(parent)
        is_whole = len(kept) == len(below)
        if not is_whole:
            stack.append((parent, True, (*above, True), deeper))
        last = kept[-1] if is_whole else ""
        stack.extend((child, False, (*above, child == last), deeper) for child in reversed(kept))

    def _kept(self, parent: str) -> Sequence[str]:
        below = self._drawn[parent]
        if self._room is None or len(below) <= self._room + 1:  # one more takes no more room than saying so
            return below
        wanted = set(self._wanted[parent][: self._room])
        return [child for child in below if child in wanted]

    def _hidden(self, parent: str) -> Iterator[Node]:
        """Give what is left out below a step, with all below that."""
        kept = set(self._kept(parent))
        waiting = [child for child in self._drawn[parent] if child not in kept]
        while waiting:
            step = waiting.pop()
            yield self._nodes[step]
            waiting.extend(self._drawn.get(step, ()))

    def _widest(self, most: int) -> int | None:
        """Give how many children each parent may show so that all is about `most` lines; None for as many as it has."""
        if sum(map(len, self._drawn.values())) <= most:
            return None
        low, high = 1, max(map(len, self._drawn.values()))
        while low < high:
            middle = (low + high + 1) // 2
            if self._count(middle, most) <= most:
                low = middle
            else:
                high = middle - 1
        return low

    def _count(self, room: int, most: int) -> int:
        """Give how many lines there are where each parent shows `room` children; no more are counted than matter."""
        lines, waiting = 0, [""]
        while waiting and lines <= most:
            wanted = self._wanted.get(waiting.pop(), ())
            whole = len(wanted) <= room + 1
            kept = wanted if whole else wanted[:room]
            lines += len(kept) + (not whole)
            waiting.extend(kept)
        return lines

    def _pieces(self, node: Node) -> Iterator[Piece]:
        """Give a step as in the seed: ``discovery (parallel)``, ``mol-engineer-in-box.2 "Implement" Needs: .1``."""
        yield _named(node, node.name)
        below = self._chart.children.get(node.id, ())
        if below:
            ended = sum(1 for child in below if self._nodes[child].standing in {"closed", "failed", "skipped"})
            progress = f", {ended}/{len(below)}" if self._chart.state else ""
            if flow := self._flows.get(node.id, "") + progress:
                yield f" ({flow.removeprefix(', ')})", "dim"
        yield from _title(node)
        for waits in node.waits:
            yield f" {one_line(waits, TITLE_COLUMNS)}", ""
        if node.standing == "ready":
            yield " ready", "cyan"
        if node.note:
            since = f" since {node.since}" if node.since else ""
            yield f" {one_line(node.note, TITLE_COLUMNS)}{since}", "red" if node.standing == "failed" else "dim"


def _named(node: Node, name: str) -> Piece:
    return name, "bold" if node.standing in {"ready", "in_progress"} else ""


def _title(node: Node) -> Iterator[Piece]:
    title = one_line(node.title, TITLE_COLUMNS)
    if title and title != node.name:
        yield f' "{title}"', ""


def _left_out(nodes: Iterable[Node]) -> Piece:
    """Say how many steps are left out, and how they stand: ``(12 more: 10 closed, 2 skipped)``."""
    counts = dict.fromkeys(STANDINGS, 0)
    for node in nodes:
        counts[node.standing] += 1
    total = sum(counts.values())
    told = ", ".join(f"{count} {STANDINGS[one]}" for one, count in counts.items() if count and one != "template")
    return f"({total} more: {told})" if told else f"({total} more)", "dim"


def _room(widths: Collection[int], most: int | None) -> int | None:
    """Give how many of each row can be shown in about `most` lines; None for all."""
    if most is None or sum(widths) + len(widths) <= most:
        return None
    low, high = 1, max(widths)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(width, middle) + 2 for width in widths) <= most:
            low = middle
        else:
            high = middle - 1
    return low
