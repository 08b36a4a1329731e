"""`install`, `lock`, `upgrade`, `pin`, `unpin`, `debug solve` as a person sees them, piped."""

from __future__ import annotations

import io
import json
import re
import shutil

import pytest
from world import formula_text

from mmpm.lock import format_lock, parse_lock

TIER = "Tier: project, ~/rig (the nearest mmpm.toml)"


@pytest.mark.usefixtures("mall")
def test_installing_brings_what_is_needed_and_says_so(terminal):
    terminal.play(
        f"""
        $ mmpm install mol-b
        {TIER}
        Resolving mol-b...
        Registry: molmall.example
        Version: 1.0.0 (latest)
        Author: someone@example.com
        Skills: testing
        Downloading... ✓
        Verifying checksum... ✓
        Installed to: ~/rig/.beads/formulas/mol-b.formula.toml
        Also installed: mol-a@1.1.0
        $ mmpm install mol-b
        {TIER}
        Resolving mol-b...
        Registry: molmall.example
        Version: 1.0.0 (latest)
        Author: someone@example.com
        Skills: testing
        mol-b is installed already
        """
    )
    assert 'mol-b = "*"' in (terminal.cwd / "mmpm.toml").read_text()


def test_a_pin_is_an_exact_version_in_the_manifest_that_unpin_takes_back(terminal, mall):
    terminal.run("install", "mol-a@1.0.0")
    terminal.play(
        f"""
        $ mmpm upgrade
        {TIER}
        Checking for updates...
        mol-a: 1.1.0 exists, but mmpm.toml asks for 1.0.0 (`mmpm unpin mol-a`)
        Everything is up to date
        $ mmpm unpin mol-a@^1
        {TIER}
        Unpinned: mol-a (^1)
        $ mmpm upgrade mol-a --yes
        {TIER}
        Checking for updates...
        Current: 1.0.0
        Latest: 1.1.0
        Changelog for 1.1.0:
        - What 1.1.0 brings
        Downloading... ✓
        Installed: mol-a@1.1.0
        $ mmpm pin mol-a
        {TIER}
        Pinned: mol-a@1.1.0
        """
    )
    assert 'mol-a = {version = "1.1.0", was = "^1"}' in (terminal.cwd / "mmpm.toml").read_text()
    mall(("mol-a", "1.2.0"))
    assert terminal.run("install", "mol-b").status == 0
    lock = parse_lock((terminal.cwd / "mmpm.lock").read_bytes())
    assert {one.name: (one.version, one.pinned) for one in lock.releases} == {
        "mol-a": ("1.1.0", True),
        "mol-b": ("1.0.0", False),
    }


def test_an_upgrade_shows_every_changelog_on_the_way_and_asks(terminal, mall):
    terminal.run("install", "mol-a@^1")
    mall(("mol-a", "1.2.0"), ("mol-a", "1.3.0-rc.1"), ("mol-a", "1.3.0"), ("mol-a", "2.0.0"))
    seen = terminal.run("upgrade", "mol-a")
    assert seen.status == 2
    assert "Changelog for 1.3.0:\n- What 1.3.0 brings\nChangelog for 1.2.0:\n- What 1.2.0 brings\n" in seen.err
    assert "rc.1" not in seen.err
    assert "mol-a: 2.0.0 exists, but mmpm.toml asks for ^1 (`mmpm install mol-a@^2.0.0`)" in seen.err
    assert parse_lock((terminal.cwd / "mmpm.lock").read_bytes()).releases[0].version == "1.1.0"


def test_of_many_changelogs_the_newest_ten_are_shown_unless_all_are_wanted(terminal, mall):
    terminal.run("install", "mol-a@^1")
    mall(*(("mol-a", f"1.{minor}.0") for minor in range(2, 15)))
    seen = terminal.run("upgrade", "mol-a").err
    assert seen.count("Changelog for ") == 10
    assert "Changelog for 1.5.0:\n- What 1.5.0 brings\nand 3 more (`--verbose` shows all; " in seen
    assert "`mmpm show mol-a@1.4.0` one of them)\n" in seen
    assert terminal.run("upgrade", "mol-a", "--verbose").err.count("Changelog for ") == 13
    document = json.loads(terminal.run("upgrade", "mol-a", "--json", "--yes").out)
    assert len(document["moves"][0]["changelogs"]) == 13


