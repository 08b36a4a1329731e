"""Releases that no registry gave: import, adopt, fork, export, uninstall, verify."""

from __future__ import annotations

import tomllib

import pytest

from mmpm.errors import (
    FileInTheWayError,
    FormulaSyntaxError,
    NothingToAdoptError,
    NotInstalledError,
    StillRequiredError,
    UsageError,
)
from mmpm.model.ranges import VersionRange
from mmpm.ops.export import export_payload
from mmpm.ops.fork import plan_fork
from mmpm.ops.local import plan_adopt, plan_import
from mmpm.ops.uninstall import drop, plan_uninstall
from mmpm.ops.verify import verify_installed
from mmpm.project.manifest import read_manifest
from mmpm_store.archive import collect_archive

FORMULA = b"""# a comment
formula = "mol-a"
version = 3
description = "d"

[[steps]]
id = "one"
title = "One"
"""
BUNDLE = {"formula.toml": FORMULA.replace(b"mol-a", b"mol-b"), "scripts/run.sh": b"#!/bin/sh\n"}


def test_what_is_imported_needs_no_registry_and_is_locked_by_its_checksum(site):
    site.apply(plan_import(site.context, None, FORMULA))
    (locked,) = site.read_lock().releases
    assert (locked.name, locked.version, locked.source) == ("mol-a", "3.0.0", "import:mol-a@3.0.0")
    assert locked.checksum.startswith("sha256:")
    assert read_manifest(str(site.root / "mmpm.toml")).find("mol-a").range == "3.0.0"
    assert site.files() == {"mol-a.formula.toml": FORMULA}
    site.sync(locked=True)


def test_what_is_exported_can_be_imported(site, tmp_path):
    from sites import Site

    site.install(site.release("@s/mol-b", "1.0.0", BUNDLE, executable=("scripts/run.sh",)))
    data = b"".join(export_payload(site.context, "mol-b"))
    assert {file.path: file.executable for file in collect_archive(data)} == {
        "mol-b/formula.toml": False,
        "mol-b/scripts/run.sh": True,
    }
    elsewhere = Site(tmp_path / "elsewhere")
    elsewhere.apply(plan_import(elsewhere.context, None, data))
    assert elsewhere.files() == site.files()


def test_exporting_gives_what_was_published_and_not_what_was_edited(site):
    site.apply(plan_import(site.context, None, FORMULA))
    path = site.formulas / "mol-a.formula.toml"
    path.unlink()
    path.write_bytes(b"edited")
    assert b"".join(export_payload(site.context, "mol-a", VersionRange.parse("3"))) == FORMULA
    with pytest.raises(NotInstalledError):
        export_payload(site.context, "mol-a", VersionRange.parse("4.0.0"))


def test_what_is_no_formula_is_not_imported(site):
    with pytest.raises(FormulaSyntaxError):
        plan_import(site.context, None, b"= broken")
    assert not (site.root / "mmpm.toml").exists()


def test_an_unmanaged_file_is_adopted_where_it_lies(site):
    site.formulas.mkdir(parents=True)
    path = site.formulas / "mol-a.formula.toml"
    path.write_bytes(FORMULA)
    inode = path.stat().st_ino
    site.apply(plan_adopt(site.context, "mol-a"))
    assert path.stat().st_ino == inode
    assert site.read_lock().releases[0].source == "local:mol-a@3.0.0"
    with pytest.raises(NothingToAdoptError):
        plan_adopt(site.context, "mol-a")


@pytest.mark.parametrize("name", ["mol-x", "../mol-x", ".lock"])
def test_there_must_be_something_to_adopt(site, name):
    with pytest.raises(NothingToAdoptError):
        plan_adopt(site.context, name)


def test_a_fork_is_writable_and_remembers_its_origin(site):
    site.apply(plan_import(site.context, None, FORMULA))
    site.apply(plan_fork(site.context, "mol-a", "mine"))
    path = site.formulas / "mine.formula.toml"
    document = tomllib.loads(path.read_text())
    assert document["formula"] == "mine"
    assert document["package"]["forked_from"] == "import:mol-a@3.0.0"
    assert path.read_text().startswith("# a comment\n")
    assert path.stat().st_mode & 0o200
    with pytest.raises(FileInTheWayError):
        plan_fork(site.context, "mol-a", "mine")
    with pytest.raises(UsageError):
        plan_fork(site.context, "mol-a", "../up")


def test_a_fork_in_place_leaves_manifest_and_lock(site):
    site.apply(plan_import(site.context, None, FORMULA))
    site.apply(plan_fork(site.context, "mol-a"))
    assert site.read_lock().releases == ()
    assert list(site.files()) == ["mol-a.formula.toml"]
    path = site.formulas / "mol-a.formula.toml"
    path.write_bytes(path.read_bytes() + b"# mine\n")
    site.sync()
    assert path.read_bytes().endswith(b"# mine\n")


def test_uninstalling_takes_along_what_nothing_else_requires(site):
    from dataclasses import replace

    base = site.release("base", "1.0.0", b"base")
    one = replace(site.release("one", "1.0.0", b"one"), requires=(("base", "*"),))
    two = replace(site.release("two", "1.0.0", b"two"), requires=(("base", "*"),))
    lock = site.lock(one, two)
    lock = type(lock)(lock.requirements, (base, one, two))
    assert [locked.name for locked in drop(lock, {("formulas", "one")}).releases] == ["base", "two"]
    assert drop(lock, {("formulas", "one"), ("formulas", "two")}).releases == ()
    with pytest.raises(StillRequiredError, match="base is required by one, two"):
        drop(lock, {("formulas", "base")})


def test_uninstalling_edits_the_manifest_and_keeps_its_comments(site):
    site.apply(plan_import(site.context, None, FORMULA))
    manifest = site.root / "mmpm.toml"
    manifest.write_text("# mine\n" + manifest.read_text())
    site.apply(plan_uninstall(site.context, ["mol-a"]))
    assert manifest.read_text().startswith("# mine\n")
    assert "mol-a" not in manifest.read_text()
    assert site.files() == {}
    with pytest.raises(NotInstalledError):
        plan_uninstall(site.context, ["mol-a"])


def test_verify_reads_every_byte(site):
    site.apply(plan_import(site.context, None, FORMULA))
    assert [one.problems for one in verify_installed(site.context)] == [()]
    path = site.formulas / "mol-a.formula.toml"
    times = path.stat()
    path.chmod(0o644)
    path.write_bytes(FORMULA.replace(b"One", b"Two"))
    import os

    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    ((problem,),) = [one.problems for one in verify_installed(site.context)]
    assert "edited" in problem
    path.unlink()
    ((problem,),) = [one.problems for one in verify_installed(site.context)]
    assert "missing" in problem


def test_a_dry_run_of_import_and_adopt_changes_nothing_at_all(site):
    site.install(site.release("mol-x", "1.0.0", b"x"))
    (site.formulas / "mol-a.formula.toml").write_bytes(FORMULA)

    def everything():
        return {
            path: (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
            for path in site.home.rglob("*")
        }

    before = everything()
    for plan in (
        plan_import(site.context, None, FORMULA.replace(b"mol-a", b"mol-c"), dry_run=True),
        plan_adopt(site.context, "mol-a", dry_run=True),
    ):
        assert not plan.is_empty
        assert (plan.fetch, plan.bytes_to_fetch) == ((), 0)
    assert everything() == before
