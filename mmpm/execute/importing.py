"""The effect of `mirror import`: packs into a mirror's folder or this machine's store, one process at a time."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from mmpm.errors import UNTRUSTED, MmpmError, PackRefusedError, PackRootNotPinnedError
from mmpm.execute.connect import age_policy
from mmpm.execute.locking import hold, release
from mmpm.execute.mirroring import folders_for_all
from mmpm.registry.pack.gathering import VolumeSet, gather_packs
from mmpm.registry.pack.importing import Imported, Importer
from mmpm.registry.pack.landing import MirrorLanding, StoreLanding
from mmpm.registry.state import TrustFolder
from mmpm.trust.clock import judge
from mmpm.trust.facts import format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from mmpm.execute.context import Context
    from mmpm.plan.mirrors import ImportPacks
    from mmpm.registry.mirror.origin import Believed
    from mmpm.registry.pack.gathering import OneFile


@dataclass(frozen=True, slots=True)
class Partial:
    """A pack of which volumes are missing.

    Attributes:
        pack: for messages.
        missing: names of volumes.
        kept_bytes: of the volumes that wait for them.
    """

    pack: str
    missing: tuple[str, ...]
    kept_bytes: int


@dataclass(slots=True)
class ImportOutcome:
    """What came of an import.

    Attributes:
        imported: the packs that were named, in order.
        partial: packs of which volumes are missing.
        retried: packs that had been waiting.
        refused: why a pack was refused, by its name; the others were imported all the same.
    """

    imported: list[Imported] = field(default_factory=list)
    partial: list[Partial] = field(default_factory=list)
    retried: list[Imported] = field(default_factory=list)
    refused: dict[str, MmpmError] = field(default_factory=dict)

    @property
    def is_incomplete(self) -> bool:
        """Whether a pack that was named waits, or, where none was, any does."""
        waiting = {one.pack_id for one in self.retried if one.is_waiting}
        settled = {one.pack_id for one in self.retried if not one.is_waiting}
        named = any(one.is_waiting and one.pack_id not in settled for one in self.imported)
        return bool(self.partial) or named or (not self.imported and bool(waiting))


def packs_folder(context: Context) -> str:
    """Give the folder in which packs that are imported into the store are unpacked, or wait."""
    return os.path.join(os.path.dirname(context.store.path), "packs")


def landing_of(context: Context, folder: str) -> MirrorLanding | StoreLanding:
    """Give where packs go; an empty `folder` means the store."""
    if folder:
        return MirrorLanding(folder)

    def trust(registry: str) -> TrustFolder:
        return TrustFolder.of(context.places.trust, registry)

    return StoreLanding(context.store, trust, packs_folder(context), format_time(context.now))


def believed_of(context: Context, registry: str, accepted: Mapping[str, str]) -> Believed:
    """Give what this machine believes of a registry; of a new one, the root key that was accepted just now.

    Raises:
        PackRootNotPinnedError: nobody accepted any.
        TrustStateUnreadableError: what is noted is damaged.
    """
    from mmpm.registry.mirror.origin import Believed

    trust = TrustFolder.of(context.places.trust, registry)
    configured = next((one.root for one in context.registries if one.id == registry), None)
    fingerprint = trust.accepted(configured) or accepted.get(registry)
    if fingerprint is None:
        raise PackRootNotPinnedError(registry, "..", "that waits")
    state = trust.read()
    return Believed(fingerprint, trust.root(), None if state is None else state.floors())


def apply_import(context: Context, action: ImportPacks) -> ImportOutcome:
    """Import packs, then try those that wait.

    Raises:
        PackRefusedError, UntrustedMetadataError, ...: the only pack is damaged or not to be believed.
        MmpmError: this machine is in the way, not a pack; the packs before are imported.
        LockedByOtherError: another process was at it for too long.
    """
    folder = os.path.realpath(action.folder or packs_folder(context))
    if action.folder:
        with folders_for_all():
            os.makedirs(folder, exist_ok=True)
    hold(context.places.state, folder, context.progress)
    try:
        with landing_of(context, folder if action.folder else "") as landing, ExitStack() as stack:
            if action.folder:
                stack.enter_context(folders_for_all())
            if isinstance(landing, MirrorLanding):
                landing.sweep()
            outcome = _import(context, action, landing)
        if context.settings.pinned:
            from mmpm.execute.policing import take_newer

            for sentence in take_newer(context, [folder]):
                context.progress.say(sentence)
        return outcome
    finally:
        release(folder)


def _import(context: Context, action: ImportPacks, landing: MirrorLanding | StoreLanding) -> ImportOutcome:
    accepted = dict(action.accepted)
    outcome = ImportOutcome()
    importer = Importer(landing, lambda registry: believed_of(context, registry, accepted), context.progress)
    for pack in gather_packs(action.packs, landing.quarantine):
        try:
            if pack.missing and isinstance(pack, VolumeSet):
                outcome.partial.append(Partial(pack.name, pack.missing, pack.keep()))
                continue
            outcome.imported.append(_receive(importer, pack))
        except MmpmError as error:
            if error.exit_status != UNTRUSTED:
                raise
            outcome.refused[pack.name] = error
            continue
        _accept(context, outcome.imported[-1], accepted, is_store=not action.folder)
    outcome.retried = [one for one in importer.retry() if not _is_as_it_was(one, outcome.imported)]
    for one in outcome.retried:
        _accept(context, one, accepted, is_store=not action.folder)
    if len(outcome.refused) == 1 and not (outcome.imported or outcome.partial or outcome.retried):
        raise next(iter(outcome.refused.values()))
    return outcome


def _receive(importer: Importer, pack: OneFile | VolumeSet) -> Imported:
    try:
        with pack.open() as stream:
            done = importer.receive(cast("BinaryIO", stream), pack.name)
    except MmpmError:
        if isinstance(pack, VolumeSet) and pack.listing.pack in importer.disbelieved:
            pack.forget()
        raise
    if isinstance(pack, VolumeSet):
        pack.forget()
        if pack.listing.pack != done.pack_id:
            raise PackRefusedError(
                pack.name, f"is pack {done.pack_id}, and its list of volumes is of {pack.listing.pack}"
            )
    return done


def _is_as_it_was(retried: Imported, imported: list[Imported]) -> bool:
    return any(one.pack_id == retried.pack_id and one.landed == retried.landed for one in imported)


def _accept(context: Context, imported: Imported, accepted: Mapping[str, str], *, is_store: bool) -> None:
    """Pin the root keys that a person accepted, now that a pack was not refused under them; say how old it is."""
    for one in imported.landed:
        trust = TrustFolder.of(context.places.trust, one.registry_id)
        if trust.pinned() is None and one.registry_id in accepted:
            trust.pin(accepted[one.registry_id])
        if one.kind == "shown":
            verdict = judge(parse_time(one.issued), context.now, age_policy(context))
            if verdict.kind != "ok":
                context.progress.warn(f"what the pack brings of registry {one.registry_id} {verdict.sentence}")
        if one.kind != "waiting" and is_store and all(config.id != one.registry_id for config in context.registries):
            _configure(context, one.registry_id, accepted.get(one.registry_id))


def _configure(context: Context, registry: str, fingerprint: str | None) -> None:
    """Make a registry one that commands look into, without an address: what is known of it came in packs."""
    from mmpm.project.config import load_registries
    from mmpm.project.config_file import put_registry
    from mmpm.project.registries import RegistryConfig

    if all(config.id != registry for config in load_registries(context.places)):
        with suppress(FileExistsError):
            os.makedirs(context.places.config)
        put_registry(context.places.config_file, RegistryConfig(registry, root=fingerprint))