@pytest.mark.usefixtures("mall")
def test_of_several_each_name_stands_above_what_was_chosen_for_it(terminal):
    terminal.play(
        f"""
        $ mmpm install mol-b mol-a
        {TIER}
        Resolving mol-b...
        Registry: molmall.example
        Version: 1.0.0 (latest)
        Author: someone@example.com
        Skills: testing
        Resolving mol-a...
        Registry: molmall.example
        Version: 1.1.0 (latest)
        Author: someone@example.com
        Skills: testing
        Downloading... ✓
        Verifying checksum... ✓
        Installed to: ~/rig/.beads/formulas/mol-b.formula.toml
        Installed to: ~/rig/.beads/formulas/mol-a.formula.toml
        """
    )


@pytest.mark.usefixtures("mall")
def test_what_cannot_be_met_is_explained_and_changes_nothing(terminal):
    before = (terminal.cwd / "mmpm.toml").read_bytes()
    terminal.play(
        f"""
        $ mmpm install mol-b mol-a@2
        {TIER}
        Resolving mol-b...
        Resolving mol-a@2...
        error[no-solution]: no set of releases meets the requirements
          You ask for mol-a@2 (molmall.example), which no release fits.
          molmall.example has mol-a 1.1.0 and 1.0.0.
          fix: ask for a version that can be had: `mmpm install mol-a@1.1.0`, or do without it
        [exit 3]
        $ mmpm install mol-b@2
        {TIER}
        Resolving mol-b@2...
        error[no-solution]: no set of releases meets the requirements
          You ask for mol-b@2 (molmall.example), but what would fit is a pre-release.
          molmall.example has mol-b 1.0.0.
          molmall.example has mol-b 2.0.0-rc.1, which is a pre-release that nothing asks for.
          fix: allow the pre-release: `mmpm install --pre mol-b@2` or `mmpm install mol-b@2.0.0-rc.1`
               ask for a version that can be had: `mmpm install mol-b@1.0.0`, or do without it
        [exit 3]
        """
    )
    assert (terminal.cwd / "mmpm.toml").read_bytes() == before
    assert not (terminal.cwd / "mmpm.lock").exists()


@pytest.mark.usefixtures("mall")
def test_a_pre_release_is_installed_when_it_is_allowed(terminal):
    assert terminal.run("install", "mol-b@2", "--pre").status == 0
    assert parse_lock((terminal.cwd / "mmpm.lock").read_bytes()).get("mol-b").version == "2.0.0-rc.1"


@pytest.mark.usefixtures("mall")
def test_a_formula_can_be_installed_under_another_name_and_without_being_saved(terminal):
    assert terminal.run("install", "mol-a", "--as", "mol-mine", "--no-save").status == 0
    assert (terminal.cwd / ".beads" / "formulas" / "mol-mine.formula.toml").is_file()
    assert "mol-a" not in (terminal.cwd / "mmpm.toml").read_text()
    assert terminal.run("install", "mol-a", "mol-b", "--as", "mol-mine").status == 2


@pytest.mark.usefixtures("mall")
def test_lock_writes_the_lock_alone_and_check_compares(terminal):
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\nmol-b = "*"\n')
    assert terminal.run("lock", "--check").status == 1
    terminal.play(
        f"""
        $ mmpm lock
        {TIER}
        Locked: ~/rig/mmpm.lock
        $ mmpm lock --check
        {TIER}
        The lock is up to date
        """
    )
    assert not (terminal.cwd / ".beads" / "formulas").exists()


@pytest.mark.usefixtures("mall")
def test_a_lock_with_marks_of_a_merge_is_mended_by_lock(terminal):
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\nmol-a = "*"\nmol-b = "*"\n')
    terminal.run("lock")
    path = terminal.cwd / "mmpm.lock"
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    mine = next(line for line in lines if line.startswith(b'{"name":"mol-a"'))
    theirs = mine.replace(b"1.1.0", b"1.0.0")
    path.write_bytes(good.replace(mine, b"<<<<<<< mine\n" + mine + b"=======\n" + theirs + b">>>>>>> theirs\n"))
    assert terminal.run("sync").status == 1
    assert terminal.run("lock").status == 0
    assert path.read_bytes() == good == format_lock(parse_lock(good))


def test_a_pin_of_something_unknown_is_refused(terminal, mall):
    assert mall
    assert terminal.run("pin", "mol-a").status == 1
    assert terminal.run("pin", "mol-a@^1").status == 2
    assert terminal.run("unpin", "mol-a").status == 1
    assert terminal.run("upgrade", "mol-a").status == 1


