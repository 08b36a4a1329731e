"""A root with molecules, and a person who types commands there: for tests in which processes die or meet."""

from __future__ import annotations

import os
import shutil
import signal

from killing import CHANGES, in_child, is_write
from terminal import Terminal

from mmpm.execute import locking
from mmpm.molecule.lines import parse_line
from mmpm.molecule.state import fold
from mmpm.molecule.transitions import is_live
from mmpm.project.mol_log import MolPlaces, list_logs, read_digest, read_log


class MolRoot:
    """A project whose molecules are of two small protos."""

    CATALOGUE = (
        '{"id":"mol-job","title":"Job","labels":["template"],"issue_type":"epic"}\n'
        '{"id":"mol-job.1","title":"One"}\n'
        '{"id":"mol-job.2","title":"Two","dependencies":[{"issue_id":"mol-job.2","depends_on_id":"mol-job.1","type":"blocks"}]}\n'
        '{"id":"mol-arm","title":"Arm {{who}}","labels":["template"],"issue_type":"epic"}\n'
        '{"id":"mol-arm.1","title":"Load"}\n'
    )

    def __init__(self, folder):
        self.terminal = Terminal(folder)
        self.root = self.terminal.cwd
        self.places = MolPlaces(str(self.root))
        self.other = ""

    def begin(self):
        """Write the catalogue and run one command, so that what every first command makes is there."""
        (self.root / ".beads").mkdir()
        (self.root / ".beads" / "molecules.jsonl").write_text(self.CATALOGUE)
        self.done("mol", "gc")
        return self

    def copy(self, folder):
        made = MolRoot(folder)
        shutil.copytree(self.terminal.folder, folder, dirs_exist_ok=True, symlinks=True)
        return made

    def run(self, *words):
        try:
            return self.terminal.run(*words)
        finally:
            locking.release_all()

    def done(self, *words):
        seen = self.run(*words)
        assert seen.status == 0, seen.both
        return seen

    def make(self, *words):
        """Run what makes a molecule or an arm; give the id."""
        return self.done("mol", *words).out.split()[0]

    def work(self, *words):
        """Give the work of a child process: the command, which must come to 0 if the child lives so long."""

        def run():
            seen = self.run(*words)
            assert seen.status == 0, seen.both

        return run

    def picture(self):
        """Everything that readers can find, by what was bonded and not by id: a sorted list."""
        seen = []
        ids = {log.id for log in list_logs(self.places)}
        ids |= {name.removesuffix(".json") for name in self.names(self.places.digests) if name.endswith(".json")}
        for molecule_id in ids:
            found = [log for phase in ("mol", "wisp") if (log := read_log(self.places.log(molecule_id, phase)))]
            assert len(found) <= 1
            digest = read_digest(self.places, molecule_id)
            if digest is not None:
                seen.append(("squashed", digest.phase, digest.title.removeprefix("Digest: "), digest.root))
                continue
            molecule = fold(found[0].lines)
            assert molecule.id == molecule_id
            if is_live(molecule.state):
                steps = tuple((step, record.state, record.is_gate_open) for step, record in molecule.steps.items())
                seen.append((molecule.state, molecule.phase, molecule.title, steps, molecule.connections))
        return sorted(seen)

    def burned(self):
        """Ids in the audit log, in their order."""
        log = read_log(self.places.audit)
        return [event.id for line in (log.lines if log else ()) for event in line.events]

    def files(self):
        """Everything that lies in the folders of molecules, but the lock."""
        found = {}
        for top in (self.root / ".beads" / "mmpm", self.root / ".beads-wisp"):
            for path in sorted(top.rglob("*")):
                if path.is_file() and path.name != ".lock":
                    found[str(path.relative_to(self.root))] = path.read_bytes()
        return found

    @staticmethod
    def names(folder):
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def lines(self, molecule_id, phase="mol"):
        with open(self.places.log(molecule_id, phase), "rb") as file:
            return [parse_line(raw) for raw in file]


def dies_at(work, number, *, writes_half=False):
    """Run `work` in a child that is killed before its change `number`; give its process id.

    A change is what `killing.CHANGES` names and every write(2), truncation and flush. With `writes_half` only writes
    are counted, and the one at which it dies is done by half.
    """
    count = 0

    def step():
        nonlocal count
        count += 1
        return count == number

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def counted(call):
        def change(*arguments):
            if not writes_half and step():
                die()
            return call(*arguments)

        return change

    def half_of(write):
        def change(fd, data):
            if step():
                write(fd, bytes(data)[: len(data) // 2])
                die()
            return write(fd, data)

        return change

    def hooked():
        os.write = half_of(os.write) if writes_half else counted(os.write)
        os.ftruncate, os.fsync = counted(os.ftruncate), counted(os.fsync)
        work()

    def at_event(_count, event, arguments):
        if event in CHANGES and not (event == "open" and not is_write(arguments)) and not writes_half and step():
            die()

    return in_child(hooked, at_event)
