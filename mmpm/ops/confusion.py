"""Names that two configured registries have: which one wins today, why, and what if one vanished. No network.

Dependency confusion needs a name in two places and nothing but their order between them. The signed bins list every
name of a registry, so that the answer is complete wherever they are here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mmpm.errors import NotFetchedError
from mmpm.lock import parse_requirement_text
from mmpm.ops.catalog import read_shelves
from mmpm.ops.known import open_snapshot
from mmpm.project.files import read_project
from mmpm.project.manifest import read_manifest
from mmpm.project.registries import scope_owner
from mmpm.textform import registry_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.execute.context import Context
    from mmpm.project.registries import RegistryConfig

Reason = Literal["claim", "scope", "priority", "id"]


@dataclass(frozen=True, slots=True)
class Claimant:
    """A registry that has the name; `latest` is empty where its catalog is not here."""

    registry: str
    priority: int
    latest: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """One name that several registries have.

    Attributes:
        name: the formula.
        claimants: in the order in which they are asked.
        winner: id of the registry that the name means here; with a scope or claim even if it lacks the name.
        reason: `claim` (mmpm.toml or the lock says so), `scope`, `priority`, or `id` (equal priorities).
        if_dropped: who would win if the winner dropped the name; empty: nobody, it would be an error.
        if_removed: who would win if the winner were no longer configured; empty: nobody.
        locked_from: the registry that the project's lock has it from; empty where it is not locked.
    """

    name: str
    claimants: tuple[Claimant, ...]
    winner: str
    reason: Reason
    if_dropped: str
    if_removed: str
    locked_from: str

    @property
    def is_open(self) -> bool:
        """Whether only the order of the registries decides, or the lock holds another one's than would win now."""
        return self.reason in {"priority", "id"} or (bool(self.locked_from) and self.locked_from != self.winner)


@dataclass(frozen=True, slots=True)
class Audit:
    """The answer: confusions by name, ids of those of which not every name is known here, ids of all."""

    confusions: tuple[Confusion, ...]
    incomplete: tuple[str, ...]
    searched: tuple[str, ...]


def audit_confusion(context: Context) -> Audit:
    """Look for names that two registries have.

    Raises:
        MmpmError: manifest, lock, or what is here of a registry cannot be read.
    """
    shelves = read_shelves(context)
    incomplete: list[str] = []
    having: dict[str, list[int]] = {}
    for position, shelf in enumerate(shelves):
        names, is_complete = _names(context, shelf.config.id)
        if not is_complete:
            incomplete.append(shelf.config.id)
        for name in names:
            having.setdefault(name, []).append(position)
    claims, locked = _of_project(context)
    registries = [shelf.config for shelf in shelves]
    posted = [{entry.name for entry in shelf.entries if entry.kind == "records"} for shelf in shelves]
    described = [(shelf.config, {entry.name: entry.version for entry in shelf.entries}) for shelf in shelves]
    found = []
    for name, positions in sorted(having.items()):
        if all(name in posted[one] for one in positions):
            continue  # records are read from every registry, and run nothing: nobody can stand in front
        bound = claims.get(name) or (scope.id if (scope := scope_owner(registries, name)) else "")
        # A name that is bound to a registry that lacks it, and that another has, is confusion as well.
        if len(positions) > 1 or (bound and registries[positions[0]].id != bound):
            found.append(_confusion(name, [described[one] for one in positions], registries, claims, locked))
    return Audit(tuple(found), tuple(incomplete), tuple(one.id for one in registries))


def _names(context: Context, registry_id: str) -> tuple[set[str], bool]:
    """Give the names that a registry has, and whether these are all."""
    snapshot = open_snapshot(context, registry_id)
    if snapshot is None:
        return set(), False
    try:
        return set(snapshot.names()), snapshot.has_every_bin
    except NotFetchedError:
        return set(), False


def _of_project(context: Context) -> tuple[dict[str, str], dict[str, str]]:
    """Give the registries that the project's requirements name, and those that its lock has each name from."""
    manifest = read_manifest(context.project.manifest_path)
    lock = read_project(context.project).lock
    claims = {one.name: one.registry for one in manifest.wanted if one.registry}
    if lock is None:
        return claims, {}
    if not manifest.exists:
        asked = ((name, parse_requirement_text(text).registry) for _, name, text in lock.requirements)
        claims = {name: registry for name, registry in asked if registry}
    return claims, {one.name: registry_of(one.source) for one in lock.releases}


def _confusion(
    name: str,
    having: Sequence[tuple[RegistryConfig, Mapping[str, str]]],
    registries: Sequence[RegistryConfig],
    claims: Mapping[str, str],
    locked: Mapping[str, str],
) -> Confusion:
    ids = [config.id for config, _ in having]
    scope = scope_owner(registries, name)
    reason: Reason
    if name in claims:
        winner, reason = claims[name], "claim"
    elif scope is not None:
        winner, reason = scope.id, "scope"
    else:
        first, second = having[0][0], having[1][0]
        winner, reason = first.id, "priority" if first.priority < second.priority else "id"
    others = [one for one in registries if one.id != winner]
    next_scope = scope_owner(others, name)
    left = [one for one in ids if one != winner and (next_scope is None or one == next_scope.id)]
    heir = left[0] if left else ""
    return Confusion(
        name=name,
        claimants=tuple(Claimant(config.id, config.priority, latest.get(name, "")) for config, latest in having),
        winner=winner,
        reason=reason,
        if_dropped=heir if reason in {"priority", "id"} else "",
        if_removed="" if reason == "claim" else heir,
        locked_from=locked.get(name, ""),
    )
