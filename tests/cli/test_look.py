"""`mmpm list` and `mmpm show` as a person sees them."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
from signed_tree import START, SignedTree

from mmpm.receipt import Installed, InstalledFile, Receipt, format_receipt
from mmpm_store.ids import ObjectId

TEXT = b'formula = "mol-a"\nversion = 4\ndescription = "Does A."\n'


def installed(name, version, *, pinned=False, requested="*", data=TEXT, **other):
    base = other.get("alias") or name.rpartition("/")[2]
    return Installed(
        name=name,
        version=version,
        pinned=pinned,
        checksum="sha256:" + "0" * 64,
        installed_at="2026-01-10T00:00:00Z",
        source=f"hop://molmall.example/formulas/{name}@{version}",
        tree="blake3:" + "0" * 64,
        requested=requested,
        files=(InstalledFile(f"{base}.formula.toml", str(ObjectId.of(data)), executable=False),),
        **other,
    )


@pytest.fixture
def project(terminal):
    """A folder with a manifest, and a function that puts releases and files into its formulas folder."""
    folder = terminal.cwd / ".beads" / "formulas"
    folder.mkdir(parents=True)
    (terminal.cwd / "mmpm.toml").touch()

    def put(*entries, **files):
        (folder / ".lock.json").write_bytes(format_receipt(Receipt(tuple(sorted(entries, key=lambda one: one.name)))))
        for entry in entries:
            for file in entry.files:
                (folder / file.path).write_bytes(TEXT)
        for name, text in files.items():
            (folder / f"{name.replace('_', '-')}.formula.toml").write_text(text)
        return folder

    return put


def test_installed_formulas_are_listed_as_in_the_seed(terminal, project):
    project(
        installed("mol-polecat-work", "4.0.0", pinned=True, requested="4.0.0"),
        installed("mol-review", "1.2.0", requested="^1"),
        installed("mol-other", "1.0.0"),
        mine="",
    )
    terminal.play(
        """
        $ mmpm list --installed
        mol-other 1.0.0
        mol-polecat-work 4.0.0 [pinned]
        mol-review 1.2.0 [^1]
        """
    )


def test_files_that_nobody_installed_are_unmanaged(terminal, project):
    project(installed("mol-a", "4.0.0"), my_own="x")
    terminal.play(
        """
        $ mmpm list --tier project
        mol-a 4.0.0
        my-own unmanaged
        """
    )


def test_edited_and_missing_files_are_seen(terminal, project):
    folder = project(installed("mol-a", "4.0.0"), installed("mol-b", "1.0.0"), installed("mol-c", "1.0.0"))
    (folder / "mol-a.formula.toml").write_text("mine")
    (folder / "mol-b.formula.toml").unlink()
    terminal.play(
        """
        $ mmpm list --installed
        mol-a 4.0.0 edited
        mol-b 1.0.0 missing
        mol-c 1.0.0
        """
    )


def test_another_name_on_disk_is_shown(terminal, project):
    project(installed("@acme/mol-deploy", "2.0.0", alias="our-deploy"))
    assert terminal.run("list", "--installed").out == "@acme/mol-deploy as our-deploy 2.0.0\n"


def test_what_a_nearer_tier_hides_is_said(terminal, project):
    project(installed("mol-incident", "9.0.0"))
    out = terminal.run("list").out
    assert out.startswith(f"project: {terminal.cwd}/.beads/formulas\n  mol-incident 9.0.0\nsystem: ")
    assert "  mol-incident 1.0.0 [official] (hidden by project)\n" in out


def test_a_hostile_file_name_is_listed_harmlessly(terminal, project):
    folder = project()
    (folder / "a\x1b[2Jb.formula.toml").touch()
    assert terminal.run("list", "--tier", "project").out == "a\\x1b[2Jb unmanaged\n"


def test_the_list_for_programs_has_every_field(terminal, project):
    project(installed("mol-a", "4.0.0", pinned=True))
    document = json.loads(terminal.run("list", "--installed", "--json").out)
    assert document["schema"] == "mmpm.list/1"
    (tier,) = document["tiers"]
    assert tier["tier"] == "project"
    assert tier["formulas"][0]["state"] == "pinned"


def test_nothing_installed_is_said_in_words(terminal):
    terminal.play(
        """
        $ mmpm list --installed
        Nothing is installed
        """
    )


def test_of_a_long_description_the_first_paragraph_is_shown_and_the_whole_on_demand(terminal, project):
    text = 'formula = "mol-long"\nversion = 1\ndescription = """\nDoes one thing,\nand well.\n\n## How\nSo."""\n'
    project(mol_long=text)
    out = terminal.run("show", "mol-long").out
    assert '"Does one thing,\nand well."\n(and 3 more lines: mmpm show mol-long --verbose)\n' in out
    assert '"Does one thing,\nand well.\n\n## How\nSo."\n' in terminal.run("show", "mol-long", "-v").out
    assert json.loads(terminal.run("show", "mol-long", "--json").out)["about"]["description"].endswith("So.")
    project(mol_long=text.replace("\n\n", "\n" + "more\n" * 20))
    assert "(and 12 more lines: " in terminal.run("show", "mol-long").out


