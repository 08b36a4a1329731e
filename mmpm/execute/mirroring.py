"""The effects of `mirror create`, `mirror update`, `mirror verify --repair` and `mirror prune`.

Rule: one process at a time changes a mirror (`mmpm.execute.locking`, with a visible wait). A registry that fails leaves
its tree as it was and does not keep the others from being copied; what was not done is told at the end.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from mmpm.errors import (
    MirrorUnreadableError,
    MmpmError,
    RegistryUnreachableError,
    SelectionIncompleteError,
    counted,
    size_text,
)
from mmpm.execute.connect import age_policy, find_registry, source_of, trust_of
from mmpm.execute.locking import hold, release
from mmpm.execute.policing import bring_policies
from mmpm.plan import CopyCount
from mmpm.registry.destination import TreeDestination, TrialDestination, refuse_link
from mmpm.registry.mirror.copying import Copying, Counts, clear_staging
from mmpm.registry.mirror.origin import Believed, Origin, look_at
from mmpm.registry.mirror.pruning import Pruned, prune_tree
from mmpm.registry.mirror.selected import Mirror, MirroredRegistry, read_mirror, tree_folder, write_mirror
from mmpm.registry.mirror.selection import Choice, LockSelection, Picked, Selection, choose

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mmpm.execute.context import Context
    from mmpm.plan import CarriedRegistry, PruneMirror, SetAside, UpdateMirror
    from mmpm.registry.mirror.selection import Chosen
    from mmpm.registry.verified import VerifiedState

DAMAGED: Final = ".damaged"
"""Where damaged files are set aside, below the mirror's folder."""
_ROUNDS: Final = 3
"""How often a copy begins anew because a release was taken down meanwhile; what is there already is kept."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A registry that was copied: what it amounts to, and whether the mirror shows another state now."""

    registry: str
    serial: int
    counts: Counts


@dataclass(slots=True)
class Updated:
    """What came of an update: what was copied, and why the others were not, both by registry in their order."""

    copied: list[Copied] = field(default_factory=list)
    failures: dict[str, MmpmError] = field(default_factory=dict)


@contextmanager
def alone(context: Context, folder: str) -> Iterator[None]:
    """Keep other processes from changing the mirror `folder`, or from writing the pack of that name, within the block.

    Raises:
        LockedByOtherError: one of them does not end.
    """
    path = os.path.realpath(folder)
    hold(context.places.state, path, context.progress)
    try:
        yield
    finally:
        release(path)


@contextmanager
def folders_for_all() -> Iterator[None]:
    """Make folders that others may read within the block, whatever the umask: a mirror is there to be served."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def believed_of(context: Context, registry: str, fingerprint: str) -> Believed:
    """Give what this machine believes of a registry, `fingerprint` being that of its accepted root."""
    folder = trust_of(context, find_registry(context, registry))
    state = folder.read()
    return Believed(fingerprint, folder.root(), None if state is None else state.floors())


def selection_of(carried: CarriedRegistry) -> Selection:
    """Give the selection that a plan's registry stands for."""
    locks = tuple(
        LockSelection(lock.name, tuple(Picked(*picked) for picked in lock.releases)) for lock in carried.locks
    )
    return Selection(carried.everything, locks, carried.only)


def apply_update(context: Context, action: UpdateMirror) -> Updated:
    """Copy registries into a mirror.

    Raises:
        SelectionIncompleteError: what is asked for is not to be had in full; nothing of it was fetched.
        MmpmError: the mirror itself cannot be used.
    """
    with folders_for_all():
        os.makedirs(action.folder, exist_ok=True)
    with alone(context, action.folder), folders_for_all():
        mirror = _head_of(action.folder)
        for _ in range(_ROUNDS):
            with _Update(context, action) as update:
                update.begin()
                update.count()
                update.finish()
            if not update.has_moved_on:
                break
        done = {one.registry for one in update.done.copied}
        carried = {
            one.registry: MirroredRegistry(_kept(selection_of(one)), one.kept, one.fingerprint)
            for one in action.registries
            if one.registry in done
        }
        for one in action.registries:
            if one.registry in done:
                trust_of(context, find_registry(context, one.registry)).pin(one.fingerprint)
        if mirror.having(carried) != mirror:
            write_mirror(action.folder, mirror.having(carried))
        copied = [one for one in action.registries if one.registry in done]
        for sentence in bring_policies(context, action.folder, copied):
            context.progress.say(sentence)
    return update.done


