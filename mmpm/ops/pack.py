"""`mirror inventory`, `mirror export`, `mirror ack`: plans; `mirror inspect`: what a pack says of itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from mmpm.errors import PackUnreadableError, UsageError, quoted
from mmpm.execute.packing import gather, refuse_what_is_no_pack
from mmpm.model.references import Requirement
from mmpm.ops.registries import fingerprint_of
from mmpm.plan import Plan
from mmpm.plan.mirrors import ExportPack, WriteAcknowledgement, WriteInventory
from mmpm.registry.pack.entries import Patch
from mmpm.registry.pack.gathering import gather_packs
from mmpm.registry.pack.reading import PackReader, entries_of
from mmpm.registry.person_keys import find_person_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from mmpm.execute.context import Context
    from mmpm.registry.pack.entries import PackedFile
    from mmpm.registry.pack.format import PackHead

_SIZE: Final = re.compile(r"([1-9][0-9]{0,14})\s*([KMGT]?)(i?B)?", re.IGNORECASE)
_SERIAL_OF: Final = re.compile(r"[^=/]+=[0-9]{1,15}")
_POWERS: Final = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
SMALLEST_VOLUME: Final = 1 << 16
LEVELS: Final = range(1, 20)


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a pack says of itself; nothing of it is trusted.

    Attributes:
        pack: its path.
        head: its ``pack.json``.
        length: bytes of the pack.
        volumes: names of the files that it is.
        files: path, length, and the member that it comes from (empty: its own), in order; empty unless asked for.
    """

    pack: str
    head: PackHead
    length: int
    volumes: tuple[str, ...]
    files: tuple[tuple[str, int, str], ...]


def plan_inventory(folder: str, output: str, *, as_filter: bool) -> Plan:
    """Plan an inventory of a mirror or a registry, or of the store where `folder` is empty."""
    return Plan((WriteInventory(folder, output, as_filter),))


def plan_acknowledgement(
    context: Context, folder: str, output: str, key: str, *, roots: tuple[str, ...], passphrase_file: str | None
) -> Plan:
    """Plan an acknowledgement.

    Raises:
        KeyUnknownError: there is no such key.
    """
    find_person_key(context.places.keys, key)
    return Plan((WriteAcknowledgement(folder, output, key, _roots(roots), passphrase_file),))


def plan_export(context: Context, wanted: ExportPack, *, counted: bool) -> Plan:
    """Plan a pack.

    Args:
        context: trust, settings.
        wanted: the action but for its counts.
        counted: verify the source and count now, for whoever only wants to know.

    Raises:
        UsageError: a requirement, level or volume is none.
        FileInTheWayError: what lies at the output is no pack.
        MmpmError: as for `gather`, where `counted`.
    """
    for text in wanted.only:
        try:
            Requirement.parse(text)
        except ValueError as error:
            raise UsageError(f"--only: {error}") from None
    if wanted.level is not None and wanted.level not in LEVELS:
        raise UsageError(f"--level is {LEVELS.start} to {LEVELS.stop - 1}")
    if os.path.isdir(wanted.output):
        raise UsageError(f"{wanted.output} is a folder", "give `-o` the name of the pack")
    refuse_what_is_no_pack(wanted.output)
    action = replace(wanted, roots=_roots(wanted.roots))
    if not counted:
        return Plan((action,))
    gathered = gather(context, action)
    releases, files, size = gathered.counts
    return Plan((replace(action, releases=releases, files=files, size=size),), notes=tuple(gathered.notes))


def split_bases(bases: Sequence[str]) -> tuple[str, tuple[tuple[str, int], ...]]:
    """Tell a base that is a path, or one serial, from serials by registry: ``acme.example=12``.

    Returns:
        The path or serial, empty where there is none; and the serials, sorted by registry.

    Raises:
        UsageError: both are given, or a path twice, or a registry.
    """
    paths = [one for one in bases if not _SERIAL_OF.fullmatch(one)]
    serials = {one.partition("=")[0]: int(one.partition("=")[2]) for one in bases if one not in paths}
    if len(paths) > 1 or (paths and serials) or len(serials) + len(paths) != len(bases):
        remedy = "give one inventory, acknowledgement or serial, or REGISTRY=SERIAL once for each registry"
        raise UsageError("a pack is cut against one base", remedy)
    return (paths or [""])[0], tuple(sorted(serials.items()))


def volume_bytes(text: str | None) -> int | None:
    """Read a size: ``4G``, ``700M``, ``4096``; powers of 1,024.

    Raises:
        UsageError: it is none, or too small for a volume.
    """
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    size = int(match[1]) << 10 * _POWERS[match[2].upper()] if match else 0
    if size < SMALLEST_VOLUME:
        raise UsageError(f"--volume-size {quoted(text)} is no size of at least 64K", "give one such as 4G or 700M")
    return size


def inspect(path: str, *, with_files: bool) -> Inspected:
    """Read a pack from end to end and hold every member against its line; nothing is written.

    Args:
        path: of the pack, of a volume, or of the list of its volumes.
        with_files: give the list of files as well.

    Raises:
        PackUnreadableError: it is not there, or volumes are missing.
        PackRefusedError: it is damaged, or was never a pack.
    """
    (pack,) = gather_packs([path], "")
    if pack.missing:
        raise PackUnreadableError(path, f"volumes are missing: {', '.join(pack.missing[:5])}")
    with pack.open() as stream:
        reader = PackReader(cast("BinaryIO", stream), pack.name)
        listing = reader.list_bytes()
        for _ in reader.members():
            pass
        length, volumes = stream.length, stream.parts
    files = tuple(_files(reader.head, listing, pack.name)) if with_files else ()
    return Inspected(path, reader.head, length, volumes, files)


def _files(head: PackHead, listing: bytes, name: str) -> Iterator[tuple[str, int, str]]:
    for entry in entries_of(head, listing, name):
        if isinstance(entry, Patch):
            for file in entry.files:
                yield file.path, file.length, entry.member
        else:
            whole: PackedFile = entry
            yield whole.path, whole.length, ""


def _roots(roots: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(fingerprint_of(one) for one in roots)
