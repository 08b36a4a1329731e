"""Files that a pack brought and no tree shows yet."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mmpm.registry.pack.landing import MirrorLanding
from mmpm.registry.pack.staged import StagedFiles

_FILES = st.lists(st.tuples(st.text(min_size=1, max_size=20), st.binary(max_size=200)), max_size=12)


@given(files=_FILES, more=_FILES)
def test_what_was_put_is_given_by_whoever_opens_it_later(files, more, tmp_path_factory):
    path = tmp_path_factory.mktemp("staged") / "staged"
    for batch in (files, more):
        staged = StagedFiles(str(path))
        for name, data in batch:
            staged.put(name, data)
        staged.flush()
    wanted = dict([*files, *more])
    again = StagedFiles(str(path))
    assert {name: again.get(name, 1000) for name in wanted} == wanted
    assert again.get("what nobody put", 1000) is None


@given(files=_FILES.filter(bool), cut=st.integers(0, 5000))
def test_of_a_file_that_was_cut_what_is_whole_is_given_and_the_rest_can_be_put_again(files, cut, tmp_path_factory):
    path = tmp_path_factory.mktemp("staged") / "staged"
    staged = StagedFiles(str(path))
    for name, data in files:
        staged.put(name, data)
    staged.flush()
    path.write_bytes(path.read_bytes()[:cut])
    left = StagedFiles(str(path))
    put = [name for name, _ in files]
    assert all(left.get(name, 1000) in [None, *(data for other, data in files if other == name)] for name in put)
    left.put("after", b"wards")
    left.flush()
    assert StagedFiles(str(path)).get("after", 10) == b"wards"


def test_of_a_long_file_one_byte_more_than_asked_for_is_given(tmp_path):
    staged = StagedFiles(str(tmp_path / "staged"))
    staged.put("long", b"x" * 100)
    assert staged.get("long", 10) == b"x" * 11
    assert staged.get("long", 100) == b"x" * 100


def test_a_line_that_promises_more_than_there_is_ends_what_can_be_read(tmp_path):
    path = tmp_path / "staged"
    for length in (10**9, -1, True, "1", None, 1.5):
        path.write_bytes(json.dumps({"length": length, "path": "a"}).encode() + b"\nxyz")
        assert StagedFiles(str(path)).get("a", 10) is None
    path.write_bytes(b"[" * 100_000)
    assert StagedFiles(str(path)).get("a", 10) is None


def test_what_a_killed_import_left_staged_in_a_mirrors_tree_goes_with_the_next(tmp_path):
    left = tmp_path / "mirrors" / "molmall.example.org" / ".staging" / "1-abc" / "7"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half of it")
    with MirrorLanding(str(tmp_path)) as landing:
        landing.sweep()
        assert not left.exists()