def try_update(context: Context, action: UpdateMirror) -> tuple[UpdateMirror, Updated]:
    """Find out what `action` amounts to, to the byte, and change nothing.

    Raises:
        SelectionIncompleteError: what is asked for is not to be had in full.
    """
    with tempfile.TemporaryDirectory(prefix="mmpm-mirror-") as trial, _Update(context, action, trial) as update:
        update.begin()
        update.count()
        return replace(action, counts=tuple(update.counts())), update.done


def _head_of(folder: str) -> Mirror:
    try:
        return read_mirror(folder) or Mirror()
    except MirrorUnreadableError:
        return Mirror()  # it is written anew; `mirror update`, which needs what it says, has refused it before


def _kept(selection: Selection) -> Selection:
    """Give a selection as ``mirror.json`` keeps it: without trees, which it does not name."""
    locks = tuple(
        replace(lock, releases=tuple(replace(one, tree="") for one in lock.releases)) for lock in selection.locks
    )
    return replace(selection, locks=locks)


class _Update:
    """One update in three steps; with a `trial` folder only the first two, and what is fetched goes there."""

    def __init__(self, context: Context, action: UpdateMirror, trial: str = "") -> None:
        self._context = context
        self._action = action
        self._trial = trial
        self._stack = ExitStack()
        self._copies: dict[str, Copying] = {}
        self._shown: dict[str, VerifiedState] = {}
        self._choice = Choice()
        self.done = Updated()
        self.has_moved_on = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def begin(self) -> None:
        """Bring what is signed of every registry, then choose the releases.

        Raises:
            SelectionIncompleteError: not all that is asked for is to be had.
        """
        for carried in self._action.registries:
            try:
                self._begin(carried)
            except MmpmError as error:
                self.done.failures[carried.registry] = error
        states: dict[str, VerifiedState] = {one: copying.state for one, copying in self._copies.items()}
        states |= {one: state for one, state in self._shown.items() if one in self.done.failures}
        wanted = {one.registry: selection_of(one) for one in self._action.registries if one.registry in states}
        self._choice = choose(states, wanted)
        if self._choice.missing:
            lost = [error for one, error in self.done.failures.items() if one not in states]
            raise lost[0] if lost else SelectionIncompleteError(self._choice.missing)
        for note in self._choice.notes:
            self._context.progress.warn(note)

    def _begin(self, carried: CarriedRegistry) -> None:
        if not carried.urls:
            cause = "it came by packs, and no address is known: import the next one, or name a place with --from"
            raise RegistryUnreachableError(carried.registry, cause)
        copying = self._copying(carried)
        try:
            copying.bring_metadata()
        finally:
            for warning in copying.origin.warnings:
                self._context.progress.warn(warning)
        self._copies[carried.registry] = copying

    def _copying(self, carried: CarriedRegistry) -> Copying:
        context, registry = self._context, carried.registry
        folder = tree_folder(self._action.folder, registry)
        tree = TreeDestination(folder)
        for one in (os.path.dirname(folder), folder):
            refuse_link(one)
        if not self._trial:
            clear_staging(folder)
        destination = TrialDestination(os.path.join(self._trial, registry), tree) if self._trial else tree
        believed = believed_of(context, registry, carried.fingerprint)
        shown = look_at(tree.read, believed, registry)
        if shown.state is not None:
            self._shown[registry] = shown.state
        config = find_registry(context, registry)
        # Whoever can write into a mirror's folder must not be sent what was meant for the registry.
        from_others = config.from_project | frozenset(carried.unnamed)
        config = replace(config, urls=carried.urls, from_project=from_others)
        source = source_of(context, config)
        origin = Origin(source, believed, shown, context.now, age_policy(context))
        self._stack.enter_context(destination)
        return Copying(origin, destination, context.progress)

    def count(self) -> None:
        """Find out what each registry lacks."""
        for registry, copying in list(self._copies.items()):
            try:
                copying.count(self._chosen(registry))
            except MmpmError as error:
                self._fail(registry, error)

    def counts(self) -> Iterator[CopyCount]:
        """Give what the copies amount to."""
        for registry, copying in self._copies.items():
            found = copying.counts
            serial = copying.state.serial
            yield CopyCount(registry, serial, found.releases, found.new, found.files, found.bytes)

    def finish(self) -> None:
        """Fetch what is lacking and show it, registry by registry."""
        for registry, copying in list(self._copies.items()):
            found = copying.counts
            self._context.progress.say(
                f"{registry}: {found.new} of {counted(found.releases, 'release')} to copy, "
                f"{counted(found.files, 'file')}, {size_text(found.bytes)}"
            )
            try:
                copying.bring_files(self._chosen(registry))
                copying.show(self._chosen(registry))
            except MmpmError as error:
                self._fail(registry, error)
            else:
                self.done.copied.append(Copied(registry, copying.state.serial, found))

    def _chosen(self, registry: str) -> Chosen:
        return self._choice.chosen[registry]

    def _fail(self, registry: str, error: MmpmError) -> None:
        self.done.failures[registry] = error
        if isinstance(error, SelectionIncompleteError) and self._copies[registry].has_moved_on():
            self.has_moved_on = True
        del self._copies[registry]


