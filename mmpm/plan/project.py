"""Actions in a formulas folder: those of one plan are applied together, as one crash-safe change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmpm.receipt import Installed, InstalledFile


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
        role: ``manifest``, ``lock``, ``receipt``, ``installed`` (gt's list), ``gitignore``, ``catalogue`` or ``file``.
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


ProjectAction = (
    InstallTree | ReplaceTree | RemoveTree | KeepAside | AdoptFile | PlaceFiles | WriteText | SetRoot | NoteState
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
