"""From the store into a folder: hard links where they can be made, copies where not, decided file by file.

Rules: an object is re-hashed right before it is linked, whatever its times say, for somebody may have written through
another of its names. What is made lies in a fresh folder that the caller renames when all of it is there.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mmpm_store.durable import is_link_refusal, no_space_named, write_all
from mmpm_store.errors import DamagedObjectError, LinkError, MissingObjectError, TreeError, quoted
from mmpm_store.layout import EXECUTABLE_MODE, PLAIN_MODE
from mmpm_store.objects import object_name
from mmpm_store.paths import check_path
from mmpm_store.tree import FileEntry
from mmpm_store.verifying import intact_ones, is_intact

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from mmpm_store.ids import ObjectId
    from mmpm_store.objects import Store
    from mmpm_store.tree import Tree

LinkMode = Literal["auto", "hard", "copy"]

# How often an object may be replaced by an equal one while it is linked.
_ATTEMPTS = 8

_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the files of one tree go.

    Attributes:
        tree: the files.
        folder: below the target; empty for the target itself.
        renames: path in the tree -> path in `folder`, for files that get another name there.
        copies: (path in the tree, path below the target): a second place for a file.
    """

    tree: Tree
    folder: str = ""
    renames: Mapping[str, str] = field(default_factory=dict)
    copies: tuple[tuple[str, str], ...] = ()

    def files(self) -> Iterator[tuple[str, FileEntry]]:
        """Give each place below the target with the file that goes there.

        Raises:
            UnsafePathError: `folder`, a new name or a second place is not a safe path.
            KeyError: `copies` names a file that the tree does not have.
        """
        before = f"{check_path(self.folder)}/" if self.folder else ""
        if self.renames:
            for entry in self.tree.entries:
                yield before + check_path(self.renames.get(entry.path, entry.path)), entry
        else:
            for entry in self.tree.entries:
                yield before + entry.path, entry
        if self.copies:
            entries = {entry.path: entry for entry in self.tree.entries}
            for path, destination in self.copies:
                yield check_path(destination), entries[path]


@dataclass(frozen=True, slots=True)
class LinkReport:
    """How the files were made.

    Attributes:
        linked: number of hard links.
        copied: number of copies.
        reasons: why files were copied: (error name such as ``EMLINK``, or ``asked``; how many), sorted.
    """

    linked: int
    copied: int
    reasons: tuple[tuple[str, int], ...]


def materialise(
    store: Store,
    into: str,
    placements: Iterable[Placement],
    *,
    link: LinkMode = "auto",
    verify: bool = True,
    link_function: Callable[..., None] = os.link,
) -> LinkReport:
    """Make the files of `placements` below the folder `into`, which is made if missing and should be fresh.

    Args:
        store: has the objects.
        into: if anything is raised, it is the caller's to remove.
        placements: no two of them put a file in one place.
        link: ``auto``: a copy where a hard link is refused; ``hard``: never a copy; ``copy``: never a link.
        verify: re-hash each object before its first use here. False only for what the caller hashed itself just now.
        link_function: `os.link`, or a stand-in for a file system that refuses.

    Raises:
        DamagedObjectError: names all objects that are damaged and have no other intact variant; in quarantine now.
        MissingObjectError: names all objects that are not here (only if none is damaged).
        TreeError: two files in one place, or an entry whose size is not that of its object.
        LinkError: `link` is ``hard`` and a link was refused.
        NoSpaceError: the disk is full.
    """
    files = [file for placement in placements for file in placement.files()]
    if len({destination for destination, _ in files}) != len(files):
        raise TreeError("two files would lie in one place")
    with no_space_named(into):
        os.makedirs(into, exist_ok=True)
        linker = _Linker(store, into, link=link, link_function=link_function)
        try:
            linker.run(files, verify=verify)
        finally:
            linker.close()
    return linker.report()


def link_object(
    store: Store,
    object_id: ObjectId,
    path: str,
    executable: bool = False,
    *,
    link: LinkMode = "auto",
    link_function: Callable[..., None] = os.link,
) -> bool:
    """Make `path`, which must not exist, from one object; True if it is a hard link, False if a copy.

    Raises:
        FileExistsError: something is at `path`.
        DamagedObjectError, MissingObjectError, LinkError, NoSpaceError: as for `materialise`.
    """
    folder, name = os.path.split(path)
    with no_space_named(path):
        linker = _Linker(store, folder or ".", link=link, link_function=link_function)
        try:
            linker.run([(name, FileEntry("object", executable, object_id, len(store.read(object_id))))], verify=True)
        finally:
            linker.close()
    return linker.report().linked == 1


