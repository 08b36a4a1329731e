"""Publishers and marks of a folder registry: edits of what the role trust lists, signed here or carried to its keys.

Rule: an edit is a request like any change of roles (`mmpm.registry.rotate`). Where the keys are here, it is made anew
on whatever state is the newest, so that two operators at once both succeed; one that was carried away fits only the
trust that it started from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import SigningRequestOutdatedError
from mmpm.registry import layout
from mmpm.registry.published import PublishedTree
from mmpm.registry.rotate import RoleChange, apply_request, make_request, sign_request
from mmpm.trust.edits import PutPublisher, Revoke, TrustEdit, edit_marks, edit_publishers
from mmpm.trust.facts import TRUST
from mmpm.trust.signing import examine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.registry.commit import Committing
    from mmpm.registry.key_folder import RegistryKeys
    from mmpm.trust.levels import Mark
    from mmpm.trust.signing_request import SigningRequest

_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class TrustChanged:
    """What came of an edit.

    Attributes:
        serial: of the registry, which shows the edit unless `request` waits.
        changed: False where everything was so already.
        request: what the keys that are not here have to sign first; None where it is published.
        missing: whose signatures it waits for, in sentences.
    """

    serial: int
    changed: bool
    request: SigningRequest | None = None
    missing: tuple[str, ...] = ()


def trust_change(base: PublishedTree, edit: TrustEdit) -> RoleChange:
    """Give what `edit` makes of the files that the role trust lists; no files: it is so already.

    Raises:
        ValueError: it does not fit the publishers that there are.
    """
    if isinstance(edit, PutPublisher | Revoke):
        target = layout.PUBLISHERS
        before, after = base.publishers(), edit_publishers(edit, base.publishers())
        is_same = before == after
        text: str | None = after.to_bytes().decode()
    else:
        shard = layout.shard_of(edit.name)
        target = layout.levels_target(shard)
        marks = edit_marks(edit, base.marks(shard))
        is_same = marks == base.marks(shard)
        text = None if marks.is_empty else marks.to_bytes().decode()
    return RoleChange(files={} if is_same else {target: text}, purpose=(edit.words,))


def request_trust(root: str, edit: TrustEdit, keys: RegistryKeys, how: Committing) -> TrustChanged:
    """Give the request for `edit`, signed as far as `keys` can; nothing is published.

    Raises:
        ValueError: as for `trust_change`.
    """
    base = PublishedTree.load(root, keys.root)
    change = trust_change(base, edit)
    request = make_request(base, change, how.now) if change.files else None
    if request is None:
        return TrustChanged(base.serial, changed=False)
    signed = sign_request(request, keys)
    return TrustChanged(base.serial, True, signed, tuple(one.sentence for one in examine(signed).missing))


def change_trust(root: str, edit: TrustEdit, keys: RegistryKeys, how: Committing) -> TrustChanged:
    """Publish `edit` if `keys` are enough for the role trust; else give the request that waits for the others.

    Args:
        root: the tree's folder.
        edit: made on the newest state.
        keys: those of the role trust that are here, and the online ones.
        how: the same keys, time and limits.

    Raises:
        ValueError: as for `trust_change`.
        SigningRequestOutdatedError: others change the role trust all the time.
    """
    for attempt in range(_ATTEMPTS):
        made = request_trust(root, edit, keys, how)
        if made.request is None or made.missing:
            return made
        try:
            applied = apply_request(root, made.request, how)
        except SigningRequestOutdatedError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        return TrustChanged(applied.serial, changed=True)
    raise AssertionError


def all_marks(base: PublishedTree) -> Iterator[Mark]:
    """Give every mark of a tree, by name, the official one before audits, these by version text."""
    shards = sorted(path for path in base.chain.targets_of(TRUST) if path.startswith("trust/levels/"))
    found = [mark for path in shards for mark in _of_shard(base, path[-7:-5])]
    yield from sorted(found, key=lambda mark: (mark.name, bool(mark.checksum), mark.version))


def marks_of(base: PublishedTree, name: str) -> tuple[Mark, ...]:
    """Give the marks of one formula, the official one first."""
    found = _of_shard(base, layout.shard_of(name))
    return tuple(sorted((one for one in found if one.name == name), key=lambda one: (bool(one.checksum), one.version)))


def _of_shard(base: PublishedTree, shard: str) -> list[Mark]:
    marks = base.marks(shard)
    return [*marks.officials.values(), *marks.audits.values()]
