"""What an installing verb also plans where the lock has fragments of molecules: the catalogue of the tier, merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import DocumentUnreadableError, ReleaseMalformedError
from mmpm.execute.fetch import fetch
from mmpm.execute.trees import read_trees
from mmpm.plan import WriteText
from mmpm.project.files import content_id, read_optional, real_path
from mmpm.textform import MAX_BYTES
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmpm.execute.context import Context
    from mmpm.lock import Locked, Lockfile

PUT_FILE = "mmpm/catalogue.json"


@dataclass(frozen=True, slots=True)
class Fragments:
    """What the fragments of a lock mean for the catalogue beside it.

    Attributes:
        texts: the catalogue and what was put into it, where they change.
        trees: ``blake3:..`` of the fragments' listings: the store keeps them.
        names: the releases.
        fresh: those of them that put something else there than before.
        watched: absolute paths of both files; empty where they are not ours to look at.
        notes: what a person should know.
    """

    texts: tuple[WriteText, ...] = ()
    trees: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_fragments(context: Context, lock: Lockfile, sources: Sequence[str]) -> Fragments:
    """Plan what makes the tier's catalogue hold the records of the lock's fragments, and of no others that were ours.

    Raises:
        DocumentUnreadableError: the catalogue is too large or no UTF-8, or the list of what was put is damaged.
        ObjectsMissingError: a fragment is neither in the store nor at any registry at hand.
        ReleaseMalformedError: a fragment has another number of files than one.
        LeadsOutsideError: a project's catalogue is a link out of it.
    """
    wanted = [locked for locked in lock.releases if locked.kind == "molecules"]
    folder = f"{context.project.root}/.beads"
    list_path = f"{folder}/{PUT_FILE}"
    list_data = read_optional(list_path)
    if not wanted and list_data is None:
        return Fragments()
    # Only now: a tier without molecules is installed without reading any of this.
    from mmpm.molecule.merging import format_put, merge
    from mmpm.project.mol_files import FILE

    path = f"{folder}/{FILE}"
    for one in (list_path, path):
        real_path(context.project, one)
    before = _put_before(list_path, list_data)
    data = read_optional(path)
    check_catalogue_text(path, data)
    lines, owner, notes = _lines(context, wanted, sources)
    merged = merge(data or b"", {key: line for one in before.values() for key, line in one.items()}, lines)
    notes += [
        f"{record_id} of {owner[record_id]} is left out: {path} has another that mmpm did not write"
        for record_id in merged.left
    ]
    put: dict[str, tuple[tuple[str, str], ...]] = {f"{one.name}@{one.version}": () for one in wanted}
    for record_id, line_id in merged.put:
        put[owner[record_id]] += ((record_id, line_id),)
    texts = _text("catalogue", path, merged.data, data) if merged.data or data is not None else []
    texts += _text("catalogue", list_path, format_put(put), list_data)
    return Fragments(
        tuple(texts),
        tuple(locked.tree for locked in wanted),
        tuple(one.name for one in wanted),
        tuple(one.name for one in wanted if dict(put[key := f"{one.name}@{one.version}"]) != before.get(key)),
        (path, list_path),
        tuple(notes),
    )


def _lines(
    context: Context, wanted: Sequence[Locked], sources: Sequence[str]
) -> tuple[dict[str, bytes], dict[str, str], list[str]]:
    """Give the lines that are wanted and the release of each, by record id, and what is left out."""
    from mmpm.molecule.merging import read_fragment

    lines: dict[str, bytes] = {}
    owner: dict[str, str] = {}
    notes: list[str] = []
    for locked in wanted:
        name = f"{locked.name}@{locked.version}"
        records, faults = read_fragment(_bytes_of(context, locked, sources))
        notes += [f"{name} is left out in part: {fault}" for fault in faults]
        for record_id, line in records.items():
            if record_id in owner:
                notes.append(f"{record_id} of {name} is left out: {owner[record_id]} has one, too")
                continue
            owner[record_id], lines[record_id] = name, line
    return lines, owner, notes


def _put_before(path: str, data: bytes | None) -> dict[str, dict[str, str]]:
    if data is None:
        return {}
    from mmpm.molecule.merging import parse_put

    try:
        return parse_put(data)
    except ValueError as error:
        remedy = "remove it: records of releases then count as yours, until they are the very ones of the lock"
        raise DocumentUnreadableError(path, str(error), remedy) from error


def check_catalogue_text(path: str, data: bytes | None) -> None:
    """Hold the text of a catalogue that will be written anew to what a text may be.

    Raises:
        DocumentUnreadableError: it is too large, or no UTF-8.
    """
    if data is None:
        return
    if len(data) > MAX_BYTES:
        raise DocumentUnreadableError(path, f"it has more than {MAX_BYTES} bytes", "split it among the tiers")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentUnreadableError(path, "it is not UTF-8", "correct that line", line) from error


def _bytes_of(context: Context, locked: Locked, sources: Sequence[str]) -> bytes:
    trees, absent = read_trees(context.store, [locked.tree])
    if absent:
        fetch(context, absent, sources, [locked.name])
        trees, _ = read_trees(context.store, [locked.tree])
    entries = trees[locked.tree].entries
    if len(entries) != 1:
        reason = f"is to be one fragment, but its listing has {len(entries)} files"
        raise ReleaseMalformedError(locked.name, locked.version, reason)
    identity = ObjectId.parse(str(entries[0].id))
    if not context.store.has(identity):
        fetch(context, [str(identity)], sources, [locked.name], sizes={str(identity): entries[0].size})
    return context.store.read(identity)


def _text(role: str, path: str, new: bytes, old: bytes | None) -> list[WriteText]:
    return [] if new == old else [WriteText(role, path, new.decode(), content_id(old))]
