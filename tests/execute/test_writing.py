"""Files that people name: what is never written over, also where writing over is asked for."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from mmpm.errors import FileInTheWayError
from mmpm.execute.writing import write_files
from mmpm.plan import WriteFiles


def _folder(path):
    path.mkdir()


def _pipe(path):
    os.mkfifo(path)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def _link_to_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


@pytest.mark.parametrize("make", [_folder, _pipe, _socket, _link_to_pipe])
def test_what_is_no_plain_file_is_not_written_over_and_nothing_else_is_written(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    path, other = tmp_path / "there", tmp_path / "other"
    make(path)
    before = os.lstat(path)
    with pytest.raises(FileInTheWayError, match=r"there is a (folder|device, a pipe or a socket)"):
        write_files(None, WriteFiles(((str(other), b"x", 0o644), (str(path), b"x", 0o644)), overwrite=True))
    assert os.lstat(path) == before
    assert not other.exists()


def test_a_plain_file_and_a_link_to_one_or_to_nothing_are_written_over(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "nowhere").symlink_to("gone")
    names = ("link", "nowhere", "file", "new/file")
    files = tuple((str(tmp_path / one), one.encode(), 0o644) for one in names)
    write_files(None, WriteFiles(files, overwrite=True))
    for one in names:
        assert stat.S_ISREG(os.lstat(tmp_path / one).st_mode)
        assert (tmp_path / one).read_bytes() == one.encode()
    assert not (tmp_path / "gone").exists()
