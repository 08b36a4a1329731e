"""Records that were posted: every release of kind ``records`` that this machine knows, read line by line.

Rule: nothing counts that is not proved. The release is the one that the registry signed, each digest is held against
its own root, and what is damaged, missing or barred is told. A release that was withdrawn does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import UNTRUSTED, MmpmError, RegistryTooOldError, printable
from mmpm.execute.connect import fetch_from_registries, session_of
from mmpm.execute.trees import read_trees
from mmpm.model.checksums import Checksum
from mmpm.model.references import release_address
from mmpm.molecule.record_file import read_record_lines
from mmpm.ops.catalog import read_shelf
from mmpm.ops.knowledge import Knowledge, Known
from mmpm.ops.mol_records import ExecutionRecord, Found
from mmpm.ops.release_documents import fetch_quietly
from mmpm.ops.vouching import NOBODY, judge_checked, signed_by_known
from mmpm.project.registries import scope_owner
from mmpm.registry.payload import RECORDS_SUFFIX
from mmpm_store.errors import DamagedObjectError, MissingObjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mmpm.execute.context import Context
    from mmpm.model.release import Release
    from mmpm.molecule.digest import Digest
    from mmpm.project.registries import RegistryConfig
    from mmpm_store.tree import FileEntry

MAX_TOLD: Final = 5
MAX_BYTES: Final = 256 << 20
"""What is read in one run, the newest releases first: a hundred thousand records of ten steps."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A record, and where it was posted.

    Attributes:
        registry: whose signature says that `release` has it; what the digest says of people is their poster's claim.
    """

    registry: str
    release: Release
    digest: Digest


def read_posted(
    context: Context, registries: Sequence[RegistryConfig] | None = None, tell: Callable[[str], object] | None = None
) -> Iterator[Posted]:
    """Give every record that counts, each root once, in the order of registries, of each the newest releases first.

    Registries are asked what is new, as `install` asks them; offline, and of one that cannot answer, what is here of
    them counts. One release is in memory at a time.

    Args:
        context: registries, store, policy.
        registries: of which; None for all that are configured.
        tell: gets a sentence about whatever does not count and should be known; a warning where it is None.

    Raises:
        RegistryUntrustedError: a registry is not what it was, or has other bytes than it signed.
        SignatureBadError: a publisher's signature is bad, and policy asks for signatures.
    """
    tell = tell or context.progress.warn
    seen: set[str] = set()
    room = MAX_BYTES
    for config in context.registries if registries is None else registries:
        for release, entry in _payloads(context, config, tell, room):
            room -= entry.size
            for digest in _digests(context, config.id, release, entry, tell):
                if digest.root not in seen:
                    seen.add(digest.root)
                    yield Posted(config.id, release, digest)


def read_found(
    context: Context,
    registries: Sequence[RegistryConfig] | None,
    takes: Callable[[ExecutionRecord], bool],
    tell: Callable[[str], object],
) -> Found:
    """Give what was posted as records beside one's own; those that nobody asks for are counted, and not kept."""
    kept: list[ExecutionRecord] = []
    passed_over = 0
    for posted in read_posted(context, registries, tell):
        address = release_address(posted.registry, posted.release.name, posted.release.version)
        record = ExecutionRecord(posted.digest, origin=posted.registry, release=address)
        if takes(record):
            kept.append(record)
        else:
            passed_over += 1
    return Found(tuple(kept), passed_over=passed_over)


def _payloads(
    context: Context, config: RegistryConfig, tell: Callable[[str], object], room: int
) -> Iterator[tuple[Release, FileEntry]]:
    """Give the releases of one registry that count, each with its one file, brought into the store where it can be.

    Of those that together have more than `room` bytes the older ones are left out.
    """
    releases = sorted(_releases(context, config, tell), key=lambda one: (one.published_at, one.version), reverse=True)
    listings = {one.tree: f"{one.name}@{one.version}" for one in releases}
    _bring(lambda: fetch_quietly(context, listings, [config.id]))
    trees, _ = read_trees(context.store, [str(one.tree) for one in releases])
    found: list[tuple[Release, FileEntry]] = []
    missing: list[str] = []
    for release in releases:
        tree = trees.get(str(release.tree))
        if tree is None:
            missing.append(f"{release.name}@{release.version}")
            continue
        if [entry.path for entry in tree.entries] != [f"{release.name.unscoped}{RECORDS_SUFFIX}"]:
            tell(f"{_label(release, config.id)} is left out: it is not one file of records")
        else:
            entry = tree.entries[0]
            room -= entry.size
            if room < 0:
                tell(
                    f"{_label(release, config.id)} and what is older: left out, more than {MAX_BYTES} bytes of records"
                )
                break
            found.append((release, entry))
    wanted = {one.id: f"{release.name}@{release.version}" for release, one in found if not context.store.has(one.id)}
    sizes = {entry.id: entry.size for _, entry in found}
    if wanted:
        _bring(lambda: fetch_from_registries(context, list(wanted), [config.id], list(wanted.values()), sizes=sizes))
    for release, entry in found:
        if context.store.has(entry.id):
            yield release, entry
        else:
            missing.append(f"{release.name}@{release.version}")
    if missing:
        more = f" and {len(missing) - MAX_TOLD} more" if len(missing) > MAX_TOLD else ""
        why = "this command is offline" if context.offline else "no place of it at hand has them"
        tell(f"records of {config.id} are not here: {', '.join(missing[:MAX_TOLD])}{more}; {why}")


