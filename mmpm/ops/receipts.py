"""What a receipt alone tells: a lock, for a folder that has neither manifest nor lock, such as the seed's own towns.

Rule: what a receipt lists is wanted; nothing is left out of the lock because nobody says it twice. An entry with the
seed's five fields only is completed from the file beside the receipt, if that has the entry's checksum, else from what
the registry of its source publishes under that checksum.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import EntryIncompleteError, MmpmError
from mmpm.execute.trees import read_trees
from mmpm.lock import SOURCES, Locked, Lockfile, make_lockfile, requirement_text
from mmpm.project.files import content_id, read_optional
from mmpm.receipt import InstalledFile, Receipt
from mmpm.reconcile import BUNDLE_FORMULA, FLAT_SUFFIX
from mmpm.textform import registry_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.execute.context import Context
    from mmpm.model.release import Release
    from mmpm.project.files import ProjectFiles
    from mmpm.receipt import Installed


def speaks_alone(context: Context, files: ProjectFiles) -> bool:
    """Whether only the receipt says what is wanted: it lists something, and there is neither manifest nor lock."""
    return files.lock_data is None and not os.path.exists(context.project.manifest_path) and bool(files.receipt.entries)


def standing_lock(context: Context, files: ProjectFiles) -> Lockfile:
    """Give the tier's lock; where there is none, what its receipt tells.

    Where there is a manifest, that says what is wanted, and the receipt only which versions can stay.

    Raises:
        DocumentUnreadableError, NewerFormatError: lock or receipt cannot be read.
        EntryIncompleteError: as for `lock_from_receipt`.
    """
    if files.lock is not None:
        return files.lock
    if speaks_alone(context, files):
        return lock_from_receipt(context, files.receipt, files.formulas)
    entries = [one for one in files.receipt.entries if one.tree or one.source.startswith("hop://")]
    asked = {("formulas", entry.name, entry.requested) for entry in entries if entry.requested}
    return make_lockfile(asked, [_locked(entry) for entry in entries])


def lock_from_receipt(context: Context, receipt: Receipt, folder: str) -> Lockfile:
    """Give the lock that a receipt tells of.

    What the person asked for is required as it was; so is an entry that nothing here requires, and one of the seed's.

    Args:
        context: the store, and the registries for entries of the seed's program.
        receipt: what is installed.
        folder: where the receipt lies, and beside it the files.

    Raises:
        EntryIncompleteError: of an entry neither the file nor a registry at hand has the bytes.
        MmpmError: a registry that has to be asked cannot answer.
    """
    entries = receipt.entries
    locked = [_locked(completed(context, entry, folder)) for entry in entries]
    names = {entry.name for entry in entries}
    known = [
        replace(one, requires=tuple((name, text) for name, text in _requires(context, one) if name in names))
        for one in locked
    ]
    required = {name for one in known for name, _ in one.requires}
    asked = set()
    for entry in entries:
        if entry.requested:
            asked.add(("formulas", entry.name, entry.requested))
        elif not entry.tree or entry.name not in required:
            exact = entry.version if entry.pinned else "*"
            asked.add(("formulas", entry.name, requirement_text(exact, alias=entry.alias)))
    return make_lockfile(asked, known)


def completed(context: Context, entry: Installed, folder: str) -> Installed:
    """Give an entry with its listing's id, kind and size, which the seed's program does not write.

    Raises:
        EntryIncompleteError: neither the file beside the receipt nor a registry at hand has its bytes.
        MmpmError: a registry that has to be asked cannot answer.
    """
    if entry.tree:
        return entry
    found = _from_file(context, entry, folder) or _from_registry(context, entry)
    if found is None:
        raise EntryIncompleteError(entry.name, entry.version, entry.source)
    kind, tree, size = found
    return replace(entry, kind=kind, tree=tree, size=size)


def with_files(receipt: Receipt, folder: str) -> Receipt:
    """Give a receipt whose entries of the seed's program list their file, where that is as it was installed."""
    if all(entry.files for entry in receipt.entries):
        return receipt
    return Receipt(tuple(entry if entry.files else _with_file(entry, folder) for entry in receipt.entries))


def _with_file(entry: Installed, folder: str) -> Installed:
    data = _beside(folder, entry)
    if data is None or _sha256(data) != entry.checksum:
        return entry
    return replace(entry, files=(InstalledFile(flat_name(entry), content_id(data), executable=False),))


def flat_name(entry: Installed) -> str:
    """Give the name of the one file that the seed's program installed for an entry."""
    return f"{entry.installed_name}{FLAT_SUFFIX}"


def problem_of_unlisted(folder: str, entry: Installed) -> str:
    """Say what is wrong with the file of an entry that lists none: `missing`, `edited`, or empty."""
    data = _beside(folder, entry)
    if data is None:
        return "missing"
    return "" if _sha256(data) == entry.checksum else "edited"


def _locked(entry: Installed) -> Locked:
    return Locked(
        entry.name,
        entry.version,
        entry.kind,
        entry.pinned,
        entry.checksum,
        entry.tree,
        entry.size,
        entry.source if entry.source.startswith(SOURCES) else f"local:{entry.name}@{entry.version}",
        alias=entry.alias,
    )


def _from_file(context: Context, entry: Installed, folder: str) -> tuple[str, str, int] | None:
    from mmpm.model.names import FormulaName
    from mmpm.model.versions import Version
    from mmpm.registry.payload import collect_bytes, put_payload

    data = _beside(folder, entry)
    if data is None or _sha256(data) != entry.checksum:
        return None
    try:
        collected = collect_bytes(
            data,
            flat_name(entry),
            name=FormulaName.parse(entry.name),
            version=Version.parse(entry.version),
        )
    except MmpmError:
        return None
    put_payload(context.store, collected)
    payload = collected.payload
    return payload.kind, str(payload.tree.id), payload.size


def _from_registry(context: Context, entry: Installed) -> tuple[str, str, int] | None:
    for release in _published(context, entry.name, registry_of(entry.source)):
        if (str(release.version), str(release.checksum)) == (entry.version, entry.checksum):
            return release.kind, str(release.tree), release.size
    return None


def _published(context: Context, name: str, registry: str) -> Iterable[Release]:
    from mmpm.ops.knowledge import Knowledge, Known

    if registry not in {one.id for one in context.registries}:
        return ()
    knowledge = Knowledge(context, {name: registry})
    knowledge.learn([name])
    knowledge.commit()
    found = knowledge.of(name)
    return found.releases if isinstance(found, Known) else ()


def _requires(context: Context, locked: Locked) -> list[tuple[str, str]]:
    """Give what a release's formula requires, as far as it is in the store."""
    from mmpm.model.formula import parse_formula
    from mmpm_store.errors import DamagedObjectError, MissingObjectError

    trees, _ = read_trees(context.store, [locked.tree])
    for tree in trees.values():
        for file in tree.entries:
            if locked.kind == "formula" or file.path == BUNDLE_FORMULA:
                try:
                    formula = parse_formula(context.store.read(file.id), file.path)
                except (MissingObjectError, DamagedObjectError, MmpmError):
                    return []
                return sorted((str(one.name), str(one.range)) for one in formula.requires)
    return []


def _beside(folder: str, entry: Installed) -> bytes | None:
    try:
        return read_optional(f"{folder}/{flat_name(entry)}")
    except OSError:
        return None


def _sha256(data: bytes) -> str:
    import hashlib

    return f"sha256:{hashlib.sha256(data).hexdigest()}"
