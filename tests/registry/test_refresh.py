"""What a refresh brings, believes, refuses and reports; with real signatures over folders and loopback HTTP."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest
from loopback import Loopback
from signed_tree import SignedTree

from mmpm.errors import (
    NotFetchedError,
    RegistryTooOldError,
    RegistryUnreachableError,
    RegistryUntrustedError,
    RootMismatchError,
    RootNotPinnedError,
)
from mmpm.registry import layout
from mmpm.registry.changes import NameChange
from mmpm.registry.folder import FolderTransport
from mmpm.registry.http import HttpTransport, Patience
from mmpm.registry.refresh import ALL, RefreshSession, RegistrySource, refresh
from mmpm.registry.state import TrustFolder
from mmpm.trust.clock import AgePolicy

QUICK = Patience(connect_seconds=20, stall_seconds=20, grace_seconds=20, total_seconds=60, attempts=1)
ID = "acme.corp"


class Reader:
    """A machine that reads one registry."""

    def __init__(self, folder, tree, *places, root=""):
        self.store = folder / "store"
        self.trust = folder / "trust"
        self.tree = tree
        self.places = places or (FolderTransport(str(tree.folder)),)
        self.root = tree.fingerprint if root == "" else root
        self.now = None

    def source(self):
        return RegistrySource(ID, tuple(self.places), self.root)

    def session(self, **policy):
        now = self.now or self.tree.now
        return RefreshSession(self.source(), str(self.store), str(self.trust), now, AgePolicy(**policy))

    def refresh(self, names=(), **options):
        return refresh(self.source(), str(self.store), str(self.trust), self.now or self.tree.now, names, **options)

    def offline(self):
        session = RefreshSession(
            RegistrySource(ID, (), self.root), str(self.store), str(self.trust), self.now or self.tree.now
        )
        session.begin()
        session.commit()
        return session.snapshot

    @property
    def state(self):
        return TrustFolder.of(str(self.trust), ID).read()


@pytest.fixture
def tree(tmp_path):
    made = SignedTree(tmp_path / "registry", ID)
    made.release("mol-a", "1.0.0", "1.1.0")
    made.release("mol-b", "1.0.0", requires={"mol-a": "^1"})
    made.release("@acme/mol-c", "1.0.0")
    made.show()
    return made


@pytest.fixture
def reader(tmp_path, tree):
    return Reader(tmp_path / "machine", tree)


def versions(snapshot, name):
    return [str(release.version) for release in snapshot.releases(name)]


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
    assert len(asked) == 7  # root, timestamp, snapshot, targets, bins, one bin, one index
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


# ---- what is believed


def test_without_an_accepted_root_nothing_is_believed(reader):
    reader.root = None
    with pytest.raises(RootNotPinnedError) as caught:
        reader.refresh(["mol-a"])
    assert reader.tree.fingerprint in caught.value.fact
    assert reader.state is None


def test_another_root_is_refused(reader):
    reader.root = "ab" * 32
    with pytest.raises(RootMismatchError):
        reader.refresh(["mol-a"])
    assert reader.state is None


def test_another_registry_in_the_same_place_is_refused(reader, tree):
    reader.refresh(["mol-a"])
    state = reader.state
    shutil.rmtree(tree.folder)
    foreign = SignedTree(tree.folder, ID, tree.now + timedelta(days=1))
    foreign.release("mol-a", "6.6.6")
    foreign.show()
    with pytest.raises(RegistryUntrustedError, match="not to be trusted"):
        reader.refresh(["mol-a"])
    assert reader.state == state


def test_a_registry_that_calls_itself_otherwise_is_refused(tmp_path):
    tree = SignedTree(tmp_path / "registry", "other.corp")
    with pytest.raises(RegistryUntrustedError, match=r"calls itself other\.corp"):
        Reader(tmp_path / "machine", tree).refresh(["mol-a"])


@pytest.mark.parametrize("roles", [["timestamp"], ["snapshot"], ["root"], ["root", "timestamp", "snapshot"]])
def test_a_rotation_is_followed_along_the_chain_of_roots(reader, tree, roles):
    reader.refresh(["mol-a"])
    for _ in range(3):
        tree.rotate(*roles)
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    assert versions(reader.offline(), "mol-a")[-1] == "2.0.0"
    assert reader.state.root_version == 4


def test_after_theft_a_new_key_set_may_start_from_a_lower_serial(reader, tree):
    for _ in range(5):
        tree.show(days=1)
    reader.refresh(["mol-a"])
    tree.rotate("timestamp", "snapshot")
    tree.serial = 2
    tree.show(days=1)
    assert reader.refresh(["mol-a"]).new_serial == 3


def test_a_bin_with_a_foreign_signature_is_refused(reader, tree):
    from mmpm.trust.facts import RoleFile
    from mmpm.trust.keys import SigningKey
    from mmpm.trust.metadata import sign_listing

    role = layout.bin_of(layout.index_target("mol-a"))
    forged = sign_listing("bin", SigningKey.generate(), tree.now, tree.listed[role], 9)
    tree.write(layout.role_file(role, 9), forged)
    tree.meta[role] = RoleFile.of(9, forged)
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(["mol-a"])
    assert reader.state is None


@pytest.mark.parametrize("sha256", ["../../../../secret", "AB" * 32, "", "a" * 63])
def test_a_hash_that_could_be_a_path_is_refused(reader, tree, sha256):
    from mmpm.trust.facts import TargetFile

    target = layout.index_target("mol-a")
    tree.listed[layout.bin_of(target)][target] = TargetFile(sha256, 10)
    tree.show(days=1)
    with pytest.raises((RegistryUntrustedError, RegistryUnreachableError)):
        reader.refresh(["mol-a"])


def test_a_hostile_name_in_the_listing_is_refused(reader, tree):
    target = "formulas/../index.json"
    tree.target("formulas/mol-x/index.json", b"{}")
    tree.listed[layout.bin_of(target)][target] = tree.listed[layout.bin_of("formulas/mol-x/index.json")][
        "formulas/mol-x/index.json"
    ]
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(ALL)


@pytest.mark.parametrize("name", ["..", "UPPER", "@x/.."])
def test_a_hostile_name_among_what_changed_is_refused(reader, tree, name):
    reader.refresh(catalog=True)
    tree.target(layout.index_target("mol-x"), b"{}")
    listed = tree.listed[layout.bin_of(layout.index_target("mol-x"))].pop(layout.index_target("mol-x"))
    tree.listed[layout.bin_of(layout.index_target(name))][layout.index_target(name)] = listed
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(catalog=True)


def test_a_malformed_line_among_what_changed_is_refused(reader, tree):
    reader.refresh(["mol-a"])
    tree.lines["mol-a"].append({"version": "no version"})
    tree.release("mol-a", "3.0.0")
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(["mol-a"])


@pytest.mark.parametrize("twins", [("2.0.0", "2.0.0"), ("2.0.0+a", "2.0.0+b"), ("2.0.0-RC", "2.0.0-rc")])
def test_an_index_with_a_version_twice_is_refused(reader, tree, twins):
    tree.release("mol-a", *twins)
    tree.show(days=1)
    reader.refresh(["mol-a", "mol-b"])
    with pytest.raises(RegistryUntrustedError, match="mol-a twice"):
        reader.offline().releases("mol-a")
    assert versions(reader.offline(), "mol-b") == ["1.0.0"]


# ---- time


def test_an_older_valid_copy_is_not_used_and_said(reader, tree, tmp_path):
    shutil.copytree(tree.folder, tmp_path / "older")
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    reader.places = (FolderTransport(str(tmp_path / "older")),)
    refreshed = reader.refresh(["mol-a"])
    assert refreshed.is_held
    assert refreshed.new_serial == 3
    assert "older copy" in refreshed.warnings[0]
    assert versions(reader.offline(), "mol-a")[-1] == "2.0.0"


def test_of_two_places_the_one_that_is_not_older_is_used(reader, tree, tmp_path):
    reader.refresh(["mol-a"])
    shutil.copytree(tree.folder, tmp_path / "older")
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    tree.release("mol-a", "3.0.0")
    tree.show(days=1)
    reader.places = (FolderTransport(str(tmp_path / "older")), FolderTransport(str(tree.folder)))
    refreshed = reader.refresh(["mol-a"])
    assert not refreshed.is_held
    assert refreshed.new_serial == 4


def test_two_histories_of_one_serial_are_refused(reader, tree):
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    state = reader.state
    tree.serial -= 1
    tree.release("mol-evil", "6.6.6")
    tree.show(days=1)
    with pytest.raises(RegistryUntrustedError, match="another snapshot"):
        reader.refresh(["mol-a"])
    assert reader.state == state


def test_no_role_goes_back_under_a_newer_snapshot(reader, tree):
    role = layout.bin_of(layout.index_target("mol-a"))
    before = tree.meta[role]
    tree.release("mol-a", "2.0.0")
    tree.show(days=1)
    reader.refresh(["mol-a"])
    tree.meta[role] = before
    tree.sign(tree.serial + 1)
    with pytest.raises(RegistryUntrustedError, match=role):
        reader.refresh(["mol-a"])
    del tree.meta[role]
    tree.sign(tree.serial + 1)
    with pytest.raises(RegistryUntrustedError, match=role):
        reader.refresh(["mol-b"])
    assert versions(reader.offline(), "mol-a") == ["1.0.0", "1.1.0", "2.0.0"]


def test_online_an_expired_timestamp_is_refused_and_behind_a_gap_it_is_not(reader, tree):
    reader.now = tree.now + timedelta(days=8)
    assert reader.refresh(["mol-a"]).warnings == ()
    with Loopback(tree.folder) as server:
        reader.places = (HttpTransport(server.url, patience=QUICK),)
        with pytest.raises(RegistryTooOldError, match="expired"):
            reader.refresh(["mol-a"])
        reader.places = (HttpTransport(server.url, patience=QUICK, is_online=False),)
        reader.refresh(["mol-a"])


def test_behind_a_gap_age_warns_and_then_stops(reader, tree):
    reader.now = tree.now + timedelta(days=31)
    [warning] = reader.refresh(["mol-a"]).warnings
    assert "31 days ago" in warning
    reader.now = tree.now + timedelta(days=366)
    with pytest.raises(RegistryTooOldError, match="red_line"):
        reader.refresh(["mol-a"])
    with pytest.raises(RegistryTooOldError, match="red_line"):
        reader.offline()


def test_a_clock_before_the_issue_time_warns(reader, tree):
    reader.now = tree.now - timedelta(hours=1)
    [warning] = reader.refresh(["mol-a"]).warnings
    assert "clock" in warning


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
