"""A verified state gives exactly the files that its timestamp reaches, and nothing that its keys do not vouch for."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from registry_tree import HOST, FolderRegistry, bundle, formula
from signed_tree import SignedTree

from mmpm.errors import MissingTreeFileError, MmpmError, RegistryUntrustedError, RolledBackError, UntrustedMetadataError
from mmpm.model.names import FormulaName
from mmpm.registry import layout
from mmpm.registry.destination import TreeDestination, read_plain
from mmpm.registry.index import INDEX_LINES
from mmpm.registry.verified import TreeFile, VerifiedState
from mmpm.trust.facts import Floors, TargetFile
from mmpm_store.ids import ObjectId

A = FormulaName.parse("mol-a")


@pytest.fixture
def registry(tmp_path):
    made = FolderRegistry(tmp_path)
    made.publish(formula("mol-a", "1.0.0"), formula("mol-b"), bundle("tool"))
    made.later(hours=1)
    made.publish(formula("mol-a", "1.1.0"))
    return made


def reader(folder):
    return TreeDestination(str(folder)).read


def opened(registry, folder=None, **more):
    return VerifiedState.open(reader(folder or registry.root), registry.keys.root, registry_id=HOST, **more)


def test_the_tree_files_are_those_on_the_disk_but_for_aliases_and_older_states(registry):
    state = opened(registry)
    files = {file.path: file for file in state.tree_files()}
    there = {str(path.relative_to(registry.root)) for path in Path(registry.root).rglob("*") if path.is_file()}
    left = there - set(files)
    older = {path for path in left if layout.parse_role_file(path) or layout.parse_hashed(path)}
    aliases = {path for path in left if path.endswith(("/index.json", "/download")) or path == "registry.json"}
    assert set(files) <= there
    assert left - older - aliases - {path for path in left if path.startswith(".staging")} == set()
    for file in files.values():
        data = Path(registry.root, file.path).read_bytes()
        assert file.proves(data)
        assert state.bytes_of(file) == data


def test_names_and_releases_are_those_published(registry):
    state = opened(registry)
    assert [str(name) for name in state.names()] == ["mol-a", "mol-b", "tool"]
    assert [str(one.version) for one in state.releases(A)] == ["1.0.0", "1.1.0"]
    assert state.releases(FormulaName.parse("mol-none")) == ()
    assert state.document(state.releases(A)[0]).description == "What mol-a does"
    assert set(state.catalog(layout.shard_of("mol-a"))) >= {"mol-a"}


def test_a_selection_leaves_out_the_files_of_other_releases_and_no_metadata(registry):
    class Only:
        def has(self, release):
            return str(release.version) == "1.1.0"

    state = opened(registry)
    whole = {file.path for file in state.tree_files()}
    part = {file.path for file in state.tree_files(Only())}
    assert part < whole
    assert all(path.startswith("objects/") for path in whole - part)
    kept = {file.path for file in state.release_files(state.releases(A)[1])}
    assert {path for path in part if path.startswith("objects/")} == kept


def test_pages_belong_to_the_state(tmp_path):
    tree = SignedTree(tmp_path / "tree", HOST)
    tree.release("mol-a", *(f"{number}.0.0" for number in range(1, INDEX_LINES + 10)))
    tree.show()
    root = (tmp_path / "tree" / layout.role_file("root", 1)).read_bytes()
    state = VerifiedState.open(reader(tree.folder), root, registry_id=HOST)
    index = state.index(A)
    pages = list(state.page_files(index))
    assert len(pages) == 1
    assert len(state.releases(A)) == INDEX_LINES + 9
    (tree.folder / pages[0].path).unlink()
    with pytest.raises(MissingTreeFileError, match="page-1"):
        state.releases(A)


def everything(registry, folder):
    state = opened(registry, folder)
    for file in state.tree_files():
        state.bytes_of(file)


def test_every_tree_file_that_is_damaged_or_missing_is_refused_by_its_name(registry, tmp_path):
    """One file of each kind; the sweep over every byte is the acceptance tests'."""
    state = opened(registry)
    seen = set()
    for file in state.tree_files():
        kind = file.path.partition("/")[0] + (layout.parse_role_file(file.path) or ("",))[0][:4]
        if file.path == layout.role_file("timestamp", state.serial) or kind in seen:
            continue
        seen.add(kind)
        copy = tmp_path / "copy"
        shutil.copytree(registry.root, copy)
        victim = copy / file.path
        data = victim.read_bytes()
        os.chmod(victim, 0o644)
        # What signatures alone prove, roots and timestamp, may end in white space.
        longer = data + (b"x" if victim.name.endswith(("root.json", "timestamp.json")) else b" ")
        for wrong in (data[:-1], longer, bytes([data[0] ^ 1]) + data[1:], b""):
            victim.write_bytes(wrong)
            with pytest.raises((UntrustedMetadataError, RegistryUntrustedError)) as caught:
                everything(registry, copy)
            assert victim.name in caught.value.fact or victim.name.split(".")[-2] in caught.value.fact
        victim.unlink()
        with pytest.raises(MissingTreeFileError) as caught:
            everything(registry, copy)
        assert caught.value.path == file.path
        shutil.rmtree(copy)
    assert len(seen) >= 9


