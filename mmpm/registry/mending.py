"""Puts the unsigned copies right after a publisher died between writing them and the timestamp.

Rule: whoever is about to write aliases notes their formulas in a file under `.staging/` first, flushed with them, and
removes it after the timestamp. A note that is still there when somebody else holds the newest claim is of a
publisher that died, or of one that is just past its timestamp and about to remove it; the copies of its formulas are
then made anew from what is signed, which changes nothing in the second case.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.registry import history, layout, rendering

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.registry.documents import CatalogLine
    from mmpm.registry.published import PublishedTree
    from mmpm.registry.tree_writer import TreeWriter

_PREFIX = "aliases-"


def note_aliases(writer: TreeWriter, serial: int, names: Iterable[FormulaName]) -> None:
    """Note that the copies of `names` are about to change."""
    data = json.dumps([str(name) for name in names]).encode()
    writer.replace(f"{layout.STAGING}/{_PREFIX}{serial}.json", data)


def forget_note(root: str, serial: int) -> None:
    """Remove the note: timestamp and copies agree."""
    _remove(f"{root}/{layout.STAGING}/{_PREFIX}{serial}.json")


def mend_aliases(base: PublishedTree, writer: TreeWriter) -> bool:
    """Make the copies of every noted formula anew from `base`; only the holder of the newest claim may.

    Returns:
        Whether there was anything to mend.
    """
    folder = f"{base.root}/{layout.STAGING}"
    notes = [name for name in os.listdir(folder) if name.startswith(_PREFIX)]
    for note in notes:
        for name in _noted(f"{folder}/{note}"):
            _mend(base, name, writer)
    if notes:
        writer.replace(layout.FORMULAS_LISTING, _listing(base))
        for note in notes:
            _remove(f"{folder}/{note}")
    return bool(notes)


def _remove(note: str) -> None:
    with suppress(FileNotFoundError):  # the one who wrote it and the next publisher may both get here
        os.unlink(note)


def _noted(path: str) -> list[FormulaName]:
    try:
        with open(path, "rb") as file:
            return [FormulaName.parse(name) for name in json.loads(file.read())]
    except FileNotFoundError:
        return []  # its writer lives: the timestamp is in place since, and so are the copies
    except (ValueError, TypeError, AttributeError):
        return []  # the power went while it was written; then no copy was written either


def _mend(base: PublishedTree, name: FormulaName, writer: TreeWriter) -> None:
    index = base.index(name)
    past = history.read_history(name, index, base.older_lines(index) if index else ())
    page = layout.index_target(str(name))
    if past:
        line = base.catalog(layout.shard_of(str(name)))[str(name)]
        writer.replace(page, rendering.formula_page(line, past))
    else:
        with suppress(FileNotFoundError):
            os.unlink(f"{base.root}/{page}")
    published = {one.version.slot for one in past}
    folder = os.path.dirname(f"{base.root}/{page}")
    with suppress(FileNotFoundError):
        for entry in os.listdir(folder):
            if os.path.isdir(f"{folder}/{entry}") and _slot(entry) not in published:
                shutil.rmtree(f"{folder}/{entry}", ignore_errors=True)


def _slot(folder: str) -> str | None:
    try:
        return Version.parse(folder).slot
    except ValueError:
        return None


def _listing(base: PublishedTree) -> bytes:
    lines: dict[str, CatalogLine] = {}
    for number in range(layout.SHARD_COUNT):
        lines |= base.catalog(f"{number:02x}")
    return rendering.listing(b"", lines.values(), len(lines))
