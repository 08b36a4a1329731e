"""What vouches for releases here and now: levels, what was withdrawn since, and what policy says to it.

Everything is told from what this machine has of the registries, so that it is the same behind a gap. A claim of an
index is good enough to show and to choose by; before anything is installed the signatures themselves are checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mmpm.errors import (
    MmpmError,
    PolicyBarredError,
    RegistryUntrustedError,
    SignatureBadError,
    TrustStateUnreadableError,
    printable,
)
from mmpm.model.versions import Version
from mmpm.ops.known import LocalReleases, known_releases
from mmpm.textform import registry_of
from mmpm.trust.levels import AUDITED, OFFICIAL, UNVERIFIED, Judged, judge_level, rank, signed_serial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mmpm.execute.context import Context
    from mmpm.lock import Locked
    from mmpm.model.release import Release
    from mmpm.receipt import Installed, Receipt
    from mmpm.registry.snapshot import Snapshot
    from mmpm.trust.levels import Level
    from mmpm.trust.policy import Policy

NOBODY: Final = Judged(UNVERIFIED, ("nobody vouches for it",))
OF_PROJECT: Final = Judged(
    UNVERIFIED,
    ("only the project states its registry's root key: `mmpm registry add` accepts it, and then its word counts",),
)
MOST_WARNINGS: Final = 8
UNKNOWN: Final = "what its registry says of it is not known here"


@dataclass(frozen=True, slots=True)
class Vouched:
    """What is known of one locked or installed release.

    Attributes:
        level: now.
        sentences: what vouches for it, and what does not any more.
        serial: of the snapshot that says so; 0 where its registry has said nothing to this machine.
        words: what changed for the worse, such as ``yanked: broken`` or ``audit withdrawn``; printable.
        barred: which rule of policy bars it, and why; None where none does.
        release: its index line; None where none is known here.
    """

    level: Level = UNVERIFIED
    sentences: tuple[str, ...] = NOBODY.sentences
    serial: int = 0
    words: tuple[str, ...] = ()
    barred: str | None = None
    release: Release | None = None

    @property
    def found(self) -> tuple[str, int]:
        """Level and serial, for a receipt."""
        return self.level, self.serial


def vouches(snapshot: Snapshot) -> bool:
    """Whether a registry vouches for anything: whether its role trust lists a publisher or a mark.

    One whose root key nobody but a project states vouches for nothing: else whatever is cloned would bring along the
    auditor that a policy asks for.
    """
    return not snapshot.is_of_project and bool(snapshot.trust_version) and snapshot.evidence.says_anything()


def unvouched(snapshot: Snapshot) -> Judged:
    """Give what is said of a release of a registry that vouches for nothing."""
    return OF_PROJECT if snapshot.is_of_project else NOBODY


def judge_claim(snapshot: Snapshot, release: Release) -> Judged:
    """Give how far a release is trusted by what its index claims."""
    if not vouches(snapshot):
        return unvouched(snapshot)
    return judge_level(release, snapshot.publishers(), snapshot.marks(release.name))


def signed_by_known(snapshot: Snapshot, releases: Iterable[Release]) -> list[Release]:
    """Give those of `releases` that bear a signature by a key of a known publisher."""
    publishers = snapshot.publishers() if vouches(snapshot) else None
    if publishers is None or not publishers.publishers:
        return []
    return [one for one in releases if any(publishers.key(key_id) for key_id, _ in one.signatures)]


def judge_checked(snapshot: Snapshot, release: Release, now: datetime) -> Judged:
    """Give how far a release is trusted by signatures that were checked; those that are not here do not count.

    Raises:
        SignatureBadError: a signature is there, and is not that key's over this release.
    """
    if not vouches(snapshot):
        return unvouched(snapshot)
    publishers = snapshot.publishers()
    good: set[str] = set()
    if release.signatures and publishers.publishers:
        from mmpm.registry.evidence import signature_path
        from mmpm.trust.signatures import BAD, GOOD, check_known_signatures

        for one in check_known_signatures(release, publishers, lambda key_id: snapshot.signature(release, key_id), now):
            if one.state == BAD:
                where = signature_path(release, one.key_id)
                raise SignatureBadError(str(release.name), str(release.version), one.key_id, f"{one.reason} ({where})")
            if one.state == GOOD:
                good.add(one.key_id)
    return judge_level(release, publishers, snapshot.marks(release.name), frozenset(good))


def judge_latest(vouching: Vouching, registry: str, name: str, version: str) -> Level:
    """Give the level of a formula's release as a catalog names it, by what is here; the least where that is not enough.

    Of thousands of names only those are looked up for which the registry vouches at all.
    """
    snapshot = vouching.known.snapshot(registry)
    if snapshot is None or not vouches(snapshot):
        return UNVERIFIED
    found = known_releases(snapshot, name)
    release = next((one for one in reversed(found or ()) if str(one.version) == version), None)
    if release is not None:
        return judge_claim(snapshot, release).level
    # Its index is not here, while marks of names and of bytes are: the audit names the version that it is of.
    marks = snapshot.marks(name)
    if any((one.name, one.version) == (name, version) for one in marks.audits.values()):
        return AUDITED
    return OFFICIAL if marks.official(name) is not None else UNVERIFIED


def revocation_of(snapshot: Snapshot, release: Release) -> str | None:
    """Give why a publisher's signature of a release counts no more; None where none was revoked."""
    publishers = snapshot.publishers()
    for key_id, _ in sorted(release.signatures):
        listed = publishers.key(key_id)
        if listed is not None:
            reason = publishers.is_revoked(listed[0], key_id, signed_serial(release, key_id))
            if reason is not None:
                return reason
    return None


