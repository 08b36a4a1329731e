from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_strategies import archive_files, tree_of

from mmpm_store.archive import collect_archive, strip_top
from mmpm_store.canonical import canonical_tar, payload_checksum, stored_gzip, tree_files
from mmpm_store.errors import StoreError
from mmpm_store.tar import ArchiveFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mmpm_store.objects import Store


@given(archive_files())
def test_a_canonical_archive_reads_back(files: list[ArchiveFile]) -> None:
    raw = b"".join(canonical_tar("top", files))
    packed = b"".join(stored_gzip(canonical_tar("top", files)))
    assert (
        strip_top(collect_archive(raw))
        == strip_top(collect_archive(packed))
        == (("top", files) if files else (None, []))
    )
    assert payload_checksum("top", files) == (hashlib.sha256(raw).hexdigest(), len(raw))


@given(archive_files())
def test_python_reads_a_canonical_archive_and_nothing_leaks_into_it(files: list[ArchiveFile]) -> None:
    raw = b"".join(canonical_tar("top", files))
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:", encoding="utf-8") as tar:
        found = []
        for info in tar:
            assert info.isreg()
            assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
            taken = tar.extractfile(info)
            assert taken is not None
            found.append(ArchiveFile(info.name.removeprefix("top/"), info.mode == 0o755, taken.read()))
    assert found == files


@settings(max_examples=15)
@given(archive_files())
def test_tar_unpacks_a_canonical_archive(fresh: Callable[[], Path], files: list[ArchiveFile]) -> None:
    folder = fresh()
    packed = b"".join(stored_gzip(canonical_tar("top", files)))
    done = subprocess.run(["tar", "xzf", "-", "-C", folder], input=packed, capture_output=True, check=True)
    assert done.stderr == b""
    for one in files:
        assert (folder / "top" / one.path).read_bytes() == one.data
        assert bool((folder / "top" / one.path).stat().st_mode & 0o100) == one.executable


@given(st.lists(st.integers(0, 140_000), max_size=4))
def test_stored_gzip_does_not_depend_on_how_its_input_is_cut(sizes: list[int]) -> None:
    chunks = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    whole = b"".join(chunks)
    packed = b"".join(stored_gzip(chunks))
    assert packed == b"".join(stored_gzip([whole]))
    assert gzip.decompress(packed) == whole
    assert len(packed) == 10 + 5 * max(1, -(-len(whole) // 65535)) + len(whole) + 8
    assert packed[:10] == bytes.fromhex("1f8b0800 00000000 00ff".replace(" ", ""))


def test_the_canonical_bytes_never_change() -> None:
    """The format of every published checksum: if this fails, the code is wrong, not the test."""
    files = [
        ArchiveFile("README.md", False, b"# One\n"),
        ArchiveFile("a/" + "long/" * 20 + "x" * 60, False, b""),
        ArchiveFile("formula.toml", False, b"x" * 512),
        ArchiveFile("scripts/run.sh", True, b"#!/bin/sh\n"),
        ArchiveFile("é.md", False, b"pax"),
        ArchiveFile("é/" + "y" * 200, False, b"pax"),
    ]
    assert payload_checksum("mol-sample", files) == (
        "0c8215b204d8bc6a58f9891601a8a6a8850bddcdc33748017024354c38c38132",
        8704,
    )
    packed = hashlib.sha256(b"".join(stored_gzip(canonical_tar("mol-sample", files)))).hexdigest()
    assert packed == "5f50c857dffe9ac03da2619e8e7892fb0af19247429db2a847282e4148404b5b"


def test_the_files_of_a_tree_come_from_the_store(store: Store) -> None:
    files = [ArchiveFile("a", False, b"1"), ArchiveFile("b/c", True, b"2")]
    store.put_many((one.data, one.executable) for one in files)
    assert list(tree_files(tree_of(files), store.read)) == files


@pytest.mark.parametrize("paths", [["b", "a"], ["a", "a"], ["../a"], ["/a"], ["a/"], [""], ["x" * 1020]])
def test_unsorted_or_unsafe_paths_are_not_written(paths: list[str]) -> None:
    with pytest.raises(StoreError):
        list(canonical_tar("top", [ArchiveFile(path, False, b"") for path in paths]))


@pytest.mark.parametrize("top", ["", "a/b", "..", "/", "a\nb"])
def test_the_top_folder_is_one_safe_name(top: str) -> None:
    with pytest.raises(StoreError):
        list(canonical_tar(top, [ArchiveFile("a", False, b"")]))
