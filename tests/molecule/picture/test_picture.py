"""Pictures of molecules: svg, mermaid, dot."""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET

import pytest
from corpus import CHECKOUT, Corpus, corpus_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from kitchen import ingredient
from molecule_lives import AT, PATROL, REVIEW, Life

from mmpm.errors import TooManyToDrawError
from mmpm.molecule.beads.catalogue import Layer, load
from mmpm.molecule.cook.cooking import cook
from mmpm.molecule.picture.chart import Chart, Link, Node, make_chart
from mmpm.molecule.picture.charting import of_catalogue, of_molecule, of_proto
from mmpm.molecule.picture.drawing import draw
from mmpm.molecule.picture.layout import Size, lay_out
from mmpm.molecule.picture.picture import FORMATS, picture
from mmpm.molecule.picture.scene import scene_of
from mmpm.molecule.picture.style import COLOURS
from mmpm.molecule.picture.wrapping import fitted, pixels, wrapped
from mmpm.molecule.proto import Proto
from mmpm.molecule.steps import Gate, Step, WaitsFor

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "]]> <script>alert(1)</script>",
    "\"quoted\" 'single' `tick`",
    '%%{init: {"theme":"dark"}}%%',
    "line\nbreak\r\nand\ttab",
    "a --> b ; end",
    "emoji 👩‍💻 ⚠️",
    "<!-- comment --> &amp; &lt;b&gt;",
    "$$x^2$$ \\n fa:fa-ban #quot;",
    "\x1b[31mred\u202eevil\x00\ud800",
    "end",
    "",
]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))


@st.composite
def protos(draw):
    """A sound proto: steps in boxes, needs of steps before, some gates."""
    count = draw(st.integers(1, 14))
    steps = []
    for number in range(count):
        above = draw(st.none() | st.integers(0, number - 1)) if number else None
        parent = steps[above].id if above is not None else ""
        around = {parent}
        while parent and (parent := next(one.parent for one in steps if one.id == parent)):
            around.add(parent)
        others = [one.id for one in steps if one.id not in around]
        chosen = draw(st.lists(st.sampled_from(others), max_size=3, unique=True)) if others else []
        kinds = draw(st.sampled_from(["needs", "if_failed", "waits_for"]))
        steps.append(
            Step(
                f"s{number}",
                draw(TEXTS),
                parent=steps[above].id if above is not None else "",
                needs=tuple(chosen) if kinds == "needs" else (),
                if_failed=tuple(chosen) if kinds == "if_failed" else (),
                waits_for=tuple(WaitsFor("all-children", one) for one in chosen) if kinds == "waits_for" else (),
                gate=Gate("human", draw(TEXTS)) if draw(st.booleans()) else None,
            )
        )
    try:
        return Proto("mol-x", "1.0.0", title=draw(TEXTS), steps=tuple(steps))
    except ValueError:  # a box that waits for a step in a box that waits for it
        return Proto("mol-x", "1.0.0", steps=(Step("s0"),))


def parsed(data):
    return ET.fromstring(data.decode())


def words(element):
    """Give all that a person can read in an element, its hints left aside."""
    return [one.text or "" for one in element.iter() if one.tag in {f"{SVG}text", f"{SVG}tspan"}]


@given(protos())
def test_the_same_chart_gives_the_same_bytes(proto):
    for form in FORMATS:
        assert picture(of_proto(proto), form) == picture(of_proto(copy.deepcopy(proto)), form)


@given(protos())
def test_an_svg_has_each_step_and_each_line_once(proto):
    scene = scene_of(of_proto(proto))
    root = parsed(picture(of_proto(proto), "svg"))
    steps = [one for one in root.iter(f"{SVG}g") if one.get("role") == "graphics-symbol"]
    assert len(steps) == len(proto.steps)
    (lines,) = [one for one in root.iter(f"{SVG}g") if one.get("class") == "lines"]
    assert [one.get("class") for one in lines] == [line.kind for line in scene.lines]
    assert all(one.find(f"{SVG}title") is not None for one in (*steps, *lines))


