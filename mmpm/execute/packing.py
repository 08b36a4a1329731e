"""The effects of `mirror inventory`, `export` and `ack`: what lies here, verified, into a file that is carried."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

from mmpm.errors import (
    DocumentUnreadableError,
    FileInTheWayError,
    MirrorUntrustedError,
    MmpmError,
    NoRoomForPackError,
    RegistryUntrustedError,
    SelectionIncompleteError,
    printable,
)
from mmpm.execute.cutting import read_base, receiver_of
from mmpm.execute.importing import believed_of
from mmpm.execute.mirroring import alone
from mmpm.execute.trusting import load_person_key
from mmpm.execute.writing import refuse_special
from mmpm.registry.destination import read_plain
from mmpm.registry.key_folder import load_root
from mmpm.registry.mirror.selected import Mirror, MirroredRegistry, read_mirror
from mmpm.registry.mirror.selection import LockSelection, Selection, choose, select_lock
from mmpm.registry.mirrored import MIRROR_JSON, MIRRORS, POLICY_JSON
from mmpm.registry.pack.acknowledgement import (
    Held,
    ObjectSet,
    digests_of,
    objects_of,
    sign_acknowledgement,
)
from mmpm.registry.pack.contents import Contents, lay_out
from mmpm.registry.pack.inventory import HeldState
from mmpm.registry.pack.stocktaking import Stock, stock_bytes, take_stock, trees_of
from mmpm.registry.pack.volumes import PackSink
from mmpm.registry.pack.writing import Options, Written, write_pack
from mmpm.registry.verified import VerifiedState
from mmpm_store.durable import write_file_durably

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmpm.execute.context import Context
    from mmpm.lock import Lockfile
    from mmpm.plan.mirrors import ExportPack, WriteAcknowledgement, WriteInventory
    from mmpm.registry.verified import Read

_MAX_POLICY_BYTES: Final = 1 << 20
_MAX_LOCK_BYTES: Final = 64 << 20
_BEST_RATIO: Final = 100
"""What is compressed better than this is rare; less room than that cannot suffice."""
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Source:
    """One registry's tree that packs are cut from.

    Attributes:
        folder: the tree.
        state: that it shows, verified.
        trusted_root: the root that verification began with.
    """

    folder: str
    state: VerifiedState
    trusted_root: bytes

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read a file of the tree."""
        return read_plain(f"{self.folder}/{path}", max_bytes)


@dataclass(slots=True)
class Gathered:
    """What an export comes to, before anything is written.

    Attributes:
        contents: sorted by registry.
        mirror: the pack's ``mirror.json``.
        policy: a signed policy that lies in the source, or None.
        notes: sentences for the person.
    """

    contents: list[Contents]
    mirror: bytes
    policy: bytes | None
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many releases the receiver lacks, files that travel, and their bytes."""
        files = size = 0
        for one in self.contents:
            for part in chain(one.patched(), one.whole()):
                files, size = files + 1, size + part.file.length
        return sum(one.new_releases for one in self.contents), files, size


# ---- sources


def open_sources(context: Context, folder: str, roots: Sequence[str]) -> dict[str, Source]:
    """Verify the state of every tree in a mirror's folder, or of a registry's own.

    Args:
        context: what this machine believes.
        folder: absolute.
        roots: fingerprints that the person was given.

    Raises:
        NotARegistryError: there is no tree.
        PackRootNotPinnedError: nobody accepted a root key of a registry.
        MmpmError: a tree is incomplete, damaged, or not to be trusted.
    """
    found = {}
    for registry, tree in sorted(trees_of(folder).items()):
        read = reader_of(tree)
        root = _trusted_root(context, registry, read, tree, roots)
        state = VerifiedState.open(read, root, registry_id=registry)
        found[registry] = Source(tree, state, root)
    return found


def reader_of(folder: str) -> Read:
    """Give what reads a tree's files."""
    return lambda path, max_bytes: read_plain(f"{folder}/{path}", max_bytes)


