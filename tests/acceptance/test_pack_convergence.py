"""Whatever is published, withdrawn and rotated, and however packs get lost, doubled, reordered or cut against stale
inventories: the far side shows a whole verified state at every moment, never an older one, and in the end the origin's.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from far_side import FarSide, tree_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from near_side import cut_pack, inventory_of
from registry_tree import HOST, bundle, formula
from rotating import RotatingRegistry

from mmpm.errors import PackRefusedError
from mmpm.registry.key_folder import load_keys
from mmpm.registry.mirror.origin import Believed

NAMES = [f"mol-{letter}" for letter in "abcde"]
ROTATED = [("snapshot", "timestamp"), ("timestamp",), ("bin",), ("root",), ("targets", "bins"), ("trust",)]
ROUNDS_TO_THE_END = 4

PUBLISH = st.tuples(st.just("publish"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
YANK = st.tuples(st.just("yank"), st.integers(0, 99))
ROTATE = st.tuples(st.just("rotate"), st.sampled_from(ROTATED))
RENEW = st.tuples(st.just("renew"), st.none())
TAKE_STOCK = st.tuples(st.just("take stock"), st.booleans())
CUT = st.tuples(
    st.just("cut"),
    st.one_of(
        st.just(("nothing", 0)),
        st.tuples(st.just("inventory"), st.integers(0, 9)),
        st.tuples(st.just("serial"), st.integers(0, 9)),
    ),
)
CARRY = st.tuples(st.just("carry"), st.integers(0, 99))
DAMAGE = st.tuples(st.just("damage"), st.integers(0, 1 << 30))
STEPS = st.lists(
    st.one_of(PUBLISH, PUBLISH, YANK, ROTATE, RENEW, TAKE_STOCK, CUT, CUT, CARRY, CARRY, DAMAGE), max_size=14
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A registry that every example begins with a copy of."""
    registry = RotatingRegistry(tmp_path_factory.mktemp("begun"))
    registry.publish(formula("mol-a"), bundle("mol-b"))
    return registry


@dataclass
class Exercise:
    """One history on both sides of the gap."""

    folder: Path
    origin: RotatingRegistry
    far: FarSide
    versions: dict[str, int] = field(default_factory=dict)
    yankable: list[tuple[str, str]] = field(default_factory=list)
    inventories: list[bytes] = field(default_factory=list)
    serials: list[int] = field(default_factory=lambda: [0])
    packs: list[bytes] = field(default_factory=list)
    shown: int = 0

    def step(self, verb: str, how) -> None:
        getattr(self, verb.replace(" ", "_"))(how)

    def publish(self, names) -> None:
        self.origin.later(hours=5)
        items = []
        for name in names:
            number = self.versions[name] = self.versions.get(name, 1) + 1
            make = bundle if number % 2 else formula
            items.append(make(name, f"{number}.0.0"))
            self.yankable.append((name, f"{number}.0.0"))
        self.origin.publish(*items)

    def yank(self, which) -> None:
        if self.yankable:
            self.origin.later(hours=5)
            self.origin.yank(*self.yankable.pop(which % len(self.yankable)))

    def rotate(self, roles) -> None:
        self.origin.later(hours=5)
        self.origin.rotate(*roles)

    def renew(self, _how) -> None:
        self.origin.later(hours=5)
        self.origin.publish()

    def take_stock(self, as_filter) -> None:
        if self.far.tree.exists():
            self.inventories.append(inventory_of(self.far.folder, HOST, as_filter=as_filter))

    def cut(self, against) -> None:
        kind, which = against
        base: bytes | int | None = None
        if kind == "inventory" and self.inventories:
            base = self.inventories[which % len(self.inventories)]
        elif kind == "serial":
            base = self.serials[which % len(self.serials)]
        self.packs.append(cut_pack(Path(self.origin.root), HOST, self.far.belief, base))

    def carry(self, which) -> None:
        if self.packs:
            self.receive(self.packs[which % len(self.packs)])

    def damage(self, where) -> None:
        """A medium on which a bit has flipped: nothing changes, or nothing was damaged that matters."""
        if self.packs:
            pack = bytearray(self.packs[where % len(self.packs)])
            pack[where % len(pack)] ^= 1 << where % 8
            before = self.far.serial()
            with pytest.raises(PackRefusedError):
                self.receive(bytes(pack))
            assert self.far.serial() == before

    def receive(self, pack: bytes):
        done = self.far.receive(pack)
        self.look()
        return done

    def look(self) -> None:
        serial = self.far.serial()  # verifies every file
        assert serial >= self.shown
        self.shown = serial
        self.serials.append(serial)

    def finish(self, order) -> None:
        """Carry every pack that was ever cut, in some order, and then as often as it takes what is asked for."""
        for pack in order(self.packs):
            self.receive(pack)
        request: bytes | None = inventory_of(self.far.folder, HOST) if self.far.tree.exists() else None
        for _ in range(ROUNDS_TO_THE_END):
            done = self.receive(cut_pack(Path(self.origin.root), HOST, self.far.belief, request))
            if not done.is_waiting:
                break
            request = Path(done.request).read_bytes()
        assert not done.is_waiting
        assert self.far.waiting() == []
        belief = self.far.belief
        assert tree_files(self.far.tree, HOST, belief) == tree_files(Path(self.origin.root), HOST, belief)


