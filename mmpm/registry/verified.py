"""One verified state of a registry tree, read from wherever its files lie: a folder, a transport, a pack, a store.

    trusted root -> roots -> timestamp -> snapshot -> targets, trust, bins -> bin-xx -> indexes -> pages, releases

Rule: nothing leaves here that the chain from the trusted root does not prove. Every read is bounded by the length that
is signed, or by a limit of ours where none is; what is missing and what is wrong are told apart, by the file's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeAlias, TypeVar

from mmpm.errors import MissingTreeFileError, MmpmError, RegistryUntrustedError, UntrustedMetadataError
from mmpm.registry import layout
from mmpm.registry.documents import CatalogLine, ReleaseDocument, parse_catalog, parse_document_of
from mmpm.registry.evidence import MAX_SIGNATURE_BYTES, signature_path
from mmpm.registry.index import FormulaIndex, parse_page, parse_release_line
from mmpm.registry.local import MAX_DOCUMENT_BYTES
from mmpm.registry.transport import check_request_path
from mmpm.trust.facts import BINS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, TRUST
from mmpm.trust.metadata import Chain, peek_root_version
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.trust.facts import Floors, RoleFile, TargetFile, TimestampFacts

Read: TypeAlias = Callable[[str, int], bytes | None]
"""Gives a tree's file by its path, at most so many bytes of it (one more says that it is longer); None: not there."""

MAX_ROOT_BYTES: Final = 1 << 20
MAX_TIMESTAMP_BYTES: Final = 1 << 16
_MAX_ROOTS: Final = 1 << 16
_TARGET_FOLDERS: Final = ("formulas/", "catalog/", "trust/")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file of a tree, with what proves it.

    Attributes:
        path: in the tree.
        length: in bytes; where `is_exact` is false (a signature file), the most that it may have.
        sha256: 64 hex digits, or None where `object_id` proves it.
        object_id: of an object.
        is_exact: whether the length is known.
    """

    path: str
    length: int
    sha256: str | None = None
    object_id: ObjectId | None = None
    is_exact: bool = True

    def proves(self, data: bytes) -> bool:
        """Whether `data` is this file."""
        if len(data) > self.length or (self.is_exact and len(data) != self.length):
            return False
        if self.object_id is not None:
            return ObjectId.of(data) == self.object_id
        return hashlib.sha256(data).hexdigest() == self.sha256


class Select(Protocol):
    """Which releases' files are wanted."""

    def has(self, release: Release) -> bool:
        """Whether the files of `release` are."""


