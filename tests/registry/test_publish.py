"""Publishing and yanking in a folder registry."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from registry_tree import HOST, FolderRegistry, bundle, formula, verify, verify_aliases

from mmpm.errors import (
    ClockBehindError,
    DamagedRegistryError,
    KeyForeignError,
    KeysMissingError,
    KeyUnreadableError,
    NotARegistryError,
    NotPublishedError,
    RegistryExistsError,
    RegistryExpiredError,
    RegistryRestoredError,
    UnpublishableError,
    UntrustedMetadataError,
    VersionTakenError,
)
from mmpm.model.names import FormulaName, RegistryId
from mmpm.model.references import Requirement
from mmpm.model.versions import Version
from mmpm.registry import layout
from mmpm.registry.authenticate import RegistrySource
from mmpm.registry.folder import FolderTransport
from mmpm.registry.index import INDEX_LINES, PAGE_LINES
from mmpm.registry.init import init_registry
from mmpm.registry.key_folder import RegistryKeys, load_keys
from mmpm.registry.publish import PublishItem, publish
from mmpm.registry.refresh import refresh
from mmpm.trust.facts import ONLINE_ROLES
from mmpm.trust.keys import SigningKey


@pytest.fixture
def registry(tmp_path):
    return FolderRegistry(tmp_path)


def read(registry, path):
    return Path(registry.root, path).read_bytes()


def snapshot_of(registry):
    return {
        path.relative_to(registry.root): path.read_bytes() for path in Path(registry.root).rglob("*") if path.is_file()
    }


def test_a_new_registry_is_empty_and_whole(registry):
    assert verify(registry) == set()
    assert registry.load().serial == 1
    assert json.loads(read(registry, "registry.json"))["id"] == HOST
    assert registry.load().target(layout.PUBLISHERS) == b'{"format":1,"publishers":[]}'


def test_the_keys_are_for_their_owner_only_and_outside_of_the_tree(registry):
    pems = [path for path in Path(registry.keys_folder).iterdir() if path.suffix == ".pem"]
    assert len(pems) == 7
    assert {path.stat().st_mode & 0o777 for path in pems} == {0o600}
    assert not any(b"PRIVATE" in data for data in snapshot_of(registry).values())


def test_a_registry_is_not_made_where_something_lies(registry, tmp_path):
    def make(root, keys, host=HOST):
        init_registry(str(root), RegistryId.parse(host), "", key_folder=str(keys), passphrase=None, now=registry.now)

    with pytest.raises(RegistryExistsError):
        make(registry.root, tmp_path / "other-keys")
    with pytest.raises(RegistryExistsError):
        make(tmp_path / "other", registry.keys_folder)
    with pytest.raises(RegistryExistsError):
        make(tmp_path / "third", tmp_path / "third" / "keys")


def test_keys_open_only_with_their_passphrase(tmp_path):
    keys = str(tmp_path / "keys")
    init_registry(
        str(tmp_path / "reg"),
        RegistryId.parse(HOST),
        "",
        key_folder=keys,
        passphrase=b"open sesame",
        now=FolderRegistry.now,
    )
    assert set(load_keys(keys, HOST, b"open sesame").signers) == {"bin", "snapshot", "timestamp"}
    for wrong in (None, b"sesame"):
        with pytest.raises(KeyUnreadableError):
            load_keys(keys, HOST, wrong)
    with pytest.raises(KeysMissingError):
        load_keys(str(tmp_path / "nowhere"), HOST, None)


def test_what_was_published_is_listed_and_whole(registry):
    done = registry.publish(formula("mol-a"), formula("@acme/mol-a", "2.0.0"), bundle("mol-b"))
    assert done.serial == 2
    assert [f"{name}@{version}" for name, version in done.new] == ["mol-a@1.0.0", "@acme/mol-a@2.0.0", "mol-b@1.0.0"]
    assert verify(registry) == {"mol-a@1.0.0", "@acme/mol-a@2.0.0", "mol-b@1.0.0"}


def test_a_batch_becomes_one_serial_and_changes_only_its_bins(registry):
    registry.publish(*(formula(f"mol-{number}") for number in range(20)))
    versions = {role: file.version for role, file in registry.load().roles().items() if role.startswith("bin-")}
    changed = {role for role, version in versions.items() if version == 2}
    targets = [layout.index_target(f"mol-{n}") for n in range(20)]
    targets += [layout.catalog_target(layout.shard_of(f"mol-{n}")) for n in range(20)]
    assert changed == {layout.bin_of(target) for target in targets}


def test_equal_bytes_again_change_nothing(registry):
    registry.publish(formula("mol-a"), bundle("mol-b"))
    before = snapshot_of(registry)
    again = registry.publish(formula("mol-a", changelog="other words"), bundle("mol-b"))
    assert (again.serial, again.new, len(again.unchanged)) == (2, (), 2)
    after = snapshot_of(registry)
    # The other release document lies there as an object, and nothing reaches it.
    assert {path: data for path, data in after.items() if path in before} == before
    assert all(path.parts[0] == "objects" for path in set(after) - set(before))


@pytest.mark.parametrize("twin", ["1.0.0-rc.1", "1.0.0-RC.1", "1.0.0-rc.1+build.5"])
def test_a_version_is_given_once_whatever_its_case_or_build(registry, twin):
    registry.publish(formula("mol-a", "1.0.0-rc.1"))
    with pytest.raises(VersionTakenError):
        registry.publish(formula("mol-a", twin, "other\n"))
    with pytest.raises(VersionTakenError):
        registry.publish(formula("mol-b", "1.0.0-rc.1"), formula("mol-b", twin, "other\n"))
    assert verify(registry) == {"mol-a@1.0.0-rc.1"}


@pytest.mark.parametrize("make", [formula, bundle])
def test_equal_bytes_in_another_spelling_leave_no_copy_under_it(registry, make):
    item = make("mol-a", "1.0.0-RC")
    registry.publish(item)
    twin = PublishItem(replace(item.document, version=Version.parse("1.0.0-rc")), item.read)
    assert registry.publish(twin, formula("mol-b")).unchanged
    verify_aliases(registry)


def test_one_bad_item_of_a_batch_publishes_none_of_it(registry):
    lying = formula("mol-bad")
    with pytest.raises(UnpublishableError):
        registry.publish(formula("mol-a"), PublishItem(lying.document, lambda _id: b"other bytes"))
    with pytest.raises(UnpublishableError):
        registry.publish(formula("mol-a"), formula("mol-b", description=" "))
    with pytest.raises(UnpublishableError):
        registry.publish(formula("mol-b", published_at="yesterday"))
    assert verify(registry) == set()
    assert registry.load().serial == 1


def test_the_index_line_and_the_release_document_say_the_same(registry):
    needs = (Requirement.parse("mol-base@^1.2"),)
    item = formula("mol-a", "1.2.3", requires=needs, soft=(FormulaName.parse("mol-later"),), changelog="New")
    registry.publish(item)
    release = registry.releases("mol-a")["1.2.3"]
    document = registry.load().document(release)
    assert document == item.document
    for field in ("checksum", "size", "requires", "soft", "published_at", "kind"):
        assert getattr(release, field) == getattr(document, field)
    assert release.serial == 2


def test_a_long_history_moves_into_pages_and_stays_whole(registry):
    count = INDEX_LINES + PAGE_LINES + 3
    registry.publish(*(formula("mol-long", f"1.{number}.0") for number in range(300)))
    registry.publish(*(formula("mol-long", f"1.{number}.0") for number in range(300, count)))
    tree = registry.load()
    index = tree.index(FormulaName.parse("mol-long"))
    assert len(index.lines) <= INDEX_LINES
    assert [page.number for page in index.pages] == list(range(1, len(index.pages) + 1))
    assert list(registry.releases("mol-long")) == [f"1.{number}.0" for number in range(count)]
    with pytest.raises(VersionTakenError):
        registry.publish(formula("mol-long", "1.0.0", "other\n"))
    registry.yank("mol-long", "1.5.0", "in a page")
    registry.yank("mol-long", f"1.{count - 1}.0", "in the index")
    yanked = {version for version, one in registry.releases("mol-long").items() if one.yanked}
    assert yanked == {"1.5.0", f"1.{count - 1}.0"}
    verify(registry)


def test_a_yank_keeps_the_release_and_names_another_as_the_latest(registry):
    registry.publish(formula("mol-a", "1.0.0"), formula("mol-a", "2.0.0"))
    assert registry.yank("mol-a", "2.0.0", "eats files").changed
    assert registry.releases("mol-a")["2.0.0"].yanked == "eats files"
    shard = registry.load().catalog(layout.shard_of("mol-a"))
    assert str(shard["mol-a"].latest) == "1.0.0"
    assert json.loads(read(registry, "formulas/mol-a/index.json"))["versions"] == ["1.0.0"]
    again = registry.yank("mol-a", "2.0.0", "eats files")
    assert (again.changed, again.serial) == (False, 3)
    with pytest.raises(NotPublishedError):
        registry.yank("mol-a", "3.0.0")
    with pytest.raises(NotPublishedError):
        registry.yank("mol-none", "1.0.0")


def test_the_latest_is_the_highest_version_and_not_the_newest_date(registry):
    registry.publish(formula("mol-a", "3.0.0", published_at="2026-01-01T00:00:00Z"))
    registry.publish(formula("mol-a", "2.0.3", published_at="2026-01-02T00:00:00Z"), formula("mol-a", "4.0.0-rc.1"))
    assert str(registry.load().catalog(layout.shard_of("mol-a"))["mol-a"].latest) == "3.0.0"


def test_the_seeds_urls_answer_for_what_was_published(registry):
    item = formula("mol-a", "1.0.0", author="ann@acme.example")
    registry.publish(item, bundle("mol-b"))
    listing = json.loads(read(registry, "formulas/index.json"))
    assert [(one["name"], one["version"], one["capabilities"]) for one in listing["formulas"]] == [
        ("mol-a", "1.0.0", ["go"]),
        ("mol-b", "1.0.0", ["go"]),
    ]
    assert listing["total"] == 2
    page = json.loads(read(registry, "formulas/mol-a/index.json"))
    assert (page["latest"], page["author"], page["license"]) == ("1.0.0", "ann@acme.example", "MIT")
    assert read(registry, "formulas/mol-a/1.0.0/index.json") == item.document.to_bytes()
    assert read(registry, "formulas/mol-a/1.0.0/download") == b"# mol-a 1.0.0\nsteps\n"


def test_the_download_of_a_bundle_opens_with_tar_alone(registry, tmp_path):
    registry.publish(bundle("@acme/mol-b"))
    target = tmp_path / "unpacked"
    target.mkdir()
    download = Path(registry.root, "formulas/@acme/mol-b/1.0.0/download")
    subprocess.run(["tar", "xzf", str(download), "-C", str(target)], check=True)
    assert (target / "mol-b" / "formula.toml").read_bytes() == b"a"
    assert os.access(target / "mol-b" / "run.sh", os.X_OK)


def test_a_tree_without_links_is_the_same_for_a_copier(registry):
    registry.publish(formula("mol-a"), bundle("mol-b"))
    assert not any(path.is_symlink() for path in Path(registry.root).rglob("*"))
    assert not list(Path(registry.root, layout.STAGING).iterdir())


def test_a_tree_that_somebody_else_changed_is_not_published_to(registry):
    registry.publish(formula("mol-a"))
    path = Path(registry.root, "metadata/2.snapshot.json")
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole.replace(b'"version":2', b'"version":3', 1))
    with pytest.raises(UntrustedMetadataError):
        registry.publish(formula("mol-b"))
    path.write_bytes(whole)
    index = next(Path(registry.root, "formulas/mol-a").glob("*.index.json"))
    index.unlink()
    with pytest.raises(DamagedRegistryError):
        registry.publish(formula("mol-a", "2.0.0"))


def test_a_folder_without_a_tree_is_no_registry(registry, tmp_path):
    with pytest.raises(NotARegistryError):
        registry.load(str(tmp_path))


def test_an_object_that_a_power_cut_emptied_is_written_again(registry):
    item = formula("mol-a")
    path = Path(registry.root, layout.object_file(item.document.tree.entries[0].id))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    registry.publish(item)
    assert verify(registry) == {"mol-a@1.0.0"}


def test_issue_times_never_go_back(registry):
    registry.publish(formula("mol-a"))
    registry.later(seconds=-30)
    registry.publish(formula("mol-b"))
    assert registry.load().facts.issued == "2026-01-10T00:00:00Z"
    registry.later(days=-1)
    with pytest.raises(ClockBehindError):
        registry.publish(formula("mol-c"))


def test_a_long_publish_is_not_behind_those_that_were_quicker(registry):
    begun, ahead = registry.how(), timedelta(hours=1)
    registry.later(hours=1)
    registry.publish(formula("mol-a"))
    at_work = replace(begun, began=begun.began - ahead.total_seconds())
    publish(registry.root, [formula("mol-b")], at_work)
    assert registry.load().facts.issued == "2026-01-10T01:00:00Z"
    with pytest.raises(ClockBehindError):
        publish(registry.root, [formula("mol-c")], begun)


def test_nothing_is_signed_under_an_expired_root(registry):
    registry.later(days=731)
    with pytest.raises(RegistryExpiredError):
        registry.publish(formula("mol-a"))


@pytest.mark.parametrize("role", ONLINE_ROLES)
def test_a_key_that_the_registry_does_not_name_publishes_nothing(registry, role):
    registry.publish(formula("mol-a"))
    before = snapshot_of(registry)
    registry.keys = RegistryKeys(registry.keys.root, {**registry.keys.signers, role: (SigningKey.generate(),)})
    with pytest.raises(KeyForeignError, match=role):
        registry.publish()
    assert snapshot_of(registry) == before


def test_publishing_nothing_renews_the_timestamp(registry):
    registry.publish(formula("mol-a"))
    registry.later(days=6)
    assert registry.publish().serial == 3
    assert registry.load().facts.issued == "2026-01-16T00:00:00Z"
    assert verify(registry) == {"mol-a@1.0.0"}


def test_superseded_metadata_goes_after_the_grace_time_and_not_before(registry):
    def left():
        return {path.name for path in Path(registry.root, "metadata").glob("*.snapshot.json")}

    for number in range(4):
        registry.publish(formula("mol-a", f"1.{number}.0"))
        registry.later(hours=1)
    assert left() == {f"{serial}.snapshot.json" for serial in range(1, 6)}
    registry.publish(formula("mol-a", "2.0.0"), grace_seconds=0)
    assert left() == {"6.snapshot.json"}
    assert verify(registry) == {f"mol-a@{version}" for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.0.0")}
    assert len(list(Path(registry.root, "formulas/mol-a").glob("*.index.json"))) == 1
    assert len(list(Path(registry.root, "metadata").glob("*.timestamp.json"))) == 1
    assert Path(registry.root, "metadata/1.root.json").exists()


@pytest.mark.parametrize("data", [None, b"", b"[]", b"{}"])
@pytest.mark.parametrize("grace_seconds", [0, 86_400])
@pytest.mark.parametrize("path", ["2.timestamp.json", "3.snapshot.json", "3.bin-*.json", "4.snapshot.json"])
def test_what_a_killed_pruner_or_a_torn_copy_left_does_not_fail_a_publish(registry, path, grace_seconds, data):
    for number in range(4):
        registry.publish(formula("mol-a", f"1.{number}.0"))
        registry.later(hours=20)
    harmed = min(Path(registry.root, "metadata").glob(path))
    harmed.unlink()
    if data is not None:
        harmed.write_bytes(data)
    registry.publish(formula("mol-a", "2.0.0"), grace_seconds=grace_seconds)
    assert "mol-a@2.0.0" in verify(registry)
    assert grace_seconds or not harmed.exists()


def refreshed(registry):
    """What a reader that looks now believes; a refusal raises."""
    place = RegistrySource(HOST, (FolderTransport(registry.root),), registry.made.fingerprint)
    store, trust = str(registry.folder / "reader"), str(registry.folder / "trust")
    return refresh(place, store, trust, registry.now, "all")


@pytest.mark.parametrize("way", ["publish", "renew", "yank"])
def test_onto_a_restored_backup_nothing_is_published_by_accident(registry, way):
    registry.publish(formula("mol-a"))
    shutil.copytree(registry.root, registry.folder / "backup")
    registry.publish(formula("mol-b"))
    registry.publish(formula("mol-a", "2.0.0"))
    assert refreshed(registry).new_serial == 4
    shutil.rmtree(registry.root)
    shutil.copytree(registry.folder / "backup", registry.root)
    before = registry.load().timestamp_bytes
    with pytest.raises(RegistryRestoredError, match=r"serial 2 .* serial 4"):
        registry.yank("mol-a", "1.0.0") if way == "yank" else registry.publish(*[formula("mol-c")][way == "renew" :])
    assert registry.load().timestamp_bytes == before

    registry.later(minutes=1)
    assert registry.publish(formula("mol-b", text="other\n"), after_restore=True).serial == 5
    found = refreshed(registry)
    assert (found.old_serial, found.new_serial, found.is_held) == (4, 5, False)
    assert verify(registry) == {"mol-a@1.0.0", "mol-b@1.0.0"}
    assert registry.publish(formula("mol-c")).serial == 6
    assert refreshed(registry).new_serial == 6


def test_what_is_not_noted_beside_the_keys_is_published_all_the_same(registry, monkeypatch):
    said = []

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mmpm.registry.floor.write_file_durably", full)
    assert registry.publish(formula("mol-a"), on_wait=said.append).serial == 2
    assert said == [f"{registry.keys_folder}: what was published could not be noted there: No space left on device"]


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"[" * 4096, b'{"format":1,"serial":"4","issued":"2026-01-10T00:00:00Z"}', b'{"format":2}'],
)
def test_a_damaged_note_of_what_was_published_is_said(registry, text):
    (registry.folder / "keys" / "published").write_bytes(text)
    with pytest.raises(KeyUnreadableError, match="published"):
        registry.publish(formula("mol-a"))
