"""Which files of a registry's state travel in a pack, in which order, and against what the receiver has.

    a state + a selection [+ what the receiver has] -> parts: files that travel whole, and files that travel in patches

In a pack that needs nothing every tree file travels whole, so that `tar` alone makes a mirror of it; files lie by their
own names, so that all versions of ``mol-a.formula.toml`` are side by side. Against a base only what is new travels: the
metadata and what belongs to formulas that the receiver knows in patches, formula by formula (a document beside the
files and the index that name the same hashes); new formulas whole. Listings (tree objects) follow from the documents.

Memory holds a row of some 200 bytes for each file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mmpm.registry import layout
from mmpm.registry.documents import registry_json
from mmpm.registry.mirrored import MIRRORED_JSON, Mirrored
from mmpm.registry.pack.entries import PackedFile, PatchBase, tree_path
from mmpm.registry.pack.novelty import MAX_PATCHED_BYTES, add_new_releases, files_of, is_new
from mmpm.registry.verified import TreeFile
from mmpm.trust.facts import BINS, SNAPSHOT, TARGETS, TIMESTAMP, TRUST
from mmpm.trust.metadata import Chain
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mmpm.model.release import Release
    from mmpm.registry.index import FormulaIndex
    from mmpm.registry.mirror.selection import Chosen
    from mmpm.registry.pack.receiver import Receiver
    from mmpm.registry.verified import VerifiedState
    from mmpm.trust.facts import RoleFile

KINDS: Final = ("metadata", "trust", "catalog", "index", "page", "document", "listing", "file", "signature", "note")


@dataclass(frozen=True, slots=True)
class Part:
    """A file that travels.

    Attributes:
        kind: one of `KINDS`, for counting.
        file: its line.
        bases: what it is patched against, best first; may be empty.
    """

    kind: str
    file: PackedFile
    bases: tuple[PatchBase, ...] = ()


@dataclass(slots=True)
class Contents:
    """What a pack carries of one registry.

    Attributes:
        state: verified.
        chosen: whose files travel.
        receiver: None where the pack has to need nothing.
        roots: fingerprints of all roots, the first one first.
        texts: bytes of files that are made here, by path in the pack; all others are read from the state.
        unnamed_bases: bases whose paths do not tell their hashes, by path in the pack.
        releases, formulas: how many the selection has.
        new_releases: how many of them the receiver lacks.
    """

    state: VerifiedState
    chosen: Chosen
    receiver: Receiver | None
    roots: tuple[str, ...] = ()
    texts: dict[str, bytes] = field(default_factory=dict)
    unnamed_bases: dict[str, TreeFile] = field(default_factory=dict)
    releases: int = 0
    formulas: int = 0
    new_releases: int = 0
    _patched: list[Part | tuple[int, bytes, int, bytes, int]] = field(default_factory=list)
    _whole: list[Part] = field(default_factory=list)
    _rows: list[tuple[int, str, str, int, bytes, int]] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)

    @property
    def registry_id(self) -> str:
        """The registry."""
        return self.state.registry_id

    def path(self, path: str) -> str:
        """Give the path in the pack of a file of the tree."""
        return tree_path(self.registry_id, path)

    def whole(self) -> Iterator[Part]:
        """Give the parts that travel as members of their own: metadata first, objects by the names of their files."""
        yield from self._whole
        self._rows.sort()
        for rank, _, _, _, digest, length in self._rows:
            yield Part(_OBJECT_KINDS[rank], PackedFile(self._object(digest), length))

    def patched(self) -> Iterator[Part]:
        """Give the parts that travel in patches, in order."""
        for one in self._patched:
            if isinstance(one, Part):
                yield one
                continue
            rank, digest, length, base, base_length = one
            bases = (PatchBase(self._object(base), base_length),) if base else ()
            yield Part(_OBJECT_KINDS[rank], PackedFile(self._object(digest), length), bases)

    def _object(self, digest: bytes) -> str:
        return self.path(layout.object_file(ObjectId(digest.hex())))

    def forget(self) -> None:
        """Let go of what was only needed to write the list."""
        self._patched, self._whole, self._rows, self._seen = [], [], [], set()

    def add(self, kind: str, file: TreeFile, base: TreeFile | None = None, *, is_proved: bool = True) -> None:
        """Let a file other than an object travel.

        Args:
            kind: one of `KINDS`.
            file: the file.
            base: an older one of its kind that the receiver has.
            is_proved: whether its path tells its hash.
        """
        packed = PackedFile(self.path(file.path), file.length, None if is_proved else file.sha256)
        if self.receiver is None or file.length > MAX_PATCHED_BYTES:
            self._whole.append(Part(kind, packed))
            return
        bases: tuple[PatchBase, ...] = ()
        if base is not None and base.length <= MAX_PATCHED_BYTES:
            bases = (PatchBase(self.path(base.path), base.length),)
            if not is_proved:
                self.unnamed_bases[bases[0].path] = base
        self._patched.append(Part(kind, packed, bases))

    def add_text(self, kind: str, path: str, data: bytes) -> None:
        """Let a file travel that is made here; `path` is one in the pack."""
        self.texts[path] = data
        self._whole.append(text_part(kind, path, data))

    def add_object(self, kind: str, object_id: ObjectId, length: int, place: tuple[str, str, int]) -> None:
        """Let an object travel whole, once; `place` is what it is sorted by: its file's name, formula, release."""
        digest = bytes.fromhex(object_id.hex)
        if digest not in self._seen:
            self._seen.add(digest)
            self._rows.append((_OBJECT_KINDS.index(kind), *place, digest, length))

    def add_patched_object(
        self, kind: str, object_id: ObjectId, length: int, base: tuple[ObjectId, int] | None
    ) -> None:
        """Let an object travel in a patch, once; `base` is id and length of one of the receiver's to patch against."""
        digest = bytes.fromhex(object_id.hex)
        if digest not in self._seen:
            self._seen.add(digest)
            row = (bytes.fromhex(base[0].hex), base[1]) if base is not None else (b"", 0)
            self._patched.append((_OBJECT_KINDS.index(kind), digest, length, *row))