class VerifiedState:
    """What one timestamp of a registry reaches; bins and what they list are read and verified when first asked for.

    Attributes:
        registry_id: the registry.
        facts: what its timestamp says.
        chain: the metadata accepted so far; bins are not kept in it.
        timestamp_bytes: the timestamp.
    """

    def __init__(self, registry_id: str, read: Read, chain: Chain, timestamp: bytes, roots: list[TreeFile]) -> None:
        assert chain.timestamp is not None
        self.registry_id = registry_id
        self.chain = chain
        self.facts: TimestampFacts = chain.timestamp
        self.timestamp_bytes = timestamp
        self._read = read
        self._roots = roots
        self._bins: dict[str, dict[str, TargetFile]] = {}

    @classmethod
    def open(
        cls,
        read: Read,
        trusted_root: bytes,
        *,
        registry_id: str,
        floors: Floors | None = None,
        timestamp: bytes | None = None,
    ) -> Self:
        """Verify the state that the tree shows, or the one of `timestamp`, down to the roles that delegate to bins.

        Args:
            read: reads the tree's files.
            trusted_root: root metadata that the caller believes; the roots before it are held against it as well.
            registry_id: whose tree it has to be.
            floors: what was seen of it before.
            timestamp: to be used in place of the tree's own.

        Raises:
            MissingTreeFileError: a file is not there.
            UntrustedMetadataError, RegistryUntrustedError: something is not what the keys vouch for.
            RolledBackError: it is older than `floors`.
        """
        if timestamp is None:
            timestamp = _need(read, registry_id, layout.TIMESTAMP, MAX_TIMESTAMP_BYTES)
        chain, roots = walk_roots(read, registry_id, trusted_root, peek_root_version(timestamp) or 0)
        chain.accept_timestamp(timestamp, floors)
        self = cls(registry_id, read, chain, timestamp, roots)
        chain.accept_snapshot(self._exact(layout.role_file(SNAPSHOT, self.serial), _proof_of(self.facts.snapshot)))
        for role in (TARGETS, TRUST, BINS):
            chain.accept_targets(role, self._role_bytes(role))
        return self

    @property
    def serial(self) -> int:
        """The version of the snapshot."""
        return self.facts.snapshot.version

    @property
    def issued(self) -> str:
        """When the timestamp was signed."""
        return self.facts.issued

    # ---- the files of the state

    def metadata(self) -> Iterator[TreeFile]:
        """Give every root since the first, the timestamp under both its names, and each role's file."""
        yield from self._roots
        stamp = hashlib.sha256(self.timestamp_bytes).hexdigest()
        yield TreeFile(layout.TIMESTAMP, len(self.timestamp_bytes), stamp)
        yield TreeFile(layout.role_file(TIMESTAMP, self.serial), len(self.timestamp_bytes), stamp)
        yield self._role_file(SNAPSHOT, self.facts.snapshot)
        for role in (TARGETS, TRUST, BINS, *layout.bin_roles()):
            yield self._role_file(role, self.chain.role_file(role))

    def targets(self) -> Iterator[tuple[str, TreeFile]]:
        """Give every signed target: indexes, catalog shards, what the role trust lists.

        Raises:
            RegistryUntrustedError: one has a path that no tree may have.
        """
        for role in (TRUST, *layout.bin_roles()):
            yield from self.targets_of(role)

    def targets_of(self, role: str) -> Iterator[tuple[str, TreeFile]]:
        """Give the targets that the role trust or a bin lists, sorted; as for `targets`."""
        for target, listed in sorted(self.bin_targets(role).items()):
            if self.chain.role_of(target) == role:  # what another role lists does not count, and is not read
                yield target, self._target_file(target, listed)

    def names(self) -> list[FormulaName]:
        """Give every formula, sorted."""
        from mmpm.registry.snapshot import listed_name

        found = {name for target, _ in self.targets() if (name := layout.name_of_index(target)) is not None}
        return [listed_name(self.registry_id, name) for name in sorted(found)]

    def page_files(self, index: FormulaIndex) -> Iterator[TreeFile]:
        """Give the pages of `index`."""
        for page in index.pages:
            yield TreeFile(layout.page_file(str(index.name), page.number, page.sha256), page.length, page.sha256)

    def release_files(self, release: Release) -> Iterator[TreeFile]:
        """Give document, listing, files and signatures of a release; a tombstone has none."""
        if release.tombstone:
            return
        data, document = self.document_of(release)
        yield TreeFile(layout.object_file(release.document), len(data), object_id=release.document)
        listing = document.tree.to_bytes()
        yield TreeFile(layout.object_file(release.tree), len(listing), object_id=release.tree)
        for entry in document.tree.entries:
            yield TreeFile(layout.object_file(entry.id), entry.size, object_id=entry.id)
        yield from self.signature_files(release)

    def signature_files(self, release: Release) -> Iterator[TreeFile]:
        """Give the detached signatures that the index line of a release names."""
        for key_id, sha256 in release.signatures:
            yield TreeFile(signature_path(release, key_id), MAX_SIGNATURE_BYTES, sha256, is_exact=False)

    def tree_files(self, select: Select | None = None) -> Iterator[TreeFile]:
        """Give all tree files: metadata, targets, pages, and those of the releases that `select` has (None: of all).

        Names come in sorted order. An object that several releases share is given more than once.
        """
        yield from self.metadata()
        for _, file in self.targets():
            yield file
        for name in self.names():
            index = self.index(name)
            assert index is not None
            yield from self.page_files(index)
            for release in self.releases_of(index):
                if select is None or select.has(release):
                    yield from self.release_files(release)

    # ---- what the files say

    def roles(self) -> dict[str, RoleFile]:
        """Give the file of every role."""
        return self.chain.roles()

    def bin_targets(self, role: str) -> Mapping[str, TargetFile]:
        """Give what a bin, or the role trust, lists."""
        if role not in self._bins:
            if not self.chain.has(role):
                self.chain.accept_targets(role, self._role_bytes(role))
            self._bins[role] = self.chain.targets_of(role)
            if role != TRUST:
                self.chain.forget(role)  # python-tuf's objects take ten times the room of what they say
        return self._bins[role]

    def listed(self, target: str) -> TargetFile | None:
        """Give what the metadata says of a target, or None: proof that it does not exist."""
        return self.bin_targets(self.chain.role_of(target)).get(target)

    def target_file(self, target: str) -> TreeFile | None:
        """Give the file of a target, or None where the registry has none."""
        listed = self.listed(target)
        return None if listed is None else self._target_file(target, listed)

    def target(self, target: str) -> bytes | None:
        """Give the bytes of a target, or None where the registry has none."""
        file = self.target_file(target)
        return None if file is None else self.bytes_of(file)

    def index(self, name: FormulaName) -> FormulaIndex | None:
        """Give the index of a formula, or None where the registry does not have it."""
        path = layout.index_target(str(name))
        data = self.target(path)
        return None if data is None else self._parsed(path, lambda: FormulaIndex.parse(data, name))

    def page(self, index: FormulaIndex, number: int) -> tuple[object, ...]:
        """Give the lines of page `number`, from 1."""
        page = index.pages[number - 1]
        path = layout.page_file(str(index.name), number, page.sha256)
        data = self.bytes_of(TreeFile(path, page.length, page.sha256))
        return self._parsed(path, lambda: parse_page(data, index.name))

    def older_lines(self, index: FormulaIndex) -> list[object]:
        """Give the lines of all pages of `index`, oldest first."""
        return [line for page in index.pages for line in self.page(index, page.number)]

    def releases(self, name: FormulaName) -> tuple[Release, ...]:
        """Give all releases of a formula in order of publication; none where the registry does not have it."""
        index = self.index(name)
        return () if index is None else self.releases_of(index)

    def releases_of(self, index: FormulaIndex) -> tuple[Release, ...]:
        """Give all releases of `index`, pages included, in order of publication."""
        lines = [*self.older_lines(index), *index.lines]
        path = layout.index_target(str(index.name))
        return self._parsed(path, lambda: tuple(parse_release_line(index.name, line) for line in lines))

    def catalog(self, shard: str) -> dict[str, CatalogLine]:
        """Give the lines of a catalog shard by name."""
        path = layout.catalog_target(shard)
        data = self.target(path) or b""
        return self._parsed(path, lambda: {str(line.name): line for line in parse_catalog(data)})

    def document(self, release: Release) -> ReleaseDocument:
        """Give the document of a release, which is that of its index line."""
        return self.document_of(release)[1]

    def bytes_of(self, file: TreeFile) -> bytes:
        """Give the bytes of a file of this state.

        Raises:
            MissingTreeFileError: it is not there.
            RegistryUntrustedError: it has other bytes.
        """
        return self._exact(file.path, file)

    # ---- reading

    def document_of(self, release: Release) -> tuple[bytes, ReleaseDocument]:
        """Give the document of a release as bytes and as a value."""
        path = layout.object_file(release.document)
        data = self._need(path, MAX_DOCUMENT_BYTES)
        if ObjectId.of(data) != release.document:
            raise self._refusal(path, "has not the bytes that its name says")
        return data, self._parsed(path, lambda: parse_document_of(release, data))

    def _role_bytes(self, role: str) -> bytes:
        file = self.chain.role_file(role)
        return self._exact(layout.role_file(role, file.version), _proof_of(file))

    def _role_file(self, role: str, file: RoleFile) -> TreeFile:
        return TreeFile(layout.role_file(role, file.version), file.length, file.sha256)

    def _target_file(self, target: str, listed: TargetFile) -> TreeFile:
        try:
            path = check_request_path(layout.hashed(target, listed.sha256))
        except ValueError as error:
            raise RegistryUntrustedError(self.registry_id, f"it lists {error}") from None
        if not path.startswith(_TARGET_FOLDERS):
            raise RegistryUntrustedError(self.registry_id, f"it lists {target}, which is no path of a target")
        return TreeFile(path, listed.length, listed.sha256)

    def _exact(self, path: str, proof: TreeFile) -> bytes:
        if proof.length > MAX_DOCUMENT_BYTES:
            raise self._refusal(path, f"has {proof.length} bytes, which is no document")
        data = self._need(path, proof.length)
        if not proof.proves(data):
            what = "id" if proof.object_id is not None else "sha256"
            raise self._refusal(path, f"has not the signed length and {what}")
        return data

    def _need(self, path: str, max_bytes: int) -> bytes:
        data = self._read(path, max_bytes)
        if data is None:
            raise self._lack(path)
        if len(data) > max_bytes:
            raise self._refusal(path, f"is longer than the {max_bytes} bytes that it may have")
        return data

    def _lack(self, path: str) -> MmpmError:
        """Give the error that says that a file of this state is not there."""
        return MissingTreeFileError(self.registry_id, path)

    def _refusal(self, path: str, reason: str) -> MmpmError:
        """Give the error that says what is wrong with a file of this state."""
        return RegistryUntrustedError(self.registry_id, reason, path=path)

    def _parsed(self, path: str, parse: Callable[[], _Value]) -> _Value:
        try:
            return parse()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._refusal(path, f"is signed and yet malformed: {error}") from None


