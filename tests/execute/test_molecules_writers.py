"""Several processes at once on one molecule and on several: nothing is lost, nothing done twice, nothing seen by half."""

from __future__ import annotations

import json
import os
import random

import pytest
from killing import end_of, in_child
from molecule_roots import MolRoot

from mmpm.molecule.events import Closed
from mmpm.molecule.state import fold
from mmpm.project import mol_index
from mmpm.project.mol_log import list_logs, read_digest, read_log

# Python 3.12 warns of any fork beside threads, such as those of a parallel test run; the children here start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

STEPS = 16


@pytest.fixture
def root(tmp_path):
    root = MolRoot(tmp_path)
    made = root.begin()
    wide = [{"id": "mol-wide", "title": "Wide", "labels": ["template"]}]
    wide += [{"id": f"mol-wide.{number}", "title": f"Step {number}"} for number in range(STEPS)]
    with open(root.root / ".beads" / "molecules.jsonl", "a") as file:
        file.writelines(json.dumps(one) + "\n" for one in wide)
    return made


def together(*works):
    """Run each in a process of its own, at once; all have to come to their end."""
    assert [end_of(pid) for pid in [in_child(work) for work in works]] == [0] * len(works)


@pytest.mark.parametrize("writers", [2, 4])
def test_each_step_is_closed_once_whoever_tries(root, writers):
    made = root.make("pour", "mol-wide")

    def close_all(seed):
        order = list(range(STEPS))
        random.Random(seed).shuffle(order)
        for step in order:
            seen = root.run("mol", "close", f"{made}.{step}", "--reason", f"by {seed}", "--actor", f"agent/{seed}")
            assert seen.status == 0 or "is closed (by agent/" in seen.err

    together(*(lambda seed=seed: close_all(seed) for seed in range(writers)))
    lines = root.lines(made)
    closed = [event.step for line in lines for event in line.events if isinstance(event, Closed)]
    assert sorted(closed, key=int) == [str(number) for number in range(STEPS)]
    assert fold(lines).problems == ()
    assert {record.closed_by for record in fold(lines).steps.values()} <= {f"agent/{one}" for one in range(writers)}


def test_arms_of_several_writers_are_all_there_and_whole(root):
    made = root.make("wisp", "mol-wide")

    def attach(who):
        for number in range(4):
            seen = root.run("mol", "bond", "mol-arm", made, "--ref", f"arm-{number}", "--var", f"who={who}")
            assert seen.status == 0 or "already" in seen.err, seen.both
            root.done("mol", "bond", "mol-arm", made, "--ref", f"own-{who}-{number}", "--var", f"who={who}")

    together(*(lambda who=who: attach(who) for who in range(4)))
    molecule = fold(root.lines(made, "wisp"))
    assert molecule.problems == ()
    wanted = {f"arm-{number}" for number in range(4)}
    wanted |= {f"own-{who}-{number}" for who in range(4) for number in range(4)}
    assert set(molecule.arms) == wanted
    assert {f"{arm}.1" for arm in wanted} <= set(molecule.steps)


def test_whole_lives_beside_each_other_lose_nothing(root):
    kept = root.make("pour", "mol-job")

    def live(who):
        for number in range(3):
            for verb in ("pour", "wisp"):
                made = root.make(verb, "mol-job")
                root.done("mol", "close", f"{made}.1", "--reason", "done")
                if number == 0:
                    root.done("mol", "burn", made, "--force", "--reason", f"by {who}")
                elif number == 1:
                    root.done("mol", "squash", made, "--force", "--summary", f"by {who}")
        root.done("mol", "gc")

    together(*(lambda who=who: live(who) for who in range(4)))
    seen = root.picture()
    assert len([one for one in seen if one[:2] == ("squashed", "mol")]) == 4
    assert len([one for one in seen if one[:2] == ("squashed", "wisp")]) == 4
    assert len([one for one in seen if one[:2] == ("flowing", "mol")]) == 5
    assert len([one for one in seen if one[:2] == ("flowing", "wisp")]) == 4
    assert len(root.burned()) == len(set(root.burned())) == 8
    assert root.done("mol", "close", f"{kept}.1").status == 0


def test_of_those_who_end_one_molecule_at_once_one_succeeds(root):
    made = [root.make("wisp", "mol-job") for _ in range(6)]

    def end(*words):
        for molecule_id in made:
            seen = root.run("mol", words[0], molecule_id, *words[1:], "--force")
            assert seen.status == 0 or "molecule-refused" in seen.err or "molecule-not-here" in seen.err, seen.both

    together(lambda: end("squash"), lambda: end("burn", "--reason", "no"), lambda: end("squash", "--summary", "b"))
    squashed = {one for one in made if read_digest(root.places, one)}
    assert squashed | set(root.burned()) == set(made)
    assert not squashed & set(root.burned())
    assert [name for name in root.names(root.places.wisps) if name.endswith(".jsonl")] == []


def test_a_reader_never_sees_a_half_state(root):
    """Readers take no lock: log first, then digest. A wisp that is squashed is never seen as neither of both."""
    wisps = [root.make("wisp", "mol-job") for _ in range(12)]
    mol = root.make("pour", "mol-wide")
    looked, look = os.pipe()

    def write():
        os.close(look)
        for number, wisp in enumerate(wisps):
            if number % 3 == 2:
                os.read(looked, 1)  # however busy the machine is, something is left to be looked at
            root.done("mol", "bond", "mol-arm", mol, "--ref", f"arm-{number}", "--var", "who=x")
            root.done("mol", "squash", wisp, "--force")

    pid = in_child(write)
    rounds = 0
    with open(looked, "rb"), open(look, "wb", buffering=0) as said:
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            rounds += 1
            look_at_all(root, wisps, mol, rounds)
            said.write(b"x")
    assert rounds > 3
    assert len(root.picture()) == 13


def look_at_all(root, wisps, mol, turn):
    for wisp in wisps:
        log = read_log(root.places.log(wisp, "wisp"))
        assert log is not None or read_digest(root.places, wisp) is not None
        assert log is None or (fold(log.lines).steps.keys() == {"1", "2"} and log.problems == ())
    molecule = fold(read_log(root.places.log(mol, "mol")).lines)
    assert molecule.problems == ()
    assert all(f"{arm}.1" in molecule.steps for arm in molecule.arms)
    seen = root.run("mol", "ready", wisps[turn % len(wisps)])
    assert seen.status == 0 or "is squashed" in seen.err, seen.both
    listed = root.done("mol", "list", "--running", "--all").out
    assert [wisp for wisp in wisps if wisp not in listed] == []


@pytest.mark.parametrize("words", [("squash", "--force"), ("burn", "--force", "--reason", "no")])
@pytest.mark.parametrize("when", ["before the logs are listed", "after the logs were listed"])
def test_who_lists_while_a_wisp_ends_sees_it_before_or_after(root, monkeypatch, words, when):
    wisp, mol = root.make("wisp", "mol-job"), root.make("pour", "mol-job")
    root.done("mol", "bond", wisp, mol, "--type", "conditional")

    def listing(places):
        end = root.work("mol", words[0], wisp, *words[1:])
        if when.startswith("before"):
            together(end)
        found = list_logs(places)
        if when.startswith("after"):
            together(end)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(mol_index, "list_logs", listing)
        seen = root.done("mol", "list", "--running", "--all").out
    assert (wisp in seen) or words[0] == "burn"
    # Its end, with open steps, is a failure: what runs only then may run.
    assert f"{mol}.1" in root.done("mol", "ready").out
