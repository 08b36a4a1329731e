"""A mirrored tree equals the registry's, however often and from wherever it was copied, and shows nothing half."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from mirroring import Listener, mirror, opened, prepare, tree_bytes
from registry_tree import HOST, FolderRegistry, bundle, formula

from mmpm.errors import (
    MirrorNoRoomError,
    MissingTreeFileError,
    RegistryUnreachableError,
    RegistryUntrustedError,
    RolledBackError,
    SelectionIncompleteError,
)
from mmpm.model.names import FormulaName
from mmpm.model.references import Requirement
from mmpm.registry import layout
from mmpm.registry.destination import TreeDestination, TrialDestination
from mmpm.registry.folder import FolderTransport
from mmpm.registry.mirror.selection import Chosen, Selection, choose
from mmpm.registry.publish import publish
from mmpm.registry.sign import add_signature, with_key
from mmpm.registry.transport import Forbidden, NotFound, Unavailable
from mmpm.trust.facts import Floors
from mmpm.trust.keys import SigningKey


@pytest.fixture
def registry(tmp_path):
    made = FolderRegistry(tmp_path)
    needs = (Requirement.parse("mol-b@^1"),)
    made.publish(formula("mol-a", "1.0.0", requires=needs), formula("mol-b"), bundle("tool"), formula("@acme/x"))
    made.later(hours=1)
    made.publish(formula("mol-a", "1.1.0", requires=needs), bundle("tool", "2.0.0"))
    return made


@pytest.fixture
def tree(tmp_path):
    return tmp_path / "mirror" / "mirrors" / HOST


def files_under(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def aliases(files):
    kept = ("metadata/", "objects/", "catalog/", "trust/", ".staging", "mirrored.json")
    return {
        path: data for path, data in files.items() if not path.startswith(kept) and layout.parse_hashed(path) is None
    }


def test_a_whole_mirror_equals_its_registry(registry, tree):
    done = mirror(registry, tree)
    assert tree_bytes(registry, tree) == tree_bytes(registry, registry.root)
    assert aliases(files_under(tree)) == aliases(files_under(registry.root))
    assert (done.counts.releases, done.counts.new) == (6, 6)
    assert done.counts.fetched_bytes == done.counts.bytes
    said = json.loads((tree / "mirrored.json").read_bytes())
    assert (said["complete"], said["serial"], said["id"], said["releases"]) == (True, 3, HOST, {})


def test_the_second_time_fetches_nothing_and_rewrites_nothing(registry, tree):
    mirror(registry, tree)
    before = {
        path: path.stat().st_mtime_ns for path in tree.rglob("*") if path.is_file() and path.name != "mirrored.json"
    }
    again = mirror(registry, tree)
    assert (again.counts.files, again.counts.bytes, again.counts.new, again.counts.releases) == (0, 0, 0, 6)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_an_update_fetches_what_is_new_alone_and_progress_tells_the_truth(registry, tree):
    mirror(registry, tree)
    registry.later(hours=1)
    registry.publish(formula("mol-b", "1.2.0"))
    registry.yank("mol-a", "1.0.0")
    listener = Listener()
    done = mirror(registry, tree, listener=listener)
    assert (done.counts.releases, done.counts.new) == (7, 1)
    assert listener.total == listener.done > 0
    assert tree_bytes(registry, tree) == tree_bytes(registry, registry.root)
    assert opened(registry, tree).releases(Requirement.parse("mol-a").name)[0].yanked == "broken"
    versions = json.loads((tree / "formulas/mol-a/index.json").read_bytes())["versions"]
    assert versions == ["1.1.0"]


def test_a_part_has_all_that_is_signed_and_the_files_of_its_releases_alone(registry, tree):
    state = opened(registry, registry.root)
    chosen = choose({HOST: state}, {HOST: Selection.of(only=["mol-a@=1.1.0"])}).chosen[HOST]
    done = mirror(registry, tree, chosen=chosen)
    assert (done.counts.releases, done.counts.new) == (2, 2)
    assert tree_bytes(registry, tree, chosen) == tree_bytes(registry, registry.root, chosen)
    objects = {path for path in files_under(tree) if path.startswith("objects/")}
    assert objects == {path for path in tree_bytes(registry, tree, chosen) if path.startswith("objects/")}
    assert json.loads((tree / "mirrored.json").read_bytes())["releases"] == {"mol-a": ["1.1.0"], "mol-b": ["1.0.0"]}
    downloads = {str(path.relative_to(tree)) for path in tree.rglob("download")}
    assert downloads == {"formulas/mol-a/1.1.0/download", "formulas/mol-b/1.0.0/download"}
    assert json.loads((tree / "formulas/index.json").read_bytes())["total"] == 2
    wider = mirror(registry, tree)
    assert (wider.counts.releases, wider.counts.new) == (6, 4)
    assert tree_bytes(registry, tree) == tree_bytes(registry, registry.root)


def test_a_trial_counts_exactly_and_leaves_the_mirror_alone(registry, tree, tmp_path):
    nothing = prepare(registry, tree, destination=TrialDestination(str(tmp_path / "trial"), TreeDestination(str(tree))))
    nothing.bring_metadata()
    would = nothing.count(Chosen())
    assert not tree.exists()
    done = mirror(registry, tree).counts
    assert (would.releases, would.new, would.files, would.bytes) == (done.releases, done.new, done.files, done.bytes)


def test_signatures_travel_and_later_ones_follow(registry, tree):
    alice, bob = SigningKey.generate(), SigningKey.generate()
    publish(registry.root, [formula("mol-s")], registry.how(), sign=alice)
    mirror(registry, tree)
    [release] = opened(registry, tree).releases(FormulaName.parse("mol-s"))
    assert [key for key, _ in release.signatures] == [alice.public.key_id]
    add_signature(registry.root, release.name, release.version, with_key(bob), registry.how())
    done = mirror(registry, tree)
    assert (done.counts.new, done.counts.releases) == (0, 7)
    assert tree_bytes(registry, tree) == tree_bytes(registry, registry.root)
    signatures = sorted((tree / "signatures").rglob("*.sig"))
    assert len(signatures) == 2
    signatures[0].unlink()
    mirror(registry, tree)
    assert signatures[0].exists()


def test_what_was_taken_down_is_not_copied_and_its_unsigned_copies_go(registry, tree, tmp_path):
    mirror(registry, tree)
    registry.later(hours=1)
    registry.take_down("mol-a", "1.0.0")
    done = mirror(registry, tree)
    assert (done.counts.releases, done.counts.new) == (5, 0)
    assert [one.tombstone for one in opened(registry, tree).releases(FormulaName.parse("mol-a"))] == [True, False]
    assert not (tree / "formulas/mol-a/1.0.0/download").exists()
    assert tree_bytes(registry, tree) == tree_bytes(registry, registry.root)
    fresh = mirror(registry, tmp_path / "fresh")
    assert fresh.counts.releases == 5
    assert tree_bytes(registry, tmp_path / "fresh") == tree_bytes(registry, registry.root)


def test_it_is_told_that_the_registry_moved_on_while_files_went_missing(registry, tree):
    copying = prepare(registry, tree)
    with copying.destination:
        copying.bring_metadata()
        assert not copying.has_moved_on()
        registry.later(hours=1)
        registry.take_down("mol-a", "1.0.0")
        with pytest.raises(SelectionIncompleteError, match=r"mol-a@1\.0\.0"):
            copying.count(Chosen())
        assert copying.has_moved_on()


# ---- what goes wrong


class Faulty:
    """A place that answers `fault` for some paths."""

    is_online = False
    origin = "faulty"

    def __init__(self, folder, fault, after=0):
        self._inner, self._fault, self._left = FolderTransport(str(folder)), fault, after

    def get(self, path, max_bytes):
        answer = self._fault(path)
        if answer is not None:
            self._left -= 1
            if self._left < 0:
                if isinstance(answer, bytes):
                    return answer
                raise answer
        return self._inner.get(path, max_bytes)

    def get_many(self, requests):
        for request in requests:
            try:
                answer = self.get(request.path, request.max_bytes)
            except (NotFound, Unavailable, Forbidden) as error:
                answer = error
            yield request, answer


def objects(kind):
    return lambda path: kind("faulty", path, "fails") if path.startswith("objects/") else None


@pytest.mark.parametrize("kind", [Unavailable, NotFound])
def test_another_place_gives_what_the_first_has_not(registry, tree, kind):
    mirror(registry, tree, Faulty(registry.root, objects(kind), after=3), FolderTransport(registry.root))
    assert tree_bytes(registry, tree) == tree_bytes(registry, registry.root)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (objects(Unavailable), RegistryUnreachableError),
        (objects(Forbidden), RegistryUnreachableError),
        (objects(NotFound), SelectionIncompleteError),
        (lambda path: b"wrong" if path.startswith("objects/") else None, RegistryUntrustedError),
        (lambda path: b"wrong" if path.startswith("catalog/") else None, RegistryUntrustedError),
        (lambda path: b"wrong" if path.startswith("metadata/") and "bin-" in path else None, RegistryUntrustedError),
    ],
)
@pytest.mark.parametrize("after", [0, 2])
def test_a_failure_leaves_what_is_shown_and_the_next_run_goes_on(registry, tree, fault, error, after):
    mirror(registry, tree)
    shown = tree_bytes(registry, tree)
    registry.later(hours=1)
    registry.publish(formula("mol-c"), formula("mol-d"), formula("mol-e"))
    with pytest.raises(error):
        mirror(registry, tree, Faulty(registry.root, fault, after))
    assert tree_bytes(registry, tree) == shown
    done = mirror(registry, tree)
    assert done.counts.releases == 9
    assert tree_bytes(registry, tree) == tree_bytes(registry, registry.root)


def test_where_a_newer_state_is_not_whole_the_one_before_stays_and_that_is_said(registry, tree, tmp_path):
    def gone(path):
        return NotFound("x", path, "gone") if path.endswith("index.json") else None

    with pytest.raises(MissingTreeFileError):
        mirror(registry, tmp_path / "new", Faulty(registry.root, gone))
    mirror(registry, tree)
    registry.later(hours=1)
    registry.publish(formula("mol-c"))
    done = mirror(registry, tree, Faulty(registry.root, gone))
    assert any("not whole" in one for one in done.progress.warnings)
    assert opened(registry, tree).serial == 3


def test_a_mirror_never_goes_back_and_neither_below_what_this_machine_saw(registry, tree, tmp_path):
    older = tmp_path / "older"
    shutil.copytree(registry.root, older)
    registry.later(hours=1)
    registry.publish(formula("mol-c"))
    mirror(registry, tree)
    shown = tree_bytes(registry, tree)
    with pytest.raises(RolledBackError):
        mirror(registry, tree, FolderTransport(str(older)))
    assert tree_bytes(registry, tree) == shown
    state = opened(registry, tree)
    floors = Floors(state.chain.epoch, state.issued, state.serial)
    with pytest.raises(RolledBackError):
        mirror(registry, tmp_path / "new", FolderTransport(str(older)), floors=floors)
    done = mirror(registry, tree, FolderTransport(str(older)), FolderTransport(registry.root))
    assert any("older copy" in one for one in done.origin.warnings)
    # Where the shown state is damaged, its timestamp still says how far it was.
    os.chmod(tree / layout.role_file("snapshot", state.serial), 0o644)
    (tree / layout.role_file("snapshot", state.serial)).write_bytes(b"{}")
    with pytest.raises(RolledBackError):
        mirror(registry, tree, FolderTransport(str(older)))
    mirror(registry, tree)
    assert tree_bytes(registry, tree) == shown


def test_a_copy_made_in_the_middle_of_a_publish_gives_the_state_before(registry, tree, tmp_path):
    torn = tmp_path / "torn"
    shutil.copytree(registry.root, torn)
    registry.later(hours=1)
    registry.publish(formula("mol-c"))
    shutil.copyfile(f"{registry.root}/{layout.TIMESTAMP}", torn / "new")
    os.replace(torn / "new", torn / layout.TIMESTAMP)
    listener = Listener()
    mirror(registry, tree, FolderTransport(str(torn)), listener=listener)
    assert opened(registry, tree).serial == 3
    assert any("serial 3" in one for one in listener.warnings)


def test_a_publish_in_the_meantime_is_followed(registry, tree):
    published = []

    def fault(path):
        if path.endswith(".index.json") and not published:
            published.append(path)
            registry.later(hours=1)
            registry.publish(formula("mol-c"))
            return NotFound("x", path, "pruned")
        return None

    mirror(registry, tree, Faulty(registry.root, fault))
    assert opened(registry, tree).serial == 4
    assert tree_bytes(registry, tree) == tree_bytes(registry, registry.root)


def test_damage_in_the_mirror_is_healed_where_it_is_read(registry, tree):
    mirror(registry, tree)
    whole = tree_bytes(registry, tree)
    victims = [path for path in whole if not path.startswith("objects/") and path != layout.TIMESTAMP]
    for path in victims[::5]:
        os.chmod(tree / path, 0o644)
        (tree / path).write_bytes(b"damaged")
    os.unlink(tree / victims[1])
    mirror(registry, tree)
    assert tree_bytes(registry, tree) == whole


def test_a_full_disk_is_told_before_anything_large_is_fetched(registry, tree, monkeypatch):
    mirror(registry, tree)
    registry.later(hours=1)
    registry.publish(formula("mol-c"))
    real = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda path: _Full(real(path)))
    with pytest.raises(MirrorNoRoomError):
        mirror(registry, tree)
    monkeypatch.undo()
    assert opened(registry, tree).serial == 3
    mirror(registry, tree)


class _Full:
    def __init__(self, status):
        self.f_bavail, self.f_frsize = 10, status.f_frsize