def _releases(context: Context, config: RegistryConfig, tell: Callable[[str], object]) -> list[Release]:
    """Give the releases of one registry that count, as far as its indexes are known."""
    failure = _bring(lambda: _refresh(context, config))
    shelf = read_shelf(context, config)
    if failure is not None:
        tell(f"what was posted to {config.id} is not known here: {failure.fact}")
    elif not shelf.is_complete:
        tell(f"not all that {config.id} has is known here")
    names = {entry.name: config.id for entry in shelf.entries if entry.kind == "records"}
    for name in list(names):
        owner = scope_owner(context.registries, name)
        if owner is not None and owner.id != config.id:
            tell(f"{name} of {config.id} is left out: its scope belongs to {owner.id}")
            del names[name]
    if not names:
        return []
    knowledge = Knowledge(context, names)
    unknown = _bring(lambda: knowledge.learn(names)) or _bring(knowledge.commit)
    if unknown is not None:
        if failure is None:
            tell(f"what was posted to {config.id} is not known here: {unknown.fact}")
        return []
    found: list[Release] = []
    for name in sorted(names):
        known = knowledge.of(name)
        if isinstance(known, Known):
            found += [one for one in known.releases if one.kind == "records" and one.yanked is None]
        else:
            tell(f"{name} of {config.id} is {known.why} here" + "; run this once without --offline" * context.offline)
    return _allowed(context, config, knowledge, [one for one in found if not one.tombstone], tell)


def _refresh(context: Context, config: RegistryConfig) -> None:
    """Ask a registry what it has now; its catalog tells the names."""
    session = session_of(context, config)
    session.begin()
    session.fetch_catalog()
    for warning in session.commit().warnings:
        context.progress.warn(warning)


def _allowed(
    context: Context,
    config: RegistryConfig,
    knowledge: Knowledge,
    releases: list[Release],
    tell: Callable[[str], object],
) -> list[Release]:
    """Give the releases that policy does not bar."""
    policy = context.settings.policy
    if policy.bars_nothing:
        return releases
    snapshot = knowledge.snapshot(config.id)
    if policy.asks_for_levels:
        signed = signed_by_known(snapshot, releases)
        if signed:
            _bring(lambda: knowledge.fetch_signatures(config.id, signed))  # what is not here does not count
    found: list[Release] = []
    for release in releases:
        judged = judge_checked(snapshot, release, context.now) if policy.asks_for_levels else NOBODY
        barred = policy.barrier(release, judged.level, snapshot.issued)
        if barred is None:
            found.append(release)
        else:
            tell(f"{_label(release, config.id)} does not count: {barred}")
    return found


def _digests(
    context: Context, registry: str, release: Release, entry: FileEntry, tell: Callable[[str], object]
) -> Iterator[Digest]:
    """Read one release; a line that is no record is told by its number."""
    label = _label(release, registry)
    try:
        data = context.store.read(entry.id)
    except (MissingObjectError, DamagedObjectError):
        tell(f"{label} is left out: its file was damaged in the store; run the command again, and it is fetched anew")
        return
    if Checksum.of(data) != release.checksum:
        tell(f"{label} is left out: its file is not that of its checksum")
        return
    bad = 0
    for line in read_record_lines(data):
        if line.digest is not None:
            yield line.digest
            continue
        bad += 1
        if bad <= MAX_TOLD:
            tell(f"{label}: line {line.number} {line.reason}")
    if bad > MAX_TOLD:
        tell(f"{label}: {bad - MAX_TOLD} more lines are no records")


def _bring(work: Callable[[], object]) -> MmpmError | None:
    """Do what may need a registry; what cannot be had now is told by what is missing afterwards.

    Raises:
        MmpmError: what was brought is not to be trusted.
    """
    try:
        work()
    except MmpmError as error:
        # What is only too old is not counted, as what policy bars is not; it keeps nobody from the others.
        if error.exit_status == UNTRUSTED and not isinstance(error, RegistryTooOldError):
            raise
        return error
    return None


def _label(release: Release, registry: str) -> str:
    return printable(f"{release.name}@{release.version} of {registry}", 400)
