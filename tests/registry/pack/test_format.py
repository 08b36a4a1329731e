"""What stands at the head of a pack is written and read as docs/formats.md says, and nothing hostile comes through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.registry.pack.entries import MAX_LINE_BYTES, PackedFile, Patch, PatchBase, proof_of_path, read_entries
from mmpm.registry.pack.format import Base, PackedRegistry, PackHead
from mmpm_store.ids import ObjectId

DIGITS = st.text("0123456789abcdef", min_size=64, max_size=64)
OBJECTS = DIGITS.map(lambda digits: f"mirrors/mall.example/objects/{digits[:2]}/{digits[2:]}")
ROLES = st.integers(1, 99).map(lambda version: f"mirrors/mall.example/metadata/{version}.root.json")
LENGTHS = st.integers(0, 5000)
FILES = st.one_of(
    st.builds(PackedFile, OBJECTS, LENGTHS),
    st.builds(PackedFile, ROLES, LENGTHS, DIGITS),
    st.builds(PackedFile, st.sampled_from(["mirror.json", "policy.json"]), LENGTHS, DIGITS),
)
PATCHES = st.builds(
    Patch,
    st.integers(1, 99).map(lambda number: f"patches/{number}.zst"),
    LENGTHS,
    st.lists(st.builds(PatchBase, OBJECTS, LENGTHS), max_size=3).map(tuple),
    st.lists(FILES, min_size=1, max_size=3).map(tuple),
)
BASES = st.builds(Base, st.sampled_from(["serial", "inventory", "acknowledgement"]), st.integers(1, 9), st.just(""))
REGISTRIES = st.builds(
    PackedRegistry,
    id=st.sampled_from(["a.example", "b.example_8080", "c.example"]),
    roots=st.lists(DIGITS, min_size=1, max_size=3).map(tuple),
    serial=st.integers(1, 1 << 50),
    issued=st.just("2026-01-10T00:00:00Z"),
    base=st.none() | BASES,
    select=st.sampled_from(["all", "releases"]),
    releases=LENGTHS,
    formulas=LENGTHS,
    files=LENGTHS,
    size=LENGTHS,
)
HEADS = st.builds(
    PackHead,
    st.lists(REGISTRIES, min_size=1, unique_by=lambda one: one.id).map(
        lambda found: tuple(sorted(found, key=lambda one: one.id))
    ),
    LENGTHS,
    DIGITS.map(ObjectId),
    LENGTHS,
    LENGTHS,
    st.booleans(),
)


@given(HEADS)
def test_a_head_is_read_as_it_was_written(head):
    assert PackHead.parse(head.to_bytes()) == head


@given(HEADS, st.data())
def test_a_changed_head_is_refused_or_the_same(head, data):
    text = bytearray(head.to_bytes())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = PackHead.parse(bytes(text))
    except ValueError:
        return
    assert found == head  # a key that nobody reads, or its id would differ


@given(st.lists(st.one_of(FILES, PATCHES), max_size=5))
def test_a_list_is_read_as_it_was_written(entries):
    lines = b"".join(one.to_lines() if isinstance(one, Patch) else one.to_line() for one in entries)
    assert list(read_entries(lines.splitlines(keepends=True))) == entries


@given(st.binary(max_size=300))
def test_whatever_stands_in_a_line_is_an_entry_or_refused_in_a_sentence(data):
    with pytest.raises(ValueError, match=r"files\.jsonl"):
        list(read_entries([data]))


@pytest.mark.parametrize(
    "path",
    [
        "../mirror.json",
        "/etc/passwd",
        "mirrors/mall.example/../x",
        "mirrors/mall.example/.staging/x",
        "mirrors/Mall.example/registry.json",
        "mirrors/mall.example/objects/abc/def",
        "mirrors/mall.example/x",
        "other.json",
        "mirrors/con/registry.json",
        "mirrors/mall.example/metadata/a\\b",
    ],
)
def test_a_path_that_is_no_file_of_a_mirror_is_refused(path):
    with pytest.raises(ValueError, match=r"path|tree|device|sha256"):
        list(read_entries([PackedFile(path, 1, "0" * 63).to_line()]))


def test_a_patch_cut_short_is_refused():
    patch = Patch(
        "patches/1.zst", 9, (), (PackedFile("mirror.json", 1, "0" * 64), PackedFile("policy.json", 1, "0" * 64))
    )
    lines = patch.to_lines().splitlines(keepends=True)
    with pytest.raises(ValueError, match="ends in the middle"):
        list(read_entries(lines[:2]))


def test_a_patch_that_would_fill_the_memory_is_refused():
    patch = Patch("patches/1.zst", 9, (PatchBase("mirror.json", 33 << 20),), (PackedFile("mirror.json", 1, "0" * 64),))
    with pytest.raises(ValueError, match="more than"):
        list(read_entries(patch.to_lines().splitlines(keepends=True)))


def test_a_line_without_end_is_refused():
    with pytest.raises(ValueError, match="not a line"):
        list(read_entries([b" " * MAX_LINE_BYTES + b"{}\n"]))


def test_what_a_path_proves():
    digits = "ab" + "0" * 62
    assert proof_of_path(f"mirrors/x/objects/ab/{'0' * 62}") == ("blake3", digits)
    assert proof_of_path(f"mirrors/x/formulas/@a/b/{digits}.index.json") == ("sha256", digits)
    assert proof_of_path(f"mirrors/x/catalog/{digits}.3a.jsonl") == ("sha256", digits)
    assert proof_of_path("mirrors/x/metadata/1.root.json") is None
    assert proof_of_path(f"mirrors/x/signatures/{digits}/{digits}.sig") is None
    assert proof_of_path("mirror.json") is None
