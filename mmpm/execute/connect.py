"""From configured registries to ones that can be read: transports, credentials, limits, policy.

Rule: under `--offline` no network transport is made, so that nothing can open a socket; folders are read all the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmpm.errors import BadSettingError, NotFetchedError, NotMirroredError, ObjectsMissingError, printable
from mmpm.registry.address import folder_of, is_mirror, is_remote, is_s3
from mmpm.registry.authenticate import RegistrySource
from mmpm.registry.folder import FolderTransport
from mmpm.registry.state import TrustFolder
from mmpm.trust.clock import AgePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from mmpm.execute.context import Context
    from mmpm.model.release import Release
    from mmpm.project.registries import RegistryConfig
    from mmpm.registry.refresh import RefreshSession
    from mmpm.registry.remote import Connection, Patience
    from mmpm.registry.snapshot import Snapshot
    from mmpm.registry.transport import Transport
    from mmpm_store.ids import ObjectId

_MAX_CA_BYTES = 8 << 20


def source_of(context: Context, registry: RegistryConfig) -> RegistrySource:
    """Give `registry` with what reads it, in the order of its addresses.

    Raises:
        BadSettingError: an address or the file of certificates cannot be used.
    """
    places = tuple(place for _, place in _places(context, registry))
    return RegistrySource(registry.id, places, registry.root, registry.project_root)


def _places(context: Context, registry: RegistryConfig) -> list[tuple[str, Transport]]:
    """Give each address of a registry that may be asked, with what asks it."""
    places: list[tuple[str, Transport]] = []
    for url in registry.urls:
        if not is_remote(url):
            try:
                places.append((url, FolderTransport(folder_of(url))))
            except ValueError as error:
                raise BadSettingError(f"registries.{registry.id}.urls", registry.origin, str(error)) from None
        elif not context.offline:
            places.append((url, _remote(context, registry, url)))
    return places


def carried_by(context: Context, registry: RegistryConfig) -> Callable[[Release], bool] | None:
    """Give what tells which releases of a registry are mirrored here; None where nothing speaks against any.

    Offline that is no question: then only what the store has may be chosen.
    """
    if context.offline or not registry.urls or not all(map(is_mirror, registry.urls)):
        return None
    from mmpm.registry.carried import carried_by as carried

    return carried(registry.id, [place for _, place in _places(context, registry)])


def folders_at_hand(context: Context) -> tuple[FolderTransport, ...]:
    """Give the registries' places that no network is needed for, in the order in which they are asked."""
    places = (place for registry in context.registries for _, place in _places(context, registry))
    return tuple(place for place in places if isinstance(place, FolderTransport))


def find_registry(context: Context, registry_id: str) -> RegistryConfig:
    """Give the configured registry of that id, else one of which nothing but the id is known."""
    from mmpm.project.registries import RegistryConfig

    return next((one for one in context.registries if one.id == registry_id), RegistryConfig(registry_id))


def trust_of(context: Context, registry: RegistryConfig) -> TrustFolder:
    """Give the folder that says what is believed of `registry` here: in this project, or on this machine.

    Raises:
        TrustStateUnreadableError: the accepted root key cannot be read.
    """
    return TrustFolder.of(context.places.trust, registry.id, registry.root, registry.project_root)


def open_snapshot(context: Context, registry: RegistryConfig) -> Snapshot | None:
    """Give the believed snapshot of a registry, or None where this machine has none; nothing is fetched.

    Raises:
        RegistryUntrustedError, TrustStateUnreadableError: what is here is damaged.
    """
    from mmpm.registry.local import LocalCopy
    from mmpm.registry.snapshot import Snapshot

    folder = trust_of(context, registry)
    state = folder.read()
    if state is None:
        return None
    try:
        return Snapshot.open(LocalCopy.of(context.store.path, registry.id, folder.project_root), state)
    except NotFetchedError:
        return None


def age_policy(context: Context) -> AgePolicy:
    """Give the limits of age that are set."""
    return AgePolicy(context.settings.seconds("policy.max_age"), context.settings.seconds("policy.red_line"))


def session_of(context: Context, registry: RegistryConfig) -> RefreshSession:
    """Give a session of `registry`; `begin` is still to be called. Offline, it reads what is here."""
    from mmpm.registry.refresh import RefreshSession

    source = source_of(context, registry)
    return RefreshSession(source, context.store.path, context.places.trust, context.now, age_policy(context))


