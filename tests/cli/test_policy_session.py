"""Levels and policies as a person sees them: badges, refusals that explain themselves, what is pinned."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest
from world import formula_text

AUDITED = ("policy.min_level", "audited")


@pytest.fixture
def site(terminal):
    """A registry with a publisher and marks, and a project that knows it.

    mol-a: 1.0.0 audited, 2.0.0 signed by its publisher, 3.0.0 by nobody; mol-o is official; mol-u nobody's.
    """
    terminal.environ["NO_COLOR"] = "1"
    made = terminal.run("registry", "init", "../reg", "--id", "acme.example", "--no-passphrase")
    assert terminal.run("keys", "create", "alice", "--no-passphrase").status == 0
    assert terminal.run("keys", "create", "chief", "--no-passphrase").status == 0
    publish(terminal, "mol-a", "1.0.0")
    publish(terminal, "mol-a", "2.0.0", "--sign", "alice")
    for name, version in (("mol-a", "3.0.0"), ("mol-o", "1.0.0"), ("mol-u", "1.0.0")):
        publish(terminal, name, version)
    done(
        terminal,
        "registry",
        "publisher",
        "add",
        "../reg",
        "acme",
        "--name",
        "Acme",
        "--key",
        "alice",
        "--formula",
        "mol-a",
    )
    done(terminal, "registry", "mark", "../reg", "audited", "mol-a@1.0.0", "--by", "Security", "--note", "read twice")
    done(terminal, "registry", "mark", "../reg", "official", "mol-o", "--by", "Gas Town")
    done(terminal, "init")
    done(terminal, "registry", "add", "../reg", "--root", re.search(r"[0-9a-f]{64}", made.out)[0])
    done(terminal, "update", "--all")
    return terminal


def done(terminal, *words):
    seen = terminal.run(*words)
    assert seen.status == 0, seen.both
    return seen


def publish(terminal, name, version, *words):
    path = terminal.folder / f"{name}.formula.toml"
    path.write_text(formula_text(name, version, {}))
    done(terminal, "publish", str(path), "--to", "../reg", "--yes", *words)


def key_of(terminal, name):
    return done(terminal, "keys", "export", name).out.strip()


def signed(terminal, rules, serial=1, key="chief", *words, name="policy.json", policy_id="acme"):
    """Sign a policy and give its path."""
    (terminal.cwd / "rules.toml").write_text(f'id = "{policy_id}"\nserial = {serial}\n[policy]\n{rules}\n')
    path = terminal.cwd / name
    path.unlink(missing_ok=True)
    done(terminal, "policy", "sign", "rules.toml", "--key", key, "-o", name, *words)
    return path


def shown(terminal, *words):
    return json.loads(terminal.run(*words, "--json").out)


def test_badges_stand_in_every_listing(site):
    done(site, "install", "mol-a@1.0.0", "mol-o", "mol-u")
    out = done(site, "list", "--installed").out
    assert out == (
        "mol-a 1.0.0 [pinned] 🔒 Audited\nmol-o 1.0.0 [latest] 🏛️ Official\nmol-u 1.0.0 [latest] ⚠️ Unverified\n"
    )
    assert [one["level"] for one in shown(site, "list", "--installed")["tiers"][0]["formulas"]] == [
        "audited",
        "official",
        "unverified",
    ]
    assert "mol-o 1.0.0 🏛️ Official" in done(site, "tree").out
    assert "[pinned] 🔒 Audited" in done(site, "outdated").out
    assert "Level: ✓ Verified (signed by Acme" in done(site, "show", "mol-a@2").out
    receipt = json.loads((site.cwd / ".beads" / "formulas" / ".lock.json").read_text())["formulas"]
    assert {name: one["level"] for name, one in receipt.items()} == {
        "mol-a": "audited",
        "mol-o": "official",
        "mol-u": "unverified",
    }


def test_words_stand_for_badges_where_the_terminal_cannot_show_them(site):
    done(site, "install", "mol-o")
    site.encoding = "ascii"
    assert done(site, "list", "--installed").out == "mol-o 1.0.0 [latest] official\n"


def test_what_is_vouched_for_ranks_higher_and_can_be_asked_for(site):
    names = [one["name"] for one in shown(site, "search", "mol")["formulas"]]
    assert names == ["mol-o", "mol-a", "mol-u"]
    assert [one["name"] for one in shown(site, "search", "mol", "--level", "official")["formulas"]] == ["mol-o"]
    assert "mol-o v1.0.0 🏛️ Official" in done(site, "search", "mol").out


def test_provenance_tells_who_vouches(site):
    rows = shown(site, "show", "mol-a@2.0.0", "--provenance")["provenance"]
    assert rows["Publisher"] == "Acme (acme)"
    assert rows["Level"].startswith("verified: signed by Acme")
    [key] = [what for label, what in rows.items() if label.startswith("Key ")]
    assert key.startswith("ed25519, of Acme, signed at serial ")
    assert key.endswith(": good")
    assert "Marked audited" not in rows
    rows = shown(site, "show", "mol-a@1.0.0", "--provenance")["provenance"]
    assert re.fullmatch(r"by Security, \S+, read twice", rows["Marked audited"])


def test_a_least_level_chooses_an_older_release_that_reaches_it(site):
    done(site, "config", "set", "policy.min_level", "verified")
    done(site, "install", "mol-a")
    assert "mol-a 2.0.0" in done(site, "list", "--installed").out
    done(site, "config", "set", *AUDITED)
    seen = site.run("sync")
    assert seen.status == 4
    assert "error[policy-barred]: mol-a 2.0.0 is barred by policy.min_level = audited (set in " in seen.err
    assert "config.toml): it is verified, not audited" in seen.err
    assert (site.cwd / ".beads" / "formulas" / "mol-a.formula.toml").exists()
    done(site, "lock")
    done(site, "sync")
    assert "mol-a 1.0.0" in done(site, "list", "--installed").out


def test_where_nothing_reaches_the_level_the_refusal_says_why_and_what_to_try(site):
    done(site, "config", "set", *AUDITED)
    seen = site.run("install", "mol-a@^2")
    assert seen.status == 3
    assert "mol-a 2.0.0 is barred by policy.min_level = audited (set in " in seen.err
    assert "config.toml): it is verified, not audited" in seen.err
    assert "`mmpm policy show`" in seen.err
    assert "`mmpm registry mark`" in seen.err
    assert site.run("install", "mol-a@2.0.0").status == 3


def test_allow_and_deny_bar_by_name_and_range(site):
    done(site, "config", "set", "policy.deny", "mol-a@>=2, mol-u")
    done(site, "install", "mol-a")
    assert "mol-a 1.0.0" in done(site, "list", "--installed").out
    seen = site.run("install", "mol-u")
    assert (seen.status, "policy.deny, which has mol-u" in seen.err) == (3, True)
    site.environ["MMPM_POLICY_ALLOW"] = "@acme/*"
    assert site.run("sync").status == 4
    assert site.run("verify").status == 1


def test_a_project_tightens_and_never_loosens(site):
    manifest = site.cwd / "mmpm.toml"
    manifest.write_text(manifest.read_text() + '\n[policy]\nmin_level = "audited"\n')
    assert site.run("install", "mol-u").status == 3
    manifest.write_text(manifest.read_text().replace('"audited"', '"unverified"'))
    done(site, "config", "set", *AUDITED)
    assert site.run("install", "mol-u").status == 3
    assert site.run("config", "get", "policy.min_level").out == "audited\n"


def test_settings_of_the_whole_machine_come_last(site):
    folder = site.home / "etc" / "mmpm"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[policy]\nmin_level = "official"\n')
    site.environ["XDG_CONFIG_DIRS"] = str(folder.parent)
    assert "policy.min_level = official  # ~/etc/mmpm/config.toml" in site.tidy(done(site, "policy", "show").out)
    assert site.run("install", "mol-u").status == 3
    done(site, "config", "set", "policy.min_level", "unverified")
    done(site, "install", "mol-u")


def test_nothing_goes_around_a_pinned_policy(site):
    path = signed(site, 'min_level = "audited"\nallow = ["mol-*"]')
    done(site, "install", "mol-u")
    done(site, "policy", "pin", str(path), "--key", key_of(site, "chief"))
    assert site.run("sync").status == 4
    site.environ["MMPM_POLICY_MIN_LEVEL"] = "unverified"
    done(site, "config", "set", "policy.min_level", "unverified")
    manifest = site.cwd / "mmpm.toml"
    manifest.write_text(manifest.read_text() + '\n[policy]\nmin_level = "unverified"\n')
    for words in (("sync",), ("sync", "--frozen"), ("sync", "--locked"), ("sync", "--lock", "mmpm.lock")):
        seen = site.run(*words)
        assert (seen.status, "policy-barred" in seen.err) == (4, True), words
    shutil.copytree(site.cwd, site.home / "other")
    assert site.run("sync", "--project", str(site.home / "other")).status == 4
    assert site.run("install", "mol-o").status == 3
    assert site.run("verify").status == 1
    out = done(site, "policy", "show").out
    assert "policy.min_level = audited     # the pinned policy acme, serial 1" in out
    assert "something stricter holds" in out
    assert site.run("policy", "unpin").status == 2
    done(site, "policy", "unpin", "--yes")
    done(site, "sync")


def test_a_project_brings_no_auditor_of_its_own(site):
    """What is cloned states its registry and root key, and that registry calls whatever it has audited."""
    root = re.search(r"sha256:[0-9a-f]{64}", done(site, "registry", "list").out)[0]
    done(site, "policy", "pin", str(signed(site, 'min_level = "audited"')), "--key", key_of(site, "chief"))
    done(site, "install", "mol-a@1.0.0")
    done(site, "registry", "remove", "acme.example")
    shutil.rmtree(site.home / ".local" / "state" / "mmpm" / "trust")
    registry = f'[[registries]]\nid = "acme.example"\nurl = "{site.home / "reg"}"\nroot = "{root}"\n'
    clone = site.home / "clone"
    clone.mkdir()
    (clone / "mmpm.toml").write_text(f'[formulas]\nmol-a = "1"\n\n{registry}')
    seen = site.run("sync", "--project", str(clone))
    assert (seen.status, "it is unverified, not audited" in seen.err) == (3, True)
    shutil.copy(site.cwd / "mmpm.lock", clone)
    (clone / "mmpm.toml").write_text(f'[formulas]\n"mol-a" = "1.0.0"\n\n{registry}')
    for words in (("sync", "--frozen"), ("sync", "--locked"), ("sync",)):
        assert site.run(*words, "--project", str(clone)).status in {3, 4}, words
    done(site, "registry", "add", "../reg", "--root", root)
    done(site, "sync", "--project", str(clone))


def test_a_no_op_sync_sees_that_policy_or_trust_changed(site):
    done(site, "install", "mol-u")
    assert done(site, "sync").both.endswith("Nothing to do\n")
    path = signed(site, 'min_level = "official"')
    done(site, "policy", "pin", str(path), "--key", key_of(site, "chief"))
    assert site.run("sync").status == 4
    done(site, "policy", "unpin", "--yes")
    done(site, "sync")
    site.environ["MMPM_POLICY_DENY"] = "mol-u"
    assert site.run("sync").status == 4


def test_a_policy_that_is_not_the_key_s_is_refused_and_the_pinned_one_stays(site):
    first = signed(site, 'min_level = "official"', 2)
    done(site, "policy", "pin", str(first), "--key", key_of(site, "chief"))
    for other, words in (
        (signed(site, 'min_level = "unverified"', 3, "alice", name="foreign.json"), "is not signed with the key"),
        (signed(site, 'min_level = "unverified"', 1, name="old.json"), "it has serial 1, which is older"),
        (signed(site, 'min_level = "unverified"', 2, name="same.json"), "it is another policy under serial 2"),
    ):
        seen = site.run("policy", "pin", str(other), "--key", key_of(site, "chief"))
        assert seen.status == 4
        assert "error[policy-refused]" in seen.err
        assert words in seen.err
        assert other.name in seen.err
        assert "the pinned policy acme, serial 2 stays in force" in seen.err
    assert site.run("config", "get", "policy.min_level").out == "official\n"
    seen = site.run("policy", "pin", str(first), "--key", key_of(site, "alice"))
    assert seen.status == 4
    assert "Pinned already" in done(site, "policy", "pin", str(first), "--key", key_of(site, "chief")).err


def test_a_newer_policy_comes_with_a_mirror_and_an_older_one_does_not(site):
    done(site, "mirror", "create", "../mirror", "--from", "acme.example")
    done(site, "registry", "add", "../mirror/mirrors/acme.example", "--yes")
    pinned = signed(site, 'min_level = "official"', 2)
    done(site, "policy", "pin", str(pinned), "--key", key_of(site, "chief"))
    offered = site.home / "mirror" / "policy.json"
    newer = signed(site, 'min_level = "verified"', 3, "chief", "--successor", key_of(site, "alice"), name="newer.json")
    shutil.copy(newer, offered)
    seen = done(site, "update")
    assert "policy acme: serial 2 -> 3" in seen.err
    assert site.run("config", "get", "policy.min_level").out == "verified\n"
    shutil.copy(pinned, offered)
    assert "which is older; the pinned policy acme, serial 3 stays" in done(site, "update").err
    shutil.copy(signed(site, 'min_level = "audited"', 4, "chief", name="late.json"), offered)
    assert "is not signed with the key" in done(site, "update").err
    shutil.copy(signed(site, 'min_level = "audited"', 5, "alice", name="next.json"), offered)
    assert "serial 3 -> 5" in done(site, "update").err
    assert site.run("config", "get", "policy.min_level").out == "audited\n"


@pytest.mark.parametrize("where", [("--to", "../there"), ("--to-store",)])
def test_a_newer_policy_comes_with_a_pack(site, where):
    done(site, "mirror", "create", "../mirror", "--from", "acme.example")
    done(site, "policy", "pin", str(signed(site, 'min_level = "official"')), "--key", key_of(site, "chief"))
    shutil.copy(signed(site, 'min_level = "verified"', 2, name="newer.json"), site.home / "mirror" / "policy.json")
    done(site, "mirror", "export", "../mirror", "-o", "one.pack")
    assert "policy acme: serial 1 -> 2" in done(site, "mirror", "import", "one.pack", *where, "--yes").err
    assert site.run("config", "get", "policy.min_level").out == "verified\n"


def test_a_pipe_in_the_place_of_a_policy_is_not_waited_for(site):
    done(site, "mirror", "create", "../mirror", "--from", "acme.example")
    done(site, "policy", "pin", str(signed(site, 'min_level = "official"')), "--key", key_of(site, "chief"))
    done(site, "mirror", "export", "../mirror", "-o", "one.pack")
    (site.home / "there").mkdir()
    os.mkfifo(site.home / "there" / "policy.json")
    done(site, "mirror", "import", "one.pack", "--to", "../there", "--yes")


def test_a_pinned_policy_that_cannot_be_read_stops_what_would_install(site):
    folder = site.home / ".local" / "state" / "mmpm" / "policy"
    folder.mkdir(parents=True)
    (folder / "acme.json").write_text("{}")
    seen = site.run("install", "mol-o")
    assert seen.status == 4
    assert "error[policy-unreadable]" in seen.err
    assert site.run("sync").status == 4


def test_a_bad_signature_stops_and_a_missing_one_lowers_the_level(site):
    [signature] = (site.home / "reg" / "signatures").rglob("*.sig")
    whole = signature.read_bytes()
    signature.chmod(0o644)
    signature.unlink()
    shutil.rmtree(site.home / ".local" / "share" / "mmpm" / "store")
    seen = done(site, "install", "mol-a@2.0.0")
    assert "mol-a 2.0.0 counts as unverified" in seen.err
    done(site, "config", "set", "policy.min_level", "verified")
    done(site, "uninstall", "mol-a")
    seen = site.run("install", "mol-a@2.0.0")
    assert (seen.status, "policy-barred" in seen.err) == (4, True)
    signature.write_bytes(whole.replace(b'"format":1', b'"format":2'))
    seen = site.run("install", "mol-a@2.0.0")
    assert seen.status == 4
    assert signature.name in seen.err


def test_no_other_verb_links_what_is_barred(site):
    done(site, "install", "mol-u", "mol-o")
    path = site.folder / "mol-x.formula.toml"
    path.write_text(formula_text("mol-x", "1.0.0", {}))
    done(site, "config", "set", "policy.min_level", "verified")
    shutil.rmtree(site.cwd / ".beads")
    for words in (("uninstall", "mol-o"), ("import", str(path)), ("pin", "mol-u"), ("upgrade",), ("install", "mol-a")):
        assert site.run(*words).status in {3, 4}, words
        assert not list((site.cwd / ".beads").rglob("mol-*.toml")), words


def test_what_was_imported_is_vouched_for_by_nobody_and_what_is_one_s_own_is_not_judged(site):
    path = site.folder / "mol-x.formula.toml"
    path.write_text(formula_text("mol-x", "1.0.0", {}))
    done(site, "import", str(path))
    done(site, "config", "set", "policy.min_level", "verified")
    assert site.run("sync").status == 4
    done(site, "config", "unset", "policy.min_level")
    done(site, "install", "mol-a@1.0.0")
    done(site, "fork", "mol-a", "mol-mine")
    done(site, "config", "set", "policy.min_level", "audited")
    assert "mol-mine" not in site.run("sync").err


def test_what_is_not_there_is_neither_signed_nor_unpinned(terminal):
    seen = terminal.run("policy", "sign", "nowhere.toml", "--key", "chief", "-o", "p.json")
    assert seen.status == 2
    assert "there is no file" in seen.err
    assert "error[policy-not-pinned]: you have pinned no policy\n" in terminal.run("policy", "unpin").err
