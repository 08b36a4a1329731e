"""How a run ends: statuses, interrupts, closed pipes, bugs; what is imported and what is forbidden."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from mmpm.cli import app, table
from mmpm.errors import MmpmError

FAILURES = {
    "interrupt": KeyboardInterrupt(),
    "bug": RuntimeError("evil \x1b[2J name"),
    "full disk": OSError(28, "No space left on device", "/x/y"),
    "foreseen": MmpmError("it is so", "do `this`"),
}


@pytest.fixture
def failing(terminal, monkeypatch):
    """A terminal on which `config list` fails as told."""

    def fail(error):
        def stumble(*_arguments, **_options):
            raise error

        monkeypatch.setattr("mmpm.cli.commands.config.ops.list_settings", stumble)
        return terminal

    return fail


@pytest.mark.parametrize(("name", "status"), [("interrupt", 130), ("bug", 70), ("full disk", 1), ("foreseen", 1)])
def test_every_failure_has_its_exit_status(failing, name, status):
    assert failing(FAILURES[name]).run("config", "list").status == status
    assert failing(FAILURES[name]).run("config", "list", "--json").status == status


def test_an_interrupt_shows_no_traceback(failing):
    assert failing(KeyboardInterrupt()).run("config", "list").both == "interrupted\n"


def test_an_interrupt_is_a_document_for_programs(failing):
    seen = failing(KeyboardInterrupt()).run("config", "list", "--json")
    assert seen.err == ""
    error = json.loads(seen.out)["error"]
    assert (error["code"], error["exit_status"]) == ("interrupted", 130)


def test_a_bug_shows_its_traceback_and_asks_for_a_report(failing):
    seen = failing(FAILURES["bug"]).run("config", "list")
    assert "Traceback" in seen.err
    assert "please report" in seen.err
    assert "\x1b" not in seen.both


def test_a_full_disk_is_named_with_its_path(failing):
    seen = failing(FAILURES["full disk"]).run("config", "list")
    assert seen.err.startswith("error[system-refused]: the system says: No space left on device: /x/y\n  fix: ")


def test_a_bug_in_json_is_a_document_too(failing):
    document = json.loads(failing(FAILURES["bug"]).run("--json", "config", "list").out)
    assert document["error"]["code"] == "bug"


def test_no_home_is_said_before_anything_is_done(terminal):
    terminal.environ.pop("HOME")
    assert terminal.run("config", "list").status == 2


def test_the_seeds_formula_word_is_understood(terminal):
    assert terminal.run("formula", "config", "get", "offline").out == "false\n"


def test_version_is_printed_and_given_as_json(terminal):
    import mmpm

    assert terminal.run("--version").out == f"mmpm {mmpm.__version__}\n"
    assert json.loads(terminal.run("--version", "--json").out)["version"] == mmpm.__version__


@pytest.mark.parametrize("words", [("--offline", "config", "list"), ("config", "list")])
def test_offline_forbids_sockets_before_the_command_runs(terminal, words):
    terminal.environ["MMPM_OFFLINE"] = "1"
    terminal.run(*words)
    assert terminal.sockets_forbidden >= 1


def in_a_process(code: str, *, environ=None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ)


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.socket()",
        "socket.getaddrinfo('localhost', 80)",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.socketpair()",
        "__import__('urllib.request').request.urlopen('http://127.0.0.1:9/')",
    ],
)
def test_making_a_socket_offline_is_an_error(attempt):
    ran = in_a_process(f"import socket; from mmpm.cli.offline import forbid_sockets; forbid_sockets(); {attempt}")
    assert "OfflineError" in ran.stderr
    assert ran.returncode == 1


HEAVY = [
    "cyclopts",
    "pydantic",
    "rich",
    "tuf",
    "tomlkit",
    "obstore",
    "cryptography",
    "yaml",
    "asyncio",
    "json",
    "re",
    "dataclasses",
    "typing",
    "mmpm.cli.app",
]


@pytest.mark.parametrize("words", [["--version"], ["sync"]])
def test_the_fast_path_imports_nothing(words, tmp_path):
    (tmp_path / "mmpm.toml").touch()
    code = f"""
import os, sys
os.chdir({str(tmp_path)!r})
sys.modules.pop("mmpm.project.state", None)
sys.argv = ["mmpm", *{words!r}]
before = set(sys.modules)
import mmpm.cli.entry as entry
if {words!r} == ["sync"]:
    import mmpm.cli.quick
    mmpm.cli.quick.nothing_to_do()
else:
    entry.main()