@given(protos())
def test_no_text_of_a_step_becomes_markup(proto):
    root = parsed(picture(of_proto(proto), "svg"))
    ours = {"svg", "title", "desc", "style", "defs", "rect", "g", "text", "tspan", "path", "marker", "use", "circle"}
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= ours
    for one in root.iter():
        assert all(re.fullmatch(r"[\w \-.:/#(),]*", value) for value in one.attrib.values())


# What stands between quotes, and nothing else, may come from a text.
MERMAID = re.compile(
    r"flowchart TD"
    r"|  accTitle: [^\"<>&%{}\[\]`;|$\\:]*(?:#[0-9]+;[^\"<>&%{}\[\]`;|$\\:]*)*"
    r"|(?:  )+(?:end|direction TB)"
    r"|(?:  )+subgraph n[0-9]+\[\"TEXT\"\]"
    r"|(?:  )+n[0-9]+(?:\[\"TEXT\"\]|\{\{\"TEXT\"\}\}|\(\[\"TEXT\"\]\))"
    r"|  n[0-9]+ (?:-->|-\.->|-\.-|---|-\.->\|if it fails\|) n[0-9]+"
    r"|  classDef [a-z_]+ [a-z0-9#:, -]+"
    r"|  class n[0-9]+(?:,n[0-9]+)* [a-z_]+".replace("TEXT", r"(?:[^\"#;<>&%{}`|$\\:]|#[0-9]+;|<br>)*")
)


@given(protos())
def test_mermaid_is_lines_of_its_grammar_whatever_the_titles_say(proto):
    lines = picture(of_proto(proto), "mermaid").decode().splitlines()
    for line in lines:
        assert MERMAID.fullmatch(line), line
    opened = sum(1 for line in lines if line.lstrip().startswith("subgraph"))
    assert opened == sum(1 for line in lines if line.strip() == "end")
    named = re.findall(r"^ *(?:subgraph )?(n[0-9]+)[\[{(]", "\n".join(lines), re.MULTILINE)
    assert sorted(named) == sorted(f"n{number}" for number in range(len(proto.steps)))


DOT = re.compile(
    r'digraph molecule \{|\}| +\}| +graph \[.*| +charset=.*| +(?:node|edge) \[[^"]*(?:"[^"]*"[^"]*)*\];'
    r"| +subgraph cluster_n[0-9]+ \{"
    r'| +(?:graph|n[0-9]+) \[(?:[a-z]+=(?:"(?:[^"\\]|\\.)*"|[a-z0-9.]+)(?:, )?)+\];'
    r'| +n[0-9]+ -> n[0-9]+(?: \[(?:[a-z]+=(?:"(?:[^"\\]|\\.)*"|[a-z0-9_.]+)(?:, )?)+\])?;'
)


@given(protos())
def test_dot_is_lines_of_its_grammar_whatever_the_titles_say(proto):
    lines = picture(of_proto(proto), "dot").decode().splitlines()
    for line in lines:
        assert DOT.fullmatch(line), line
    assert sum(line.count("{") - line.count("}") for line in lines if '"' not in line) == 0


@given(protos())
def test_nothing_overlaps_and_all_stands_in_its_box(proto):
    scene = scene_of(of_proto(proto))
    layout = lay_out(scene, {step: Size(100.0, 30.0) for step in scene.nodes})
    for step, place in layout.places.items():
        assert -0.01 <= place.x <= place.x + place.width <= layout.width + 0.01
        assert -0.01 <= place.y <= place.y + place.height <= layout.height + 0.01
        box = scene.container[step]
        if box:
            around = layout.places[box]
            assert around.x < place.x < place.x + place.width < around.x + around.width
            assert around.y < place.y < place.y + place.height < around.y + around.height
        for other in scene.items[box]:
            beside = layout.places[other]
            apart = (
                beside.x >= place.x + place.width
                or place.x >= beside.x + beside.width
                or beside.y >= place.y + place.height
                or place.y >= beside.y + beside.height
            )
            assert other == step or apart


@given(protos())
def test_a_line_leads_from_the_edge_of_one_to_the_edge_of_the_other(proto):
    scene = scene_of(of_proto(proto))
    layout = lay_out(scene, {step: Size(100.0, 30.0) for step in scene.nodes})
    for line, way in zip(scene.lines, layout.ways, strict=True):
        on, step = layout.places[line.on], layout.places[line.step]
        assert way[0].top == pytest.approx(on.y + on.height)
        assert on.x <= way[0].x <= on.x + on.width
        assert way[-1].bottom == pytest.approx(step.y)
        assert step.x <= way[-1].x <= step.x + step.width


