"""What the configured registries say of names: learnt as far as names are needed, in order of priority.

Rules: a name belongs to the first registry that *has* it; only proved absence lets the next one answer, and a name
that a registry cannot prove absent from here stops there ("not fetched"). A scope or a requirement that names a
registry binds outright. A registry that no name gets to is never asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mmpm.errors import MmpmError, NotFetchedError, RegistryTooOldError, UnknownRegistryError
from mmpm.execute.connect import age_policy, carried_by, open_snapshot, session_of, trust_of
from mmpm.project.registries import scope_owner
from mmpm.registry.address import is_remote
from mmpm.solver.universe import Absence
from mmpm.trust.clock import judge
from mmpm.trust.facts import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mmpm.execute.context import Context
    from mmpm.model.release import Release
    from mmpm.project.registries import RegistryConfig
    from mmpm.registry.refresh import RefreshSession
    from mmpm.registry.snapshot import Snapshot


@dataclass(slots=True)
class _Registry:
    """One registry: untouched until a name gets to it."""

    config: RegistryConfig
    session: RefreshSession | None = None
    committed: RefreshSession | None = None
    snapshot: Snapshot | None = None
    not_mirrored: frozenset[str] = frozenset()
    carries: Callable[[Release], bool] | None = None
    was_looked_at: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """A name and what its registry publishes under it, in order of publication."""

    registry: str
    issued: str
    releases: tuple[Release, ...]


class Knowledge:
    """Answers for names out of verified snapshots.

    Args:
        context: registries, store, clock; whether a network may be asked.
        bound: registry id by name, where a requirement names it.

    Raises:
        UnknownRegistryError: a requirement names a registry that is not configured.
    """

    def __init__(self, context: Context, bound: Mapping[str, str] | None = None) -> None:
        self._context = context
        self._registries = [_Registry(config) for config in context.registries]
        self._bound = dict(bound or {})
        self._known: dict[str, Known | Absence] = {}
        configured = {registry.config.id for registry in self._registries}
        for name, registry_id in self._bound.items():
            if registry_id not in configured:
                raise UnknownRegistryError(registry_id, name)

    def learn(self, names: Iterable[str]) -> None:
        """Find out about `names`; those that are known already cost nothing.

        Raises:
            MmpmError: a registry whose word is needed cannot be reached, is not to be trusted, or is too old.
        """
        left = {name for name in names if name not in self._known}
        asked: dict[str, list[str]] = {name: [] for name in left}
        for registry in self._registries:
            mine = sorted(name for name in left if self._may_ask(registry.config, name))
            if not mine:
                continue
            snapshot = self._snapshot(registry, mine)
            for name in mine:
                asked[name].append(registry.config.id)
                found = _look_up(registry, snapshot, name)
                if found is not None:
                    self._known[name] = found
                    left.discard(name)
        for name in left:
            self._known[name] = Absence("absent", tuple(asked[name]), bound=self._binding(name))

    def of(self, name: str) -> Known | Absence:
        """Give what was learnt of a name."""
        return self._known[name]

    def carries(self, registry_id: str) -> Callable[[Release], bool] | None:
        """Give what tells which releases of a registry are mirrored here; None where nothing speaks against any."""
        registry = next(each for each in self._registries if each.config.id == registry_id)
        if not registry.was_looked_at:
            registry.carries, registry.was_looked_at = carried_by(self._context, registry.config), True
        return registry.carries

    def shadowed(self, names: Iterable[str]) -> dict[str, list[Known]]:
        """Give what registries behind the owners have under `names`, for explanations.

        Only what can be told at once is told: no network is waited for, and a registry that fails is passed over.
        """
        found: dict[str, list[Known]] = {}
        places = {registry.config.id: position for position, registry in enumerate(self._registries)}
        for name in names:
            owner = self._known.get(name)
            if isinstance(owner, Known) and name not in self._bound:
                for registry in self._registries[places[owner.registry] + 1 :]:
                    known = self._glance(registry, name)
                    if known is not None:
                        found.setdefault(name, []).append(known)
        return found

    def _glance(self, registry: _Registry, name: str) -> Known | None:
        try:
            if registry.snapshot is None or not registry.snapshot.knows(name):
                if any(is_remote(url) for url in registry.config.urls):
                    registry.snapshot = registry.snapshot or self._read_local(registry.config)
                else:
                    session = session_of(self._context, registry.config)
                    session.begin()
                    session.fetch([name])
                    session.commit()
                    registry.snapshot = session.snapshot
            found = _look_up(registry, registry.snapshot, name) if registry.snapshot is not None else None
        except MmpmError:
            return None
        return found if isinstance(found, Known) else None

    def commit(self) -> None:
        """Make what was learnt what this machine believes; warnings are said."""
        for registry in self._registries:
            if registry.session is not None:
                refreshed = registry.session.commit()
                registry.session, registry.committed = None, registry.session
                for warning in refreshed.warnings:
                    self._context.progress.warn(warning)
            for warning in registry.warnings:
                self._context.progress.warn(warning)
            registry.warnings.clear()

    def snapshot(self, registry_id: str) -> Snapshot:
        """Give what was learnt of a registry that was asked."""
        found = next(each.snapshot for each in self._registries if each.config.id == registry_id)
        assert found is not None, "a name was learnt of it"
        return found

    def fetch_signatures(self, registry_id: str, releases: Iterable[Release]) -> None:
        """Bring the detached signatures of releases, after `commit`; what no place has stays away.

        Raises:
            RegistryUnreachableError: no place could answer.
            RegistryUntrustedError: there are other bytes than the signed ones.
        """
        session = next(each.committed for each in self._registries if each.config.id == registry_id)
        if session is not None:
            session.fetch_signatures(releases)

    def serials(self) -> dict[str, int]:
        """Give the serial by registry id, of those that were asked."""
        return {each.config.id: each.snapshot.serial for each in self._registries if each.snapshot is not None}

    def _may_ask(self, config: RegistryConfig, name: str) -> bool:
        bound = self._bound.get(name)
        if bound is not None:
            return config.id == bound
        owner = scope_owner(self._context.registries, name)
        return owner is None or config.id == owner.id

    def _binding(self, name: str) -> Literal["", "scope", "project"]:
        """Say what binds a name to one registry."""
        if name in self._bound:
            return "project"
        return "scope" if scope_owner(self._context.registries, name) is not None else ""

    def _snapshot(self, registry: _Registry, names: list[str]) -> Snapshot:
        if registry.session is None and registry.snapshot is None:
            if self._context.offline and all(is_remote(url) for url in registry.config.urls):
                registry.snapshot = self._read_local(registry.config)
            if registry.snapshot is not None:
                self._judge(registry, registry.snapshot)
            else:
                registry.session = session_of(self._context, registry.config)
                registry.session.begin()
        if registry.session is not None:
            registry.session.fetch(names)
            registry.snapshot = registry.session.snapshot
            registry.not_mirrored = registry.session.not_mirrored
        assert registry.snapshot is not None
        return registry.snapshot

    def _read_local(self, config: RegistryConfig) -> Snapshot | None:
        """Open what this machine believes of a registry; None if that is nothing yet.

        Raises:
            RootMismatchError: configuration or project state another root key than the one that was accepted.
        """
        trust_of(self._context, config).accepted(config.root, config.project_root)
        return open_snapshot(self._context, config)

    def _judge(self, registry: _Registry, snapshot: Snapshot) -> None:
        """Hold the age of what is known against policy, as a refresh would.

        Raises:
            RegistryTooOldError: it is behind the red line.
        """
        verdict = judge(parse_time(snapshot.issued), self._context.now, age_policy(self._context))
        if verdict.kind == "refuse":
            raise RegistryTooOldError(registry.config.id, verdict.sentence)
        if verdict.kind == "warn":
            registry.warnings.append(f"what is known of registry {registry.config.id} {verdict.sentence}")


def _look_up(registry: _Registry, snapshot: Snapshot, name: str) -> Known | Absence | None:
    """Give what a registry has under a name, or None where it proves that it has nothing."""
    config = registry.config
    if name in registry.not_mirrored:
        return Absence("not mirrored", (config.id,))
    try:
        return Known(config.id, snapshot.issued, snapshot.releases(name)) if snapshot.lists(name) else None
    except NotFetchedError:
        return Absence("not fetched", (config.id,))
