"""The corpus as two states, carried across a gap: a full pack, then an increment; the far trees equal the origins."""

from __future__ import annotations

from collections import defaultdict

import pytest
from corpus import bundle_batch, formula_batch
from far_side import tree_files
from world import World

from mmpm.registry.mirror.origin import Believed

pytestmark = pytest.mark.corpus


def halves(batch: str) -> tuple[str, str]:
    """The older half of each history, and the rest; the lines are sorted by name and version."""
    import json

    histories = defaultdict(list)
    for line in batch.splitlines(keepends=True):
        histories[json.loads(line)["name"]].append(line)
    older = [line for lines in histories.values() for line in lines[: (len(lines) + 1) // 2]]
    newer = [line for lines in histories.values() for line in lines[(len(lines) + 1) // 2 :]]
    return "".join(older), "".join(newer)


@pytest.fixture
def shop(corpus, tmp_path):
    """Two registries that have the older halves; `newer` publishes the rest."""
    with World(tmp_path) as world:
        unpacked = corpus.unpack_bundles(tmp_path / "bundles")
        batches = {"formulas": formula_batch(corpus), "bundles": bundle_batch(corpus, unpacked)}

        def publish(which: int) -> None:
            for name, lines in batches.items():
                registry = world.registry(name)
                batch = tmp_path / f"{name}-{which}.jsonl"
                batch.write_text(halves(lines)[which])
                registry.publisher.run("publish", "--batch", str(batch), "--to", str(registry.folder), "--yes")

        publish(0)
        world.newer = lambda: publish(1)
        yield world


def equal(shop, folder) -> bool:
    found = []
    for registry in shop.registries.values():
        belief = Believed(registry.fingerprint.removeprefix("sha256:"))
        far = tree_files(folder / "mirrors" / registry.id, registry.id, belief)
        found.append(far == tree_files(registry.folder, registry.id, belief))
    return all(found)


def test_a_full_pack_and_then_an_increment(shop, tmp_path):
    near, far = shop.machine("near"), shop.machine("far")
    for registry in shop.registries.values():
        near.add(registry)
    mirror, there = tmp_path / "near-mirror", tmp_path / "far-mirror"
    near.run("mirror", "create", str(mirror), "--from", "formulas", "--from", "bundles", "--yes")
    near.run("mirror", "export", str(mirror), "-o", str(tmp_path / "full"))
    roots = [word for one in shop.registries.values() for word in ("--root", one.fingerprint)]
    far.run("mirror", "import", str(tmp_path / "full"), "--to", str(there), *roots)
    assert equal(shop, there)
    shop.newer()
    near.run("mirror", "update", str(mirror), "--yes")
    far.run("mirror", "inventory", str(there), "-o", str(tmp_path / "inventory"), "--filter")
    near.run("mirror", "export", str(mirror), "-o", str(tmp_path / "increment"), "--base", str(tmp_path / "inventory"))
    assert not equal(shop, there)
    far.run("mirror", "import", str(tmp_path / "increment"), "--to", str(there))
    assert equal(shop, there)
    far.run("mirror", "verify", str(there))
    assert (tmp_path / "increment").stat().st_size < (tmp_path / "full").stat().st_size
    # The other way round on another machine, and in volumes: the increment waits for the full pack.
    other, late = shop.machine("other"), tmp_path / "late-mirror"
    other.run("mirror", "import", str(tmp_path / "increment"), "--to", str(late), *roots, status=1)
    ran = other.run("mirror", "import", str(tmp_path / "full"), "--to", str(late), *roots, "--json")
    assert [len(one["registries"]) for one in ran.json["retried"]] == [2]
    assert equal(shop, late)
