"""The first registry that has a name owns it; whatever goes wrong with it, no other takes its place."""

from __future__ import annotations

import shutil

import pytest
from world import DONE, UNREACHABLE, UNTRUSTED, copy_folder

# What a server does, which words of the cause the message must have, and the exit status where the registry decides.
FAULTS = {
    "down": (("connect", "refused", "reach"), UNREACHABLE),
    "401": (("401", "log in", "token"), UNREACHABLE),
    "403": (("403", "forbid", "refuse"), UNREACHABLE),
    "404": (("404", "not found", "no registry"), UNREACHABLE),
    "500": (("500", "server"), UNREACHABLE),
    # What is no signed metadata at all is no answer, as behind a hotel's login page; only a false signature is bad.
    "garbage": (("does not answer as a registry",), UNREACHABLE),
    "empty": (("empty",), UNREACHABLE),
    "truncated": (("trunc", "short", "interrupt", "incomplete", "end", "broke"), UNREACHABLE),
    # An older valid copy is not bad, only unused: what was seen later goes on deciding, with a warning.
    "old snapshot": (("older",), DONE),
    "foreign root": (("root", "signature", "key"), UNTRUSTED),
}


@pytest.fixture
def two(world):
    """A private registry before a public one; both have mol-deploy, only the public one mol-common."""
    acme = world.registry("acme", priority=1).release("mol-deploy", "1.0.0").release("mol-private")
    public = world.registry("public", priority=2).release("mol-deploy", "9.9.9").release("mol-common")
    world.settle()
    return acme, public


def break_it(world, registry, fault):
    """Serve `registry` so that it fails as named.

    Returns:
        (url while it is added, a function that turns the fault on)
    """
    served = world.folder / f"served-{registry.name}"
    copy_folder(registry.folder, served)
    server = world.serve(served)

    def turn_on() -> None:
        if fault == "down":
            server.stop()
        elif fault == "old snapshot":
            pass  # `served` is already older than what the machine has seen by now
        elif fault == "foreign root":
            foreign = world.registry(f"foreign-{registry.name}", registry_id=registry.id).release("mol-deploy", "6.6.6")
            world.settle()
            shutil.rmtree(served)
            copy_folder(foreign.folder, served)
        else:
            server.fault = fault

    return server.url, turn_on


def add_and_see_newer(world, machine, registry, fault):
    """Add the registry over HTTP; for "old snapshot" the machine has seen a newer one since."""
    url, turn_on = break_it(world, registry, fault)
    if fault == "old snapshot":
        registry.release("mol-later")
        machine.add(registry)
        machine.run("update", "--all")
        machine.run("registry", "remove", registry.name, "--yes")
    machine.add(registry, url=url)
    turn_on()


@pytest.mark.parametrize("position", ["first", "second"])
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_never_lets_the_wrong_registry_answer(world, two, fault, position):
    acme, public = two
    broken, whole = (acme, public) if position == "first" else (public, acme)
    machine = world.machine()
    machine.run("init")
    machine.add(whole)
    add_and_see_newer(world, machine, broken, fault)

    ran = machine.try_run("install", "mol-deploy")
    installed = machine.installed() if (machine.formulas / ".lock.json").exists() else {}
    sources = {str(entry["source"]) for entry in installed.values()}
    assert not any("public" in source for source in sources), ran
    words, status = FAULTS[fault]
    if position == "first":
        assert bool(installed) == (status == DONE), ran
        assert ran.status == status, ran
        assert any(word in ran.err.lower() for word in words), ran
        assert "acme" in ran.err
    else:
        # The private registry has the name, so that nobody else has to be asked.
        assert ran.status in {DONE, status}, ran

    other = machine.try_run("install", "mol-common")
    if position == "second":
        assert other.status == status, other
        assert any(word in other.err.lower() for word in words), other
        assert "public" in other.err


def test_a_private_registry_shadows_the_public_one(world):
    world.registry("acme", priority=1).release("mol-deploy", "1.0.0")
    world.registry("public", priority=2).release("mol-deploy", "9.9.9")
    assert world.install("mol-deploy").version == "1.0.0"


def test_a_name_that_the_first_provably_lacks_comes_from_the_second(world):
    world.registry("acme", priority=1).release("mol-private")
    world.registry("public", priority=2).release("mol-common", "2.0.0")
    installed = world.install("mol-common")
    assert (installed.version, "public.example" in installed.source) == ("2.0.0", True)


def test_an_owner_without_a_fitting_release_is_not_passed_over(world):
    world.registry("acme", priority=1).release("mol-deploy", "1.0.0")
    world.registry("public", priority=2).release("mol-deploy", "2.0.0")
    machine = world.machine()
    machine.run("init")
    for registry in world.registries.values():
        machine.add(registry)
    ran = machine.run("install", "mol-deploy@2", status=3)
    assert "shadow" in ran.err
    assert "public" in ran.err


def test_an_outage_after_a_refresh_leaves_the_snapshot_in_charge(world, two):
    acme, public = two
    machine = world.machine()
    machine.run("init")
    server = world.serve(acme.folder)
    machine.add(acme, url=server.url)
    machine.add(public)
    machine.run("install", "mol-deploy")
    server.fault = "503"
    ran = machine.run("install", "mol-deploy")
    assert machine.installed()["mol-deploy"]["version"] == "1.0.0", ran
