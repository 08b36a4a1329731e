"""What is decided about the end of molecules: lock entries, and what is left alone."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from molecule_roots import MolRoot

from mmpm.lock import Locked, make_lockfile
from mmpm.molecule.events import Provenance
from mmpm.molecule.proto import Source
from mmpm.molecule.state import Molecule
from mmpm.ops.mol_end import entry_of, find_leftovers


def locked(name, version="1.0.0", alias=None):
    return Locked(name, version, "formula", False, "sha256:1", "blake3:2", 3, f"hop://a.example/formulas/{name}@{version}", alias=alias)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "version", "wanted"),
    [
        ("mol-a", "1.0.0", "mol-a"),
        ("mol-a", "", "mol-a"),
        ("mol-a", "2.0.0", None),
        ("mol-b", "1.0.0", "@acme/mol-b"),
        ("@acme/mol-b", "1.0.0", "@acme/mol-b"),
        ("other", "1.0.0", "@acme/mol-c"),
        ("mol-c", "1.0.0", None),
    ],
)
def test_an_entry_is_that_of_the_formula_and_version_that_were_bonded(name, version, wanted):
    lock = make_lockfile(set(), [locked("mol-a"), locked("@acme/mol-b"), locked("@acme/mol-c", alias="other")])
    entry = entry_of(lock, Molecule(provenance=Provenance(name, version)))
    assert entry.get("name") == wanted
    assert all(isinstance(value, str) and value for value in entry.values())


def test_a_molecule_of_a_catalogue_has_the_entry_of_the_release_that_put_it_there():
    lock = make_lockfile(set(), [locked("mol-scan"), locked("mol-other")])
    source = Source("mol-scan", "1.0.0", "sha256:1")
    assert entry_of(lock, Molecule(provenance=Provenance("scan", sources=(source,))))["name"] == "mol-scan"
    assert (
        entry_of(lock, Molecule(provenance=Provenance("scan", sources=(replace(source, checksum="sha256:9"),)))) == {}
    )
    several = (source, Source("mol-other", "1.0.0", "sha256:1"))
    assert entry_of(lock, Molecule(provenance=Provenance("scan", sources=several))) == {}


def test_only_what_our_own_writing_leaves_is_a_leftover(tmp_path):
    root = MolRoot(tmp_path).begin()
    root.make("pour", "mol-job")
    tail = ".12.0123abcd.tmp"
    ours = [f"{root.places.mols}/.x.jsonl{tail}", f"{root.places.wisps}/..ending{tail}", f"{root.places.audit}"]
    ours[2] = os.path.join(os.path.dirname(root.places.audit), f".audit.jsonl{tail}")
    others = [f"{root.places.mols}/x.tmp", f"{root.places.mols}/.notes", f"{os.path.dirname(root.places.audit)}/.catalogue.json{tail}"]  # fmt: skip
    for path in (*ours, *others):
        with open(path, "wb"):
            pass

    class Here:
        places = root.places

    assert set(find_leftovers(Here())) == set(ours)
    assert root.done("mol", "gc").out == "Removed: 3 files of killed processes\n"
    assert all(os.path.exists(path) for path in others)
