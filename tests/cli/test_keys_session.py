"""`mmpm keys` as a person and a program see it."""

from __future__ import annotations

import json
import stat

import pytest

from mmpm.trust.keys import PublicKey, SigningKey

MADE = ("registry", "init", "reg", "--id", "acme.example", "--no-passphrase")


def keys(terminal):
    return terminal.home / ".local" / "share" / "mmpm" / "keys"


def test_a_key_is_made_listed_and_exported(terminal):
    seen = terminal.run("keys", "create", "alice", "--no-passphrase")
    public = PublicKey.parse((keys(terminal) / "people" / "alice.pub").read_bytes())
    assert seen.both == (
        f"Made key alice, {public.key_id}\n"
        f"Public part: ed25519:{public.hex}\n"
        f"Keep a copy elsewhere: {keys(terminal)}/people/alice.pem\n"
    )
    assert terminal.run("keys", "list").out == f"alice  {public.key_id[:16]}  open\n"
    assert terminal.run("keys", "export", "alice").out == f"ed25519:{public.hex}\n"
    assert terminal.run("keys", "export", "alice", "-o", "alice.json").status == 0
    exported = (terminal.cwd / "alice.json").read_bytes()
    assert PublicKey.parse(exported) == public
    assert json.loads(exported) == {"format": 1, "key_id": public.key_id, "public": public.hex, "type": "ed25519"}


def test_private_keys_are_for_their_owner_alone(terminal):
    terminal.run("keys", "create", "alice", "--no-passphrase")
    folder = keys(terminal) / "people"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "alice.pem").stat().st_mode) == 0o600


def test_a_key_is_protected_unless_somebody_says_otherwise(terminal):
    seen = terminal.run("keys", "create", "alice")
    assert seen.status == 2
    assert "--no-passphrase" in seen.err
    (terminal.cwd / "phrase").write_text("open sesame\n")
    assert terminal.run("keys", "create", "alice", "--passphrase-file", "phrase").status == 0
    data = (keys(terminal) / "people" / "alice.pem").read_bytes()
    assert b"ENCRYPTED" in data
    assert SigningKey.load_pem(data, b"open sesame")
    assert "protected" in terminal.run("keys", "list").out
    terminal.environ["MMPM_KEY_PASSPHRASE"] = "other words"
    assert terminal.run("keys", "create", "bob").status == 0


def test_no_key_is_ever_overwritten(terminal):
    terminal.run("keys", "create", "alice", "--no-passphrase")
    before = (keys(terminal) / "people" / "alice.pem").read_bytes()
    terminal.play(
        """
        $ mmpm keys create alice --no-passphrase
        error[key-exists]: there is a key alice already: ~/.local/share/mmpm/keys/people/alice.pem
          fix: give the new one another name; a key is never overwritten
        [exit 1]
        $ mmpm keys export bob
        error[key-unknown]: no key bob is on this machine; there are alice
          fix: see `mmpm keys list`, or make one with `mmpm keys create NAME`
        [exit 1]
        """
    )
    assert (keys(terminal) / "people" / "alice.pem").read_bytes() == before


@pytest.mark.parametrize("name", ["../alice", "a/b", "Alice", "", "-x", "a" * 65, "al ice"])
def test_a_name_that_is_no_file_name_is_wrong_usage(terminal, name):
    assert terminal.run("keys", "create", "--no-passphrase", "--", name).status == 2


def test_the_keys_of_registries_are_listed_with_their_roles(terminal):
    assert terminal.run(*MADE).status == 0
    seen = terminal.run("keys", "list")
    lines = seen.out.splitlines()
    assert lines[0] == "acme.example  root 1"
    assert lines[1].startswith("  root  ")
    assert lines[1].endswith("  open  until 2028-01-20T12:00:00Z")
    document = json.loads(terminal.run("keys", "list", "--json").out)
    [ring] = document["registries"]
    assert [one["role"] for one in ring["keys"]] == [
        "root", "targets", "trust", "bins", "bin", "snapshot", "timestamp",
    ]  # fmt: skip
    assert not any(one["protected"] for one in ring["keys"])
    assert terminal.run("publish", "--to", "reg").status == 0
    [ring] = json.loads(terminal.run("keys", "list", "--json").out)["registries"]
    assert ring["expires"] == {
        "root": "2028-01-20T12:00:00Z", "targets": "2028-01-20T12:00:00Z",
        "trust": "2028-01-20T12:00:00Z", "bins": "2036-01-18T12:00:00Z",
    }  # fmt: skip


def test_keys_that_wait_for_a_carried_request_are_told_apart(terminal):
    terminal.run(*MADE)
    terminal.run("registry", "rotate", "reg", "--role", "bin", "-o", "request.json")
    waiting = [line for line in terminal.run("keys", "list").out.splitlines() if "waits for a rotation" in line]
    assert len(waiting) == 1
    assert waiting[0].startswith("  bin  ")


def test_terms_that_end_soon_are_said_at_each_publish(terminal):
    terminal.run(*MADE)
    terminal.now = terminal.now.replace(year=2027, month=11)
    seen = terminal.run("publish", "--to", "reg")
    assert "root, targets, trust of this registry expire from 2028-01-20T12:00:00Z on" in seen.err
    assert terminal.run("registry", "rotate", "reg", "--renew", "all", "--yes").status == 0
    assert "expire" not in terminal.run("publish", "--to", "reg").err


def test_no_registry_takes_the_folder_of_people(terminal):
    seen = terminal.run("registry", "init", "reg", "--id", "people", "--no-passphrase")
    assert seen.status == 1
    assert "registry-exists" in seen.err


def test_dry_run_makes_nothing(terminal):
    terminal.play(
        """
        $ mmpm keys create alice --dry-run
        would make the key alice
        """
    )
    assert not keys(terminal).exists()
