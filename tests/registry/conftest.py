"""One registry and one machine that reads it, for the modules about refreshing."""

from __future__ import annotations

import pytest
from registry_reader import ID, Reader
from signed_tree import SignedTree


@pytest.fixture
def tree(tmp_path):
    made = SignedTree(tmp_path / "registry", ID)
    made.release("mol-a", "1.0.0", "1.1.0")
    made.release("mol-b", "1.0.0", requires={"mol-a": "^1"})
    made.release("@acme/mol-c", "1.0.0")
    made.show()
    return made


@pytest.fixture
def reader(tmp_path, tree):
    return Reader(tmp_path / "machine", tree)
