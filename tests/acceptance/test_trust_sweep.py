"""A systematic sweep over a mirror's tree: each sort of file spoiled in each way, met by each verb, in a folder and over HTTP.

What must hold: what is spoiled and read is refused by its name, with the exit status that docs/errors.md gives;
nothing that was believed or installed has changed; and whatever is read, no byte that the registry never had comes to
lie on the machine.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import timedelta

import pytest
from swept_mirror import HOST, HOWS, KINDS, SweptMirror, files_in, kind_of
from world import FORESEEN, NO_SOLUTION, UNREACHABLE, UNTRUSTED

IN_A_SAMPLE = 10
VERBS = ("update", "install", "sync", "mirror update", "mirror verify", "registry add")


@dataclass(frozen=True)
class Case:
    """One spoiled file, met by one verb."""

    verb: str
    transport: str
    path: str
    how: str

    def __str__(self) -> str:
        return f"{self.verb} by {self.transport}, {self.how}: {self.path}"


class Sweep:
    """The mirror, and which files each verb reads of it where all is well."""

    def __init__(self, mirror: SweptMirror) -> None:
        self.mirror = mirror
        self.read_by: dict[str, set[str]] = {}
        for verb in VERBS:
            machine = self.ready(verb, "http")
            seen = machine.run(*self.words(verb, "http"))
            assert seen.status == 0, (verb, seen.both)
            self.read_by[verb] = {path.removeprefix(f"mirrors/{HOST}/") for path, _ in mirror.server.asked}
        # What a whole copy reads is what a mirror has to have.
        mirror.fresh("http").must("mirror", "create", str(mirror.case / "whole"), "--from", HOST)
        self.read_by["mirror verify"] = {path.removeprefix(f"mirrors/{HOST}/") for path, _ in mirror.server.asked}

    def ready(self, verb: str, transport: str):
        machine = self.mirror.fresh(transport, far=verb == "mirror update", home=verb != "registry add")
        if verb == "sync":  # the lock is all that this machine has
            for shard in (machine.home / ".local" / "share" / "mmpm" / "store" / "objects").iterdir():
                shutil.rmtree(shard)
            shutil.rmtree(machine.cwd / ".beads")
        return machine

    def words(self, verb: str, transport: str) -> list[str]:
        mirror = self.mirror
        return {
            "update": ["update"],
            "install": ["install", "mol-c", "mol-long@1.0.3"],
            "sync": ["sync"],
            "mirror update": ["mirror", "update", str(mirror.case / "far")],
            "mirror verify": ["mirror", "verify", str(mirror.mirror)],
            "registry add": ["registry", "add", mirror.place(transport), "--root", mirror.fingerprint],
        }[verb]

    def cases(self) -> list[Case]:
        """For each sort of file one that the verb reads and one that it does not, where there are such."""
        found = []
        for verb in VERBS:
            for kind, paths in self.mirror.paths().items():
                for transport in ("folder",) if verb == "mirror verify" else ("folder", "http"):
                    read = [path for path in paths if path in self.read_by[verb]]
                    others = [path for path in paths if path not in self.read_by[verb]]
                    chosen = read[:1] + read[-1:] * (kind == "object") + others[:1]
                    found += [Case(verb, transport, path, how) for path in dict.fromkeys(chosen) for how in HOWS]
        return found

    # ---- what must hold

    def try_case(self, case: Case) -> list[str]:
        """Run one case; give what is wrong."""
        machine = self.ready(case.verb, case.transport)
        if not self.mirror.spoil(case.path, case.how):
            return []
        trusted, installed = self.trusted(machine), self.installed(machine)
        shown = self.shown()
        seen = machine.run(*self.words(case.verb, case.transport))
        wrong = []
        if "Traceback" in seen.both or seen.status not in {0, FORESEEN, NO_SOLUTION, UNTRUSTED, UNREACHABLE}:
            wrong.append(f"ended with {seen.status}")
        wrong += self.false_bytes(machine)
        is_read = case.path in self.read_by[case.verb]
        if seen.status == 0 and is_read and not self.may_pass_over(case, seen, self.trusted(machine) == trusted):
            wrong.append("was accepted")
        if seen.status != 0:
            if not self.is_named(case, seen.both):
                wrong.append("is not named")
            if case.how != "missing" and seen.status == NO_SOLUTION:
                wrong.append("ended with 3, and is not missing")
            if not self.is_believed(case, machine, trusted):
                wrong.append("trusted state changed")
            if self.installed(machine) != installed:
                wrong.append("installed files changed")
            if self.shown() != shown:
                wrong.append("the mirror that is kept here shows another state")
        return [f"{case}: {one}\n{seen.both[-700:]}" for one in wrong]

    @staticmethod
    def serial(machine) -> int:
        return json.loads(Sweep.trusted(machine)[f"{HOST}/state.json"])["serial"]

    def is_believed(self, case: Case, machine, before: dict[str, bytes]) -> bool:
        """Whether what is trusted is as before, or the newest state, where what is spoiled belongs to one release alone.

        Where files are missing, it may be a whole state in between.
        """
        now = self.trusted(machine)
        is_of_one_release = kind_of(case.path).name in {"object", "signature"}
        if now == before or not (is_of_one_release or case.how == "missing"):
            return now == before
        serials = [json.loads(one[f"{HOST}/state.json"])["serial"] for one in (before, now)]
        return serials[1] == self.mirror.serial if is_of_one_release else serials[0] <= serials[1]

    @staticmethod
    def may_pass_over(case: Case, seen, is_same: bool) -> bool:
        """An older timestamp that is valid is not used; where files are missing, the newest whole state is; both said."""
        if case.how == "missing" and kind_of(case.path).name == "signature":
            return "Level: " in seen.both or case.verb != "install"  # what it would have vouched for is not said of it
        if case.how == "older" and case.verb == "registry add" and case.path == "metadata/timestamp.json":
            return True  # whoever meets a registry for the first time has seen nothing newer
        if "warning" not in seen.both:
            return False
        return case.how == "missing" or (case.how == "older" and is_same)

    @staticmethod
    def is_named(case: Case, said: str) -> bool:
        kind = kind_of(case.path)
        name = case.path.rpartition("/")[2]
        digits = case.path.removeprefix("objects/").replace("/", "")
        own = case.path.split("/")[1] if case.path.startswith("formulas/") else name
        words = [name, digits[:12], own, *kind.words, *["not a complete copy"] * (case.how == "missing")]
        if case.how == "older":
            words.append("holds an older copy")
        if case.how == "older" and case.verb == "mirror verify":
            words.append("do not belong there")  # an older state is valid, and what came later is foreign beside it
        return any(word in said for word in words)

    @staticmethod
    def trusted(machine) -> dict[str, bytes]:
        folder = machine.home / ".local" / "state" / "mmpm" / "trust"
        return {path: (folder / path).read_bytes() for path in files_in(folder)}

    @staticmethod
    def installed(machine) -> dict[str, bytes]:
        folder = machine.cwd
        return {path: (folder / path).read_bytes() for path in files_in(folder)}

    def shown(self) -> bytes:
        stamp = self.mirror.case / "far" / "mirrors" / HOST / "metadata" / "timestamp.json"
        return stamp.read_bytes() if stamp.exists() else b""

    def false_bytes(self, machine) -> list[str]:
        """Documents in the machine's copies, and in its mirror, that the registry never had."""
        found = []
        copies = machine.home / ".local" / "share" / "mmpm" / "store" / "registries" / HOST
        for folder in (copies, self.mirror.case / "far" / "mirrors" / HOST):
            for path in files_in(folder):
                known = self.mirror.truth.get(path)
                if known is not None and path.startswith(
                    ("metadata/", "formulas/", "catalog/", "trust/", "signatures/", "objects/")
                ):
                    data = (folder / path).read_bytes()
                    if kind_of(path) is not None and data not in known:
                        found.append(f"left false bytes at {folder.name}/{path}")
        return found


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return Sweep(SweptMirror(tmp_path_factory.mktemp("sweep")))


