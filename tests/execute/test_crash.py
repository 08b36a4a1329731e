"""Killed at any step, the next command completes the change or finds the old state; nobody's bytes are lost."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from sites import Site

from mmpm.execute import install, journal
from mmpm.execute.install import begin_change, end_change
from mmpm.ops.fork import plan_fork

# Python 3.12 warns of any fork beside threads, such as those of a parallel test run; the children here start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

OLD = {"formula.toml": b"old", "a": b"old a", "gone": b"goes"}
NEW = {"formula.toml": b"new", "a": b"new a", "b/c": b"comes"}
MINE = b"written by a person"
FORKED = {"formula.toml": b'formula = "mol-b"\n', "a": b"a", "d/e": b"e"}


def prepare(folder, *, fresh):
    site = Site(folder)
    one, two = site.release("mol-b", "1.0.0", OLD), site.release("mol-b", "2.0.0", NEW)
    other = site.release("mol-a", "1.0.0", b"formula a")
    if not fresh:
        site.install(one)
        (site.formulas / "mol-a.formula.toml").write_bytes(MINE)
        edited = site.formulas / "mol-b/a"
        edited.unlink()
        edited.write_bytes(MINE + b" too")
    return site, (two, other)


def in_child(work):
    """Run `work` in a child process; give its status."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


def check_completed(site, releases, *, fresh):
    found = site.files()
    expected = {"mol-a.formula.toml": b"formula a", "mol-b.formula.toml": b"new"}
    expected |= {f"mol-b/{path}": data for path, data in NEW.items()}
    kept = [data for path, data in found.items() if ".kept-" in path]
    assert {path: data for path, data in found.items() if ".kept-" not in path} == expected
    assert sorted(kept) == ([] if fresh else [MINE, MINE + b" too"])
    assert os.listdir(site.root / ".beads") == ["formulas"]
    assert site.plan(*releases).is_empty
    assert (site.root / "mmpm.lock").exists()


@pytest.mark.parametrize("fresh", [True, False])
def test_ended_at_every_checkpoint_the_next_command_completes(tmp_path, fresh):
    stop_at = 0
    while True:
        site, releases = prepare(tmp_path / str(stop_at), fresh=fresh)

        def stop(_name, state={"left": stop_at}):  # noqa: B006 - a counter of this round
            if state["left"] == 0:
                os._exit(9)
            state["left"] -= 1

        def work(site=site, releases=releases, stop=stop):
            install.checkpoint = stop
            site.install(*releases)

        status = in_child(work)
        site.install(*releases)
        check_completed(site, releases, fresh=fresh)
        if status == 0:
            break
        stop_at += 1
    assert stop_at >= 6


@pytest.mark.parametrize("fresh", [True, False])
def test_refused_by_the_system_at_every_checkpoint_the_next_command_completes(tmp_path, monkeypatch, fresh):
    stop_at, is_refused = 0, True
    while is_refused:
        site, releases = prepare(tmp_path / str(stop_at), fresh=fresh)

        def refuse(_name, state={"left": stop_at}):  # noqa: B006 - a counter of this round
            state["left"] -= 1
            if state["left"] == -1:
                raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(install, "checkpoint", refuse)
            try:
                site.install(*releases)
                is_refused = False
            except OSError:
                stop_at += 1
        site.install(*releases)
        check_completed(site, releases, fresh=fresh)


def test_a_journal_that_cannot_be_read_stops_nobody(tmp_path):
    site, releases = prepare(tmp_path, fresh=True)
    path = journal.journal_path(site.context.places.state, str(site.formulas))
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as file:
        file.write("{torn")
    site.install(*releases)
    check_completed(site, releases, fresh=True)


@pytest.mark.slow
def test_killed_at_random_instants_the_next_command_completes(tmp_path, pytestconfig):
    chance = random.Random(pytestconfig.option.seed)
    for round_number in range(200 if pytestconfig.option.full else 20):
        site, releases = prepare(tmp_path / str(round_number), fresh=chance.random() < 0.3)
        fresh = not site.formulas.exists()
        pid = os.fork()
        if pid == 0:
            try:
                site.install(*releases)
            finally:
                os._exit(0)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        site.install(*releases)
        check_completed(site, releases, fresh=fresh)


def test_what_a_person_wrote_between_crash_and_recovery_is_kept(tmp_path):
    site, releases = prepare(tmp_path, fresh=False)

    def work():
        install.checkpoint = lambda name: os._exit(9) if name == "journal" else None
        site.install(*releases)

    assert in_child(work) != 0
    (site.formulas / "mol-b.formula.toml").unlink()
    (site.formulas / "mol-b.formula.toml").write_bytes(b"in between")
    (site.root / "mmpm.lock").write_bytes(b"a lock in between")
    install.begin_change(site.context)
    install.end_change(site.context)
    assert b"in between" in site.files().values()
    assert (site.root / "mmpm.lock").read_bytes() == b"a lock in between"


def test_eight_processes_that_install_the_same_all_succeed(tmp_path):
    site, releases = prepare(tmp_path, fresh=True)
    children = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                site.install(*releases)
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 8
    check_completed(site, releases, fresh=True)


@pytest.mark.parametrize("new", [None, "mine"])
def test_a_fork_that_is_ended_is_there_as_a_whole_or_not_at_all(tmp_path, new):
    stop_at = 0
    while True:
        site = Site(tmp_path / str(stop_at))
        site.install(site.release("mol-b", "1.0.0", FORKED))
        before = site.files()

        def stop(_name, state={"left": stop_at}):  # noqa: B006 - a counter of this round
            if state["left"] == 0:
                os._exit(9)
            state["left"] -= 1

        def work(site=site, stop=stop):
            install.checkpoint = stop
            site.apply(plan_fork(site.context, "mol-b", new))

        status = in_child(work)
        begin_change(site.context)
        end_change(site.context)
        found = site.files()
        if found != before:
            name = new or "mol-b"
            assert b"forked_from" in found[f"{name}.formula.toml"]
            assert {path for path in found if path.startswith(f"{name}/")} == {f"{name}/{path}" for path in FORKED}
            assert bool(site.read_lock().get("mol-b")) == bool(new)
            assert not [path for path in found if ".kept-" in path]
        if status == 0:
            assert found != before
            break
        stop_at += 1


def test_a_file_that_became_a_folder_is_left_when_the_steps_are_done_again(tmp_path):
    site = Site(tmp_path)
    site.install(site.release("mol-b", "1.0.0", {"formula.toml": b"f", "x": b"file"}))
    release = site.release("mol-b", "2.0.0", {"formula.toml": b"f", "x/y": b"inside"})

    def stop(name):
        if name == "done":
            os._exit(9)

    def work():
        install.checkpoint = stop
        site.install(release)

    assert in_child(work) != 0
    begin_change(site.context)
    end_change(site.context)
    assert site.files() == {"mol-b.formula.toml": b"f", "mol-b/formula.toml": b"f", "mol-b/x/y": b"inside"}
