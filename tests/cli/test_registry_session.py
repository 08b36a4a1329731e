"""`mmpm registry ...` and `mmpm update` as a person and a program see them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from datetime import timedelta

import pytest
from loopback import Loopback
from signed_tree import SignedTree

from mmpm.trust.facts import Identity


@pytest.fixture
def acme(terminal):
    tree = SignedTree(terminal.home / "acme", "acme.corp")
    tree.release("mol-a", "1.0.0")
    tree.show()
    terminal.now = tree.now + timedelta(hours=1)
    return tree


def test_a_registry_is_added_by_its_root_key_listed_updated_and_removed(terminal, acme):
    key = f"sha256:{acme.fingerprint}"
    terminal.play(
        f"""
        $ mmpm registry list
        No registries. Add one with: mmpm registry add URL
        $ mmpm update
        No registries. Add one with: mmpm registry add URL
        $ mmpm registry add ../acme --name acme --priority 1 --scope acme --root {key}
        Registry acme.corp (The acme.corp registry) at ~/acme
        Root key {key}
        Added registry acme.corp, serial 2
        $ mmpm registry add ../acme
        Registry acme.corp (The acme.corp registry) at ~/acme
        Root key {key}
        It is there already
        $ mmpm registry list
        acme (acme.corp)  priority 1  @acme
          ~/acme
          root key {key}
          serial 2 of 2026-11-01T00:00:00Z
        $ mmpm update --all
        acme.corp: nothing new since serial 2
        """
    )
    acme.release("mol-a", "1.1.0", "2.0.0")
    acme.yank("mol-a", "1.0.0")
    acme.release("mol-b", "0.1.0")
    acme.show(days=1)
    terminal.now += timedelta(days=1)
    terminal.play(
        """
        $ mmpm update --all
        acme.corp: serial 2 -> 3
          mol-a 1.1.0, 2.0.0 yanked 1.0.0
          mol-b (new) 0.1.0
        $ mmpm update acme
        acme.corp: nothing new since serial 3
        $ mmpm update nobody
        error[registry-not-configured]: no registry nobody is configured; there are acme
          fix: see `mmpm registry list`, or add it with `mmpm registry add URL`
        [exit 1]
        $ mmpm registry remove acme
        Removed acme
        $ mmpm registry list
        No registries. Add one with: mmpm registry add URL
        """
    )


def test_without_a_root_key_and_a_terminal_it_is_refused_also_with_yes(terminal, acme):
    key = f"sha256:{acme.fingerprint}"
    terminal.play(
        f"""
        $ mmpm registry add ../acme --yes
        Registry acme.corp (The acme.corp registry) at ~/acme
        Root key {key}
        error[root-not-pinned]: no root key was accepted for registry acme.corp at ~/acme; it shows the root key {key}
          fix: compare the key with whoever runs it, then run `mmpm registry add ~/acme --root {key}`
        [exit 4]
        """
    )
    assert not (terminal.home / ".config").exists()


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1)])
def test_on_a_terminal_the_person_is_asked(terminal, acme, answer, status):
    seen = terminal.look("registry", "add", "../acme", typed=answer)
    assert seen.status == status
    assert f"Root key sha256:{acme.fingerprint}" in seen.out
    assert "Is this the key that its publisher shows? [y/N]" in seen.out
    assert ("acme.corp" in terminal.run("registry", "list").out) == (status == 0)


def test_the_same_id_with_another_root_is_refused_until_it_is_replaced(terminal, acme):
    terminal.run("registry", "add", "../acme", "--root", acme.fingerprint)
    other = SignedTree(terminal.home / "other", "acme.corp")
    seen = terminal.run("registry", "add", "../other", "--root", other.fingerprint)
    assert seen.status == 4
    assert "error[root-mismatch]" in seen.err
    assert acme.fingerprint in seen.err
    assert other.fingerprint in seen.err
    assert terminal.run("registry", "add", "../other", "--root", "ab" * 32).status == 4
    remedy = re.search(r"`mmpm (registry add .*)`", seen.err)[1]
    assert remedy == f"registry add {terminal.home}/other --root sha256:{other.fingerprint} --replace"
    assert terminal.run(*shlex.split(remedy)).status == 0
    [listed] = json.loads(terminal.run("registry", "list", "--json").out)["registries"]
    assert listed["fingerprint"] == other.fingerprint
    assert listed["urls"] == [str(terminal.home / "other")]


def test_another_address_of_a_known_registry_becomes_an_alternate(terminal, acme):
    terminal.run("registry", "add", "../acme", "--root", acme.fingerprint, "--priority", "7")
    with Loopback(acme.folder) as server:
        assert terminal.run("registry", "add", server.url).status == 0
        [listed] = json.loads(terminal.run("registry", "list", "--json").out)["registries"]
        assert listed["urls"] == [str(acme.folder), server.url]
        assert listed["priority"] == 7


@pytest.mark.parametrize("more", [(), ("--name", "acme")], ids=["plain", "with its name"])
def test_an_entry_of_gtconfig_works_once_its_root_key_is_accepted(terminal, acme, more):
    with Loopback(acme.folder) as server:
        entry = f"registries: [{{name: acme, url: '{server.url}/', priority: 1}}]"
        (terminal.home / ".gtconfig.yaml").write_text(entry)
        refused = terminal.run("update")
        assert refused.status == 4
        remedy = f"`mmpm registry add {server.url} --root sha256:{acme.fingerprint}`"
        assert remedy in refused.err
        assert terminal.run(*remedy.strip("`").split()[1:], *more).status == 0
        assert terminal.run("update").out == "acme.corp: nothing new since serial 2\n"
        assert "It is there already" in terminal.run("registry", "add", server.url).err
        [listed] = json.loads(terminal.run("registry", "list", "--json").out)["registries"]
        assert (listed["id"], listed["name"], listed["priority"]) == ("acme.corp", "acme", 1)


def test_a_removed_registry_cannot_come_back_with_an_older_state_or_another_key(terminal, acme):
    shutil.copytree(acme.folder, terminal.home / "old")
    acme.show(days=1)
    terminal.run("registry", "add", "../acme", "--root", acme.fingerprint)
    terminal.run("registry", "remove", "acme.corp")
    seen = terminal.run("registry", "add", "../old")
    assert "older copy" in seen.err
    assert "serial 3" in seen.out


def test_a_mirror_folder_adds_each_registry_in_it(terminal, acme):
    other = SignedTree(terminal.home / "other", "other.corp")
    for tree in (acme, other):
        shutil.copytree(tree.folder, terminal.home / "mirror" / "mirrors" / tree.id)
    one = ("registry", "add", "../mirror", "--root", acme.fingerprint)
    seen = terminal.run(*one)
    assert seen.status == 4
    assert "error[root-not-pinned]" in seen.err  # nobody said anything of it: it is not another key than it should be
    seen = terminal.run(*one, "--root", "ab" * 32)
    assert "error[root-mismatch]" in seen.err
    assert terminal.run(*one, "--root", other.fingerprint).status == 0
    third = SignedTree(terminal.home / "third", "third.corp")
    shutil.copytree(third.folder, terminal.home / "mirror" / "mirrors" / third.id)
    assert terminal.run("registry", "add", "../mirror", "--root", third.fingerprint).status == 0  # the others are known
    listed = json.loads(terminal.run("registry", "list", "--json").out)["registries"]
    assert [entry["id"] for entry in listed] == ["acme.corp", "other.corp", "third.corp"]


def test_what_is_no_registry_is_said_to_be_none(terminal):
    (terminal.home / "empty").mkdir()
    terminal.play(
        """
        $ mmpm registry add ../empty
        error[not-a-registry]: ~/empty is not a registry: it has no metadata/timestamp.json
          fix: make one with `mmpm registry init ~/empty --id HOST`
        [exit 1]
        $ mmpm --offline registry add https://molmall.gastown.io
        error[offline]: offline: adding https://molmall.gastown.io needs a network
          fix: run it again without `--offline`, MMPM_OFFLINE and `offline = true`
        [exit 5]
        """
    )


def test_a_registry_that_fails_does_not_keep_others_from_their_update(terminal, acme):
    other = SignedTree(terminal.home / "other", "other.corp")
    for tree in (acme, other):
        terminal.run("registry", "add", str(tree.folder), "--root", tree.fingerprint)
    acme.release("mol-a", "2.0.0")
    acme.show(days=1)
    other.show(days=1)
    terminal.now += timedelta(days=2)
    for file in (acme.folder / "metadata").glob("*.snapshot.json"):
        file.write_bytes(b"{}")
    seen = terminal.run("update")
    assert seen.status == 4
    assert "other.corp: serial 1 -> 2" in seen.out
    assert "error[registry-untrusted]: registry acme.corp" in seen.err
    seen = terminal.run("update", "--json")
    assert seen.status == 4
    assert json.loads(seen.out)["failed"][0]["code"] == "registry-untrusted"


def test_an_outage_at_update_keeps_the_last_state_with_a_warning_and_status_5(terminal, acme):
    with Loopback(acme.folder) as server:
        terminal.run("registry", "add", server.url, "--root", acme.fingerprint)
        server.fault = "403"
        seen = terminal.run("update")
        document = terminal.run("update", "--json")
    assert seen.status == 5
    assert seen.err.startswith("warning: registry acme.corp at http://127.0.0.1")
    assert "answered 403" in seen.err
    assert seen.out == "acme.corp: serial 2 stays\n"
    assert (document.status, json.loads(document.out)["registries"][0]["held"]) == (5, True)


@pytest.mark.parametrize("claimed", ['id = "evil.corp"', 'id = "evil.corp"\nname = "acme.corp"', 'id = "acme.corp"'])
@pytest.mark.parametrize("variable", ["MMPM_TOKEN_ACME_CORP", "MMPM_TOKEN"])
def test_no_token_goes_where_only_a_cloned_project_says(terminal, claimed, variable):
    evil = SignedTree(terminal.home / "evil", "acme.corp" if claimed == 'id = "acme.corp"' else "evil.corp")
    evil.release("mol-a", "1.0.0")
    evil.show()
    terminal.now = evil.now + timedelta(hours=1)
    terminal.environ[variable] = "secret"
    with Loopback(evil.folder) as server:
        (terminal.cwd / "mmpm.toml").write_text(
            f'[formulas]\nmol-a = "*"\n[[registries]]\n{claimed}\n'
            f'urls = ["{server.url}"]\nroot = "{evil.fingerprint}"\n'
        )
        assert terminal.run("lock").status == 0
        assert server.asked
        assert not [path for path, headers in server.asked if "authorization" in headers]


def test_what_a_cloned_project_says_of_a_registry_does_not_vouch_for_it(terminal, acme):
    with Loopback(acme.folder) as server:
        (terminal.cwd / "mmpm.toml").write_text(
            f'[[registries]]\nid = "acme.corp"\nname = "mine"\n'
            f'urls = ["{server.url}/elsewhere"]\nroot = "{acme.fingerprint}"\n'
        )
        assert terminal.run("registry", "add", server.url).status == 4
        assert terminal.run("registry", "add", server.url, "--root", acme.fingerprint).status == 0
        kept = (terminal.home / ".config/mmpm/config.toml").read_text()
        assert server.url in kept
        assert "elsewhere" not in kept
        assert "mine" not in kept


def test_no_netrc_entry_goes_where_only_a_cloned_project_says(terminal, acme):
    (terminal.home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (terminal.home / ".netrc").chmod(0o600)
    (terminal.home / ".config/mmpm").mkdir(parents=True)
    config = terminal.home / ".config/mmpm/config.toml"
    with Loopback(acme.folder) as server:
        entry = f'[[registries]]\nid = "acme.corp"\nroot = "{acme.fingerprint}"\n'
        config.write_text(entry + 'auth = "netrc"\n')
        (terminal.cwd / "mmpm.toml").write_text(f'[formulas]\nmol-a = "*"\n{entry}urls = ["{server.url}"]\n')
        assert terminal.run("lock").status == 0
        assert not [path for path, headers in server.asked if "authorization" in headers]
        config.write_text(entry + f'auth = "netrc"\nurls = ["{server.url}"]\n')
        assert terminal.run("update").status == 0
        assert [path for path, headers in server.asked if "authorization" in headers]


def test_a_title_cannot_show_a_root_key_of_its_own(terminal, monkeypatch):
    lie = "Acme)\nRoot key sha256:" + "ab" * 32
    monkeypatch.setattr("signed_tree.Identity", lambda registry_id, _title: Identity(registry_id, lie))
    tree = SignedTree(terminal.home / "acme", "acme.corp")
    seen = terminal.look("registry", "add", "../acme", typed="n\n")
    assert [line for line in seen.out.splitlines() if line.startswith("Root key")] == [
        f"Root key sha256:{tree.fingerprint}"
    ]


def clone(terminal, name, registry, where):
    """A project that states a registry, as it may be cloned from anywhere."""
    folder = terminal.home / name
    folder.mkdir()
    (folder / "mmpm.toml").write_text(
        f'[formulas]\nmol-a = "*"\n[[registries]]\nid = "{registry.id}"\nurls = ["{where}"]\n'
        f'root = "{registry.fingerprint}"\nscopes = ["@acme"]\npriority = 1\nname = "mine"\n'
        'auth = "netrc"\nca_file = "/dev/zero"\n'
    )
    return folder


@pytest.fixture
def false_acme(acme):
    tree = SignedTree(acme.folder.parent / "false", acme.id)
    tree.release("mol-a", "6.6.6")
    tree.show()
    return tree


def locked(terminal):
    (terminal.cwd / "mmpm.lock").unlink(missing_ok=True)
    seen = terminal.run("lock")
    assert seen.status == 0, seen.err
    return (terminal.cwd / "mmpm.lock").read_text()


def test_a_cloned_project_decides_for_itself_alone_what_a_registry_is(terminal, acme, false_acme):
    work = terminal.cwd
    evil = clone(terminal, "evil", false_acme, false_acme.folder)
    good = clone(terminal, "good", acme, acme.folder)
    for _ in range(2):  # in turns: neither takes the place of the other, online or offline
        for folder, version in ((evil, "6.6.6"), (good, "1.0.0")):
            terminal.cwd = folder
            assert version in locked(terminal)
            (folder / "mmpm.lock").unlink()
            assert f"acme.corp has mol-a {version}" in terminal.run("--offline", "lock").err

    terminal.cwd = evil
    seen = terminal.run("registry", "add", "../acme", "--root", acme.fingerprint)
    assert seen.status == 0, seen.err
    terminal.cwd = work
    [listed] = json.loads(terminal.run("registry", "list", "--json").out)["registries"]
    assert (listed["fingerprint"], listed["serial"]) == (acme.fingerprint, acme.serial)
    terminal.cwd = good
    assert "1.0.0" in locked(terminal)
    terminal.cwd = evil
    for words in (["lock"], ["--offline", "lock"]):
        seen = terminal.run(*words)
        assert seen.status == 4, seen
        assert "root-mismatch" in seen.err


def test_nothing_of_a_cloned_project_is_kept_when_its_registry_is_added(terminal, acme):
    terminal.cwd = clone(terminal, "good", acme, f"{acme.folder}/../acme")
    assert terminal.run("registry", "add", "../acme", "--root", acme.fingerprint, "--name", "mine").status == 0
    kept = (terminal.home / ".config/mmpm/config.toml").read_text()
    assert not [word for word in ("ca_file", "netrc", "priority", "@acme", "..") if word in kept]
    assert terminal.run("registry", "remove", "mine").status == 0
    assert acme.id not in (terminal.home / ".config/mmpm/config.toml").read_text()


def test_a_root_key_that_the_person_configured_is_not_for_a_project_to_change(terminal, acme, false_acme):
    (terminal.home / ".config/mmpm").mkdir(parents=True)
    (terminal.home / ".config/mmpm/config.toml").write_text(
        f'[[registries]]\nid = "acme.corp"\nurls = ["{acme.folder}"]\nroot = "{acme.fingerprint}"\n'
    )
    terminal.cwd = clone(terminal, "evil", false_acme, false_acme.folder)
    seen = terminal.run("lock")
    assert (seen.status, "root-mismatch" in seen.err) == (4, True), seen.err


def test_offline_the_copy_of_a_registry_of_another_root_key_is_none(terminal, acme, false_acme):
    assert terminal.run("registry", "add", "../acme", "--root", acme.fingerprint).status == 0
    shutil.rmtree(terminal.home / ".local/state/mmpm/trust")
    (terminal.home / ".config/mmpm/config.toml").unlink()
    terminal.cwd = clone(terminal, "evil", false_acme, "https://acme.corp")
    assert terminal.run("--offline", "lock").status == 5
    terminal.cwd = clone(terminal, "good", acme, "https://acme.corp")
    assert terminal.run("--offline", "lock").status != 4
