"""No torn states: publishers killed anywhere, several at once, copies taken in the middle."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from killing import dying_at, end_of, in_child
from registry_tree import FolderRegistry, bundle, formula, verify, verify_aliases, verify_copy

from mmpm.errors import PublisherBusyError
from mmpm.registry import layout

# Python 3.12 warns of any fork beside threads, such as those of a parallel test run; the children here start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def registry(tmp_path):
    registry = FolderRegistry(tmp_path)
    registry.publish(formula("mol-old"), bundle("mol-pack"))
    return registry


def count_changes(registry, root):
    """How many changes the publish of the next test makes."""
    counted = [0]

    def note(count, _event, _arguments):
        counted[0] = count

    case = CaseAt(registry, root)

    def work():
        case.publish(formula("mol-new"), bundle("mol-pack", "2.0.0"))
        total = counted[0]
        Path(f"{root}.count").write_text(str(total))

    assert end_of(in_child(work, note)) == 0
    return int(Path(f"{root}.count").read_text())


def test_killed_before_any_change_a_publish_leaves_the_old_state_or_the_new(registry, tmp_path):
    """The law of crash safety: a change that a publish is about to make is an instant at which it is killed.

    The last changes, around the timestamp, are all tried; of those before, every fifth.
    """
    old = {"mol-old@1.0.0", "mol-pack@1.0.0"}
    new = old | {"mol-new@1.0.0", "mol-pack@2.0.0"}
    shutil.copytree(registry.root, tmp_path / "counted", copy_function=os.link)
    total = count_changes(registry, str(tmp_path / "counted"))
    assert total > 40
    shown = []
    for number in (*range(1, total - 12, 5), *range(total - 12, total + 1)):
        root = str(tmp_path / f"case-{number}")
        shutil.copytree(registry.root, root, copy_function=os.link)
        case = CaseAt(registry, root)

        def work(case=case):
            case.publish(formula("mol-new"), bundle("mol-pack", "2.0.0"))

        pid = in_child(work, dying_at(number))
        assert end_of(pid) == -signal.SIGKILL
        shown.append(verify(registry, root))
        assert shown[-1] in (old, new)
        case.publish(formula("mol-next"))
        assert verify(registry, root) == shown[-1] | {"mol-next@1.0.0"}
        verify_aliases(registry, root)
        shutil.rmtree(root)
    assert shown == sorted(shown, key=len)
    assert shown[0] == old
    assert shown[-1] == new


class CaseAt:
    """The registry's keys and clock over another copy of its tree, as it stands when nothing else was published."""

    def __init__(self, registry, root):
        self._registry = registry
        self._root = root
        self._keys = shutil.copytree(registry.keys_folder, f"{root}.keys", dirs_exist_ok=True)

    def publish(self, *items, **limits):
        from mmpm.registry.publish import publish

        return publish(self._root, items, self._registry.how(key_folder=self._keys, **limits))


def test_an_init_that_was_killed_is_begun_anew_by_the_same_command(tmp_path):
    def make(folder):
        return FolderRegistry(folder)

    counted = tmp_path / "counted"
    total = [0]

    def note(count, _event, _arguments):
        total[0] = count

    def work():
        make(counted)
        (tmp_path / "count").write_text(str(total[0]))

    assert end_of(in_child(work, note)) == 0
    instants = int((tmp_path / "count").read_text())
    # The bins are alike: a few of the changes in the middle stand for all.
    for number in (*range(1, 60, 8), *range(60, instants - 20, 200), *range(instants - 16, instants - 8)):
        folder = tmp_path / f"case-{number}"

        def die(count, _event, _arguments, wanted=number):
            if count == wanted:
                os.kill(os.getpid(), signal.SIGKILL)

        assert end_of(in_child(lambda folder=folder: make(folder), die)) == -signal.SIGKILL
        if not (folder / "reg" / layout.TIMESTAMP).exists():
            assert verify(make(folder)) == set()


def test_several_publishers_at_once_all_succeed(registry):
    def work(publisher):
        for number in range(5):
            registry.publish(
                formula(f"mol-{publisher}", f"1.{number}.0"), formula("mol-shared", f"{publisher}.{number}.0")
            )

    assert [end_of(pid) for pid in [in_child(lambda one=one: work(one)) for one in range(4)]] == [0] * 4
    expected = {f"mol-{one}@1.{number}.0" for one in range(4) for number in range(5)}
    expected |= {f"mol-shared@{one}.{number}.0" for one in range(4) for number in range(5)}
    assert verify(registry) == expected | {"mol-old@1.0.0", "mol-pack@1.0.0"}
    serials = {one.serial for one in registry.releases("mol-shared").values()}
    assert len(serials) == 20
    assert registry.load().serial == 22