def test_debug_solve_answers_as_json_one_problem_or_many(terminal):
    good = {"id": 1, "packages": {"a": [{"version": "1.0.0"}]}, "root": {"a": "*"}}
    path = terminal.cwd / "problem.json"
    path.write_text(json.dumps(good))
    seen = terminal.run("debug", "solve", "problem.json")
    assert (seen.status, json.loads(seen.out)) == (0, {"id": 1, "solution": {"a": "1.0.0"}})
    path.write_text("\n".join([json.dumps(good), "{}", "[", json.dumps(good | {"id": 2, "root": {"b": "*"}})]))
    seen = terminal.run("debug", "solve", "problem.json", "--batch")
    first, second, third, fourth = map(json.loads, seen.out.splitlines())
    assert seen.status == 1
    assert (first, second) == ({"id": 1, "solution": {"a": "1.0.0"}}, {"solution": {}})
    assert set(third) == {"error"}
    assert fourth["unsat"] is True
    assert "b is in no registry" in fourth["explanation"]


@pytest.mark.parametrize("words", [("-",), ("--batch", "-"), ("-", "--batch"), ("--", "-")])
def test_a_hyphen_is_standard_input(terminal, monkeypatch, words):
    problem = json.dumps({"packages": {"a": [{"version": "1.0.0"}]}, "root": {"a": "*"}})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(problem.encode())))
    assert json.loads(terminal.run("debug", "solve", *words).out) == {"solution": {"a": "1.0.0"}}


def test_a_formula_is_imported_from_standard_input_by_a_hyphen_too(terminal, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(formula_text("mol-a", "1.0.0", {}).encode())))
    assert terminal.run("init").status == 0
    assert terminal.run("import", "-", "--name", "mol-b").status == 0
    assert (terminal.cwd / ".beads/formulas/mol-b.formula.toml").is_file()


def test_a_hyphen_is_one_operand_too_many_where_there_is_none(terminal):
    seen = terminal.run("outdated", "-")
    assert (seen.status, "'-' is one operand too many" in seen.err) == (2, True)


def test_conflict_markers_in_the_manifest_are_named(terminal):
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\n<<<<<<< HEAD\na = "1"\n=======\nb = "1"\n>>>>>>> other\n')
    seen = terminal.run("lock")
    assert seen.status == 2
    assert "mmpm.toml has merge-conflict markers (at line 2)" in seen.err
    assert "keep there what both sides ask for" in seen.err


@pytest.mark.usefixtures("mall")
def test_a_slip_in_a_name_is_answered_with_names_that_registries_have(terminal):
    assert terminal.run("update").status == 0
    assert "fix: did you mean mol-a or mol-b?" in terminal.run("install", "mol-x").err
    assert "fix: did you mean mol-a or mol-b?" in terminal.run("show", "mol-x").err
    assert "did you mean" not in terminal.run("show", "mol-a@9").err


@pytest.mark.usefixtures("mall")
def test_who_else_has_a_name_that_is_bound_to_a_registry_is_told(terminal):
    made = terminal.run("registry", "init", "../acme", "--id", "acme.example", "--no-passphrase", "--yes")
    fingerprint = re.search(r"[0-9a-f]{64}", made.out)[0]
    assert terminal.run("registry", "add", "../acme", "--root", fingerprint).status == 0
    assert terminal.run("update").status == 0
    manifest = terminal.cwd / "mmpm.toml"
    manifest.write_text('[formulas]\nmol-a = {version = "*", registry = "acme.example"}\n')
    seen = terminal.run("lock")
    assert "mol-a is not in acme.example, from where the project asks for it." in seen.err
    assert "molmall.example has it, and is not asked for it." in seen.err
    assert terminal.run("install", "hop://molmall.example/formulas/mol-a").status == 0


@pytest.mark.parametrize("path", ["./nope.formula.toml", "nope.formula.toml", "../nope", "~/nope", "nope/nope.tar.gz"])
def test_a_path_where_nothing_lies_is_no_misspelled_name(terminal, path):
    seen = terminal.run("install", path)
    assert seen.status == 1
    assert "no such file or folder" in seen.err


def test_a_scoped_name_is_no_path(terminal):
    assert "@acme/nope is in no registry" in terminal.run("install", "@acme/nope").err


@pytest.mark.usefixtures("mall")
def test_a_release_is_exported_from_the_registry_where_another_or_none_is_installed(terminal):
    assert terminal.run("export", "mol-a").status == 1
    old = terminal.run("export", "mol-a@1.0.0")
    assert (old.status, old.out) == (0, formula_text("mol-a", "1.0.0", {}))
    terminal.run("install", "mol-a@1.0.0")
    assert terminal.run("export", "mol-a").out == old.out
    assert terminal.run("export", "mol-a@1").out == old.out
    assert terminal.run("export", "mol-a@1.1").out == formula_text("mol-a", "1.1.0", {})
    assert terminal.run("export", "mol-a@7").status == 1
    assert not (terminal.cwd / ".beads/formulas/mol-b.formula.toml").exists()


