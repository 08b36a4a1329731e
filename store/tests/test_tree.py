from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_strategies import archive_files, tree_of

from mmpm_store.errors import StoreError, TreeError
from mmpm_store.ids import ObjectId
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from mmpm_store.tar import ArchiveFile

ID = ObjectId.of(b"abc")


@given(archive_files())
def test_a_tree_reads_back_from_its_text(files: list[ArchiveFile]) -> None:
    tree = tree_of(files)
    assert Tree.parse(tree.to_bytes()) == tree
    assert tree.id == ObjectId.of(tree.to_bytes())
    assert Tree.of(reversed(tree.entries)) == tree
    assert tree.size == sum(len(file.data) for file in files)


@given(archive_files(), st.binary(max_size=3), st.integers(0, 400), st.integers(0, 3))
def test_only_the_one_text_of_a_tree_is_accepted(files: list[ArchiveFile], extra: bytes, where: int, cut: int) -> None:
    text = tree_of(files).to_bytes()
    where = min(where, len(text))
    changed = text[:where] + extra + text[where + cut :]
    try:
        tree = Tree.parse(changed)
    except TreeError:
        return
    assert tree.to_bytes() == changed


def _text(rows: object, form: object = 1, **more: object) -> bytes:
    return json.dumps({"files": rows, "format": form, **more}, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"{}", b"\xff", b'{"files":[]}', b"[" * 100_000, _text([], 2), _text([], True), _text([], 1.0), _text([], x=1), _text(None), _text({}),
        _text([["a", 0, str(ID)]]), _text([["a", 0, str(ID), 1.0]]), _text([["a", 0, str(ID), True]]), _text([["a", 0, str(ID), -1]]), _text([["a", 0, str(ID), "1"]]),
        _text([["a", False, str(ID), 1]]), _text([["a", 2, str(ID), 1]]), _text([["a", 0, ID.hex, 1]]), _text([["a", 0, str(ID).upper(), 1]]), _text([["a", 0, None, 1]]),
        _text([[1, 0, str(ID), 1]]), _text([["../a", 0, str(ID), 1]]), _text([["\ud800", 0, str(ID), 1]]), _text([["b", 0, str(ID), 1], ["a", 0, str(ID), 1]]),
        _text([["a", 0, str(ID), 1], ["a", 0, str(ID), 1]]), _text([["A", 0, str(ID), 1], ["a", 0, str(ID), 1]]), _text([["a", 0, str(ID), 1], ["a/b", 0, str(ID), 1]]),
        _text([]) + b"\n", b" " + _text([]), _text([]).replace(b'"files"', b'"files":[],"files"'), _text([["a", 0, str(ID), 10**30]]),
    ],
)  # fmt: skip
def test_a_listing_that_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(TreeError):
        Tree.parse(data)


def test_a_tree_of_clashing_entries_cannot_be_made() -> None:
    with pytest.raises(StoreError):
        Tree.of([FileEntry("a/b", False, ID, 3), FileEntry("A/c", False, ID, 3)])


def test_the_text_of_a_tree_is_what_the_format_says() -> None:
    tree = Tree.of([FileEntry("run.sh", True, ID, 3), FileEntry("docs/é.md", False, ID, 3)])
    assert tree.to_bytes().decode() == f'{{"files":[["docs/é.md",0,"{ID}",3],["run.sh",1,"{ID}",3]],"format":1}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blake3:",
        "blake3:" + "g" * 64,
        "blake3:" + "A" * 64,
        "sha256:" + "a" * 64,
        "blake3:" + "a" * 63,
        " blake3:" + "a" * 64,
        "blake3:" + "a" * 64 + "\n",
    ],
)
def test_an_object_id_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="object id"):
        ObjectId.parse(text)
    assert ObjectId.parse(str(ID)) == ID
