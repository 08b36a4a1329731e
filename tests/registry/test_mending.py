"""Notes of changed copies: made use of where their writer died, passed over where it lives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from registry_tree import FolderRegistry, formula, verify_aliases

from mmpm.model.names import FormulaName
from mmpm.registry import layout
from mmpm.registry.mending import forget_note, mend_aliases, note_aliases
from mmpm.registry.tree_writer import TreeWriter

NAME = FormulaName.parse("mol-old")


@pytest.fixture
def registry(tmp_path):
    registry = FolderRegistry(tmp_path)
    registry.publish(formula("mol-old"))
    return registry


class MeanwhileForgotten(TreeWriter):
    """A writer during whose work the note's own writer, who lives, removes the note."""

    def replace(self, path: str, data: bytes) -> None:
        super().replace(path, data)
        if path == layout.FORMULAS_LISTING:
            forget_note(self.root, 2)


def notes(registry):
    return [name for name in os.listdir(f"{registry.root}/{layout.STAGING}") if name.startswith("aliases-")]


def test_what_a_dead_publisher_left_is_made_anew(registry):
    page = Path(f"{registry.root}/{layout.index_target('mol-old')}")
    before = page.read_bytes()
    with TreeWriter(registry.root) as writer:
        note_aliases(writer, 2, [NAME])
        writer.replace(layout.index_target("mol-old"), b"{}")
        assert mend_aliases(registry.load(), writer)
    assert page.read_bytes() == before
    assert notes(registry) == []
    verify_aliases(registry)


def test_a_note_that_its_own_writer_removes_meanwhile_disturbs_nobody(registry):
    with MeanwhileForgotten(registry.root) as writer:
        note_aliases(writer, 2, [NAME])
        assert mend_aliases(registry.load(), writer)
    assert notes(registry) == []
    verify_aliases(registry)
