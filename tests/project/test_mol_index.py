"""The index of molecules: whatever happens to logs, clocks or the index itself, it says what the logs say."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from molecule_lives import ANN, PATROL, REVIEW, linear

from mmpm.errors import MoleculeLogError
from mmpm.molecule import bonding, lifecycle
from mmpm.molecule.answers import Change, Stamp
from mmpm.molecule.bonding import Bond
from mmpm.molecule.events import Burned
from mmpm.molecule.heads import head_of
from mmpm.molecule.lines import Line
from mmpm.molecule.readiness import Outcome, outcome_of, ready
from mmpm.molecule.state import apply
from mmpm.molecule.steps import Gate, Step
from mmpm.molecule.transitions import is_live
from mmpm.project.mol_index import MolIndex, index_path
from mmpm.project.mol_lines import open_log
from mmpm.project.mol_log import MolPlaces, append, create, list_digests, list_logs, make_folder, read_digest
from mmpm.project.mol_reading import burned_ids, fold_log, read_molecule

TIMERS = replace(
    PATROL,
    name="mol-timers",
    steps=(
        Step("soon", "Soon", gate=Gate("timer", timeout="10m")),
        Step("late", "Late", gate=Gate("timer", timeout="2h")),
        Step("after", "After", needs=("soon",), gate=Gate("timer", timeout="30m")),
        Step("mail", "Mail", gate=Gate("mail", "id")),
    ),
)
PROTOS = (TIMERS, REVIEW, PATROL, linear("a", "b", "c"), linear())
MOMENTS = [f"2026-01-10T{hour:02}:{minute:02}:00Z" for hour in (14, 15, 16, 17, 18) for minute in (0, 29, 30, 40, 59)]


class Town:
    """A root with molecules, changed as the program does and as anybody else might."""

    def __init__(self, folder):
        self.places = MolPlaces(str(folder / "root"))
        self.cache = index_path(str(folder / "state"), self.places.root)
        self.count = 0
        for one in (self.places.mols, self.places.wisps, self.places.digests):
            make_folder(one)

    def pour(self, proto, phase="mol", at=ANN.at):
        self.count += 1
        made = bonding.pour(Bond(proto, {}), "gt", f"n{self.count}", Stamp(at, "ann"), phase=phase)
        assert isinstance(made, Change)
        assert create(self.places.log(made.id, phase), made.line.to_bytes())
        return made.id

    def molecule(self, molecule_id):
        found = read_molecule(self.places, molecule_id)
        return found[0]

    def do(self, molecule_id, verb, *operands, at=ANN.at):
        """Do it if the molecule allows it, and give the change."""
        molecule = self.molecule(molecule_id)
        made = (getattr(bonding, verb, None) or getattr(lifecycle, verb))(molecule, *operands, stamp=Stamp(at, "ann"))
        if isinstance(made, Change):
            append(self.places.log(molecule_id, molecule.phase), made.line.to_bytes())
        return made

    def burn(self, molecule_id):
        molecule = self.molecule(molecule_id)
        line = Line(ANN.at, "ann", "burn", (Burned(molecule_id, ""),)).to_bytes()
        if not create(self.places.audit, line):
            append(self.places.audit, line)
        os.unlink(self.places.log(molecule_id, molecule.phase))

    def index(self, now, **options):
        found = MolIndex(self.cache, self.places, **options)
        found.refresh(now)
        return found

    def log(self, molecule_id):
        return next(one.path for one in list_logs(self.places) if one.id == molecule_id)

    # What the logs say, read one by one.

    def readable(self):
        found = {}
        for molecule_id in sorted({log.id for log in list_logs(self.places)}):
            try:
                read = read_molecule(self.places, molecule_id)
            except MoleculeLogError:
                found[molecule_id] = None
            else:
                if read is not None:
                    found[molecule_id] = read[0]
        return found

    def outcome(self, molecule_id, molecules):
        if molecule_id in list_digests(self.places):
            try:
                return Outcome(is_over=True, has_failed=read_digest(self.places, molecule_id).has_failed)
            except MoleculeLogError:
                return None
        if molecule_id in molecules:
            molecule = molecules[molecule_id]
            return outcome_of(molecule) if molecule else None
        try:
            with open_log(self.places.audit) as log:
                burned = molecule_id in burned_ids(log) if log else False
        except (OSError, ValueError):
            return None
        return Outcome(is_over=True, has_failed=True) if burned else None

    def check(self, index, now):
        """Hold the index to what the logs say."""
        molecules = self.readable()
        usable = [one for one in molecules.values() if one is not None]
        assert index.heads() == tuple(head_of(one) for one in usable)
        expected = []
        for one in usable:
            known = {on.on: self.outcome(on.on, molecules) for on in one.connections}
            steps = ready(one, now, {on: outcome for on, outcome in known.items() if outcome is not None})
            if steps:
                expected.append((head_of(one), steps))
            for on, outcome in known.items():
                assert index.outcome(on) == outcome
        assert index.ready(now) == tuple(expected)
        waits = {one.id: tuple(on.on for on in one.connections if on.connection != "parallel") for one in usable}
        assert index.links() == {one: on for one, on in waits.items() if on}
        gone = [one for one in index.digests() if one.id not in molecules]
        assert {one.id for one in gone} <= list_digests(self.places)
        for one in gone:
            digest = read_digest(self.places, one.id)
            assert (one.title, one.last_at, one.has_failed) == (digest.title, digest.completed_at, digest.has_failed)
        assert bool(index.troubles()) >= (len(usable) < len(molecules))


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path)


NOW = MOMENTS[-1]


def read_by(town, now=NOW, **options):
    """How many logs a new index reads."""
    seen = []
    index = town.index(now, on_read=lambda done, total: seen.append((done, total)), **options)
    town.check(index, now)
    return len(seen)


def test_only_logs_that_changed_are_read_again(town):
    first, second = town.pour(REVIEW), town.pour(PATROL, "wisp")
    assert read_by(town) == 2
    assert read_by(town) == 0
    town.do(first, "close", "discovery.files", "done")
    assert read_by(town) == 1
    os.unlink(town.log(second))
    assert read_by(town) == 0


def test_a_timer_has_its_molecule_read_again_when_it_ends_and_when_the_clock_goes_back(town):
    town.pour(TIMERS, at="2026-01-10T15:30:00Z")
    town.pour(REVIEW)
    assert read_by(town, "2026-01-10T15:31:00Z") == 2
    assert read_by(town, "2026-01-10T15:39:59Z") == 0
    assert read_by(town, "2026-01-10T15:40:00Z") == 1
    assert read_by(town, "2026-01-10T17:29:59Z") == 0
    assert read_by(town, "2026-01-10T17:30:00Z") == 1
    assert read_by(town, "2026-01-11T00:00:00Z") == 0
    assert read_by(town, "2026-01-10T15:39:59Z") == 1


def test_how_a_connected_molecule_stands_is_looked_up_without_reading_who_waits(town):
    first, second = town.pour(linear("a")), town.pour(linear("b"))
    town.do(second, "connect", first, "sequential", {})
    assert read_by(town) == 2
    assert [head.id for head, _ in town.index(NOW).ready(NOW)] == [first]
    town.do(first, "close", "a", "done")
    assert read_by(town) == 1
    assert [head.id for head, _ in town.index(NOW).ready(NOW)] == [second]


@pytest.mark.parametrize("ending", ["burned", "squashed", "nowhere"])
def test_a_connected_molecule_whose_log_is_gone_speaks_by_its_digest_or_the_audit_log(town, ending):
    first, second = town.pour(linear("a"), "wisp"), town.pour(linear("b"))
    town.do(second, "connect", first, "sequential", {})
    if ending == "burned":
        town.burn(first)
    else:
        made = lifecycle.squash(town.molecule(first), "", {}, stamp=ANN)
        os.unlink(town.log(first))
        if ending == "squashed":
            create_file(town.places.digest(first), made.digest.to_bytes())
    for _ in range(2):
        index = town.index(NOW)
        town.check(index, NOW)
        assert [head.id for head, _ in index.ready(NOW)] == ([] if ending == "nowhere" else [second])


def create_file(path, data):
    with open(path, "wb") as file:
        file.write(data)


def test_a_log_of_the_same_size_that_was_written_within_one_tick_is_seen(town):
    molecule_id = town.pour(REVIEW)
    town.do(molecule_id, "close", "discovery.files", "aaa")
    path = town.log(molecule_id)
    assert read_by(town) == 1
    times = os.stat(path)
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data.replace(b"discovery.files", b"discovery.depsx").replace(b"depsx", b"deps\x78"))
        file.seek(0)
        file.write(data.replace(b'"done"', b'"aaa"'))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    index = town.index(NOW)
    town.check(index, NOW)


def test_what_a_command_appended_is_noted_and_not_read_again(town):
    molecule_id = town.pour(REVIEW)
    assert read_by(town) == 1
    path = town.log(molecule_id)
    before = fold_log(path, molecule_id, "mol")
    made = town.do(molecule_id, "close", "discovery.files", "done")
    after = apply(before.molecule, made.line)
    MolIndex(town.cache, town.places).note(before, after, made.line.to_bytes(), NOW)
    assert read_by(town) == 0


def test_nothing_is_noted_where_somebody_else_wrote_too(town):
    molecule_id = town.pour(REVIEW)
    before = fold_log(town.log(molecule_id), molecule_id, "mol")
    made = town.do(molecule_id, "close", "discovery.files", "done")
    town.do(molecule_id, "close", "discovery.deps", "done")
    after = apply(before.molecule, made.line)
    MolIndex(town.cache, town.places).note(before, after, made.line.to_bytes(), NOW)
    assert read_by(town) == 1


def test_an_index_of_another_version_is_made_anew(town):
    town.pour(REVIEW)
    assert read_by(town) == 1
    database = sqlite3.connect(town.cache)
    database.execute("UPDATE texts SET stored = x'00' WHERE key = ''")
    database.commit()
    database.close()
    assert read_by(town) == 1
    assert read_by(town) == 0


@pytest.mark.parametrize("what", ["empty", "garbage", "folder", "foreign", "other table", "pipe"])
def test_whatever_lies_in_the_place_of_the_index_costs_only_time(town, what):
    town.pour(REVIEW)
    os.makedirs(os.path.dirname(town.cache))
    if what == "folder":
        os.mkdir(town.cache)
    elif what == "pipe":
        os.mkfifo(town.cache)
    elif what in {"foreign", "other table"}:
        database = sqlite3.connect(town.cache)
        database.execute("CREATE TABLE other (key)" if what == "foreign" else "CREATE TABLE texts (a, b, c)")
        database.close()
    else:
        create_file(town.cache, b"" if what == "empty" else b"SQLite format 3\0" + b"\xff" * 5000)
    assert read_by(town) == 1
    assert read_by(town) == (1 if what == "folder" else 0)


def test_an_index_that_somebody_writes_is_done_without(town):
    town.pour(REVIEW)
    assert read_by(town) == 1
    database = sqlite3.connect(town.cache, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    assert read_by(town) == 1
    database.execute("ROLLBACK")
    database.close()
    assert read_by(town) == 0


def test_rows_of_logs_that_are_gone_are_dropped(town):
    town.pour(REVIEW)
    gone = town.pour(PATROL)
    town.index(NOW)
    os.unlink(town.log(gone))
    town.index(NOW)
    database = sqlite3.connect(town.cache)
    keys = [key for (key,) in database.execute("SELECT key FROM texts WHERE key LIKE 'mol/%'")]
    database.close()
    assert len(keys) == 1


def test_without_a_folder_for_it_there_is_no_index_and_no_error(town, tmp_path):
    town.pour(REVIEW)
    (tmp_path / "file").write_bytes(b"")
    town.cache = str(tmp_path / "file" / "x.sqlite")
    assert read_by(town) == 1
    assert read_by(town) == 1


class Towns(RuleBasedStateMachine):
    """A town to which anything happens."""

    def __init__(self):
        super().__init__()
        self.ids = []
        self.now = MOMENTS[0]

    folders = None

    @initialize(settled=st.booleans())
    def begin(self, settled):
        self.town = Town(next(self.folders))
        # Where files count as settled at once, nothing is written twice within one tick.
        self.options = {"settled_ns": -(10**18)} if settled else {}
        self.lasting = self.town.index(self.now, **self.options)

    def logs(self):
        return list_logs(self.town.places)

    def pick(self, data, choices):
        return data.draw(st.sampled_from(sorted(choices)))

    @rule(proto=st.sampled_from(PROTOS), phase=st.sampled_from(["mol", "wisp"]), at=st.sampled_from(MOMENTS))
    def pour(self, proto, phase, at):
        self.ids.append(self.town.pour(proto, phase, at))

    @precondition(lambda self: self.live())
    @rule(data=st.data(), at=st.sampled_from(MOMENTS), reason=st.sampled_from(["done", "failed"]))
    def work(self, data, at, reason):
        molecule_id = self.pick(data, self.live())
        steps = self.town.molecule(molecule_id).steps
        if steps:
            step = data.draw(st.sampled_from(list(steps)))
            verb, *more = data.draw(st.sampled_from([("start",), ("close", reason), ("open_gate", "")]))
            self.town.do(molecule_id, verb, step, *more, at=at)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), kind=st.sampled_from(["sequential", "parallel", "conditional"]))
    def connect(self, data, kind):
        self.town.do(self.pick(data, self.live()), "connect", data.draw(st.sampled_from(self.ids)), kind, {})

    @precondition(lambda self: self.live())
    @rule(data=st.data(), is_told=st.booleans(), removes=st.booleans())
    def squash(self, data, is_told, removes):
        molecule_id = self.pick(data, self.live())
        molecule = self.town.molecule(molecule_id)
        made = lifecycle.squash(molecule, "", {}, stamp=ANN)
        create_file(self.town.places.digest(molecule_id), made.digest.to_bytes())
        if is_told:
            append(self.town.log(molecule_id), made.line.to_bytes())
        elif removes:
            os.unlink(self.town.log(molecule_id))

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def burn(self, data):
        self.town.burn(self.pick(data, self.live()))

    @precondition(lambda self: self.logs())
    @rule(
        data=st.data(), more=st.sampled_from([b"{", b"{}\n", b"<<<<<<< HEAD\n", b"\n", b"\xff\0\n", b'{"format":2}\n'])
    )
    def write_behind(self, data, more):
        with open(self.pick(data, {log.path for log in self.logs()}), "ab") as file:
            file.write(more)

    @precondition(lambda self: self.logs())
    @rule(data=st.data())
    def cut_off(self, data):
        path = self.pick(data, {log.path for log in self.logs()})
        os.truncate(path, data.draw(st.integers(0, os.path.getsize(path))))

    @precondition(lambda self: self.logs() and not self.options)
    @rule(data=st.data())
    def write_over(self, data):
        """The same size, the same inode, the same time of its contents."""
        path = self.pick(data, {log.path for log in self.logs()})
        times = os.stat(path)
        with open(path, "r+b") as file:
            text = file.read().replace(b"ann", b"bob").replace(b"done", b"fail")
            file.seek(0)
            file.write(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    @precondition(lambda self: self.logs())
    @rule(data=st.data())
    def remove(self, data):
        os.unlink(self.pick(data, {log.path for log in self.logs()}))

    @precondition(lambda self: self.logs())
    @rule(data=st.data(), phase=st.sampled_from(["mol", "wisp"]))
    def copy(self, data, phase):
        with open(self.pick(data, {log.path for log in self.logs()}), "rb") as file:
            create_file(self.town.places.log(data.draw(st.sampled_from(self.ids)), phase) + "~", file.read())
        for name in os.listdir(folder := os.path.dirname(self.town.places.log("x", phase))):
            if name.endswith("~"):
                os.replace(os.path.join(folder, name), os.path.join(folder, name[:-1]))

    @precondition(lambda self: list_digests(self.town.places))
    @rule(data=st.data(), removes=st.booleans())
    def spoil_digest(self, data, removes):
        path = self.town.places.digest(self.pick(data, list_digests(self.town.places)))
        if removes:
            os.unlink(path)
        else:
            os.truncate(path, os.path.getsize(path) // 2)

    @rule(now=st.sampled_from(MOMENTS))
    def clock(self, now):
        self.now = now

    @rule(data=st.data())
    def damage_index(self, data):
        try:
            with open(self.town.cache, "r+b") as file:
                size = os.fstat(file.fileno()).st_size
                if not size:
                    return
                how = data.draw(st.sampled_from(["remove", "cut", "flip", "flip"]))
                if how == "remove":
                    os.unlink(self.town.cache)
                elif how == "cut":
                    file.truncate(data.draw(st.integers(0, size)))
                else:
                    for at in data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=40)):
                        file.seek(at)
                        file.write(bytes([data.draw(st.integers(0, 255))]))
        except FileNotFoundError:
            pass

    @rule()
    def look_again(self):
        self.lasting.refresh(self.now)
        self.town.check(self.lasting, self.now)

    @invariant()
    def the_index_says_what_the_logs_say(self):
        self.town.check(self.town.index(self.now, **self.options), self.now)

    def live(self):
        return sorted(one for one, molecule in self.town.readable().items() if molecule and is_live(molecule.state))


def test_the_index_says_what_the_logs_say_whatever_happens(tmp_path_factory):
    Towns.folders = iter(lambda: tmp_path_factory.mktemp("town"), None)
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Towns, settings=settings(max_examples=120, stateful_step_count=30, deadline=None))


WRITER = """
import os, sys
sys.path[:0] = sys.argv[1:3]
import test_mol_index
from pathlib import Path

