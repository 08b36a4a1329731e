"""What a receiver says that it has: read as written, equal for equal folders, small as a filter, silent of damage."""

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed_tree import SignedTree

from mmpm.errors import NotARegistryError
from mmpm.registry.pack.inventory import HashFilter, HashSet, HeldState, Inventory
from mmpm.registry.pack.stocktaking import take_stock, trees_of
from mmpm_store.ids import ObjectId

DIGESTS = st.frozensets(st.binary(min_size=32, max_size=32), max_size=40)
STATES = st.sampled_from(
    [(), (HeldState("a.example", 0),), (HeldState("a.example", 3, "2026-01-10T00:00:00Z", "ab" * 32),)]
)


@given(STATES, DIGESTS, st.booleans())
def test_an_inventory_is_read_as_it_was_written(states, hashes, as_filter):
    inventory = Inventory(states, HashFilter.of(hashes) if as_filter else HashSet(hashes))
    assert Inventory.parse(inventory.to_bytes()) == inventory


@given(DIGESTS)
def test_a_filter_knows_everything_that_is_in_it(hashes):
    kept = Inventory.parse(Inventory((), HashFilter.of(hashes)).to_bytes()).hashes
    assert all(one.hex() in kept for one in hashes)


def test_a_filter_of_ten_thousand_hashes_has_less_than_forty_kilobytes_and_is_seldom_wrong():
    hashes = [number.to_bytes(32, "big") for number in range(10_000)]
    data = Inventory((), HashFilter.of(hashes)).to_bytes()
    assert len(data) < 40_000
    kept = Inventory.parse(data).hashes
    wrong = sum((1 << 40 | number).to_bytes(32, "big").hex() in kept for number in range(20_000))
    assert wrong <= 2


@given(st.binary(max_size=200))
def test_anything_else_is_refused_in_a_sentence(data):
    with pytest.raises(ValueError, match="inventory"):
        Inventory.parse(data)


@given(DIGESTS, st.booleans(), st.data())
def test_a_changed_inventory_is_refused_or_read_in_bounds(hashes, as_filter, data):
    text = bytearray(Inventory((), HashFilter.of(hashes) if as_filter else HashSet(hashes)).to_bytes())
    text[data.draw(st.integers(0, len(text) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ValueError):
        assert len(Inventory.parse(bytes(text)).hashes) < 1 << 24


@pytest.mark.parametrize("form", [HashFilter.of, lambda hashes: HashSet(frozenset(hashes))])
def test_an_inventory_that_was_cut_off_or_is_of_an_unknown_form_is_refused(form):
    data = Inventory((), form([number.to_bytes(32, "big") for number in range(1000)])).to_bytes()
    head, _, payload = data.partition(b"\n")
    for cut in (b"", payload[: len(payload) // 2 // 4 * 4]):
        with pytest.raises(ValueError, match="inventory"):
            Inventory.parse(head + b"\n" + cut)
    unknown = head.replace(b'"hashes":"', b'"hashes":"un') + b"\n" + payload
    with pytest.raises(ValueError, match="not known here"):
        Inventory.parse(unknown)


@pytest.fixture
def mirror(tmp_path):
    tree = SignedTree(tmp_path / "mirrors" / "mall.example", "mall.example")
    tree.release("mol-a", "1.0.0")
    tree.show()
    for data in (b"one", b"two"):
        identity = ObjectId.of(data)
        tree.write(f"objects/{identity.hex[:2]}/{identity.hex[2:]}", data)
    return tmp_path, tree


def test_a_mirrors_state_and_files_are_in_its_inventory(mirror):
    folder, tree = mirror
    stock = take_stock(trees_of(str(folder)))
    assert stock.inventory.state_of("mall.example").serial == tree.serial
    assert ObjectId.of(b"one").hex in stock.inventory.hashes
    assert not stock.damaged
    assert take_stock(trees_of(str(folder))).inventory.id == stock.inventory.id


def test_a_damaged_object_is_named_and_is_not_in_the_inventory(mirror):
    folder, tree = mirror
    identity = ObjectId.of(b"one")
    tree.write(f"objects/{identity.hex[:2]}/{identity.hex[2:]}", b"0ne")
    stock = take_stock(trees_of(str(folder)))
    assert identity.hex not in stock.inventory.hashes
    assert [os.path.basename(one) for one in stock.damaged] == [identity.hex[2:]]


def test_a_state_of_which_a_bin_is_missing_is_no_state(mirror):
    folder, tree = mirror
    os.unlink(tree.folder / "metadata" / f"{tree.meta['bin-00'].version}.bin-00.json")
    assert take_stock(trees_of(str(folder))).inventory.state_of("mall.example").serial == 0


def test_a_registrys_own_folder_is_a_tree_too(mirror):
    _, tree = mirror
    tree.write("registry.json", b'{"format":1,"id":"mall.example","title":"x"}')
    assert list(trees_of(str(tree.folder))) == ["mall.example"]


def test_a_folder_without_trees_is_refused(tmp_path):
    with pytest.raises(NotARegistryError):
        trees_of(str(tmp_path))