def text_part(kind: str, path: str, data: bytes) -> Part:
    """Give the part of a file that is no file of a tree; `path` is one in the pack."""
    return Part(kind, PackedFile(path, len(data), hashlib.sha256(data).hexdigest()))


_OBJECT_KINDS: Final = ("document", "listing", "file")


def lay_out(state: VerifiedState, chosen: Chosen, receiver: Receiver | None) -> Contents:
    """Find out what travels.

    Raises:
        MissingTreeFileError, RegistryUntrustedError: the sender's own tree is incomplete or damaged.
    """
    contents = Contents(state, chosen, receiver)
    versions: dict[str, frozenset[str]] = {}
    _add_roots(contents)
    if receiver is None:
        _add_roles(contents)
    changed_shards = set()
    for name in state.names():
        index = state.index(name)
        assert index is not None
        releases = state.releases_of(index)
        if not (receiver is None or receiver.note_unchanged(releases, layout.index_target(str(name)))):
            changed_shards.add(layout.shard_of(str(name)))
        kept = [release for release in releases if chosen.has(release)]
        if kept:
            contents.formulas += 1
            contents.releases += len(kept)
            versions[str(name)] = frozenset(str(release.version) for release in kept)
            if receiver is None:
                _add_every_release(contents, str(name), kept)
            else:
                add_new_releases(contents, receiver, index, kept)
        _add_index(contents, index)
    if receiver is not None and receiver.infers():
        shards = {layout.shard_of(str(name)) for name in state.names()} - changed_shards
        receiver.unchanged.update(map(layout.catalog_target, shards))
    _add_other_targets(contents)
    if receiver is not None:
        _add_roles(contents)
    _add_notes(contents, versions)
    return contents


def _add_roots(contents: Contents) -> None:
    roots = []
    for file in contents.state.metadata():
        if not file.path.endswith(".root.json"):
            break
        roots.append(Chain(contents.state.bytes_of(file)).fingerprint)
        contents.add("metadata", file, is_proved=False)
    contents.roots = tuple(roots)


