"""`sync`: make the formulas folder what the lock says; and the planning that every installing verb shares.

`plan_lockfile` is what `install`, `upgrade`, `pin`, `uninstall`, `import` and `adopt` call with the lock that they
made: it fetches the listings that the store lacks (they are small, and a plan without them could not say what it
keeps), looks at the folder, and gives the one plan that also writes lock and manifest.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import (
    DriftError,
    LockMissingError,
    LockOutOfDateError,
    TrustStateUnreadableError,
)
from mmpm.execute.fetch import fetch, unproved
from mmpm.execute.install import begin_change
from mmpm.execute.remembering import trust_files
from mmpm.execute.trees import read_trees
from mmpm.lock import Lockfile, format_lock, parse_lock
from mmpm.ops.fragments import plan_fragments
from mmpm.ops.receipts import lock_from_receipt, speaks_alone, standing_lock, with_files
from mmpm.ops.vouching import hold_policy
from mmpm.plan import (
    AdoptFile,
    InstallTree,
    KeepAside,
    NoteState,
    Plan,
    ReplaceTree,
    SetRoot,
    WriteText,
)
from mmpm.project.files import (
    IGNORE_FILE,
    INSTALLED_LIST,
    content_id,
    installed_identities,
    installed_list,
    observe,
    read_optional,
    read_project,
)
from mmpm.project.policies import watched
from mmpm.project.state import note, state_path, surroundings
from mmpm.receipt import FILE_NAME, Installed, Receipt, format_receipt, is_receipt, parse_receipt
from mmpm.reconcile import change_of, check_names, next_receipt, place_files, reconcile
from mmpm.textform import registry_of
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mmpm.execute.context import Context
    from mmpm.ops.resolve import Resolved
    from mmpm.project.files import ProjectFiles
    from mmpm.project.manifest import Manifest
    from mmpm_store.tree import Tree


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What the command line says.

    Attributes:
        locked: fail if the lock would change.
        frozen: the lock alone; the manifest is not read.
        check: fail if anything would change; change nothing.
        lock_path: another lock than the project's (`--lock FILE`): it is installed as it is.
        dry_run: nothing will be applied.
    """

    locked: bool = False
    frozen: bool = False
    check: bool = False
    lock_path: str | None = None
    dry_run: bool = False


def plan_sync(context: Context, request: SyncRequest) -> Plan:
    """Plan what makes the formulas folder what manifest and lock say.

    Raises:
        LockMissingError: `--frozen` or `--lock` without a lock.
        LockOutOfDateError: `--locked` and the manifest asks for something else.
        DriftError: `--check` and something would change.
        PolicyBarredError: policy bars something that the lock has.
        SignatureBadError: a publisher's signature of something that the lock has is bad.
        MmpmError: whatever solving and reading meet.
    """
    if not (request.dry_run or request.check):
        begin_change(context)
    files = read_project(context.project, request.lock_path, context.progress.warn)
    old = _given(context, request.lock_path, files) if request.lock_path else files.lock
    is_told = not request.lock_path and speaks_alone(context, files)
    if old is None and not is_told and (request.frozen or request.lock_path):
        raise LockMissingError(request.lock_path or context.project.lock_path)
    known = old or standing_lock(context, files)
    resolved: Resolved | None = None
    if request.frozen or request.lock_path:
        new: Lockfile | None = known
        if missing := open_ends(known):
            raise LockOutOfDateError(missing)
    elif is_told and not request.locked:
        new = known
    else:
        resolved = _relocked(context, known, old, may_change=not request.locked)
        new = resolved.lock if resolved is not None else old
    if new is None:
        new = Lockfile()
    vouched = hold_policy(context, new.releases, files.receipt, was_checked=resolved is not None)
    has_words = any(one.words for one in vouched.values())
    is_ours = not (request.frozen or request.lock_path)
    writes_lock = is_ours and new != old and not (old is None and new == Lockfile())
    plan = plan_lockfile(
        context,
        new,
        files=files,
        writes_lock=writes_lock,
        dry_run=request.dry_run or request.check,
        # Whether the lock covers the manifest is not known then, and a plain `sync` must look; what is warned of is
        # said again until it is put right.
        notes=is_ours and not has_words,
        levels=resolved.levels if resolved is not None else {name: one.found for name, one in vouched.items()},
        is_judged=True,
    )
    if has_words:
        plan = replace(plan, lock=b"")  # it is not to be repeated without a word
    if request.check and not plan.is_empty:
        raise DriftError(context.project.root, _changes(plan))
    return plan


