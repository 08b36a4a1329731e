"""What the store's laws are drawn from."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from mmpm_store.errors import UnsafePathError
from mmpm_store.ids import ObjectId
from mmpm_store.paths import Taken, check_path
from mmpm_store.tar import ArchiveFile
from mmpm_store.tree import FileEntry, Tree

PARTS = st.one_of(
    st.text(string.ascii_lowercase + string.digits + "._-", min_size=1, max_size=12),
    st.text(string.ascii_letters + " éßñ漢", min_size=1, max_size=60),
    st.sampled_from(["formula.toml", "README.md", "templates", "x" * 90, "y" * 130]),
)


def _is_safe(path: str) -> bool:
    try:
        check_path(path)
    except UnsafePathError:
        return False
    return True


PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join).filter(_is_safe)


def _side_by_side(paths: list[str]) -> list[str]:
    taken = Taken()
    kept = []
    for path in paths:
        try:
            taken.add_file(path)
        except UnsafePathError:
            continue
        kept.append(path)
    return sorted(kept)


DATA = st.one_of(st.binary(max_size=40), st.integers(0, 1600).map(lambda size: b"\xa5" * size))


@st.composite
def archive_files(draw: st.DrawFn) -> list[ArchiveFile]:
    paths = _side_by_side(draw(st.lists(PATHS, max_size=8)))
    return [ArchiveFile(path, draw(st.booleans()), draw(DATA)) for path in paths]


def tree_of(files: list[ArchiveFile]) -> Tree:
    return Tree(tuple(FileEntry(one.path, one.executable, ObjectId.of(one.data), len(one.data)) for one in files))
