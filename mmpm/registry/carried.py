"""Which releases the places of a registry carry, as far as can be told without asking for their files.

Rule: this only ever takes releases out of what may be chosen, and only where every place of the registry is a mirror
(`mmpm.registry.address.is_mirror`) that says so: by its unsigned ``mirrored.json``, or because the files are not there
in a folder. A place that is no mirror, or says nothing, or nothing that can be read, may carry everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.registry import layout
from mmpm.registry.folder import FolderTransport
from mmpm.registry.mirrored import MAX_MIRRORED_BYTES, MIRRORED_JSON, Mirrored
from mmpm.registry.transport import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mmpm.model.release import Release
    from mmpm.registry.transport import Transport


def carried_by(registry_id: str, mirrors: Iterable[Transport]) -> Callable[[Release], bool] | None:
    """Give what tells of a release whether one of `mirrors`, which are all places of a registry, carries it.

    Returns:
        None where nothing speaks against any release.
    """
    looks: list[Callable[[Release], bool]] = []
    for place in mirrors:
        said = _read_mirrored(registry_id, place)
        if isinstance(place, FolderTransport):
            looks.append(_in_folder(place, said))
        elif said is None or said.is_complete:
            return None
        else:
            looks.append(said.has)
    if not looks:
        return None
    return lambda release: any(look(release) for look in looks)


def _in_folder(place: FolderTransport, said: Mirrored | None) -> Callable[[Release], bool]:
    """Look for a release's own listing, which a mirror brings with its files; what is said spares the looking."""

    def look(release: Release) -> bool:
        is_said = said is not None and release.serial <= said.serial and said.has(release)
        return is_said or place.has(layout.object_file(release.tree))

    return look


def _read_mirrored(registry_id: str, place: Transport) -> Mirrored | None:
    try:
        found = Mirrored.parse(place.get(MIRRORED_JSON, MAX_MIRRORED_BYTES))
    except (TransportError, ValueError, RecursionError):
        return None
    return found if found.registry_id == registry_id else None