print(sorted(name for name in {HEAVY!r} if name in sys.modules and name not in before))
"""
    ran = in_a_process(code, environ={"HOME": "/nonexistent", "PATH": "/bin"})
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


def test_a_closed_pipe_ends_quietly(terminal):
    script = "import sys; sys.argv=['mmpm','config','list']; from mmpm.cli.entry import main; main()"
    ran = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "{script}" | true; exit ${{PIPESTATUS[0]}}'],
        capture_output=True, text=True, check=False, env=terminal.environ,
    )  # fmt: skip
    assert ran.returncode in {0, 141}
    assert ran.stderr == ""


@pytest.mark.parametrize("extra", ["", "sys.setprofile(lambda *_: None); "])
def test_at_its_end_a_process_calls_what_was_registered_and_says_all_it_has_to_say(terminal, extra):
    code = (
        "import atexit, sys; sys.argv = ['mmpm', 'config', 'get', 'offline']\n"
        "atexit.register(lambda: print('called'))\n"
        f"{extra}sys.stderr.write('half a line')\n"
        "from mmpm.cli.entry import main; main()\n"
    )
    ran = in_a_process(code, environ=terminal.environ)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "false\ncalled\n", "half a line")


def test_a_process_waits_for_its_threads(terminal):
    code = (
        "import sys, threading, time; sys.argv = ['mmpm', 'no-such-command']\n"
        "threading.Thread(target=lambda: (time.sleep(0.3), print('done'))).start()\n"
        "from mmpm.cli.entry import main; main()\n"
    )
    ran = in_a_process(code, environ=terminal.environ)
    assert (ran.returncode, ran.stdout) == (2, "done\n")


def test_every_row_of_the_command_table_names_a_function():
    import importlib

    for row in table.COMMANDS:
        module, _, function = row.target.partition(":")
        assert callable(getattr(importlib.import_module(f"mmpm.cli.commands.{module}"), function)), row.words


@pytest.mark.parametrize("row", table.COMMANDS, ids=lambda row: row.words)
def test_every_command_has_help_of_its_own(terminal, row):
    seen = terminal.run(*row.words.split(), "--help")
    assert seen.status == 0
    assert f"Usage: mmpm {row.words}" in seen.out


def test_the_first_page_of_help_lists_every_command(terminal):
    page = terminal.run("--help").out
    for row in table.COMMANDS:
        assert row.words.split()[0] in page
    assert app.run.__doc__


def test_closed_streams_are_no_bug(terminal):
    script = f"\"{sys.executable}\" -c \"import sys; sys.argv=['mmpm','config','get','offline']; from mmpm.cli.entry import main; main()\""
    for closed in (">&-", "2>&-", ">&- 2>&-", "<&-"):
        ran = subprocess.run(
            ["bash", "-c", f"{script} {closed}"], capture_output=True, text=True, check=False, env=terminal.environ
        )
        assert ran.returncode == 0, (closed, ran.stderr)
    full = subprocess.run(
        ["bash", "-c", f"{script} >/dev/full"], capture_output=True, text=True, check=False, env=terminal.environ
    )
    assert full.returncode == 1
    assert full.stderr.startswith("error[system-refused]")


SLOW_TO_IMPORT = [
    "asyncio", "cryptography", "cyclopts", "logging", "mmpm.project.manifest", "mmpm.solver", "obstore", "pathlib",
    "pydantic", "rich", "tomlkit", "tuf", "urllib.request", "yaml",
]  # fmt: skip


def test_a_warm_frozen_sync_imports_nothing_slow(terminal):
    made = terminal.run("registry", "init", "../reg", "--id", "molmall.example", "--no-passphrase")
    fingerprint = re.search(r"[0-9a-f]{64}", made.out)[0]
    (terminal.cwd / "mol-a.formula.toml").write_text('formula = "mol-a"\nversion = 1\ndescription = "Does A."\n')
    (terminal.cwd / "mmpm.toml").touch()
    for words in (
        ("publish", "mol-a.formula.toml", "--to", "../reg", "--yes"),
        ("registry", "add", "../reg", "--root", fingerprint),
        ("install", "mol-a"),
    ):
        assert terminal.run(*words).status == 0
    (terminal.cwd / ".beads" / "formulas" / "mol-a.formula.toml").unlink()
    code = f"""
import sys
from mmpm.cli.app import run
assert run(["sync", "--frozen", "--offline"]) == 0
print([name for name in {SLOW_TO_IMPORT!r} if name in sys.modules])
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=terminal.environ,
        cwd=terminal.cwd,
    )
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr
    assert (terminal.cwd / ".beads" / "formulas" / "mol-a.formula.toml").exists()
