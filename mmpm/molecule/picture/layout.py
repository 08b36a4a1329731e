"""Where everything of a scene stands: layers from top to bottom, boxes around what is in them.

Each box is laid out by itself, the inner ones first. Its items stand in rows: an item below all that it comes after
(Sugiyama's layers). A line that passes a row takes a lane of its own there, so that it crosses no item; lines from one
item, or to one, share their lanes. Lanes and items are ordered by barycentres so that few lines cross, then moved
sideways, as near to their neighbours as the order allows (isotonic regression by pooling adjacent violators).

Rule: nothing recurses, and equal scenes give equal numbers: no randomness, no clock, sums in a fixed order.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from math import fsum
from typing import TYPE_CHECKING, Final

from mmpm.molecule.picture.ordering import ordered_rows
from mmpm.molecule.picture.spreading import spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmpm.molecule.picture.scene import Scene

TOP: Final = " top"  # no step's id has a blank
BOTTOM: Final = " bottom"
GAP: Final = 26.0  # between items of a row
LANE: Final = 13.0  # beside a lane
ROW_GAP: Final = 46.0
PLAIN_GAP: Final = 18.0  # between rows that no line joins
PAD: Final = 16.0  # inside a box
WIDEST_ROW: Final = 1500.0
MAX_LANES: Final = 4000  # in one box
PORT: Final = 14.0  # between lines that leave an item


@dataclass(frozen=True, slots=True)
class Size:
    """How much room an item takes: of a box, its head alone."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle in the picture."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Stop:
    """A stretch that a line runs straight down: from (x, top) to (x, bottom)."""

    x: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands.

    Attributes:
        places: by step.
        ways: of each line of the scene, in its order: where it runs straight down; the first stop begins at its one
            end, the last ends at the other.
    """

    width: float
    height: float
    places: Mapping[str, Place]
    ways: tuple[tuple[Stop, ...], ...]


@dataclass(slots=True)
class _Inside:
    """A box laid out, in coordinates of its own; rows below each other.

    Attributes:
        strands: (from, to) of each line here; `TOP` and `BOTTOM` are the box's own edges.
        chains: of each strand, the elements it runs through, both ends included where they are items.
    """

    width: float = 0.0
    height: float = 0.0
    x: dict[int, float] = field(default_factory=dict)
    rows: list[list[int]] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)
    bottoms: list[float] = field(default_factory=list)
    row_of: list[int] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    items: Sequence[str] = ()
    chains: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    ports: dict[tuple[int, int, bool], float] = field(default_factory=dict)


def lay_out(scene: Scene, sizes: Mapping[str, Size]) -> Layout:
    """Place everything.

    Args:
        scene: what.
        sizes: of every leaf; of every box the least width and the height of its head.
    """
    strands, routes = _routes(scene)
    inside: dict[str, _Inside] = {}
    room = dict(sizes)
    for box in (*(step for step in reversed(tuple(scene.nodes)) if scene.is_box(step)), ""):
        head = sizes[box] if box else Size(0.0, 0.0)
        made = inside[box] = _arrange(scene, box, strands.get(box, {}), room, head)
        room[box] = Size(made.width, made.height)
    places: dict[str, Place] = {}
    corner = {"": (0.0, 0.0)}
    for box in ("", *(step for step in scene.nodes if scene.is_box(step))):
        left, top = corner[box]
        here = inside[box]
        for index, item in enumerate(here.items):
            size = here.sizes[index]
            place = Place(
                left + here.x[index] - size.width / 2, top + here.tops[here.row_of[index]], size.width, size.height
            )
            places[item] = place
            corner[item] = (place.x, place.y)
    ways = tuple(tuple(_way(route, inside, corner, places)) for route in routes)
    return Layout(inside[""].width, inside[""].height, places, ways)


Route = list[tuple[str, tuple[str, str]]]


def _routes(scene: Scene) -> tuple[dict[str, dict[tuple[str, str], None]], list[Route]]:
    """Give the strands that each box has to lead, and of each line the strands it is made of, from end to end."""
    strands: dict[str, dict[tuple[str, str], None]] = {}
    routes: list[Route] = []
    for line in scene.lines:
        ups, downs = scene.way_up(line.on), scene.way_up(line.step)
        shared = set(downs)
        route: Route = []
        item = line.on
        for box in ups:
            if box in shared:
                break
            route.append((box, (item, BOTTOM)))
            item = box
        meeting = box
        tail: Route = []
        last = line.step
        for below in downs:
            if below == meeting:
                break
            tail.append((below, (TOP, last)))
            last = below
        route.append((meeting, (item, last)))
        route.extend(reversed(tail))
        routes.append(route)
        for where, strand in route:
            strands.setdefault(where, {})[strand] = None
    return strands, routes


def _arrange(
    scene: Scene, box: str, strands: Mapping[tuple[str, str], None], room: Mapping[str, Size], head: Size
) -> _Inside:
    """Lay one box out."""
    items = scene.items[box]
    index = {item: at for at, item in enumerate(items)}
    sizes = [room[item] for item in items]
    layer = _layers(scene, items, index, strands)
    row_of, layers = _split(layer, sizes)
    count = len(layers)
    here = _Inside(items=items, sizes=sizes, row_of=row_of)
    _chain(here, index, strands, count)
    joints = _joints(here)
    here.rows = ordered_rows(here.row_of, count, joints)
    widths = [size.width for size in here.sizes]
    # Within a layer of several rows only lanes pull: the items would all follow them to one side.
    pulling = [
        (upper, lower)
        for upper, lower in joints
        if layers[here.row_of[upper]] != layers[here.row_of[lower]] or min(upper, lower) >= len(items)
    ]
    here.x = spread(here.rows, widths, pulling, len(items), GAP, LANE)
    left = min((here.x[at] - widths[at] / 2 for at in here.x), default=0.0)
    right = max((here.x[at] + widths[at] / 2 for at in here.x), default=0.0)
    pad = PAD if box else 0.0
    here.width = max(right - left + 2 * pad, head.width)
    shift = (here.width - (right - left)) / 2 - left
    here.x = {at: x + shift for at, x in here.x.items()}
    _heights(here, head.height, pad, with_edges=bool(box))
    _ports(here)
    return here


def _layers(
    scene: Scene, items: Sequence[str], index: Mapping[str, int], strands: Mapping[tuple[str, str], None]
) -> list[int]:
    """Give each item its layer: one below the lowest of those that it comes after."""
    order = sorted(range(len(items)), key=lambda at: (scene.waves.get(items[at], 0), at))
    place = {at: position for position, at in enumerate(order)}
    before: dict[int, list[int]] = {}
    for one, other in strands:
        # In an unsound graph, and between boxes that wait for each other's steps, some lines lead upwards.
        if one in index and other in index and place[index[one]] < place[index[other]]:
            before.setdefault(index[other], []).append(index[one])
    layer = [0] * len(items)
    for at in order:
        layer[at] = max((layer[one] + 1 for one in before.get(at, ())), default=0)
    return layer


def _split(layer: Sequence[int], sizes: Sequence[Size]) -> tuple[list[int], list[int]]:
    """Give each item its row, and each row its layer: a layer that is too wide becomes several."""
    members: dict[int, list[int]] = {}
    for at, one in enumerate(layer):
        members.setdefault(one, []).append(at)
    row_of = [0] * len(layer)
    layers: list[int] = []
    for one in sorted(members):
        total = fsum(sizes[at].width + GAP for at in members[one])
        parts = max(int(-(-total // WIDEST_ROW)), 1)
        share = total / parts
        used = 0.0
        part = 0
        for at in members[one]:
            middle = used + (sizes[at].width + GAP) / 2
            part = max(part, min(int(middle / share), parts - 1))
            row_of[at] = len(layers) + part
            used += sizes[at].width + GAP
        layers += [one] * parts
    return row_of, layers


def _chain(here: _Inside, index: Mapping[str, int], strands: Mapping[tuple[str, str], None], count: int) -> None:
    """Give each strand the lanes it runs through, made where they are missing."""
    ends = {TOP: -1, BOTTOM: count}
    rows = here.row_of

    def row(name: str) -> int:
        return ends[name] if name in ends else rows[index[name]]

    leaving: dict[str, int] = {}
    coming: dict[str, int] = {}
    for one, other in strands:
        if row(other) - row(one) > 1:
            leaving[one] = leaving.get(one, 0) + 1
            coming[other] = coming.get(other, 0) + 1
    lanes: dict[tuple[str, str, int], int] = {}
    for one, other in sorted(strands, key=lambda strand: row(strand[1]) - row(strand[0])):
        by_source = other == BOTTOM or (one != TOP and leaving.get(one, 0) >= coming.get(other, 0))
        trunk = ("from", one) if by_source else ("to", other)
        chain = [index[one]] if one in index else []
        # Where there are too many to be told apart anyway, the longest lines run behind what they pass.
        fits = len(lanes) + row(other) - row(one) <= MAX_LANES
        for at in range(row(one) + 1, row(other)) if fits else ():
            key = (*trunk, at)
            if key not in lanes:
                lanes[key] = len(rows)
                rows.append(at)
                here.sizes.append(Size(0.0, 0.0))
            chain.append(lanes[key])
        if other in index:
            chain.append(index[other])
        here.chains[one, other] = tuple(chain)


def _joints(here: _Inside) -> list[tuple[int, int]]:
    """Give what is joined from one row to the next, each pair once."""
    found: dict[tuple[int, int], None] = {}
    for chain in here.chains.values():
        for upper, lower in itertools.pairwise(chain):
            if here.row_of[lower] == here.row_of[upper] + 1:
                found[upper, lower] = None
    return list(found)


def _heights(here: _Inside, head: float, pad: float, *, with_edges: bool) -> None:
    """Give each row its top and bottom."""
    joined = {here.row_of[upper] for upper, _ in _joints(here)}
    enters = any(one == TOP for one, _ in here.chains)
    leaves = any(other == BOTTOM for _, other in here.chains)
    y = head + (pad / 2 if with_edges else 0.0) + (10.0 if enters else 0.0)
    for number, row in enumerate(here.rows):
        if number:
            y += ROW_GAP if number - 1 in joined else PLAIN_GAP
        here.tops.append(y)
        y += max((here.sizes[at].height for at in row), default=0.0)
        here.bottoms.append(y)
    here.height = y + pad + (10.0 if leaves else 0.0)


def _ports(here: _Inside) -> None:
    """Spread the lines that leave an item, and those that come to it, over its edge."""
    out: dict[int, dict[int, None]] = {}
    into: dict[int, dict[int, None]] = {}
    for chain in here.chains.values():
        for upper, lower in itertools.pairwise(chain):
            out.setdefault(upper, {})[lower] = None
            into.setdefault(lower, {})[upper] = None
    for table, is_out in ((out, True), (into, False)):
        for at, others in table.items():
            width = here.sizes[at].width
            ordered = sorted(others, key=lambda one: (here.x[one], one))
            step = min(PORT, 0.6 * width / len(ordered))
            for number, other in enumerate(ordered):
                here.ports[at, other, is_out] = here.x[at] + step * (number - (len(ordered) - 1) / 2)


def _way(
    route: Route, inside: Mapping[str, _Inside], corner: Mapping[str, tuple[float, float]], places: Mapping[str, Place]
) -> Iterator[Stop]:
    """Give where a line runs straight down, in coordinates of the picture."""
    crossing: float | None = None  # where it came out of, or is to go into, a box
    for position, (box, strand) in enumerate(route):
        here, (left, top) = inside[box], corner[box]
        chain = here.chains[strand]
        one, other = strand
        if one == TOP:
            crossing = left + _entry(here, chain)
        for number, at in enumerate(chain):
            row = here.row_of[at]
            upper, lower = top + here.tops[row], top + here.bottoms[row]
            if at >= len(here.items):
                yield Stop(left + here.x[at], upper, lower)
                continue
            place = places[here.items[at]]
            if number == 0 and one != TOP:  # it begins here, or came out of this box
                x = left + here.ports.get((at, chain[1], True), here.x[at]) if len(chain) > 1 else left + here.x[at]
                if position:
                    assert crossing is not None
                    x = crossing
                yield Stop(x, place.y + place.height, max(lower, place.y + place.height))
            if number == len(chain) - 1 and other != BOTTOM and (len(chain) > 1 or one == TOP):
                x = left + here.ports.get((at, chain[-2], False), here.x[at]) if len(chain) > 1 else left + here.x[at]
                if position < len(route) - 1:  # it goes into this box
                    below, strand_below = route[position + 1]
                    x = corner[below][0] + _entry(inside[below], inside[below].chains[strand_below])
                yield Stop(x, place.y, place.y)
        if other == BOTTOM:
            crossing = left + here.x[chain[-1]]
            bottom = places[box].y + places[box].height
            yield Stop(crossing, bottom, bottom)


def _entry(here: _Inside, chain: Sequence[int]) -> float:
    """Give where a line that comes from above enters a box: straight above what it leads to."""
    return here.x[chain[0]]
