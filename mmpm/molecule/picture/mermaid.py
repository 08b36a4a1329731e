"""A scene as a mermaid flowchart.

Rule: a text stands between double quotes, with every character that means anything to mermaid or to HTML as its code
(``#34;``). Ids of ours are `n` and a number: no text of a step is ever read as syntax.
Source: mermaid's flowchart grammar (flow.jison) and its `encodeEntities`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mmpm.errors import printable
from mmpm.molecule.picture.scene import MARKS
from mmpm.molecule.picture.wrapping import SHOWN, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.molecule.picture.chart import Node
    from mmpm.molecule.picture.scene import Scene

USUAL_LINES: Final = 500
USUAL_TEXT: Final = 50_000
"""What mermaid draws unless it is told to draw more: its `maxEdges` and `maxTextSize`, which only a page can set."""

_TITLE: Final = 90
# What mermaid reads even where codes stand for it (formulas, line breaks, icons): parted by a character of no width.
_MAGIC: Final = re.compile(r"(?<=\$)(?=\$)|(?<=\\)(?=n)|(?<=fa)(?=:)|(?<=fa[a-z])(?=:)")
_PLAIN: Final = frozenset(" ,_-'()/!?=")
_ARROWS: Final = {
    "needs": "-->",
    "if-failed": "-.->|if it fails|",
    "waits-for": "-.->",
    "spawned": "-.-",
    "child": "---",
}
_CLASSES: Final = {
    "template": "fill:#eef2f9,stroke:#5b6f94,color:#1c2433",
    "open": "fill:#ffffff,stroke:#7c8698,color:#1c2433",
    "ready": "fill:#e3f2fd,stroke:#1769aa,stroke-width:2px,color:#0d2a44",
    "in_progress": "fill:#fff4d6,stroke:#a06a00,stroke-width:2px,color:#3d2a00",
    "closed": "fill:#e3f4e6,stroke:#2b7a3d,color:#10331a",
    "failed": "fill:#fde4e2,stroke:#b3261e,stroke-width:2px,color:#4a0d09",
    "skipped": "fill:#f3f4f6,stroke:#8a909c,stroke-dasharray:4 3,color:#555c68",
}


def mermaid_text(scene: Scene) -> str:
    """Give the text of a flowchart, from top to bottom."""
    return "\n".join(_lines(scene)) + "\n"


def _lines(scene: Scene) -> Iterator[str]:
    names = {step: f"n{number}" for number, step in enumerate(scene.nodes)}
    yield "flowchart TD"
    yield f"  accTitle: {_words(scene.chart.title) or _words(scene.chart.id)}"
    for step, depth in scene.nested():
        indent = "  " * depth
        if not step:
            yield f"{indent}end"
            continue
        node = scene.nodes[step]
        if scene.is_box(step):
            yield f'{indent}subgraph {names[step]}["{_label(node, " - ")}"]'
            yield f"{indent}  direction TB"
        elif node.gate:
            yield f'{indent}{names[step]}{{{{"{_label(node)}"}}}}'
        elif node.is_arm:
            yield f'{indent}{names[step]}(["{_label(node)}"])'
        else:
            yield f'{indent}{names[step]}["{_label(node)}"]'
    for line in scene.lines:
        yield f"  {names[line.on]} {_ARROWS[line.kind]} {names[line.step]}"
    for standing in dict.fromkeys(node.standing for node in scene.nodes.values()):
        yield f"  classDef {standing} {_CLASSES[standing]}"
        members = [names[node.id] for node in scene.nodes.values() if node.standing == standing]
        yield f"  class {','.join(members)} {standing}"


def _label(node: Node, between: str = "<br>") -> str:
    mark = MARKS.get(node.standing, "")
    title = one_line(node.title, _TITLE)
    parts = [f"{mark}{_words(title or node.name)}"]
    if title and title != node.name:
        parts.append(_words(node.name))
    if node.gate:
        parts.append(_words(f"Gate: {one_line(node.gate, _TITLE)}"))
    return between.join(parts)


def _words(text: str) -> str:
    """Give a text with each character that could mean something as its code."""
    clean = _MAGIC.sub("\u2060", printable(one_line(text, 2 * _TITLE), 8 * _TITLE, keep=SHOWN))
    return "".join(one if one.isalnum() or one in _PLAIN or not one.isascii() else f"#{ord(one)};" for one in clean)
