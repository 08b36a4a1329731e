from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_strategies import archive_files, tree_of

from mmpm_store import verifying
from mmpm_store.errors import DamagedObjectError, LinkError, MissingObjectError, NoSpaceError, StoreError, TreeError
from mmpm_store.ids import ObjectId
from mmpm_store.materialise import LinkReport, Placement, link_object, materialise
from mmpm_store.objects import Store
from mmpm_store.tar import ArchiveFile
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = [
    ArchiveFile("formula.toml", False, b"[formula]"),
    ArchiveFile("scripts/run.sh", True, b"#!/bin/sh"),
    ArchiveFile("t/a.md", False, b"a"),
]


def put(store: Store, files: list[ArchiveFile]) -> Tree:
    store.put_many((one.data, one.executable) for one in files)
    return tree_of(files)


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = (file.read(), stat.S_IMODE(os.stat(path).st_mode))
    return found


def expected(files: list[ArchiveFile], before: str = "") -> dict[str, tuple[bytes, int]]:
    return {before + one.path: (one.data, 0o555 if one.executable else 0o444) for one in files}


def refusing(number: int, after: int = 0) -> Callable[..., None]:
    calls = [0]

    def link(*args: str, **kwargs: int) -> None:
        calls[0] += 1
        if calls[0] > after:
            raise OSError(number, os.strerror(number))
        os.link(*args, **kwargs)

    return link


@given(archive_files(), st.sampled_from(["auto", "hard", "copy"]), st.booleans())
def test_a_tree_comes_out_with_its_bytes_and_modes(
    fresh: Callable[[], Path], files: list[ArchiveFile], link: str, verify: bool
) -> None:
    folder = fresh()
    store = Store.open(folder / "store", durability="none")
    tree = put(store, files)
    report = materialise(
        store, str(folder / "out"), [Placement(tree, "x"), Placement(tree, "y/z")], link=link, verify=verify
    )  # type: ignore[arg-type]
    assert contents(folder / "out") == {**expected(files, "x/"), **expected(files, "y/z/")}
    assert report.linked + report.copied == 2 * len(files)
    assert report.copied == (2 * len(files) if link == "copy" else 0)
    for one in files:
        shared = (
            os.stat(folder / "out" / "x" / one.path).st_ino
            == os.stat(store.path_of(ObjectId.of(one.data), one.executable)).st_ino
        )
        assert shared == (link != "copy")


def test_files_can_be_renamed_and_placed_a_second_time(store: Store, tmp_path: Path) -> None:
    tree = put(store, FILES)
    placement = Placement(tree, "mol-x", renames={"t/a.md": "t/b.md"}, copies=(("formula.toml", "mol-x.formula.toml"),))
    materialise(store, str(tmp_path / "out"), [placement])
    assert sorted(contents(tmp_path / "out")) == [
        "mol-x.formula.toml",
        "mol-x/formula.toml",
        "mol-x/scripts/run.sh",
        "mol-x/t/b.md",
    ]


@pytest.mark.parametrize(
    "placement",
    [
        {"folder": ".."},
        {"folder": "/tmp"},
        {"folder": "a/../.."},
        {"renames": {"t/a.md": "../x"}},
        {"copies": (("t/a.md", "/etc/x"),)},
        {"renames": {"t/a.md": "formula.toml"}},
    ],
)
def test_nothing_is_placed_outside_or_twice(store: Store, tmp_path: Path, placement: dict[str, object]) -> None:
    tree = put(store, FILES)
    with pytest.raises(StoreError):
        materialise(store, str(tmp_path / "out"), [Placement(tree, **placement)])  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("number", "after"), [(errno.EXDEV, 0), (errno.EPERM, 0), (errno.EMLINK, 1), (errno.ENOTSUP, 0)]
)
def test_a_refused_link_becomes_a_copy(store: Store, tmp_path: Path, number: int, after: int) -> None:
    tree = put(store, FILES)
    report = materialise(store, str(tmp_path / "out"), [Placement(tree)], link_function=refusing(number, after))
    assert contents(tmp_path / "out") == expected(FILES)
    assert report == LinkReport(after, 3 - after, ((errno.errorcode[number], 3 - after),))


