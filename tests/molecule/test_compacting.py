"""Compaction: the fold stays, what has no effect goes, and what cannot be read stays with all around it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import ANN, PATROL, Life

from mmpm.molecule.answers import Stamp
from mmpm.molecule.compacting import Compacted, compacted
from mmpm.molecule.lines import parse_line
from mmpm.molecule.state import fold

BOB = Stamp("2026-01-10T15:31:00Z", "bob")


def patrol():
    life = Life(PATROL)
    life.do("start", "inbox")
    life.close("inbox", "survey")
    life.arm("arm-ace")
    return life


def data_of(*lines):
    return b"".join(line.to_bytes() + b"\n" for line in lines)


def fold_of(data):
    found = []
    for raw in data.splitlines():
        try:
            found.append(parse_line(raw))
        except ValueError:
            continue
    return replace(fold(found), problems=())


def test_a_log_of_one_writer_stays_byte_for_byte():
    data = data_of(*patrol().lines)
    assert compacted(data) == Compacted(data)


@given(st.lists(st.integers(0, 6), max_size=30), st.lists(st.sampled_from(["same", "blank", "mark"]), max_size=8))
def test_the_fold_stays_and_doing_it_twice_is_doing_it_once(order, strays):
    life = patrol()
    life.do("squash", "all well", {})
    lines = [life.lines[0], *(life.lines[min(at, len(life.lines) - 1)] for at in order)]
    data = data_of(*lines)
    for stray in strays:
        data += {"same": data_of(lines[-1]), "blank": b"\n", "mark": b"<<<<<<< HEAD\n=======\n>>>>>>> other\n"}[stray]
    done = compacted(data)
    assert fold_of(done.data) == fold_of(data)
    assert fold(map(parse_line, done.data.splitlines())).problems == () or done.dropped
    again = compacted(done.data)
    assert (again.data, again.dropped) == (done.data, 0)


def test_two_branches_that_closed_the_same_step_keep_the_first_of_each():
    life = patrol()
    base = list(life.lines)
    ours, theirs = (life.ask("close", "arm-ace.load", "done", stamp=stamp).line for stamp in (ANN, BOB))
    for first, second in ((ours, theirs), (theirs, ours)):
        data = data_of(*base) + b"<<<<<<< HEAD\n" + data_of(first) + b"=======\n" + data_of(second) + b">>>>>>> b\n"
        assert compacted(data).data == data_of(*base, first)
        assert compacted(data).dropped == 4
        assert fold_of(compacted(data).data).steps["arm-ace.load"].closed_by == first.actor


def test_nothing_goes_where_a_line_cannot_be_read():
    life = patrol()
    twice = data_of(*life.lines, life.lines[-1])
    newer = twice.replace(b'"format":1', b'"format":2', 1)
    for data in (twice + newer.splitlines(keepends=True)[0], b"what is this\n" + twice):
        done = compacted(data)
        assert (done.data, done.dropped) == (data, 0)
        assert done.reason.startswith("line ")
    assert "newer mmpm" in compacted(newer + twice).reason


def test_a_torn_end_goes_and_a_whole_one_without_its_line_feed_gets_it():
    data = data_of(*patrol().lines)
    assert compacted(data + b'{"actor":').data == data
    assert compacted(data[:-1]) == Compacted(data)
