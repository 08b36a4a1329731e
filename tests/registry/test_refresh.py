"""What a refresh brings and reports; with real signatures over folders and loopback HTTP."""

from __future__ import annotations

import shutil

import pytest
from loopback import Loopback
from registry_reader import ID, QUICK, Reader, versions

from mmpm.errors import (
    NotFetchedError,
    RegistryUnreachableError,
    RootMismatchError,
    RootNotPinnedError,
)
from mmpm.registry import layout
from mmpm.registry.changes import NameChange
from mmpm.registry.folder import FolderTransport
from mmpm.registry.http import HttpTransport
from mmpm.registry.refresh import ALL, RefreshSession, RegistrySource

# ---- what is brought


def test_a_name_is_brought_with_its_proof_and_no_more(reader, tree):
    with Loopback(tree.folder) as server:
        reader.places = (HttpTransport(server.url, patience=QUICK),)
        reader.refresh(["mol-a"])
        asked = [path for path, _ in server.asked]
    assert sorted(path.partition(".")[0] for path in asked if path.startswith("formulas/")) == [
        next(path.partition(".")[0] for path in asked if path.startswith("formulas/mol-a/"))
    ]
    assert len([path for path in asked if "bin-" in path]) == 1
    assert len(asked) == 8  # root, timestamp, snapshot, targets, trust, bins, one bin, one index
    snapshot = reader.offline()
    assert versions(snapshot, "mol-a") == ["1.0.0", "1.1.0"]
    with pytest.raises(NotFetchedError):
        snapshot.index("mol-b")


def test_absence_is_proved_and_told_apart_from_not_fetched(reader):
    reader.refresh(["no-such-formula"])
    snapshot = reader.offline()
    assert snapshot.index("no-such-formula") is None
    assert not snapshot.lists("no-such-formula")
    assert snapshot.needs(["no-such-formula", "mol-a"]) == {"mol-a"}


def test_a_second_refresh_asks_for_the_timestamp_alone(reader, tree):
    with Loopback(tree.folder) as server:
        reader.places = (HttpTransport(server.url, patience=QUICK),)
        reader.refresh(["mol-a"])
        server.asked.clear()
        refreshed = reader.refresh(["mol-a"])
        assert [path for path, _ in server.asked] == [layout.TIMESTAMP]
    assert (refreshed.old_serial, refreshed.new_serial, refreshed.changes) == (2, 2, ())


def test_requirements_are_followed_in_one_session(reader):
    session = reader.session()
    session.begin()
    session.fetch(["mol-b"])
    [release] = session.snapshot.releases("mol-b")
    session.fetch([str(one.name) for one in release.requires])
    session.commit()
    assert versions(reader.offline(), "mol-a") == ["1.0.0", "1.1.0"]


def test_everything_can_be_brought(reader):
    reader.refresh(ALL, catalog=True)
    snapshot = reader.offline()
    assert sorted(snapshot.names()) == ["@acme/mol-c", "mol-a", "mol-b"]
    assert snapshot.has_every_bin
    assert snapshot.has_catalog
    assert all(snapshot.knows(name) for name in [*snapshot.names(), "anything"])


def test_a_long_history_comes_with_its_pages(reader, tree):
    tree.release("mol-long", *(f"1.{number}.0" for number in range(700)))
    tree.show()
    reader.refresh(["mol-long"])
    assert versions(reader.offline(), "mol-long") == [f"1.{number}.0" for number in range(700)]


def test_what_changed_is_reported_and_no_more(reader, tree):
    reader.refresh(ALL)
    tree.release("mol-a", "2.0.0")
    tree.yank("mol-a", "1.0.0")
    tree.release("mol-new", "0.1.0")
    tree.remove("mol-b")
    tree.show(days=1)
    assert reader.refresh(ALL).changes == (
        NameChange("mol-a", published=("2.0.0",), yanked=("1.0.0",)),
        NameChange("mol-b", is_gone=True),
        NameChange("mol-new", is_new=True, published=("0.1.0",)),
    )
    assert reader.refresh(ALL).changes == ()


def test_what_could_be_answered_offline_before_can_be_afterwards(reader, tree):
    reader.refresh(["mol-a", "mol-b", "absent"])
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["@acme/mol-c"])
    snapshot = reader.offline()
    assert versions(snapshot, "mol-a") == ["1.0.0", "1.1.0", "2.0.0"]
    assert versions(snapshot, "mol-b") == ["1.0.0"]
    assert snapshot.index("absent") is None


def test_a_damaged_document_here_is_fetched_again(reader):
    reader.refresh(["mol-a"])
    for file in (reader.store / "registries" / ID).rglob("*.json"):
        if "root" not in file.name and "timestamp" not in file.name:
            file.write_bytes(b"damaged")
    reader.refresh(["mol-a"])
    assert versions(reader.offline(), "mol-a") == ["1.0.0", "1.1.0"]


# ---- races