def _add_roles(contents: Contents) -> None:
    """Add the roles' files that the receiver lacks, bins first: a patch knows their hashes when the snapshot comes."""
    state, receiver = contents.state, contents.receiver
    roles = {role: file for role, file in state.roles().items() if role in _SIGNED}
    for role in sorted(roles, key=_SIGNED.index):
        file = roles[role]
        if receiver is not None and receiver.has_role(role, file):
            continue
        base = None if receiver is None else receiver.old_role(role)
        earlier = None if base is None else _role_file(role, base)
        contents.add("metadata", _role_file(role, file), earlier, is_proved=False)
    _add_top(contents)


def _add_top(contents: Contents) -> None:
    """Add snapshot and timestamp, the latter under both its names where the pack has to make a mirror by itself."""
    state, receiver = contents.state, contents.receiver
    old = None if receiver is None else receiver.old
    earlier = None if old is None else _role_file(SNAPSHOT, old.facts.snapshot)
    contents.add("metadata", _role_file(SNAPSHOT, state.facts.snapshot), earlier, is_proved=False)
    data = state.timestamp_bytes
    sha256 = hashlib.sha256(data).hexdigest()
    if receiver is None:
        contents.add(
            "metadata", TreeFile(layout.role_file(TIMESTAMP, state.serial), len(data), sha256), is_proved=False
        )
    contents.add("metadata", TreeFile(layout.TIMESTAMP, len(data), sha256), is_proved=False)


_SIGNED: Final = (*layout.bin_roles(), BINS, TRUST, TARGETS)


def _role_file(role: str, file: RoleFile) -> TreeFile:
    return TreeFile(layout.role_file(role, file.version), file.length, file.sha256)


def _add_index(contents: Contents, index: FormulaIndex) -> None:
    state, receiver = contents.state, contents.receiver
    target = layout.index_target(str(index.name))
    if receiver is not None and receiver.hashes is None and not is_new(contents, receiver, target):
        return  # and so are its pages
    for page in state.page_files(index):
        if receiver is None or receiver.hashes is None or page.sha256 not in receiver.hashes:
            contents.add("page", page)
    _add_target(contents, target, "index")


def _add_other_targets(contents: Contents) -> None:
    for target, _ in contents.state.targets():
        if layout.name_of_index(target) is None:
            _add_target(contents, target, "catalog" if target.startswith("catalog/") else "trust")


def _add_target(contents: Contents, target: str, kind: str) -> None:
    receiver = contents.receiver
    if receiver is not None and not is_new(contents, receiver, target):
        return
    file = contents.state.target_file(target)
    assert file is not None
    listed = None if receiver is None else receiver.old_target(target)
    if listed is not None and receiver is not None and not receiver.has_target(target, listed):
        listed = None  # it was damaged there
    base = None if listed is None else TreeFile(layout.hashed(target, listed.sha256), listed.length, listed.sha256)
    contents.add(kind, file, base)


def _add_every_release(contents: Contents, owner: str, releases: Sequence[Release]) -> None:
    for order, release in enumerate(releases):
        for kind, file, name in files_of(contents.state, release):
            if file.object_id is None:
                contents.add(kind, file, is_proved=False)
            else:
                contents.add_object(kind, file.object_id, file.length, (name, owner, order))
    contents.new_releases += len(releases)


def _add_notes(contents: Contents, versions: dict[str, frozenset[str]]) -> None:
    state = contents.state
    everything = contents.chosen.releases is None
    if contents.receiver is None:  # else the importer, who knows what is there already, writes them
        identity = state.chain.identity
        contents.add_text("note", contents.path(layout.REGISTRY_JSON), registry_json(identity.id, identity.title))
        mirrored = Mirrored(state.registry_id, state.serial, everything, {} if everything else versions)
        contents.add_text("note", contents.path(MIRRORED_JSON), mirrored.to_bytes())
