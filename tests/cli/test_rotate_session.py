"""`mmpm registry rotate` and `mmpm keys sign`: an operator's machine, and machines without network that hold keys."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from terminal import Terminal

FORMULA = 'formula = "mol-{0}"\ndescription = "Does {0}"\nversion = 1\n\n[[steps]]\nid = "a"\ntitle = "A"\n'


@pytest.fixture
def operator(terminal):
    assert terminal.run("registry", "init", "reg", "--id", "acme.example", "--no-passphrase").status == 0
    publish(terminal, "a")
    return terminal


@pytest.fixture
def vault(tmp_path):
    """A machine without network that holds one key, carol's."""
    machine = Terminal(tmp_path / "vault")
    machine.run("keys", "create", "carol", "--no-passphrase")
    return machine


def publish(terminal, name):
    (terminal.cwd / f"mol-{name}.formula.toml").write_text(FORMULA.format(name))
    seen = terminal.run("publish", f"mol-{name}.formula.toml", "--to", "reg", "--yes")
    assert seen.status == 0, seen.both


def carry(source, target, name):
    shutil.copyfile(source.cwd / name, target.cwd / name)


def public(terminal, name):
    return terminal.run("keys", "export", name).out.strip()


def test_keys_that_are_here_rotate_at_once_and_readers_follow(operator):
    planned = json.loads(operator.run("registry", "rotate", "reg", "--renew", "all", "--dry-run", "--json").out)
    assert planned["plan"]["actions"][0]["renew"] == ["root", "targets", "trust", "bins"]
    root = operator.run("registry", "add", "reg").err.split("sha256:")[1].split()[0]
    assert operator.run("registry", "add", "reg", "--root", root).status == 0
    seen = operator.run("registry", "rotate", "reg", "--role", "timestamp", "--role", "bin", "--yes")
    assert seen.status == 0
    assert seen.out.endswith("Published with serial 3, root 2\n")
    publish(operator, "b")
    assert operator.run("update").out.startswith("acme.example: serial 2 -> 4\n")


def test_without_a_yes_nothing_is_rotated(operator):
    seen = operator.run("registry", "rotate", "reg", "--role", "timestamp")
    assert seen.status == 2
    assert "This will make 1 new key for timestamp; publish that in" in seen.err
    assert operator.look("registry", "rotate", "reg", "--role", "timestamp", typed="n\n").status == 1
    assert not (operator.home / ".local/share/mmpm/keys/acme.example/next").exists()


def test_two_of_three_sign_on_three_machines(operator, vault, tmp_path):
    """The root's keys come to lie with three people; any two of them sign, and the operator alone cannot."""
    safe = Terminal(tmp_path / "safe")
    safe.run("keys", "create", "dave", "--no-passphrase")
    operator.run("keys", "create", "erin", "--no-passphrase")
    document = json.loads(operator.run("keys", "list", "--json").out)
    [old] = [key["key_id"] for key in document["registries"][0]["keys"] if key["role"] == "root"]
    seen = operator.run(
        "registry", "rotate", "reg", "-o", "first.json", "--threshold", "root=2", "--remove-key", f"root={old}",
        *(word for who, machine in (("carol", vault), ("dave", safe), ("erin", operator))
          for word in ("--add-key", f"root={public(machine, who)}")),
    )  # fmt: skip
    assert seen.status == 0, seen.both
    assert "Still missing: root has 0 of 2 signatures" in seen.err
    assert operator.run("keys", "sign", "first.json", "--key", "erin", "--yes").status == 0
    short = operator.run("registry", "rotate", "reg", "--apply", "first.json", "--yes")
    assert short.status == 1
    assert "error[signatures-missing]" in short.err
    assert "root has 1 of 2 signatures" in short.err
    carry(operator, vault, "first.json")
    signed = vault.run("keys", "sign", "first.json", "--key", "carol", "--yes")
    assert "this machine knew nothing of acme.example so far" in signed.err
    assert "It is complete" in signed.err
    assert "root: from now on 2 of 3 keys must sign" in signed.out
    carry(vault, operator, "first.json")
    assert operator.run("registry", "rotate", "reg", "--apply", "first.json", "--yes").status == 0
    publish(operator, "b")
    # The second carry: new online keys, signed by the two who do not sit at the operator's machine.
    seen = operator.run("registry", "rotate", "reg", "--role", "timestamp", "--yes")
    assert seen.status == 0
    name = "reg.signing-request.json"
    assert f"Wrote {operator.cwd / name}" in seen.out
    for machine, who, before in ((vault, "carol", operator), (safe, "dave", vault)):
        carry(before, machine, name)
        assert machine.run("keys", "sign", name, "--key", who, "--yes").status == 0
    publish(operator, "c")
    carry(safe, operator, name)
    done = operator.run("registry", "rotate", "reg", "--apply", name, "--yes")
    assert done.out.endswith("Published with serial 6, root 3\n")
    publish(operator, "d")
    again = operator.run("registry", "rotate", "reg", "--apply", "first.json", "--yes")
    assert "error[signing-request-outdated]" in again.err