@dataclass(slots=True)
class Vouching:
    """Judges locked and installed releases one by one; no registry is asked.

    Attributes:
        checks: whether signatures are checked, and not the index's claim taken.
        known: what the snapshots of this machine say.
    """

    context: Context
    checks: bool = False
    known: LocalReleases = field(init=False)
    policy: Policy = field(init=False)
    _shows_unverified: bool | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.known = LocalReleases(self.context)
        self.policy = self.context.settings.policy

    @property
    def shows_unverified(self) -> bool:
        """Whether some registry here vouches for something, so that "unverified" tells a formula apart."""
        if self._shows_unverified is None:
            self._shows_unverified = anybody_vouches(self.context, self.known)
        return self._shows_unverified

    def badge(self, level: str) -> str:
        """Give the level to show beside a formula; empty where it is the least one, and nobody here vouches at all."""
        return level if level != UNVERIFIED or self.shows_unverified else ""

    def of(self, one: Locked | Installed, level_before: str = UNVERIFIED) -> Vouched:
        """Judge one release.

        Args:
            one: of a lock or a receipt.
            level_before: the level that it was installed with.

        Raises:
            SignatureBadError: `checks`, and a signature of it is bad.
            RegistryUntrustedError, TrustStateUnreadableError: what is here is damaged, and policy needs it.
        """
        try:
            return self._judge(one, level_before)
        except (RegistryUntrustedError, TrustStateUnreadableError) as error:
            if self.policy.asks_registries:
                raise
            # Where no rule needs it, what is damaged keeps nobody from what is installed.
            self.context.progress.warn(error.fact)
            return Vouched(barred=self._barred_unknown(one, Version.parse(one.version)))

    def _judge(self, one: Locked | Installed, level_before: str) -> Vouched:
        registry = registry_of(one.source)
        snapshot = self.known.snapshot(registry) if registry else None
        releases = self.known.of(one) if snapshot is not None else None
        version = Version.parse(one.version)
        release = next((line for line in releases or () if line.version == version), None)
        if snapshot is None or release is None:
            words = ("no longer listed by its registry",) if releases is not None else ()
            barred = self._barred_unknown(one, version)
            return Vouched(serial=snapshot.serial if snapshot else 0, words=words, barred=barred)
        now = self.context.now
        judged = judge_checked(snapshot, release, now) if self.checks else judge_claim(snapshot, release)
        return Vouched(
            judged.level,
            judged.sentences,
            snapshot.serial,
            tuple(words_of(snapshot, release, judged, level_before)),
            self.policy.barrier(release, judged.level, snapshot.issued),
            release,
        )

    def _barred_unknown(self, one: Locked | Installed, version: Version) -> str | None:
        """Say which rule bars a release of which no index line is here.

        What a person made or took in here is theirs; what was imported from elsewhere is vouched for by nobody.
        """
        policy = self.policy
        if policy.bars_nothing or one.source.startswith("local:"):
            return None
        barred = policy.barrier_by_name(one.name, version)
        if barred is None and policy.min_level is not None:
            is_ours = bool(registry_of(one.source))
            barred = f"{policy.min_level.words}: {UNKNOWN}" if is_ours else policy.barrier_by_level(UNVERIFIED)
        if barred is None and policy.min_age is not None and registry_of(one.source):
            barred = f"{policy.min_age.words}: {UNKNOWN}"
        return barred


