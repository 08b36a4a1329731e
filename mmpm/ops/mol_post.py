"""`mol post`: execution records of this root as a release of kind ``records``, published like any other.

Rule: nothing is posted twice under a name, and nothing comes back by itself: what was yanked there is not posted again,
and of what was taken down nobody can tell any more what it held, so that older records wait until somebody names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import MoleculeLogError, NoDigestError, UsageError
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.molecule.events import is_molecule_id
from mmpm.molecule.record_file import read_record_lines
from mmpm.ops.preflight import Source
from mmpm.ops.publish import PublishPlan, find_destination, plan_publish
from mmpm.project.mol_log import list_digests
from mmpm.registry import layout
from mmpm.registry.key_folder import load_root
from mmpm.registry.payload import RECORDS_SUFFIX
from mmpm.registry.published import PublishedTree
from mmpm.registry.verified import TreeFile
from mmpm.trust.facts import format_time
from mmpm_store.tar import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmpm.execute.context import Context
    from mmpm.model.release import Release
    from mmpm.ops.mol_state import Workspace

DEFAULT_PREFIX: Final = "records-"


@dataclass(frozen=True, slots=True)
class Post:
    """One release to be.

    Attributes:
        ids: of the molecules whose records it holds, in their order there.
    """

    version: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PostPlan:
    """A plan to post, and what stays here.

    Attributes:
        publish: the plan; None where there is nothing to post.
        name: of the release.
        posts: what is posted; several where one release could not hold it all.
        already: how many of those that were asked for are there.
        held_back: ids of records that may have been in a version that was taken down.
        left_out: sentences about records that cannot be posted.
    """

    publish: PublishPlan | None
    registry: str
    name: str
    posts: tuple[Post, ...] = ()
    already: int = 0
    held_back: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many records are posted."""
        return sum(len(post.ids) for post in self.posts)


@dataclass(frozen=True, slots=True)
class _Record:
    """A digest that is here, without what it says."""

    completed_at: str
    id: str
    root: str
    size: int


@dataclass(frozen=True, slots=True)
class _Posted:
    """What a registry has under a name.

    Attributes:
        roots: of the records that count there.
        withdrawn: of those in versions that were yanked.
        taken_down: the time of publication of the newest version that was taken down; empty for none.
        next: the whole number that no version has reached.
    """

    roots: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()
    taken_down: str = ""
    next: int = 1


def default_name(workspace: Workspace) -> str:
    """Give the name under which a root's records are posted where nobody says another."""
    return DEFAULT_PREFIX + workspace.prefix


def plan_post(
    context: Context,
    workspace: Workspace,
    folder: str,
    wanted: Sequence[str],
    *,
    name: str | None = None,
    passphrase_file: str | None = None,
    signer: str = "",
    signer_passphrase_file: str | None = None,
) -> PostPlan:
    """Plan to post records.

    Args:
        context: for keys, progress and the time.
        workspace: whose digests.
        folder: the registry's, absolute.
        wanted: ids of squashed molecules; none means all that are not there yet.
        name: of the release; None for `default_name`.
        passphrase_file: where the registry's keys' passphrase is, if it is in a file.
        signer: the person's key that signs; empty for none.
        signer_passphrase_file: where its passphrase is, if it is in a file.

    Raises:
        UsageError: `name` is none, or means something else there.
        NoDigestError: there is none of one of `wanted`.
        MoleculeLogError: one of `wanted` does not hold.
        MmpmError: as for `plan_publish`.
    """
    try:
        own = FormulaName.parse(default_name(workspace) if name is None else name)
    except ValueError as error:
        raise UsageError(f"--name: {error}", "give a name such as records-far") from None
    destination = find_destination(context, folder)
    tree = PublishedTree.load(folder, load_root(destination.key_folder, destination.registry))
    posted = _posted(tree, own)
    left_out: list[str] = []
    found = _here(workspace, wanted, left_out)
    there = posted.roots | (frozenset() if wanted else posted.withdrawn)
    new = [record for record in found if record.root not in there]
    held = () if wanted else tuple(one.id for one in new if one.completed_at <= posted.taken_down)
    taken = sorted((one for one in new if one.id not in set(held)), key=lambda one: (one.completed_at, one.id))
    posts = _batches(taken, posted.next)
    result = PostPlan(None, destination.registry, str(own), posts, len(found) - len(new), held, tuple(left_out))
    if not posts:
        return result
    now = format_time(context.now)
    sources = [
        Source(
            f"{own.unscoped}{RECORDS_SUFFIX}",
            now,
            own,
            Version.parse(post.version),
            parts=tuple(workspace.places.digest(one) for one in post.ids),
        )
        for post in posts
    ]
    plan = plan_publish(
        context,
        folder,
        sources,
        total=len(sources),
        passphrase_file=passphrase_file,
        signer=signer,
        signer_passphrase_file=signer_passphrase_file,
    )
    return PostPlan(plan, result.registry, result.name, posts, result.already, held, result.left_out)


