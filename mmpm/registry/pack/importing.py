"""Imports packs: objects as they come, everything else only when a state is whole.

    pack ──members──> objects proved by their own ids ──────────────> destination
              └─────> metadata, indexes, shards, signatures ──> parcel ──verified, whole──> destination, timestamp last
                                                                  └──something missing──> quarantine, with a request

Rules: nothing but objects reaches a destination before its state is verified from the accepted root key, not older than
what was seen, and whole for what the destination carries. A pack that was read to its end and lacks something waits;
after every import the waiting ones are tried again until nothing changes. A rerun after a crash begins with the pack
again and finds its objects there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mmpm.errors import UNTRUSTED, MissingTreeFileError, MmpmError, PackRefusedError
from mmpm.registry import layout
from mmpm.registry.mirror.origin import Believed, look_at
from mmpm.registry.mirrored import POLICY_JSON
from mmpm.registry.pack import waiting
from mmpm.registry.pack.entries import PackedFile, Patch, proof_of_path, registry_of_path, tree_path
from mmpm.registry.pack.judging import Judgement, judge
from mmpm.registry.pack.reading import MAX_MEMBER_BYTES, PackReader, is_proved, unpatch
from mmpm.registry.pack.selecting import selections_of
from mmpm.registry.pack.settling import Arrival, Landed, hold_roots, is_superseded
from mmpm.registry.verified import MAX_TIMESTAMP_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from mmpm.registry.destination import Destination
    from mmpm.registry.mirror.selection import Selection
    from mmpm.registry.objects import FetchProgress
    from mmpm.registry.pack.format import PackedRegistry
    from mmpm.registry.pack.settling import Landing
    from mmpm.registry.pack.waiting import Parcel
    from mmpm.registry.verified import VerifiedState


@dataclass(slots=True)
class Imported:
    """What came of one pack.

    Attributes:
        pack: its name; `pack_id`: ``blake3:..``.
        landed: by registry, sorted.
        new_objects, new_bytes: that were not here.
        known_objects: that were.
        request: the path of the inventory that asks for what is missing; empty where nothing is.
        waiting_bytes: the room that it takes while it waits.
        refusal: why a pack that waited is not to be believed after all; it is gone then.
    """

    pack: str
    pack_id: str
    landed: tuple[Landed, ...] = ()
    new_objects: int = 0
    new_bytes: int = 0
    known_objects: int = 0
    request: str = ""
    waiting_bytes: int = 0
    refusal: MmpmError | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether something is missing."""
        return any(one.kind == "waiting" for one in self.landed)