def words_of(snapshot: Snapshot, release: Release, judged: Judged, before: str) -> Iterable[str]:
    """Say what changed for the worse since a release was installed with the level `before`."""
    if release.tombstone:
        yield _with_reason("taken down", release.yanked)
    elif release.yanked is not None:
        yield _with_reason("yanked", release.yanked)
    if not vouches(snapshot) and before == UNVERIFIED:
        return
    reason = revocation_of(snapshot, release) if judged.publisher is None else None
    if reason is not None:
        yield _with_reason("publisher revoked", reason)
    try:
        has_fallen = rank(before) > rank(judged.level)
    except ValueError:
        return  # a level of a newer program
    if has_fallen and before == AUDITED:
        yield "audit withdrawn"
    elif has_fallen and before == OFFICIAL:
        yield "no longer official"
    elif has_fallen and reason is None:
        yield "no longer verified"


def _with_reason(word: str, reason: str | None) -> str:
    return f"{word}: {printable(reason, 200)}" if reason else word


def hold_policy(
    context: Context, releases: Sequence[Locked], receipt: Receipt, *, was_checked: bool
) -> Mapping[str, Vouched]:
    """Judge everything that is to be installed, by what is known here, and say what changed for the worse.

    Args:
        context: the registries, policy, who listens.
        releases: what shall be installed.
        receipt: what is installed.
        was_checked: whether signatures were checked a moment ago, when the lock was made.

    Raises:
        PolicyBarredError: policy bars some of it.
        SignatureBadError: a signature is bad.
    """
    if not releases:
        return {}
    before = {entry.name: entry.level for entry in receipt.entries}
    vouched = vouch_for(context, releases, before, checks=not was_checked)
    barred = [(one.name, one.version, why) for one in releases if (why := vouched[one.name].barred)]
    if barred:
        raise PolicyBarredError(barred)
    told = [f"{one.name} {one.version}: {', '.join(words)}" for one in releases if (words := vouched[one.name].words)]
    for sentence in told[:MOST_WARNINGS]:
        context.progress.warn(sentence)
    if len(told) > MOST_WARNINGS:
        context.progress.warn(f"and {len(told) - MOST_WARNINGS} more; `mmpm list` shows all")
    return vouched


def vouch_for(
    context: Context, releases: Sequence[Locked], before: Mapping[str, str], *, checks: bool
) -> dict[str, Vouched]:
    """Judge what is about to be installed.

    Where policy asks for what registries say, and not all of it is here, they are asked, unless this run is offline.

    Args:
        context: registries, policy.
        releases: of a lock.
        before: the level that each was installed with, by name.
        checks: whether signatures are checked.

    Raises:
        SignatureBadError: `checks`, and a signature is bad.
        MmpmError: a registry whose word policy asks for cannot give it.
    """
    vouching = Vouching(context, checks)
    found = {one.name: vouching.of(one, before.get(one.name, UNVERIFIED)) for one in releases}
    if vouching.policy.asks_registries and not context.offline:
        lacking = [one for one in releases if found[one.name].barred and registry_of(one.source)]
        if lacking and _bring(context, lacking):
            vouching = Vouching(context, checks)
            found |= {one.name: vouching.of(one, before.get(one.name, UNVERIFIED)) for one in lacking}
    return found


def _bring(context: Context, releases: Sequence[Locked]) -> bool:
    """Bring what registries say of releases, with the signatures; whether any registry could be asked."""
    from mmpm.ops.knowledge import Knowledge, Known

    configured = {one.id for one in context.registries}
    bound = {one.name: registry for one in releases if (registry := registry_of(one.source)) in configured}
    if not bound:
        return False
    knowledge = Knowledge(context, bound)
    knowledge.learn(bound)
    knowledge.commit()
    versions = {one.name: one.version for one in releases}
    by_registry: dict[str, list[Release]] = {}
    for name, registry in bound.items():
        known = knowledge.of(name)
        if isinstance(known, Known):
            lines = [line for line in known.releases if str(line.version) == versions[name]]
            by_registry.setdefault(registry, []).extend(lines)
    for registry, lines in by_registry.items():
        signed = signed_by_known(knowledge.snapshot(registry), lines)
        if signed:
            knowledge.fetch_signatures(registry, signed)
    return True


def anybody_vouches(context: Context, known: LocalReleases) -> bool:
    """Whether any configured registry vouches for anything; where none does, "unverified" would say nothing."""
    for config in context.registries:
        try:
            snapshot = known.snapshot(config.id)
        except MmpmError:
            continue  # whoever needs it says so
        if snapshot is not None and vouches(snapshot):
            return True
    return False