def _trusted_root(context: Context, registry: str, read: Read, tree: str, roots: Sequence[str]) -> bytes:
    """Give the root to begin with: as it was accepted here, as the publisher's own keys have it, or as it was given."""
    try:
        return believed_of(context, registry, {}).trusted_root(registry, read, tree)
    except MmpmError as error:
        if error.code != "pack-root-not-pinned":
            raise
    with suppress(MmpmError):
        return load_root(os.path.join(context.places.keys, registry), registry)
    from mmpm.registry.mirror.origin import Believed

    refused: MmpmError | None = None
    for fingerprint in roots:
        try:
            return Believed(fingerprint).trusted_root(registry, read, tree)
        except MmpmError as error:
            refused = error
    if refused is not None:
        raise refused
    fact = "no root key was accepted for it on this machine, and none was given"
    raise RegistryUntrustedError(registry, f"{fact} (`--root sha256:..`, or `mmpm registry add` first)", tree)


# ---- export


def apply_export(context: Context, action: ExportPack) -> Written:
    """Write a pack.

    Raises:
        FileInTheWayError: what lies there is no pack.
        LockedByOtherError: another process writes it and does not end.
        NoRoomForPackError: the disk cannot hold it.
        MmpmError: as for `gather`.
    """
    refuse_what_is_no_pack(action.output)
    with damage_named(action.source):
        return _export(context, action)


