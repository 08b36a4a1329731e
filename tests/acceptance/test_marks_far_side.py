"""Withdrawn audit, revoked publisher, yank, take-down: what the far side says after the next carry, by pack and by mirror."""

from __future__ import annotations

import json
import shutil

import pytest
from world import DONE, FORESEEN, NO_SOLUTION, UNTRUSTED, World

INSTALLED = {"mol-audit", "mol-signed", "mol-yank", "mol-down"}


class Carriage:
    """An operator's mirror on the near side, and how its states get to the far one.

    Attributes:
        far: the mirror's folder on the far side.
    """

    def __init__(self, world: World, way: str) -> None:
        self.world = world
        self.way = way
        self.registry = world.registry("acme")
        self.operator = world.machine("operator")
        self.porter = world.machine("porter")
        self.near = world.folder / "near"
        self.far = world.folder / "far"
        self.carried = 0

    def carry(self) -> None:
        world, registry = self.world, self.registry
        world.settle()
        root = ["--root", registry.fingerprint]
        if self.carried:
            self.operator.run("mirror", "update", str(self.near), "--yes")
        else:
            self.operator.run("mirror", "create", str(self.near), "--from", str(registry.folder), *root, "--yes")
        self.carried += 1
        if self.way == "mirror":
            shutil.rmtree(self.far, ignore_errors=True)
            shutil.copytree(self.near, self.far)
            return
        base = []
        if self.carried > 1:
            inventory = world.folder / "inventory.json"
            self.porter.run("mirror", "inventory", str(self.far), "-o", str(inventory))
            base = ["--base", str(inventory)]
        pack = world.folder / f"{self.carried}.pack"
        self.operator.run("mirror", "export", str(self.near), "-o", str(pack), *base)
        self.porter.run("mirror", "import", str(pack), "--to", str(self.far), *root, "--yes")


@pytest.fixture(params=["mirror", "pack"])
def carriage(request, world):
    """A registry whose marks were carried once, and a machine on the far side that installed by them."""
    registry = world.registry("acme")
    near = registry.publisher
    near.run("keys", "create", "alice", "--no-passphrase")
    for name in ("mol-audit", "mol-signed", "mol-yank", "mol-down"):
        registry.release(name)
    registry.release("mol-audit", "1.1.0")
    world.settle()
    operate(world, "publisher", "add", "acme", "--name", "Acme", "--key", "alice", "--formula", "mol-signed")
    near.run("sign", "mol-signed@1.0.0", "--key", "alice", "--to", str(registry.folder))
    for reference in ("mol-audit@1.0.0", "mol-yank@1.0.0", "mol-down@1.0.0"):
        operate(world, "mark", "audited", reference, "--by", "Security")
    made = Carriage(world, request.param)
    made.carry()
    machine = world.machine("far")
    machine.run("init")
    machine.add(registry, url=str(made.far / "mirrors" / registry.id))
    machine.run("config", "set", "policy.min_level", "verified")
    machine.run("install", *sorted(INSTALLED), guard=True)
    machine.run("config", "unset", "policy.min_level")
    return made


def operate(world, *words):
    """Run `registry publisher add|revoke`, `mark` or `unmark` on the registry's folder."""
    registry = world.registry("acme")
    verb, rest = (words[:2], words[2:]) if words[0] == "publisher" else (words[:1], words[1:])
    registry.publisher.run("registry", *verb, str(registry.folder), *rest, "--yes")


def withdraw(world):
    """Take back everything that vouches for what the far side has."""
    registry = world.registry("acme")
    operate(world, "unmark", "audited", "mol-audit@1.0.0")
    operate(world, "mark", "audited", "mol-audit@1.1.0", "--by", "Security")
    operate(world, "publisher", "revoke", "acme", "--reason", "laptop stolen")
    registry.publisher.run("yank", "mol-yank@1.0.0", "--reason", "wrong steps", "--to", str(registry.folder), "--yes")
    registry.publisher.run(
        "yank", "mol-down@1.0.0", "--reason", "court order", "--take-down", "--to", str(registry.folder), "--yes"
    )


def listed(machine):
    tiers = json.loads(machine.run("list", "--installed", "--json", guard=True).out)["tiers"]
    return {one["name"]: (one["level"], one["withdrawn"]) for one in tiers[0]["formulas"]}


WORDS = {
    "mol-audit": ("unverified", ["audit withdrawn"]),
    "mol-signed": ("unverified", ["publisher revoked: laptop stolen"]),
    "mol-yank": ("audited", ["yanked: wrong steps"]),
    "mol-down": ("audited", ["taken down: court order"]),
}