def test_resolution_names_every_tier_and_the_file_that_is_used(terminal, project):
    project(mol_incident=TEXT.decode().replace("mol-a", "mol-incident"))
    seen = terminal.tidy(terminal.run("show", "mol-incident", "--resolve").out)
    assert '"Does A."\n' in seen
    resolution = seen.partition("Resolution (the first hit is used):\n")[2].splitlines()
    assert resolution[0] == "  1. project: unmanaged ~/rig/.beads/formulas/mol-incident.formula.toml ✓"
    assert resolution[1] == "  2. user: -"
    assert resolution[2].startswith("  3. system: 1.0.0 [official] ")
    assert resolution[2].endswith(" hidden by project")


@pytest.fixture
def registry(terminal):
    """A registry in a folder, its root key pinned by configuration."""
    tree = SignedTree(terminal.folder / "registry", "molmall.example")
    tree.release("mol-a", "4.0.0", "4.1.0", "4.2.0", "5.0.0-rc.1")
    tree.release("mol-b", "1.0.0", "1.1.0", requires={"mol-a": "^4"})
    tree.yank("mol-b", "1.0.0")
    tree.show()
    (terminal.home / ".config" / "mmpm").mkdir(parents=True)
    (terminal.home / ".config" / "mmpm" / "config.toml").write_text(
        f'[[registries]]\nid = "{tree.id}"\nurls = ["{tree.folder}"]\nroot = "{tree.fingerprint}"\n'
    )
    terminal.now = START + timedelta(hours=1)
    return tree


@pytest.mark.usefixtures("registry")
def test_newer_versions_are_told_apart_from_the_latest(terminal, project):
    terminal.run("show", "mol-a")
    terminal.run("show", "mol-b")
    project(installed("mol-a", "4.1.0", requested="^4"), installed("mol-b", "1.1.0"))
    terminal.play(
        """
        $ mmpm list --installed
        mol-a 4.1.0 [^4, 4.2.0 available]
        mol-b 1.1.0 [latest]
        """
    )
    project(installed("mol-a", "4.1.0", requested="~4.1"), installed("mol-b", "1.0.0", pinned=True, requested="1.0.0"))
    terminal.play(
        """
        $ mmpm list --installed
        mol-a 4.1.0 [~4.1]
        mol-b 1.0.0 [pinned, yanked: broken]
        """
    )


