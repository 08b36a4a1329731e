"""What a folder registry shows now, verified: what a publisher builds its next state on."""

from __future__ import annotations

import json
import os
from typing import Self

from mmpm.errors import DamagedRegistryError, MmpmError, NotARegistryError
from mmpm.registry import layout
from mmpm.registry.destination import read_plain
from mmpm.registry.verified import VerifiedState
from mmpm.trust.facts import BINS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, TRUST
from mmpm.trust.levels import Marks, Publishers
from mmpm.trust.metadata import Chain, peek_root_version
from mmpm_store.durable import exclusive_create, is_link_refusal

_ATTEMPTS = 20


def shown_serial(root: str) -> int:
    """Give the serial that ``timestamp.json`` names, unverified; 0 where there is none that can be read."""
    try:
        with open(f"{root}/{layout.TIMESTAMP}", "rb") as file:
            found = json.loads(file.read(1 << 20))["signed"]["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0
    return found if type(found) is int else 0


class PublishedTree(VerifiedState):
    """One state of a registry tree in the folder `root`; what is wrong with it, its owner has to mend.

    Every method raises `DamagedRegistryError` for a file that is listed, but missing or of other bytes. Roots are given
    by `roots`, not by `metadata`.
    """

    def __init__(self, root: str, chain: Chain, timestamp: bytes) -> None:
        def read(path: str, max_bytes: int) -> bytes | None:
            return read_plain(f"{root}/{path}", max_bytes)

        super().__init__(chain.identity.id, read, chain, timestamp, [])
        self.root = root

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
        return cls(root, chain, timestamp)

    def is_current(self) -> bool:
        """Whether the tree still shows this state."""
        return _read_or_none(f"{self.root}/{layout.TIMESTAMP}") == self.timestamp_bytes

    def role_bytes(self, role: str) -> bytes:
        """Give the document of a role that `load` accepted."""
        return _read(f"{self.root}/{layout.role_file(role, self.chain.role_file(role).version)}")

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

    def publishers(self) -> Publishers:
        """Give who signs releases, as the role trust says; nobody where it lists no such document."""
        data = self.target(layout.PUBLISHERS)
        return Publishers() if data is None else self._parsed(layout.PUBLISHERS, lambda: Publishers.parse(data))

    def marks(self, shard: str) -> Marks:
        """Give the marks of a shard of names."""
        target = layout.levels_target(shard)
        data = self.target(target)
        return Marks() if data is None else self._parsed(target, lambda: Marks.parse(data))

    def archive(self) -> None:
        """Keep this state's timestamp under its serial, where a crash prevented that (idempotent)."""
        archive_timestamp(self.root, self.serial)

    def _lack(self, path: str) -> MmpmError:
        return DamagedRegistryError(self.root, path)

    def _refusal(self, path: str, reason: str) -> MmpmError:
        return DamagedRegistryError(self.root, f"{path}: it {reason}")


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
