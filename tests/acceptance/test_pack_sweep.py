"""A systematic sweep: every kind of member of a pack flipped, cut, dropped, swapped and replayed; nothing of it shows.

The list of files is made to fit each time, as an attacker who writes packs would: what refuses then is what is signed.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from far_side import FarSide, tree_files, visible
from hand_made_packs import HandMade, described, full_pack, packed, packed_file, unpacked
from near_side import cut_pack, inventory_of
from registry_tree import HOST, FolderRegistry, bundle, formula

from mmpm.errors import UNTRUSTED, MmpmError, PackRefusedError
from mmpm.registry.mirror.origin import Believed
from mmpm.registry.pack.entries import Patch
from mmpm.registry.publish import publish
from mmpm.trust.keys import SigningKey

TARGETS_AND_ROLES = {
    "root": "metadata/1.root.json",
    "timestamp": "metadata/timestamp.json",
    "snapshot": ".snapshot.json",
    "targets": ".targets.json",
    "trust": ".trust.json",
    "bins": ".bins.json",
    "bin": ".bin-",
    "index": ".index.json",
    "shard": "catalog/",
    "page": ".page-",
    "signature": "signatures/",
    "object": "objects/",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("sweep"))


class World:
    """A registry in three states, packs of them, and a far side that shows the middle one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = FolderRegistry(folder / "origin")
        self.origin.publish(formula("mol-a"), bundle("mol-b"))
        self.first = self.pack()
        self.first_files = dict(self.members(self.first))
        self.origin.later(days=1)
        self.origin.publish(formula("mol-a", "1.1.0"), formula("mol-c"))
        self.middle = self.pack()
        self.far = FarSide(folder / "far", HOST, self.origin.made.fingerprint)
        self.far.receive(self.middle.data())
        self.origin.later(days=1)
        long = [formula("mol-long", f"1.{number}.0") for number in range(260)]
        signed = [formula("mol-a", "1.2.0"), bundle("mol-b", "2.0.0"), *long]
        publish(self.origin.root, signed, self.origin.how(), sign=SigningKey.generate())
        self.origin.yank("mol-c", "1.0.0")
        self.last = self.pack()
        self.stock = inventory_of(self.far.folder, HOST)
        self.increment = cut_pack(Path(self.origin.root), HOST, self.far.belief, self.stock)
        self.state = visible(self.far.folder)
        self.count = 0

    def pack(self) -> HandMade:
        """Of the newest state, and of nothing that was before it."""
        tree = Path(self.origin.root)
        made = full_pack(HOST, tree)
        current = tree_files(tree, HOST, Believed(self.origin.made.fingerprint))
        made.members = [(entry, data) for entry, data in made.members if entry.path.split("/", 2)[2] in current]
        return made

    @staticmethod
    def members(made: HandMade):
        return [(entry.path, data) for entry, data in made.members]

    def fresh(self) -> FarSide:
        self.count += 1
        copy = self.folder / f"far-{self.count}"
        shutil.copytree(self.far.folder, copy)
        return FarSide(copy, HOST, self.origin.made.fingerprint)

    def changed(self, change) -> bytes:
        """The newest pack, each file of it as `change(path, data)` gives it; None leaves it out."""
        made = HandMade(self.last.registries)
        for path, data in self.members(self.last):
            new = change(path, data)
            if new is not None:
                entry = packed_file(path, new)
                made.members.append((entry, new))
        return made.data()

    def stays(self, data: bytes, *, may_wait: bool = False) -> str:
        """Import what must not be shown; give what was said."""
        far = self.fresh()
        refusal = None
        try:
            done = far.receive(data)
        except MmpmError as error:
            refusal = error
        if refusal is not None:
            said = refusal.fact
            assert "\n" not in said
            assert refusal.exit_status == UNTRUSTED
        else:
            assert may_wait, done
            assert done.is_waiting
            said = " ".join(done.landed[0].missing)
            assert Path(done.request).exists()
        assert visible(far.folder) == self.state
        assert far.verify().serial == self.far.serial()
        shutil.rmtree(far.folder)
        return said


def kind_of(kind: str, path: str) -> bool:
    inner = path.split("/", 2)[2]
    mark = TARGETS_AND_ROLES[kind]
    return inner.startswith(mark) or (mark.startswith(".") and mark in inner)


def new_of(world: World, kind: str) -> str:
    """A member of that kind which only the newest state has (the root: the only one)."""
    here = set(world.state)
    if kind == "object":
        return next(path for path, data in world.members(world.last) if data.startswith(b"# mol-a 1.2.0"))
    found = [path for path, _ in world.members(world.last) if kind_of(kind, path)]
    changed = [path for path in found if path not in here or "timestamp.json" in path]
    return (changed or found)[0]


