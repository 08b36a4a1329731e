"""Every damaged, missing or foreign file of a mirror is named; what is superseded is none of these, and is pruned."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mirroring import Listener, mirror, opened, tree_bytes
from registry_tree import HOST, FolderRegistry, bundle, formula

from mmpm.errors import MmpmError
from mmpm.registry import layout
from mmpm.registry.destination import TreeDestination
from mmpm.registry.mirror.pruning import GRACE_SECONDS, prune_tree
from mmpm.registry.mirror.selection import Chosen, Selection, choose
from mmpm.registry.mirror.shapes import release_of, shape_of
from mmpm.registry.mirror.verifying import Verifying


@pytest.fixture
def registry(tmp_path):
    made = FolderRegistry(tmp_path)
    made.publish(formula("mol-a", "1.0.0"), bundle("tool"))
    made.later(hours=1)
    made.publish(formula("mol-a", "1.1.0"), formula("@acme/x"))
    return made


@pytest.fixture
def tree(registry, tmp_path):
    where = tmp_path / "mirror" / HOST
    mirror(registry, where)
    return where


def look(registry, tree, chosen=None, *, quick=False):
    state = opened(registry, tree)
    return Verifying(TreeDestination(str(tree)), state, chosen or Chosen(), Listener(), quick).look()


def spoil(path, data=b"damaged"):
    os.chmod(path, 0o644)
    path.write_bytes(data)


@pytest.mark.parametrize("quick", [False, True])
def test_a_fresh_mirror_and_the_registry_itself_are_whole(registry, tree, quick):
    found = look(registry, tree, quick=quick)
    assert found.is_whole
    assert (found.releases, found.unneeded) == (4, 0)
    assert found.files == len(tree_bytes(registry, tree))
    assert look(registry, Path(registry.root), quick=quick).is_whole


def readable(path):
    """Files that opening the state does not read already: those are refused by `VerifiedState`."""
    parsed = layout.parse_role_file(path)
    return path != layout.TIMESTAMP and (parsed is None or parsed[0].startswith("bin-"))


@pytest.mark.parametrize("quick", [False, True])
def test_each_damaged_or_missing_file_is_named_alone(registry, tree, quick):
    whole = tree_bytes(registry, tree)
    for path in [path for path in sorted(whole) if readable(path)][::17]:
        data = (tree / path).read_bytes()
        spoil(tree / path, bytes([data[0] ^ 1]) + data[1:])
        if not quick or not path.startswith("objects/"):  # a flipped bit keeps the length
            found = look(registry, tree, quick=quick)
            assert path in found.damaged
            assert [one for one in found.damaged if one != path] == found.missing == []
        spoil(tree / path, data + b"x")
        assert path in look(registry, tree, quick=quick).damaged
        (tree / path).unlink()
        found = look(registry, tree, quick=quick)
        assert found.missing == [path]
        assert not found.damaged
        (tree / path).write_bytes(data)
    assert look(registry, tree, quick=quick).is_whole


def test_several_faults_are_all_named(registry, tree):
    whole = [path for path in sorted(tree_bytes(registry, tree)) if path.startswith(("objects/", "catalog/"))]
    spoil(tree / whole[0])
    spoil(tree / whole[-1])
    (tree / whole[1]).unlink()
    found = look(registry, tree)
    assert {whole[0], whole[-1]} == set(found.damaged)
    assert found.missing == [whole[1]]


def test_foreign_files_and_links_are_named_and_superseded_ones_are_not(registry, tree):
    registry.later(hours=1)
    registry.publish(formula("mol-a", "1.2.0"))
    mirror(registry, tree)
    (tree / "objects" / "evil.txt").write_bytes(b"x")
    (tree / "formulas" / "mol-a" / "script.sh").write_bytes(b"x")
    (tree / "objects" / "aa").mkdir(exist_ok=True)
    (tree / "objects" / "aa" / ("0" * 62)).write_bytes(b"not what its name says")
    (tree / "link").symlink_to("/etc")
    (tree / "formulas" / f"{'0' * 64}.index.json").write_bytes(b"{}")
    found = look(registry, tree)
    assert found.foreign == sorted(
        [
            "objects/evil.txt",
            "formulas/mol-a/script.sh",
            f"objects/aa/{'0' * 62}",
            "link",
            f"formulas/{'0' * 64}.index.json",
        ]
    )
    assert found.unneeded > 0
    assert not found.damaged
    assert not found.missing


# ---- pruning


def prune(registry, tree, chosen=None, after=0.0, *, trial=False):
    state = opened(registry, tree)
    return prune_tree(TreeDestination(str(tree)), state, chosen or Chosen(), time.time() + after, trial=trial)


def test_nothing_goes_that_is_reached_and_superseded_metadata_only_after_the_grace_time(registry, tree):
    assert prune(registry, tree).files == 0
    registry.later(hours=1)
    registry.publish(formula("mol-a", "1.2.0"))
    mirror(registry, tree)
    before = tree_bytes(registry, tree)
    assert prune(registry, tree).files == 0
    would = prune(registry, tree, after=GRACE_SECONDS + 60, trial=True)
    assert look(registry, tree).unneeded == would.files > 0
    pruned = prune(registry, tree, after=GRACE_SECONDS + 60)
    assert (pruned.files, pruned.bytes) == (would.files, would.bytes)
    found = look(registry, tree)
    assert found.is_whole
    assert found.unneeded == 0
    assert tree_bytes(registry, tree) == before


def test_a_narrower_selection_frees_the_objects_and_copies_of_the_others_at_once(registry, tree):
    state = opened(registry, tree)
    chosen = choose({HOST: state}, {HOST: Selection.of(only=["tool"])}).chosen[HOST]
    mirror(registry, tree, chosen=chosen)
    (tree / "foreign.txt").write_bytes(b"kept")
    pruned = prune(registry, tree, chosen)
    assert pruned.files > 0
    found = look(registry, tree, chosen)
    assert (found.missing, found.damaged, found.unneeded, found.foreign) == ([], [], 0, ["foreign.txt"])
    assert [str(path.relative_to(tree)) for path in tree.rglob("download")] == ["formulas/tool/1.0.0/download"]
    assert not (tree / "formulas/mol-a/index.json").exists()
    objects = {path for path in tree_bytes(registry, tree, chosen) if path.startswith("objects/")}
    assert {str(path.relative_to(tree)) for path in (tree / "objects").rglob("*") if path.is_file()} == objects


def test_where_the_tree_is_not_whole_nothing_goes(registry, tree):
    chosen = choose({HOST: opened(registry, tree)}, {HOST: Selection.of(only=["tool"])}).chosen[HOST]
    state = opened(registry, tree)
    index = next(file.path for target, file in state.targets() if layout.name_of_index(target))
    spoil(tree / index)
    before = sorted(tree.rglob("*"))
    with pytest.raises(MmpmError):
        prune(registry, tree, chosen, after=2 * GRACE_SECONDS)
    assert sorted(tree.rglob("*")) == before


# ---- shapes


@given(
    st.text()
    | st.lists(st.sampled_from(["objects", "formulas", "a", "..", "1.0.0", "index.json", "aa", "@s"])).map("/".join)
)
def test_any_path_has_a_shape(path):
    assert shape_of(path) in {
        "metadata", "target", "object", "signature", "release alias", "page alias", "note", "foreign",
    }  # fmt: skip
    release_of(path)


def test_every_file_of_a_tree_has_the_shape_of_what_it_is(registry, tree):
    shapes = {
        str(path.relative_to(tree)): shape_of(str(path.relative_to(tree))) for path in tree.rglob("*") if path.is_file()
    }
    assert "foreign" not in shapes.values()
    for path in tree_bytes(registry, tree):
        assert shapes[path] in {"metadata", "target", "object", "signature"}
    assert shapes["formulas/@acme/x/index.json"] == "page alias"
    assert shapes["formulas/@acme/x/1.0.0/download"] == "release alias"
    assert release_of("formulas/@acme/x/1.0.0/download") == ("@acme/x", "1.0.0")