def fetch_from_registries(
    context: Context,
    wanted: Sequence[ObjectId],
    first: Iterable[str],
    names: Sequence[str],
    *,
    executable: Collection[ObjectId] = (),
    sizes: Mapping[ObjectId, int] | None = None,
) -> int:
    """Bring objects into the store from any configured registry, those with an id in `first` first.

    Args:
        context: store, registries, progress.
        wanted: ids of objects.
        first: ids of registries.
        names: what needs the objects, for messages; may be empty.
        executable: those that are needed as executable files.
        sizes: known lengths; no object is read beyond its own.

    Returns:
        The bytes that were fetched.

    Raises:
        ObjectsMissingError: no registry at hand has some of them.
        NotMirroredError: the same, and the ones that list them are at hand as mirrors alone, which all answered.
        RegistryUnreachableError, RegistryUntrustedError: as for `fetch_objects`.
    """
    from mmpm.registry.objects import fetch_objects

    order = sorted(context.registries, key=lambda registry: registry.id not in set(first))
    sources = [source_of(context, registry) for registry in order]
    fetched = fetch_objects(sources, wanted, context.store, context.progress, sizes=sizes, executable=executable)
    if fetched.missing:
        needed_by = list(names) or [str(one) for one in fetched.missing]
        if not any(source.places for source in sources):
            raise ObjectsMissingError(
                needed_by, "this command is offline", "run it again without `--offline`, or bring a copy of the store"
            )
        named = set(first) or {registry.id for registry in order}
        # Which of the registries lists them is not known here; one that is here as a mirror alone is the likely one.
        copies = [one for one in order if one.id in named and one.urls and all(map(is_mirror, one.urls))]
        urls = [url for registry in copies for url in registry.urls]
        if copies and fetched.is_certain and not (context.offline and any(map(is_remote, urls))):
            raise NotMirroredError(needed_by, ", ".join(registry.id for registry in copies), urls)
        reason = "; ".join(fetched.reasons) or "no registry has them"
        remedy = "run it again when the registry answers, or bring a copy of the store or of the registry"
        raise ObjectsMissingError(needed_by, printable(reason), remedy)
    return fetched.bytes


def _remote(context: Context, registry: RegistryConfig, url: str) -> Transport:
    """Give what asks an address over a network.

    Raises:
        BadSettingError: the address, the environment for it or the file of certificates cannot be used.
    """
    from mmpm import __version__
    from mmpm.registry.remote import Patience

    settings = context.settings
    timeout = float(settings.seconds("network.timeout") or 3600)
    patience = Patience(
        connect_seconds=min(timeout, 10.0),
        stall_seconds=timeout,
        grace_seconds=min(timeout, 10.0),
        min_bytes_per_second=settings.number("network.min_rate"),
        total_seconds=float(settings.seconds("network.deadline") or 86_400),
        attempts=settings.number("network.retries") + 1,
    )
    try:
        if is_s3(url):
            return _s3(context, registry, url, patience)
        from mmpm.registry.http import HttpTransport

        return HttpTransport(
            url,
            _connection(context, registry, url, _authorization(context, registry, url)),
            patience,
            user_agent=f"mmpm/{__version__}",
            # A mirror lies behind a gap: its timestamps are judged by age, not by their expiry.
            is_online=not is_mirror(url),
            threads=settings.number("network.connections"),
        )
    except ValueError as error:
        raise BadSettingError(f"registries.{registry.id}.urls", registry.origin, str(error)) from None


def _s3(context: Context, registry: RegistryConfig, url: str, patience: Patience) -> Transport:
    from mmpm import __version__
    from mmpm.registry.s3 import S3Access, S3Transport

    # What only a project states may name any bucket: nothing is signed with the person's keys for that.
    access = S3Access.of(context.environ, anonymous=url in registry.from_project)
    return S3Transport(
        url,
        access,
        _connection(context, registry, access.url, None),
        patience,
        user_agent=f"mmpm/{__version__}",
        is_online=not is_mirror(url),
        threads=context.settings.number("network.connections"),
    )


def _connection(context: Context, registry: RegistryConfig, url: str, authorization: str | None) -> Connection:
    from mmpm.registry.remote import Connection

    environ = context.environ
    return Connection(
        authorization=authorization,
        ca_pem=_read_ca(registry.ca_file or context.settings.text("network.ca_file")),
        proxy_url=_proxy(url, environ),
        no_proxy=environ.get("NO_PROXY") or environ.get("no_proxy"),
    )


def _authorization(context: Context, registry: RegistryConfig, url: str) -> str | None:
    from mmpm.registry.credentials import authorization_for

    environ = context.environ
    return authorization_for(
        url,
        registry_id=registry.id,
        own_urls=registry.own_urls,
        name="" if registry.name in registry.from_project else registry.name,
        every_url=[one for other in context.registries for one in other.urls],
        environ=environ,
        netrc_file=environ.get("NETRC") or os.path.join(context.places.home, ".netrc")
        if registry.auth == "netrc" and url in registry.own_urls
        else None,
    )


def _read_ca(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_CA_BYTES)
    except OSError as error:
        raise BadSettingError("network.ca_file", "", f"{path} cannot be read: {error.strerror}") from None


def _proxy(url: str, environ: Mapping[str, str]) -> str | None:
    scheme = url.partition(":")[0]
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
    return next((environ[name] for name in names if environ.get(name)), None)
