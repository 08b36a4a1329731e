"""`mmpm doctor`: what is wrong, with what mends it; nothing hides anything else."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from mmpm.molecule.digest import Digest, root_of

LOG = '{"actor":"a","at":"2026-01-10T15:30:00Z","events":[{"id":"x-mol-a","kind":"bonded","phase":"mol","provenance":{"name":"p"},"title":"P"}],"format":1,"nonce":"n","operation":"pour"}\n'


def examined(terminal, *words, status=0):
    seen = terminal.run("doctor", *words, "--json")
    assert seen.status == status, seen.both
    return json.loads(seen.out)["findings"]


def wrong(findings):
    return {(one["check"], one["state"]): one["sentence"] for one in findings if one["state"] != "ok"}


@pytest.fixture
def formulas(mall, terminal):
    """Two installed formulas; gives their folder."""
    assert mall
    assert terminal.run("install", "mol-b@1").status == 0
    return terminal.cwd / ".beads" / "formulas"


def test_where_all_is_well_each_check_says_so(formulas, terminal):
    findings = examined(terminal)
    assert formulas.is_dir()
    assert {one["state"] for one in findings} == {"ok"}
    assert {one["check"] for one in findings} == {
        *("store", "registries", "installed", "formulas", "catalogue", "molecules")
    }
    assert "2 of 2 formulas cook alike under bd, gt and mmpm" in {one["sentence"] for one in findings}


def test_an_edit_through_a_shared_inode_is_told_with_those_who_share_it_and_mended(formulas, terminal):
    installed = formulas / "mol-a.formula.toml"
    before = installed.read_bytes()
    installed.chmod(0o644)
    with installed.open("ab") as file:
        file.write(b"# edited\n")
    findings = examined(terminal, status=1)
    told = next(one for one in findings if one["check"] == "store" and one["state"] == "problem")
    assert str(formulas / ".lock.json") in told["sentence"]
    assert told["fixable"]
    assert any("mol-a 1.1.0: mol-a.formula.toml was edited" in one["sentence"] for one in findings)
    dry = terminal.run("doctor", "--fix", "--dry-run")
    assert "would mend 1 object of the store" in dry.err
    assert wrong(examined(terminal, status=1))
    after = examined(terminal, "--fix")
    assert not [one for one in after if one["state"] == "problem"]
    assert installed.read_bytes() == before
    assert any(name.startswith("mol-a") and name != "mol-a.formula.toml" for name in os.listdir(formulas))


def test_what_is_missing_is_put_back(formulas, terminal):
    (formulas / "mol-a.formula.toml").unlink()
    assert "is missing" in wrong(examined(terminal, status=1))["installed", "problem"]
    assert not wrong(examined(terminal, "--fix"))


def test_a_broken_manifest_does_not_hide_the_rest(formulas, terminal):
    assert formulas.is_dir()
    (terminal.cwd / "mmpm.toml").write_text("[formulas\n")
    findings = examined(terminal, status=1)
    assert "mmpm.toml" in wrong(findings)["settings", "problem"]
    assert {"store", "formulas", "molecules"} <= {one["check"] for one in findings}


def test_formulas_that_bd_or_gt_cook_otherwise_are_named(formulas, terminal):
    text = 'formula = "mol-own"\nversion = 1\n[vars.x]\nrequired = true\ndefault = "y"\n[[steps]]\nid = "a"\ntitle = "{{x}}"\n'
    (formulas / "mol-own.formula.toml").write_text(text)
    (formulas / "mol-bad.formula.toml").write_text(
        'formula = "mol-bad"\nversion = 1\n[[steps]]\nid = "a"\nneeds = ["b"]\n'
    )
    findings = examined(terminal, status=1)
    assert "mol-own cooks otherwise under bd" in wrong(findings)["formulas", "warning"]
    assert "mol-bad" in wrong(findings)["formulas", "problem"]


def test_bad_lines_of_catalogues_and_logs_and_changed_digests_are_named(terminal):
    beads = terminal.cwd / ".beads"
    (beads / "mmpm" / "mols").mkdir(parents=True)
    (beads / "mmpm" / "digests").mkdir()
    (beads / "molecules.jsonl").write_text('{"id":"mol-x","labels":["template"]}\nnot json\n')
    (beads / "mmpm" / "mols" / "x-mol-a.jsonl").write_text(LOG + "<<<<<<< ours\n")
    (beads / "mmpm" / "mols" / "x-mol-b.jsonl").write_text(LOG)
    (beads / "mmpm" / "digests" / "x-mol-c.json").write_text("{}")
    found = [one for one in examined(terminal, status=1) if one["state"] != "ok"]
    told = " ".join(one["sentence"] for one in found)
    for part in ("molecules.jsonl", "line 2", "x-mol-a: line 2", "x-mol-b.jsonl", "x-mol-c.json"):
        assert part in told
    assert all(one["remedy"] for one in found)


def test_a_formula_that_leads_out_of_the_project_is_not_read(formulas, terminal):
    secret = terminal.folder / "secret"
    secret.write_text("root:hash:1\n")
    (formulas / "mol-link.formula.toml").symlink_to(secret)
    findings = examined(terminal, status=1)
    assert "mol-link.formula.toml" in wrong(findings)["formulas", "problem"]
    assert "root:hash" not in json.dumps(findings)


def test_records_of_releases_that_are_gone_or_edited_are_named_and_put_back(mall, terminal):
    assert mall
    fragment = terminal.folder / "mol-scan.jsonl"
    fragment.write_text('{"id":"scan","title":"One","labels":["template"]}\n{"id":"scan.1"}\n')
    terminal.run("publish", str(fragment), "--version", "1.0.0", "--to", "../reg", "--yes")
    assert terminal.run("mol", "install", "mol-scan").status == 0
    assert ("catalogue", "warning") not in wrong(examined(terminal))
    catalogue = terminal.home / ".beads" / "molecules.jsonl"
    before = catalogue.read_text()
    catalogue.write_text(before.splitlines(keepends=True)[0])
    told = wrong(examined(terminal))["catalogue", "warning"]
    assert told.endswith("of the tier user are gone or were edited: scan.1")
    assert terminal.run("sync", "--tier", "user").status == 0
    assert catalogue.read_text() == before
    assert ("catalogue", "warning") not in wrong(examined(terminal))


def test_it_prints_a_line_for_each_with_its_remedy(terminal):
    seen = terminal.run("doctor")
    assert seen.status == 0
    assert "registries: no registry is configured\n    fix: `mmpm registry add" in seen.out
    assert "store: 0 objects are whole" in seen.out


def squashed(terminal):
    (terminal.cwd / ".beads").mkdir(exist_ok=True)
    made = terminal.run("mol", "pour", "mol-security-scan", "--var", "polecat_name=a", "--var", "captured_output=b").out
    molecule = made.split()[0]
    assert terminal.run("mol", "squash", molecule, "--summary", "s").status == 0
    return molecule, terminal.cwd / ".beads" / "mmpm" / "digests" / f"{molecule}.json"


def test_a_digest_that_was_made_anew_is_held_against_its_log(terminal):
    molecule, path = squashed(terminal)
    assert not [one for one in examined(terminal) if one["check"] == "molecules" and one["state"] != "ok"]
    digest = replace(Digest.parse(path.read_bytes()), actor="somebody else")
    path.write_bytes(replace(digest, root=root_of(digest)).to_bytes())
    told = wrong(examined(terminal, status=1))["molecules", "problem"]
    assert f"{molecule}.json does not hold: the log of {molecule} was squashed into sha256:" in told
    seen = terminal.run("mol", "show", molecule)
    assert f"{molecule} and its digest tell differently: `mmpm mol verify {molecule}` says what" in seen.err
    exported = terminal.run("mol", "export", molecule)
    assert "its digest is left out" in exported.err
    assert f"{molecule}-digest" not in exported.out


def test_a_log_that_was_changed_after_its_squash_is_a_problem(terminal):
    molecule, _ = squashed(terminal)
    log = terminal.cwd / ".beads" / "mmpm" / "mols" / f"{molecule}.jsonl"
    log.write_bytes(log.read_bytes().replace(b"Security scan", b"Security skan"))
    assert "tells otherwise of: title" in wrong(examined(terminal, status=1))["molecules", "problem"]


def test_a_digest_that_is_gone_is_missed(terminal):
    molecule, path = squashed(terminal)
    path.unlink()
    assert "that digest is not here" in wrong(examined(terminal))["molecules", "warning"]
    assert "(it is not here)" in terminal.run("mol", "show", molecule).out


def test_formulas_of_a_rig_without_a_manifest_are_looked_at(terminal):
    folder = terminal.cwd / ".beads" / "formulas"
    folder.mkdir(parents=True)
    (folder / "mol-rig.formula.toml").write_text('formula = "mol-rig"\n[[steps]]\nid = "a"\nneeds = ["a"]\n')
    (folder / "x\nSPOOF: y.formula.toml").write_text((folder / "mol-rig.formula.toml").read_text())
    found = examined(terminal, status=1)
    assert "mol-rig cannot be cooked" in wrong(found)["formulas", "problem"]
    assert "SPOOF" not in {line.strip().partition(":")[0] for line in terminal.run("doctor").out.splitlines()}
