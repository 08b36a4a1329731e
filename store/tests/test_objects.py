from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mmpm_store import durable, writing
from mmpm_store.errors import DamagedObjectError, MissingObjectError, NewerStoreError, NoSpaceError, NotAStoreError
from mmpm_store.ids import ObjectId
from mmpm_store.layout import hash_in, mode_of
from mmpm_store.objects import Store, StoreStatus, object_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = st.binary(max_size=4) | st.sampled_from([b"", b"x" * 5000])


class StoreAgainstDict(RuleBasedStateMachine):
    """The store is a dict from id to bytes, and stays one when somebody damages it."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.store = Store.open(self.folder.name, durability="none")
        self.model: dict[ObjectId, bytes] = {}
        self.variants: set[tuple[ObjectId, bool]] = set()

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(data=DATA, executable=st.booleans())
    def put(self, data: bytes, executable: bool) -> None:
        object_id = self.store.put(data, executable)
        self.model[object_id] = data
        self.variants.add((object_id, executable))

    @rule(files=st.lists(st.tuples(DATA, st.booleans()), max_size=4))
    def put_many(self, files: list[tuple[bytes, bool]]) -> None:
        for object_id, (data, executable) in zip(self.store.put_many(files), files, strict=True):
            self.model[object_id] = data
            self.variants.add((object_id, executable))

    @rule(data=DATA)
    def read(self, data: bytes) -> None:
        object_id = ObjectId.of(data)
        if object_id in self.model:
            assert self.store.read(object_id) == data == self.store.peek(object_id)
        else:
            assert self.store.peek(object_id) is None
            with pytest.raises(MissingObjectError):
                self.store.read(object_id)

    @rule(data=DATA, executable=st.booleans(), wrong=st.binary(max_size=3))
    def damage(self, data: bytes, executable: bool, wrong: bytes) -> None:
        object_id = ObjectId.of(data)
        if (object_id, executable) not in self.variants or wrong == data:
            return
        path = self.store.path_of(object_id, executable)
        os.chmod(path, 0o644)
        with open(path, "wb") as file:
            file.write(wrong)
        if (object_id, not executable) in self.variants:
            assert self.store.read(object_id) == data
            if not self.store.has(object_id, executable):  # the read met it first
                self.variants.discard((object_id, executable))
            else:
                os.unlink(path)
                self.variants.discard((object_id, executable))
            return
        with pytest.raises(DamagedObjectError):
            self.store.read(object_id)
        self.variants.discard((object_id, executable))
        del self.model[object_id]

    @invariant()
    def holds_what_the_dict_holds(self) -> None:
        assert {(object_id, executable) for object_id, executable, _ in self.store.objects()} == self.variants
        assert self.store.missing(self.model) == set()
        for object_id, executable in self.variants:
            assert self.store.has(object_id, executable)
            assert stat.S_IMODE(os.stat(self.store.path_of(object_id, executable)).st_mode) == (
                0o555 if executable else 0o444
            )
        assert os.listdir(f"{self.store.path}/staging") == []


StoreAgainstDict.TestCase.settings = __import__("hypothesis").settings(
    max_examples=30, stateful_step_count=20, deadline=None
)
TestStoreAgainstDict = StoreAgainstDict.TestCase


def test_an_object_is_read_only_whatever_the_umask(store: Store) -> None:
    before = os.umask(0o077)
    try:
        object_id = store.put(b"abc", executable=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(store.path_of(object_id, True)).st_mode) == 0o555
    assert not store.has(object_id, executable=False)
    assert store.has(object_id)
    assert store.status() == StoreStatus(objects=1, bytes=3, roots=0, quarantined=0, quarantined_bytes=0, staging=0)


def test_putting_again_keeps_the_inode_and_renews_the_age(store: Store) -> None:
    object_id = store.put(b"abc")
    path = store.path_of(object_id)
    inode = os.stat(path).st_ino
    os.utime(path, (1, 1))
    store.put(b"abc")
    assert os.stat(path).st_ino == inode
    assert os.stat(path).st_mtime > 1


def test_putting_mends_a_damaged_object_and_keeps_what_was_there(store: Store) -> None:
    object_id = store.put(b"abc")
    os.chmod(store.path_of(object_id), 0o644)
    with open(store.path_of(object_id), "wb") as file:
        file.write(b"a person's edit")
    assert store.put(b"abc") == object_id
    assert store.read(object_id) == b"abc"
    (aside,) = os.listdir(f"{store.path}/quarantine")
    with open(f"{store.path}/quarantine/{aside}", "rb") as file:
        assert file.read() == b"a person's edit"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/etc/passwd", path), os.mkdir])
def test_what_is_no_plain_file_is_never_read_through(store: Store, make: Callable[[str], None]) -> None:
    object_id = store.put(b"abc")
    os.unlink(store.path_of(object_id))
    make(store.path_of(object_id))
    with pytest.raises(DamagedObjectError):
        store.read(object_id)
    assert store.put(b"abc") == object_id
    assert store.read(object_id) == b"abc"


def test_a_store_of_a_newer_version_is_refused_unharmed(store: Store) -> None:
    with open(f"{store.path}/version", "wb") as file:
        file.write(b"2\n")
    before = sorted(os.listdir(store.path))
    with pytest.raises(NewerStoreError):
        Store.open(store.path)
    assert sorted(os.listdir(store.path)) == before


def test_a_minor_version_is_read(store: Store) -> None:
    with open(f"{store.path}/version", "wb") as file:
        file.write(b"1.7\n")
    assert Store.open(store.path).path == store.path


@pytest.mark.parametrize("version", [b"", b"x\n", b"-1\n", b"\xff"])
def test_a_store_without_a_readable_version_is_refused(store: Store, version: bytes) -> None:
    with open(f"{store.path}/version", "wb") as file:
        file.write(version)
    with pytest.raises(NotAStoreError):
        Store.open(store.path)


def test_a_folder_with_something_else_in_it_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(NotAStoreError):
        Store.open(tmp_path)
    assert os.listdir(tmp_path) == ["photo.jpg"]
    with pytest.raises(NotAStoreError):
        Store.open(tmp_path / "photo.jpg")
    with pytest.raises(NotAStoreError):
        Store.open(tmp_path / "none", create=False)
    assert os.listdir(tmp_path) == ["photo.jpg"]


def test_a_creation_that_was_cut_short_is_completed(tmp_path: Path) -> None:
    os.makedirs(tmp_path / "objects")
    store = Store.open(tmp_path)
    assert store.read(store.put(b"abc")) == b"abc"


def test_a_full_disk_leaves_nothing_half_visible(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = durable.write_all

    def full_after_the_first(fd: int, data: bytes) -> None:
        if data == b"second":
            os.write(fd, b"sec")
            raise OSError(28, "No space left on device")
        real(fd, data)

    monkeypatch.setattr(writing, "write_all", full_after_the_first)
    with pytest.raises(NoSpaceError) as caught:
        store.put_many([(b"first", False), (b"second", False)])
    assert "\n" not in caught.value.fact
    assert list(store.objects()) == []
    assert os.listdir(f"{store.path}/staging") == []


def test_a_store_on_a_disk_with_no_room_left_says_so(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for a disk that ends in the middle of a write."""
    script = (
        "import resource, signal, sys\n"
        "from mmpm_store.objects import Store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "store = Store.open(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    store.put(b'x' * 5000)\n"
        "except OSError:\n    print(list(store.objects()), __import__('os').listdir(store.path + '/staging'))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "s"], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_durable_put_is_flushed_before_it_is_shown_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    log: list[str] = []
    store = Store.open(tmp_path / "s")
    rename = os.rename
    monkeypatch.setattr(writing, "fsync_path", lambda path: log.append("folder" if os.path.isdir(path) else "flush"))
    monkeypatch.setattr(writing, "sync_filesystem", lambda _path: log.append("sync"))
    monkeypatch.setattr(os, "rename", lambda old, new: (log.append("show"), rename(old, new)))
    store.put_many([(b"%d" % number, False) for number in range(count)])
    kinds = [kind for kind, before in zip(log, ["", *log], strict=False) if kind != before]
    shown = [kind for kind in kinds if kind != "show"]
    assert "show" in kinds
    assert shown == (["sync", "sync"] if count > 4 else ["flush", "folder"])
    assert kinds.index("show") == 1


def test_importing_the_store_costs_little() -> None:
    script = "import sys, mmpm_store.objects, mmpm_store.materialise, mmpm_store.roots; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    heavy = {
        "ctypes",
        "logging",
        "tempfile",
        "shutil",
        "zstandard",
        "asyncio",
        "pydantic",
        "hashlib",
        "random",
        "subprocess",
        "mmpm",
    }
    assert heavy & set(done.stdout.split()) == set()


@pytest.mark.parametrize("executable", [False, True])
def test_the_name_of_an_object_tells_its_hash_and_its_mode(executable: bool) -> None:
    object_id = ObjectId.of(b"abc")
    name = object_name(object_id, executable)
    assert hash_in(name) == object_id.hex
    assert mode_of(name) == (0o555 if executable else 0o444)