def test_the_machine_with_the_keys_sees_what_it_signs_and_remembers_whose(operator, vault):
    operator.run("registry", "rotate", "reg", "--add-key", f"root={public(vault, 'carol')}", "-o", "one.json")
    operator.run("registry", "rotate", "reg", "--apply", "one.json", "--yes")
    operator.run("registry", "rotate", "reg", "--renew", "root", "-o", "two.json")
    carry(operator, vault, "two.json")
    shown = vault.run("keys", "sign", "two.json", "--key", "carol", "--dry-run")
    lines = shown.out.splitlines()
    assert lines[0].startswith("registry acme.example, first root key sha256:")
    assert lines[1].startswith("from its state of serial 3, root 2, sha256:")
    assert lines[2].startswith("root becomes version 3, good until 2028-01-20T12:00:00Z")
    assert lines[-1].startswith("would sign root with ")
    assert vault.run("keys", "sign", "two.json", "--key", "carol").status == 2  # nobody said yes
    signed = json.loads(vault.run("keys", "sign", "two.json", "--key", "carol", "--yes", "--json").out)
    assert [one["role"] for one in signed["signed"]] == ["root"]
    assert signed["missing"] == []
    nothing = vault.run("keys", "sign", "two.json", "--key", "carol", "--yes")
    assert nothing.status == 1
    assert "error[nothing-to-sign]" in nothing.err
    assert "knew nothing" not in nothing.err


def test_role_keys_that_were_moved_to_the_vault_sign_there(operator, vault):
    mine = operator.home / ".local/share/mmpm/keys/acme.example"
    theirs = vault.home / ".local/share/mmpm/keys/acme.example"
    theirs.mkdir()
    for role in ("root", "targets", "trust", "bins"):
        for kind in ("pem", "pub"):
            shutil.move(mine / f"{role}.{kind}", theirs / f"{role}.{kind}")
    publish(operator, "b")
    seen = operator.run("registry", "rotate", "reg", "--after-theft", "--yes")
    assert seen.status == 0
    assert "said to be for: recovery after a theft of keys" in seen.out
    name = "reg.signing-request.json"
    carry(operator, vault, name)
    assert vault.run("keys", "sign", name, "--yes").status == 0
    carry(vault, operator, name)
    done = operator.run("registry", "rotate", "reg", "--apply", name, "--after-theft", "--yes")
    assert done.status == 0, done.both
    publish(operator, "c")


def test_a_second_request_does_not_take_the_place_of_the_first(operator):
    keys = operator.home / ".local/share/mmpm/keys/acme.example"
    (keys / "root.pem").rename(operator.cwd / "elsewhere")
    paths = []
    for role in ("timestamp", "snapshot"):
        seen = operator.run("registry", "rotate", "reg", "--role", role, "--yes", "--json")
        paths.append(json.loads(seen.out)["request"])
    assert len({*paths}) == 2
    assert all(json.loads(Path(path).read_bytes())["kind"] == "signing-request" for path in paths)


def test_a_request_that_was_changed_on_its_way_is_not_signed(operator, vault):
    operator.run("registry", "rotate", "reg", "--add-key", f"root={public(vault, 'carol')}", "-o", "one.json")
    carry(operator, vault, "one.json")
    value = json.loads((vault.cwd / "one.json").read_bytes())
    value["base"]["serial"] = 3
    (vault.cwd / "one.json").write_text(json.dumps(value))
    before = (vault.cwd / "one.json").read_bytes()
    vault.play(
        """
        $ mmpm keys sign one.json --key carol --yes
        error[signing-request-refused]: ~/rig/one.json is refused: it was changed after it was made: its seal does not hold
          fix: nothing was signed or published; have a new request made with `mmpm registry rotate DIR -o FILE`
        [exit 4]
        """
    )
    assert (vault.cwd / "one.json").read_bytes() == before


def test_protected_keys_ask_for_their_passphrase(terminal):
    terminal.environ["MMPM_KEY_PASSPHRASE"] = "open sesame"
    terminal.run("registry", "init", "reg", "--id", "acme.example")
    assert terminal.run("registry", "rotate", "reg", "--role", "snapshot", "--yes").status == 0
    del terminal.environ["MMPM_KEY_PASSPHRASE"]
    seen = terminal.run("registry", "rotate", "reg", "--role", "snapshot", "--yes")
    assert seen.status == 2
    assert "passphrase" in seen.err
    keys = json.loads(terminal.run("keys", "list", "--json").out)["registries"][0]["keys"]
    assert all(key["protected"] for key in keys)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--role", "king"),
        ("--threshold", "root=2"),
        ("--threshold", "root=0"),
        ("--threshold", "root"),
        ("--threshold", "root=two"),
        ("--add-key", "root=ed25519:abc"),
        ("--add-key", "root=nowhere.json"),
        ("--remove-key", "root=00000000"),
        ("--renew", "timestamp"),
        ("--apply", "one.json", "--role", "root"),
    ],
    ids=" ".join,
)
def test_what_does_not_fit_together_is_wrong_usage(operator, words):
    seen = operator.run("registry", "rotate", "reg", *words, "--yes")
    assert seen.status == 2, seen.both
    assert "fix:" in seen.err


def test_a_file_that_is_no_request_is_refused(operator):
    (operator.cwd / "one.json").write_text("{}")
    assert operator.run("keys", "sign", "one.json", "--yes").status == 4
    assert operator.run("registry", "rotate", "reg", "--apply", "one.json", "--yes").status == 4


def test_a_pipe_or_nothing_in_the_place_of_a_request_is_said_and_not_waited_for(operator):
    os.mkfifo(operator.cwd / "pipe.json")
    for name in ("pipe.json", "nothing.json"):
        for words in (("keys", "sign", name), ("registry", "rotate", "reg", "--apply", name)):
            seen = operator.run(*words, "--yes")
            assert (seen.status, f"there is no file {operator.cwd / name}" in seen.err) == (2, True), seen.both