# --- the trees of a mirror as they are --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tree:
    """A registry's tree in a mirror: what it shows, and the releases that it is to carry."""

    registry: str
    destination: TreeDestination
    state: VerifiedState
    chosen: Chosen


def open_trees(context: Context, folder: str, mirror: Mirror) -> tuple[list[Tree], dict[str, MmpmError], list[str]]:
    """Open every tree of a mirror.

    Args:
        context: what this machine believes; where it accepted no root key of a registry, the one in ``mirror.json``.
        folder: the mirror.
        mirror: what it carries.

    Returns:
        The trees, why the others could not be opened, and what of the selection no tree has.
    """
    from mmpm.registry.verified import VerifiedState

    states: dict[str, VerifiedState] = {}
    failures: dict[str, MmpmError] = {}
    destinations = {one: TreeDestination(tree_folder(folder, one)) for one in mirror.registries}
    for registry, carried in mirror.registries.items():
        read = destinations[registry].read
        try:
            believed = believed_of(context, registry, accepted_of(context, registry) or carried.root)
            root = believed.trusted_root(registry, read, folder)
            states[registry] = VerifiedState.open(read, root, registry_id=registry)
        except MmpmError as error:
            failures[registry] = error
    choice = _choose_what_is_whole(states, mirror, failures)
    trees = [Tree(one, destinations[one], state, choice.chosen[one]) for one, state in states.items()]
    return trees, failures, choice.missing


def _choose_what_is_whole(states: dict[str, VerifiedState], mirror: Mirror, failures: dict[str, MmpmError]) -> Choice:
    """Choose, leaving out registries whose indexes are damaged, since nobody can tell what is to be chosen of them."""
    while True:
        selections: Mapping[str, Selection] = {one: mirror.registries[one].selection for one in states}
        try:
            return choose(states, selections)
        except MmpmError as error:
            lost = str(error.details.get("registry", ""))
            if lost not in states:
                raise
            failures[lost] = error
            del states[lost]


def accepted_of(context: Context, registry: str) -> str | None:
    """Give the fingerprint of the root that was accepted for a registry here, or None."""
    config = find_registry(context, registry)
    return trust_of(context, config).accepted(config.root, config.project_root)


def apply_set_aside(context: Context, action: SetAside) -> int:
    """Move damaged files below ``.damaged``, and give their number."""
    moved = 0
    with alone(context, action.folder):
        for path in action.paths:
            source, target = f"{action.folder}/{path}", f"{action.folder}/{DAMAGED}/{path}"
            os.makedirs(os.path.dirname(target), exist_ok=True)
            try:
                os.replace(source, target)
            except FileNotFoundError:
                continue
            moved += 1
    return moved


def apply_prune(context: Context, action: PruneMirror) -> Pruned:
    """Remove what the trees of a mirror do not reach any more."""
    done = Pruned()
    with alone(context, action.folder):
        trees, failures, _ = open_trees(context, action.folder, read_mirror(action.folder) or Mirror())
        for tree in trees:
            if tree.registry in action.registries and tree.registry not in failures:
                one = prune_tree(tree.destination, tree.state, tree.chosen, context.now.timestamp())
                done.files += one.files
                done.bytes += one.bytes
    return done
