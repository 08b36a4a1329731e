"""Mirrors as queries and plans: `mirror create`, `update`, `verify`, `prune`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mmpm.errors import (
    MirrorUnreadableError,
    MmpmError,
    RootNotPinnedError,
    SelectionIncompleteError,
    UsageError,
)
from mmpm.execute.connect import find_registry
from mmpm.execute.mirroring import DAMAGED, accepted_of, open_trees, try_update
from mmpm.lock import parse_lock
from mmpm.model.references import Requirement
from mmpm.ops.registries import find, meet
from mmpm.plan import CarriedLock, CarriedRegistry, Plan, PruneMirror, SetAside, UpdateMirror
from mmpm.registry.mirror.pruning import prune_tree
from mmpm.registry.mirror.selected import Mirror, read_mirror, trees_in
from mmpm.registry.mirror.selection import select_lock
from mmpm.registry.mirror.verifying import Report, Verifying
from mmpm.registry.mirrored import MIRRORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmpm.execute.context import Context
    from mmpm.execute.mirroring import Updated
    from mmpm.lock import Lockfile
    from mmpm.registry.introduce import Introduction
    from mmpm.registry.mirror.selected import MirroredRegistry


@dataclass(frozen=True, slots=True)
class Source:
    """A registry that a mirror is to copy.

    Attributes:
        registry: its id.
        urls: where it lies, in order.
        kept: those of them that the mirror remembers.
        fingerprint: of its root.
        introduction: what it says of itself, where nobody has accepted that root yet; then a person is asked.
    """

    registry: str
    urls: tuple[str, ...]
    kept: tuple[str, ...]
    fingerprint: str
    introduction: Introduction | None = None


@dataclass(slots=True)
class Checked:
    """What looking through a mirror found.

    Attributes:
        reports: by registry, of the trees that could be read.
        failures: why the others could not be.
        missing: releases of the selection that no tree has.
        foreign: trees that no selection names, below the mirror's folder.
        notes: sentences for a person.
    """

    reports: dict[str, Report] = field(default_factory=dict)
    failures: dict[str, MmpmError] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def paths(self, kind: str) -> list[str]:
        """Give the ``damaged``, ``missing`` or ``foreign`` files of all trees, below the mirror's folder."""
        return [
            f"{MIRRORS}/{registry}/{path}"
            for registry, report in self.reports.items()
            for path in getattr(report, kind)
        ]


def read_locks(paths: Sequence[str]) -> dict[str, Lockfile]:
    """Read locks, by a name that tells each from the others: folder and file, never the whole path.

    Raises:
        DocumentUnreadableError: one is no lock.
        UsageError: one is not there.
    """
    found: dict[str, Lockfile] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", "name a lock, such as mmpm.lock") from None
        base = "/".join(os.path.abspath(path).split("/")[-2:])
        name, number = base, 1
        while name in found:
            number += 1
            name = f"{base} ({number})"
        found[name] = parse_lock(data, path)
    return found


def find_sources(
    context: Context, named: Sequence[str], roots: Sequence[str], locks: Mapping[str, Lockfile]
) -> tuple[Source, ...]:
    """Find the registries to copy; each URL, folder or mirror is asked who it is.

    Args:
        context: how to reach them.
        named: ids and names of configured registries, URLs, absolute folders; none means those of the locks, or where
            there are no locks all that are configured.
        roots: fingerprints that the person was given.
        locks: by name.

    Raises:
        UsageError: nothing is named and nothing configured.
        MmpmError: as for `meet`.
    """
    if not named:
        of_locks = {registry for lock in locks.values() for registry in select_lock("", lock)[0]}
        named = sorted(of_locks) if locks else [config.id for config in context.registries]
    if not named:
        raise UsageError("no registry is named and none is configured", "name one with --from URL")
    found: dict[str, Source] = {}
    for one in named:
        for source in _sources_at(context, one, roots):
            before = found.get(source.registry)
            if before is not None:
                urls, kept = (*before.urls, *source.urls), (*before.kept, *source.kept)
                source = replace(before, urls=_once(urls), kept=_once(kept))  # noqa: PLW2901 - both are one registry
            found[source.registry] = source
    return tuple(found.values())