def test_steps_stand_below_what_they_need():
    scene = scene_of(of_proto(REVIEW))
    places = lay_out(scene, {step: Size(100.0, 30.0) for step in scene.nodes}).places
    for line in scene.lines:
        assert places[line.step].y >= places[line.on].y + places[line.on].height


def patrol():
    life = Life(PATROL)
    life.close("inbox")
    life.do("start", "survey")
    for name in ("ace", "nux", "toast"):
        life.arm(f"arm-{name}")
    life.close("arm-ace.load", "arm-ace.check", "survey")
    life.close("arm-nux.load", reason="failed: silent")
    life.do("start", "arm-toast.load")
    return of_molecule(life.now, AT)


def test_arms_hang_between_the_step_that_spawned_them_and_the_gate():
    scene = scene_of(patrol())
    places = lay_out(scene, {step: Size(100.0, 30.0) for step in scene.nodes}).places
    arms = [places[f"arm-{name}"] for name in ("ace", "nux", "toast")]
    assert len({arm.y for arm in arms}) == 1
    assert places["survey"].y < arms[0].y < places["aggregate"].y
    kinds = {(line.step, line.on): line.kind for line in scene.lines}
    assert kinds["arm-ace", "survey"] == "spawned"
    assert kinds["aggregate", "arm-ace"] == "waits-for"


def test_a_picture_says_how_each_step_stands_without_colours_too():
    root = parsed(picture(patrol(), "svg"))
    steps = [one for one in root.iter(f"{SVG}g") if one.get("role") == "graphics-symbol"]
    by_title = {one.find(f"{SVG}title").text.splitlines()[0].rpartition(".")[2]: one for one in steps}
    failed = by_title["load: Load arm-nux"]
    assert failed.get("class") == "step failed"
    assert failed.find(f"{SVG}use").get("href") == "#mmpm-failed"
    assert failed.find(f"{SVG}title").text.splitlines()[1:] == ["failed", "failed: silent"]
    assert "failed: silent" in words(failed)
    marks = {one.get("id") for one in root.iter(f"{SVG}g") if (one.get("id") or "").startswith("mmpm-")}
    assert marks == {f"mmpm-{one}" for one in ("closed", "failed", "in_progress", "ready", "open")}
    assert root.find(f"{SVG}desc").text.endswith("1 ready, 1 in progress, 5 open, 1 failed, 5 closed")
    style = root.find(f"{SVG}style").text
    assert "prefers-color-scheme:dark" in style
    assert "#mmpm-failed .f{fill:" in style
    assert ".mmpm #mmpm" not in style  # what `use` copies stands in no picture


def test_the_mermaid_of_a_small_molecule():
    proto = Proto(
        "mol-x",
        title="Say {{what}}",
        steps=(
            Step("box", "A box"),
            Step("box.a", 'Say "hi"', parent="box"),
            Step("b", "B", needs=("box",), gate=Gate("human", "ok")),
            Step("c", "C", if_failed=("b",)),
        ),
    )
    assert picture(of_proto(proto), "mermaid").decode().splitlines() == [
        "flowchart TD",
        "  accTitle: Say #123;#123;what#125;#125;",
        '  subgraph n0["A box - box"]',
        "    direction TB",
        '    n1["Say #34;hi#34;<br>a"]',
        "  end",
        '  n2{{"B<br>b<br>Gate#58; human ok"}}',
        '  n3["C<br>c"]',
        "  n0 --> n2",
        "  n2 -.->|if it fails| n3",
        "  classDef template fill:#eef2f9,stroke:#5b6f94,color:#1c2433",
        "  class n0,n1,n2,n3 template",
    ]


def test_what_no_picture_can_show_is_refused():
    many = tuple(Step(f"s{number}") for number in range(5001))
    with pytest.raises(TooManyToDrawError, match="has 5001 steps: a picture shows at most 5000"):
        picture(of_proto(Proto("mol-many", steps=many)), "svg")
    tangle = tuple(Step(f"s{number}", needs=tuple(f"s{one}" for one in range(number))) for number in range(220))
    with pytest.raises(TooManyToDrawError, match="has 24090 lines"):
        picture(of_proto(Proto("mol-tangle", steps=tangle)), "dot")