def test_each_sort_of_file_is_swept(sweep):
    assert all(sweep.mirror.paths()[kind.name] for kind in KINDS)
    read = {kind_of(path).name for verb in VERBS for path in sweep.read_by[verb] if kind_of(path) is not None}
    assert read == {kind.name for kind in KINDS}


@pytest.mark.parametrize("verb", VERBS)
def test_whatever_is_spoiled_is_refused_by_its_name_and_changes_nothing(sweep, sampled, verb):
    cases = [case for case in sweep.cases() if case.verb == verb]
    wrong = [sentence for case in sampled(cases, IN_A_SAMPLE) for sentence in sweep.try_case(case)]
    assert not wrong, "\n".join([f"{len(wrong)} cases", *wrong[:20]])


ENDLESS = ("metadata/timestamp.json", ".snapshot.json", ".bin-", ".index.json", "objects/", "signatures/", "trust/")


@pytest.mark.parametrize("verb", ["install", "mirror update"])
def test_an_answer_without_an_end_is_cut_off(sweep, sampled, verb):
    for mark in sampled(ENDLESS, 2):
        machine = sweep.ready(verb, "http")
        trusted, installed = sweep.trusted(machine), sweep.installed(machine)
        sweep.mirror.server.fault = lambda path, mark=mark: "endless" if mark in path else None
        try:
            seen = machine.run(*sweep.words(verb, "http"))
        finally:
            sweep.mirror.server.fault = None
        assert seen.status in {UNTRUSTED, UNREACHABLE}, seen.both
        assert mark.strip("./-") in seen.both
        assert sweep.installed(machine) == installed
        assert mark in {"objects/", "signatures/"} or sweep.trusted(machine) == trusted


