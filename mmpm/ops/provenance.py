"""Who vouches for one release, with everything that an auditor asks for: `show`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import printable
from mmpm.ops.vouching import NOBODY, signed_by_known, unvouched, vouches, words_of
from mmpm.trust.key_ids import short
from mmpm.trust.levels import UNVERIFIED, judge_level, signed_serial

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.model.release import Release
    from mmpm.project.registries import RegistryConfig
    from mmpm.registry.snapshot import Snapshot
    from mmpm.trust.levels import Level, Publisher
    from mmpm.trust.signatures import Checked


@dataclass(frozen=True, slots=True)
class Vouchers:
    """How far a release is trusted, and why.

    Attributes:
        level: by signatures that were checked.
        sentences: what vouches for it, and what does not any more.
        publisher: whose signature counts; None where none does.
        keys: (key id, what came of its signature).
        marks: (what it says, by whom, when, note) of each mark that the registry gives.
        words: what was withdrawn.
        barred: which rule of policy bars it; empty where none does.
        urls: addresses of its registry here, mirrors among them.
    """

    level: Level
    sentences: tuple[str, ...]
    publisher: Publisher | None = None
    keys: tuple[tuple[str, str], ...] = ()
    marks: tuple[tuple[str, str, str, str], ...] = ()
    words: tuple[str, ...] = ()
    barred: str = ""
    urls: tuple[str, ...] = ()


def vouchers_of(context: Context, config: RegistryConfig, snapshot: Snapshot, release: Release) -> Vouchers:
    """Gather who vouches for a release, from what is here; a bad signature is told and not raised."""
    policy = context.settings.policy
    if not vouches(snapshot):
        barred = policy.barrier(release, UNVERIFIED, snapshot.issued) or ""
        words = tuple(words_of(snapshot, release, NOBODY, UNVERIFIED))
        return Vouchers(UNVERIFIED, unvouched(snapshot).sentences, words=words, barred=barred, urls=config.urls)
    publishers, marks = snapshot.publishers(), snapshot.marks(release.name)
    checked: tuple[Checked, ...] = ()
    if signed_by_known(snapshot, [release]):
        from mmpm.trust.signatures import check_known_signatures

        def read(key_id: str) -> bytes | None:
            return snapshot.signature(release, key_id)

        checked = check_known_signatures(release, publishers, read, context.now)
    judged = judge_level(release, publishers, marks, frozenset(one.key_id for one in checked if one.state == "good"))
    told = {one.key_id: one for one in checked}
    keys = []
    for key_id, _ in sorted(release.signatures):
        listed = publishers.key(key_id)
        if listed is None:
            keys.append((key_id, "of nobody whom the registry lists as a publisher"))
            continue
        one = told[key_id]
        state = one.state if not one.reason else f"{one.state}, {one.reason}"
        since = f"signed at serial {signed_serial(release, key_id)}"
        keys.append((key_id, f"{listed[1].kind}, of {printable(listed[0].name)}, {since}: {state}"))
    given = [("official", marks.official(release.name)), ("audited", marks.audited(release.checksum))]
    return Vouchers(
        judged.level,
        judged.sentences,
        judged.publisher,
        tuple((short(key_id), what) for key_id, what in keys),
        tuple((what, one.by, one.at, one.note) for what, one in given if one is not None),
        tuple(words_of(snapshot, release, judged, judged.level)),
        policy.barrier(release, judged.level, snapshot.issued) or "",
        config.urls,
    )
