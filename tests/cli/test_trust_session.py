"""Publishers, marks and signatures as the operator of a registry sees them."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime

import pytest
from world import formula_text

from mmpm.trust.openpgp import is_available

needs_library = pytest.mark.skipif(
    not (is_available() or os.environ.get("CI")), reason="the extra openpgp is not installed"
)
MADE = ("registry", "init", "reg", "--id", "acme.example", "--no-passphrase")


@pytest.fixture
def operator(terminal):
    return with_a_registry(terminal)


def with_a_registry(terminal):
    assert terminal.run(*MADE).status == 0
    assert terminal.run("keys", "create", "alice", "--no-passphrase").status == 0
    (terminal.cwd / "mol-a.formula.toml").write_text(formula_text("mol-a", "1.0.0", {}))
    return terminal


def key_folder(terminal):
    return terminal.home / ".local" / "share" / "mmpm" / "keys"


def published(operator, *words):
    assert operator.run("publish", "mol-a.formula.toml", "--to", "reg", "--yes", *words).status == 0
    return operator


def key_of(operator, name="alice"):
    return json.loads((key_folder(operator) / "people" / f"{name}.pub").read_bytes())["key_id"]


def shown(operator, *words):
    return json.loads(operator.run(*words, "--json").out)


def test_a_publisher_is_added_listed_and_revoked(operator):
    key = key_of(operator)
    assert operator.run("registry", "publisher", "list", "reg").out == ""
    operator.play(
        f"""
        $ mmpm registry publisher add reg acme --name "Acme Corp" --key alice --scope acme --formula mol-a
        Make acme (Acme Corp) a publisher with the key {key[:8]}, owner of @acme, mol-a: done, serial 2
        $ mmpm registry publisher add reg acme --name "Acme Corp" --key alice --scope @acme
        acme is that already
        $ mmpm registry publisher list reg
        acme  Acme Corp  owns @acme, mol-a
          ed25519  {key}
        $ mmpm registry publisher revoke reg acme --key {key[:8]} --from-serial 9 --reason "laptop stolen" --yes
        Revoke the key {key[:8]} of acme from serial 9 on: laptop stolen: done, serial 3
        $ mmpm registry publisher revoke reg acme --key {key[:8]} --from-serial 9 --reason "laptop stolen" --yes
        That is revoked already
        $ mmpm registry publisher list reg
        acme  Acme Corp  owns @acme, mol-a
          ed25519  {key}
          revoked  {key[:8]} from serial 9 on: laptop stolen
        """
    )
    assert shown(operator, "registry", "publisher", "list", "reg")["publishers"][0]["revoked"] == [
        {"from_serial": 9, "key": key, "reason": "laptop stolen"}
    ]


def test_revoking_is_asked_about(operator):
    operator.run("registry", "publisher", "add", "reg", "acme", "--key", "alice")
    assert operator.run("registry", "publisher", "revoke", "reg", "acme", "--reason", "gone").status == 2


def test_a_scope_of_one_publisher_is_not_given_to_another(operator):
    operator.run("registry", "publisher", "add", "reg", "acme", "--scope", "@acme")
    seen = operator.run("registry", "publisher", "add", "reg", "other", "--scope", "@acme")
    assert seen.status == 2
    assert "@acme belongs to two publishers, acme and other" in seen.err


@pytest.mark.parametrize(
    "words",
    [
        ("publisher", "add", "reg", "acme", "--key", "nobody"),
        ("publisher", "add", "reg", "acme", "--key", "ed25519:12"),
        ("publisher", "add", "reg", "Acme"),
        ("publisher", "revoke", "reg", "acme", "--reason", "x", "--yes"),
        ("mark", "reg", "verified", "mol-a"),
        ("mark", "reg", "audited", "mol-a"),
        ("mark", "reg", "official", "Mol A"),
    ],
)
def test_what_cannot_be_is_refused_as_wrong_usage(operator, words):
    assert operator.run("registry", *words).status == 2


def test_marks_are_given_listed_and_withdrawn(operator):
    published(operator)
    operator.play(
        """
        $ mmpm registry mark reg official mol-a --by "Gas Town"
        Mark mol-a as official: done, serial 3
        $ mmpm registry mark reg audited mol-a@1.0.0 --by Security --note "read twice" --dry-run
        would mark mol-a@1.0.0 as audited; publish that in ~/rig/reg
        $ mmpm registry mark reg audited mol-a@1.0.0 --by Security --note "read twice"
        Mark mol-a@1.0.0 as audited: done, serial 4
        $ mmpm registry mark reg audited mol-a@1.0.0 --by Security --note "read twice"
        mol-a@1.0.0 is marked audited already
        """
    )
    out = operator.run("registry", "marks", "reg").out
    assert re.search(r"🏛️ Official  mol-a by Gas Town on \d{4}-\d\d-\d\d\n🔒 Audited  mol-a@1.0.0 by Security on", out)
    assert operator.run("registry", "marks", "reg", "mol-a").out == out
    assert [one["level"] for one in shown(operator, "registry", "marks", "reg")["marks"]] == ["official", "audited"]
    operator.play(
        """
        $ mmpm registry unmark reg audited mol-a@1.0.0
        Withdraw the mark that mol-a@1.0.0 is audited: done, serial 5
        $ mmpm registry unmark reg audited mol-a@1.0.0
        mol-a@1.0.0 is not marked audited
        $ mmpm registry unmark reg official mol-a
        Withdraw the mark that mol-a is official: done, serial 6
        $ mmpm registry marks reg
        acme.example has no marks
        """
    )


def test_a_mark_for_what_is_not_published_yet_says_so(operator):
    assert "is not published in acme.example yet" in operator.run("registry", "mark", "reg", "official", "mol-z").err
    assert operator.run("registry", "mark", "reg", "audited", "mol-z@1.0.0").status == 1


def test_where_the_trust_key_is_elsewhere_a_mark_becomes_a_request_that_is_carried_to_it(operator, tmp_path):
    published(operator)
    keys = key_folder(operator) / "acme.example"
    away = tmp_path / "safe"
    away.mkdir()
    for name in ("trust.pem", "trust.pub"):
        shutil.move(keys / name, away / name)
    seen = operator.run("registry", "mark", "reg", "audited", "mol-a@1.0.0")
    assert seen.status == 0
    request = operator.cwd / "acme.example.trust-2.signing-request.json"
    assert f"mmpm keys sign {request}" in seen.err
    assert f"--apply {request}" in seen.err
    assert operator.run("registry", "marks", "reg").out == ""
    assert operator.run("registry", "rotate", "reg", "--apply", str(request), "--yes").status == 1

    for name in ("trust.pem", "trust.pub"):
        shutil.move(away / name, keys / name)
    assert "mol-a@1.0.0" in operator.run("keys", "sign", str(request), "--yes").both
    for name in ("trust.pem", "trust.pub"):
        shutil.move(keys / name, away / name)
    assert operator.run("registry", "rotate", "reg", "--apply", str(request), "--yes").status == 0
    assert "mol-a@1.0.0" in operator.run("registry", "marks", "reg").out


def test_a_request_that_was_carried_away_is_not_applied_onto_another_trust(operator):
    published(operator)
    assert operator.run("registry", "mark", "reg", "official", "mol-a", "-o", "one.json").status == 0
    assert operator.run("registry", "mark", "reg", "official", "mol-a", "-o", "one.json").status == 1
    assert operator.run("registry", "mark", "reg", "audited", "mol-a@1.0.0").status == 0
    seen = operator.run("registry", "rotate", "reg", "--apply", "one.json", "--yes")
    assert seen.status == 1
    assert "signing-request-outdated" in seen.err
    assert [one["level"] for one in shown(operator, "registry", "marks", "reg")["marks"]] == ["audited"]


def test_a_release_is_signed_when_it_is_published_or_later(operator):
    published(operator, "--sign", "alice")
    operator.run("keys", "create", "bob", "--no-passphrase")
    operator.play(
        f"""
        $ mmpm sign mol-a@1.0.0 --key alice --to reg
        mol-a@1.0.0 is signed by that key already
        $ mmpm sign mol-a@1.0.0 --key bob --to reg --dry-run
        would add a signature by bob to mol-a@1.0.0 in ~/rig/reg
        $ mmpm sign mol-a@1.0.0 --key bob --to reg
        Signed mol-a@1.0.0 with the key {key_of(operator, "bob")}, serial 3
        """
    )
    files = sorted(path.name for path in (operator.cwd / "reg" / "signatures").rglob("*.sig"))
    assert files == sorted(f"{key_of(operator, name)}.sig" for name in ("alice", "bob"))


def test_signing_needs_a_key_that_is_here_and_a_release_that_is_there(operator):
    published(operator)
    assert operator.run("sign", "mol-a@1.0.0", "--to", "reg").status == 2
    assert operator.run("sign", "mol-a", "--key", "alice", "--to", "reg").status == 2
    seen = operator.run("sign", "mol-a@1.0.0", "--key", "carol", "--to", "reg")
    assert (seen.status, "key-unknown" in seen.err) == (1, True)
    assert operator.run("sign", "mol-a@9.0.0", "--key", "alice", "--to", "reg").status == 1
    assert operator.run("publish", "mol-a.formula.toml", "--to", "reg", "--yes", "--sign", "carol").status == 1


def test_what_has_to_be_signed_is_printed_to_the_byte(operator):
    published(operator)
    document = shown(operator, "sign", "mol-a@1.0.0", "--to", "reg", "--statement")
    statement = json.loads(document["statement"])
    assert sorted(statement) == ["checksum", "format", "name", "size", "tree", "version"]
    assert document["statement"] == json.dumps(statement, sort_keys=True, separators=(",", ":"))


def test_a_release_is_taken_down_for_good(operator):
    published(operator)
    operator.play(
        """
        $ mmpm yank mol-a@1.0.0 --reason "a password in it" --take-down --to reg --dry-run
        would take down mol-a@1.0.0
        $ mmpm yank mol-a@1.0.0 --reason "a password in it" --take-down --to reg --yes
        Took down mol-a@1.0.0: a password in it
        $ mmpm yank mol-a@1.0.0 --reason "a password in it" --take-down --to reg --yes
        mol-a@1.0.0 is taken down already
        """
    )
    seen = operator.run("publish", "mol-a.formula.toml", "--to", "reg", "--yes")
    assert (seen.status, "was taken down; give it a new one" in seen.err) == (1, True)
    assert operator.run("sign", "mol-a@1.0.0", "--key", "alice", "--to", "reg").status == 1


def test_whoever_asks_for_what_was_taken_down_is_told(operator):
    fingerprint = re.search(
        r"[0-9a-f]{64}", operator.run("registry", "init", "two", "--id", "b.example", "--no-passphrase").out
    )[0]
    (operator.cwd / "mol-a.formula.toml").write_text(formula_text("mol-a", "1.0.0", {}))
    assert operator.run("publish", "mol-a.formula.toml", "--to", "two", "--yes").status == 0
    assert operator.run("registry", "add", "two", "--root", fingerprint).status == 0
    operator.run("init")
    operator.run("yank", "mol-a@1.0.0", "--reason", "a password in it", "--take-down", "--to", "two", "--yes")
    seen = operator.run("install", "mol-a")
    assert seen.status == 3
    assert "taken down" in seen.err


@needs_library
def test_a_signature_that_openpgp_made_elsewhere_is_taken_if_it_verifies(terminal):
    from pysequoia import SignatureMode, Tsk
    from pysequoia import sign as openpgp_sign

    terminal.now = datetime.now(UTC)  # OpenPGP signatures carry the real time
    operator = published(with_a_registry(terminal))
    carol, mallory = Tsk.generate("Carol <carol@acme.example>"), Tsk.generate("Mallory")
    statement = shown(operator, "sign", "mol-a@1.0.0", "--to", "reg", "--statement")["statement"].encode()
    for name, key in (("carol", carol), ("mallory", mallory)):
        (operator.cwd / f"{name}.asc").write_text(str(key.extract_certificate()))
        (operator.cwd / f"{name}.sig.asc").write_bytes(
            openpgp_sign(key.signer(), statement, mode=SignatureMode.DETACHED)
        )
    key_id = carol.extract_certificate().fingerprint
    by_carol = ("sign", "mol-a@1.0.0", "--to", "reg", "--openpgp", "carol.sig.asc")

    seen = operator.run(*by_carol)
    assert (seen.status, "signature-unchecked" in seen.err) == (1, True)  # whose it is, is not known yet
    seen = operator.run(
        "sign", "mol-a@1.0.0", "--to", "reg", "--openpgp", "mallory.sig.asc", "--certificate", "carol.asc"
    )
    assert (seen.status, "signature-bad" in seen.err) == (4, True)
    assert operator.run(*by_carol, "--certificate", "carol.asc").out == (
        f"Signed mol-a@1.0.0 with the key {key_id}, serial 3\n"
    )
    assert operator.run(*by_carol, "--certificate", "carol.asc").both == "mol-a@1.0.0 is signed by that key already\n"
    assert [path.name for path in (operator.cwd / "reg" / "signatures").rglob("*.asc")] == [f"{key_id}.asc"]

    assert (
        operator.run("registry", "publisher", "add", "reg", "acme", "--key", "carol.asc", "--formula", "mol-a").status
        == 0
    )
    assert f"openpgp  {key_id}" in operator.run("registry", "publisher", "list", "reg").out
    assert operator.run(*by_carol).both == "mol-a@1.0.0 is signed by that key already\n"


def test_a_file_that_is_no_certificate_is_refused(operator):
    published(operator)
    (operator.cwd / "x.asc").write_text("-----BEGIN PGP PUBLIC KEY BLOCK-----\n")
    assert operator.run("registry", "publisher", "add", "reg", "acme", "--key", "x.asc").status == 2
    words = ("sign", "mol-a@1.0.0", "--to", "reg", "--openpgp", "x.asc", "--certificate")
    assert operator.run(*words, "x.asc").status == 2
    assert operator.run(*words, "nothing.asc").status == 2
