"""A snapshot is read along a chain of hashes: without keys, without a network, and only as far as it is here."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signed_tree import SignedTree

from mmpm.errors import MmpmError, NotFetchedError, RegistryUntrustedError
from mmpm.registry import layout
from mmpm.registry.folder import FolderTransport
from mmpm.registry.local import LocalCopy
from mmpm.registry.refresh import ALL, RegistrySource, refresh
from mmpm.registry.snapshot import MALFORMED, Snapshot, read_bin_targets, read_snapshot_roles
from mmpm.registry.state import TrustFolder

ID = "acme.corp"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    tree = SignedTree(folder / "registry", ID)
    tree.release("mol-a", "1.0.0", "1.1.0", requires={"mol-b": "^1"})
    tree.release("mol-b", *(f"1.{number}.0" for number in range(400)))
    tree.show()
    source = RegistrySource(ID, (FolderTransport(str(tree.folder)),), tree.fingerprint)
    refresh(source, str(folder / "store"), str(folder / "trust"), tree.now, ALL)
    return folder


@pytest.fixture
def copy(machine, tmp_path):
    shutil.copytree(machine / "store", tmp_path / "store")
    return LocalCopy.of(str(tmp_path / "store"), ID)


@pytest.fixture
def state(machine):
    return TrustFolder.of(str(machine / "trust"), ID).read()


def files(copy, part):
    return sorted(path for path in Path(copy.folder).rglob("*.json") if part in path.name)


def test_an_index_gives_releases_in_order_of_publication_pages_included(copy, state):
    snapshot = Snapshot.open(copy, state)
    assert (snapshot.registry_id, snapshot.serial) == (ID, 2)
    [first, second] = snapshot.releases("mol-a")
    assert [str(first.version), str(second.version)] == ["1.0.0", "1.1.0"]
    assert [str(one) for one in first.requires] == ["mol-b@^1"]
    assert len(snapshot.index("mol-b").lines) < 400
    assert [str(one.version) for one in snapshot.releases("mol-b")] == [f"1.{number}.0" for number in range(400)]


def test_absence_of_any_name_is_proved_when_every_bin_is_here(copy, state):
    snapshot = Snapshot.open(copy, state)
    assert snapshot.has_every_bin
    assert snapshot.index("mol-z") is None
    assert snapshot.releases("mol-z") == ()
    assert snapshot.knows("mol-z")
    assert sorted(snapshot.names()) == ["mol-a", "mol-b"]


@pytest.mark.parametrize("part", ["snapshot.json", "bin-", "index.json", "page-1"])
@pytest.mark.parametrize("harm", ["flip", "cut", "longer", "gone", "link", "folder"])
def test_whatever_happens_to_a_document_here_it_is_never_believed(copy, state, part, harm):
    for path in files(copy, part):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.unlink()
        if harm == "flip":
            path.write_bytes(data)
        elif harm == "cut":
            path.write_bytes(data[:-1])
        elif harm == "longer":
            path.write_bytes(data + b" ")
        elif harm == "link":
            path.symlink_to("/dev/zero")
        elif harm == "folder":
            path.mkdir()
    with pytest.raises(NotFetchedError):
        Snapshot.open(copy, state).releases("mol-b")


def test_a_signed_index_of_another_formula_is_refused(tmp_path):
    tree = SignedTree(tmp_path / "registry", ID)
    tree.release("mol-a", "1.0.0")
    [file] = (tree.folder / "formulas" / "mol-a").iterdir()
    tree.target(layout.index_target("mol-b"), file.read_bytes())
    tree.show()
    source = RegistrySource(ID, (FolderTransport(str(tree.folder)),), tree.fingerprint)
    with pytest.raises(RegistryUntrustedError, match="another formula"):
        refresh(source, str(tmp_path / "store"), str(tmp_path / "trust"), tree.now, ["mol-b"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(max_size=80))
def test_any_text_asked_for_as_a_name_ends_in_an_answer_or_a_plain_refusal(copy, state, name):
    with contextlib.suppress(ValueError, MmpmError):
        Snapshot.open(copy, state).releases(name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("a" * 64),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["signed", "meta", "targets", "hashes", "sha256", "length", "version", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_in_place_of_metadata_is_refused_or_read(value):
    data = json.dumps(value).encode()
    for read in (read_snapshot_roles, read_bin_targets):
        with contextlib.suppress(*MALFORMED):
            read(data)


def test_the_warm_path_imports_nothing_heavy():
    program = (
        "import sys, mmpm.registry.snapshot, mmpm.registry.state\n"
        "heavy = {'tuf', 'obstore', 'pydantic', 'rich', 'cryptography', 'tomlkit', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
