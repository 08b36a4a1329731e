"""A scene as a graph for Graphviz.

Rule: a text stands between double quotes; backslash and quote are escaped, and `&`, `<`, `>` are entities, for Graphviz
reads entities in every label. Ids of ours are `n` and a number. Source: the DOT language, graphviz.org/doc/info/lang.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mmpm.errors import printable
from mmpm.molecule.picture.scene import MARKS
from mmpm.molecule.picture.wrapping import SHOWN, one_line, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.molecule.picture.chart import Node
    from mmpm.molecule.picture.scene import Line, Scene

_TITLE: Final = 90
_WIDTH: Final = 190.0  # of a label, in points
_SIZE: Final = 12.0
_EDGES: Final = {
    "needs": "",
    "if-failed": 'style=dashed, color="#b3261e", fontcolor="#b3261e", label="if it fails"',
    "waits-for": "style=dotted, penwidth=1.6",
    "spawned": 'style=dotted, arrowhead=none, color="#8a909c"',
    "child": 'arrowhead=none, color="#b5bac4"',
}
_LOOKS: Final = {
    "template": 'fillcolor="#eef2f9", color="#5b6f94"',
    "open": 'fillcolor="#ffffff", color="#7c8698"',
    "ready": 'fillcolor="#e3f2fd", color="#1769aa", penwidth=2',
    "in_progress": 'fillcolor="#fff4d6", color="#a06a00", penwidth=2',
    "closed": 'fillcolor="#e3f4e6", color="#2b7a3d"',
    "failed": 'fillcolor="#fde4e2", color="#b3261e", penwidth=2',
    "skipped": 'fillcolor="#f3f4f6", color="#8a909c", fontcolor="#555c68"',
}


def dot_text(scene: Scene) -> str:
    """Give the text of a digraph, from top to bottom."""
    return "\n".join(_lines(scene)) + "\n"


def _lines(scene: Scene) -> Iterator[str]:
    names = {step: f"n{number}" for number, step in enumerate(scene.nodes)}
    yield "digraph molecule {"
    yield f'  graph [label="{_words(scene.chart.title or scene.chart.id)}", labelloc=t, rankdir=TB, compound=true,'
    yield '    charset="UTF-8", fontname="sans-serif", nodesep=0.3, ranksep=0.5];'
    yield '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=12];'
    yield '  edge [color="#5b6474", fontname="sans-serif", fontsize=10];'
    for step, depth in scene.nested():
        indent = "  " * depth
        if not step:
            yield f"{indent}}}"
            continue
        node = scene.nodes[step]
        if scene.is_box(step):
            yield f"{indent}subgraph cluster_{names[step]} {{"
            yield f'{indent}  graph [label="{_label(node)}", style="rounded,filled", {_LOOKS[node.standing]}];'
        else:
            shape = ", shape=hexagon" if node.gate else ""
            tip = _words(f"{node.full_id}: {one_line(node.title, 4 * _TITLE)}")
            yield f'{indent}{names[step]} [label="{_label(node)}", tooltip="{tip}", {_LOOKS[node.standing]}{shape}];'
    for line in scene.lines:
        yield f"  {_edge(scene, line, names)}"
    yield "}"


def _edge(scene: Scene, line: Line, names: dict[str, str]) -> str:
    """Give an arrow; one from or to a box leads between steps in it and is cut at its edge."""
    tail, head = _leaf(scene, line.on, last=True), _leaf(scene, line.step, last=False)
    said = [f"ltail=cluster_{names[line.on]}"] if scene.is_box(line.on) else []
    said += [f"lhead=cluster_{names[line.step]}"] if scene.is_box(line.step) else []
    said += [_EDGES[line.kind]] if _EDGES[line.kind] else []
    attributes = f" [{', '.join(said)}]" if said else ""
    return f"{names[tail]} -> {names[head]}{attributes};"


def _leaf(scene: Scene, step: str, *, last: bool) -> str:
    """Give a step within a box: one that begins first, or last, so that an arrow leads on from there."""
    while scene.is_box(step):
        items = scene.items[step]
        step = max(items, key=lambda one: scene.waves.get(one, 0)) if last else items[0]
    return step


def _label(node: Node) -> str:
    mark = MARKS.get(node.standing, "")
    title = one_line(node.title, _TITLE)
    parts = list(wrapped(f"{mark}{title or node.name}", _WIDTH, _SIZE, 3))
    if title and title != node.name:
        parts.append(one_line(node.name, _TITLE))
    if node.gate:
        parts += wrapped(f"Gate: {node.gate}", _WIDTH, _SIZE, 2)
    return "\\n".join(map(_words, parts))


def _words(text: str) -> str:
    clean = printable(text, 8 * _TITLE, keep=SHOWN)
    for one, other in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        clean = clean.replace(one, other)
    return clean
