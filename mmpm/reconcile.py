"""From what should be installed, what the receipt says and what lies on disk to the actions that make them one.

Rule: pure. Bytes that are neither ours (the receipt's) nor the wanted ones are a person's: they are kept beside,
under a name that their content gives, before anything takes their place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import InstallConflictError, ReleaseMalformedError
from mmpm.plan import AdoptFile, InstallTree, KeepAside, RemoveTree, ReplaceTree
from mmpm.receipt import Installed, InstalledFile, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmpm.lock import Locked
    from mmpm.plan import Action
    from mmpm_store.tree import Tree

FLAT_SUFFIX = ".formula.toml"
BUNDLE_FORMULA = "formula.toml"


@dataclass(frozen=True, slots=True)
class Seen:
    """What lies at a path of a formulas folder.

    Attributes:
        id: ``blake3:..`` of a plain file's bytes; for anything else (folder where a file should be, link, device)
            a text that no file has.
        executable: of a plain file.
    """

    id: str
    executable: bool = False


def place_files(locked: Locked, tree: Tree) -> tuple[InstalledFile, ...]:
    """Say where a release's files lie in a formulas folder, sorted by path.

    A formula is one flat file. A bundle is a folder, and a flat copy of its formula beside it, since `bd` reads
    only flat files (MOLECULES, "Living beside bd and gt"). Fragments of molecules have no place here.

    Raises:
        ReleaseMalformedError: a formula of no or several files, of which the others would be installed unseen.
    """
    name = locked.installed_name
    flat = f"{name}{FLAT_SUFFIX}"
    if locked.kind == "molecules":
        return ()
    if locked.kind == "formula":
        if len(tree.entries) != 1:
            reason = f"is to be one formula file, but its listing has {len(tree.entries)} files"
            raise ReleaseMalformedError(locked.name, locked.version, reason)
        return tuple(InstalledFile(flat, str(entry.id), entry.executable) for entry in tree.entries)
    files = [InstalledFile(f"{name}/{entry.path}", str(entry.id), entry.executable) for entry in tree.entries]
    files += [
        InstalledFile(flat, str(entry.id), entry.executable) for entry in tree.entries if entry.path == BUNDLE_FORMULA
    ]
    return tuple(sorted(files, key=lambda file: file.path))


def check_names(releases: Iterable[Locked]) -> None:
    """Refuse two releases that would bear one name on disk.

    Raises:
        InstallConflictError: names both, and `--as`.
    """
    taken: dict[str, str] = {}
    for locked in releases:
        other = taken.setdefault(locked.installed_name, locked.name)
        if other != locked.name:
            raise InstallConflictError(other, locked.name, locked.installed_name)


def next_receipt(wanted: Sequence[Installed], receipt: Receipt) -> Receipt:
    """Give the receipt after the work: `wanted`, with the time of installation kept where bytes stay the same."""
    before = {entry.name: entry for entry in receipt.entries}
    entries = []
    for entry in wanted:
        old = before.get(entry.name)
        if old and (old.version, old.tree, old.alias) == (entry.version, entry.tree, entry.alias):
            # What a registry said at install time stays as it was said then.
            entries.append(replace(entry, installed_at=old.installed_at, level=old.level, serial=old.serial))
        else:
            entries.append(entry)
    return Receipt(tuple(sorted(entries, key=lambda entry: entry.name)))


def reconcile(wanted: Receipt, receipt: Receipt, observed: Mapping[str, Seen]) -> list[Action]:
    """Find the least work that turns what lies on disk into `wanted`.

    Args:
        wanted: the receipt after the work (`next_receipt`).
        receipt: the receipt now.
        observed: what lies at every path that `wanted` or `receipt` lists, and at any folder of such a path where
            something other than a folder is; paths with nothing are absent.

    Returns:
        Actions sorted by name, what is kept beside before what takes its place. Applying them and asking again gives
        none.
    """
    before = {entry.name: entry for entry in receipt.entries}
    ours = {file.path: file.id for entry in receipt.entries for file in entry.files}
    needed = {file.path for entry in wanted.entries for file in entry.files}
    actions: list[Action] = []
    for entry in wanted.entries:
        actions += _for_release(entry, before.get(entry.name), ours, observed, needed)
    keep = {entry.name for entry in wanted.entries}
    for old in receipt.entries:
        if old.name not in keep:
            actions += _removal(old, observed, needed)
    return actions


def kept_name(path: str, identity: str) -> str:
    """Give the name under which other bytes than ours are kept: one that neither bd nor gt reads as a formula."""
    return f"{path}.kept-{identity.rpartition(':')[2][:12]}"


def _for_release(
    entry: Installed,
    old: Installed | None,
    ours: Mapping[str, str],
    observed: Mapping[str, Seen],
    needed: set[str],
) -> list[Action]:
    if not observed and old is None:
        return [InstallTree(entry, entry.files)]
    link: list[InstalledFile] = []
    asides: dict[str, Action] = {}
    adopted: list[Action] = []
    for file in entry.files:
        for folder in _folders(file.path):
            blocking = observed.get(folder)
            if blocking and folder not in ours:
                asides[folder] = KeepAside(folder, kept_name(folder, blocking.id), blocking.id, "unmanaged", entry.name)
        seen = observed.get(file.path)
        if seen is None or (seen.id == file.id and seen.executable != file.executable):
            link.append(file)
        elif seen.id == file.id:
            if file.path not in ours:
                adopted.append(AdoptFile(entry.name, file.path, file.id))
        else:
            link.append(file)
            if seen.id != ours.get(file.path):
                reason = "edited" if file.path in ours else "unmanaged"
                asides[file.path] = KeepAside(file.path, kept_name(file.path, seen.id), seen.id, reason, entry.name)
    remove: list[InstalledFile] = []
    if old is not None:
        remove = [file for file in old.files if file.path not in needed and file.path in observed]
        asides.update(_edited(old, remove, observed))
        remove = [file for file in remove if file.path not in asides]
    actions = [*asides.values(), *adopted]
    if old is None:
        actions.append(InstallTree(entry, tuple(link)))
    elif link or remove or (old.version, old.tree) != (entry.version, entry.tree):
        actions.append(ReplaceTree(entry, tuple(link), tuple(remove), old.version))
    return actions


def _removal(old: Installed, observed: Mapping[str, Seen], needed: set[str]) -> list[Action]:
    remove = [file for file in old.files if file.path not in needed and file.path in observed]
    asides = _edited(old, remove, observed)
    rest = tuple(file for file in remove if file.path not in asides)
    return [*asides.values(), RemoveTree(old.name, old.version, rest)]


def _edited(old: Installed, files: Iterable[InstalledFile], observed: Mapping[str, Seen]) -> dict[str, Action]:
    found: dict[str, Action] = {}
    for file in files:
        seen = observed[file.path]
        if seen.id != file.id:
            kept = kept_name(file.path, seen.id)
            found[file.path] = KeepAside(file.path, kept, seen.id, "edited", old.name)
    return found


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def change_of(action: Action) -> tuple[str, str] | None:
    """Say what happens to a release as verb and object, "install" and "mol-review 1.2.0"; None of other actions."""
    match action:
        case InstallTree(release=release):
            return "install", f"{release.name} {release.version}"
        case ReplaceTree(release=release, old_version=old) if old == release.version:
            return "mend", f"{release.name} {release.version}"
        case ReplaceTree(release=release, old_version=old):
            return "replace", f"{release.name} {old} by {release.version}"
        case RemoveTree(name=name, version=version):
            return "remove", f"{name} {version}"
    return None