def test_every_copy_taken_while_publishing_has_a_whole_state(registry, tmp_path):
    def work():
        for number in range(40):
            registry.publish(formula("mol-loop", f"1.{number}.0"), bundle(f"mol-{number}"))

    pid = in_child(work)
    copies, ended = [], (0, 0)
    while ended == (0, 0):
        ended = os.waitpid(pid, os.WNOHANG)
        copies.append(tmp_path / f"copy-{len(copies)}")
        shutil.copytree(registry.root, copies[-1], ignore=shutil.ignore_patterns(layout.STAGING))
    assert ended == (pid, 0)
    for copy in copies:
        assert {"mol-old@1.0.0", "mol-pack@1.0.0"} <= verify_copy(registry, str(copy))


def test_a_copy_that_has_metadata_newer_than_the_rest_falls_back_to_a_whole_state(registry, tmp_path):
    """The worst order of copying: everything else before a publish, the metadata after it."""
    copy = tmp_path / "copy"
    shutil.copytree(registry.root, copy)
    registry.publish(formula("mol-new"))
    shutil.copytree(Path(registry.root, "metadata"), copy / "metadata", dirs_exist_ok=True)
    assert verify_copy(registry, str(copy)) == {"mol-old@1.0.0", "mol-pack@1.0.0"}


def stop_after_claim(serial):
    """Stop the publisher once it has claimed `serial`: the next change after its link of the claim."""
    claimed = []

    def stop(_count, event, arguments):
        if claimed:
            os.kill(os.getpid(), signal.SIGSTOP)
            claimed.clear()
        elif event == "os.link" and str(arguments[1]).endswith(layout.role_file("snapshot", serial)):
            claimed.append(serial)

    return stop


def stopped(pid):
    os.waitpid(pid, os.WUNTRACED)


def test_a_publisher_at_work_is_waited_for_with_a_word_and_a_limit(registry):
    pid = in_child(lambda: registry.publish(formula("mol-slow")), stop_after_claim(3))
    stopped(pid)
    said = []
    with pytest.raises(PublisherBusyError):
        registry.publish(formula("mol-quick"), wait_seconds=0.1, on_wait=said.append)
    assert said == ["waiting for another publisher, who is at work on serial 3"]
    assert verify(registry) == {"mol-old@1.0.0", "mol-pack@1.0.0"}
    os.kill(pid, signal.SIGCONT)
    assert end_of(pid) == 0
    assert registry.publish(formula("mol-quick")).serial == 4
    assert {"mol-slow@1.0.0", "mol-quick@1.0.0"} <= verify(registry)


def test_the_claim_of_a_dead_publisher_is_passed_over(registry):
    pid = in_child(lambda: registry.publish(formula("mol-dead")), stop_after_claim(3))
    stopped(pid)
    os.kill(pid, signal.SIGKILL)
    assert end_of(pid) == -signal.SIGKILL
    assert Path(registry.root, layout.role_file("snapshot", 3)).exists()
    assert registry.publish(formula("mol-next")).serial == 4
    assert verify(registry) == {"mol-old@1.0.0", "mol-pack@1.0.0", "mol-next@1.0.0"}
    assert registry.publish(formula("mol-dead")).serial == 5
    # What was claimed and never shown goes once it is old enough.
    registry.later(hours=1)
    time.sleep(0.01)
    registry.publish(formula("mol-last"), grace_seconds=0)
    assert not Path(registry.root, layout.role_file("snapshot", 3)).exists()
    assert verify(registry) >= {"mol-dead@1.0.0", "mol-last@1.0.0"}


def test_where_hard_links_are_refused_everything_is_copied(tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(errno.EPERM, "no links on this disk")

    monkeypatch.setattr(os, "link", refuse)
    registry = FolderRegistry(tmp_path)
    registry.publish(formula("mol-a"), bundle("mol-b"))
    pids = [in_child(lambda one=one: registry.publish(formula(f"mol-rival-{one}"))) for one in range(3)]
    assert [end_of(pid) for pid in pids] == [0] * 3
    assert len(verify(registry)) == 5
    verify_aliases(registry)
    assert {path.stat().st_nlink for path in Path(registry.root).rglob("*") if path.is_file()} == {1}


def test_where_locks_are_not_known_the_age_of_a_claim_decides(registry, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    claim = Path(registry.root, layout.role_file("snapshot", 3))
    claim.write_bytes(b"somebody's")
    with pytest.raises(PublisherBusyError):
        registry.publish(formula("mol-a"), wait_seconds=0.1)
    os.utime(claim, (0, 0))
    assert registry.publish(formula("mol-a")).serial == 4
    assert "mol-a@1.0.0" in verify(registry)
