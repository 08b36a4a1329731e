"""What this machine already knows of the configured registries; no network, and nothing is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import NotFetchedError
from mmpm.execute import connect

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.model.release import Release
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


def newest(releases: tuple[Release, ...], *, prereleases: bool = False) -> Release | None:
    """Give the latest release: the highest version that is no pre-release and was not withdrawn.

    With `prereleases` it is the highest pre-release where there is nothing else.
    """
    chosen = [one for one in releases if one.yanked is None and not one.tombstone]
    steady = [one for one in chosen if not one.version.is_prerelease]
    return max(steady or (chosen if prereleases else []), key=lambda one: one.version, default=None)