def _sources_at(context: Context, where: str, roots: Sequence[str]) -> list[Source]:
    configured = {name: config for config in context.registries for name in (config.id, config.name) if name}
    if where in configured:
        config = find(context, where)
        accepted = accepted_of(context, config.id)
        if accepted is not None:
            return [Source(config.id, config.urls, config.urls, accepted)]
        where = config.urls[0] if config.urls else where
    found = []
    for met in meet(context, where, roots):
        said = met.introduction
        found.append(
            Source(said.registry_id, (met.url,), (met.url,), said.fingerprint, None if met.is_accepted else said)
        )
    return found


def _once(urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(urls))


def plan_create(
    context: Context,
    folder: str,
    sources: Sequence[Source],
    locks: Mapping[str, Lockfile],
    only: Sequence[str],
    *,
    dry_run: bool = False,
) -> tuple[Plan, Updated | None]:
    """Plan to copy registries into a mirror: everything, or what locks and requirements ask for.

    Returns:
        The plan; and of a dry run what was found out, in which registries that failed are told.

    Raises:
        SelectionIncompleteError: a lock has entries of a registry that is not copied, or of none.
        ValueError: as `UsageError`: a requirement is none.
    """
    parts: dict[str, list[CarriedLock]] = {source.registry: [] for source in sources}
    missing: list[str] = []
    for name, lock in locks.items():
        by_registry, elsewhere = select_lock(name, lock)
        missing += [f"{one} of {name} comes from no registry" for one in elsewhere]
        for registry, part in by_registry.items():
            picked = tuple((one.name, one.version, one.checksum, one.tree) for one in part.releases)
            if registry in parts:
                parts[registry].append(CarriedLock(name, picked))
            else:
                missing += [f"{one.name}@{one.version} of {name}: {registry} is not copied" for one in part.releases]
    if missing:
        raise SelectionIncompleteError(missing)
    wanted = tuple(_requirement(text) for text in only)
    everything = not locks and not only
    inside = [url for one in sources for url in one.urls if f"{url}/".startswith(f"{folder}/")]
    if inside:
        raise UsageError(f"{inside[0]} lies in {folder} itself", "name the registry that it is to be copied from")
    registries = tuple(
        CarriedRegistry(
            one.registry,
            one.urls,
            one.kept,
            one.fingerprint,
            tuple(parts[one.registry]),
            wanted,
            everything,
        )
        for one in sources
    )
    return _plan(context, UpdateMirror(folder, registries), dry_run=dry_run)


def _requirement(text: str) -> str:
    try:
        return str(Requirement.parse(text))
    except ValueError as error:
        raise UsageError(str(error), "write NAME@RANGE, such as --only 'mol-review@^1'") from None


def _plan(context: Context, action: UpdateMirror, *, dry_run: bool) -> tuple[Plan, Updated | None]:
    if not dry_run:
        return Plan((action,)), None
    tried, done = try_update(context, action)
    return Plan((tried,), bytes_to_fetch=sum(one.bytes for one in tried.counts)), done


def plan_update(
    context: Context, folder: str, sources: Sequence[Source], roots: Sequence[str], *, dry_run: bool = False
) -> tuple[Plan, Updated | None]:
    """Plan to copy again what a mirror carries, from where it came or, of the registries in `sources`, from there.

    Raises:
        MirrorUnreadableError: there is no mirror in `folder`.
        RootNotPinnedError: nobody accepted the root key of one of its registries here.
        UsageError: `sources` has a registry that the mirror does not carry.
    """
    mirror = need_mirror(folder)
    given = {source.registry: source for source in sources}
    unknown = sorted(set(given) - set(mirror.registries))
    if unknown:
        raise UsageError(f"{folder} does not carry {', '.join(unknown)}", "add it with `mmpm mirror create`")
    plain = {root.strip().lower().removeprefix("sha256:") for root in roots}
    registries = []
    for registry, carried in mirror.registries.items():
        source = given.get(registry)
        fingerprint = source.fingerprint if source is not None else accepted_of(context, registry)
        if fingerprint is None:
            if carried.root not in plain:
                raise RootNotPinnedError(registry, carried.root, next(iter(carried.origins), ""))
            fingerprint = carried.root
        kept = source.kept if source is not None else carried.origins
        configured = find_registry(context, registry).urls
        urls = _once((*kept, *configured))
        unnamed = () if source is not None else tuple(url for url in kept if url not in configured)
        registries.append(replace(_carried(registry, carried, urls, kept, fingerprint), unnamed=unnamed))
    return _plan(context, UpdateMirror(folder, tuple(registries)), dry_run=dry_run)


