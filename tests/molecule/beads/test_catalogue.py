"""Layers lie over each other record by record; a bad line costs itself; time and memory grow with the text."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from corpus import corpus_folder
from hypothesis import given
from hypothesis import strategies as st

from mmpm.molecule.beads import catalogue as room
from mmpm.molecule.beads.catalogue import Layer, load

IDS = ("a", "b", "a.1", "a.2", "a.10", "b.x.y")
PICKED = st.lists(st.tuples(st.sampled_from(IDS), st.booleans()), max_size=8)


def line(record_id, **keys):
    return json.dumps({"id": record_id, **keys}).encode() + b"\n"


def needs(*others, kind="blocks"):
    return [{"depends_on_id": other, "type": kind} for other in others]


def layer(*lines, name="user"):
    return Layer(name, f"/{name}.jsonl", b"".join(lines))


def problems_of(catalogue):
    return [(one.path, one.line, one.reason) for one in catalogue.problems]


@given(st.lists(PICKED, max_size=4))
def test_the_last_record_of_an_id_is_the_one_that_counts(picked):
    model, layers = {}, []
    for number, records in enumerate(picked):
        lines = []
        for position, (record_id, is_gone) in enumerate(records):
            title = f"{number}/{position}"
            lines.append(line(record_id, title=title, status="tombstone" if is_gone else "open"))
            model[record_id] = None if is_gone else title
        layers.append(layer(*lines, name=str(number)))
    found = load(layers)
    assert {entry.record.id: entry.record.title for entry in found.entries.values()} == {
        record_id: title for record_id, title in model.items() if title is not None
    }


@given(st.lists(PICKED, max_size=2), st.lists(st.binary(max_size=6), max_size=6))
def test_bad_lines_take_nothing_else_with_them(picked, junk):
    good = [line(record_id, title=str(number)) for records in picked for number, (record_id, _) in enumerate(records)]
    clean = load([layer(*good)])
    spoiled = b"".join(bad.replace(b"\n", b"") + b"x\n" + one for bad, one in zip(junk, good, strict=False))
    spoiled += b"".join(good[len(junk) :])
    assert {key: one.record for key, one in load([layer(spoiled)]).entries.items()} == {
        key: one.record for key, one in clean.entries.items()
    }


@given(st.lists(st.tuples(st.sampled_from(IDS), st.lists(st.sampled_from(IDS), max_size=3)), max_size=8))
def test_a_tree_has_each_record_once_whatever_the_edges_say(edges):
    lines = [line(one, dependencies=needs(*others, kind="parent-child")) for one, others in edges]
    found = load([layer(*lines)])
    for record_id in found.entries:
        shown = [entry.record.id for _, entry in found.tree(record_id)]
        assert shown[0] == record_id
        assert len(shown) == len(set(shown))


def test_a_record_says_where_it_comes_from_and_what_it_hides():
    found = load([
        layer(line("a", title="1"), name="built-in"),
        layer(line("a", title="2"), name="town"),
        layer(b"\n", line("a", title="3"), name="project"),
    ])  # fmt: skip
    entry = found.get("a")
    assert (entry.record.title, entry.layer, entry.line) == ("3", "project", 2)
    assert entry.overrides == ("built-in", "town")


def test_a_tombstone_hides_what_lies_below_and_a_later_layer_brings_it_back():
    gone = layer(line("a", status="tombstone"), name="user")
    assert load([layer(line("a"), name="built-in"), gone]).get("a") is None
    assert load([gone, layer(line("a"), name="project")]).get("a").layer == "project"


def test_bad_lines_are_named_by_file_and_number():
    found = load([layer(line("a"), b"\r\n", b"{oops\n", line("b"), b'{"title":"x"}\n')])
    assert set(found.entries) == {"a", "b"}
    assert [(path, number) for path, number, _ in problems_of(found)] == [("/user.jsonl", 3), ("/user.jsonl", 5)]
    assert str(found.problems[1]) == "/user.jsonl, line 5: it has no 'id'"


def test_of_two_records_of_one_id_in_one_file_the_last_is_used_and_it_is_said():
    found = load([layer(line("a", title="1"), line("b"), line("a", title="2"))])
    assert found.get("a").record.title == "2"
    assert problems_of(found) == [("/user.jsonl", 1, "a stands again in line 3, which is used")]


def test_a_file_may_begin_with_a_mark_and_end_without_a_line_feed():
    assert set(load([layer(b"\xef\xbb\xbf" + line("a"), line("b").rstrip())]).entries) == {"a", "b"}


def test_steps_stand_in_the_order_of_their_work():
    found = load([layer(
        line("m"), line("m.10"), line("m.9"), line("m.2"),
        line("n"), line("n.last", dependencies=needs("n.middle")), line("n.middle", dependencies=needs("n.first")), line("n.first"),
    )])  # fmt: skip
    assert [one.record.id for one in found.children("m")] == ["m.2", "m.9", "m.10"]
    assert [one.record.id for one in found.children("n")] == ["n.first", "n.middle", "n.last"]


def test_a_child_is_named_by_an_edge_or_by_its_id():
    found = load([layer(line("m"), line("other", dependencies=needs("m", kind="parent-child")), line("m.x.y"))])
    assert [(depth, one.record.id) for depth, one in found.tree("m")] == [(0, "m"), (1, "other"), (1, "m.x.y")]


def test_templates_are_chosen_by_all_labels_that_are_asked_for():
    found = load([layer(
        line("c", labels=["template", "plugin", "witness"]), line("b", is_template=True), line("a", labels=["plugin"]),
    )])  # fmt: skip
    assert [one.record.id for one in found.templates()] == ["b", "c"]
    assert [one.record.id for one in found.templates(["witness", "plugin"])] == ["c"]
    assert found.templates(["plugin", "deacon"]) == ()


def test_a_flood_of_bad_lines_is_counted_and_not_kept(monkeypatch):
    monkeypatch.setattr(room, "MAX_PROBLEMS", 3)
    found = load([layer(b"x\n" * 50, line("a"))])
    assert set(found.entries) == {"a"}
    assert len(found.problems) == 4
    assert found.problems[-1].reason == "47 more lines like these were skipped"


def test_a_layer_with_more_records_than_anyone_writes_is_cut_off_and_it_is_said(monkeypatch):
    monkeypatch.setattr(room, "MAX_RECORDS", 2)
    found = load([layer(line("a"), line("b"), line("c"), line("d"))])
    assert set(found.entries) == {"a", "b"}
    assert [(one.line, "at most 2 records" in one.reason) for one in found.problems] == [(3, True)]


def test_a_line_above_the_limit_is_skipped_unread(monkeypatch):
    monkeypatch.setattr(room, "MAX_LINE_BYTES", 100)
    found = load([layer(line("a", description="x" * 200), line("b"))])
    assert set(found.entries) == {"b"}
    assert "more than 100 bytes" in found.problems[0].reason


def test_a_line_of_five_megabytes_is_read_and_its_memory_is_a_small_multiple_of_it():
    size = 5_000_000
    text = layer(line("a"), line("long", description="x" * size), line("b"))
    tracemalloc.start()
    try:
        found = load([text])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert set(found.entries) == {"a", "long", "b"}
    assert len(found.get("long").record.description) == size
    assert found.problems == ()
    assert peak < 6 * size


def test_every_byte_is_looked_at_once_however_many_lines_there_are():
    class Counted(bytes):
        """Bytes that count how many of them are searched for a line's end."""

        searched = 0

        def find(self, part, start):
            end = super().find(part, start)
            Counted.searched += (end if end >= 0 else len(self)) - start + 1
            return end

    data = Counted(b"x\n" * 5_000 + b"y" * 10_000)
    assert len(list(room.lines_of(data))) == 5_001
    assert Counted.searched <= len(data) + 1


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "count"), [("gastown", 97), ("beads", 33)])
def test_the_real_catalogues_load_whole(name, count):
    folder = corpus_folder()
    if folder is None:
        pytest.skip("no corpus here")
    data = (folder / "molecules" / f"{name}.molecules.jsonl").read_bytes()
    found = load([Layer("user", f"{name}.jsonl", data)])
    assert len(found.entries) == count
    assert found.problems == ()
    assert found.templates()
    steps = [one for one in found.templates() if found.children(one.record.id)]
    assert steps
    for one in steps:
        assert [depth for depth, _ in found.tree(one.record.id)][:2] == [0, 1]


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["gastown.templates", "gastown.children", "beads.templates", "beads.children"])
def test_whole_histories_load_with_their_tombstones(name):
    folder = corpus_folder()
    if folder is None:
        pytest.skip("no corpus here")
    data = (folder / "molecules" / f"{name}.jsonl").read_bytes()
    last = {}
    for one in map(json.loads, data.splitlines()):
        last[one["id"]] = one["status"]
    found = load([Layer("user", name, data)])
    assert set(found.entries) == {record_id for record_id, status in last.items() if status != "tombstone"}
    assert all("which is used" in one.reason or "more lines like these" in one.reason for one in found.problems)
