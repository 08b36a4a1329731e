"""What we write for beads, held against a reader that was written from beads' own documents."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from beads_reader import RefusedError, read_issue, read_issues
from corpus import corpus_folder
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from kitchen import formula, proto_of
from molecule_lives import ANN, PATROL, REVIEW, Life
from molecule_town import patrol_that_failed, review_that_is_done

import mmpm
from mmpm.errors import CookError, MmpmError
from mmpm.model.canonical import canonical_json
from mmpm.molecule import bonding, lifecycle
from mmpm.molecule.answers import Change
from mmpm.molecule.beads.catalogue import Layer, load
from mmpm.molecule.beads.issues import jsonl, of_digest, of_molecule, of_proto_issues
from mmpm.molecule.beads.protos import of_records, to_records
from mmpm.molecule.beads.records import Record
from mmpm.molecule.bonding import Bond
from mmpm.molecule.digest import Digest, verify_digest
from mmpm.molecule.proto import Proto, UnsoundProtoError
from mmpm.molecule.state import fold
from mmpm.molecule.steps import Gate, Step, WaitsFor

needs_corpus = [
    pytest.mark.corpus,
    pytest.mark.skipif(corpus_folder() is None, reason="the shared corpus is not here"),
]
OURS = ("mmpm",)
"""The one key of ours in a catalogue; bd passes over it."""
OF_TOMBSTONES = ("deleted_at", "deleted_by", "delete_reason", "original_type")


def lines_of(records):
    return b"".join(record.to_bytes() + b"\n" for record in records)


def real_lines():
    for path in sorted((corpus_folder() / "molecules").glob("*.jsonl")):
        if not path.name.endswith(".origin.jsonl"):
            for line in path.read_bytes().splitlines():
                yield path.name, line


def real_protos():
    for path in sorted((corpus_folder() / "formulas").rglob("*.formula.toml")):
        try:
            yield proto_of(path.read_bytes())
        except MmpmError:
            continue


def back(records, name):
    return of_records(load([Layer("project", "molecules.jsonl", lines_of(records))]), name)


def test_the_reader_reads_a_line_as_beads_itself_writes_one():
    line = (
        b'{"_type":"issue","id":"bd-idj","title":"A pass","status":"in_progress","priority":2,"issue_type":"chore",'
        b'"owner":"m@example.com","created_at":"2026-04-18T16:19:12Z","created_by":"m","updated_at":'
        b'"2026-04-18T16:30:16.5+02:00","started_at":"2026-04-18T16:30:16Z","dependency_count":0,"dependent_count":0}'
    )
    assert read_issue(line)["status"] == "in_progress"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"title": ""}, "500 bytes"),
        ({"title": "ä" * 251}, "500 bytes"),
        ({"priority": 5}, "between 0 and 4"),
        ({"priority": 1.0}, "cannot unmarshal float"),
        ({"priority": None}, "between 0 and 4"),
        ({"status": "skipped"}, "invalid status"),
        ({"status": "closed"}, "if and only if"),
        ({"closed_at": "2026-01-10T15:30:00Z"}, "if and only if"),
        ({"issue_type": "human"}, "invalid issue type"),
        ({"timeout": "30m"}, "cannot unmarshal str"),
        ({"created_at": "2026-01-10"}, "RFC 3339"),
        ({"labels": "template"}, "no list"),
        ({"metadata": "{}"}, "no object"),
        ({"dependencies": [{"depends_on_id": "x", "type": "blocks", "metadata": {}}]}, "cannot unmarshal dict"),
        ({"dependencies": [{"depends_on_id": "a", "type": "blocks"}]}, "depends on itself"),
        ({"dependencies": [{"depends_on_id": "x", "type": "blocks"}]}, "target not found"),
        ({"needs": []}, "no key 'needs'"),
    ],
)
def test_the_reader_refuses_what_beads_would(said, words):
    line = json.dumps({"id": "a", "title": "A", "priority": 2, **said}).encode()
    with pytest.raises(RefusedError, match=words):
        read_issues(line)


def test_the_catalogue_that_is_built_in_is_read():
    data = Path(mmpm.__file__).with_name("system").joinpath("molecules.jsonl").read_bytes()
    assert len(read_issues(data, also_keys=OURS)) > 20


def test_a_proto_with_all_that_beads_would_refuse_is_written_so_that_it_is_read_and_comes_back_whole():
    long = "ü" * 400
    proto = Proto(
        "mol-x",
        title=long,
        steps=(
            Step("gate-a", "Here first"),
            Step("a", "A", kind="human", gate=Gate("timer", "t", "1h30m", "when it is time")),
            Step("b", long, priority=0, gate=Gate("gh:run", timeout="{{span}}")),
            Step("c", "C", kind="gate", gate=Gate("mail", "x", "90m"), needs=("a", "b")),
        ),
    )
    records = to_records(proto)
    issues = {issue["id"]: issue for issue in read_issues(lines_of(records), also_keys=OURS)}
    assert issues["mol-x.gate-a_"]["timeout"] == 5400 * 10**9
    assert "timeout" not in issues["mol-x.gate-b"]
    again = {step.id: step for step in back(records, "mol-x").steps}
    assert {one.id: (one.title, one.kind, one.gate, one.priority) for one in proto.steps} == {
        one.id: (one.title, one.kind, one.gate, one.priority) for one in again.values()
    }
    assert back(records, "mol-x").title == long


def test_a_timeout_is_read_as_beads_has_it_and_as_we_once_wrote_it():
    for said, text in ((1800 * 10**9, "1800s"), ("30m", "30m"), (0, ""), (1 << 62, ""), (1.5, ""), (None, "")):
        gate = {"id": "m.g", "title": "G", "issue_type": "gate", "await_type": "timer", "timeout": said}
        records = (Record.parse(json.dumps(one).encode()) for one in ({"id": "m", "labels": ["template"]}, gate))
        assert back(records, "m").steps[0].gate == Gate("timer", "", text)


@pytest.mark.parametrize(
    ("step", "longer"),
    [
        (Step("a" * 249, "A"), Step("a" * 250, "A")),
        (Step("a", "A", labels=("x" * 255,)), Step("a", "A", labels=("x" * 256,))),
        (Step("a", "A", assignee="x" * 255), Step("a", "A", assignee="x" * 256)),
        (Step("a", "A", gate=Gate("x" * 32, "x" * 255)), Step("a", "A", gate=Gate("x" * 33))),
        (Step("a", "A", gate=Gate("x")), Step("a", "A", gate=Gate("x", "x" * 256))),
    ],
)
def test_what_a_column_of_beads_could_not_hold_is_refused_for_a_catalogue(step, longer):
    read_issues(lines_of(to_records(Proto("mol-x", steps=(step,)))), also_keys=OURS)
    with pytest.raises(CookError, match="would have more than"):
        to_records(Proto("mol-x", steps=(longer,)))


def test_a_formula_that_uses_everything_is_read():
    text = """phase = "vapor"