def test_a_publish_that_prunes_while_we_read_costs_another_round(reader, tree):
    reader.refresh(["mol-a"])

    class Racing(FolderTransport):
        """Publishes and prunes between the timestamp and what follows, twice."""

        races = 2

        def get(self, path, max_bytes):
            data = super().get(path, max_bytes)
            if path == layout.TIMESTAMP and self.races:
                self.races -= 1
                before = {role: one.version for role, one in tree.meta.items()}
                old_serial = tree.serial
                tree.release("mol-a", f"2.{self.races}.0")
                tree.release("mol-b", f"2.{self.races}.0")
                tree.show(days=0.01)
                (tree.folder / layout.role_file("snapshot", old_serial)).unlink()
                for role, version in before.items():
                    if tree.meta[role].version != version:
                        (tree.folder / layout.role_file(role, version)).unlink()
            return data

    tree.release("mol-b", "1.5.0")
    tree.show(days=1)
    reader.places = (Racing(str(tree.folder)),)
    session = reader.session()
    session.begin()
    session.fetch(["mol-b"])
    refreshed = session.commit()
    assert refreshed.new_serial == tree.serial
    assert versions(reader.offline(), "mol-b") == ["1.0.0", "1.5.0", "2.1.0", "2.0.0"]
    assert versions(reader.offline(), "mol-a") == ["1.0.0", "1.1.0", "2.1.0", "2.0.0"]


def test_a_copy_that_stays_incomplete_is_named_as_such(reader, tree):
    [snapshot] = [file for file in (tree.folder / "metadata").iterdir() if file.name == "2.snapshot.json"]
    snapshot.unlink()
    with pytest.raises(RegistryUnreachableError, match=r"lacks metadata/2\.snapshot\.json"):
        reader.refresh(["mol-a"])


def test_a_copy_that_is_whole_only_up_to_what_is_known_is_said_to_be_one(reader, tree):
    (tree.folder / layout.role_file("timestamp", 2)).write_bytes((tree.folder / layout.TIMESTAMP).read_bytes())
    reader.refresh(["mol-a"])
    tree.release("mol-z", "1.0.0")
    tree.show(days=1)
    (tree.folder / layout.role_file("snapshot", 3)).unlink()
    refreshed = reader.refresh(["mol-z"])
    assert refreshed.new_serial == 2
    assert [warning for warning in refreshed.warnings if "not a complete copy; its serial 2 is used" in warning]


def test_a_copy_made_in_the_middle_of_a_publish_is_used_as_of_before_it(reader, tree):
    (tree.folder / layout.role_file("timestamp", 2)).write_bytes((tree.folder / layout.TIMESTAMP).read_bytes())
    for day in (1, 2):
        tree.release("mol-a", f"{day + 1}.0.0")
        tree.show(days=1)
        (tree.folder / layout.role_file("snapshot", tree.serial)).unlink()
    refreshed = reader.refresh(["mol-a"])
    assert refreshed.new_serial == 2
    assert "not a complete copy" in refreshed.warnings[0]


# ---- copied stores


def test_a_copied_store_and_a_pinned_root_are_enough(reader, tree, tmp_path):
    reader.refresh(["mol-a", "absent"])
    other = Reader(tmp_path / "other", tree)
    shutil.copytree(reader.store, other.store)
    shutil.rmtree(tree.folder)
    snapshot = other.offline()
    assert versions(snapshot, "mol-a") == ["1.0.0", "1.1.0"]
    assert snapshot.index("absent") is None
    assert other.state.serial == 2


def test_of_a_copied_store_what_is_not_in_it_is_not_fetched(reader, tree, tmp_path):
    reader.refresh(["mol-a"])
    other = Reader(tmp_path / "other", tree)
    shutil.copytree(reader.store, other.store)
    session = RefreshSession(RegistrySource(ID, (), other.root), str(other.store), str(other.trust), tree.now)
    session.begin()
    session.fetch(["mol-a", "mol-b"])
    assert versions(session.snapshot, "mol-a") == ["1.0.0", "1.1.0"]
    with pytest.raises(NotFetchedError):
        session.snapshot.index("mol-b")
    assert session.commit().new_serial == 2


def test_a_copied_store_brings_no_trust(reader, tree, tmp_path):
    reader.refresh(["mol-a"])
    other = Reader(tmp_path / "other", tree, root=None)
    shutil.copytree(reader.store, other.store)
    with pytest.raises(RootNotPinnedError):
        other.offline()
    other.root = "cd" * 32
    with pytest.raises(RootMismatchError):
        other.offline()


def test_a_copied_store_with_a_tampered_document_is_not_believed(reader, tree, tmp_path):
    reader.refresh(["mol-a"])
    other = Reader(tmp_path / "other", tree)
    shutil.copytree(reader.store, other.store)
    [index] = (other.store / "registries" / ID / "formulas").rglob("*.index.json")
    index.write_bytes(index.read_bytes().replace(b"1.1.0", b"6.6.6"))
    with pytest.raises(NotFetchedError):
        other.offline().index("mol-a")


def test_offline_with_nothing_here_says_not_fetched(reader):
    with pytest.raises(NotFetchedError):
        reader.offline()