def _proof_of(file: RoleFile) -> TreeFile:
    return TreeFile("", file.length, file.sha256)


def _need(read: Read, registry_id: str, path: str, max_bytes: int) -> bytes:
    data = read(path, max_bytes)
    if data is None:
        raise MissingTreeFileError(registry_id, path)
    if len(data) > max_bytes:
        raise RegistryUntrustedError(registry_id, f"{path} is longer than the {max_bytes} bytes that it may have")
    return data


def walk_roots(read: Read, registry_id: str, trusted_root: bytes, newest: int) -> tuple[Chain, list[TreeFile]]:
    """Verify the roots from the first to `newest` (or the trusted one), which meet `trusted_root` on their way.

    Raises:
        UntrustedMetadataError: the roots of the tree do not lead to, or on from, the trusted one.
    """
    trusted = Chain(trusted_root)
    if trusted.identity.id != registry_id:
        raise RegistryUntrustedError(registry_id, f"it calls itself {trusted.identity.id}")
    if newest > _MAX_ROOTS:
        raise UntrustedMetadataError(TIMESTAMP, f"it names root {newest}, and no registry has that many")
    chain: Chain | None = None
    files: list[TreeFile] = []
    for version in range(1, max(newest, trusted.root_version) + 1):
        path = layout.role_file(ROOT, version)
        data = _need(read, registry_id, path, MAX_ROOT_BYTES)
        if chain is None:
            chain = Chain(data)
            if chain.root_version != 1:
                raise UntrustedMetadataError(ROOT, f"{path} is version {chain.root_version}")
        else:
            chain.advance_root(data)
        if version == trusted.root_version and chain.fingerprint != trusted.fingerprint:
            raise UntrustedMetadataError(ROOT, f"{path} is another root than the one that is trusted")
        files.append(TreeFile(path, len(data), hashlib.sha256(data).hexdigest()))
    assert chain is not None
    return chain, files
