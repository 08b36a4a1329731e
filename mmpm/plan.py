"""What a command is about to change, as one value that can be shown, asked about, written as JSON and applied.

Rule: `Action` is a closed union. Everything that changes something outside the process is one of these, and
`mmpm.execute.apply.HANDLERS` has exactly one effect function for each (a test holds the two lists together).

How to add an action: write a frozen slotted dataclass here whose fields say everything its effect needs (text,
numbers, bytes, tuples and such dataclasses, no open files, no secrets), add it to the union `Action`, and add
``"YourAction": "mmpm.room.module:function"`` to `HANDLERS`; the function is called as ``function(context, action)``
and its module is imported only when such an action is applied. All the actions of `PROJECT_ACTIONS` in one plan are
applied together by `mmpm.execute.install` as one crash-safe change; the others one after another, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.lock import Locked
    from mmpm.receipt import Installed, InstalledFile


# ---- in a formulas folder -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InstallTree:
    """Put a release's files in place: none of ours were there before.

    Attributes:
        release: what the receipt will say; `release.files` lists all of the release's files.
        link: the files to link now (those of `release.files` that do not lie there already).
    """

    release: Installed
    link: tuple[InstalledFile, ...]


@dataclass(frozen=True, slots=True)
class ReplaceTree:
    """Put another version (or mended files) in place of what the receipt lists.

    Attributes:
        release: what the receipt will say.
        link: the files to link now, over those of the old version.
        remove: paths of the old version that the new one lacks.
        old_version: what is replaced; equal to the new version when files are mended.
    """

    release: Installed
    link: tuple[InstalledFile, ...]
    remove: tuple[InstalledFile, ...]
    old_version: str


@dataclass(frozen=True, slots=True)
class RemoveTree:
    """Take out a release that the receipt lists and the lock no longer has; `remove` are its unedited files."""

    name: str
    version: str
    remove: tuple[InstalledFile, ...]


@dataclass(frozen=True, slots=True)
class KeepAside:
    """Rename a person's bytes out of the way, under a name that their content gives.

    Attributes:
        path, kept_as: relative to the formulas folder.
        id: ``blake3:..`` of the bytes kept.
        reason: ``unmanaged`` (never ours) or ``edited`` (was ours).
        owner: the release whose place it is in.
    """

    path: str
    kept_as: str
    id: str
    reason: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class AdoptFile:
    """Take a file into the receipt that already has the right bytes; it is left as it lies."""

    name: str
    path: str
    id: str


@dataclass(frozen=True, slots=True)
class PlaceFiles:
    """Put files that are the person's from now on (a fork) into the formulas folder, over unedited files of ours.

    Attributes:
        files: (path relative to the formulas folder, bytes, mode).
    """

    files: tuple[tuple[str, bytes, int], ...]


@dataclass(frozen=True, slots=True)
class WriteText:
    """Write one of the project's own text files, as a whole, atomically.

    Attributes:
        role: ``manifest``, ``lock``, ``receipt``, ``installed`` (gt's list), ``gitignore`` or ``file``.
        path: absolute.
        text: the new content.
        replaces: ``blake3:..`` of what the plan was made over, empty where there was no file; a file that a person
            changed meanwhile is not written over. None: whatever is there.
    """

    role: str
    path: str
    text: str
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class SetRoot:
    """Tell the store which trees the receipt at `key` uses, before anything is linked."""

    key: str
    trees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoteState:
    """Note that now nothing is to do, so that the next `sync` need only look at inodes.

    Attributes:
        sentence: what that `sync` prints.
        paths: what it looks at (`mmpm.project.state.note`).
    """

    sentence: str
    paths: tuple[str, ...]


# ---- coarse values for the other rooms; their owners may add fields ------------------------------------------------


@dataclass(frozen=True, slots=True)
class WriteFiles:
    """Write files that must not be there yet (`init`, `new`, `build -o`): (absolute path, bytes, mode)."""

    files: tuple[tuple[str, bytes, int], ...]
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class InitRegistry:
    """Make a new registry tree in `folder` and its keys in `key_folder`; `open_keys` leaves them unprotected."""

    folder: str
    registry: str
    title: str
    key_folder: str
    passphrase_file: str | None = None
    open_keys: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """One release to publish: where its files are, and its release document, complete (canonical JSON)."""

    name: str
    version: str
    path: str
    checksum: str
    size: int
    document: bytes


@dataclass(frozen=True, slots=True)
class PublishReleases:
    """Publish into a folder registry; no releases at all renew its timestamp.

    `after_restore`: the folder is known to be an older copy of the registry.
    """

    folder: str
    registry: str
    key_folder: str
    passphrase_file: str | None
    releases: tuple[Publication, ...]
    after_restore: bool = False


@dataclass(frozen=True, slots=True)
class YankRelease:
    """Mark a published release as withdrawn."""

    folder: str
    registry: str
    key_folder: str
    passphrase_file: str | None
    name: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class AddRegistry:
    """Trust a registry: pin its root, keep its addresses in the settings.

    Attributes:
        urls: all its addresses in the order in which they are tried, absolute folders among them.
        replace: what was believed under another root key is void.
    """

    registry: str
    urls: tuple[str, ...]
    fingerprint: str
    name: str
    priority: int
    scopes: tuple[str, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True)
class RemoveRegistry:
    """Forget a registry."""

    registry: str


@dataclass(frozen=True, slots=True)
class RefreshRegistries:
    """Learn what registries have now."""

    registries: tuple[str, ...]
    everything: bool = False


@dataclass(frozen=True, slots=True)
class CollectStore:
    """Remove from the store what nothing uses.

    Attributes:
        grace_seconds: what was put or linked within it stays.
        max_bytes: stop when the store holds no more than this; None: remove all that may go.
        keep: ``blake3:..`` of trees and objects that stay although no root reaches them (those of a lock).
        force: remove although the listing of a tree in use cannot be read.
        objects, size: what was found to go when the plan was made.
    """

    grace_seconds: int
    max_bytes: int | None = None
    keep: tuple[str, ...] = ()
    force: bool = False
    objects: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class ClearQuarantine:
    """Unlink the damaged files that were put aside; `files` and `size` as found when the plan was made."""

    files: int
    size: int


@dataclass(frozen=True, slots=True)
class RepairStore:
    """Quarantine damaged objects, fetch them and missing ones again, and set modes right.

    Each is ``blake3:..``, or ``blake3:..-x`` for the executable variant.
    """

    damaged: tuple[str, ...]
    missing: tuple[str, ...] = ()
    wrong_mode: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetConfig:
    """Set (or, with None, unset) a value in a settings file."""

    path: str
    key: str
    value: str | None


Action = (
    InstallTree
    | ReplaceTree
    | RemoveTree
    | KeepAside
    | AdoptFile
    | PlaceFiles
    | WriteText
    | SetRoot
    | NoteState
    | WriteFiles
    | InitRegistry
    | PublishReleases
    | YankRelease
    | AddRegistry
    | RemoveRegistry
    | RefreshRegistries
    | CollectStore
    | ClearQuarantine
    | RepairStore
    | SetConfig
)

PROJECT_ACTIONS = (
    InstallTree,
    ReplaceTree,
    RemoveTree,
    KeepAside,
    AdoptFile,
    PlaceFiles,
    WriteText,
    SetRoot,
    NoteState,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order.

    Attributes:
        actions: applied in this order; empty when there is nothing to do.
        bytes_to_fetch: payload bytes that the store lacks.
        folder: the formulas folder that project actions are about, absolute; empty when there are none.
        notes: sentences for the person that no action says (warnings).
        fetch: ``blake3:..`` ids of the objects that the store lacks, to be fetched before anything else.
        sources: registry ids that are asked for them, in order.
        unproved: releases whose checksum and tree have not been found to agree on this machine: both are recomputed
            from the bytes before anything is linked.
        lock: the text of the lock that this installs where nothing is installed yet; empty for any other plan.
    """

    actions: tuple[Action, ...] = ()
    bytes_to_fetch: int = 0
    folder: str = ""
    notes: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    unproved: tuple[Locked, ...] = ()
    lock: bytes = b""

    @property
    def is_empty(self) -> bool:
        """Whether applying the plan changes nothing."""
        return not self.actions

    def of(self, *kinds: type) -> tuple[Action, ...]:
        """Give the actions of these kinds, in order."""
        return tuple(action for action in self.actions if isinstance(action, kinds))

    def counts(self) -> Mapping[str, int]:
        """Count the actions by kind (``install-tree``); kinds that do not occur are left out."""
        counted: dict[str, int] = {}
        for action in self.actions:
            kind = kind_of(action)
            counted[kind] = counted.get(kind, 0) + 1
        return counted


def kind_of(action: Action) -> str:
    """Give the action's name for programs: ``InstallTree`` is ``install-tree``."""
    name = type(action).__name__
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("-")


def to_json(plan: Plan) -> dict[str, object]:
    """Give `plan` as a JSON-able value: what `--dry-run --json` prints."""
    return {
        "actions": [{"action": kind_of(action), **_fields(action)} for action in plan.actions],
        "summary": dict(plan.counts()),
        "bytes_to_fetch": plan.bytes_to_fetch,
        "notes": list(plan.notes),
    }


def _fields(value: object) -> dict[str, object]:
    return {name: _plain(getattr(value, name)) for name in type(value).__dataclass_fields__}  # type: ignore[attr-defined]


def _plain(value: object) -> object:
    if isinstance(value, (str, int)) or value is None:
        return value
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return _fields(value)
