"""The corpus mirrored: whole over HTTP, and what one lock needs from a folder; equal byte for byte, and installed from."""

from __future__ import annotations

import pytest
from corpus_shop import whole_corpus

from mmpm.lock import parse_lock
from mmpm.registry.destination import TreeDestination
from mmpm.registry.mirror.selection import Chosen, Selection, choose, select_lock
from mmpm.registry.verified import VerifiedState

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def shop(corpus, tmp_path_factory):
    """Two registries: every formula of the corpus in one, every bundle in the other."""
    with whole_corpus(corpus, tmp_path_factory.mktemp("shop")) as world:
        yield world


def state_of(tree, registry):
    read = TreeDestination(str(tree)).read
    return VerifiedState.open(read, read("metadata/1.root.json", 1 << 20), registry_id=registry.id)


def files_of(tree, registry, chosen=None):
    """Every tree file by path, proved."""
    state = state_of(tree, registry)
    return {file.path: state.bytes_of(file) for file in state.tree_files(chosen or Chosen())}


def test_the_whole_corpus_over_http_equals_its_origins(shop, corpus):
    machine = shop.machine("whole")
    served = {name: shop.serve(registry.folder) for name, registry in shop.registries.items()}
    places = [word for server in served.values() for word in ("--from", server.url)]
    roots = [word for registry in shop.registries.values() for word in ("--root", registry.fingerprint)]
    machine.run("mirror", "create", "mirror", *places, *roots)
    for registry in shop.registries.values():
        tree = machine.project / "mirror" / "mirrors" / registry.id
        assert files_of(tree, registry) == files_of(registry.folder, registry)
        for alias in registry.folder.rglob("download"):
            assert (tree / alias.relative_to(registry.folder)).read_bytes() == alias.read_bytes()
    found = machine.run("mirror", "verify", "mirror", "--json").json
    counted = {one["id"]: one["releases"] for one in found["registries"]}
    assert counted == {"formulas.example": len(corpus.formulas), "bundles.example": len(corpus.bundle_versions)}
    asked = {name: len(server.asked) for name, server in served.items()}
    again = machine.run("mirror", "update", "mirror", "--json").json["registries"]
    assert [one["files"] for one in again] == [0, 0]
    assert all(len(server.asked) - asked[name] < 10 for name, server in served.items())


def test_a_lock_of_the_corpus_is_carried_whole_and_alone(shop):
    registry, machine = shop.registry("formulas"), shop.machine("locked")
    machine.add(registry)
    machine.run("init")
    machine.run("install", "shiny-enterprise", "mol-polecat-work@4", "@gastown/beads-release")
    machine.run("mirror", "create", "mirror", "--lock", "mmpm.lock")
    tree = machine.project / "mirror" / "mirrors" / registry.id
    parts, _ = select_lock("mmpm.lock", parse_lock(machine.lock.read_bytes()))
    choice = choose(
        {registry.id: state_of(registry.folder, registry)}, {registry.id: Selection.of([parts[registry.id]])}
    )
    chosen = choice.chosen[registry.id]
    files = files_of(tree, registry, chosen)
    assert files == files_of(registry.folder, registry, chosen)
    objects = {str(path.relative_to(tree)) for path in (tree / "objects").rglob("*") if path.is_file()}
    assert objects == {path for path in files if path.startswith("objects/")}
    far = shop.machine("far")
    far.run("registry", "add", str(machine.project / "mirror"), "--root", registry.fingerprint)
    for name in ("mmpm.toml", "mmpm.lock"):
        (far.project / name).write_bytes((machine.project / name).read_bytes())
    far.run("sync", "--locked", guard=True)
    assert far.installed().keys() == machine.installed().keys()
    assert far.lock.read_bytes() == machine.lock.read_bytes()
