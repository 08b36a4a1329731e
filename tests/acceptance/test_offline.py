"""With `--offline` everything that should work works in a process in which making a socket is an error."""

from __future__ import annotations

import json
import shutil

import pytest
from sandbox import without_network
from world import NO_SOLUTION, UNREACHABLE, copy_folder, read_tree


@pytest.fixture
def offline():
    """Options of a run in which no socket can be made, neither by Python nor by native code."""
    return {"guard": True, "before": without_network()}


@pytest.fixture
def machine(world):
    """A machine that has refreshed and installed once from a server that is gone now."""
    registry = world.registry("acme")
    registry.release("mol-base", "1.0.0").release("mol-base", "1.1.0").release("mol-other", "1.0.0")
    registry.release("mol-review", "2.0.0", requires={"mol-base": "^1.0.0"}, files={"README.md": b"# review\n"})
    world.settle()
    server = world.serve(registry.folder)
    made = world.machine("here")
    made.run("init")
    made.add(registry, url=server.url)
    made.run("install", "mol-review")
    made.run("update", "--all")
    server.fault = "403"
    server.asked.clear()
    made.server = server
    return made


def test_every_command_that_needs_no_registry_works_without_sockets(machine, offline, tmp_path):
    source = machine.formulas / "mol-base.formula.toml"
    own = tmp_path / "mol-mine.formula.toml"
    own.write_bytes(source.read_bytes().replace(b"mol-base", b"mol-mine"))
    tree = tmp_path / "a registry"
    for words in (
        ["sync"],
        ["sync", "--frozen"],
        ["sync", "--locked"],
        ["sync", "--check"],
        ["lock"],
        ["lock", "--check"],
        ["list"],
        ["list", "--installed"],
        ["show", "mol-base"],
        ["show", "mol-base", "--resolve"],
        ["verify"],
        ["pin", "mol-base"],
        ["unpin", "mol-base"],
        ["install", "mol-base@^1.0.0"],
        ["upgrade", "--yes"],
        ["fork", "mol-base", "mol-forked"],
        ["export", "mol-base"],
        ["import", str(own)],
        ["check", str(own)],
        ["build", str(own), "-o", str(tmp_path / "built.formula.toml")],
        ["new", "mol-new"],
        ["uninstall", "mol-review"],
        ["registry", "list"],
        ["registry", "init", str(tree), "--id", "new.example", "--no-passphrase", "--yes"],
        ["publish", str(own), "--to", str(tree), "--yes"],
        ["config", "list", "--origin"],
        ["store", "status"],
        ["store", "verify"],
        ["store", "prune", "--dry-run"],
        ["store", "path"],
        ["completion", "bash"],
        ["--version"],
        ["--help"],
    ):
        ran = machine.try_run("--offline", *words, **offline)
        assert ran.status == 0, ran
        assert "FORBIDDEN" not in ran.err, ran
    assert machine.server.asked == []


def test_a_sync_with_a_covering_lock_and_a_full_store_asks_nobody(machine, offline):
    wanted = read_tree(machine.formulas, ignore=[".lock.json"])
    other = machine.home / "another project"
    other.mkdir()
    for name in ("mmpm.toml", "mmpm.lock"):
        (other / name).write_bytes((machine.project / name).read_bytes())
    machine.run("sync", cwd=other, **offline)
    assert read_tree(other / ".beads" / "formulas", ignore=[".lock.json"]) == wanted
    assert machine.server.asked == []


def test_offline_chooses_only_what_is_in_the_store(machine, offline):
    machine.run("uninstall", "mol-review")
    machine.run("--offline", "install", "mol-base", **offline)
    assert machine.installed()["mol-base"]["version"] == "1.1.0"
    ran = machine.run("--offline", "install", "mol-other", status=NO_SOLUTION, **offline)
    assert "offline" in ran.err


def test_a_registry_on_a_disk_at_hand_is_installed_from_without_a_network(world, offline):
    registry = world.registry("carried").release("mol-base", "1.0.0").release("mol-base", "1.1.0")
    registry.release("mol-review", "2.0.0", requires={"mol-base": "^1.0.0"}, files={"README.md": b"# review\n"})
    world.settle()
    made = world.machine("far")
    made.run("init")
    made.add(registry, url=str(registry.folder))
    made.run("--offline", "install", "mol-review", **offline)
    assert made.installed()["mol-base"]["version"] == "1.1.0"
    gone = json.loads((registry.folder / "formulas/mol-base/1.1.0/index.json").read_bytes())["files"][0][2]
    shutil.rmtree(made.project / ".beads")
    shutil.rmtree(made.store)
    (made.project / "mmpm.lock").unlink()
    digits = gone.removeprefix("blake3:")
    (registry.folder / "objects" / digits[:2] / digits[2:]).unlink()
    made.run("--offline", "install", "mol-review", **offline)
    assert made.installed()["mol-base"]["version"] == "1.0.0"  # what the disk has not got is no candidate


def test_offline_never_heard_of_is_said_as_such(machine, offline):
    ran = machine.try_run("--offline", "install", "mol-nowhere", **offline)
    assert ran.status in {NO_SOLUTION, UNREACHABLE}, ran
    assert "mol-nowhere" in ran.err


@pytest.mark.parametrize("switch", ["flag", "variable", "setting"])
def test_the_flag_the_variable_and_the_setting_mean_the_same(machine, switch):
    if switch == "setting":
        machine.run("config", "set", "offline", "true")
    words = ["--offline"] if switch == "flag" else []
    environment = {"MMPM_OFFLINE": "1"} if switch == "variable" else {}
    machine.try_run(*words, "update", environment=environment)
    machine.try_run(*words, "install", "mol-other", environment=environment)
    assert machine.server.asked == []


def test_a_copied_store_lock_and_pinned_root_are_enough(world, machine, offline):
    far = world.machine("far")
    far.store.parent.mkdir(parents=True)
    copy_folder(machine.store, far.store)
    for name in ("mmpm.toml", "mmpm.lock"):
        (far.project / name).write_bytes((machine.project / name).read_bytes())
    far.run("--offline", "sync", "--frozen", **offline)
    assert read_tree(far.formulas, ignore=[".lock.json"]) == read_tree(machine.formulas, ignore=[".lock.json"])

    registry = world.registries["acme"]
    with (far.project / "mmpm.toml").open("a") as manifest:
        manifest.write(f'\n[[registries]]\nid = "{registry.id}"\nroot = "{registry.fingerprint}"\n')
    far.run("--offline", "lock", "--check", **offline)
    far.run("--offline", "install", "mol-base@1.1.0", **offline)
    assert far.installed()["mol-base"]["pinned"] is True


def test_a_copied_store_brings_no_trust(world, machine, offline):
    far = world.machine("far")
    far.store.parent.mkdir(parents=True)
    copy_folder(machine.store, far.store)
    ran = far.try_run("--offline", "install", "mol-base", **offline)
    assert ran.status != 0, ran
    assert not far.formulas.exists() or not far.installed()