def test_a_full_inode_is_copied_and_the_next_file_linked_again(store: Store, tmp_path: Path) -> None:
    tree = put(store, FILES)

    def once(*args: str, **kwargs: int) -> None:
        if args[1] == "formula.toml":
            raise OSError(errno.EMLINK, "Too many links")
        os.link(*args, **kwargs)

    report = materialise(store, str(tmp_path / "out"), [Placement(tree)], link_function=once)
    assert report == LinkReport(2, 1, (("EMLINK", 1),))


def test_an_edit_of_a_copy_does_not_reach_the_store(store: Store, tmp_path: Path) -> None:
    tree = put(store, FILES)
    materialise(store, str(tmp_path / "out"), [Placement(tree)], link="copy")
    path = tmp_path / "out" / "formula.toml"
    path.chmod(0o644)
    path.write_bytes(b"edited")
    assert store.read(ObjectId.of(b"[formula]")) == b"[formula]"


def test_links_can_be_demanded(store: Store, tmp_path: Path) -> None:
    tree = put(store, FILES)
    with pytest.raises(LinkError) as caught:
        materialise(store, str(tmp_path / "out"), [Placement(tree)], link="hard", link_function=refusing(errno.EXDEV))
    assert "EXDEV" in caught.value.fact


def test_another_failure_of_link_is_not_hidden(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NoSpaceError):
        materialise(store, str(tmp_path / "out"), [Placement(put(store, FILES))], link_function=refusing(errno.ENOSPC))
    with pytest.raises(OSError, match="Input/output"):
        materialise(store, str(tmp_path / "out2"), [Placement(put(store, FILES))], link_function=refusing(errno.EIO))


