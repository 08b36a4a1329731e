"""What we write for beads, held against a reader that was written from beads' own documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from beads_reader import RefusedError, read_issue, read_issues
from corpus import corpus_folder
from kitchen import formula, proto_of

import mmpm
from mmpm.errors import CookError, MmpmError
from mmpm.molecule.catalogue import Layer, load
from mmpm.molecule.proto import Proto
from mmpm.molecule.record_protos import of_records, to_records
from mmpm.molecule.records import Record
from mmpm.molecule.steps import Gate, Step

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


def test_an_id_that_beads_could_not_hold_is_refused():
    with pytest.raises(CookError, match="more than 255 characters"):
        to_records(Proto("mol-x", steps=(Step("a" * 250, "A"),)))
    to_records(Proto("mol-x", steps=(Step("a" * 249, "A"),)))


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

    def test_every_real_formula_is_read_as_records_of_a_catalogue(self):
        assert sum(1 for proto in real_protos() if read_issues(lines_of(to_records(proto)), also_keys=OURS)) > 440
