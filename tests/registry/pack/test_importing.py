"""Importing packs into a mirror: whole states or nothing, twice is a no-op, older ones are not shown."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from far_side import FarSide, tree_files, visible
from hand_made_packs import full_pack, packed_file
from registry_tree import HOST, FolderRegistry, bundle, formula

from mmpm.errors import LinkedFolderError, MmpmError, PackRefusedError, RootMismatchError


@pytest.fixture
def origin(tmp_path):
    registry = FolderRegistry(tmp_path / "origin")
    registry.publish(formula("mol-a"), bundle("mol-b"))
    return registry


@pytest.fixture
def far(tmp_path, origin):
    return FarSide(tmp_path / "far", HOST, origin.made.fingerprint)


def pack_of(origin):
    return full_pack(HOST, Path(origin.root))


def same_as_origin(far, origin):
    return tree_files(far.tree, HOST, far.belief) == tree_files(Path(origin.root), HOST, far.belief)


def test_a_full_pack_makes_the_far_tree_the_origin_s(origin, far):
    done = far.receive(pack_of(origin).data())
    [landed] = done.landed
    assert (landed.kind, landed.old_serial, landed.serial) == ("shown", None, 2)
    assert done.new_objects > 0
    assert same_as_origin(far, origin)
    assert far.verify().serial == 2
    assert not (far.folder / ".staging").exists()


def test_twice_is_once(origin, far):
    data = pack_of(origin).data()
    far.receive(data)
    before = visible(far.folder)
    done = far.receive(data)
    assert [one.kind for one in done.landed] == ["same"]
    assert (done.new_objects, done.request) == (0, "")
    assert visible(far.folder) == before


def test_a_newer_pack_advances_the_serial_and_an_older_one_does_not_take_it_back(origin, far):
    old = pack_of(origin).data()
    origin.later(days=1)
    origin.publish(formula("mol-a", "1.1.0"), formula("mol-c"))
    origin.yank("mol-b", "1.0.0")
    far.receive(old)
    far.receive(pack_of(origin).data())
    assert same_as_origin(far, origin)
    serial = far.serial()
    before = visible(far.folder)
    done = far.receive(old)
    assert [one.kind for one in done.landed] == ["older"]
    assert far.serial() == serial
    assert visible(far.folder) == before


def test_a_pack_of_another_root_key_is_refused(origin, far, tmp_path):
    stranger = FolderRegistry(tmp_path / "stranger")
    stranger.publish(formula("mol-a", "9.0.0"))
    with pytest.raises(RootMismatchError):
        far.receive(full_pack(HOST, Path(stranger.root)).data())
    assert far.serial() == 0
    far.receive(pack_of(origin).data())
    before = visible(far.folder)
    with pytest.raises(MmpmError):
        far.receive(full_pack(HOST, Path(stranger.root)).data())
    assert visible(far.folder) == before


def everything(folder):
    """Every file and folder, objects and what waits as well."""
    return {path.relative_to(folder): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def test_a_pack_that_is_not_to_be_believed_leaves_nothing_behind(origin, far, tmp_path):
    stranger = FolderRegistry(tmp_path / "stranger")
    stranger.publish(formula("mol-a", "9.0.0"), bundle("mol-z"))
    foreign = full_pack(HOST, Path(stranger.root)).data()
    with pytest.raises(RootMismatchError):
        far.receive(foreign)
    assert everything(far.folder) == {}
    waits = pack_of(origin)
    lost = next(entry.path for entry, data in waits.members if "objects/" in entry.path and b"# mol-a" in data)
    waits.members = [(entry, data) for entry, data in waits.members if entry.path != lost]
    far.receive(waits.data())
    for whole in ([], [pack_of(origin).data()]):
        for data in whole:
            far.receive(data)
        before = everything(far.folder)
        with pytest.raises(MmpmError):
            far.receive(foreign)
        assert everything(far.folder) == before


@pytest.mark.parametrize("place", ["mirrors", f"mirrors/{HOST}", f"mirrors/{HOST}/objects", f"mirrors/{HOST}/metadata"])
def test_nothing_is_written_through_a_link_in_the_place_of_a_folder(origin, far, tmp_path, place):
    outside = tmp_path / "outside"
    outside.mkdir()
    linked = far.folder / place
    linked.parent.mkdir(parents=True)
    linked.symlink_to(outside)
    with pytest.raises(LinkedFolderError, match=place):
        far.receive(pack_of(origin).data())
    assert list(outside.iterdir()) == []
    linked.unlink()
    far.receive(pack_of(origin).data())
    assert same_as_origin(far, origin)


def test_a_state_below_what_the_machine_has_seen_is_not_shown(origin, far):
    from mmpm.trust.facts import Floors

    old = pack_of(origin).data()
    state = origin.load()
    origin.later(days=1)
    origin.publish(formula("mol-c"))
    new = origin.load()
    snapshot = new.facts.snapshot.sha256
    far.belief = replace(far.belief, floors=Floors(state.chain.epoch, new.facts.issued, new.serial, snapshot))
    [landed] = far.receive(old).landed
    assert landed.kind == "older"
    assert far.serial() == 0
    far.receive(pack_of(origin).data())
    assert far.serial() == new.serial


def test_a_mirror_is_made_anew_from_old_packs_on_a_machine_that_has_seen_newer_states(origin, far):
    from mmpm.registry.pack.entries import tree_path
    from mmpm.trust.facts import Floors

    first = pack_of(origin).data()
    known = set(tree_files(Path(origin.root), HOST, far.belief))
    index = next(path for path in sorted(known) if path.endswith(".index.json"))
    kept = Path(origin.root, index).read_bytes()
    origin.later(days=1)
    origin.publish(formula("mol-c"))
    new = origin.load()
    increment = pack_of(origin)
    news = {
        e.path: data for e, data in increment.members if e.path.split("/", 2)[2] not in known or "timestamp" in e.path
    }
    increment.members = []
    increment.patch({tree_path(HOST, index): kept}, news)
    snapshot = new.facts.snapshot.sha256
    far.belief = replace(far.belief, floors=Floors(new.chain.epoch, new.facts.issued, new.serial, snapshot))
    [landed] = far.receive(first).landed
    assert landed.kind == "older"
    assert "nothing of" in landed.notes[0]
    assert far.serial() == 0
    assert not (far.folder / "mirror.json").exists()
    [landed] = far.receive(increment.data()).landed
    assert landed.kind == "shown"
    assert same_as_origin(far, origin)


def test_a_pack_that_lacks_a_file_waits_and_asks_for_it(origin, far):
    from mmpm.registry.pack.inventory import Inventory

    made = pack_of(origin)
    lost = next(entry.path for entry, data in made.members if "objects/" in entry.path and b"# mol-a" in data)
    made.members = [(entry, data) for entry, data in made.members if entry.path != lost]
    done = far.receive(made.data())
    [landed] = done.landed
    assert (landed.kind, landed.missing_count) == ("waiting", 1)
    assert landed.missing == (lost.split("/", 2)[2],)
    assert far.serial() == 0
    assert far.waiting() == [done.pack_id.removeprefix("blake3:")]
    inventory = Inventory.parse(Path(done.request).read_bytes())
    assert lost.rpartition("objects/")[2].replace("/", "") not in inventory.hashes
    assert len(inventory.hashes) > 1
    assert done.waiting_bytes > 0
    # What was missing comes on its own, and the one that waited is shown without its medium.
    far.receive(pack_of(origin).data())
    assert same_as_origin(far, origin)
    assert far.waiting() == []


def test_a_medium_that_is_cut_off_leaves_its_objects_and_shows_nothing(origin, far):
    data = pack_of(origin).data()
    with pytest.raises(PackRefusedError):
        far.receive(data[: len(data) * 9 // 10])
    assert far.serial() == 0
    assert far.waiting() == []
    done = far.receive(data)
    assert done.known_objects >= 0
    assert same_as_origin(far, origin)


def test_patches_are_applied_and_their_results_are_the_origin_s_bytes(origin, far):
    from mmpm.registry.pack.entries import tree_path

    far.receive(pack_of(origin).data())
    before = {path: Path(origin.root, path) for path in tree_files(Path(origin.root), HOST, far.belief)}
    base = next(iter(sorted(path for path in before if path.startswith("objects/"))))
    kept = before[base].read_bytes()
    origin.publish(formula("mol-d"))
    increment, whole = pack_of(origin), pack_of(origin)
    news = [(entry, data) for entry, data in whole.members if entry.path.split("/", 2)[2] not in before]
    stamp = [(entry, data) for entry, data in whole.members if entry.path.endswith("metadata/timestamp.json")]
    increment.members = []
    increment.patch({tree_path(HOST, base): kept}, {entry.path: data for entry, data in [*news, *stamp]})
    [landed] = far.receive(increment.data()).landed
    assert landed.kind == "shown"
    assert same_as_origin(far, origin)


def test_a_pack_whose_bases_come_later_waits_and_is_then_shown(origin, far):
    from mmpm.registry.pack.entries import tree_path

    first = pack_of(origin).data()
    known = set(tree_files(Path(origin.root), HOST, far.belief))
    base = next(iter(sorted(path for path in known if path.startswith("objects/"))))
    kept = Path(origin.root, base).read_bytes()
    origin.publish(formula("mol-d"))
    increment = pack_of(origin)
    news = {
        e.path: data for e, data in increment.members if e.path.split("/", 2)[2] not in known or "timestamp" in e.path
    }
    increment.members = []
    increment.patch({tree_path(HOST, base): kept}, news)
    done = far.receive(increment.data())
    assert done.is_waiting
    assert far.serial() == 0
    [landed] = far.receive(first).landed
    assert landed.kind == "shown"
    assert [[one.kind for one in retried.landed] for retried in far.retried] == [["shown"]]
    assert same_as_origin(far, origin)
    assert far.waiting() == []


def test_objects_of_a_registry_that_the_head_does_not_name_are_refused(origin, far):
    made = pack_of(origin)
    made.add("mirrors/other.example/objects/" + "ab/" + "0" * 62, b"")
    with pytest.raises(PackRefusedError):
        far.receive(made.data())


def test_links_and_pipes_at_the_destination_are_not_followed(origin, far, tmp_path):
    import os

    data = pack_of(origin).data()
    outside = tmp_path / "outside"
    outside.mkdir()
    far.receive(data)
    shutil.rmtree(far.tree / "metadata")
    (far.tree / "metadata").mkdir()
    os.mkfifo(far.tree / "metadata" / "timestamp.json")
    far.receive(data)
    assert same_as_origin(far, origin)


def with_member(origin, name, change):
    """A pack of the origin in which one metadata file is changed, and its line with it."""
    made, path = pack_of(origin), f"mirrors/{HOST}/metadata/{name}"
    made.members = [
        (packed_file(path, change(data)), change(data)) if entry.path == path else (entry, data)
        for entry, data in made.members
    ]
    return made.data()


def superfluous(data):
    return data.replace(b'"signatures":[', b'"signatures":[{"keyid":"' + b"0" * 64 + b'","sig":"' + b"0" * 128 + b'"},')


def upper(data):
    head, mark, tail = data.partition(b'"sig":"')
    return head + mark + tail[:128].upper() + tail[128:]


@pytest.mark.parametrize("change", [lambda data: data + b" ", superfluous, upper])
def test_a_root_that_was_touched_where_nothing_is_signed_is_refused_on_the_first_carry(origin, far, change):
    with pytest.raises(PackRefusedError, match=r"1\.root\.json has other bytes than were signed"):
        far.receive(with_member(origin, "1.root.json", change))
    assert far.verify() is None
    far.receive(pack_of(origin).data())
    assert same_as_origin(far, origin)
    with pytest.raises(PackRefusedError, match=r"1\.root\.json has other bytes than were signed"):
        far.receive(with_member(origin, "1.root.json", change))
    assert same_as_origin(far, origin)


@pytest.mark.parametrize("name", ["1.root.json", "timestamp.json"])
def test_white_space_that_lies_here_is_mended_by_the_next_pack(origin, far, name):
    far.receive(pack_of(origin).data())
    path = far.tree / "metadata" / name
    data = path.read_bytes() + b" "
    path.unlink()
    path.write_bytes(data)
    far.receive(pack_of(origin).data())
    assert same_as_origin(far, origin)


def test_a_pack_that_waited_and_is_not_to_be_believed_goes_and_holds_up_nothing(origin, far):
    from mmpm.registry.pack.entries import tree_path

    first = pack_of(origin).data()
    base = Path(origin.root, "metadata/1.root.json").read_bytes()
    origin.publish(formula("mol-d"))
    forged = pack_of(origin)
    news = {entry.path: data for entry, data in forged.members if "timestamp" in entry.path}
    forged.members = []
    other = (b"".join(news.values()) * 9)[: len(base)]  # not what lies there under that name
    forged.patch({tree_path(HOST, "metadata/1.root.json"): other}, news)
    assert far.receive(forged.data()).is_waiting
    assert [one.kind for one in far.receive(first).landed] == ["shown"]
    [retried] = far.retried
    assert isinstance(retried.refusal, PackRefusedError)
    assert far.waiting() == []
    assert far.serial() == 2


def test_a_policy_comes_with_a_state_that_is_shown_and_not_with_an_older_one(origin, far):
    old = pack_of(origin)
    old.members.insert(0, (packed_file("policy.json", b"older"), b"older"))
    origin.publish(formula("mol-d"))
    new = pack_of(origin)
    new.members.insert(0, (packed_file("policy.json", b"newer"), b"newer"))
    far.receive(new.data())
    far.receive(old.data())
    assert (far.folder / "policy.json").read_bytes() == b"newer"


def test_a_pack_takes_no_newer_policy_of_the_same_id_back(origin, far):
    from mmpm.trust.signed_policy import SignedPolicy

    def packed(serial, identity="acme"):
        policy = SignedPolicy(identity, serial, "2026-01-10T00:00:00Z", {"min_level": "audited"}).to_bytes()
        made = pack_of(origin)
        made.members.insert(0, (packed_file("policy.json", policy), policy))
        return policy, made.data()

    newer, carried = packed(3)
    far.receive(carried)
    far.receive(packed(2)[1])
    assert (far.folder / "policy.json").read_bytes() == newer
    other, carried = packed(1, "other")
    far.receive(carried)
    assert (far.folder / "policy.json").read_bytes() == other


def test_importing_twice_makes_the_unsigned_copies_that_a_crash_left_out(origin, far):
    data = pack_of(origin).data()
    far.receive(data)
    shown = visible(far.folder)
    assert any(path.endswith("/download") for path in shown)
    (far.tree / "mirrored.json").unlink()
    (far.tree / "formulas" / "index.json").unlink()
    (far.folder / "mirror.json").unlink()
    far.receive(data)
    assert visible(far.folder) == shown


def test_an_object_that_was_damaged_here_is_mended_by_the_next_pack_that_brings_it(origin, far):
    data = pack_of(origin).data()
    far.receive(data)
    path = next(path for path in sorted(tree_files(far.tree, HOST, far.belief)) if path.startswith("objects/"))
    good = (far.tree / path).read_bytes()
    (far.tree / path).chmod(0o644)
    (far.tree / path).write_bytes(bytes(len(good)))
    done = far.receive(data)
    assert done.new_objects == 1
    assert (far.tree / path).read_bytes() == good
    assert same_as_origin(far, origin)
