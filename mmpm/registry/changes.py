"""What a refresh brought: the difference of two snapshots, as far as both are here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import NotFetchedError, RegistryUntrustedError
from mmpm.registry import layout
from mmpm.registry.snapshot import listed_name

if TYPE_CHECKING:
    from mmpm.model.release import Release
    from mmpm.registry.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class NameChange:
    """What changed under one name.

    Attributes:
        name: of the formula.
        is_new: the name was not there before.
        is_gone: the name is not there any more.
        published: versions that are new, in order of publication; empty where the older lines were not here.
        yanked: versions withdrawn since, in order of publication.
    """

    name: str
    is_new: bool = False
    is_gone: bool = False
    published: tuple[str, ...] = ()
    yanked: tuple[str, ...] = ()


def changes_between(old: Snapshot, new: Snapshot) -> tuple[NameChange, ...]:
    """Give what changed from `old` to `new`, sorted by name, for the bins that are here of both.

    Raises:
        RegistryUntrustedError: what is listed cannot be a formula, or a signed index is none.
    """
    changed: list[NameChange] = []
    for role in layout.bin_roles():
        if old.bin_file(role) == new.bin_file(role):
            continue
        before, after = old.bin_targets(role), new.bin_targets(role)
        if before is None or after is None:
            continue
        for target in before.keys() | after.keys():
            text = layout.name_of_index(target)
            if text is not None and before.get(target) != after.get(target):
                name = str(listed_name(new.registry_id, text))
                changed.append(_change_of(name, old, new, is_new=target not in before, is_gone=target not in after))
    return tuple(sorted(changed, key=lambda change: change.name))


def _change_of(name: str, old: Snapshot, new: Snapshot, *, is_new: bool, is_gone: bool) -> NameChange:
    try:
        before = {str(release.version): release for release in _lines(old, name)}
        after = _lines(new, name)
    except NotFetchedError:
        return NameChange(name, is_new, is_gone)
    return NameChange(
        name,
        is_new,
        is_gone,
        tuple(str(release.version) for release in after if str(release.version) not in before),
        tuple(
            str(release.version)
            for release in after
            if release.yanked is not None
            and (known := before.get(str(release.version))) is not None
            and known.yanked is None
        ),
    )


def _lines(snapshot: Snapshot, name: str) -> tuple[Release, ...]:
    index = snapshot.index(name)
    try:
        return index.releases() if index is not None else ()
    except ValueError as error:
        raise RegistryUntrustedError(snapshot.registry_id, str(error)) from None