def _export(context: Context, action: ExportPack) -> Written:
    gathered = gather(context, action)
    _, _, size = gathered.counts
    folder = os.path.dirname(action.output)
    os.makedirs(folder, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size // _BEST_RATIO:
        raise NoRoomForPackError(folder, size // _BEST_RATIO, free)
    for note in gathered.notes:
        context.progress.warn(note)
    context.progress.start("Packing...", max(1, size), "bytes")
    options = Options(gathered.mirror, action.level, gathered.policy)
    with alone(context, action.output), PackSink(action.output, action.volume_bytes) as sink:
        written = write_pack(gathered.contents, options, sink, spool=folder, on_bytes=context.progress.advance)
    context.progress.finish()
    return written


@contextmanager
def damage_named(folder: str) -> Iterator[None]:
    """Tell a file of the mirror `folder` that has other bytes than the signed ones within the block as what it is.

    Raises:
        MirrorUntrustedError: there is one: its registry is not at fault, and `mirror verify --repair` mends it.
    """
    try:
        yield
    except RegistryUntrustedError as error:
        path, registry = str(error.details["path"]), str(error.details["registry"])
        if not path or read_plain(f"{folder}/{MIRROR_JSON}", 0) is None:
            raise
        raise MirrorUntrustedError(folder, [f"{MIRRORS}/{registry}/{path}"]) from None


def refuse_what_is_no_pack(path: str) -> None:
    """Refuse to write a pack over anything but an older pack: a monthly carry may keep its name.

    Raises:
        FileInTheWayError: something else is there.
    """
    refuse_special(path)
    try:
        head = read_plain(path, len(_ZSTD_MAGIC))
    except OSError:
        return  # nobody may read it: whether it may be replaced is found when it is
    if head and not head.startswith(_ZSTD_MAGIC):
        raise FileInTheWayError(path, "is there already, and it is no pack")


def gather(context: Context, action: ExportPack) -> Gathered:
    """Find out what an export comes to: everything that goes in is verified, nothing is written.

    Raises:
        SelectionIncompleteError: the source lacks what locks or requirements need.
        BaseUnreadableError: the base is neither an inventory, an acknowledgement, nor a serial.
        MmpmError: a tree is incomplete, damaged, or not to be trusted.
    """
    sources = open_sources(context, action.source, action.roots)
    told = read_mirror(action.source) or Mirror()
    selections, notes = _selections(action, sources, told)
    sources = {one: source for one, source in sources.items() if one in selections}
    choice = choose({one: source.state for one, source in sources.items()}, selections)
    if choice.missing:
        raise SelectionIncompleteError(choice.missing, _have_it_carried(action.source))
    notes += choice.notes
    base = read_base(action.base, action.serials, sources)
    contents = []
    mirrored = {}
    for registry, source in sources.items():
        chosen = choice.chosen[registry]
        receiver = None if base is None else receiver_of(source, chosen, base, notes)
        contents.append(lay_out(source.state, chosen, receiver))
        mirrored[registry] = MirroredRegistry(selections[registry], (), contents[-1].roots[0])
    policy = read_plain(f"{action.source}/{POLICY_JSON}", _MAX_POLICY_BYTES)
    return Gathered(contents, Mirror(mirrored).to_bytes(), policy, notes)


def _selections(
    action: ExportPack, sources: Mapping[str, Source], told: Mirror
) -> tuple[dict[str, Selection], list[str]]:
    """Give what is wanted of each registry: what locks and requirements ask for, else what the source carries."""
    if not (action.locks or action.only):
        carried = {one: told.registries[one].selection for one in sources if one in told.registries}
        return {one: carried.get(one, Selection()) for one in sources}, []
    locks: dict[str, list[LockSelection]] = {}
    notes = []
    for path in action.locks:
        wanted, elsewhere = select_lock(os.path.basename(path), _read_lock(path))
        notes += [f"{path}: {one} comes from no registry and does not travel" for one in elsewhere]
        for registry, selection in wanted.items():
            if registry not in sources:
                fact = f"{path} needs registry {registry}, which the source does not have"
                raise SelectionIncompleteError([fact], _have_it_carried(action.source))
            locks.setdefault(registry, []).append(selection)
    wanted_of = set(locks) if not action.only else set(sources)
    return {one: Selection.of(locks.get(one, ()), action.only) for one in sorted(wanted_of)}, notes


def _have_it_carried(folder: str) -> str:
    return (
        f"bring {printable(folder)} up to date with `mmpm mirror update`, have it carry that (`mmpm mirror create` "
        "with `--lock` or `--only`), or make the locks anew with `mmpm lock`"
    )


def _read_lock(path: str) -> Lockfile:
    from mmpm.lock import parse_lock

    data = read_plain(path, _MAX_LOCK_BYTES)
    if data is None:
        raise DocumentUnreadableError(path, "there is no such file", "name a lock file")
    return parse_lock(data, path)


# ---- inventory, acknowledgement


def stock_of(context: Context, folder: str, *, as_filter: bool) -> Stock:
    """Hash what lies in a mirror or a registry, or where `folder` is empty in this machine's store.

    Raises:
        NotARegistryError: there is no tree in `folder`.
    """
    if folder:
        trees, objects = trees_of(folder), None
    else:
        kept = f"{context.store.path}/registries"
        names = sorted(os.listdir(kept)) if os.path.isdir(kept) else []
        trees, objects = (
            {one: f"{kept}/{one}" for one in names if not one.startswith("+")},
            f"{context.store.path}/objects",
        )
    context.progress.start("Hashing...", max(1, stock_bytes(trees, objects)), "bytes")
    stock = take_stock(trees, objects, as_filter=as_filter, on_bytes=context.progress.advance)
    context.progress.finish()
    for path in stock.damaged:
        context.progress.warn(f"{path} is damaged and left out: the next pack brings it again")
    return stock


def apply_inventory(context: Context, action: WriteInventory) -> Stock:
    """Write an inventory."""
    stock = stock_of(context, action.folder, as_filter=action.as_filter)
    refuse_special(action.output)
    write_file_durably(action.output, stock.inventory.to_bytes())
    return stock


def apply_acknowledge(context: Context, action: WriteAcknowledgement) -> tuple[Held, ...]:
    """Write an acknowledgement of what lies in a mirror, every object of which is read and hashed.

    Raises:
        RegistryUntrustedError, MissingTreeFileError: a file is damaged or missing; nothing is acknowledged.
    """
    key = load_person_key(context, action.key, action.passphrase_file)
    with damage_named(action.folder):
        held = _look_through(context, action)
    refuse_special(action.output)
    write_file_durably(action.output, sign_acknowledgement(held, key))
    return tuple(held)


def _look_through(context: Context, action: WriteAcknowledgement) -> list[Held]:
    sources = open_sources(context, action.folder, action.roots)
    told = read_mirror(action.folder) or Mirror()
    selections = {one: told.registries[one].selection if one in told.registries else Selection() for one in sources}
    choice = choose({one: source.state for one, source in sources.items()}, selections)
    if choice.missing:
        raise SelectionIncompleteError(choice.missing)
    held = []
    for registry, source in sources.items():
        state = source.state
        seen: set[bytes] = set()
        for file in objects_of(state, choice.chosen[registry], state.serial):
            found = digests_of([file])
            if not found <= seen:
                state.bytes_of(file)
                seen |= found
        shown = HeldState(registry, state.serial, state.issued, state.facts.snapshot.sha256)
        held.append(Held(shown, ObjectSet.of(seen)))
    return held