def _here(workspace: Workspace, wanted: Sequence[str], left_out: list[str]) -> list[_Record]:
    """Read the digests of a root one by one; what does not hold is told, and raised where it was asked for."""
    known = list_digests(workspace.places)
    missing = next((one for one in wanted if one not in known), None)
    if missing is not None:
        is_here = is_molecule_id(missing) and workspace.molecule(missing) is not None
        reason = "it is not squashed, and only what ended has one" if is_here else f"none in {workspace.places.root}"
        raise NoDigestError(missing, reason, f"run `mmpm mol squash {missing}` first" if is_here else "")
    found: dict[str, _Record] = {}
    for molecule_id in sorted(set(wanted) or known):
        try:
            digest = workspace.digest(molecule_id)
        except MoleculeLogError as error:
            if wanted:
                raise
            left_out.append(error.fact)
            continue
        if digest is None:
            continue  # removed meanwhile
        size = len(digest.to_bytes()) + 1
        if size > DEFAULT_LIMITS.file_bytes:
            left_out.append(f"{molecule_id}: its digest has more than {DEFAULT_LIMITS.file_bytes} bytes")
            continue
        found.setdefault(digest.root, _Record(digest.completed_at, molecule_id, digest.root, size))
    return list(found.values())


def _posted(tree: PublishedTree, name: FormulaName) -> _Posted:
    """Read what a registry has under a name; one release in memory at a time."""
    releases = tree.releases(name)
    other = next((one for one in releases if one.kind != "records"), None)
    if other is not None:
        said = f"{name} means something else in {tree.registry_id}: {other.version} is of kind {other.kind}"
        raise UsageError(said, "choose another name with --name")
    roots: set[str] = set()
    withdrawn: set[str] = set()
    for release in releases:
        if not release.tombstone:
            (withdrawn if release.yanked is not None else roots).update(_roots_of(tree, release))
    down = [one.published_at for one in releases if one.tombstone]
    highest = max((one.version.major for one in releases), default=0)
    return _Posted(frozenset(roots), frozenset(withdrawn - roots), max(down, default=""), highest + 1)


def _roots_of(tree: PublishedTree, release: Release) -> Iterable[str]:
    for entry in tree.document(release).tree.entries:
        file = TreeFile(layout.object_file(entry.id), entry.size, object_id=entry.id)
        yield from (line.digest.root for line in read_record_lines(tree.bytes_of(file)) if line.digest is not None)


def _batches(records: Iterable[_Record], first: int) -> tuple[Post, ...]:
    """Cut records, in their order, into as few releases as they fit into."""
    batches: list[list[str]] = []
    size = 0
    for record in records:
        if not batches or size + record.size > DEFAULT_LIMITS.file_bytes:
            batches.append([])
            size = 0
        batches[-1].append(record.id)
        size += record.size
    return tuple(Post(f"{first + at}.0.0", tuple(ids)) for at, ids in enumerate(batches))
