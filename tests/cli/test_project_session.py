"""A project's life without any registry: init, import, sync, verify, fork, adopt, export, uninstall."""

from __future__ import annotations

import json

import pytest

FORMULA = 'formula = "mol-hello"\nversion = 2\ndescription = "d"\n\n[[steps]]\nid = "one"\ntitle = "One"\n'


@pytest.fixture
def project(terminal):
    (terminal.cwd / "mol-hello.formula.toml").write_text(FORMULA)
    return terminal


def test_a_project_s_life(project):
    project.play(
        """
        $ mmpm init
        Made ~/rig/mmpm.toml
        $ mmpm init
        ~/rig has an mmpm.toml already
        $ mmpm import mol-hello.formula.toml --quiet
        Installed: mol-hello@2.0.0
        $ mmpm sync --quiet
        $ mmpm verify --quiet
        ✓ 1 formula, 1 file: as installed
        $ mmpm fork mol-hello mol-mine --quiet
        Forked mol-hello as mol-mine: edit it freely
        $ mmpm list --installed
        mol-hello 2.0.0 [local]
        $ mmpm adopt mol-mine --quiet
        Adopted mol-mine
        $ mmpm uninstall mol-mine --quiet
        Removed: mol-mine@2.0.0
        $ mmpm remove mol-mine --quiet
        error[not-installed]: mol-mine is not installed in ~/rig
          fix: `mmpm list` shows what is installed
        [exit 1]
        $ mmpm uninstall
        Tier: project, ~/rig (the nearest mmpm.toml)
        error[usage]: uninstall: name at least one formula
          fix: run `mmpm --help`
        [exit 2]
        """
    )


def test_what_is_exported_is_what_was_imported(project):
    project.run("init")
    project.run("import", "mol-hello.formula.toml")
    assert project.run("export", "mol-hello").out == FORMULA
    assert project.run("export", "mol-hello@2.0.0").out == FORMULA
    assert project.run("export", "mol-hello@1.0.0").status == 1


def test_an_edited_file_is_named_kept_and_mended(project):
    project.run("init")
    project.run("import", "mol-hello.formula.toml")
    path = project.cwd / ".beads/formulas/mol-hello.formula.toml"
    path.unlink()
    path.write_text("mine")
    project.play(
        """
        $ mmpm verify --quiet
        ✗ mol-hello 2.0.0: mol-hello.formula.toml was edited
        [exit 1]
        $ mmpm sync --check --quiet
        error[drift]: what is installed in ~/rig is not what manifest and lock say: sync would set aside mol-hello.formula.toml; mend mol-hello 2.0.0
          fix: run `mmpm sync`
        [exit 1]
        """
    )
    seen = project.run("sync")
    assert "mol-hello.formula.toml had other bytes than we install; they are kept as " in seen.err
    assert seen.out == "Mended: mol-hello@2.0.0\n"
    assert path.read_text() == FORMULA


def test_a_dry_run_of_a_sync_says_what_it_would_do_and_does_nothing(project):
    project.run("init")
    project.run("import", "mol-hello.formula.toml")
    path = project.cwd / ".beads/formulas/mol-hello.formula.toml"
    path.unlink()
    document = json.loads(project.run("sync", "--dry-run", "--json").out)
    assert document["applied"] is False
    assert [action["action"] for action in document["plan"]["actions"]] == ["set-root", "replace-tree", "note-state"]
    assert not path.exists()


def test_a_merge_conflict_in_the_lock_is_named_with_its_line(project):
    project.run("init")
    project.run("import", "mol-hello.formula.toml")
    lock = project.cwd / "mmpm.lock"
    lock.write_text(lock.read_text().replace('"releases":[\n', '"releases":[\n<<<<<<< HEAD\n'))
    project.play(
        """
        $ mmpm sync --frozen --quiet
        error[document-unreadable]: mmpm.lock (line 6): has merge-conflict markers
          fix: run `mmpm lock`, then commit mmpm.lock
        [exit 1]
        """
    )