def plan_lockfile(
    context: Context,
    lock: Lockfile,
    *,
    files: ProjectFiles | None = None,
    manifest: str | None = None,
    writes_lock: bool = True,
    dry_run: bool = False,
    notes: bool = True,
    levels: Mapping[str, tuple[str, int]] | None = None,
    is_judged: bool = False,
) -> Plan:
    """Plan what makes the formulas folder what `lock` says, with lock and manifest written in the same change.

    Callers that write have called `begin_change` before they read what `lock` was made from.

    Args:
        context: the project, the store, who listens.
        lock: what shall be installed.
        files: the project's texts, if the caller has read them.
        manifest: its new text; None to leave it.
        writes_lock: whether the project's lock shall hold `lock`.
        dry_run: nothing will be applied, so nothing is noted either.
        notes: whether the next `sync` has nothing to do after this.
        levels: (level, serial) by name, for the receipt; those that are not in it count as unverified.
        is_judged: whether policy was held against the lock already; else it is, against what would be linked.

    Raises:
        InstallConflictError: two releases would bear one name on disk.
        ObjectsMissingError: a listing is neither in the store nor at any registry at hand.
        PolicyBarredError: policy bars something that would be linked.
    """
    check_names(lock.placed)
    files = files or read_project(context.project)
    receipt = with_files(files.receipt, files.formulas)
    sources = tuple(dict.fromkeys(registry for locked in lock.releases if (registry := registry_of(locked.source))))
    trees = _trees(context, lock, sources)
    entries = _entries(context, lock, trees, levels or {}, _serials(context, sources))
    after = next_receipt(entries, receipt)
    state_file = state_path(context.places.state, context.project.root)
    paths = [file.path for one in (after, receipt) for entry in one.entries for file in entry.files]
    observed = observe(files.formulas, paths, installed_identities(state_file, receipt))
    actions = reconcile(after, receipt, observed)
    fragments = plan_fragments(context, lock, sources)
    texts = [*_texts(context, files, receipt, after), *fragments.texts]
    if writes_lock:
        texts += _text("lock", context.project.lock_path, format_lock(lock), read_optional(context.project.lock_path))
    if manifest is not None:
        path = context.project.manifest_path
        texts += _text("manifest", path, manifest.encode(), read_optional(path))
    linked = [action for action in actions if isinstance(action, (InstallTree, ReplaceTree)) and action.link]
    if (linked or fragments.fresh) and not (is_judged or context.settings.bars_nothing):
        names = {action.release.name for action in linked}.union(fragments.fresh)
        hold_policy(context, [one for one in lock.releases if one.name in names], receipt, was_checked=False)
    try:
        noted = NoteState("Nothing to do", (*_watched(context, after, sources), *fragments.watched))
    except TrustStateUnreadableError:
        noted, notes = NoteState("", ()), False  # the next one looks again
    if not (actions or texts):
        if notes and not dry_run:
            around = surroundings(context.environ)
            note(context.places.state, context.project.root, noted.sentence, list(noted.paths), around)
        return Plan(folder=files.formulas, notes=fragments.notes)
    root = SetRoot(
        f"{files.formulas}/{FILE_NAME}", tuple(sorted({*fragments.trees, *(entry.tree for entry in after.entries)}))
    )
    # A checksum follows from the tree: where the receipt has another one for the same tree, one of them is wrong.
    told = {(entry.tree, entry.checksum) for entry in receipt.entries}
    old_trees = {tree for tree, _ in told}
    names = {action.release.name for action in linked}.union(fragments.names)
    names |= {one.name for one in after.entries if one.tree in old_trees and (one.tree, one.checksum) not in told}
    first_time = unproved(context.places.state, [locked for locked in lock.releases if locked.name in names])
    missing = _missing(context, linked, None if dry_run else {locked.name for locked in first_time})
    return Plan(
        (root, *actions, *texts, *([noted] if notes else [])),
        bytes_to_fetch=sum(missing.values()),
        folder=files.formulas,
        fetch=tuple(missing),
        sources=sources,
        unproved=first_time,
        lock=b"" if observed or receipt.entries or fragments.watched or open_ends(lock) else format_lock(lock),
        notes=fragments.notes,
    )


# Texts that a plan writes, as people know them; others by their file names.
_TEXT_NAMES = {"lock": "mmpm.lock", "manifest": "mmpm.toml", "receipt": "the receipt"}


def _changes(plan: Plan) -> Iterator[tuple[str, str]]:
    """Give verb and object of everything that a person would see change."""
    for action in plan.actions:
        if change := change_of(action):
            yield change
            continue
        match action:
            case KeepAside(path=path):
                yield "set aside", path
            case AdoptFile(path=path):
                yield "adopt", path
            case WriteText(role=role, path=path):
                yield "write", _TEXT_NAMES.get(role, path.rpartition("/")[2])
            case _:
                pass


def _given(context: Context, path: str, files: ProjectFiles) -> Lockfile | None:
    """Read what `--lock` names: a lock, or a receipt, which is enough to install the same bytes elsewhere."""
    if files.lock_data is not None and is_receipt(files.lock_data):
        return lock_from_receipt(context, parse_receipt(files.lock_data, path), os.path.dirname(path))
    return None if files.lock_data is None else parse_lock(files.lock_data, path)


