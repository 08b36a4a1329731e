"""What this machine already knows of the configured registries; no network, and nothing is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import NotFetchedError
from mmpm.execute import connect
from mmpm.model.ranges import ANY, VersionRange
from mmpm.model.versions import Version
from mmpm.textform import registry_of

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.lock import Locked
    from mmpm.model.release import Release
    from mmpm.receipt import Installed
    from mmpm.registry.snapshot import Snapshot


def open_snapshot(context: Context, registry_id: str) -> Snapshot | None:
    """Give the believed snapshot of a registry, or `None` where this machine has none.

    Raises:
        RegistryUntrustedError, TrustStateUnreadableError: what is here is damaged.
    """
    return connect.open_snapshot(context, connect.find_registry(context, registry_id))


def known_releases(snapshot: Snapshot, name: str) -> tuple[Release, ...] | None:
    """Give a name's releases as far as they are here: empty is proved absence, `None` is "not fetched"."""
    try:
        return snapshot.releases(name)
    except NotFetchedError:
        return None


class LocalReleases:
    """What local snapshots say of locked or installed releases; each registry is opened once, and none is asked."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._snapshots: dict[str, Snapshot | None] = {}

    def of(self, one: Locked | Installed) -> tuple[Release, ...] | None:
        """Give what is known of its name in the registry that it came from; `None` where that was never fetched.

        Raises:
            RegistryUntrustedError, TrustStateUnreadableError: what is here is damaged.
        """
        registry = registry_of(one.source)
        snapshot = self.snapshot(registry) if registry else None
        return known_releases(snapshot, one.name) if snapshot is not None else None

    def snapshot(self, registry: str) -> Snapshot | None:
        """Give the believed snapshot of a registry; `None` where this machine has none.

        Raises:
            RegistryUntrustedError, TrustStateUnreadableError: what is here is damaged.
        """
        if registry not in self._snapshots:
            self._snapshots[registry] = open_snapshot(self._context, registry)
        return self._snapshots[registry]

    def release(self, one: Locked | Installed) -> Release | None:
        """Give its index line, where it is known here."""
        version = Version.parse(one.version)
        return next((line for line in self.of(one) or () if line.version == version), None)

    def seen(self) -> dict[str, tuple[int, str]]:
        """Give serial and time of issue by registry id, of the snapshots that were read."""
        return {name: (one.serial, one.issued) for name, one in self._snapshots.items() if one is not None}


def lenient_range(text: str) -> VersionRange:
    """Read the range of a lock or receipt, which may say anything; what is no range hides no answer: it is any."""
    try:
        return VersionRange.parse(text) if text else ANY
    except ValueError:
        return ANY


def newest(releases: tuple[Release, ...], *, prereleases: bool = False) -> Release | None:
    """Give the latest release: the highest version that is no pre-release and was not withdrawn.

    With `prereleases` it is the highest pre-release where there is nothing else.
    """
    chosen = [one for one in releases if one.yanked is None and not one.tombstone]
    steady = [one for one in chosen if not one.version.is_prerelease]
    return max(steady or (chosen if prereleases else []), key=lambda one: one.version, default=None)
