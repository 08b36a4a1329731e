"""`mmpm new`, `check` and `build` as a person and a program see them."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mmpm.ops.author import plan_new
from mmpm.registry.payload import collect_payload

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PRINTABLE = st.text().filter(str.isprintable)


def test_a_new_formula_passes_the_check(terminal):
    terminal.play(
        """
        $ mmpm new mol-first
        Created mol-first.formula.toml
        $ mmpm check mol-first.formula.toml
        1 formula checked: 0 errors, 0 warnings
        $ mmpm new mol-first
        error[file-in-the-way]: ~/rig/mol-first.formula.toml is there already
          fix: move it away, or choose another name
        [exit 1]
        $ mmpm new Mol
        error[usage]: 'Mol' has the character 'M'; a formula name has only lower-case letters, digits and . _ -
          fix: choose a name such as mol-my-workflow
        [exit 2]
        """
    )


def test_a_new_bundle_passes_the_check_and_is_built_once(terminal):
    terminal.play(
        """
        $ mmpm new @acme/mol-box --bundle --description "Says \\"hello\\"."
        Created mol-box.formula.bundle/
        $ mmpm check .
        1 formula checked: 0 errors, 0 warnings
        """
    )
    first = terminal.run("build", "mol-box.formula.bundle")
    assert first.out == "Built dist/mol-box-1.0.0.bundle.tar.gz\n"
    assert terminal.run("build", "mol-box.formula.bundle").err.startswith(
        "dist/mol-box-1.0.0.bundle.tar.gz is up to date\n"
    )
    archive = terminal.cwd / "dist" / "mol-box-1.0.0.bundle.tar.gz"
    folder, packed = (collect_payload(str(path)) for path in (terminal.cwd / "mol-box.formula.bundle", archive))
    assert packed == folder
    assert str(packed.payload.name) == "@acme/mol-box"
    assert packed.payload.formula.description == 'Says "hello".'
    assert str(folder.payload.checksum) in first.err
    unpacked = subprocess.run(["tar", "xzOf", archive, "mol-box/scripts/check.sh"], capture_output=True, check=True)
    assert unpacked.stdout == (terminal.cwd / "mol-box.formula.bundle/scripts/check.sh").read_bytes()


@given(description=PRINTABLE, author=PRINTABLE)
def test_what_a_person_says_of_a_new_formula_is_read_from_it_again(description, author):
    (action,) = plan_new("mol-first", "/", bundle=False, description=description, author=author).actions
    ((_, data, _),) = action.files
    written = tomllib.loads(data.decode())
    assert written["description"] == (description or "Say in one sentence what mol-first is for.")
    assert written["package"].get("author", "") == author


def test_a_built_formula_has_the_bytes_of_its_file(terminal):
    source = SAMPLES / "formulas" / "mol-crlf" / "1.0.0.formula.toml"
    shutil.copy(source, terminal.cwd / "x.formula.toml")
    shown = json.loads(terminal.run("--json", "build", "x.formula.toml", "-o", "out.toml").out)
    assert (terminal.cwd / "out.toml").read_bytes() == source.read_bytes()
    assert shown["checksum"] == "sha256:" + hashlib.sha256(source.read_bytes()).hexdigest()
    assert (shown["name"], shown["version"], shown["kind"]) == ("mol-crlf", "1.0.0", "formula")


def test_build_writes_over_another_file_only_when_told(terminal):
    (terminal.cwd / "x.formula.toml").write_text('formula = "x"\nversion = 1\ndescription = "d"\n')
    (terminal.cwd / "kept").write_text("mine")
    assert terminal.run("build", "x.formula.toml", "--output", "kept").status == 1
    assert (terminal.cwd / "kept").read_text() == "mine"
    assert terminal.run("--dry-run", "build", "x.formula.toml", "--output", "kept", "--force").status == 0
    assert (terminal.cwd / "kept").read_text() == "mine"
    assert terminal.run("build", "x.formula.toml", "--output", "kept", "--force").status == 0
    assert (terminal.cwd / "kept").read_text().startswith("formula")


def test_check_points_at_file_line_and_column(terminal):
    shutil.copytree(SAMPLES / "broken", terminal.cwd / "broken")
    (terminal.cwd / "fair.formula.toml").write_text(
        'formula = "fair"\nversion = 1\ndescription = "d"\n\n[[steps]]\nid = "a"\ntitle = "{{who}}"\n  needs = ["b"]\n'
    )
    terminal.play(
        r"""
        $ mmpm check broken fair.formula.toml
        broken/backslash.formula.toml:5:29: error[formula-syntax]: unescaped '\' in a string: command = "grep -E '[0-9]+\.[0-9]+' file"
        broken/nameless.formula.toml:1:1: error[formula-invalid]: formula: the formula has no name
        broken/twice.formula.toml:7:8: error[formula-syntax]: cannot declare ('vars', 'a') twice: [vars.a]
        broken/types.formula.toml:3:1: error[formula-invalid]: version: a version is text such as "4.0.0", not '4.0'
        broken/types.formula.toml:4:1: error[formula-invalid]: extends[0]: 'Not A Name' has the character 'N'; a formula name has only lower-case letters, digits and . _ -
        broken/types.formula.toml:9:1: error[formula-invalid]: steps[0].expand: this is not a text
        broken/unclosed.formula.toml:5:1: error[formula-syntax]: unterminated string at the end of the file
        fair.formula.toml:1:1: warning[no-capabilities]: no skills are declared: agents are routed by [capabilities] primary
        fair.formula.toml:7:1: warning[undeclared-variable]: {{who}} is used and not declared in [vars]
        fair.formula.toml:8:3: warning[unknown-need]: 'a' needs 'b', which no item has as id
        6 formulas checked: 7 errors, 3 warnings
        [exit 1]
        """
    )


def test_check_says_a_thing_once(terminal):
    (terminal.cwd / "x.formula.toml").write_text('formula = "x"\nversion = 1\n[capabilities]\nprimary = "go"\n')
    terminal.play(
        """
        $ mmpm check x.formula.toml
        x.formula.toml:3:1: error[formula-invalid]: capabilities: primary is not a list of texts
        1 formula checked: 1 error, 0 warnings
        [exit 1]
        """
    )


def test_check_gives_programs_one_document(terminal):
    (terminal.cwd / "x.formula.toml").write_text('formula = "x"\n')
    seen = terminal.run("--json", "check", "x.formula.toml")
    document = json.loads(seen.out)
    assert seen.status == 0
    assert (document["schema"], document["checked"], document["errors"]) == ("mmpm.check/1", 1, 0)
    assert {finding["code"] for finding in document["findings"]} == {
        "missing-version", "missing-description", "no-capabilities", "no-steps"}  # fmt: skip
    assert document["findings"][0].keys() == {"file", "line", "column", "severity", "code", "key", "message"}


def test_all_samples_pass_the_check(terminal):
    seen = terminal.run(
        "check", str(SAMPLES / "formulas"), str(SAMPLES / "bundles"), str(SAMPLES / "molecules/mol-set.jsonl")
    )
    assert seen.status == 0
    assert seen.out.endswith("19 formulas checked: 0 errors, 1 warning\n")


def test_what_cannot_be_checked_is_said(terminal):
    (terminal.cwd / "empty").mkdir()
    assert terminal.run("check").status == 2
    assert "no formula and no bundle" in terminal.run("check", "empty").err
    assert terminal.run("check", "none").status == 1


def test_no_control_character_of_a_formula_reaches_the_terminal(terminal):
    (terminal.cwd / "x.formula.toml").write_text('formula = "x"\nextends = ["\\u001b[31mred"]\n"\\u001b[2J" = 1\n')
    seen = terminal.run("check", "x.formula.toml")
    assert seen.status == 1
    assert "\x1b" not in seen.both