def _relocked(context: Context, known: Lockfile, old: Lockfile | None, *, may_change: bool) -> Resolved | None:
    """Resolve the manifest as it is now; None where `old` covers it.

    Where there is no lock, `known` is what the receipt tells: versions stay if they can.
    """
    from mmpm.project.manifest import read_manifest

    manifest = read_manifest(context.project.manifest_path)
    before = old.requirements if old else ()
    # A lock that came without its manifest asks for what it was made for.
    asked = requirements_of(manifest) if manifest.exists else known.requirements
    if asked == before and not (old and open_ends(old)):
        return None
    if not may_change:
        raise LockOutOfDateError(sorted({name for _, name, _ in set(asked) ^ set(before)}))
    from mmpm.ops.resolve import resolve

    return resolve(context, manifest.or_asking_for(known.requirements).wanted, known)


def open_ends(lock: Lockfile) -> list[str]:
    """Name what is required in a lock and not locked there, as after a merge by hand; sorted."""
    here = {locked.name for locked in lock.releases}
    asked = {name for _, name, _ in lock.requirements}
    asked.update(name for locked in lock.releases for name, _ in locked.requires)
    return sorted(asked - here)


def requirements_of(manifest: Manifest) -> tuple[tuple[str, str, str], ...]:
    """Give what a manifest asks for as the head of a lock has it, sorted."""
    return tuple(sorted(one.requirement for one in manifest.wanted))


def _trees(context: Context, lock: Lockfile, sources: tuple[str, ...]) -> dict[str, Tree]:
    wanted = [locked.tree for locked in lock.placed]
    trees, absent = read_trees(context.store, wanted)
    if absent:
        fetch(context, absent, sources, [locked.name for locked in lock.releases if locked.tree in absent])
        more, _ = read_trees(context.store, absent)
        trees.update(more)
    return trees


def _entries(
    context: Context,
    lock: Lockfile,
    trees: Mapping[str, Tree],
    levels: Mapping[str, tuple[str, int]],
    serials: Mapping[str, int],
) -> list[Installed]:
    asked = {name: text for _, name, text in reversed(lock.requirements)}  # of both sections that of the formulas
    now = context.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    entries = []
    for locked in lock.placed:
        level, serial = levels.get(locked.name) or ("unverified", serials.get(registry_of(locked.source), 0))
        entries.append(
            Installed(
                locked.name,
                locked.version,
                locked.pinned,
                locked.checksum,
                now,
                locked.source,
                locked.tree,
                locked.kind,
                locked.size,
                asked.get(locked.name, ""),
                level,
                serial,
                locked.alias,
                None,
                place_files(locked, trees[locked.tree]),
            )
        )
    return entries


def _serials(context: Context, registries: tuple[str, ...]) -> dict[str, int]:
    from mmpm.execute.connect import find_registry, trust_of

    found = {}
    for registry in registries:
        # What a receipt tells for display is no reason to stop.
        with contextlib.suppress(TrustStateUnreadableError):
            state = trust_of(context, find_registry(context, registry)).read()
            found[registry] = state.serial if state else 0
    return found


def _texts(context: Context, files: ProjectFiles, before: Receipt, after: Receipt) -> list[WriteText]:
    """Give the texts beside the formulas: the receipt, gt's list, and in a project what keeps the receipt from git."""
    folder = files.formulas
    if not after.entries and files.receipt_data is None:
        return []
    texts = _text("receipt", f"{folder}/{FILE_NAME}", format_receipt(after), files.receipt_data)
    there = read_optional(f"{folder}/{INSTALLED_LIST}")
    listed = installed_list(there, before, after)
    if listed is not None:
        texts += _text("installed", f"{folder}/{INSTALLED_LIST}", listed.encode(), there)
    ignore = f"{folder}/{IGNORE_FILE}"
    if context.project.tier == "project" and read_optional(ignore) is None:
        # The receipt is about this machine; in a clone it is made again from the lock.
        texts += _text("gitignore", ignore, f"/{FILE_NAME}\n/{IGNORE_FILE}\n".encode(), None)
    return texts


def _text(role: str, path: str, new: bytes, old: bytes | None) -> list[WriteText]:
    return [] if new == old else [WriteText(role, path, new.decode(), content_id(old))]


def _missing(context: Context, linked: list[InstallTree | ReplaceTree], names: set[str] | None) -> dict[str, int]:
    """Give the objects that the store lacks, with their sizes, in the order in which they are needed.

    Only of the releases in `names` (None: of all). What was whole here before is whole now nearly always, and if not
    staging finds out and fetches: asking for each file would cost a tenth of a warm installation.
    """
    wanted: dict[str, int] = {}
    asked = [action for action in linked if names is None or action.release.name in names]
    trees, _ = read_trees(context.store, [action.release.tree for action in asked])
    for action in asked:
        sizes = {str(entry.id): entry.size for entry in trees[action.release.tree].entries}
        for file in action.link:
            wanted[file.id] = sizes[file.id]
    return {identity: size for identity, size in wanted.items() if not context.store.has(ObjectId.parse(identity))}


def _watched(context: Context, after: Receipt, sources: tuple[str, ...]) -> tuple[str, ...]:
    """Give what a `sync` looks at to see that nothing is to do: also what registries and policy may say by now."""
    paths = [context.project.manifest_path, context.project.lock_path, ".", FILE_NAME, *watched(context.places)]
    paths += trust_files(context, sources)
    return tuple(paths + [file.path for entry in after.entries for file in entry.files])
