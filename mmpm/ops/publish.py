"""Plans for registries of one's own: `registry init`, `publish` and `yank`, all to a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import (
    MmpmError,
    NotARegistryError,
    NotPublishedError,
    PreflightFailedError,
    UsageError,
)
from mmpm.model.names import FormulaName, RegistryId
from mmpm.model.references import Reference
from mmpm.model.versions import Version
from mmpm.ops.preflight import Preflight, PublishedVersions, Source, preflight
from mmpm.plan import InitRegistry, Plan, PublishReleases, YankRelease
from mmpm.project.tiers import search_order
from mmpm.registry import layout
from mmpm.registry.address import folder_of, is_mirror, is_remote
from mmpm.registry.documents import parse_registry_json
from mmpm.registry.floor import read_floor
from mmpm.registry.init import check_new
from mmpm.registry.key_folder import is_protected, load_root
from mmpm.registry.person_keys import find_person_key
from mmpm.registry.published import PublishedTree
from mmpm.registry.take_down import is_gone
from mmpm.trust.facts import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmpm.execute.context import Context
    from mmpm.model.release import Release

_KEPT_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Destination:
    """A folder registry that this machine can publish to.

    Attributes:
        folder: absolute.
        registry: its id.
        key_folder: where its keys lie on this machine.
        is_protected: whether they ask for a passphrase.
    """

    folder: str
    registry: str
    key_folder: str
    is_protected: bool


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """A plan to publish, with what the pre-flight checks found.

    Attributes:
        plan: empty where everything is published already.
        destination: where to.
        preflights: one a source, in order; of a batch only those that failed or are the only one keep their place.
        failure: raised after the checks were shown; None where all passed.
    """

    plan: Plan
    destination: Destination
    preflights: tuple[Preflight, ...]
    failure: MmpmError | None


def plan_registry_init(
    context: Context, folder: str, host: str, title: str | None, *, passphrase_file: str | None, open_keys: bool
) -> Plan:
    """Plan a new registry in `folder`.

    Raises:
        UsageError: `host` is no registry id.
        RegistryExistsError: something is there already.
    """
    try:
        registry = str(RegistryId.parse(host))
    except ValueError as error:
        raise UsageError(str(error), "give a host name: --id molmall.example.org") from None
    keys = os.path.join(context.places.keys, registry)
    check_new(folder, registry, keys)
    return Plan((InitRegistry(folder, registry, title or registry, keys, passphrase_file, open_keys),))


def find_destination(context: Context, folder: str) -> Destination:
    """Find out which registry lies in `folder`, and where its keys are.

    Raises:
        NotARegistryError: none.
    """
    try:
        with open(os.path.join(folder, layout.REGISTRY_JSON), "rb") as file:
            registry = str(RegistryId.parse(parse_registry_json(file.read(1 << 20))[0]))
    except (OSError, ValueError):
        raise NotARegistryError(folder) from None
    keys = os.path.join(context.places.keys, registry)
    return Destination(folder, registry, keys, is_protected(keys))


def folder_of_registry(context: Context, name: str) -> str | None:
    """Give the folder of a configured registry, by its id or name; None where there is no such registry.

    Raises:
        UsageError: it is none that can be published to from here: a copy, or on a server.
    """
    config = next((one for one in context.registries if name in {one.id, one.name}), None)
    if config is None:
        return None
    own = [url for url in config.urls if not (is_remote(url) or is_mirror(url))]
    if not own:
        said = f"registry {config.id} is not in a folder here, but at {', '.join(config.urls) or 'no address'}"
        raise UsageError(said, "publish to the folder that its server shows: --to DIR")
    return folder_of(own[0])


def plan_publish(
    context: Context,
    folder: str,
    sources: Iterable[Source],
    *,
    total: int,
    passphrase_file: str | None,
    after_restore: bool = False,
    signer: str = "",
    signer_passphrase_file: str | None = None,
) -> PublishPlan:
    """Look at every source and plan to publish those that are new.

    Args:
        context: for keys and progress.
        folder: the registry's, absolute.
        sources: read one at a time; none at all plans a new timestamp.
        total: how many there are.
        passphrase_file: where the keys' passphrase is, if it is in a file.
        after_restore: the folder may show less than was published before.
        signer: the person's key that signs what is new; empty for none.
        signer_passphrase_file: where its passphrase is, if it is in a file.

    Raises:
        NotARegistryError, KeysMissingError: it cannot be published to from here.
        KeyUnknownError: there is no key `signer`.
        RegistryRestoredError: the folder is an older copy of the registry.
        UntrustedMetadataError, DamagedRegistryError: the tree is not what its keys signed.
    """
    destination = find_destination(context, folder)
    if signer:
        find_person_key(context.places.keys, signer)
    floor = read_floor(destination.key_folder)
    tree = PublishedTree.load(folder, load_root(destination.key_folder, destination.registry))
    if floor is not None and not after_restore:
        floor.require_below(tree)
    published = PublishedVersions(tree)
    found: list[Preflight] = []
    publications = []
    failed = 0
    if total > 1:
        context.progress.start("Checking...", total, "releases")
    for source in sources:
        one = preflight(source, published)
        failed += one.failure is not None
        if one.publication is not None:
            publications.append(one.publication)
        if total == 1 or (one.failure is not None and failed <= _KEPT_FAILURES):
            found.append(one)
        if total > 1:
            context.progress.advance()
    context.progress.finish()
    failure = _failure(failed, total, found)
    action = PublishReleases(
        folder,
        destination.registry,
        destination.key_folder,
        passphrase_file,
        tuple(publications),
        after_restore=after_restore,
        signer=signer,
        signer_passphrase_file=signer_passphrase_file,
    )
    plan = Plan((action,)) if (publications or not total) and failure is None else Plan()
    return PublishPlan(plan, destination, tuple(found), failure)


def _failure(failed: int, total: int, found: list[Preflight]) -> MmpmError | None:
    first = next((one for one in found if one.failure is not None), None)
    if first is None or first.failure is None:
        return None
    return first.failure if total == 1 else PreflightFailedError(failed, total, first.label, first.failure)


def find_source(
    context: Context,
    operand: str,
    path: str,
    *,
    cwd: str,
    version: str | None,
    author: str | None,
    changelog: str | None,
) -> Source:
    """Find what an operand of `publish` means: a path, or the name of a formula in a tier.

    Args:
        context: for places and the time.
        operand: as typed.
        path: the same as an absolute path.
        cwd: the working folder, where the search through the tiers starts.
        version: what `--version` says.
        author: what `--author` says.
        changelog: what `--changelog` says.

    Raises:
        UsageError: it is neither, or the version is not one.
    """
    try:
        wanted = None if version is None else Version.parse(version)
    except ValueError as error:
        raise UsageError(str(error), "give three numbers: --version 1.0.0") from None
    if os.path.exists(path):
        return Source(path, format_time(context.now), None, wanted, author, changelog)
    name = _name_or_none(operand)
    found = None if name is None else _find_by_name(context, name, cwd)
    if found is None:
        raise UsageError(
            f"there is no file, folder or formula of the name {operand}",
            "give a path, or a name that `mmpm list` shows",
        )
    return Source(found, format_time(context.now), name, wanted, author, changelog)


def _name_or_none(text: str) -> FormulaName | None:
    try:
        return FormulaName.parse(text)
    except ValueError:
        return None


def _find_by_name(context: Context, name: FormulaName, cwd: str) -> str | None:
    base = name.unscoped  # files carry no scope; the operand's is what it is published under
    folders = [cwd, context.project.formulas, *(tier.formulas for tier in search_order(context.places, cwd))]
    for folder in folders:
        for form in (f"{base}.formula.toml", f"{base}.formula.bundle", base):
            found = os.path.join(folder, form)
            if os.path.exists(found):
                return found
    return None


def exact_reference(reference: str) -> tuple[FormulaName, Version]:
    """Give name and version of a reference that must name one release.

    Raises:
        UsageError: it does not.
    """
    try:
        asked = Reference.parse(reference)
    except ValueError as error:
        raise UsageError(str(error), "give it as NAME@VERSION") from None
    exact = asked.range.exact
    if exact is None:
        raise UsageError(f"{reference} names no exact version", "give it as NAME@VERSION, as in mol-deploy@1.2.0")
    return asked.name, exact


def find_release(destination: Destination, name: FormulaName, version: Version) -> Release:
    """Give a release of a folder registry, verified.

    Raises:
        NotPublishedError: there is no such release.
        KeysMissingError, UntrustedMetadataError, DamagedRegistryError: as for `plan_publish`.
    """
    tree = PublishedTree.load(destination.folder, load_root(destination.key_folder, destination.registry))
    found = PublishedVersions(tree).find(name, version)
    if found is None:
        raise NotPublishedError(str(name), str(version))
    return found


def plan_yank(
    context: Context, folder: str, reference: str, reason: str, passphrase_file: str | None, *, take_down: bool = False
) -> Plan:
    """Plan to withdraw one release; `take_down` removes its bytes from the registry, too.

    Raises:
        UsageError: the reference names no exact version, or there is no reason.
        NotPublishedError: there is no such release.
    """
    name, exact = exact_reference(reference)
    if not reason.strip():
        raise UsageError("a yank needs a reason", 'say it with --reason "TEXT"')
    destination = find_destination(context, folder)
    present = find_release(destination, name, exact)
    if present.yanked == reason and (not take_down or (present.tombstone and is_gone(folder, present))):
        return Plan()
    action = YankRelease(
        folder,
        destination.registry,
        destination.key_folder,
        passphrase_file,
        str(name),
        str(present.version),
        reason,
        take_down,
    )
    return Plan((action,))
