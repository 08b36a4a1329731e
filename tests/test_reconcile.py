"""Where a release's files lie in a formulas folder."""

from __future__ import annotations

import pytest

from mmpm.errors import ReleaseMalformedError
from mmpm.lock import Locked
from mmpm.reconcile import place_files
from mmpm_store.ids import ObjectId
from mmpm_store.tree import FileEntry, Tree


def tree_of(*paths):
    return Tree.of([FileEntry(path, False, ObjectId.of(path.encode()), 1) for path in paths])


def locked(kind):
    return Locked("@acme/mol-x", "1.0.0", kind, False, "sha256:", "blake3:", 1, "hop://acme.corp/")


@pytest.mark.parametrize("paths", [(), ("mol-x.formula.toml", "mol-y.formula.toml")])
def test_a_formula_that_is_not_one_file_is_refused_before_anything_is_installed(paths):
    with pytest.raises(ReleaseMalformedError):
        place_files(locked("formula"), tree_of(*paths))


def test_a_formula_is_installed_under_its_own_name_whatever_its_file_is_called():
    assert [file.path for file in place_files(locked("formula"), tree_of("mol-y.formula.toml"))] == [
        "mol-x.formula.toml"
    ]


def test_a_bundle_stays_in_its_own_folder_but_for_the_copy_of_its_formula():
    placed = place_files(locked("bundle"), tree_of("formula.toml", "mol-y.formula.toml"))
    assert [file.path for file in placed] == ["mol-x.formula.toml", "mol-x/formula.toml", "mol-x/mol-y.formula.toml"]
