"""What a folder registry shows now, verified: what a publisher builds its next state on."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Self, TypeVar

from mmpm.errors import DamagedRegistryError, NotARegistryError
from mmpm.registry import layout
from mmpm.registry.documents import CatalogLine, ReleaseDocument, parse_catalog
from mmpm.registry.index import FormulaIndex, parse_page
from mmpm.trust.facts import BINS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, TRUST
from mmpm.trust.levels import Marks, Publishers
from mmpm.trust.metadata import Chain, peek_root_version
from mmpm_store.durable import exclusive_create, is_link_refusal
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.model.names import FormulaName
    from mmpm.trust.facts import RoleFile, TargetFile, TimestampFacts

_ATTEMPTS = 20
_Value = TypeVar("_Value")


def shown_serial(root: str) -> int:
    """Give the serial that ``timestamp.json`` names, unverified; 0 where there is none that can be read."""
    try:
        with open(f"{root}/{layout.TIMESTAMP}", "rb") as file:
            found = json.loads(file.read(1 << 20))["signed"]["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0
    return found if type(found) is int else 0


class PublishedTree:
    """One state of a registry tree; its bins, indexes and shards are read and verified when first asked for."""

    def __init__(self, root: str, chain: Chain, facts: TimestampFacts, timestamp_bytes: bytes) -> None:
        self.root = root
        self.chain = chain
        self.facts = facts
        self.timestamp_bytes = timestamp_bytes

    @classmethod
    def load(cls, root: str, trusted_root: bytes) -> Self:
        """Verify the newest state of the tree at `root`.

        Args:
            root: the tree's folder.
            trusted_root: the root metadata that the publisher keeps beside its keys.

        Raises:
            NotARegistryError: there is no tree.
            UntrustedMetadataError: somebody without the keys has changed it.
            DamagedRegistryError: a file is missing.
        """
        missing = ""
        for _ in range(_ATTEMPTS):
            timestamp = _read_or_none(f"{root}/{layout.TIMESTAMP}")
            if timestamp is None:
                raise NotARegistryError(root)
            try:
                return cls._verify(root, trusted_root, timestamp)
            except FileNotFoundError as error:
                # Another publisher may have gone on and pruned in between; then there is a newer timestamp.
                missing = str(error.filename)
        raise DamagedRegistryError(root, missing)

    @classmethod
    def _verify(cls, root: str, trusted_root: bytes, timestamp: bytes) -> Self:
        chain = Chain(trusted_root)
        # No further than the timestamp says: a root beyond it is of a rotation that was killed before it was shown.
        for version in range(chain.root_version + 1, (peek_root_version(timestamp) or 0) + 1):
            chain.advance_root(_read(f"{root}/{layout.role_file(ROOT, version)}"))
        facts = chain.accept_timestamp(timestamp)
        chain.accept_snapshot(_read(f"{root}/{layout.role_file(SNAPSHOT, facts.snapshot.version)}"))
        for role in (TARGETS, TRUST, BINS):
            chain.accept_targets(role, _read(f"{root}/{layout.role_file(role, chain.role_file(role).version)}"))
        return cls(root, chain, facts, timestamp)

    @property
    def serial(self) -> int:
        """The version of the snapshot."""
        return self.facts.snapshot.version

    def is_current(self) -> bool:
        """Whether the tree still shows this state."""
        return _read_or_none(f"{self.root}/{layout.TIMESTAMP}") == self.timestamp_bytes

    def roles(self) -> dict[str, RoleFile]:
        """Give the file of every role."""
        return self.chain.roles()

    def role_bytes(self, role: str) -> bytes:
        """Give the document of a role that `load` accepted."""
        return _read(f"{self.root}/{layout.role_file(role, self.chain.role_file(role).version)}")

    def bin_targets(self, role: str) -> dict[str, TargetFile]:
        """Give what one bin lists."""
        self._need(role)
        return self.chain.targets_of(role)

    def roots(self) -> tuple[bytes, ...]:
        """Give every root document from the first to the one of this state."""
        found = []
        for version in range(1, self.chain.root_version):
            path = layout.role_file(ROOT, version)
            data = _read_or_none(f"{self.root}/{path}")
            if data is None:
                raise DamagedRegistryError(self.root, path)
            found.append(data)
        return (*found, self.chain.root_bytes)

    def target(self, target: str) -> bytes | None:
        """Give the bytes of a target, or None where the registry has none.

        Raises:
            DamagedRegistryError: it is listed, but missing or of other bytes.
        """
        self._need(self.chain.role_of(target))
        listed = self.chain.target(target)
        if listed is None:
            return None
        return self._checked(layout.hashed(target, listed.sha256), listed.sha256)

    def index(self, name: FormulaName) -> FormulaIndex | None:
        """Give the index of a formula, or None where the registry does not have it."""
        data = self.target(layout.index_target(str(name)))
        return None if data is None else self._parsed(f"the index of {name}", lambda: FormulaIndex.parse(data, name))

    def publishers(self) -> Publishers:
        """Give who signs releases, as the role trust says; nobody where it lists no such document."""
        data = self.target(layout.PUBLISHERS)
        return Publishers() if data is None else self._parsed(layout.PUBLISHERS, lambda: Publishers.parse(data))

    def marks(self, shard: str) -> Marks:
        """Give the marks of a shard of names."""
        target = layout.levels_target(shard)
        data = self.target(target)
        return Marks() if data is None else self._parsed(target, lambda: Marks.parse(data))

    def older_lines(self, index: FormulaIndex) -> list[object]:
        """Give the lines of all pages of `index`, oldest first."""
        return [line for page in index.pages for line in self.page(index, page.number)]

    def page(self, index: FormulaIndex, number: int) -> tuple[object, ...]:
        """Give the lines of one page."""
        sha256 = index.pages[number - 1].sha256
        path = layout.page_file(str(index.name), number, sha256)
        data = self._checked(path, sha256)
        return self._parsed(path, lambda: parse_page(data, index.name))

    def catalog(self, shard: str) -> dict[str, CatalogLine]:
        """Give the lines of a catalog shard by name."""
        data = self.target(layout.catalog_target(shard)) or b""
        return self._parsed(f"shard {shard}", lambda: {str(line.name): line for line in parse_catalog(data)})

    def document(self, object_id: ObjectId) -> ReleaseDocument:
        """Give a release document."""
        path = layout.object_file(object_id)
        data = _read_or_none(f"{self.root}/{path}")
        if data is None or ObjectId.of(data) != object_id:
            raise DamagedRegistryError(self.root, path)
        return self._parsed(path, lambda: ReleaseDocument.parse(data))

    def archive(self) -> None:
        """Keep this state's timestamp under its serial, where a crash prevented that (idempotent)."""
        archive_timestamp(self.root, self.serial)

    def _need(self, role: str) -> None:
        if self.chain.has(role):
            return
        path = layout.role_file(role, self.chain.role_file(role).version)
        data = _read_or_none(f"{self.root}/{path}")
        if data is None:
            raise DamagedRegistryError(self.root, path)
        self.chain.accept_targets(role, data)

    def _checked(self, path: str, sha256: str) -> bytes:
        data = _read_or_none(f"{self.root}/{path}")
        if data is None or hashlib.sha256(data).hexdigest() != sha256:
            raise DamagedRegistryError(self.root, path)
        return data

    def _parsed(self, what: str, parse: Callable[[], _Value]) -> _Value:
        try:
            return parse()
        except ValueError as error:
            raise DamagedRegistryError(self.root, f"{what}: {error}") from None


def archive_timestamp(root: str, serial: int) -> None:
    """Give ``timestamp.json``, which shows `serial`, its second name ``N.timestamp.json``.

    Only whoever holds the newest claim calls this: the timestamp does not change under it.
    """
    source, path = f"{root}/{layout.TIMESTAMP}", f"{root}/{layout.role_file(TIMESTAMP, serial)}"
    try:
        os.link(source, path)
    except FileExistsError:
        return
    except OSError as error:
        if not is_link_refusal(error):
            raise
        exclusive_create(path, _read(source), 0o444, durable=False)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _read_or_none(path: str) -> bytes | None:
    try:
        return _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