@pytest.mark.parametrize("transport", ["folder", "http"])
@pytest.mark.parametrize(("days", "line", "status"), [(8, "", 0), (31, "", 0), (31, "60d", 0), (61, "60d", UNTRUSTED)])
def test_a_frozen_mirror_is_seen_by_its_age(sweep, transport, days, line, status):
    machine = sweep.ready("update", transport)
    machine.now += timedelta(days=days)
    if line:
        machine.must("config", "set", "policy.red_line", line)
    seen = machine.run("update")
    assert seen.status == status, seen.both
    assert ("policy.max_age" in seen.both) == (days > 30 and not status)
    assert ("policy.red_line" in seen.both) == bool(status)
    assert (sweep.serial(machine) == sweep.mirror.serial) == (status == 0)


def test_a_copied_store_brings_no_trust(sweep):
    known = sweep.ready("update", "folder")
    known.must("update")
    store = known.home / ".local" / "share" / "mmpm"
    kept = sweep.mirror.folder / "copied-store"
    shutil.copytree(store, kept)
    stranger = sweep.ready("registry add", "folder")
    shutil.copytree(kept, stranger.home / ".local" / "share" / "mmpm")
    stranger.must("init")
    assert stranger.run("--offline", "install", "mol-b").status != 0
    assert sweep.installed(stranger).keys() <= {"mmpm.toml"}
    # With the root key it is a store like any other.
    stranger.must("registry", "add", sweep.mirror.place("folder"), "--root", sweep.mirror.fingerprint)
    stranger.must("--offline", "install", "mol-b")


def test_a_store_restored_from_before_does_not_take_what_is_believed_back(sweep):
    machine = sweep.ready("update", "http")
    store = machine.home / ".local" / "share" / "mmpm" / "store"
    older = sweep.mirror.folder / "restored-store"
    shutil.copytree(store, older)
    machine.must("update")
    trusted = sweep.trusted(machine)
    shutil.rmtree(store)
    shutil.copytree(older, store)
    seen = machine.run("--offline", "install", "mol-c")
    assert seen.status in {NO_SOLUTION, UNREACHABLE, UNTRUSTED, FORESEEN}, seen.both
    assert sweep.trusted(machine) == trusted
    machine.must("install", "mol-c")  # what the store lacks is fetched again
    assert sweep.serial(machine) == sweep.mirror.serial