@pytest.mark.usefixtures("carriage")
def test_before_the_carry_everything_is_vouched_for(world):
    machine = world.machine("far")
    levels = {name: entry["level"] for name, entry in machine.installed().items()}
    assert levels == {"mol-audit": "audited", "mol-signed": "verified", "mol-yank": "audited", "mol-down": "audited"}
    assert machine.installed()["mol-audit"]["version"] == "1.0.0"
    withdraw(world)
    assert all(words == [] for _, words in listed(machine).values())
    assert "warning" not in machine.run("verify", guard=True).err


def test_without_a_policy_the_far_side_is_told_and_goes_on(world, carriage):
    machine = world.machine("far")
    withdraw(world)
    carriage.carry()
    machine.run("update", "--all", guard=True)
    assert listed(machine) == WORDS
    out = machine.run("list", "--installed", guard=True).out
    assert "mol-audit 1.0.0 [1.1.0 available, audit withdrawn] ⚠️ Unverified" in out
    assert "mol-yank 1.0.0 [yanked: wrong steps] 🔒 Audited" in out
    for words in (("verify",), ("sync",), ("sync", "--frozen"), ("sync",)):
        ran = machine.run(*words, guard=True)
        for name, (_, told) in WORDS.items():
            assert f"{name} 1.0.0: {told[0]}" in ran.err, ran
    machine.run("lock", guard=True)
    machine.run("sync", "--locked", guard=True)
    levels = {name: entry["level"] for name, entry in machine.installed().items()}
    assert levels["mol-audit"] == "audited", "a receipt keeps what was found at installation"


def test_with_a_policy_it_is_barred_everywhere_and_what_is_installed_is_left_alone(world, carriage):
    machine = world.machine("far")
    withdraw(world)
    carriage.carry()
    machine.run("update", "--all", guard=True)
    machine.run("config", "set", "policy.min_level", "verified")
    before = sorted(path.name for path in machine.formulas.iterdir())

    ran = machine.run("verify", status=FORESEEN, guard=True)
    rule = f"barred by policy.min_level = verified (set in {machine.home}/.config/mmpm/config.toml): it is unverified"
    assert f"mol-audit 1.0.0: is {rule}" in ran.out
    assert f"mol-signed 1.0.0: is {rule}" in ran.out
    assert "publisher revoked: laptop stolen" in ran.out
    assert "`mmpm upgrade mol-signed`" in ran.out
    assert "mol-yank 1.0.0: yanked: wrong steps" in ran.err

    for words in (("sync",), ("sync", "--frozen"), ("sync", "--offline")):
        ran = machine.run(*words, status=UNTRUSTED, guard=True)
        assert "error[policy-barred]" in ran.err
        assert f"mol-audit 1.0.0 is {rule}" in ran.err
    assert before == sorted(path.name for path in machine.formulas.iterdir())

    ran = machine.run("lock", status=NO_SOLUTION, guard=True)
    assert f"mol-signed 1.0.0 is {rule}" in ran.err
    machine.run("uninstall", "mol-signed", status=DONE, guard=True)
    machine.run("lock", guard=True)
    machine.run("sync", guard=True)
    assert machine.installed()["mol-audit"]["version"] == "1.1.0"
    assert machine.installed()["mol-audit"]["level"] == "audited"


def test_the_evidence_travels_with_a_copied_store_and_needs_no_network(world, carriage):
    machine = world.machine("far")
    machine.run("config", "set", "policy.min_level", "verified")
    other = world.machine("other")
    other.run("init")
    other.run("config", "set", "policy.min_level", "verified")
    # The root key is accepted by hand there; the store brings everything else.
    shutil.rmtree(other.store, ignore_errors=True)
    shutil.copytree(machine.store, other.store)
    shutil.copytree(machine.trust, other.trust)
    shutil.copy(machine.home / ".config/mmpm/config.toml", other.home / ".config/mmpm/config.toml")
    shutil.rmtree(carriage.far)
    for name in ("mmpm.toml", "mmpm.lock"):
        shutil.copy(machine.project / name, other.project / name)
    other.run("sync", "--offline", guard=True)
    assert {name: one["level"] for name, one in other.installed().items()}["mol-signed"] == "verified"
    [signature] = (other.store / "registries").rglob("*.sig")
    signature.chmod(0o644)
    signature.unlink()
    shutil.rmtree(other.formulas)
    ran = other.run("sync", "--offline", status=UNTRUSTED, guard=True)
    assert "mol-signed 1.0.0 is barred by policy.min_level = verified" in ran.err
