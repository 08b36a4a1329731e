"""Logs and digests as they should not be: torn, merged, damaged, foreign, leading outside, on a disk that is full."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess

import pytest
from molecule_roots import MolRoot

from mmpm.molecule.compacting import compacted
from mmpm.molecule.digest import Digest
from mmpm.molecule.events import Closed, Started
from mmpm.molecule.state import fold
from mmpm.project.mol_log import read_log


@pytest.fixture
def root(tmp_path):
    return MolRoot(tmp_path).begin()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def test_a_torn_end_of_any_length_is_passed_over_and_cut_off(root):
    made = root.make("pour", "mol-job")
    path = root.places.log(made, "mol")
    before = read(path)
    root.done("mol", "close", f"{made}.1", "--reason", "a long reason " * 20)
    line = read(path)[len(before) :]
    for cut in (*range(1, len(line) - 1, 37), len(line) - 2):
        write(path, before + line[:cut])
        log = read_log(path)
        assert (log.is_torn, log.size, len(log.lines)) == (True, len(before), 1)
        root.done("mol", "start", f"{made}.1")
        after = root.lines(made)
        assert [type(event) for event in after[1].events] == [Started]
        assert len(after) == 2
    # All but the line feed is a whole line: the next one begins behind it.
    write(path, before + line[:-1])
    root.done("mol", "start", f"{made}.2")
    assert [line.operation for line in root.lines(made)] == ["pour", "close", "start"]


def test_a_bond_of_which_nothing_whole_was_written_is_none(root):
    made = root.make("pour", "mol-job")
    path = root.places.log(made, "mol")
    data = read(path)
    for torn in (b"", data[:1], data[: len(data) // 2]):
        write(path, torn)
        assert root.run("mol", "close", f"{made}.1").status == 1
        assert root.run("mol", "list", "--running").status == 0
        assert root.done("mol", "gc").out == "Removed: 1 file of killed processes\n"
        assert not os.path.exists(path)
    write(path, b"somebody's notes")
    assert root.done("mol", "gc").out == ""
    assert read(path) == b"somebody's notes"


@pytest.mark.parametrize("order", [1, -1])
def test_logs_that_git_merged_from_two_branches_hold_what_came_first(root, order):
    made = root.make("pour", "mol-job")
    path = root.places.log(made, "mol")
    base = read(path)
    sides = []
    for who in ("ann", "bob"):
        write(path, base)
        root.done("mol", "close", f"{made}.1", "--actor", who)
        root.done("mol", "bond", "mol-arm", made, "--ref", f"arm-{who}", "--var", f"who={who}")
        sides.append(read(path)[len(base) :])
    ours, theirs = sides[::order]
    first = ("ann", "bob")[::order][0]
    conflict = base + b"<<<<<<< HEAD\n" + ours + b"||||||| base\n=======\n" + theirs + b">>>>>>> theirs\n"
    for data in (base + ours + theirs, conflict, base + ours + theirs + ours, base + ours + base + theirs):
        write(path, data)
        seen = root.done("mol", "ready", made)
        assert "arm-ann" in seen.out
        assert "arm-bob" in seen.out
        molecule = fold(read_log(path).lines)
        assert molecule.steps["1"].closed_by == first
        assert set(molecule.arms) == {"arm-ann", "arm-bob"}
        root.done("mol", "close", f"{made}.arm-{first}.1")
        assert "Compacted: " in root.done("mol", "gc").out
        lines = root.lines(made)
        assert fold(lines).problems == ()
        assert [e.step for line in lines for e in line.events if isinstance(e, Closed)][:1] == ["1"]
        assert not compacted(read(path)).dropped


@pytest.mark.skipif(shutil.which("git") is None and os.environ.get("CI") != "true", reason="git is not installed")
def test_git_itself_merges_two_branches_that_worked_on_one_molecule(root):
    def git(*words):
        done = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words],
            cwd=root.root,
            env={**root.terminal.environ, "GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    made, burned = root.make("pour", "mol-job"), [root.make("pour", "mol-job") for _ in range(2)]
    wisp = root.make("wisp", "mol-job")
    root.done("mol", "burn", root.make("pour", "mol-job"), "--force")
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "begun")
    assert wisp not in git("ls-files")
    for branch, who, gone in (("one", "ann", burned[0]), ("two", "bob", burned[1])):
        git("checkout", "-qb", branch, "main")
        root.done("mol", "close", f"{made}.1", "--actor", who)
        root.done("mol", "bond", "mol-arm", made, "--ref", f"arm-{who}", "--var", f"who={who}")
        root.done("mol", "burn", gone, "--force", "--actor", who)
        git("add", "-A")
        git("commit", "-qm", who)
    git("merge", "-q", "--no-edit", "one")
    molecule = fold(root.lines(made))
    assert set(molecule.arms) == {"arm-ann", "arm-bob"}
    assert molecule.steps["1"].closed_by == "bob"
    assert set(root.burned()[1:]) == set(burned)
    assert "Compacted: " in root.done("mol", "gc").out
    root.done("mol", "squash", made, "--force")


def test_a_branch_that_squashed_and_one_that_worked_on_are_squashed(root):
    made = root.make("pour", "mol-job")
    path = root.places.log(made, "mol")
    base = read(path)
    root.done("mol", "close", f"{made}.1", "--actor", "bob")
    theirs = read(path)[len(base) :]
    write(path, base)
    root.done("mol", "squash", made, "--force", "--summary", "ours")
    ours = read(path)[len(base) :]
    digest = read(root.places.digest(made))
    for data in (base + ours + theirs, base + theirs + ours, base + theirs):
        write(path, data)
        assert "is squashed" in root.run("mol", "close", f"{made}.2").err
        root.done("mol", "gc")
        assert "is squashed" in root.run("mol", "burn", made, "--force").err
    assert read(root.places.digest(made)) == digest
    assert read_log(path).lines[-1].operation == "squash"


def test_a_log_brought_back_by_a_merge_after_its_burn_lives(root):
    """One branch burned it, the other worked on it, and whoever merged kept the file: the audit log stays true."""
    made = root.make("pour", "mol-job")
    path = root.places.log(made, "mol")
    data = read(path)
    root.done("mol", "burn", made, "--force", "--reason", "no")
    write(path, data)
    root.done("mol", "close", f"{made}.1")
    root.done("mol", "burn", made, "--force", "--reason", "no again")
    assert root.burned() == [made, made]


DAMAGES = {
    "empty": lambda _: b"",
    "torn": lambda data: data[: len(data) // 2],
    "no JSON": lambda data: b"<<<<<<< HEAD\n" + data + b"\n=======\n" + data,
    "a changed step": lambda data: data.replace(b'"state":"open"', b'"state":"closed"', 1),
    "a changed root": lambda data: data.replace(b'"root":"sha256:', b'"root":"sha256:0', 1),
    "white space": lambda data: data + b"\n",
    "another's": lambda data: data.replace(b"rig-mol-", b"rog-mol-"),
    "a newer format": lambda data: data.replace(b'"format":1', b'"format":2'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_digest_that_does_not_hold_is_named_and_never_written_over(root, damage):
    made = root.make("pour", "mol-job")
    path = root.places.log(made, "mol")
    base = read(path)
    root.done("mol", "squash", made, "--force")
    write(path, base)  # as if the squash had been killed, and the digest was damaged then
    bad = DAMAGES[damage](read(root.places.digest(made)))
    write(root.places.digest(made), bad)
    for words in (("close", f"{made}.1"), ("squash", made, "--force"), ("burn", made, "--force")):
        seen = root.run("mol", *words)
        assert seen.status == 1
        assert seen.err.startswith(f"error[molecule-log-unusable]: {root.places.digest(made)}: ")
    collected = root.done("mol", "gc")
    assert "it is left alone" in collected.err
    assert read(root.places.digest(made)) == bad
    assert read(path) == base
    root.done("mol", "squash", root.make("wisp", "mol-job"), "--force")


def test_the_log_of_a_wisp_goes_only_once_its_digest_is_whole(root):
    """The note of a squash beside a digest that does not hold: nothing is taken away."""
    made = root.make("wisp", "mol-job")
    path = root.places.log(made, "wisp")
    trace = read(path)
    root.done("mol", "squash", made, "--force")
    digest = read(root.places.digest(made))
    write(path, trace)
    write(root.places.ending, b'{"verb":"squash","id":"%s","phase":"wisp","audits":false}\n' % made.encode())
    write(root.places.digest(made), digest[:-20])
    # Nobody else is kept from work, and the note is gone: `gc` looks at everything.
    assert "waits: " in root.done("mol", "pour", "mol-job").err
    assert "waits: " not in root.done("mol", "pour", "mol-job").err
    assert "it is left alone" in root.done("mol", "gc").err
    assert read(path) == trace
    write(root.places.digest(made), digest)
    assert f"Completed: {made}" in root.done("mol", "gc").out
    assert not os.path.exists(path)
    assert Digest.parse(read(root.places.digest(made))).id == made


@pytest.mark.parametrize(
    "note",
    [
        *(b"", b"{", b"[]", b'{"verb":"burn","id":"../../x","phase":"mol","audits":true}', b"\xff", b"[" * 100_000),
        b'{"verb":"burn","id":"rig-mol-x","phase":"mol","audits":true}\n' * 6000,
    ],
    ids=["empty", "open", "list", "outside", "no text", "deep", "long"],
)
def test_a_note_that_says_nothing_stops_nobody(root, note):
    made = root.make("pour", "mol-job")
    write(root.places.ending, note)
    root.done("mol", "close", f"{made}.1")
    assert not os.path.exists(root.places.ending)


def test_a_note_that_lies_takes_nothing_away(root):
    """The folder of wisps may come with a hostile clone: a note of a burn that is in no log burns nothing."""
    made = root.make("pour", "mol-job")
    before = read(root.places.log(made, "mol"))
    for verb in ("burn", "squash"):
        write(
            root.places.ending, b'{"verb":"%s","id":"%s","phase":"mol","audits":true}' % (verb.encode(), made.encode())
        )
        root.make("wisp", "mol-job")
        assert read(root.places.log(made, "mol")) == before


@pytest.mark.parametrize("verb", ["pour", "wisp"])
def test_an_end_whose_note_is_lost_is_found_by_gc(root, verb):
    burned, squashed = (root.make(verb, "mol-job") for _ in range(2))
    phase = "mol" if verb == "pour" else "wisp"
    before = {one: read(root.places.log(one, phase)) for one in (burned, squashed)}
    root.done("mol", "burn", burned, "--force", "--reason", "no")
    root.done("mol", "squash", squashed, "--force")
    line = read(root.places.audit)
    os.unlink(root.places.audit)
    write(root.places.log(burned, phase), before[burned] + line)
    write(root.places.log(squashed, phase), before[squashed])
    for one in (burned, squashed):
        assert root.run("mol", "close", f"{one}.1").status == 1
    seen = root.done("mol", "gc", "--dry-run").out
    assert seen.count("would complete the end of") == 2
    root.done("mol", "gc")
    assert read(root.places.audit) == line
    assert not os.path.exists(root.places.log(burned, phase))
    assert root.done("mol", "gc").out == ""
    assert [one[:2] for one in root.picture()] == [("squashed", phase)]


def test_what_is_no_log_is_named_and_the_others_work(root):
    made = root.make("pour", "mol-job")
    data = read(root.places.log(made, "mol"))
    folder = root.places.mols
    os.mkfifo(os.path.join(folder, "rig-mol-pipe.jsonl"))
    os.mkdir(os.path.join(folder, "rig-mol-folder.jsonl"))
    os.symlink("/etc/passwd", os.path.join(folder, "rig-mol-link.jsonl"))
    write(os.path.join(folder, "rig-mol-other.jsonl"), data)  # another's log under this name
    write(os.path.join(folder, "rig-mol-noise.jsonl"), os.urandom(1000) + b"\n")
    for name, size in (("large", 100 << 20), ("huge", 1 << 40)):
        write(os.path.join(folder, f"rig-mol-{name}.jsonl"), b"")
        os.truncate(os.path.join(folder, f"rig-mol-{name}.jsonl"), size)
    write(os.path.join(folder, "not a molecule.jsonl"), b"x")
    write(os.path.join(root.places.wisps, f"{made.replace('mol', 'wisp')}.jsonl"), data)
    for name in ("pipe", "folder", "link", "other", "noise", "large", "huge"):
        for verb in ("squash", "burn"):
            seen = root.run("mol", verb, f"rig-mol-{name}", "--force")
            assert seen.status == 1
            # What has no whole line is taken for a bond that never came to be.
            assert ("molecule-not-here" if name == "large" else "molecule-log-unusable") in seen.err
    assert root.done("mol", "gc", "--older", "0s").err.count("it is left alone") >= 3
    root.done("mol", "close", f"{made}.1")
    root.done("mol", "burn", made, "--force")
    assert os.path.islink(os.path.join(folder, "rig-mol-link.jsonl"))


def test_a_line_of_a_newer_program_bars_every_change(root):
    made = root.make("wisp", "mol-job")
    path = root.places.log(made, "wisp")
    newer = read(path) + read(path).replace(b'"format":1', b'"format":2')
    write(path, newer)
    root.terminal.now = root.terminal.now.replace(year=2027)
    for words in (("close", f"{made}.1"), ("squash", made, "--force"), ("burn", made, "--force")):
        assert "a newer mmpm wrote it" in root.run("mol", *words).err
    assert "it is left alone" in root.done("mol", "gc").err
    assert read(path) == newer


@pytest.mark.parametrize(
    "operand", ["..", "../x", "a/b", ".", "", "rig-mol-..", "x" * 5000, "rig\x00", "rig\x1b[2J", "-"]
)
def test_what_cannot_be_an_id_is_none(root, operand):
    for verb in ("squash", "burn"):
        seen = root.run("mol", verb, operand, "--force") if operand != "-" else root.run("mol", verb, "--", "-")
        assert seen.status in {1, 2}
        assert seen.err.startswith("error[")
        assert "\x1b" not in seen.err
        assert len(seen.err) < 2000


@pytest.mark.parametrize("name", [".beads-wisp", ".beads/mmpm", ".beads/mmpm/mols", ".beads/mmpm/digests"])
def test_a_folder_that_leads_out_of_the_project_is_refused(root, name, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    path = root.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        shutil.rmtree(path)
    path.symlink_to(outside)
    for words in (("pour", "mol-job"), ("wisp", "mol-job"), ("gc",)):
        seen = root.run("mol", *words)
        assert (seen.status, "error[leads-outside]" in seen.err) == (1, True), seen.err
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", [".beads-wisp/.lock", ".beads-wisp/.ending", ".beads/mmpm/audit.jsonl"])
def test_a_file_that_leads_elsewhere_is_neither_read_nor_written(root, name, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine\n")
    made = root.make("pour", "mol-job")
    path = root.root / name
    path.unlink(missing_ok=True)
    path.symlink_to(precious)
    seen = root.run("mol", "burn", made, "--force")
    assert precious.read_text() == "mine\n"
    if name.endswith(".ending"):
        assert seen.status == 0  # what it says is of no weight; the link itself is taken away
        return
    assert seen.status == 1
    assert seen.err.startswith("error[")
    path.unlink()
    root.done("mol", "close", f"{made}.1")


def test_pipes_in_place_of_our_own_files_are_never_waited_for(root):
    made = root.make("pour", "mol-job")
    other = root.make("pour", "mol-job")
    root.done("mol", "bond", made, other, "--type", "sequential")
    os.mkfifo(root.places.audit)
    os.makedirs(root.places.digests, exist_ok=True)
    os.mkfifo(root.places.digest(made))
    for words in (("squash", made, "--force"), ("burn", made, "--force"), ("burn", other, "--force")):
        seen = root.run("mol", *words)
        assert (seen.status, seen.err[:6]) == (1, "error[")
    assert not os.path.lexists(root.places.ending)
    os.unlink(root.places.audit)
    os.mkfifo(root.places.ending)
    root.done("mol", "pour", "mol-job")
    assert not os.path.lexists(root.places.ending)


@pytest.mark.parametrize("name", [".beads-wisp", ".beads/mmpm/mols", ".beads/mmpm/digests", ".beads/mmpm"])
@pytest.mark.parametrize("words", [("squash", "--force"), ("burn", "--force", "--reason", "no")])
def test_a_folder_that_cannot_be_written_is_an_error_and_nothing_is_lost(root, name, words, monkeypatch):
    made = root.make("pour", "mol-job")
    old = root.picture()
    with monkeypatch.context() as patch:
        refuse(patch, str(root.root / name))
        seen = root.run("mol", words[0], made, *words[1:])
    if seen.status == 0:
        assert (words[0], name) == ("burn", ".beads/mmpm/digests")  # it writes nothing there
        return
    assert (seen.status, seen.err[:22]) == (1, "error[system-refused]:")
    assert root.picture() in (old, [])
    ended = root.picture() == []
    root.done("mol", "gc")
    assert root.picture() == ([] if ended else old)
    assert [path for path in root.files() if path.endswith((".tmp", ".ending"))] == []
    assert root.burned() == [made] * ended


def refuse(patch, folder):
    """Let everything in `folder` be refused that would change it."""

    def barring(call, *places):
        def change(*arguments, **named):
            writes = call is not real_open or arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and any(str(arguments[place]).startswith(folder + "/") for place in places):
                raise PermissionError(errno.EACCES, "Permission denied", arguments[places[0]])
            return call(*arguments, **named)

        return change

    real_open = os.open
    patch.setattr(os, "open", barring(os.open, 0))
    for name, places in {"mkdir": (0,), "link": (0, 1), "replace": (0, 1), "rename": (0, 1), "unlink": (0,)}.items():
        patch.setattr(os, name, barring(getattr(os, name), *places))


FULL = {
    "pour": ("pour", "mol-job"),
    "close": ("close", "MOL.1", "--reason", "done"),
    "attach": ("bond", "mol-arm", "MOL", "--ref", "arm", "--var", "who=x"),
    "squash a mol": ("squash", "MOL", "--force"),
    "squash a wisp": ("squash", "WISP", "--force"),
    "burn a mol": ("burn", "MOL", "--force"),
    "burn a wisp": ("burn", "WISP", "--force", "--reason", "no"),
}


@pytest.mark.parametrize("name", FULL)
def test_a_disk_that_is_full_leaves_the_old_state_or_what_room_completes(root, name, tmp_path, monkeypatch):
    ids = {"MOL": root.make("pour", "mol-job"), "WISP": root.make("wisp", "mol-job")}
    words = ["mol", *FULL[name]]
    for key, value in ids.items():
        words = [word.replace(key, value) for word in words]
    old = root.picture()
    whole = root.copy(tmp_path / "whole")
    whole.done(*words)
    new = [one[:3] for one in whole.picture()]
    number, status = 0, 1
    while status:
        number += 1
        case = root.copy(tmp_path / f"case-{number}")
        with monkeypatch.context() as patch:
            fill(patch, number)
            seen = case.run(*words)
        status = seen.status
        if status:
            assert "error[no-space]" in seen.err, seen.both
        shown = [one[:3] for one in case.picture()]
        assert shown in ([one[:3] for one in old], new)
        case.done("mol", "gc")
        assert [one[:3] for one in case.picture()] == shown
        if shown != new:
            case.done(*words)
        assert [one[:3] for one in case.picture()] == new
        assert case.burned() == whole.burned()
        assert [path for path in case.files() if path.endswith((".tmp", ".ending"))] == []
    assert number > 1


def fill(patch, number):
    """Let the disk be full from write `number` on, half of which still fits."""
    count, real = 0, os.write

    def write_some(fd, data):
        nonlocal count
        count += 1
        if count < number:
            return real(fd, data)
        if count == number:
            real(fd, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(os, "write", write_some)