@pytest.mark.parametrize("form", FORMATS)
def test_parents_of_any_depth_are_drawn(form):
    steps = [Step("s0"), *(Step(f"s{number}", parent=f"s{number - 1}") for number in range(1, 2000))]
    data = picture(of_proto(Proto("mol-deep", steps=tuple(steps))), form)
    assert data.count(b"\n") > 2000
    if form == "svg":
        parsed(data)


@pytest.mark.parametrize("form", FORMATS)
def test_steps_that_wait_for_each_other_and_nothing_at_all_are_drawn(form):
    nodes = tuple(Node(one, one, one) for one in "ab")
    circle = Chart("mol-ring", "workflow", nodes=nodes, children={"": ["a", "b"]})
    assert picture(circle, form)
    assert picture(Chart("mol-none", "workflow", children={}), form)


@settings(max_examples=50)
@given(st.text(max_size=400), st.integers(40, 300), st.integers(1, 4))
def test_wrapped_text_fits(text, width, most):
    lines = wrapped(text, width, 13.0, most)
    assert 1 <= len(lines) <= most
    # One letter alone may be wider than all the room there is.
    assert all(pixels(line, 13.0) <= width or len(line) <= 4 for line in lines)
    assert pixels(fitted(text, width, 13.0), 13.0) <= max(width, pixels("...", 13.0))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", [">", "<", '"', "]]>", "&", "%%", "n0", "end", " top", " "])
def test_ids_mean_nothing_either(form, name):
    nodes = (Node("a", "r.a", "a", "A"), Node(name, f"r.{name}", name, " ", parent="a"), Node("b", "r.b", "b", "B"))
    chart = make_chart(name, "workflow", "  ", "", nodes, [Link("b", name, "needs"), Link("b", "a", "waits-for")])
    data = picture(chart, form)
    if form == "svg":
        parsed(data)
    assert len(list(draw(chart))) == 4


@pytest.mark.corpus
def test_every_real_formula_has_a_picture_and_a_tree():
    folder = corpus_folder()
    if folder is None:
        pytest.skip("no corpus here")
    corpus = Corpus(folder)
    formulas = [ingredient((folder / str(line["path"])).read_bytes()) for line in corpus.formulas]
    shelf = {one.formula.name: one for one in formulas}
    for one in formulas:
        proto = cook(one, shelf.get).proto
        chart = of_proto(proto)
        root = parsed(picture(chart, "svg"))
        assert len([one for one in root.iter() if one.get("role") == "graphics-symbol"]) == len(proto.steps)
        for line in picture(chart, "mermaid").decode().splitlines():
            assert MERMAID.fullmatch(line), line
        for line in picture(chart, "dot").decode().splitlines():
            assert DOT.fullmatch(line), line
        assert len(list(draw(chart, None))) == len(proto.steps) + 1


def test_the_picture_in_the_documents_is_the_one_that_is_drawn():
    """`mmpm mol graph mol-code-review -o docs/pictures/mol-code-review.svg --force` draws it anew."""
    data = (CHECKOUT / "mmpm" / "system" / "molecules.jsonl").read_bytes()
    chart = of_catalogue(load([Layer("built-in", "molecules.jsonl", data)]), "mol-code-review")
    assert picture(chart, "svg") == (CHECKOUT / "docs" / "pictures" / "mol-code-review.svg").read_bytes()


def _light(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    """As the Web Content Accessibility Guidelines 2.2 define it."""
    dark, bright = sorted((_light(one), _light(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("standing", COLOURS)
def test_text_and_outlines_stand_out_in_light_and_dark(standing):
    for fill, stroke, text in COLOURS[standing]:
        faint = "#" + "".join(
            f"{round(0.8 * int(text[at : at + 2], 16) + 0.2 * int(fill[at : at + 2], 16)):02x}" for at in (1, 3, 5)
        )
        assert _contrast(fill, faint) >= 4.5
        assert _contrast(fill, stroke) >= 3
