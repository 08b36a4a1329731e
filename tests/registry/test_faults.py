"""Each way in which a registry can fail, first met and met again: the type, the status, the cause, and that nothing is believed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta

import pytest
from loopback import Loopback, patient
from signed_tree import SignedTree

from mmpm.errors import UNREACHABLE, UNTRUSTED, MmpmError, RegistryUnreachableError
from mmpm.registry import layout
from mmpm.registry.folder import FolderTransport
from mmpm.registry.http import HttpTransport
from mmpm.registry.refresh import RefreshSession, RegistrySource, refresh
from mmpm.registry.state import TrustFolder
from mmpm.trust.clock import AgePolicy

ID = "acme.corp"
# Only an answer that drips meets a time-out; a busy machine must not meet one elsewhere.
QUICK = replace(patient(), grace_seconds=0.1)

# What the server does to everything -> what the person is told, and the status where nothing is known yet.
EVERYTHING = {
    "down": ("refused the connection", UNREACHABLE),
    "401": ("401", UNREACHABLE),
    "403": ("403", UNREACHABLE),
    "404": ("404", UNREACHABLE),
    "429": ("429", UNREACHABLE),
    "500": ("500", UNREACHABLE),
    "garbage": ("does not answer as a registry", UNREACHABLE),
    "html": ("HTML page", UNREACHABLE),
    "empty": ("is empty", UNREACHABLE),
    "truncated": ("ended", UNREACHABLE),
    "drip": ("slower than", UNREACHABLE),
    "no-length": ("Content-Length", UNREACHABLE),
}
# The same done only to what comes after the timestamp. Bytes under a signed hash that are not the signed ones are bad.
AFTERWARDS = EVERYTHING | {
    "404": ("lacks metadata/", UNREACHABLE),
    "garbage": ("", UNTRUSTED),
    "html": ("", UNTRUSTED),
    "empty": ("", UNTRUSTED),
}
del AFTERWARDS["down"]


class Machine:
    def __init__(self, folder, tree, server):
        self.folder = folder
        self.tree = tree
        self.server = server
        self.now = tree.now

    def refresh(self, **policy):
        place = HttpTransport(self.server.url, patience=QUICK)
        source = RegistrySource(ID, (place,), self.tree.fingerprint)
        return refresh(
            source,
            str(self.folder / "store"),
            str(self.folder / "trust"),
            self.now,
            ["mol-a"],
            policy=AgePolicy(**policy),
        )

    @property
    def state(self):
        return TrustFolder.of(str(self.folder / "trust"), ID).read()


@pytest.fixture
def machine(tmp_path):
    tree = SignedTree(tmp_path / "registry", ID)
    tree.release("mol-a", "1.0.0")
    tree.show()
    with Loopback(tree.folder) as server:
        yield Machine(tmp_path / "machine", tree, server)


def strike(machine, fault, *, after_timestamp=False):
    if fault == "down":
        machine.server.stop()
    elif after_timestamp:
        machine.server.fault = lambda path: None if path in (layout.TIMESTAMP, "metadata/1.root.json") else fault
    else:
        machine.server.fault = fault


@pytest.mark.parametrize("fault", EVERYTHING)
def test_a_registry_met_first_that_fails_stops_the_command(machine, fault):
    strike(machine, fault)
    cause, status = EVERYTHING[fault]
    with pytest.raises(MmpmError) as caught:
        machine.refresh()
    assert cause in caught.value.fact
    assert machine.server.url in caught.value.fact
    assert caught.value.exit_status == status
    assert machine.state is None


@pytest.mark.parametrize("fault", EVERYTHING)
def test_a_registry_known_before_that_fails_is_held_with_one_warning(machine, fault):
    machine.refresh()
    state = machine.state
    machine.tree.release("mol-a", "2.0.0")
    machine.tree.show(days=1)
    strike(machine, fault)
    machine.now += timedelta(days=2)
    refreshed = machine.refresh()
    assert refreshed.is_held
    [warning] = refreshed.warnings
    assert EVERYTHING[fault][0] in warning
    assert machine.state == state


@pytest.mark.parametrize("fault", EVERYTHING)
def test_beyond_max_age_a_failure_stops_the_command_even_so(machine, fault):
    machine.refresh()
    state = machine.state
    machine.now += timedelta(days=3)
    strike(machine, fault)
    with pytest.raises(MmpmError) as caught:
        machine.refresh(max_age=2 * 86_400)
    assert EVERYTHING[fault][0] in caught.value.fact
    assert "policy.max_age" in caught.value.fact
    assert caught.value.exit_status == UNREACHABLE
    assert machine.state == state


@pytest.mark.parametrize("fault", AFTERWARDS)
@pytest.mark.parametrize("known", [False, True])
def test_what_fails_after_a_good_timestamp_is_told_apart_by_whether_it_is_bad(machine, fault, known):
    if known:
        machine.refresh()
    state = machine.state
    machine.tree.release("mol-a", "2.0.0")
    machine.tree.show(days=1)
    machine.now = machine.tree.now
    strike(machine, fault, after_timestamp=True)
    cause, status = AFTERWARDS[fault]
    if known and status == UNREACHABLE:
        refreshed = machine.refresh()
        assert refreshed.is_held
        assert cause in refreshed.warnings[0]
    else:
        with pytest.raises(MmpmError) as caught:
            machine.refresh()
        assert cause in caught.value.fact
        assert caught.value.exit_status == status
    assert machine.state == state


@pytest.mark.parametrize("known", [False, True])
def test_a_foreign_root_always_stops_the_command(machine, known, tmp_path):
    if known:
        machine.refresh()
    state = machine.state
    foreign = SignedTree(tmp_path / "foreign", ID, machine.tree.now + timedelta(days=1))
    foreign.release("mol-a", "6.6.6")
    foreign.show()
    machine.server.folder = foreign.folder
    with pytest.raises(MmpmError) as caught:
        machine.refresh()
    assert caught.value.exit_status == UNTRUSTED
    assert machine.state == state


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("path", ["timestamp.json", "snapshot.json", "targets.json", "bins.json", "bin-", "index.json"])
def test_one_changed_byte_anywhere_stops_the_command(machine, known, path):
    if known:
        machine.refresh()
    state = machine.state
    machine.tree.release("mol-a", "2.0.0")
    machine.tree.show(days=1)
    machine.now = machine.tree.now
    for file in machine.tree.folder.rglob("*.json"):
        if path in file.name:
            data = bytearray(file.read_bytes())
            at = data.index(b'"sig":"') + 10 if b'"sig":"' in data else len(data) // 2
            data[at] ^= 1
            file.write_bytes(data)
    if known and path in {"targets.json", "bins.json"}:
        machine.refresh()  # these did not change, and what is here is the signed one
        return
    with pytest.raises(MmpmError) as caught:
        machine.refresh()
    assert caught.value.exit_status == UNTRUSTED
    assert machine.state == state


def test_an_old_snapshot_is_not_adopted_and_not_an_error(machine, tmp_path):
    shutil.copytree(machine.tree.folder, tmp_path / "old")
    machine.tree.release("mol-a", "2.0.0")
    machine.tree.show(days=1)
    machine.refresh()
    state = machine.state
    machine.server.folder = tmp_path / "old"
    refreshed = machine.refresh()
    assert refreshed.is_held
    assert "older copy" in refreshed.warnings[0]
    assert machine.state == state


def test_a_dead_place_does_not_hide_a_good_one_and_a_refusing_one_does(machine):
    good = FolderTransport(str(machine.tree.folder))
    places = (HttpTransport(machine.server.url, patience=QUICK), good)
    source = RegistrySource(ID, places, machine.tree.fingerprint)
    store, trust = str(machine.folder / "store"), str(machine.folder / "trust")
    for fault in ("401", "403", "404"):
        machine.server.fault = fault
        with pytest.raises(MmpmError, match=fault):
            refresh(source, store, trust, machine.now, ["mol-a"])
        assert machine.state is None
    for fault in ("500", "html", "drip"):
        machine.server.fault = fault
        assert refresh(source, store, trust, machine.now, ["mol-a"]).new_serial == 2


def test_a_place_that_dies_in_the_middle_is_left_for_the_next(machine):
    for number in range(50):
        machine.tree.release(f"mol-{number}", "1.0.0")
    machine.tree.show(days=1)
    machine.now = machine.tree.now
    served = []

    def die_later(path):
        served.append(path)
        return "500" if len(served) > 20 else None

    machine.server.fault = die_later
    places = (HttpTransport(machine.server.url, patience=QUICK), FolderTransport(str(machine.tree.folder)))
    source = RegistrySource(ID, places, machine.tree.fingerprint)
    refresh(source, str(machine.folder / "store"), str(machine.folder / "trust"), machine.now, "all")
    assert machine.state.serial == 3
    assert len(served) < 150  # tries in flight on each thread, not one for each of the 300 files


def test_one_command_never_chooses_from_two_states_of_a_registry(machine):
    machine.tree.release("mol-b", "1.0.0")
    machine.tree.show()
    place = HttpTransport(machine.server.url, patience=QUICK)
    source = RegistrySource(ID, (place,), machine.tree.fingerprint)
    where = (str(machine.folder / "store"), str(machine.folder / "trust"))
    refresh(source, *where, machine.now, ["mol-a", "mol-b"])
    machine.tree.release("mol-a", "2.0.0")
    machine.tree.release("mol-b", "2.0.0")
    machine.tree.show(days=1)
    session = RefreshSession(source, *where, machine.tree.now)
    session.begin()
    session.fetch(["mol-a"])
    assert [str(one.version) for one in session.snapshot.releases("mol-a")] == ["1.0.0", "2.0.0"]
    machine.server.fault = "500"
    with pytest.raises(RegistryUnreachableError, match="500"):
        session.fetch(["mol-b"])
    assert machine.state.serial == 3
    session = RefreshSession(source, *where, machine.tree.now)  # from its beginning, the state from before decides
    session.begin()
    for name in ("mol-a", "mol-b"):
        session.fetch([name])
        assert [str(one.version) for one in session.snapshot.releases(name)] == ["1.0.0"]


def test_the_message_carries_no_control_character_of_a_server(machine):
    machine.server.fault = "garbage"
    with pytest.raises(MmpmError) as caught:
        machine.refresh()
    assert caught.value.fact.isprintable()