def edit_in_place(path: str, data: bytes) -> None:
    os.chmod(path, 0o644)
    times = os.stat(path)
    with open(path, "r+b") as file:
        file.truncate()
        file.write(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("data", [b"[FORMULA]", b"", b"[formula] and more"])
def test_an_edited_install_never_reaches_another_one(store: Store, tmp_path: Path, data: bytes) -> None:
    tree = put(store, FILES)
    materialise(store, str(tmp_path / "one"), [Placement(tree)])
    edit_in_place(str(tmp_path / "one" / "formula.toml"), data)
    with pytest.raises(DamagedObjectError) as caught:
        materialise(store, str(tmp_path / "two"), [Placement(tree)])
    assert caught.value.ids == (ObjectId.of(b"[formula]"),)
    assert all(value[0] != data for value in contents(tmp_path / "two").values())
    assert store.status().quarantined == 1
    assert (tmp_path / "one" / "formula.toml").read_bytes() == data
    with pytest.raises(MissingObjectError):
        materialise(store, str(tmp_path / "three"), [Placement(tree)])
    store.put(b"[formula]")
    materialise(store, str(tmp_path / "four"), [Placement(tree)])
    assert contents(tmp_path / "four") == expected(FILES)


def test_all_damaged_objects_are_named_at_once(store: Store, tmp_path: Path) -> None:
    tree = put(store, FILES)
    for entry in tree.entries:
        edit_in_place(store.path_of(entry.id, entry.executable), b"?")
    with pytest.raises(DamagedObjectError) as caught:
        materialise(store, str(tmp_path / "out"), [Placement(tree)])
    assert set(caught.value.ids) == {entry.id for entry in tree.entries}
    assert contents(tmp_path / "out") == {}
    assert store.status().quarantined == 3


def test_all_missing_objects_are_named_at_once(store: Store, tmp_path: Path) -> None:
    for verify in (True, False):
        with pytest.raises(MissingObjectError) as caught:
            materialise(store, str(tmp_path / f"out{verify}"), [Placement(tree_of(FILES))], verify=verify)
        assert len(caught.value.ids) == 3


def test_a_writable_object_is_made_read_only_before_it_is_linked(store: Store, tmp_path: Path) -> None:
    tree = put(store, FILES)
    os.chmod(store.path_of(ObjectId.of(b"a")), 0o666)
    materialise(store, str(tmp_path / "out"), [Placement(tree)])
    assert contents(tmp_path / "out") == expected(FILES)


def test_the_other_variant_of_an_object_will_do(store: Store, tmp_path: Path) -> None:
    store.put_many((one.data, not one.executable) for one in FILES)
    report = materialise(store, str(tmp_path / "out"), [Placement(tree_of(FILES))])
    assert contents(tmp_path / "out") == expected(FILES)
    assert report.linked == 3


def test_a_tree_that_lies_about_a_size_is_refused(store: Store, tmp_path: Path) -> None:
    tree = Tree((FileEntry("f", False, store.put(b"abc"), 2),))
    with pytest.raises(TreeError):
        materialise(store, str(tmp_path / "out"), [Placement(tree)])
    assert store.read(ObjectId.of(b"abc")) == b"abc"


def test_one_object_can_be_linked_alone(store: Store, tmp_path: Path) -> None:
    object_id = store.put(b"abc", executable=True)
    assert link_object(store, object_id, str(tmp_path / "f"), executable=True)
    assert not link_object(store, object_id, str(tmp_path / "g"), executable=True, link="copy")
    assert contents(tmp_path)["f"] == contents(tmp_path)["g"] == (b"abc", 0o555)
    with pytest.raises(FileExistsError):
        link_object(store, object_id, str(tmp_path / "f"), executable=True)
    with pytest.raises(MissingObjectError):
        link_object(store, ObjectId.of(b"no"), str(tmp_path / "h"))


def test_an_object_that_a_writer_replaces_meanwhile_is_linked(store: Store, tmp_path: Path) -> None:
    tree = put(store, FILES)
    refused: list[str] = []

    def link(name: str, destination: str, **folders: int) -> None:
        if destination not in refused:
            refused.append(destination)
            raise FileNotFoundError(errno.ENOENT, "the inode that was looked up has no name any more")
        os.link(name, destination, **folders)

    assert materialise(store, str(tmp_path / "out"), [Placement(tree)], link_function=link).linked == len(FILES)
    assert contents(tmp_path / "out") == expected(FILES)


def test_a_symlink_in_the_store_is_never_linked(store: Store, tmp_path: Path) -> None:
    tree = put(store, FILES)
    secret = tmp_path / "secret"
    secret.write_bytes(b"[formula]")
    os.unlink(store.path_of(ObjectId.of(b"[formula]")))
    os.symlink(secret, store.path_of(ObjectId.of(b"[formula]")))
    with pytest.raises(DamagedObjectError):
        materialise(store, str(tmp_path / "out"), [Placement(tree)])


def test_many_objects_are_hashed_ahead_and_each_bad_one_is_found(store: Store, tmp_path: Path) -> None:
    files = [ArchiveFile(f"{number:04}", number % 7 == 0, b"%d" % number) for number in range(1200)]
    tree = put(store, files)
    assert materialise(store, str(tmp_path / "one"), [Placement(tree)]).linked == 1200
    assert contents(tmp_path / "one") == expected(files)
    bad = [files[number] for number in (0, 63, 64, 700, 1199)]
    for one in bad:
        edit_in_place(store.path_of(ObjectId.of(one.data), one.executable), b"?")
    with pytest.raises(DamagedObjectError) as caught:
        materialise(store, str(tmp_path / "two"), [Placement(tree)])
    assert set(caught.value.ids) == {ObjectId.of(one.data) for one in bad}
    assert not any((tmp_path / "two" / one.path).exists() for one in bad)


def test_a_hashing_process_that_dies_is_replaced_by_this_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [ArchiveFile(f"{number:04}", False, b"%d" % number) for number in range(600)]
    tree = put(store, files)
    home = os.getpid()
    real = verifying.is_intact

    hashed: list[str] = []

    def dies_elsewhere(objects_fd: int, name: str, size: int) -> bool:
        hashed.append(name)
        if os.getpid() != home and len(hashed) > 300:
            os._exit(7)
        return real(objects_fd, name, size)

    monkeypatch.setattr(verifying, "is_intact", dies_elsewhere)
    monkeypatch.setattr(verifying, "_may_fork", lambda: True)
    assert materialise(store, str(tmp_path / "out"), [Placement(tree)]).linked == 600
    assert contents(tmp_path / "out") == expected(files)


def test_the_hashing_process_ends_when_linking_fails(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = put(store, [ArchiveFile(f"{number:04}", False, b"%d" % number) for number in range(600)])
    monkeypatch.setattr(verifying, "_may_fork", lambda: True)
    real, forked = os.fork, []

    def fork() -> int:
        forked.append(real())
        return forked[-1]

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(OSError, match="Input/output"):
        materialise(store, str(tmp_path / "out"), [Placement(tree)], link_function=refusing(errno.EIO))
    [child] = forked
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
