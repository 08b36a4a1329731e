"""Reading packs: what is right comes out, what is not is refused by the name of its member."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hand_made_packs import HandMade, described, full_pack, packed, packed_file
from hypothesis import given
from hypothesis import strategies as st
from registry_tree import HOST, FolderRegistry, bundle, formula

from mmpm.errors import PackRefusedError
from mmpm.registry.pack.entries import Patch
from mmpm.registry.pack.reading import PackReader, unpatch


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    registry = FolderRegistry(tmp_path_factory.mktemp("origin"))
    registry.publish(formula("mol-a"), bundle("mol-b"))
    return Path(registry.root)


@pytest.fixture(scope="module")
def made(tree):
    return full_pack(HOST, tree)


@pytest.fixture(scope="module")
def whole(made):
    return made.data()


def read(data: bytes) -> dict[str, bytes]:
    reader = PackReader(io.BytesIO(data), "carried.pack")
    return {entry.path: found for entry, found in reader.members() if not isinstance(entry, Patch)}


def refused(data: bytes, *words: str) -> str:
    with pytest.raises(PackRefusedError) as caught:
        read(data)
    fact = caught.value.fact
    assert "\n" not in fact
    assert fact.startswith("pack carried.pack")
    for word in words:
        assert word in fact, fact
    return fact


def small(*members: tuple[str, bytes]) -> HandMade:
    made = HandMade((described_nowhere(),))
    for path, data in members:
        made.add(path, data)
    return made


def described_nowhere():
    from mmpm.registry.pack.format import PackedRegistry

    return PackedRegistry(HOST, ("a" * 64,), 1, "2026-01-10T00:00:00Z", None, "all", 0, 0, 0, 0)


STAMP = f"mirrors/{HOST}/metadata/timestamp.json"


def test_a_pack_gives_every_file_of_the_tree(tree, made, whole):
    files = read(whole)
    assert len(files) == len(made.members)
    assert all((tree / path.split("/", 2)[2]).read_bytes() == data for path, data in files.items())


def test_the_head_can_be_read_without_the_rest(whole, tree):
    head = PackReader(io.BytesIO(whole), "carried.pack").head
    assert [one.id for one in head.registries] == [HOST]
    assert head.registries == (described(HOST, tree),)


@given(st.data())
def test_a_flipped_bit_is_refused_or_harmless(whole, made, data):
    at = data.draw(st.integers(0, len(whole) - 1))
    bad = bytearray(whole)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(PackRefusedError):
        assert read(bytes(bad)) == {entry.path: found for entry, found in made.members}


@given(st.integers(min_value=0))
def test_a_truncated_pack_is_refused(whole, length):
    refused(whole[: length % len(whole)])


@given(st.binary(max_size=300))
def test_what_is_no_pack_is_refused(data):
    refused(data)


def test_every_member_that_is_damaged_is_named(made):
    members = made.tar_members()
    for number in (2, 5, len(members) // 2, len(members) - 1):
        name, data = members[number]
        changed = [*members[:number], (name, bytes([data[0] ^ 1]) + data[1:]), *members[number + 1 :]]
        refused(packed(changed), name, "is damaged")


def test_a_missing_a_doubled_a_swapped_and_a_foreign_member_are_named(made):
    members = made.tar_members()
    name, data = members[4]
    refused(packed([*members[:4], *members[5:]]), "is not expected here", name)
    refused(packed(members[:-1]), members[-1][0], "is missing")
    refused(packed([*members[:4], members[5], members[4], *members[6:]]), name)
    refused(packed([*members[:5], members[4], *members[5:]]), name)
    refused(packed([*members, (name, data)]), name, "is there twice")
    refused(packed([*members, ("objects/more", b"")]), "objects/more", "not in the list")
    refused(packed([("first", b""), *members]), "first")
    refused(packed([members[0], *members[2:]]), "files.jsonl")


def test_a_member_of_another_length_is_refused_before_it_is_read(made):
    members = made.tar_members()
    name, data = members[6]
    refused(packed([*members[:6], (name, data + b"x"), *members[7:]]), name, f"has {len(data) + 1} bytes")


@pytest.mark.parametrize(
    "path",
    [
        "mirrors/../../etc/passwd",
        "/etc/passwd",
        f"mirrors/{HOST}/../x",
        f"mirrors/{HOST}/.staging/x",
        f"mirrors/{HOST}/formulas/mol-a/index.json",
        "mirrors/UPPER.example/metadata/timestamp.json",
        "pinned",
        "mirrors",
    ],
)
def test_a_path_outside_of_the_known_layout_is_refused(path):
    made = small()
    made.members.append((packed_file(STAMP, b"x"), b"x"))
    made.listing = made.list_bytes().replace(STAMP.encode(), path.encode())
    refused(made.data())


def test_a_list_that_names_a_file_twice_is_refused():
    refused(small((STAMP, b"x"), (STAMP, b"x")).data(), STAMP, "is listed twice")


def test_a_file_that_claims_to_be_longer_than_any_may_be_is_refused():
    made = small((STAMP, b"x"))
    made.members = [(replace(entry, length=1 << 40), data) for entry, data in made.members]
    refused(made.data(), STAMP, "is longer than")


def test_a_list_with_another_count_than_the_head_gives_is_refused():
    made = small((STAMP, b"x"))
    from mmpm.registry.pack.format import PackHead

    head = PackHead.parse(made.head_bytes())
    made.head = replace(head, files=2).to_bytes()
    refused(made.data(), "files.jsonl")


def test_a_second_pack_behind_the_first_is_refused(whole):
    refused(whole + whole, "follows")
    refused(whole + b"x", "follows")


def patched(bases: dict[str, bytes], files: dict[str, bytes]) -> tuple[Patch, bytes]:
    made = small()
    made.patch(bases, files)
    reader = PackReader(io.BytesIO(made.data()), "carried.pack")
    [(entry, frame)] = list(reader.members())
    assert isinstance(entry, Patch)
    return entry, frame


OLD = f"mirrors/{HOST}/metadata/1.bin-00.json"
NEW = [f"mirrors/{HOST}/metadata/{number}.bin-00.json" for number in (2, 3)]


@given(old=st.binary(max_size=200), new=st.lists(st.binary(max_size=200), min_size=2, max_size=2))
def test_files_come_out_of_a_patch_with_the_base_it_was_made_against_alone(old, new):
    files = dict(zip(NEW, new, strict=True))
    patch, frame = patched({OLD: old}, files)
    assert {file.path: data for file, data in unpatch("p", patch, frame, [old])} == files
    wrong = [bytes([old[0] ^ 1]) + old[1:] if old else b"more"]
    with suppress(PackRefusedError):
        assert {file.path: data for file, data in unpatch("p", patch, frame, wrong)} == files


@given(st.integers(0), st.integers(0, 7))
def test_a_flipped_bit_of_a_patch_is_refused_or_harmless(at, bit):
    files = {NEW[0]: b"some words, " * 10, NEW[1]: b"and some more"}
    patch, frame = patched({OLD: b"some words"}, files)
    bad = bytearray(frame)
    bad[at % len(bad)] ^= 1 << bit
    with suppress(PackRefusedError):
        assert {file.path: data for file, data in unpatch("p", patch, bytes(bad), [b"some words"])} == files


def test_a_patch_that_unfolds_to_more_than_is_listed_is_refused():
    import zstandard

    patch, _ = patched({}, {NEW[0]: b"short"})
    raw = zstandard.ZstdCompressionDict(patch.dictionary([]), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    for compressor in (
        zstandard.ZstdCompressor(dict_data=raw),
        zstandard.ZstdCompressor(dict_data=raw, write_content_size=False),
    ):
        frame = compressor.compress(bytes(50_000_000))
        with pytest.raises(PackRefusedError, match=r"patches/1\.zst"):
            list(unpatch("p", patch, frame, []))