@pytest.mark.parametrize("kind", TARGETS_AND_ROLES)
@pytest.mark.parametrize("how", ["flip", "cut", "empty", "grow"])
def test_a_changed_member_is_refused_by_its_name(world, kind, how):
    wanted = new_of(world, kind)

    def change(path, data):
        if path != wanted:
            return data
        if how == "flip":
            return data[:-5] + bytes([data[-5] ^ 1]) + data[-4:]
        return {"cut": data[: len(data) // 2], "empty": b"", "grow": data + b" " * 70_000}[how]

    if kind in {
        "index",
        "shard",
        "object",
        "page",
    }:  # their names tell their hashes, so that the list itself cannot fit
        with pytest.raises(PackRefusedError, match=r"damaged|not the bytes|length"):
            raise_for(world, change)
        return
    said = world.stays(world.changed(change))
    assert kind in said or wanted.rpartition("/")[2] in said, said


def raise_for(world, change):
    far = world.fresh()
    try:
        far.receive(world.changed(change))
    finally:
        assert visible(far.folder) == world.state
        shutil.rmtree(far.folder)


@pytest.mark.parametrize(
    "kind", [kind for kind in TARGETS_AND_ROLES if kind not in {"root", "targets", "trust", "bins"}]
)
def test_a_dropped_member_makes_the_pack_wait_and_is_named(world, kind):
    wanted = new_of(world, kind)
    if kind == "timestamp":  # without the newest one, the pack has nothing to show
        said = world.stays(
            world.changed(lambda path, data: None if path.endswith("timestamp.json") else data), may_wait=True
        )
        assert "timestamp.json" in said or said == ""
        return
    said = world.stays(world.changed(lambda path, data: None if path == wanted else data), may_wait=True)
    assert wanted.split("/", 2)[2] in said


@pytest.mark.parametrize("kind", ["timestamp", "snapshot", "bin"])
def test_an_older_version_under_a_newer_one_s_name_is_refused_or_not_shown(world, kind):
    wanted = new_of(world, kind)
    older = max(path for path in world.first_files if kind_of(kind, path))
    data = world.changed(lambda path, data: world.first_files[older] if path == wanted else data)
    far = world.fresh()
    if kind == "timestamp":  # a replayed timestamp makes it the pack of an older state
        done = far.receive(data)
        assert [one.kind for one in done.landed] == ["older"]
        assert visible(far.folder) == world.state
    else:
        world.stays(data)


def test_members_of_two_states_mixed_are_never_shown(world):
    middle = dict(world.members(world.middle))
    for kind in ("snapshot", "bin", "index", "shard"):
        wanted = [path for path in middle if kind_of(kind, path)]

        def change(path, data, wanted=wanted):
            return middle[path] if path in wanted else None if kind_of("object", path) else data

        far = world.fresh()
        try:
            done = far.receive(world.changed(change))
        except MmpmError:
            pass
        else:
            assert done.is_waiting or far.verify() is not None
        assert far.verify() is not None
        shutil.rmtree(far.folder)


def test_a_replayed_pack_of_an_older_state_is_not_shown(world):
    far = world.fresh()
    for made in (world.first, world.middle):
        assert far.receive(made.data()).landed[0].kind in {"older", "same"}
        assert visible(far.folder) == world.state
    shutil.rmtree(far.folder)


def test_a_foreign_registry_under_our_name_is_refused(world, tmp_path):
    foreign = FolderRegistry(tmp_path / "foreign")
    foreign.publish(formula("mol-a", "9.9.9"))
    world.stays(full_pack(HOST, Path(foreign.root)).data())
    # Its files under our roots' names, and ours under its.
    theirs = dict(World.members(full_pack(HOST, Path(foreign.root))))
    for kind in ("root", "timestamp", "targets"):
        wanted = new_of(world, kind)
        other = next(path for path in theirs if kind_of(kind, path))
        world.stays(world.changed(lambda path, data, w=wanted, o=other: theirs[o] if path == w else data))


def test_a_head_that_claims_our_roots_over_foreign_files_is_refused(world, tmp_path):
    foreign = FolderRegistry(tmp_path / "foreign")
    foreign.publish(formula("mol-a", "9.9.9"))
    made = full_pack(HOST, Path(foreign.root))
    made.registries = (described(HOST, Path(world.origin.root)),)
    world.stays(made.data())


@pytest.mark.slow
def test_every_member_of_an_increment_is_refused_by_its_name(world, sampled):
    members = unpacked(world.increment)
    assert any(name.startswith("patches/") for name, _ in members)
    for number in sampled(range(len(members)), 5):
        name, data = members[number]
        flipped = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 4]) + data[len(data) // 2 + 1 :]
        for new in ([(name, flipped)], [], [(name, data), (name, data)], [(name, data[:-1])]):
            said = world.stays(packed([*members[:number], *new, *members[number + 1 :]]))
            following = members[number + 1][0] if number + 1 < len(members) else ""
            assert name in said or (following and following in said), said


def test_a_right_pack_is_shown_after_all_of_that(world):
    for pack in (world.last.data(), world.increment):
        far = world.fresh()
        assert far.receive(pack).landed[0].kind == "shown"
        belief = far.belief
        assert tree_files(far.tree, HOST, belief) == tree_files(Path(world.origin.root), HOST, belief)
        shutil.rmtree(far.folder)


def test_a_patch_that_gives_another_file_than_it_says_is_refused(world):
    members = unpacked(world.increment)
    [number] = [n for n, (name, _) in enumerate(members) if name == "files.jsonl"]
    lines = members[number][1]
    digits = hashlib.sha256(b"x").hexdigest()
    bad = lines.replace(b'"sha256":"', b'"sha256":"' + digits[:0].encode(), 1)
    assert bad == lines  # the list's own hash stands in pack.json: another list is refused there
    changed = lines[:-20] + bytes([lines[-20] ^ 1]) + lines[-19:]
    said = world.stays(packed([*members[:number], ("files.jsonl", changed), *members[number + 1 :]]))
    assert "files.jsonl" in said


def test_oversized_lengths_are_refused_before_anything_is_read(world):
    made = HandMade(world.last.registries)
    made.members = [
        (replace(entry, length=entry.length + (1 << 33)) if not isinstance(entry, Patch) and n == 9 else entry, data)
        for n, (entry, data) in enumerate(world.last.members)
    ]
    said = world.stays(made.data())
    assert made.members[9][0].path in said
