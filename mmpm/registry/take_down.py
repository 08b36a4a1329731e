"""Removes the bytes of a release that was taken down: files that nothing else reaches, unsigned copies, signatures.

Rule: this runs after the state that shows the tombstone, and can be killed anywhere and run again: the release
document, which names the files, goes last. Files are set aside first. Then whoever is between staging and timestamp is
waited for, and what a new release reaches by now is put back; publishers, for their part, look whether their files are
still there while such a note lies in `.staging/`, or the state has moved on since they began.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from mmpm.errors import DamagedRegistryError
from mmpm.registry import history, layout
from mmpm.registry.claim import Claims
from mmpm.registry.published import PublishedTree, shown_serial
from mmpm.registry.sign import signature_path
from mmpm.trust.facts import SNAPSHOT
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.registry.commit import Committing
    from mmpm.registry.tree_writer import TreeWriter

_NOTE: Final = "taking-down-"
_ID: Final = re.compile(rb"blake3:([0-9a-f]{64})")


def note_taking_down(writer: TreeWriter) -> str:
    """Note that files may be about to go, and give the note's path."""
    path = f"{layout.STAGING}/{_NOTE}{os.getpid()}-{os.urandom(4).hex()}"
    writer.replace(path, b"")
    return path


def is_taking_down(root: str) -> bool:
    """Whether files of the tree at `root` may be about to go."""
    with suppress(FileNotFoundError):
        return any(name.startswith(_NOTE) for name in os.listdir(f"{root}/{layout.STAGING}"))
    return False


def is_gone(root: str, release: Release) -> bool:
    """Whether nothing of a release is left but its line."""
    paths = (
        layout.object_file(release.document),
        layout.release_folder(str(release.name), str(release.version)),
        *(signature_path(release, key_id) for key_id, _ in release.signatures),
    )
    return not any(os.path.lexists(f"{root}/{path}") for path in paths)


def remove_bytes(writer: TreeWriter, release: Release, how: Committing) -> None:
    """Remove what only `release`, whose tombstone is shown, has in the tree of `writer`.

    Raises:
        DamagedRegistryError: what the other releases reach cannot be read, so that nothing may go.
        PublisherBusyError: another publisher does not finish.
    """
    root = writer.root
    tree = PublishedTree.load(root, how.keys.root)
    objects = _objects_of(root, release)
    kept = _reached(tree, set(objects))
    aside = {}
    for object_id in objects:
        staged = None if object_id in kept else writer.set_aside(layout.object_file(object_id))
        if staged is not None:
            aside[object_id] = staged
    _wait_for_publishers(root, how)
    newest = PublishedTree.load(root, how.keys.root)
    if newest.serial != tree.serial:
        for object_id in _reached(newest, set(aside)):
            writer.place(aside[object_id], layout.object_file(object_id))
    _remove_copies(writer, release)
    _remove_signatures(writer, newest, release)


def _objects_of(root: str, release: Release) -> list[ObjectId]:
    """Give the objects of a release, its document last."""
    try:
        with open(f"{root}/{layout.object_file(release.document)}", "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return [release.tree]
    named = sorted({ObjectId(digits.decode()) for digits in _ID.findall(data)} - {release.tree})
    return [*named, release.tree, release.document]


def _reached(tree: PublishedTree, wanted: set[ObjectId]) -> set[ObjectId]:
    """Give those of `wanted` that a release reaches which was not taken down."""
    found: set[ObjectId] = set()
    for release in _releases(tree):
        if found == wanted:
            break
        found |= wanted & {release.tree, release.document}
        path = layout.object_file(release.document)
        try:
            with open(f"{tree.root}/{path}", "rb") as file:
                data = file.read()
        except FileNotFoundError:
            raise DamagedRegistryError(tree.root, path) from None
        # Every id that the document names in whatever place: rather one too many that stays than one too few.
        found |= wanted & {ObjectId(digits.decode()) for digits in _ID.findall(data)}
    return found


def _releases(tree: PublishedTree) -> Iterator[Release]:
    for name in _names(tree):
        index = tree.index(name)
        if index is not None:
            for one in history.read_history(name, index, tree.older_lines(index)):
                if not one.tombstone:
                    yield one


def _names(tree: PublishedTree) -> Iterator[FormulaName]:
    from mmpm.model.names import FormulaName

    for role in layout.bin_roles():
        for target in tree.bin_targets(role):
            name = layout.name_of_index(target)
            if name is not None:
                yield FormulaName.parse(name)


def _wait_for_publishers(root: str, how: Committing) -> None:
    serial = shown_serial(root) + 1
    with Claims(root, how.wait_seconds) as claims:
        while os.path.exists(f"{root}/{layout.role_file(SNAPSHOT, serial)}"):
            claims.wait_for(serial, lambda serial=serial: shown_serial(root) >= serial, how.on_wait)  # type: ignore[misc]
            serial += 1


def _remove_copies(writer: TreeWriter, release: Release) -> None:
    name, version = str(release.name), str(release.version)
    for path in (layout.release_alias(name, version), layout.download_alias(name, version)):
        writer.set_aside(path)
    with suppress(OSError):
        os.rmdir(f"{writer.root}/{layout.release_folder(name, version)}")


def _remove_signatures(writer: TreeWriter, tree: PublishedTree, release: Release) -> None:
    paths = {signature_path(release, key_id) for key_id, _ in release.signatures}
    if not paths:
        return
    others = (one for one in _releases(tree) if one.checksum == release.checksum)
    kept = _paths(others)
    for path in paths - kept:
        writer.set_aside(path)
    with suppress(OSError):
        os.rmdir(os.path.dirname(f"{writer.root}/{min(paths)}"))


def _paths(releases: Iterable[Release]) -> set[str]:
    return {signature_path(one, key_id) for one in releases for key_id, _ in one.signatures}
