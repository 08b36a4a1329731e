"""A scene as an SVG document of its own: no script, no font, nothing fetched.

Colours follow the reader's light or dark scheme; how a step stands is also shown by a mark. Every step and line has a
`<title>`, which browsers show beside the pointer and screen readers say.

Rule: a text is cleaned of what XML cannot hold (`printable`) and escaped, and stands in elements and never in
attributes. Numbers are rounded to tenths, so that equal scenes give equal bytes.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Final

from mmpm.errors import printable
from mmpm.molecule.picture.chart import STANDINGS
from mmpm.molecule.picture.layout import Size, lay_out
from mmpm.molecule.picture.scene import LINE_WORDS
from mmpm.molecule.picture.style import MARKERS, MARKS, STYLE
from mmpm.molecule.picture.wrapping import SHOWN, fitted, one_line, pixels, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmpm.molecule.picture.chart import Node
    from mmpm.molecule.picture.layout import Layout, Place, Stop
    from mmpm.molecule.picture.scene import Line, Scene

WIDTH: Final = 212.0  # of a leaf
INNER: Final = 12.0  # between its edge and its text
TEXT: Final = 13.0
SMALL: Final = 10.5
LEADING: Final = 16.5
SMALL_LEADING: Final = 14.0
CHIP: Final = 19.0  # of a gate
MARK: Final = 20.0  # room for the mark before the first line
MARGIN: Final = 24.0
LEGEND: Final = 22.0  # height of a row of the legend
STRAIGHT: Final = 0.6  # what is less aside is drawn as one straight line
_TIP: Final = 600
_MOST_LINES: Final = 3


def svg_text(scene: Scene) -> str:
    """Give the text of an SVG document."""
    has_marks = scene.chart.has_standings
    sizes = {step: _size(node, is_box=scene.is_box(step), has_marks=has_marks) for step, node in scene.nodes.items()}
    layout = lay_out(scene, sizes)
    head, foot = list(_head(scene)), _legend(scene)
    top = 64.0 if not has_marks else 84.0
    widest = max(layout.width, pixels(one_line(scene.chart.title, 90), 17.0), _legend_width(foot), 260.0)
    width = widest + 2 * MARGIN
    left = MARGIN + (widest - layout.width) / 2
    bottom = top + layout.height + 22.0
    height = bottom + (LEGEND + 8.0 if foot else 0.0) + 8.0
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}"'
    opening += f' height="{_n(height)}" class="mmpm" role="graphics-document" lang="en">'
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        opening,
        f"<title>{_x(scene.chart.title or scene.chart.id)}</title>",
        f"<desc>{_x(_summary(scene))}</desc>",
        f"<style>{STYLE}</style>",
        f"<defs>{''.join(_used_defs(scene))}</defs>",
        f'<rect class="paper" width="{_n(width)}" height="{_n(height)}"/>',
        *head,
        f'<g transform="translate({_n(left)} {_n(top)})">',
        *_steps(scene, layout, boxes=True),
        '<g class="lines">',
        *(_line(scene, line, way) for line, way in zip(scene.lines, layout.ways, strict=True)),
        "</g>",
        *_heads(scene, layout),
        *_steps(scene, layout, boxes=False),
        "</g>",
        *_drawn_legend(foot, bottom),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _size(node: Node, *, is_box: bool, has_marks: bool) -> Size:
    mark = MARK if has_marks else 0.0
    if is_box:
        title = _box_title(node)
        width = pixels(title, TEXT) + pixels(_box_name(node), SMALL) + mark + 2 * INNER + 16.0
        return Size(width, 30.0)
    lines = wrapped(_shown(node), WIDTH - 2 * INNER - mark, TEXT, _MOST_LINES)
    small = sum(CHIP if kind == "gate" else SMALL_LEADING for _, kind in _small_lines(node))
    return Size(WIDTH, 2 * 9.0 + len(lines) * LEADING + small)


def _shown(node: Node) -> str:
    return _clean(node.title) or node.name


def _small_lines(node: Node) -> list[tuple[str, str]]:
    """Give what stands below a title, each with its class: its name, its gate, who has it or why it ended."""
    found = [(node.name, "name")] if _clean(node.title) not in {"", node.name} else []
    if node.gate:
        found.append((f"Gate: {node.gate}", "gate"))
    if node.note:
        found.append((node.note, "note"))
    room = WIDTH - 2 * INNER
    return [(fitted(text, room, SMALL * (1.12 if kind == "gate" else 1.0)), kind) for text, kind in found]


def _box_title(node: Node) -> str:
    return one_line(_shown(node), 44)


def _box_name(node: Node) -> str:
    parts = [node.name] if _clean(node.title) not in {"", node.name} else []
    parts += [f"Gate: {node.gate}"] if node.gate else []
    return one_line(" · ".join(parts), 44)


def _steps(scene: Scene, layout: Layout, *, boxes: bool) -> Iterator[str]:
    """Draw the boxes, the outer ones first, or the leaves."""
    for step, node in scene.nodes.items():
        if scene.is_box(step) == boxes:
            place = layout.places[step]
            arm = " arm" if node.is_arm else ""
            yield f'<g class="{"box" if boxes else "step"} {node.standing}{arm}" role="graphics-symbol">'
            yield f"<title>{_x(_tip(node))}</title>"
            yield (
                f'<rect x="{_n(place.x)}" y="{_n(place.y)}" width="{_n(place.width)}" height="{_n(place.height)}"'
                f' rx="{12 if node.is_arm and not boxes else 7}"/>'
            )
            if not boxes:
                yield from _leaf(node, place, has_marks=scene.chart.has_standings)
            yield "</g>"


def _leaf(node: Node, place: Place, *, has_marks: bool) -> Iterator[str]:
    mark = MARK if has_marks else 0.0
    x, y = place.x + INNER, place.y + 9.0
    if has_marks:
        yield f'<use href="#mmpm-{node.standing}" x="{_n(x)}" y="{_n(y + 1.5)}"/>'
    for line in wrapped(_shown(node), WIDTH - 2 * INNER - mark, TEXT, _MOST_LINES):
        y += LEADING
        yield f'<text x="{_n(x + mark)}" y="{_n(y - 4.0)}">{_x(line)}</text>'
    for text, kind in _small_lines(node):
        y += CHIP if kind == "gate" else SMALL_LEADING
        if kind == "gate":
            width = min(pixels(text, SMALL * 1.12) + 8.0, WIDTH - 2 * INNER + 8.0)
            yield f'<rect class="chip" x="{_n(x - 4.0)}" y="{_n(y - 14.5)}" width="{_n(width)}" height="15" rx="4"/>'
        yield f'<text class="{kind}" x="{_n(x)}" y="{_n(y - (3.5 if kind == "gate" else 2.5))}">{_x(text)}</text>'


def _heads(scene: Scene, layout: Layout) -> Iterator[str]:
    """Write the heads of the boxes, over the lines that enter them."""
    for step, node in scene.nodes.items():
        if not scene.is_box(step):
            continue
        place = layout.places[step]
        x = place.x + INNER
        yield f'<g class="head {node.standing}" aria-hidden="true">'
        if scene.chart.has_standings:
            yield f'<use href="#mmpm-{node.standing}" x="{_n(x)}" y="{_n(place.y + 8.0)}"/>'
            x += MARK
        name = _box_name(node)
        more = f' <tspan class="name" dx="5">{_x(name)}</tspan>' if name else ""
        yield f'<text x="{_n(x)}" y="{_n(place.y + 20.0)}">{_x(_box_title(node))}{more}</text></g>'


def _line(scene: Scene, line: Line, way: Sequence[Stop]) -> str:
    """Draw an arrow: straight down through the rows, curved between them."""
    x, y = way[0].x, way[0].bottom
    path = [f"M{_n(x)} {_n(way[0].top)}"]
    reached = way[0].top  # how far down it is drawn
    for stop in way[1:]:
        if abs(stop.x - x) >= STRAIGHT or stop.top < y:
            if y > reached:
                path.append(f"V{_n(y)}")
            bend = max((stop.top - y) / 2, 12.0) if stop.top > y else 60.0
            path.append(f"C{_n(x)} {_n(y + bend)} {_n(stop.x)} {_n(stop.top - bend)} {_n(stop.x)} {_n(stop.top)}")
            x, reached = stop.x, stop.top
        y = stop.bottom
    if y > reached:
        path.append(f"V{_n(y)}")
    on, step = scene.nodes[line.on], scene.nodes[line.step]
    words = "waits for" if line.kind == "waits-for" and on.is_arm else LINE_WORDS[line.kind]
    told = f"{one_line(_shown(step), 90)}: {words} {one_line(_shown(on), 90)}"
    return f'<path class="{line.kind}" d="{"".join(path)}"><title>{_x(told)}</title></path>'


def _head(scene: Scene) -> Iterator[str]:
    chart = scene.chart
    yield f'<text class="title" x="{_n(MARGIN)}" y="32">{_x(one_line(chart.title or chart.id, 90))}</text>'
    yield f'<text class="about" x="{_n(MARGIN)}" y="51">{_x(one_line(_about(scene), 140))}</text>'
    if not chart.has_standings or not chart.nodes:
        return
    x = MARGIN
    for standing, count in chart.counts().items():
        width = 260.0 * count / len(chart.nodes)
        yield f'<rect class="bar {standing}" x="{_n(x)}" y="60" width="{_n(width)}" height="6"/>'
        x += width


def _about(scene: Scene) -> str:
    chart = scene.chart
    parts = [chart.id] if chart.title and chart.title != chart.id else []
    parts.append(chart.kind)
    if chart.has_standings:
        parts += [chart.state, f"{chart.ended}/{len(chart.nodes)} ended"]
    else:
        parts.append(f"{len(chart.nodes)} step{'s' * (len(chart.nodes) != 1)}")
    return " · ".join(part for part in parts if part)


def _summary(scene: Scene) -> str:
    """Give what a person hears first."""
    told = [f"{count} {STANDINGS[one]}" for one, count in scene.chart.counts().items() if one != "template"]
    waves = len(scene.chart.work())
    groups = f" in {waves} group{'s' * (waves != 1)} that may run at once" if waves else ""
    return f"{_about(scene)}{groups}{': ' if told else ''}{', '.join(told)}"


def _tip(node: Node) -> str:
    said = [f"{node.full_id}: {node.title}" if node.title else node.full_id]
    if node.standing != "template":
        said.append(STANDINGS[node.standing])
    said += [f"Gate: {node.gate}"] if node.gate else []
    said += [one for one in node.waits if not one.startswith("Gate:")]
    said += [f"{node.note} since {node.since}" if node.since else node.note] if node.note else []
    return "\n".join(one_line(one, _TIP) for one in said)


Sample = tuple[str, str, float]  # class or mark, words, width


def _legend(scene: Scene) -> list[tuple[str, str, float]]:
    """Give what needs explaining, where there is more than one of a kind: (class, words, width)."""
    found: list[tuple[str, str, float]] = []
    standings = scene.chart.counts() if scene.chart.has_standings else {}
    kinds = list(dict.fromkeys(line.kind for line in scene.lines))
    found += [(f"mmpm-{one}", STANDINGS[one], 0.0) for one in standings]
    if len(kinds) > 1:
        found += [(kind, LINE_WORDS[kind], 16.0) for kind in LINE_WORDS if kind in kinds]
    return [(name, words, 22.0 + extra + pixels(words, SMALL + 0.5) + 16.0) for name, words, extra in found]


def _legend_width(foot: Sequence[Sample]) -> float:
    return fsum(width for _, _, width in foot)


def _drawn_legend(foot: Sequence[Sample], top: float) -> Iterator[str]:
    x = MARGIN
    for name, words, width in foot:
        if name.startswith("mmpm-"):
            yield f'<use href="#{name}" x="{_n(x)}" y="{_n(top + 3.0)}"/>'
            at = x + 19.0
        else:
            yield f'<path class="{name}" d="M{_n(x)} {_n(top + 10.0)}H{_n(x + 28.0)}"/>'
            at = x + 36.0
        yield f'<text class="about" x="{_n(at)}" y="{_n(top + 14.0)}">{_x(words)}</text>'
        x += width


def _used_defs(scene: Scene) -> Iterator[str]:
    yield MARKERS
    if scene.chart.has_standings:
        for standing in scene.chart.counts():
            yield MARKS[standing]


def _clean(text: str) -> str:
    return printable(" ".join(text[:2000].split()), 2000, keep=SHOWN)


def _x(text: str) -> str:
    """Give a text for XML: cleaned, escaped."""
    clean = printable(text, 4000, keep=f"\n{SHOWN}")
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _n(number: float) -> str:
    """Give a number in tenths, as short as it can be said."""
    text = f"{number:.1f}"
    return "0" if text == "-0.0" else text.removesuffix(".0")