def _carried(
    registry: str, carried: MirroredRegistry, urls: tuple[str, ...], kept: tuple[str, ...], fingerprint: str
) -> CarriedRegistry:
    locks = tuple(
        CarriedLock(lock.name, tuple((one.name, one.version, one.checksum, one.tree) for one in lock.releases))
        for lock in carried.selection.locks
    )
    selection = carried.selection
    return CarriedRegistry(registry, urls, kept, fingerprint, locks, selection.only, selection.everything)


def need_mirror(folder: str) -> Mirror:
    """Give what the mirror in `folder` carries.

    Raises:
        MirrorUnreadableError: there is none, or its ``mirror.json`` is not ours.
    """
    mirror = read_mirror(folder)
    if mirror is None:
        raise MirrorUnreadableError(folder, "mirror.json", "there is no mirror")
    return mirror


def check(context: Context, folder: str, *, quick: bool = False) -> Checked:
    """Look through a mirror: every file of its selection is read and hashed, or with `quick` looked for.

    Raises:
        MirrorUnreadableError: there is none.
    """
    mirror = need_mirror(folder)
    trees, failures, missing = open_trees(context, folder, mirror)
    found = Checked(failures=failures, missing=missing)
    found.foreign = [f"{MIRRORS}/{one}" for one in trees_in(folder) if one not in mirror.registries]
    for registry, carried in mirror.registries.items():
        if accepted_of(context, registry) is None:
            found.notes.append(
                f"nobody accepted a root key of {registry} on this machine: compare sha256:{carried.root} with whoever "
                "runs it"
            )
    progress = context.progress
    for tree in trees:
        progress.start(f"Verifying {tree.registry}", 0, "files")
        looking = Verifying(tree.destination, tree.state, tree.chosen, progress, quick)
        found.reports[tree.registry] = looking.look()
        progress.finish()
    return found


def plan_repair(context: Context, folder: str, found: Checked, roots: Sequence[str]) -> Plan:
    """Plan to set aside what is damaged, and to fetch it and what is missing again."""
    damaged = tuple(path for path in found.paths("damaged") if os.path.lexists(f"{folder}/{path}"))
    if not (damaged or found.paths("missing") or found.missing or found.failures):
        return Plan()
    plan, _ = plan_update(context, folder, (), roots)
    notes = (f"damaged files are kept in {folder}/{DAMAGED}",) if damaged else ()
    return Plan((*((SetAside(folder, damaged),) if damaged else ()), *plan.actions), notes=notes)


def plan_prune(context: Context, folder: str) -> Plan:
    """Plan to remove what the trees of a mirror do not reach any more; one that is not whole is left as it is.

    Raises:
        MirrorUnreadableError: there is none.
    """
    trees, failures, _ = open_trees(context, folder, need_mirror(folder))
    files = size = 0
    registries: list[str] = []
    for tree in trees:
        try:
            one = prune_tree(tree.destination, tree.state, tree.chosen, context.now.timestamp(), trial=True)
        except MmpmError as error:
            failures[tree.registry] = error
            continue
        if one.files:
            registries.append(tree.registry)
            files, size = files + one.files, size + one.bytes
    notes = tuple(f"{registry} is left as it is: {error.fact}" for registry, error in failures.items())
    actions = (PruneMirror(folder, tuple(registries), files, size),) if files else ()
    return Plan(actions, notes=notes)