class _Linker:
    """One run: open folders, what was verified and made so far, and the counts."""

    def __init__(self, store: Store, into: str, *, link: LinkMode, link_function: Callable[..., None]) -> None:
        self._store = store
        self._mode = link
        self._link_function = link_function
        self._into = os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._objects = os.open(f"{store.path}/objects", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._copy_reason = "asked" if link == "copy" else None
        self._linked = 0
        self._reasons: dict[str, int] = {}

    def close(self) -> None:
        os.close(self._into)
        os.close(self._objects)

    def report(self) -> LinkReport:
        return LinkReport(self._linked, sum(self._reasons.values()), tuple(sorted(self._reasons.items())))

    def run(self, files: list[tuple[str, FileEntry]], *, verify: bool) -> None:
        names = [object_name(entry.id, entry.executable) for _, entry in files]
        objects = {name: entry for name, (_, entry) in zip(names, files, strict=True)}
        sizes = [(name, entry.size) for name, entry in objects.items()]
        verdicts = intact_ones(self._objects, sizes) if verify else self._present_ones(objects)
        settled: set[str] = set()
        bad: dict[str, FileEntry] = {}
        waiting: list[tuple[str, str, FileEntry]] = []
        folders = {""}
        with contextlib.closing(verdicts):
            for name, (destination, entry) in zip(names, files, strict=True):
                if name not in settled:
                    settled.add(name)
                    if not next(verdicts):
                        bad[name] = objects[name]
                folder = destination.rpartition("/")[0]
                if folder not in folders:
                    self._make_folders(folder, folders)
                if name in bad:
                    waiting.append((name, destination, entry))
                else:
                    self._make(name, destination, entry)
        if bad:
            self._mend(list(bad.values()))
            for name, destination, entry in waiting:
                self._make(name, destination, entry)

    def _present_ones(self, objects: dict[str, FileEntry]) -> Generator[bool, None, None]:
        for entry in objects.values():
            yield os.path.lexists(self._store.path_of(entry.id, entry.executable))

    def _mend(self, entries: list[FileEntry]) -> None:
        """Find intact bytes in any variant of these and store the wanted one: all with one flush.

        Raises:
            DamagedObjectError, MissingObjectError, TreeError: some cannot be mended from here; all are named.
        """
        damaged: set[ObjectId] = set()
        missing: set[ObjectId] = set()

        def found() -> Iterator[tuple[bytes, bool]]:
            for entry in entries:
                try:
                    data = self._store.read(entry.id)
                except DamagedObjectError:
                    damaged.add(entry.id)
                except MissingObjectError:
                    missing.add(entry.id)
                else:
                    if len(data) != entry.size:
                        raise TreeError(f"the tree's size of {quoted(entry.path)} is not that of its object")
                    yield data, entry.executable

        self._store.put_many(found())
        if damaged:
            raise DamagedObjectError(damaged)
        if missing:
            raise MissingObjectError(missing)

    def _make_folders(self, folder: str, made: set[str]) -> None:
        parent = folder.rpartition("/")[0]
        if parent not in made:
            self._make_folders(parent, made)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, dir_fd=self._into)
        made.add(folder)

    def _make(self, name: str, destination: str, entry: FileEntry) -> None:
        reason = self._copy_reason
        if reason is None:
            try:
                self._link(name, destination, entry)
            except OSError as error:
                if not is_link_refusal(error):
                    raise
                reason = errno.errorcode[error.errno or 0]
                if self._mode == "hard":
                    raise LinkError(
                        f"no hard link for {quoted(destination)}: {error.strerror} ({reason})",
                        "put the store on the same file system, or set install.link to auto",
                    ) from None
                if error.errno != errno.EMLINK:
                    self._copy_reason = reason  # the file system's answer, not this file's
            else:
                self._linked += 1
                return
        self._copy(destination, entry)
        self._reasons[reason] = self._reasons.get(reason, 0) + 1

    def _link(self, name: str, destination: str, entry: FileEntry) -> None:
        for _ in range(_ATTEMPTS):
            try:
                self._link_function(name, destination, src_dir_fd=self._objects, dst_dir_fd=self._into)
            except FileNotFoundError:
                # Collected since it was verified; or a writer's rename put an equal one in its place between the
                # kernel's look-up and its link.
                if not is_intact(self._objects, name, entry.size):
                    break
            else:
                return
        raise MissingObjectError([entry.id])

    def _copy(self, destination: str, entry: FileEntry) -> None:
        data = self._store.read(entry.id)
        fd = os.open(destination, _WRITE_FLAGS, 0o600, dir_fd=self._into)
        try:
            write_all(fd, data)
            os.fchmod(fd, EXECUTABLE_MODE if entry.executable else PLAIN_MODE)
        finally:
            os.close(fd)
