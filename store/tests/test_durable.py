from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from mmpm_store import durable
from mmpm_store.durable import exclusive_create, sync_filesystem, write_file_durably
from mmpm_store.errors import NoSpaceError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_whole_and_with_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "f"
    write_file_durably(str(target), b"one", 0o600)
    write_file_durably(str(target), b"two", 0o644)
    assert target.read_bytes() == b"two"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("step", ["write_all", "os.fsync", "os.replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    target = tmp_path / "f"
    write_file_durably(str(target), b"old")

    def fail(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"mmpm_store.durable.{step}", fail)
    with pytest.raises(NoSpaceError):
        write_file_durably(str(target), b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("links_work", [True, False])
def test_of_many_creators_exactly_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links_work: bool) -> None:
    if not links_work:

        def refuse(*_args: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(durable.os, "link", refuse)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: exclusive_create(str(tmp_path / "f"), b"%d" % number * 1000), range(8)))
    assert won.count(True) == 1
    assert (tmp_path / "f").read_bytes() == b"%d" % won.index(True) * 1000
    assert os.listdir(tmp_path) == ["f"]


def test_a_file_system_without_syncfs_is_flushed_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(durable, "_syncfs", durable._sync_all)
    monkeypatch.setattr(durable.os, "sync", lambda: called.append("sync"))
    sync_filesystem(str(tmp_path))
    assert called == ["sync"]


def test_a_file_system_is_flushed(tmp_path: Path) -> None:
    sync_filesystem(str(tmp_path))