def test_what_else_was_asked_for_does_not_hide_the_list(terminal, project, registry):
    registry.release("mol-pre", "1.0.0-rc.1", "1.0.0-rc.2")
    registry.show()
    for name in ("mol-a", "mol-b", "mol-pre"):
        terminal.run("show", name)
    project(
        installed("mol-a", "4.1.0", requested="^4; registry=molmall.example; as=mol-z", alias="mol-z"),
        installed("mol-b", "1.1.0", requested="what is no range"),
        installed("mol-pre", "1.0.0-rc.1", requested="*; pre"),
    )
    terminal.play(
        """
        $ mmpm list --installed
        mol-b 1.1.0 [latest]
        mol-pre 1.0.0-rc.1 [1.0.0-rc.2 available]
        mol-a as mol-z 4.1.0 [^4, 4.2.0 available]
        """
    )
    for name in ("mol-a", "mol-b", "mol-pre"):
        assert terminal.run("show", name).status == 0
    tier = json.loads(terminal.run("list", "--installed", "--json").out)["tiers"][0]
    assert [(one["requested"], one["prerelease"]) for one in tier["formulas"][1:]] == [("*", True), ("^4", False)]


def test_a_withdrawn_version_is_marked_and_not_the_latest(terminal, project, registry):
    registry.yank("mol-b", "1.1.0")
    registry.show()
    terminal.run("show", "mol-b")
    project(installed("mol-b", "1.1.0"))
    assert terminal.run("list", "--installed").out == "mol-b 1.1.0 [yanked: broken]\n"
    project(installed("mol-b", "1.1.0", requested="1.1"))
    assert terminal.run("list", "--installed").out == "mol-b 1.1.0 [1.1, yanked: broken]\n"
    project(installed("mol-b", "1.1.0", requested="1.1.0", pinned=True))
    assert terminal.run("list", "--installed").out == "mol-b 1.1.0 [pinned, yanked: broken]\n"


@pytest.mark.usefixtures("registry")
def test_show_says_what_the_registry_publishes(terminal):
    out = terminal.run("show", "mol-b").out
    assert out.splitlines()[:4] == [
        "mol-b 1.1.0 (latest)",
        "Registry: molmall.example",
        "Versions: 1.1.0, 1.0.0 (yanked)",
        "Published: 2026-11-01T00:00:00Z",
    ]
    assert terminal.run("show", "mol-a@4.1").out.startswith("mol-a 4.1.0\n")
    assert terminal.run("show", "mol-b@1.0.0").out.startswith("mol-b 1.0.0 (yanked: broken)\n")


def test_provenance_names_snapshot_and_root_key(terminal, registry):
    out = terminal.run("show", "mol-b", "--provenance").out
    assert "  Source: hop://molmall.example/formulas/mol-b@1.1.0\n" in out
    assert f"  Root key: sha256:{registry.fingerprint}\n" in out


def test_what_was_seen_once_is_shown_offline(terminal, registry):
    online = terminal.run("show", "mol-b").out
    shutil.rmtree(registry.folder)
    assert terminal.run("--offline", "show", "mol-b").out == online


def test_an_unreachable_registry_does_not_hide_what_lies_here(terminal, registry):
    shutil.rmtree(registry.folder)
    seen = terminal.run("show", "mol-incident")
    assert seen.status == 0
    assert seen.out.startswith("mol-incident 1.0.0\n")
    assert seen.err.startswith("warning: registry molmall.example")
    assert terminal.run("show", "mol-b").status == 5


@pytest.mark.usefixtures("registry")
def test_a_name_or_version_that_is_not_there_is_refused_with_the_reason(terminal):
    terminal.play(
        """
        $ mmpm show mol-nope
        error[not-found]: there is no mol-nope here
          molmall.example: has no such formula
          fix: look at its spelling, run `mmpm update`, or add a registry that has it with `mmpm registry add`
        [exit 1]
        $ mmpm show mol-b@7
        error[not-found]: there is no mol-b@7 here
          molmall.example: no version fits 7; it has 1.1.0, 1.0.0
          fix: look at its spelling, run `mmpm update`, or add a registry that has it with `mmpm registry add`
        [exit 1]
        """
    )
