"""Several processes work on the same molecules and are killed at random instants: what was said to be done is done."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from killing import end_of, in_child
from molecule_roots import MolRoot

from mmpm.molecule.state import fold
from mmpm.molecule.transitions import is_live, is_over
from mmpm.project.mol_log import read_digest, read_log

# Python 3.12 warns of any fork beside threads, such as those of a parallel test run; the children here start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

WORKERS = 3


class Worker:
    """Does what comes to its mind, and writes into its own book what it was told is done."""

    def __init__(self, root, book, seed):
        self.root, self.book, self.chance = root, book, random.Random(seed)

    def note(self, *words):
        os.write(self.fd, (" ".join(words) + "\n").encode())

    def work(self):
        self.fd = os.open(self.book, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        while True:
            self.act()

    def act(self):
        ids = [name.removesuffix(".jsonl") for folder in (self.root.places.mols, self.root.places.wisps)
               for name in self.root.names(folder) if name.endswith(".jsonl")]  # fmt: skip
        chosen = self.chance.choice([*ids, ""])
        verb = self.chance.choice(["new", "close", "close", "close", "arm", "squash", "burn", "gc"])
        if verb == "new" or not chosen:
            seen = self.root.run("mol", self.chance.choice(["pour", "wisp"]), "mol-job")
            if seen.status == 0:
                self.note("made", seen.out.split()[0])
            return
        commands = {
            "close": ("close", f"{chosen}.{self.chance.choice('12')}", "--reason", f"by {os.getpid()}"),
            "arm": ("bond", "mol-arm", chosen, "--ref", f"arm-{os.urandom(3).hex()}", "--var", "who=x"),
            "squash": ("squash", chosen, "--force"),
            "burn": ("burn", chosen, "--force", "--reason", "no"),
            "gc": ("gc",),
        }
        seen = self.root.run("mol", *commands[verb])
        if seen.status == 0:
            self.note(verb, seen.out.split()[0] if verb == "arm" else commands[verb][-1 if verb == "gc" else 1])
        elif not any(f"error[molecule-{code}]" in seen.err for code in ("refused", "not-here")):
            self.note("BUG", seen.both.replace("\n", "|"))


@pytest.mark.slow
def test_what_was_said_to_be_done_is_done_whoever_was_killed(tmp_path, pytestconfig):
    chance = random.Random(pytestconfig.option.seed)
    root = MolRoot(tmp_path).begin()
    books = []
    for _ in range(200 if pytestconfig.option.full else 12):
        pids = []
        for _ in range(WORKERS):
            books.append(str(tmp_path / f"book-{len(books)}"))
            pids.append(in_child(Worker(root, books[-1], chance.random()).work))
        time.sleep(chance.uniform(0.05, 0.4))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert [end_of(pid) for pid in pids] == [-signal.SIGKILL] * WORKERS
    told = []
    for book in books:
        if os.path.exists(book):
            with open(book) as file:
                told += [line.split() for line in file if line.endswith("\n")]
    assert not [words for words in told if words[0] == "BUG"]
    check(root, told)
    root.done("mol", "gc")
    check(root, told)
    assert [path for path in root.files() if path.endswith((".tmp", ".ending"))] == []


def check(root, told):
    """Hold what lies there to what the books say."""
    burned = set(root.burned())
    states = {}
    for verb, operand, *_ in (words for words in told if words[0] != "gc"):
        molecule_id, _, step = operand.partition(".")
        digest = read_digest(root.places, molecule_id)
        phase = "wisp" if "-wisp-" in molecule_id else "mol"
        log = read_log(root.places.log(molecule_id, phase))
        molecule = states[molecule_id] = fold(log.lines) if log else None
        assert digest is None or molecule_id not in burned
        if verb == "squash":
            assert digest is not None
        elif verb == "burn":
            assert molecule_id in burned
            assert molecule is None
        elif digest is None and (molecule is None or not is_live(molecule.state)):
            # Somebody burned it since, and was killed before the audit log had it, or not.
            assert molecule_id in burned or molecule is not None
        elif verb in {"close", "arm"}:
            outcomes = digest.outcomes if digest else ()
            steps = {one.step: one.state for one in outcomes} or {
                one: molecule.steps[one].state for one in molecule.steps
            }
            assert step in steps
            assert verb == "arm" or is_over(steps[step])
    for molecule in states.values():
        assert molecule is None or all(f"{arm}.1" in molecule.steps for arm in molecule.arms)
        assert molecule is None or molecule.problems == ()
