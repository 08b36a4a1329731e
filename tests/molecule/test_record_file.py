"""A file of records is read a line at a time, and every line is held against its own root."""

from __future__ import annotations

import io

import pytest
from executions import squashed
from hypothesis import given, settings
from hypothesis import strategies as st
from molecule_lives import REVIEW

from mmpm.molecule import record_file
from mmpm.molecule.digest import Digest
from mmpm.molecule.record_file import Summary, read_record_lines, write_records

RECORDS = (squashed(3), squashed(1, proto=REVIEW), squashed(2, actor="beads/jade"))
DATA = write_records(RECORDS)


def test_what_is_written_reads_back_in_the_order_of_time():
    lines = list(read_record_lines(DATA))
    assert [line.number for line in lines] == [1, 2, 3]
    assert [line.digest for line in lines] == sorted(RECORDS, key=lambda one: one.completed_at)


def test_equal_records_make_equal_bytes_in_whatever_order_they_come():
    assert write_records(reversed(RECORDS)) == DATA
    assert list(read_record_lines(io.BytesIO(DATA))) == list(read_record_lines(DATA))
    assert list(read_record_lines(DATA.removesuffix(b"\n"))) == list(read_record_lines(DATA))


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
@settings(max_examples=150)
def test_a_flipped_byte_costs_its_line_and_no_other(place, flip):
    data = bytearray(DATA)
    data[place] ^= flip
    good = [line.digest for line in read_record_lines(bytes(data)) if line.digest is not None]
    # A line feed that is flipped joins two lines; the last one has nothing behind it that it could join.
    lost = 2 if DATA[place] == 0x0A and place < len(DATA) - 1 else 1
    assert len(good) == len(RECORDS) - lost
    assert set(good) < set(RECORDS)


@given(st.lists(st.sampled_from([*DATA.splitlines(keepends=True), b"\n", b"{}\n", b"null\n", b"\xff\n", b" \n"])))
def test_every_line_is_told_whatever_stands_between(pieces):
    lines = list(read_record_lines(b"".join(pieces)))
    assert [line.number for line in lines] == list(range(1, len(pieces) + 1))
    assert [line.digest is not None for line in lines] == [len(piece) > 10 for piece in pieces]
    assert all(bool(line.reason) == (line.digest is None) for line in lines)


def test_a_line_that_is_too_long_is_left_out_and_the_next_is_read(monkeypatch):
    monkeypatch.setattr(record_file, "MAX_DIGEST_BYTES", len(DATA))
    seen = list(read_record_lines(b"x" * (3 * len(DATA)) + b"\n" + DATA))
    assert seen[0].reason == f"has more than {len(DATA)} bytes"
    assert [line.number for line in seen] == [1, 2, 3, 4]
    assert [line.digest is None for line in seen] == [True, False, False, False]


@pytest.mark.parametrize("change", [b"beads/amber", b"Went well", b"done", b"mol-witness-patrol"])
def test_a_record_that_says_something_else_than_its_root_does_not_hold(change):
    line = squashed().to_bytes()
    assert change in line
    [told] = read_record_lines(line.replace(change, change[::-1]))
    assert told.digest is None
    assert told.reason.startswith("does not hold")
    assert isinstance(Digest.parse(line), Digest)


def test_a_summary_says_how_many_of_what_and_when():
    summary = Summary()
    for one in RECORDS:
        summary.add(one)
    expected = (
        "3 execution records of mol-witness-patrol, mol-code-review, 2026-01-01T01:30:00Z to 2026-01-01T03:30:00Z"
    )
    assert summary.sentence == expected