@dataclass(slots=True)
class Importer:
    """Imports into one landing, which nobody else changes meanwhile.

    Attributes:
        landing: where to.
        believed: what this machine believes, by registry id; of each registry in a pack a root key was accepted.
        progress: who listens, in bytes.
        disbelieved: ids of packs that were read whole and are not to be believed.
    """

    landing: Landing
    believed: Callable[[str], Believed]
    progress: FetchProgress
    disbelieved: set[str] = field(default_factory=set)
    _counts: Imported = field(default_factory=lambda: Imported("", ""))

    def receive(self, stream: BinaryIO, name: str) -> Imported:
        """Import one pack.

        Raises:
            PackRefusedError: it is damaged.
            UntrustedMetadataError, RegistryUntrustedError, RootMismatchError: it is not to be believed.
            NoSpaceError: the disk is full. In all of these cases nothing of it is shown; proved objects may be here.
        """
        reader = PackReader(stream, name)
        self._counts = Imported(name, reader.head.id)
        listing = reader.list_bytes()
        parcel = waiting.begin_parcel(self.landing.staging, reader.head, reader.head_bytes, listing, name)
        self.landing.keep()
        try:
            self._unpack(reader, parcel)
            del reader, listing  # a window of up to 128 MiB
            return self._judged(parcel)
        except BaseException:
            parcel.remove()
            raise

    def _judged(self, parcel: Parcel) -> Imported:
        """Settle a pack that was read whole; of one that is not to be believed nothing stays.

        A pack that could not be read to its end leaves its objects: the next copy of it goes on from there.
        """
        try:
            return self._settle(parcel)
        except MmpmError as error:
            if error.exit_status == UNTRUSTED:
                self.disbelieved.add(parcel.head.id)
                self.landing.take_back()
            raise

    def retry(self) -> list[Imported]:
        """Try the packs that wait, again and again until nothing changes; those that nothing needs any more go.

        Returns:
            What came of each that was there, in the end.
        """
        found: dict[str, Imported] = {}
        moved = True
        while moved:
            moved = False
            for parcel in waiting.waiting_parcels(self.landing.quarantine):
                self._counts = Imported(parcel.name, parcel.head.id)
                before = found.get(parcel.head.id)
                try:
                    self.landing.keep()
                    found[parcel.head.id] = after = self._judged(parcel)
                except MmpmError as error:
                    found[parcel.head.id] = after = replace(self._counts, refusal=error)
                    if error.exit_status != UNTRUSTED:
                        continue  # about this machine and not about the pack: it stays
                    parcel.remove()
                is_gone = after.refusal is not None or not after.is_waiting
                moved = moved or is_gone or bool(before and _serials(before) != _serials(after))
        return list(found.values())

    # ---- members

    def _unpack(self, reader: PackReader, parcel: Parcel) -> None:
        self.progress.start("Importing...", reader.head.size, "bytes")
        for entry, data in reader.members():
            if isinstance(entry, PackedFile):
                self._take(parcel, entry, data)
                self.progress.advance(entry.length)
            elif self._apply(parcel, entry, data):
                self.progress.advance(entry.content_length)
            else:
                parcel.keep_frame(entry, data)
        self.progress.finish()

    def _apply(self, parcel: Parcel, patch: Patch, frame: bytes) -> bool:
        """Take what comes out of a patch, unless a base of it is not here."""
        if all(self._is_taken(parcel, file) for file in patch.files):
            self._counts.known_objects += len(patch.files)
            return True
        bases = []
        for base in patch.bases:
            data = self._read_base(parcel, base.path, base.length)
            if data is None:
                return False
            bases.append(data)
        for file, data in unpatch(parcel.name, patch, frame, bases):
            self._take(parcel, file, data)
        return True

    def _take(self, parcel: Parcel, file: PackedFile, data: bytes) -> None:
        place = registry_of_path(file.path)
        if place is None or not place[1].startswith("objects/"):
            parcel.stage(file.path, data)
            return
        registry, path = place
        destination = self._destination(parcel, registry)
        # Compared and not just looked for: an inventory leaves out what is damaged here, so that it comes again.
        if destination.read(path, file.length) == data:
            self._counts.known_objects += 1
            return
        destination.put(path, (data,))
        self._counts.new_objects += 1
        self._counts.new_bytes += len(data)

    def _is_taken(self, parcel: Parcel, file: PackedFile) -> bool:
        place = registry_of_path(file.path)
        if place is None or not place[1].startswith("objects/"):
            return False
        data = self._destination(parcel, place[0]).read(place[1], file.length)
        return data is not None and is_proved(file, data)

    def _read_base(self, parcel: Parcel, path: str, length: int) -> bytes | None:
        place = registry_of_path(path)
        if place is None:
            return None
        data = self._destination(parcel, place[0]).read(place[1], length)
        if data is None and place[1].startswith("objects/"):
            data = self.landing.elsewhere(*place, length)
        if data is None or len(data) != length:
            return None
        # What is damaged here is as good as missing: the request then asks for what was to come out of it.
        return data if proof_of_path(path) is None or is_proved(PackedFile(path, length), data) else None

    def _destination(self, parcel: Parcel, registry: str) -> Destination:
        if all(registry != told.id for told in parcel.head.registries):
            raise PackRefusedError(parcel.name, f"is of {registry}, which its head does not name")
        return self.landing.destination(registry)

    # ---- states

    def _settle(self, parcel: Parcel) -> Imported:
        """Show what can be shown of an unpacked pack; it goes, or waits."""
        for patch, frame in parcel.waiting_patches():
            if self._apply(parcel, patch, frame):
                parcel.drop_frame(patch)
        brought = selections_of(parcel)
        counts = self._counts
        judged = [self._judge(parcel, told, brought[told.id]) for told in parcel.head.registries]
        looked = [one if isinstance(one, Landed) else one.look(self._others(one.told.id)) for one in judged]
        counts.landed = tuple(one if isinstance(one, Landed) else one.show() for one in looked)
        policy = parcel.read(POLICY_JSON, MAX_MEMBER_BYTES)
        if policy is not None and any(one.kind in {"shown", "extended", "same"} for one in counts.landed):
            self.landing.keep_policy(policy)
        if counts.is_waiting:
            kept = waiting.put_aside(parcel, self.landing.quarantine)
            counts.request = kept.write_request(self.landing.request())
            counts.waiting_bytes = kept.size_bytes()
        else:
            parcel.remove()
        return counts

    def _judge(self, parcel: Parcel, told: PackedRegistry, brought: Selection) -> Landed | Arrival:
        destination = self.landing.destination(told.id)
        believed = self.believed(told.id)

        def staged(path: str, max_bytes: int) -> bytes | None:
            return parcel.read(tree_path(told.id, path), max_bytes)

        shown = look_at(destination.read, believed, told.id)
        here = 0 if shown.state is None else shown.state.chain.root_version
        hold_roots(parcel.name, told, staged, destination, here)

        def overlay(path: str, max_bytes: int) -> bytes | None:
            found = staged(path, max_bytes)
            found = destination.read(path, max_bytes) if found is None else found
            if found is None and not path.startswith("metadata/"):
                found = self.landing.elsewhere(told.id, path, max_bytes)
            return found

        try:
            stamp = staged(layout.TIMESTAMP, MAX_TIMESTAMP_BYTES)
            judgement = judge(told.id, overlay, stamp, shown, believed)
        except MissingTreeFileError as error:
            if shown.state is None or not is_superseded(told, shown.state):
                serial = None if shown.state is None else shown.state.serial
                return Landed(told.id, "waiting", serial, told.serial, missing=(error.path,), missing_count=1)
            judgement = Judgement("older", None, shown.state)
        return Arrival(self.landing, parcel, told, brought, believed.fingerprint, judgement)

    def _others(self, registry_id: str) -> Mapping[str, Callable[[], VerifiedState | None]]:
        """Give the other registries that are here, opened only where a selection reaches into them."""

        def opener(other: str) -> Callable[[], VerifiedState | None]:
            return lambda: look_at(self.landing.destination(other).read, self.believed(other), other).state

        return {other: opener(other) for other in self.landing.registries() if other != registry_id}


def _serials(imported: Imported) -> list[tuple[str, int | None, int]]:
    return [(one.registry_id, one.old_serial, one.missing_count) for one in imported.landed]
