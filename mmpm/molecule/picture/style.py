"""How an SVG picture looks: its style sheet, marks and arrowheads.

Rule: no CSS variables: several programs that draw SVG do not know them. Dark colours are told apart by the media query
alone; who does not know it shows the light ones. Text has a contrast of at least 4.5 to 1 against what it stands on.
"""

from __future__ import annotations

import re
from typing import Final

FONT: Final = 'system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif'
MONO: Final = 'ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace'

# standing: (fill, stroke, text) in light, then in dark
COLOURS: Final = {
    "template": (("#f1f4fa", "#6b7c9c", "#1c2433"), ("#222a38", "#7f90b0", "#e6eaf2")),
    "open": (("#ffffff", "#8791a3", "#1c2433"), ("#1d222c", "#76819a", "#dfe4ee")),
    "ready": (("#e4f1fd", "#1769aa", "#0d2a44"), ("#12314c", "#5cb0f2", "#e2f1ff")),
    "in_progress": (("#fff4d6", "#a06a00", "#3d2a00"), ("#3d2f0c", "#e2ae3c", "#fff0cf")),
    "closed": (("#e5f5e8", "#2b7a3d", "#10331a"), ("#16321d", "#5fb974", "#dcf5e2")),
    "failed": (("#fde6e4", "#b3261e", "#4a0d09"), ("#44181a", "#f2857d", "#ffe3e0")),
    "skipped": (("#f4f5f7", "#7f8591", "#474e5a"), ("#20242c", "#757d8c", "#a9b1bf")),
}


def _sheet(which: int) -> str:
    paper, ink, faint, line, inside = (
        ("#ffffff", "#1c2433", "#555f70", "#5b6474", "#fafbfd")
        if which == 0
        else ("#14181f", "#e6eaf2", "#a5afbf", "#9aa5b8", "#191e27")
    )
    gate = COLOURS["in_progress"][which]
    rules = [
        f".paper{{fill:{paper}}}",
        f"text{{fill:{ink}}}",
        f".about,.name{{fill:{faint}}}",
        f".lines path,.needs,.waits-for{{stroke:{line}}}",
        f"#mmpm-a path,#mmpm-w path{{fill:{line}}}",
        f".box rect{{fill:{inside}}}",
        f".head text{{stroke:{inside}}}",
        f".step rect.chip{{fill:{gate[0]};stroke:{gate[1]};stroke-width:1}}.step .gate{{fill:{gate[2]}}}",
    ]
    failed = COLOURS["failed"][which][1]
    rules.append(f"path.if-failed{{stroke:{failed}}}#mmpm-f path{{fill:{failed}}}")
    rules.append(f"path.spawned,path.child{{stroke:{COLOURS['skipped'][which][1]}}}")
    for standing, looks in COLOURS.items():
        fill, stroke, text = looks[which]
        rules.append(f".step.{standing} rect{{fill:{fill};stroke:{stroke}}}.step.{standing} text{{fill:{text}}}")
        rules.append(f".box.{standing} rect{{stroke:{stroke}}}.bar.{standing}{{fill:{stroke}}}")
        mark = f"#mmpm-{standing}"
        rules.append(f"{mark} .s{{stroke:{stroke}}}{mark} .f{{fill:{stroke}}}{mark} .p{{stroke:{fill}}}")
    return "".join(rules)


def _scoped(rules: str) -> str:
    """Give rules that count inside our own picture alone, also where it stands in a page.

    Marks are drawn by `use`: around its copies there is no picture that a rule could name, and their ids are our own.
    """

    def scoped(found: re.Match[str]) -> str:
        return ",".join(one if one.startswith("#mmpm-") else f".mmpm {one}" for one in found[1].split(",")) + "{"

    return _SELECTOR.sub(scoped, rules)


_SELECTOR: Final = re.compile(r"([^{}]+)\{")
_SHAPES_AND_TEXTS: Final = (
    f"text{{font-family:{FONT};font-size:13px}}"
    ".title{font-size:17px;font-weight:600}.about{font-size:11px}"
    f".name,.note,.gate{{font-size:10.5px}}.step .name{{font-family:{MONO};font-size:10px;opacity:.8}}"
    ".step .gate{font-weight:600}.step .note{font-style:italic}"
    ".step rect{stroke-width:1.2}.step.ready rect,.step.in_progress rect,.step.failed rect{stroke-width:2.2}"
    ".skipped rect{stroke-dasharray:5 3}.step.skipped text{text-decoration:line-through}"
    ".step.skipped .name,.step.skipped .note{text-decoration:none}"
    ".box rect{stroke-width:1;stroke-opacity:.75}.box.arm rect{stroke-dasharray:2 3;stroke-opacity:1}"
    ".head text{font-weight:600;paint-order:stroke;stroke-width:5px;stroke-linejoin:round}"
    ".head .name{font-weight:400;font-size:10.5px}"
    "path{fill:none}.needs,.if-failed,.waits-for{stroke-width:1.3;marker-end:url(#mmpm-a)}"
    ".if-failed{stroke-dasharray:6 4;marker-end:url(#mmpm-f)}.waits-for{stroke-dasharray:1.5 3.5;stroke-width:1.6;"
    "stroke-linecap:round;marker-end:url(#mmpm-w)}.spawned{stroke-dasharray:1.5 3.5}.spawned,.child{stroke-width:1}"
    "marker path{stroke:none}"
)
STYLE: Final = f"{_scoped(_SHAPES_AND_TEXTS + _sheet(0))}@media (prefers-color-scheme:dark){{{_scoped(_sheet(1))}}}"

_ARROW: Final = (
    '<marker id="mmpm-{id}" viewBox="0 0 8 8" refX="7.2" refY="4" markerWidth="7" markerHeight="7"'
    ' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 .6L8 4L0 7.4Z"/></marker>'
)
MARKERS: Final = "".join(_ARROW.format(id=one) for one in "afw")

_CIRCLE: Final = '<circle class="s" cx="7" cy="7" r="5.6" fill="none" stroke-width="1.6"/>'
_DISC: Final = '<circle class="s f" cx="7" cy="7" r="5.6" stroke-width="1.6"/>'
_STROKE: Final = 'fill="none" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"'
_SHAPES: Final = {
    "template": "",
    "open": _CIRCLE,
    "ready": f'{_CIRCLE}<path class="f" d="M5.4 4.2L10 7L5.4 9.8Z"/>',
    "in_progress": f'{_CIRCLE}<path class="f" d="M7 1.4A5.6 5.6 0 0 0 7 12.6Z"/>',
    "closed": f'{_DISC}<path class="p" d="M4.4 7.2L6.3 9.1L9.7 5.2" {_STROKE}/>',
    "failed": f'{_DISC}<path class="p" d="M5 5L9 9M9 5L5 9" {_STROKE}/>',
    "skipped": f'{_CIRCLE}<path class="s" d="M3.4 10.6L10.6 3.4" {_STROKE}/>',
}
MARKS: Final = {name: f'<g id="mmpm-{name}">{shape}</g>' for name, shape in _SHAPES.items()}
