"""What an installing verb also plans where the lock has molecules: the catalogue of the tier, merged.

Molecules are fragments (releases of kind molecules), and the formulas and bundles that are asked for as molecules: of
these the catalogue gets the records that they are cooked to, with the ingredients that the lock has. Overlays are for
formulas alone: a lock gives the same catalogue everywhere.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import DocumentUnreadableError, ReleaseMalformedError
from mmpm.execute.fetch import fetch
from mmpm.execute.trees import read_trees
from mmpm.plan import WriteText
from mmpm.project.files import content_id, read_optional, real_path
from mmpm.reconcile import BUNDLE_FORMULA, FLAT_SUFFIX
from mmpm.textform import MAX_BYTES
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.execute.context import Context
    from mmpm.lock import Locked, Lockfile
    from mmpm.molecule.beads.merging import PutRecords
    from mmpm.molecule.cook.inheritance import Ingredient
    from mmpm.project.tiers import Project

PUT_FILE = "mmpm/catalogue.json"
MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Fragments:
    """What the fragments of a lock mean for the catalogue beside it.

    Attributes:
        texts: the catalogue and what was put into it, where they change.
        trees: ``blake3:..`` of the listings of molecules, and of all that they are made of: the store keeps them.
        names: the releases, and those that they are made of.
        fresh: those of them that put something else there than before, or that such are made of.
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
        CookError, FormulaSyntaxError, FormulaInvalidError: a formula gives no molecule.
        LeadsOutsideError: a project's catalogue is a link out of it.
    """
    wanted = [*(locked for locked in lock.releases if locked.kind == "molecules"), *lock.cooked]
    wanted.sort(key=lambda locked: locked.name)
    folder = f"{context.project.root}/.beads"
    list_path = f"{folder}/{PUT_FILE}"
    list_data = read_optional(list_path)
    if not wanted and list_data is None:
        return Fragments()
    # Only now: a tier without molecules is installed without reading any of this.
    from mmpm.molecule.beads.merging import PutRecords, merge
    from mmpm.project.mol_files import FILE

    path = f"{folder}/{FILE}"
    for one in (list_path, path):
        real_path(context.project, one)
    before = _put_before(list_path, list_data) or PutRecords()
    data = read_catalogue_text(path)
    kitchen = _LockKitchen(context, lock, sources)
    lines, owner, notes = _lines(kitchen, wanted)
    merged = merge(data or b"", {key: line for one in before.releases.values() for key, line in one.items()}, lines)
    notes += [
        f"{record_id} of {owner[record_id]} is left out: {path} has another that mmpm did not write"
        for record_id in merged.left
    ]
    if merged.kept:
        notes.append(_staying(merged.kept, path))
    put: dict[str, dict[str, str]] = {f"{one.name}@{one.version}": {} for one in wanted}
    for record_id, line_id in merged.put:
        put[owner[record_id]][record_id] = line_id
    texts = _text("catalogue", path, merged.data, data) if merged.data or data is not None else []
    replaced = {release: kept for release, kept in before.replaced.items() if release in put}
    for record_id, line in merged.replaced:
        replaced[owner[record_id]] = {**replaced.get(owner[record_id], {}), record_id: line.decode()}
    texts += _text("catalogue", list_path, PutRecords(put, replaced).to_bytes(), list_data)
    used = tuple(dict.fromkeys((*wanted, *kitchen.used)))
    fresh = [one.name for one in wanted if put[key := f"{one.name}@{one.version}"] != before.releases.get(key)]
    if fresh:
        anew = {f"{one.name}@{one.version}" for one in wanted if one.name in fresh}
        owned = {record_id: owner[record_id] for record_id, _ in merged.put if owner[record_id] in anew}
        notes += _meddling(context, path, merged.data, owned)
    return Fragments(
        tuple(texts),
        tuple(dict.fromkeys(one.tree for one in used)),
        tuple(one.name for one in used),
        tuple(one.name for one in used if one.name in fresh or (fresh and one not in wanted)),
        (path, list_path),
        tuple(notes),
    )


def _staying(ids: Sequence[str], path: str) -> str:
    """Say that records of releases that go stay, because a person edited them."""
    if len(ids) == 1:
        return f"{ids[0]} stays in {path}: it was edited there, and is yours from now on"
    more = f" and {len(ids) - MAX_NAMED} more" if len(ids) > MAX_NAMED else ""
    return f"{', '.join(ids[:MAX_NAMED])}{more} stay in {path}: they were edited there, and are yours from now on"


def _meddling(context: Context, path: str, data: bytes, owner: Mapping[str, str]) -> tuple[str, ...]:
    """Say what records that are new change of molecules that their releases do not have."""
    from mmpm.molecule.beads.catalogue import Layer, load
    from mmpm.molecule.beads.merging import meddling
    from mmpm.project.mol_files import catalogue_files, read_layers

    root = context.project.root
    others = {layer.path: layer for layer in read_layers(context.places, root, root)[0] if layer.path != path}
    here = {**others, path: Layer(context.project.tier, path, data)}
    order = [one for _, one in catalogue_files(context.places, root, root)]
    layers = [here[one] for one in dict.fromkeys((*order, path)) if one in here]
    return meddling(load([one for one in layers if one.path != path]), load(layers), owner)


def _lines(kitchen: _LockKitchen, wanted: Sequence[Locked]) -> tuple[dict[str, bytes], dict[str, str], list[str]]:
    """Give the lines that are wanted and the release of each, by record id, and what is left out."""
    from mmpm.molecule.beads.merging import read_fragment

    lines: dict[str, bytes] = {}
    owner: dict[str, str] = {}
    notes: list[str] = []
    for locked in wanted:
        name = f"{locked.name}@{locked.version}"
        if locked.kind == "molecules":
            records, faults = read_fragment(kitchen.bytes_of(locked))
        else:
            records, faults = kitchen.records(locked), ()
        notes += [f"{name} is left out in part: {fault}" for fault in faults]
        for record_id, line in records.items():
            if record_id in owner:
                notes.append(f"{record_id} of {name} is left out: {owner[record_id]} has one, too")
                continue
            owner[record_id], lines[record_id] = name, line
    return lines, owner, notes


def lost_records(project: Project) -> list[str]:
    """Give the ids of records that releases put into a tier's catalogue and that do not stand there any more.

    Raises:
        DocumentUnreadableError: the list of what was put is damaged.
    """
    from mmpm.molecule.beads.catalogue import lines_of
    from mmpm.project.mol_files import FILE

    list_path = f"{project.root}/.beads/{PUT_FILE}"
    put = _put_before(list_path, read_optional(list_path))
    if put is None:
        return []
    data = read_optional(f"{project.root}/.beads/{FILE}") or b""
    here = {content_id(data[start:end]) for _, start, end in lines_of(data)}
    return sorted(
        record_id for records in put.releases.values() for record_id, line_id in records.items() if line_id not in here
    )


def _put_before(path: str, data: bytes | None) -> PutRecords | None:
    if data is None:
        return None
    from mmpm.molecule.beads.merging import PutRecords

    try:
        return PutRecords.parse(data)
    except ValueError as error:
        remedy = "remove it: records of releases then count as yours, until they are the very ones of the lock"
        raise DocumentUnreadableError(path, str(error), remedy) from error


def read_catalogue_text(path: str) -> bytes | None:
    """Read a catalogue that will be written anew, held to what a text may be; None where there is none.

    Raises:
        DocumentUnreadableError: it is no plain file, too large, or no UTF-8.
        OSError: it cannot be read.
    """
    try:
        data = read_optional(path)
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.EINVAL, errno.ENXIO):
            raise
        raise DocumentUnreadableError(path, "it is no plain file", "move it away") from None
    if data is None:
        return None
    if len(data) > MAX_BYTES:
        raise DocumentUnreadableError(path, f"it has more than {MAX_BYTES} bytes", "split it among the tiers")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentUnreadableError(path, "it is not UTF-8", "correct that line", line) from error
    return data


class _LockKitchen:
    """Cooks formulas of a lock with what the lock has, each read once."""

    def __init__(self, context: Context, lock: Lockfile, sources: Sequence[str]) -> None:
        self._context = context
        self._sources = sources
        self._by_name = {locked.name: locked for locked in lock.releases if locked.kind != "molecules"}
        for locked in tuple(self._by_name.values()):
            # A formula that is made with another names it without its scope.
            self._by_name.setdefault(locked.name.rpartition("/")[2], locked)
        self._read: dict[str, Ingredient] = {}

    @property
    def used(self) -> tuple[Locked, ...]:
        """The releases that something was cooked of so far."""
        return tuple(self._by_name[name] for name in self._read)

    def bytes_of(self, locked: Locked) -> bytes:
        """Give a fragment, or the text of a formula."""
        return _bytes_of(self._context, locked, self._sources)

    def records(self, locked: Locked) -> dict[str, bytes]:
        """Give the lines of the records that a formula is cooked to, by record id.

        Raises:
            CookError: it cannot be cooked.
        """
        from mmpm.molecule.beads.protos import to_records
        from mmpm.molecule.cook.cooking import cook

        proto = cook(self._ingredient(locked), self._load).proto
        return {record.id: record.to_bytes() for record in to_records(proto)}

    def _load(self, name: str) -> Ingredient | None:
        locked = self._by_name.get(name)
        return self._ingredient(locked) if locked is not None else None

    def _ingredient(self, locked: Locked) -> Ingredient:
        from mmpm.model.formula import parse_formula
        from mmpm.molecule.cook.inheritance import Ingredient
        from mmpm.molecule.proto import Source

        if locked.name not in self._read:
            data = self.bytes_of(locked)
            formula = parse_formula(data, f"{locked.installed_name}{FLAT_SUFFIX}")
            source = Source(locked.name, locked.version, locked.checksum, "release")
            self._read[locked.name] = Ingredient(formula, source)
        return self._read[locked.name]


def _bytes_of(context: Context, locked: Locked, sources: Sequence[str]) -> bytes:
    """Give a fragment, or a formula's text."""
    trees, absent = read_trees(context.store, [locked.tree])
    if absent:
        fetch(context, absent, sources, [locked.name])
        trees, _ = read_trees(context.store, [locked.tree])
    entries = trees[locked.tree].entries
    if locked.kind == "bundle":
        entries = tuple(entry for entry in entries if entry.path == BUNDLE_FORMULA)
    if len(entries) != 1:
        thing = {"bundle": "a bundle with one formula", "formula": "one formula"}.get(locked.kind, "one fragment")
        reason = f"is to be {thing}, but its listing has {len(entries)} files of that kind"
        raise ReleaseMalformedError(locked.name, locked.version, reason)
    # Of a bundle all of it: its checksum is held against every file before the change is made.
    sizes = {str(entry.id): entry.size for entry in trees[locked.tree].entries}
    missing = [one for one in sizes if not context.store.has(ObjectId.parse(one))]
    if missing:
        fetch(context, missing, sources, [locked.name], sizes=sizes)
    return context.store.read(ObjectId.parse(str(entries[0].id)))


def _text(role: str, path: str, new: bytes, old: bytes | None) -> list[WriteText]:
    return [] if new == old else [WriteText(role, path, new.decode(), content_id(old))]