def test_a_receipt_of_the_seed_is_kept_and_its_files_come_from_the_registry(terminal, mall):
    terminal.run("install", "mol-a@1.0.0")
    receipt = terminal.cwd / ".beads/formulas/.lock.json"
    entry = json.loads(receipt.read_text())["formulas"]["mol-a"]
    fields = ("version", "pinned", "checksum", "installed_at", "source")
    receipt.write_text(json.dumps({"version": 1, "formulas": {"mol-a": {field: entry[field] for field in fields}}}))
    for path in ("mmpm.toml", "mmpm.lock", ".beads/formulas/mol-a.formula.toml"):
        (terminal.cwd / path).unlink()
    seed = receipt.read_bytes()
    assert terminal.run("sync", "--project", ".").status == 0
    assert json.loads(receipt.read_text())["formulas"]["mol-a"]["tree"] == entry["tree"]
    assert (terminal.cwd / ".beads/formulas/mol-a.formula.toml").exists()
    (terminal.cwd / "mmpm.lock").unlink()
    receipt.write_bytes(seed)
    assert "mol-a" not in terminal.run("upgrade", "--yes", "--project", ".").out
    assert not (terminal.cwd / "mmpm.toml").exists()
    (terminal.cwd / "mmpm.lock").unlink()
    receipt.write_bytes(seed)
    mall(("mol-c", "1.0.0"))
    assert terminal.run("install", "mol-c", "--project", ".").status == 0
    assert 'mol-a = "1.0.0"\nmol-c = "*"' in (terminal.cwd / "mmpm.toml").read_text()
    assert terminal.run("list", "--installed").out == "mol-a 1.0.0 [pinned]\nmol-c 1.0.0 [latest]\n"


@pytest.mark.usefixtures("mall")
def test_a_release_whose_listing_nobody_has_is_named(terminal):
    terminal.run("update")
    shutil.rmtree(terminal.folder / "home" / "reg" / "objects")
    seen = terminal.run("install", "mol-a@1.0.0")
    assert "error[objects-missing]: files of mol-a@1.0.0 are not in the store" in seen.err


@pytest.mark.usefixtures("mall")
def test_every_change_of_the_formulas_folder_says_to_programs_what_came_of_it(terminal):
    path = terminal.cwd / "mol-own.formula.toml"
    path.write_text(formula_text("mol-own", "1.0.0", {}))
    lines = [
        ("install", "mol-a@1.0.0"),
        ("install", "mol-a@1.0.0"),
        ("pin", "mol-a"),
        ("unpin", "mol-a@^1"),
        ("upgrade", "--yes"),
        ("import", str(path)),
        ("sync",),
        ("uninstall", "mol-own"),
    ]
    for line in lines:
        seen = json.loads(terminal.run(*line, "--json").out)
        assert {"applied", "plan", "linked", "copied", "fetched_bytes", "kept"} <= seen.keys(), line


@pytest.mark.usefixtures("mall")
def test_unpin_puts_back_what_stood_there_before_the_pin(terminal):
    manifest = terminal.cwd / "mmpm.toml"
    terminal.run("install", "mol-b@^1")
    before = manifest.read_text()
    assert terminal.run("pin", "mol-b").status == 0
    assert terminal.run("pin", "mol-b@1.0.0").status == 0
    assert 'mol-b = {version = "1.0.0", was = "^1"}' in manifest.read_text()
    assert terminal.run("pin", "mol-a").status == 0
    assert 'mol-a = {version = "1.1.0", was = ""}' in manifest.read_text()
    assert terminal.run("unpin", "mol-b").out == "Unpinned: mol-b (^1)\n"
    assert terminal.run("unpin", "mol-a").out == "Unpinned: mol-a (as others require it)\n"
    assert manifest.read_text() == before
    lock = parse_lock((terminal.cwd / "mmpm.lock").read_bytes())
    assert [(one.name, one.version, one.pinned) for one in lock.releases] == [
        ("mol-a", "1.1.0", False),
        ("mol-b", "1.0.0", False),
    ]


def test_lock_where_there_is_nothing_says_so(terminal):
    seen = terminal.run("lock", "--project", ".")
    assert (seen.status, seen.err.splitlines()[-1]) == (0, "There is neither mmpm.toml nor mmpm.lock: nothing to lock")
