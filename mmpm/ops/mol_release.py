"""Which release a molecule of a catalogue came from: so that what is bonded from it can be proved to be that release's.

Rule: only records that stand in the catalogue in the very bytes of the release count; one that a person edited, or
that another layer replaced, makes it a molecule of the catalogue again.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import DocumentUnreadableError
from mmpm.lock import parse_lock
from mmpm.model.names import FormulaName
from mmpm.molecule.beads.catalogue import lines_of
from mmpm.molecule.beads.merging import PutRecords
from mmpm.molecule.proto import Source
from mmpm.ops.fragments import PUT_FILE
from mmpm.project.files import read_optional
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.molecule.beads.catalogue import Catalogue, Entry
    from mmpm.molecule.proto import Proto


def with_release(catalogue: Catalogue, entry: Entry, proto: Proto) -> Proto:
    """Give the proto of a molecule with the release that put its records there as its source, where one did.

    Where the release bears the molecule's name, the proto gets its version, too. A list of what was put there, or a
    lock, that cannot be read tells nothing.
    """
    folder = os.path.dirname(entry.path)
    put = _put(os.path.join(folder, PUT_FILE))
    entries = [one for _, one in catalogue.tree(entry.record.id)]
    release = next((key for key, records in put.items() if _are_all_of(entries, entry.path, records)), None)
    if release is None:
        return proto
    name, _, version = release.rpartition("@")
    checksum = _checksum(os.path.join(os.path.dirname(folder), "mmpm.lock"), name, version)
    if not checksum:
        return proto
    source = Source(name, version, checksum, "release")
    if FormulaName.parse(name).base != proto.name:
        return replace(proto, sources=(*proto.sources, source))
    # Records that a formula was cooked to say themselves that they are of it: that is proved now, and said once.
    others = (one for one in proto.sources[1:] if (one.name, one.checksum) != (name, checksum))
    return replace(proto, version=version, sources=(source, *others))


def _are_all_of(entries: list[Entry], path: str, records: Mapping[str, str]) -> bool:
    """Tell whether every record stands in the file at `path` as the release has it."""
    if any(one.path != path or one.record.id not in records for one in entries):
        return False
    wanted = {one.line: records[one.record.id] for one in entries}
    data = read_optional(path) or b""
    found = {number: data[start:end] for number, start, end in lines_of(data) if number in wanted}
    return all(str(ObjectId.of(found.get(number, b""))) == line_id for number, line_id in wanted.items())


def _put(path: str) -> Mapping[str, Mapping[str, str]]:
    try:
        data = read_optional(path)
        return PutRecords.parse(data).releases if data is not None else {}
    except (OSError, ValueError):
        return {}


def _checksum(path: str, name: str, version: str) -> str:
    try:
        data = read_optional(path)
        locked = parse_lock(data).get(name) if data is not None else None
    except (OSError, DocumentUnreadableError):
        return ""
    return locked.checksum if locked is not None and locked.version == version else ""