town = test_mol_index.Town(Path(sys.argv[3]))
town.count = int(sys.argv[4]) * 1000
for number in range(12):
    made = town.pour(test_mol_index.PROTOS[number % 4])
    for step in list(town.molecule(made).steps)[:2]:
        town.do(made, "close", step, "done")
        index = town.index(test_mol_index.NOW)
        assert made in {head.id for head in index.heads()}
    if number % 5 == 4:
        Path(town.cache).unlink(missing_ok=True)
"""


def test_several_processes_read_and_write_one_index(town, tmp_path):
    folder = str(Path(__file__).parent)
    words = [sys.executable, "-c", WRITER, folder, str(Path(folder).parent), str(tmp_path)]
    running = [subprocess.Popen([*words, str(number)]) for number in range(3)]
    assert [one.wait(900) for one in running] == [0, 0, 0]
    index = town.index(NOW)
    town.check(index, NOW)
    assert len(index.heads()) == 36


def test_one_that_is_killed_while_it_writes_leaves_an_index_that_is_right_or_none(town):
    for _ in range(30):
        town.pour(REVIEW)
    code = (
        "import sys\nfrom mmpm.project.mol_index import MolIndex\nfrom mmpm.project.mol_log import MolPlaces\n"
        "while True:\n    MolIndex(sys.argv[1], MolPlaces(sys.argv[2]), settled_ns=1 << 70).refresh(sys.argv[3])\n"
    )
    for milliseconds in (150, 200, 230, 260, 300):
        running = subprocess.Popen([sys.executable, "-c", code, town.cache, town.places.root, NOW])
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(milliseconds / 1000)
        running.kill()
        assert running.wait() < 0
        town.check(town.index(NOW), NOW)
