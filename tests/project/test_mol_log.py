"""Logs on disk: a line is there whole or not at all, and whatever else lies in their place takes little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from molecule_lives import ANN, REVIEW, Life

from mmpm.errors import MoleculeLogError
from mmpm.molecule.events import GateOpened, Started
from mmpm.molecule.lines import MAX_LINE_BYTES, Line
from mmpm.project.mol_lines import MAX_LOG_BYTES, MAX_PROBLEMS
from mmpm.project.mol_log import MolPlaces, append, create, list_digests, list_logs, make_folders, read_log, remove
from mmpm.project.mol_reading import fold_log, read_molecule

PEAK = Path(__file__).parents[1] / "peak_memory.py"
LINES = st.builds(
    lambda actor, step: Line(ANN.at, actor, "work", (Started(step),)),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from(["a", "b.c", "x" * 200]),
)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "gt-mol-a.jsonl")


def write(path, data):
    Path(path).write_bytes(data)


def test_what_is_appended_is_read_back(path):
    lines = Life(REVIEW).lines
    assert create(path, lines[0].to_bytes())
    assert not create(path, b"another")
    append(path, Line(ANN.at, "ann", "start", (Started("security"),)).to_bytes())
    read = read_log(path)
    assert read.lines == (lines[0], Line(ANN.at, "ann", "start", (Started("security"),)))
    assert read.size == os.path.getsize(path)
    assert not read.problems


@given(st.lists(st.tuples(LINES, st.sampled_from(["whole", "torn", "no line feed", "nothing"]), st.floats(0, 0.99))))
def test_of_any_number_of_writers_killed_in_between_every_line_that_was_whole_is_read(tmp_path_factory, operations):
    path = str(tmp_path_factory.mktemp("log") / "gt-mol-a.jsonl")
    write(path, b"")
    whole = []
    for line, how, part in operations:
        data = line.to_bytes()
        if how in {"whole", "no line feed"}:
            append(path, data)
            whole.append(line)
        if how == "no line feed":
            os.truncate(path, os.path.getsize(path) - 1)
        if how == "torn" and Path(path).read_bytes()[-1:] in {b"", b"\n"}:
            with open(path, "ab") as file:
                file.write(data[: int(len(data) * part)])
        assert read_log(path).lines == tuple(whole)


def test_a_line_of_a_newer_program_is_never_cut_off(path):
    write(path, b'{"format":2}')
    append(path, Line(ANN.at, "ann", "start", (Started("a"),)).to_bytes())
    assert Path(path).read_bytes().startswith(b'{"format":2}\n{')
    assert read_log(path).is_newer


def test_a_torn_line_of_any_length_is_cut_off(path):
    line = Line(ANN.at, "ann", "start", (Started("a"),)).to_bytes()
    for torn in (b"x" * 65_535, b"x" * 65_536, b"x" * 200_000, b"\0" * 100):
        write(path, line + b"\n" + torn)
        append(path, line)
        assert Path(path).read_bytes() == (line + b"\n") * 2


def test_a_full_disk_leaves_the_log_as_it_was(path):
    """The limit on a file's size stands for it: a write is then short and the next one fails."""
    line = Line(ANN.at, "a" * 200, "start", (Started("a"),)).to_bytes()
    write(path, line + b"\n")
    code = (
        "import resource, signal, sys\n"
        "from mmpm.project.mol_log import append\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(line) + 100}, resource.RLIM_INFINITY))\n"
        "try:\n    append(sys.argv[1], sys.argv[2].encode())\nexcept OSError:\n    sys.exit(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path, line.decode()], check=False)
    assert done.returncode == 3
    assert Path(path).read_bytes() == line + b"\n"


@pytest.mark.parametrize("what", ["pipe", "link", "folder", "link to a log"])
def test_what_is_no_file_is_not_listed_and_not_read(tmp_path, what):
    places = MolPlaces(str(tmp_path))
    make_folders(places, "mol")
    life = Life(REVIEW)
    molecule_id = life.now.id
    path = places.log(molecule_id, "mol")
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        os.mkdir(path)
    else:
        target = tmp_path / "outside.jsonl"
        target.write_bytes(life.lines[0].to_bytes() + b"\n")
        os.symlink(target if what == "link to a log" else "/dev/zero", path)
    assert list_logs(places) == ()
    with pytest.raises(MoleculeLogError):
        read_molecule(places, molecule_id)
    if what == "pipe":
        with pytest.raises(MoleculeLogError):
            append(path, b"{}")


def test_other_files_among_the_logs_are_passed_over(tmp_path):
    places = MolPlaces(str(tmp_path))
    make_folders(places, "mol")
    make_folders(places, "wisp")
    for name in ("gt-mol-b.jsonl", "a.b.jsonl", ".gt-mol-c.jsonl.12.tmp", "gt-mol-d.json", ".jsonl", "-x.jsonl"):
        write(os.path.join(places.mols, name), b"")
    write(places.log("gt-wisp-a", "wisp"), b"")
    assert [(log.id, log.phase, log.size) for log in list_logs(places)] == [
        ("gt-mol-b", "mol", 0),
        ("gt-wisp-a", "wisp", 0),
    ]
    assert list_digests(places) == frozenset()


BAD = [
    b"\n",
    b"{}\n",
    b"\0" * 50 + b"\n",
    b"\xff\xfe\n",
    b"<<<<<<< HEAD\n",
    b"=======\n",
    b">>>>>>> branch\n",
    b'{"format":1}\n',
    b"[" * 100_000 + b"\n",
    b'{"at":"2026-01-10T15:30:00Z","at":"2026-01-10T15:30:00Z"}\n',
]


@given(st.lists(st.sampled_from(BAD), max_size=5), st.lists(st.sampled_from(BAD), max_size=5))
def test_bad_lines_are_reported_by_number_and_hide_no_other(tmp_path_factory, before, after):
    path = str(tmp_path_factory.mktemp("log") / "gt-mol-a.jsonl")
    line = Line(ANN.at, "ann", "open-gate", (GateOpened("a"),))
    write(path, b"".join(before) + line.to_bytes() + b"\n" + b"".join(after))
    read = read_log(path)
    assert read.lines == (line,)
    raws = [*before, b"", *after]
    expected = [number for number, raw in enumerate(raws, 1) if raw.strip()]
    assert [int(problem.removeprefix("line ").partition(":")[0]) for problem in read.problems] == expected
    assert all(problem.isprintable() and len(problem) < 300 for problem in read.problems)
    assert read.size == os.path.getsize(path)


def test_marks_of_a_conflict_are_said_to_be_marks(path):
    write(path, b"<<<<<<< HEAD\n")
    assert "a mark of a conflict that git left" in read_log(path).problems[0]


def test_of_thousands_of_bad_lines_the_first_are_reported(path):
    write(path, b"{}\n" * 5000)
    assert len(read_log(path).problems) == MAX_PROBLEMS


def test_a_log_that_is_larger_than_any_is_refused_unread(path):
    with open(path, "wb") as file:
        file.truncate(MAX_LOG_BYTES + 1)
    with pytest.raises(MoleculeLogError, match="more than"):
        fold_log(path, "gt-mol-a", "mol")


@pytest.mark.parametrize("ends", [True, False])
def test_a_line_without_end_takes_the_memory_of_one_line(path, tmp_path, ends):
    """Of a log of 400 MiB that is one line, all is read and one line's bytes are kept, cutting it off included."""
    line = Line(ANN.at, "ann", "start", (Started("a"),)).to_bytes()
    with open(path, "wb") as file:
        file.write(line + b"\n")
        file.truncate(400 << 20)
        if ends:
            file.seek(0, os.SEEK_END)
            file.write(b"\n" + line + b"\n")
    script = tmp_path / "read.py"
    script.write_text(
        "import sys\n"
        "from mmpm.project.mol_log import append, read_log\n"
        "read = read_log(sys.argv[1])\n"
        "print(len(read.lines), len(read.problems), read.is_torn)\n"
        "append(sys.argv[1], sys.argv[2].encode())\n"
    )
    peak = tmp_path / "peak"
    said = subprocess.run(
        [sys.executable, PEAK, peak, script, path, line.decode()], check=True, capture_output=True, text=True
    ).stdout
    assert said.split() == (["2", "1", "False"] if ends else ["1", "0", "True"])
    assert int(peak.read_text()) < (3 * MAX_LINE_BYTES) + (100 << 20)
    if not ends:
        assert Path(path).read_bytes() == (line + b"\n") * 2


def test_removing_is_harmless_where_there_is_nothing(path):
    write(path, b"")
    remove(path)
    remove(path)
    assert read_log(path) is None
