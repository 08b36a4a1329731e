"""`mmpm store` as a person and a program see it."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from terminal import Terminal
from world import formula_text

from mmpm_store.ids import ObjectId
from mmpm_store.objects import Store

CONTENT = b"an object that nothing uses"


@pytest.fixture
def later(tmp_path):
    """A terminal a month from now: nothing that a test puts into the store is young."""
    return Terminal(tmp_path, now=datetime.now(UTC) + timedelta(days=30))


@pytest.fixture
def store(later):
    return Store.open(later.home / ".local" / "share" / "mmpm" / "store", durability="none")


def damage(store: Store, object_id: ObjectId) -> None:
    path = store.path_of(object_id)
    os.chmod(path, 0o644)
    with open(path, "wb") as file:
        file.write(b"damaged")


def test_an_empty_store_is_sound(terminal):
    terminal.play(
        """
        $ mmpm store status
        Store:       ~/.local/share/mmpm/store
        Objects:     0 (0 B)
        Quarantine:  0 (0 B)
        Used by:     0 receipts
        $ mmpm store verify
        ✓ 0 objects (0 B): sound
        $ mmpm store repair
        The store is sound
        $ mmpm store prune
        Nothing to do
        $ mmpm store path
        ~/.local/share/mmpm/store
        $ mmpm store path x
        error[not-in-store]: x is no object id
          fix: give blake3: and 64 hexadecimal digits, as `mmpm show NAME --json` and the lock have them
        [exit 1]
        """
    )


def test_what_nothing_uses_is_removed(later, store):
    object_id = store.put(CONTENT)
    later.play(
        f"""
        $ mmpm store path {object_id}
        ~/.local/share/mmpm/store/objects/{object_id.hex[:2]}/{object_id.hex[2:]}
        $ mmpm --dry-run store prune
        would remove 1 object from the store
        $ mmpm store prune
        Removed 1 object (27 B), kept 0 objects (0 B)
        $ mmpm store prune
        Nothing to do
        """
    )


def test_a_young_object_goes_only_if_everything_is_to(later, store):
    store.put(CONTENT)
    later.now = datetime.now(UTC) + timedelta(seconds=5)
    later.play(
        """
        $ mmpm store prune
        Nothing to do
        $ mmpm store prune --everything
        Removed 1 object (27 B), kept 0 objects (0 B)
        """
    )


def test_what_is_installed_stays(later, store):
    later.play(
        """
        $ mmpm new mol-first
        Created mol-first.formula.toml
        """
    )
    assert later.run("import", "mol-first.formula.toml").status == 0
    before = store.status()
    assert before.roots == 1
    seen = later.run("store", "prune", "--everything", "--json")
    assert seen.status == 0
    assert json.loads(seen.out)["removed"] == 0
    assert store.status() == before
    status = json.loads(later.run("store", "status", "--json").out)
    assert status["users"][0]["releases"] == 1
    assert status["users"][0]["receipt"].endswith("/.lock.json")


def test_damage_is_found_named_and_put_aside(later, store):
    object_id = store.put(CONTENT)
    damage(store, object_id)
    later.play(
        f"""
        $ mmpm store verify
        Verifying... ✓
        ✗ damaged: {object_id}
          fix: run `mmpm store repair`
        [exit 1]
        $ mmpm --dry-run store repair
        Verifying... ✓
        would mend 1 object of the store
        """
    )
    seen = later.run("store", "repair", "--json")
    assert seen.status == 0
    assert json.loads(seen.out)["unused"] == [{"id": str(object_id), "executable": False}]
    assert store.status().quarantined == 1
    assert later.run("store", "verify").status == 0


def test_the_quarantine_is_emptied_on_demand(later, store):
    object_id = store.put(CONTENT)
    damage(store, object_id)
    later.run("store", "repair")
    later.play(
        """
        $ mmpm store status
        Store:       ~/.local/share/mmpm/store
        Objects:     0 (0 B)
        Quarantine:  1 (7 B), emptied by `mmpm store prune --quarantine`
        Used by:     0 receipts
        $ mmpm store prune
        Nothing to do
        $ mmpm store prune --quarantine --dry-run
        would remove 1 file from quarantine
        $ mmpm store prune --quarantine
        Removed 1 file from quarantine
        $ mmpm store prune --quarantine
        Nothing to do
        """
    )


@pytest.fixture
def mall(later):
    """A project and a registry with one formula, which is not installed yet."""
    made = later.run("registry", "init", "../reg", "--id", "molmall.example", "--no-passphrase")
    fingerprint = re.search(r"[0-9a-f]{64}", made.out)[0]
    for words in (("init",), ("new", "mol-first"), ("publish", "mol-first.formula.toml", "--to", "../reg", "--yes")):
        assert later.run(*words).status == 0
    assert later.run("registry", "add", "../reg", "--root", fingerprint).status == 0
    return later


def test_what_is_fetched_pushes_out_what_nothing_uses_where_the_store_has_a_limit(mall, store):
    unused = store.put(CONTENT)
    assert mall.run("config", "set", "store.max_size", "10B").status == 0
    seen = mall.run("install", "mol-first")
    assert seen.status == 0
    assert "Removed from the store, for store.max_size: " in seen.err
    assert "above store.max_size (10 B): in use, or within store.grace\n" in seen.err
    assert not store.has(unused)
    assert mall.run("verify").status == 0
    assert mall.run("store", "verify").status == 0


def test_without_a_limit_nothing_is_removed_by_an_install(mall, store):
    unused = store.put(CONTENT)
    assert mall.run("install", "mol-first").status == 0
    assert store.has(unused)


def test_what_the_disk_has_no_room_for_is_not_fetched(mall, monkeypatch):
    full = os.statvfs_result((4096, 4096, 1000, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    seen = mall.run("install", "mol-first")
    assert seen.status == 1
    assert "error[not-enough-space]: " in seen.err
    assert "has room for 0 B\n" in seen.err
    assert not (mall.cwd / "mmpm.lock").exists()
    unknown = os.statvfs_result((0,) * 9 + (255,))
    monkeypatch.setattr(os, "statvfs", lambda _path: unknown)
    assert mall.run("install", "mol-first").status == 0


def test_an_edited_install_is_found_and_what_cannot_be_mended_is_said(later, store):
    later.run("new", "mol-first")
    later.run("import", "mol-first.formula.toml")
    ids = [object_id for object_id, _, _ in store.objects() if b"[package]" in store.read(object_id)]
    damage(store, ids[0])
    found = json.loads(later.run("store", "verify", "--json").out)
    assert not found["ok"]
    assert found["damaged"][0]["id"] == str(ids[0])
    assert found["damaged"][0]["used_by"][0].endswith("/.lock.json")
    seen = later.run("store", "repair")
    assert seen.status == 1
    assert f"lost: {ids[0]}" in seen.out
    assert "no registry is configured" in seen.err
    store.put(found_bytes := (later.cwd / "mol-first.formula.toml").read_bytes())
    assert ObjectId.of(found_bytes) == ids[0]
    assert later.run("store", "repair").status == 0
    assert later.run("store", "verify").status == 0


def test_nothing_goes_while_it_is_not_known_what_is_in_use(later, store):
    later.run("new", "mol-first")
    later.run("import", "mol-first.formula.toml")
    for object_id, _, _ in list(store.objects()):
        if store.read(object_id).startswith(b'{"files"'):
            os.unlink(store.path_of(object_id))
    seen = later.run("store", "prune", "--everything")
    assert seen.status == 1
    assert seen.err.startswith("error[store-incomplete]: the listings of some releases in use cannot be read (1)")
    assert store.status().objects == 1


def test_what_is_damaged_or_gone_comes_back_from_a_registry(world):
    world.registry("acme", priority=1).release("mol-deploy", "1.0.0")
    world.install("mol-deploy")
    machine = world.machine("here")
    store = Store.open(machine.store)
    for object_id, executable, _ in list(store.objects()):
        if store.read(object_id).startswith(b'{"files"'):
            os.unlink(store.path_of(object_id, executable))
        else:
            damage(store, object_id)
    assert machine.try_run("store", "verify").status == 1
    machine.run("store", "repair")
    assert "sound" in machine.run("store", "verify").out


@pytest.mark.parametrize(
    ("damaged", "words"),
    [(1, "objects is damaged or gone; fetching it"), (2, "objects are damaged or gone; fetching them")],
)
def test_damaged_objects_are_said_and_fetched_again(terminal, damaged, words):
    made = terminal.run("registry", "init", "../acme", "--id", "acme.corp", "--no-passphrase")
    terminal.run("registry", "add", "../acme", "--root", re.search(r"[0-9a-f]{64}", made.out)[0])
    for name in ("mol-a", "mol-b"):
        (terminal.cwd / f"{name}.formula.toml").write_text(formula_text(name, "1.0.0", {}))
        assert terminal.run("publish", f"{name}.formula.toml", "--to", "../acme", "--yes").status == 0
    (terminal.cwd / "mmpm.toml").write_text("")
    assert terminal.run("install", "mol-a", "mol-b").status == 0
    store = Store.open(terminal.home / ".local" / "share" / "mmpm" / "store", durability="none")
    formulas = terminal.cwd / ".beads" / "formulas"
    for name in ("mol-a", "mol-b")[:damaged]:
        file = formulas / f"{name}.formula.toml"
        object_id = ObjectId.of(file.read_bytes())
        file.unlink()
        damage(store, object_id)
    shutil.rmtree(formulas)
    seen = terminal.run("sync")
    assert seen.status == 0
    assert f"{damaged} of the store's {words} again" in seen.err