[vars.mode]
default = "quick"
[[steps]]
id = "a"
condition = "{{mode}} == deep"
gate = {type = "human", id = "boss", timeout = "1h"}
[[steps.children]]
id = "draft"
[[steps]]
id = "b"
needs = ["a"]
waits_for = "any-children"
"""
    issues = read_issues(lines_of(to_records(proto_of(formula(text)))), also_keys=OURS)
    assert [issue["id"] for issue in issues] == ["mol-x", "mol-x.gate-a", "mol-x.a", "mol-x.a.draft", "mol-x.b"]


def read(issues):
    """What the reader makes of our text of them, by id."""
    return {issue["id"]: issue for issue in read_issues(jsonl(issues))}


def of_us(issue):
    return issue.get("metadata", {}).get("mmpm", {})


def test_a_molecule_is_its_root_its_gates_its_steps_and_its_digest():
    life, digest = review_that_is_done()
    issues = read(of_molecule(life.now, digest))
    own = life.now.id
    assert next(iter(issues)) == own
    assert list(issues)[-1] == f"{own}-digest"
    assert set(issues) == {own, f"{own}-digest", *(f"{own}.{step}" for step in life.now.steps)}
    security = issues[f"{own}.security"]
    assert (security["status"], security["close_reason"], security["assignee"]) == (
        "closed",
        "no findings",
        "beads/onyx",
    )
    assert security["closed_at"] == "2026-01-12T08:00:00Z"
    assert [(edge["depends_on_id"], edge["type"]) for edge in security["dependencies"]] == [
        (f"{own}", "parent-child"),
        (f"{own}.discovery", "blocks"),
    ]
    root = issues[own]
    assert (root["issue_type"], root["status"], root["closed_at"]) == ("epic", "closed", "2026-01-13T09:00:00Z")
    assert of_us(root)["formula"] == life.now.provenance.to_dict()
    assert of_us(root)["variables"] == {"scope": "lib/"}


def test_a_digest_that_went_through_beads_can_be_verified_again():
    _, digest = patrol_that_failed()
    (issue,) = read([of_digest(digest)]).values()
    assert (issue["title"], issue["description"]) == ("Digest: Witness patrol", "Two lines\nof summary")
    again = Digest.parse(canonical_json(of_us(issue)["digest"]))
    assert verify_digest(again, digest.root)


def test_what_was_skipped_is_closed_with_a_word_in_which_beads_sees_no_failure():
    life = Life(REVIEW)
    life.close("discovery.files", "discovery.deps", "security")
    repair = read(of_molecule(life.now))[f"{life.now.id}.repair"]
    assert (repair["status"], repair["close_reason"]) == ("closed", "skipped")
    assert of_us(repair)["skipped"] == "'security' did not fail"


def test_a_wisp_is_ephemeral_and_what_runs_is_in_progress():
    life = Life(PATROL, "wisp")
    assert {issue["status"] for issue in read(of_molecule(life.now)).values()} == {"open"}
    life.do("start", "inbox")
    issues = read(of_molecule(life.now))
    assert all(issue["ephemeral"] for issue in issues.values())
    assert [issue["status"] for issue in issues.values()][:3] == ["in_progress", "in_progress", "open"]
    assert issues[f"{life.now.id}.inbox"]["assignee"] == "beads/amber"


def test_an_arm_is_found_by_those_that_wait_for_it_and_bears_its_formula():
    life = Life(PATROL)
    life.close("inbox")
    life.do("start", "survey")
    life.arm("arm-ace", "")
    issues = read(of_molecule(life.now))
    own = life.now.id
    waiting = [(edge["depends_on_id"], edge["type"]) for edge in issues[f"{own}.aggregate"]["dependencies"]]
    assert waiting == [(own, "parent-child"), (f"{own}.survey", "waits-for"), (f"{own}.arm-ace", "blocks")]
    assert of_us(issues[f"{own}.arm-ace"])["arm"]["formula"]["name"] == "mol-polecat-arm"
    assert issues[f"{own}.aggregate"]["dependencies"][1]["metadata"] == '{"gate":"all-children"}'


def test_connections_are_edges_of_the_root():
    life = Life(REVIEW)
    for on, connection in (("x-mol-a", "sequential"), ("x-mol-b", "conditional"), ("x-mol-c", "parallel")):
        life.do("connect", on, connection, links={})
    text = jsonl(of_molecule(life.now))
    (root, *_) = read_issues(text, elsewhere=["x-mol-a", "x-mol-b", "x-mol-c"])
    assert [(edge["depends_on_id"], edge["type"]) for edge in root["dependencies"]] == [
        ("x-mol-a", "blocks"),
        ("x-mol-b", "conditional-blocks"),
        ("x-mol-c", "related"),
    ]


def test_a_gate_is_an_issue_that_is_closed_once_it_is_open():
    proto = Proto("mol-x", steps=(Step("a", "A", gate=Gate("human", "boss", "1h", "when asked")), Step("b", "B")))
    life = Life(proto)
    gate = read(of_molecule(life.now))[f"{life.now.id}.gate-a"]
    assert (gate["issue_type"], gate["await_type"], gate["await_id"], gate["status"]) == (
        "gate",
        "human",
        "boss",
        "open",
    )
    assert gate["timeout"] == 3600 * 10**9
    life.do("open_gate", "a", "yes")
    assert read(of_molecule(life.now))[f"{life.now.id}.gate-a"]["status"] == "closed"


def test_the_issues_of_a_proto_are_templates_all_of_them():
    issues = read(of_proto_issues(REVIEW))
    assert all(issue["is_template"] for issue in issues.values())
    assert issues["mol-code-review"]["labels"] == ["template"]


LONG = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9).map(lambda text: text * 100)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | LONG
GATES = st.builds(Gate, WORDS.filter(bool), WORDS, st.sampled_from(["", "1h30m", "{{x}}", "0s"]), WORDS)
ANYTHING = WORDS | st.integers(0, 9) | st.lists(WORDS, max_size=2)
JSONS = st.fixed_dictionaries({}, optional={"x": ANYTHING, "y": ANYTHING})


@st.composite
def protos(draw):
    """A sound proto of up to six steps whose texts are anything."""
    names = draw(st.lists(st.sampled_from(["a", "gate-a", "a.b", "c" * 200, "d", "e"]), unique=True, max_size=6))
    steps: list[Step] = []
    for name in names:
        before = [step.id for step in steps]
        parent = draw(st.sampled_from(["", *before]))
        own = f"{parent}.{name}" if parent else name
        if len(own) > 512 or own in before:
            continue
        free = [one for one in before if not f"{own}.".startswith(f"{one}.")]
        pick = st.lists(st.sampled_from(free), unique=True, max_size=2).map(tuple) if free else st.just(())
        waits = draw(pick.map(lambda found: tuple(WaitsFor("any-children", one) for one in found)))
        steps.append(
            Step(
                own,
                draw(WORDS) or "T",
                *(draw(WORDS) for _ in range(5)),
                parent=parent,
                kind=draw(st.sampled_from(["task", "human", "gate", "bug"])),
                priority=draw(st.none() | st.integers(0, 4)),
                labels=tuple(draw(st.lists(WORDS.filter(bool), unique=True, max_size=2))),
                needs=draw(pick),
                if_failed=draw(pick),
                waits_for=waits,
                condition=draw(WORDS),
                gate=draw(st.none() | GATES),
                attributes=draw(JSONS),
                on_complete=draw(st.none() | st.fixed_dictionaries({"bond": WORDS})),
            )
        )
    try:
        return Proto("mol-x", draw(st.sampled_from(["", "1.0.0"])), title=draw(WORDS), steps=tuple(steps))
    except UnsoundProtoError:
        reject()


@given(protos())
def test_any_proto_is_read(proto):
    issues = read(of_proto_issues(proto))
    assert len(issues) == 1 + len(proto.steps) + sum(1 for one in proto.steps if one.gate and one.kind != "gate")


@given(protos())
def test_any_proto_of_which_nothing_is_too_long_for_a_column_is_read_as_records(proto):
    try:
        records = to_records(proto)
    except CookError:
        return
    read_issues(lines_of(records), also_keys=OURS)


@given(st.data())
@settings(max_examples=50)
def test_any_molecule_is_read_at_every_moment_of_its_life(data):
    proto = data.draw(protos().filter(lambda one: not one.names_used))
    proto = replace(proto, steps=tuple(replace(step, condition="") for step in proto.steps))
    made = bonding.pour(Bond(proto), "gt", "n", ANN, phase=data.draw(st.sampled_from(["mol", "wisp"])))
    if not isinstance(made, Change):
        return
    lines = [made.line]
    for number in range(data.draw(st.integers(0, 6))):
        now = fold(lines)
        step = data.draw(st.sampled_from(["", *now.steps]))
        answer = happens(
            data.draw(st.sampled_from(["start", "fail", "close", "open", "attach", "squash"])), now, step, number
        )
        if isinstance(answer, Change):
            lines.append(answer.line)
            # Of a wisp that was squashed the digest is all there is: it is told without its steps.
            issues = read(of_molecule(fold(lines), answer.digest if now.phase == "mol" else None))
            assert len(issues) > len(now.steps)


def happens(what, now, step, number):
    """Do one thing to a molecule; a refusal is an answer, too."""
    match what:
        case "start":
            return lifecycle.start(now, step, ANN, {})
        case "fail" | "close":
            return lifecycle.close(now, step, "failed: no" if what == "fail" else "", ANN, {})
        case "open":
            return lifecycle.open_gate(now, step, "", ANN)
        case "attach":
            return bonding.attach(now, step, Bond(REVIEW), ANN, ref=f"arm-{number}")
    return lifecycle.squash(now, "", {}, ANN)


FIELDS = {
    "description": "x",
    "design": "x",
    "acceptance": "x",
    "notes": "x",
    "assignee": "x",
    "kind": "human",
    "priority": 0,
    "labels": ("x",),
    "needs": ("first",),
    "if_failed": ("first",),
    "waits_for": (WaitsFor("any-children", "first"),),
    "condition": "x",
    "gate": Gate("mail"),
    "on_complete": {"bond": "x"},
    "attributes": {"x": "x"},
    "title": "x" * 501,
    "source": "x",
}


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_every_field_of_a_step_is_told(field):
    def issues(step):
        return jsonl(of_proto_issues(Proto("mol-x", steps=(Step("first", "F"), step))))

    plain = Step("a", "x" * 500)
    assert issues(replace(plain, **{field: FIELDS[field]})) != issues(plain)


def test_the_fields_above_are_all_that_a_step_has():
    assert {one.name for one in fields(Step)} == {*FIELDS, "id", "parent"}


class TestRealOnes:
    """The shared corpus."""

    pytestmark = needs_corpus

    def test_every_line_that_beads_wrote_is_read_by_the_reader(self):
        assert sum(1 for _, line in real_lines() if read_issue(line, OF_TOMBSTONES)) > 800

    def test_every_line_that_beads_wrote_is_read_by_us_and_written_back_without_losing_a_field(self):
        for name, line in real_lines():
            was = json.loads(line)
            now = json.loads(Record.parse(line).to_bytes())
            assert {key: now.get(key) for key in was} == was, name
            # What is added is what a reader takes for granted where it is absent.
            added = {key: now[key] for key in now if key not in was}
            assert added.items() <= {"description": "", "is_template": True}.items(), name

    def test_what_we_wrote_back_is_read_by_the_reader(self):
        for _, line in real_lines():
            read_issue(Record.parse(line).to_bytes(), OF_TOMBSTONES)

    def test_every_real_formula_is_read_as_issues(self):
        assert sum(1 for proto in real_protos() if read(of_proto_issues(proto))) > 440

    def test_every_real_formula_that_went_through_beads_is_the_same_proto_in_a_catalogue(self):
        for proto in real_protos():
            again = of_records(load([Layer("project", "issues.jsonl", jsonl(of_proto_issues(proto)))]), proto.name)
            assert (again.title, again.version, again.kind, again.phase) == (
                proto.title,
                proto.version,
                proto.kind,
                proto.phase,
            )
            assert (again.variables, again.capabilities) == (proto.variables, proto.capabilities)
            assert dict(again.attributes) == dict(proto.attributes)
            assert {step.id: (step.title, step.gate, step.condition, step.attributes) for step in again.steps} == {
                step.id: (step.title, step.gate, step.condition, step.attributes) for step in proto.steps
            }
            assert set(again.edges) == set(proto.edges)

    def test_every_real_formula_is_read_as_records_of_a_catalogue(self):
        assert sum(1 for proto in real_protos() if read_issues(lines_of(to_records(proto)), also_keys=OURS)) > 440