def exercise(begun, folder: Path) -> Exercise:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(begun.folder, folder)
    origin = RotatingRegistry.__new__(RotatingRegistry)
    origin.__dict__ |= begun.__dict__
    origin.folder, origin.root, origin.keys_folder = folder, str(folder / "reg"), str(folder / "keys")
    origin.keys = load_keys(origin.keys_folder, HOST, None)
    return Exercise(folder, origin, FarSide(folder / "far", HOST, begun.made.fingerprint))


@pytest.mark.slow
def test_the_far_side_converges(begun, tmp_path_factory, request):
    number = 0

    @settings(
        max_examples=300 if request.config.option.full else 8,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=False,
    )
    @given(steps=STEPS, data=st.data())
    def converges(steps, data):
        nonlocal number
        number += 1
        carried = exercise(begun, tmp_path_factory.mktemp("exercise") / "world")
        try:
            for verb, how in steps:
                carried.step(verb, how)
            carried.finish(lambda packs: data.draw(st.permutations(packs)))
        finally:
            shutil.rmtree(carried.folder)

    from hypothesis import seed

    seed(request.config.option.seed)(converges)()


def test_increments_cut_against_what_the_far_side_had_at_any_time_need_nothing_else(begun, tmp_path):
    """All packs delivered, none lost, in the worst order: each one waits for those before it, and none is asked for."""
    carried = exercise(begun, tmp_path / "world")
    packs = [cut_pack(Path(carried.origin.root), HOST, carried.far.belief)]
    twin = FarSide(tmp_path / "twin", HOST, begun.made.fingerprint)
    for number in range(3):
        twin.receive(packs[-1])
        carried.publish([NAMES[number], "mol-a"])
        packs.append(cut_pack(Path(carried.origin.root), HOST, twin.belief, inventory_of(twin.folder, HOST)))
    for pack in reversed(packs[1:]):
        done = carried.receive(pack)
        assert done.is_waiting
        assert carried.far.serial() == 0
    carried.receive(packs[0])
    assert carried.far.waiting() == []
    belief = carried.far.belief
    assert tree_files(carried.far.tree, HOST, belief) == tree_files(Path(carried.origin.root), HOST, belief)


def test_recovery_after_a_theft_is_followed_and_the_stolen_keys_packs_are_not(begun, tmp_path):
    carried = exercise(begun, tmp_path / "world")
    old = cut_pack(Path(carried.origin.root), HOST, carried.far.belief)
    carried.receive(old)
    # The thief publishes far ahead with the stolen keys, on a copy of the registry.
    thief = exercise(begun, tmp_path / "thief")
    for _ in range(5):
        thief.publish(["mol-evil"])
    stolen = cut_pack(Path(thief.origin.root), HOST, Believed(begun.made.fingerprint))
    carried.receive(stolen)
    ahead = carried.far.serial()
    carried.origin.later(days=1)
    carried.origin.rotate("snapshot", "timestamp", "bin")
    carried.origin.publish(formula("mol-new"))
    recovered = cut_pack(Path(carried.origin.root), HOST, carried.far.belief)
    [landed] = carried.far.receive(recovered).landed
    assert landed.kind == "shown"
    assert landed.serial < ahead
    [landed] = carried.far.receive(stolen).landed
    assert landed.kind == "older"
    belief = carried.far.belief
    assert tree_files(carried.far.tree, HOST, belief) == tree_files(Path(carried.origin.root), HOST, belief)


def test_a_partial_pack_extends_what_a_mirror_carries_and_never_makes_a_whole_one_partial(begun, tmp_path):
    carried = exercise(begun, tmp_path / "world")
    carried.publish(["mol-c"])
    root, belief = Path(carried.origin.root), Believed(begun.made.fingerprint)
    only_a, only_b = (cut_pack(root, HOST, belief, None, (name,)) for name in ("mol-a", "mol-b"))
    carried.receive(only_a)
    assert [one.kind for one in carried.receive(only_b).landed] == ["extended"]
    from mmpm.registry.mirror.selected import read_mirror

    selection = read_mirror(str(carried.far.folder)).registries[HOST].selection
    assert selection.only == ("mol-a", "mol-b")
    carried.receive(cut_pack(root, HOST, belief))
    assert read_mirror(str(carried.far.folder)).registries[HOST].selection.everything
    carried.receive(only_a)
    assert read_mirror(str(carried.far.folder)).registries[HOST].selection.everything
    # Of a newer state it brings too little for a whole mirror: it waits, until the rest is there.
    carried.publish(["mol-d", "mol-a"])
    assert carried.receive(cut_pack(root, HOST, belief, None, ("mol-a",))).is_waiting
    carried.receive(cut_pack(root, HOST, belief, inventory_of(carried.far.folder, HOST)))
    assert carried.far.waiting() == []
    assert tree_files(carried.far.tree, HOST, belief) == tree_files(root, HOST, belief)
