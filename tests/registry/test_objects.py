"""Objects come from wherever they are, and only as themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from loopback import Loopback, patient

from mmpm.errors import RegistryUnreachableError, RegistryUntrustedError
from mmpm.registry import layout
from mmpm.registry.authenticate import RegistrySource
from mmpm.registry.folder import FolderTransport
from mmpm.registry.http import HttpTransport
from mmpm.registry.objects import fetch_objects
from mmpm_store.ids import ObjectId
from mmpm_store.objects import Store

# Only an answer that drips meets a time-out; a busy machine must not meet one elsewhere.
PATIENT = patient(attempts=1)
IMPATIENT = replace(PATIENT, grace_seconds=0.1)
DATA = [f"object {number}".encode() * number for number in range(60)]


class Listener:
    def __init__(self):
        self.total = self.done = 0
        self.warnings = []

    def start(self, label, total, unit):  # noqa: ARG002
        self.total = total

    def advance(self, amount=1):
        self.done += amount

    def finish(self):
        pass

    def warn(self, sentence):
        self.warnings.append(sentence)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", durability="none")


def tree_of(folder, data):
    for one in data:
        path = folder / layout.object_file(ObjectId.of(one))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one)
    folder.mkdir(exist_ok=True)
    return folder


def source(name, *places):
    return RegistrySource(name, places)


IDS = [ObjectId.of(one) for one in DATA]


def test_what_one_registry_lacks_comes_from_the_next(tmp_path, store, listener):
    first = tree_of(tmp_path / "first", DATA[:20])
    second = tree_of(tmp_path / "second", DATA[15:50])
    sources = [source("first", FolderTransport(str(first))), source("second", FolderTransport(str(second)))]
    fetched = fetch_objects(sources, IDS, store, listener)
    assert fetched.missing == tuple(sorted(IDS[50:]))
    assert fetched.bytes == sum(map(len, DATA[:50]))
    assert [store.read(one) for one in IDS[:50]] == DATA[:50]
    assert listener.done == 50
    assert any(reason.startswith(f"second at {second}: has no file ") for reason in fetched.reasons)


@pytest.mark.parametrize("fault", ["500", "truncated", "drip", "no-length", "404"])
def test_a_registry_that_fails_is_passed_over_because_an_id_is_its_own_proof(tmp_path, store, listener, fault):
    folder = tree_of(tmp_path / "tree", DATA)
    with Loopback(folder) as server:
        server.fault = fault
        patience = IMPATIENT if fault == "drip" else PATIENT
        broken = source("broken", HttpTransport(server.url, patience=patience))
        fetched = fetch_objects([broken, source("whole", FolderTransport(str(folder)))], IDS, store, listener)
    assert not fetched.missing
    assert not store.missing(IDS)


@pytest.mark.parametrize("fault", ["401", "403"])
def test_a_refusal_stops(tmp_path, store, listener, fault):
    folder = tree_of(tmp_path / "tree", DATA)
    with Loopback(folder) as server:
        server.fault = fault
        refusing = source("refusing", HttpTransport(server.url, patience=PATIENT))
        with pytest.raises(RegistryUnreachableError, match=fault):
            fetch_objects([refusing, source("whole", FolderTransport(str(folder)))], IDS, store, listener)
    assert store.missing(IDS) == set(IDS)


def test_wrong_bytes_are_replaced_by_the_next_place_with_a_warning(tmp_path, store, listener):
    bad = tree_of(tmp_path / "bad", DATA)
    (bad / layout.object_file(IDS[30])).write_bytes(b"evil")
    good = tree_of(tmp_path / "good", DATA)
    fetched = fetch_objects(
        [source("acme", FolderTransport(str(bad)), FolderTransport(str(good)))], IDS, store, listener
    )
    assert not fetched.missing
    assert store.read(IDS[30]) == DATA[30]
    [warning] = listener.warnings
    assert str(bad) in warning


def test_wrong_bytes_everywhere_are_an_error_that_names_the_place_and_what_came_stays(tmp_path, store, listener):
    bad = tree_of(tmp_path / "bad", DATA)
    (bad / layout.object_file(IDS[30])).write_bytes(b"evil")
    with pytest.raises(RegistryUntrustedError, match=str(bad)):
        fetch_objects([source("acme", FolderTransport(str(bad)))], IDS, store, listener)
    assert store.missing(IDS) == {IDS[30]}


def test_what_came_before_a_failure_is_not_asked_for_again(tmp_path, store, listener):
    folder = tree_of(tmp_path / "tree", DATA)
    with Loopback(folder) as server:
        asked = []

        def die_later(path):
            asked.append(path)
            return "500" if len(asked) > 30 else None

        server.fault = die_later
        place = HttpTransport(server.url, patience=PATIENT, threads=1)  # of several, one may meet nothing but failures
        fetched = fetch_objects([source("acme", place)], IDS, store, listener)
        assert fetched.missing
        came = set(IDS) - set(fetched.missing)
        assert came
        server.fault = None
        server.asked.clear()
        fetch_objects([source("acme", place)], store.missing(IDS), store, listener)
        assert not {layout.object_file(one) for one in came} & {path for path, _ in server.asked}
    assert not store.missing(IDS)


def test_an_object_longer_than_its_known_size_is_not_read(tmp_path, store, listener):
    folder = tree_of(tmp_path / "tree", DATA[:2])
    (folder / layout.object_file(IDS[1])).write_bytes(b"x" * 1_000_000)
    with pytest.raises(RegistryUntrustedError, match="is longer than the 8 bytes that are listed"):
        fetch_objects(
            [source("acme", FolderTransport(str(folder)))], IDS[:2], store, listener, sizes={IDS[1]: len(DATA[1])}
        )
    assert store.missing(IDS[:2]) == {IDS[1]}
    whole = FolderTransport(str(tree_of(tmp_path / "whole", DATA[:2])))
    places = source("acme", FolderTransport(str(folder)), whole)
    fetch_objects(
        [places], IDS[:2], store, listener, sizes={one: len(data) for one, data in zip(IDS, DATA, strict=True)}
    )
    assert not store.missing(IDS[:2])


@pytest.mark.parametrize("listed", [1, 1 << 40])
def test_an_object_of_another_size_than_is_listed_is_not_what_was_listed(tmp_path, store, listener, listed):
    folder = tree_of(tmp_path / "tree", DATA[:3])
    with pytest.raises(RegistryUntrustedError, match="listed"):
        fetch_objects([source("acme", FolderTransport(str(folder)))], IDS[:3], store, listener, sizes={IDS[2]: listed})
    assert store.missing(IDS[:3]) == {IDS[2]}


def test_what_is_needed_as_an_executable_is_stored_as_one(tmp_path, store, listener):
    folder = tree_of(tmp_path / "tree", DATA)
    fetch_objects([source("acme", FolderTransport(str(folder)))], IDS, store, listener, executable={IDS[0]})
    assert store.has(IDS[0], executable=True)
    assert not store.has(IDS[0], executable=False)
    assert all(store.has(one, executable=False) for one in IDS[1:])
