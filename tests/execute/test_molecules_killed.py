"""Killed before any change to a file, a command leaves the old state or the new; the next command completes it."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
from killing import end_of
from molecule_roots import MolRoot, dies_at

from mmpm.execute import molecules
from mmpm.molecule.state import fold
from mmpm.molecule.transitions import is_live
from mmpm.plan import BurnMolecule
from mmpm.project.mol_log import list_logs, read_log

# Python 3.12 warns of any fork beside threads, such as those of a parallel test run; the children here start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def a_mol(root):
    return root.make("pour", "mol-job")


def a_wisp(root):
    return root.make("wisp", "mol-job")


def worked(make):
    def prepare(root):
        made = make(root)
        root.done("mol", "close", f"{made}.1", "--reason", "done")
        return made

    return prepare


def waited_for(make):
    def prepare(root):
        made = make(root)
        root.done("mol", "bond", made, a_mol(root), "--type", "sequential")
        return made

    return prepare


def gated(root):
    (root.root / ".beads" / "formulas").mkdir()
    (root.root / ".beads" / "formulas" / "mol-gated.formula.toml").write_text(
        'formula = "mol-gated"\nversion = 1\ntype = "workflow"\ndescription = "Asks"\n'
        '[[steps]]\nid = "1"\ntitle = "Ask"\n[steps.gate]\ntype = "human"\n'
    )
    return root.make("pour", "mol-gated")


def two(root):
    root.other = a_mol(root)
    return a_wisp(root)


def merged(root):
    """A mol whose log two branches wrote, with lines that have no effect, and a stale wisp."""
    made = worked(a_mol)(root)
    path = root.places.log(made, "mol")
    with open(path, "rb") as file:
        data = file.read()
    last = data.splitlines(keepends=True)[-1]
    with open(path, "wb") as file:
        file.write(data + b"<<<<<<< HEAD\n" + last + b"=======\n" + last + b">>>>>>> theirs\n")
    return made


def stale(root):
    made = a_wisp(root)
    merged(root)
    root.terminal.now += timedelta(days=2)
    return made


CASES = {
    "pour": (lambda _: "", ("pour", "mol-job")),
    "wisp": (lambda _: "", ("wisp", "mol-job")),
    "attach": (a_mol, ("bond", "mol-arm", "ID", "--ref", "arm-ace", "--var", "who=ace")),
    "connect": (two, ("bond", "ID", "OTHER", "--type", "sequential")),
    "open a gate": (gated, ("gate", "open", "ID.1", "--reason", "go on")),
    "start": (a_mol, ("start", "ID.1")),
    "close": (a_wisp, ("close", "ID.1", "--reason", "done")),
    "close the last": (worked(a_mol), ("close", "ID.2", "--reason", "done")),
    "squash a mol": (worked(a_mol), ("squash", "ID", "--summary", "well", "--force")),
    "squash a wisp": (worked(a_wisp), ("squash", "ID", "--summary", "well", "--force")),
    "burn a mol": (a_mol, ("burn", "ID", "--force")),
    "burn a wisp": (a_wisp, ("burn", "ID", "--force")),
    "burn a wisp with a reason": (a_wisp, ("burn", "ID", "--force", "--reason", "tests")),
    "burn a wisp that is waited for": (waited_for(a_wisp), ("burn", "ID", "--force")),
    "compact": (merged, ("gc",)),
    "gc": (stale, ("gc",)),
}


@pytest.mark.parametrize("writes_half", [False, True], ids=["before", "half"])
@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_instant_there_is_the_old_state_or_the_new(tmp_path, name, writes_half):
    prepare, words = CASES[name]
    base = MolRoot(tmp_path / "base").begin()
    made = prepare(base)
    now = base.terminal.now
    command = ("mol", *(word.replace("ID", made).replace("OTHER", base.other) for word in words))
    old, told = loose(base), base.burned()
    whole = base.copy(tmp_path / "whole")
    whole.terminal.now = now
    whole.done(*command)
    new, told_after = loose(whole), whole.burned()
    assert wisps_with_digest(whole) == []
    whole.done("mol", "gc", "--older", "100d")
    shown, number = [], 0
    while True:
        number += 1
        case = base.copy(tmp_path / f"case-{number}")
        case.terminal.now = now
        status = end_of(dies_at(case.work(*command), number, writes_half=writes_half))
        assert status in {0, -signal.SIGKILL}
        shown.append(loose(case))
        assert shown[-1] in (old, new)
        # The next writer, of something else, completes it: nothing lies there that is neither old nor new.
        case.done("mol", "gc", "--older", "100d")
        assert loose(case) == shown[-1]
        assert case.burned() == (told if shown[-1] == old and old != new else told_after)
        assert not [path for path in case.files() if path.endswith((".tmp", ".ending"))]
        assert wisps_with_digest(case) == []
        if shown[-1] == old and name != "compact":
            case.done(*command)
            assert loose(case) == new
            assert case.burned() == told_after
        if status == 0:
            break
    assert number > (1 if writes_half else 3)
    assert shown[-1] == new
    assert shown == sorted(shown, key=lambda one: one == new)


def gone_stale(root):
    """Wisps in which nothing happened for long, of which one is waited for, and a mol."""
    root.other = a_mol(root)
    wisps = [a_wisp(root) for _ in range(3)]
    root.done("mol", "bond", wisps[0], root.other, "--type", "parallel")
    root.terminal.now += timedelta(days=2)
    return wisps, ("gc",)


def named(root):
    """Mols and wisps that are burned together; of one wisp the audit log hears nothing."""
    ids = [a_mol(root), a_wisp(root), a_wisp(root)]
    root.done("mol", "bond", ids[1], ids[0], "--type", "parallel")
    return ids, ("burn", *ids, "--force")


@pytest.mark.parametrize(
    ("writes_half", "is_lost"), [(False, False), (True, False), (False, True)], ids=["before", "half", "note lost"]
)
@pytest.mark.parametrize("prepare", [gone_stale, named])
def test_of_many_that_are_burned_at_once_each_is_as_it_was_or_gone(tmp_path, prepare, writes_half, is_lost):
    base = MolRoot(tmp_path / "base").begin()
    ids, words = prepare(base)
    old, told = ids_seen(base), base.burned()
    whole = base.copy(tmp_path / "whole")
    whole.terminal.now = base.terminal.now
    whole.done("mol", *words)
    told_of = whole.burned()
    assert set(told_of) <= set(ids)
    number, status, left = 0, -signal.SIGKILL, []
    while status:
        number += 1
        case = base.copy(tmp_path / f"case-{number}")
        case.terminal.now = base.terminal.now
        status = end_of(dies_at(case.work("mol", *words), number, writes_half=writes_half))
        assert status in {0, -signal.SIGKILL}
        seen = ids_seen(case)
        left.append(len(seen))
        burned = set(old) - set(seen)
        assert burned <= set(ids)
        if is_lost and os.path.exists(case.places.ending):
            os.unlink(case.places.ending)
        case.done("mol", "gc", "--older", "100d")
        # What was begun is completed, and told of once; what was not is as it was.
        assert ids_seen(case) == seen
        expected = told + [one for one in told_of if one in burned]
        if is_lost:  # then each is told of, for nobody knows whether it has to be
            assert len(case.burned()) == len(set(case.burned()))
            assert set(expected) <= set(case.burned()) <= {*told, *burned}
        else:
            assert case.burned() == expected
        assert set(seen) == {log.id for log in list_logs(case.places)}
        assert not [path for path in case.files() if path.endswith((".tmp", ".ending"))]
        case.run("mol", "gc") if words == ("gc",) else case.run("mol", "burn", *set(ids) - burned, "--force")
        assert set(old) - set(ids_seen(case)) == set(ids)
        # Of a wisp that nothing stands with any more nothing is told.
        again = case.burned()
        assert len(again) == len(set(again))
        assert set(again) <= {*told, *(ids if is_lost else told_of)}
    assert number > (3 if writes_half else 10)
    assert left == sorted(left, reverse=True)
    assert set(left) == set(range(len(old) - len(ids), len(old) + 1))


def ids_seen(root):
    """The ids of all that readers find flowing, sorted."""
    logs = [read_log(log.path) for log in list_logs(root.places)]
    return [one.id for one in map(fold, (log.lines for log in logs)) if is_live(one.state)]


@pytest.mark.parametrize("count", [2, 40])
def test_however_many_wisps_are_stale_the_flushes_are_as_many(tmp_path, monkeypatch, count):
    root = MolRoot(tmp_path).begin()
    for _ in range(count):
        a_wisp(root)
    root.terminal.now += timedelta(days=2)
    flushed = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append(fd), fsync(fd)))
    assert root.done("mol", "gc").out.count("Burned: ") == count
    assert len(flushed) <= 12
    assert len(root.burned()) == len(set(root.burned())) == count


@pytest.mark.parametrize("most", [1, 2])
def test_more_than_one_note_names_are_burned_one_note_after_the_other(tmp_path, monkeypatch, most):
    monkeypatch.setattr(molecules, "MOST_AT_ONCE", most)
    root = MolRoot(tmp_path).begin()
    ids = [a_wisp(root) for _ in range(5)]
    root.terminal.now += timedelta(days=2)
    root.done("mol", "gc")
    assert sorted(root.burned()) == sorted(ids)
    assert ids_seen(root) == []


def test_one_that_cannot_be_burned_keeps_none_of_those_before_it(tmp_path):
    root = MolRoot(tmp_path).begin()
    ids = sorted(a_wisp(root) for _ in range(3))
    burns = [
        BurnMolecule(str(root.root), one, "wisp", b'{"actor":"ann"}', audits=True) for one in (*ids, "rig-wisp-none")
    ]
    with pytest.raises(FileNotFoundError):
        molecules.apply_burns(None, [burns[0], burns[3], burns[1]])
    assert ids_seen(root) == ids[1:]
    with open(root.places.audit, "rb") as file:
        assert file.read() == b'{"actor":"ann"}\n'
    assert "was killed" not in root.done("mol", "gc").err
    assert not os.path.exists(root.places.ending)


def loose(root):
    """What readers see, less what only the nonce of a bond decides."""
    return [one[:3] if one[0] == "squashed" else one for one in root.picture()]


def wisps_with_digest(root):
    digests = {name.removesuffix(".json") for name in root.names(root.places.digests)}
    return [name for name in root.names(root.places.wisps) if name.removesuffix(".jsonl") in digests]


def test_one_that_is_burned_has_failed_also_while_its_log_is_still_there(tmp_path):
    base = MolRoot(tmp_path / "base").begin()
    done, waits = a_mol(base), a_mol(base)
    base.done("mol", "bond", done, waits, "--type", "conditional")
    base.done("mol", "close", f"{done}.1")
    base.done("mol", "close", f"{done}.2")
    assert f"{waits}.1" not in base.done("mol", "ready").out
    number = 0
    while True:
        number += 1
        case = base.copy(tmp_path / f"case-{number}")
        status = end_of(dies_at(case.work("mol", "burn", done, "--force"), number))
        is_burned = loose(case) != loose(base)
        assert (f"{waits}.1" in case.done("mol", "ready").out) == is_burned
        assert (case.run("mol", "start", f"{waits}.1").status == 0) == is_burned
        if status == 0:
            break
    assert is_burned