def test_floors_hold_and_another_registry_is_refused(registry):
    state = opened(registry)
    floors = Floors(state.chain.epoch, state.issued, state.serial + 1)
    with pytest.raises(RolledBackError):
        opened(registry, floors=floors)
    with pytest.raises(RegistryUntrustedError, match="calls itself"):
        VerifiedState.open(reader(registry.root), registry.keys.root, registry_id="other.example")
    other = SignedTree(Path(registry.root).parent / "other", HOST)
    with pytest.raises(UntrustedMetadataError, match="another root"):
        VerifiedState.open(reader(other.folder), registry.keys.root, registry_id=HOST)


def test_an_older_timestamp_gives_the_older_state(registry):
    older = Path(registry.root, layout.role_file("timestamp", 2)).read_bytes()
    assert [str(one.version) for one in opened(registry, timestamp=older).releases(A)] == ["1.0.0"]


def test_roots_are_walked_from_the_first_through_the_trusted_one_to_the_newest(tmp_path):
    tree = SignedTree(tmp_path / "tree", HOST)
    tree.rotate("timestamp")
    tree.show(days=1)
    tree.rotate("root", "snapshot")
    tree.show(days=1)
    for trusted in (1, 2, 3):
        root = (tree.folder / layout.role_file("root", trusted)).read_bytes()
        state = VerifiedState.open(reader(tree.folder), root, registry_id=HOST)
        roots = [file.path for file in state.metadata() if file.path.endswith(".root.json")]
        assert roots == [layout.role_file("root", version) for version in (1, 2, 3)]
        assert state.chain.root_version == 3
    (tree.folder / layout.role_file("root", 2)).unlink()
    with pytest.raises(MissingTreeFileError, match=r"2\.root\.json"):
        VerifiedState.open(reader(tree.folder), root, registry_id=HOST)


def test_a_target_with_a_path_of_no_target_is_refused(tmp_path):
    for target in ("../outside.json", "objects/aa/bb", "mirrors/x/index.json"):
        tree = SignedTree(tmp_path / target.replace("/", "-"), HOST)
        tree.listed[layout.bin_of(target)][target] = TargetFile.of(b"x")
        tree.show()
        root = (tree.folder / layout.role_file("root", 1)).read_bytes()
        with pytest.raises(MmpmError, match="path"):
            list(VerifiedState.open(reader(tree.folder), root, registry_id=HOST).targets())


# ---- where files go


def test_what_is_put_is_there_read_only_and_shown_last(registry, tmp_path):
    state = opened(registry)
    with TreeDestination(str(tmp_path / "mirror")) as destination:
        for file in state.tree_files():
            if file.path != layout.TIMESTAMP:
                assert not destination.has(file)
                destination.put(file.path, (state.bytes_of(file),))
                assert destination.has(file)
        assert destination.read(layout.TIMESTAMP, 1 << 16) is None
        destination.show(state)
        destination.show(state)
    everything(registry, tmp_path / "mirror")
    paths = [path for path in (tmp_path / "mirror").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o444}
    assert not list((tmp_path / "mirror" / layout.STAGING).iterdir())


def test_metadata_of_the_same_length_and_other_bytes_is_not_taken_as_there(tmp_path):
    destination = TreeDestination(str(tmp_path))
    path = layout.role_file("snapshot", 3)
    (tmp_path / "metadata").mkdir()
    (tmp_path / path).write_bytes(b"old")
    assert not destination.has(TreeFile(path, 3, sha256(b"new").hexdigest()))
    assert destination.has(TreeFile(path, 3, sha256(b"old").hexdigest()))


def test_links_and_pipes_are_not_there(tmp_path):
    (tmp_path / "real").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "pipe")
    assert read_plain(str(tmp_path / "real"), 2) == b"abc"
    assert read_plain(str(tmp_path / "link"), 9) is None
    assert read_plain(str(tmp_path / "pipe"), 9) is None
    assert read_plain(str(tmp_path / "none"), 9) is None
    destination = TreeDestination(str(tmp_path))
    assert not destination.has(TreeFile("link", 4, object_id=ObjectId.of(b"abc")))
    with pytest.raises(ValueError, match="not a path"):
        destination.read("../x", 1)
