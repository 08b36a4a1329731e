"""A small registry tree with real signatures, made directly from the parts: for readers that must meet a bad one too."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mmpm.model.capabilities import Capabilities
from mmpm.model.checksums import Checksum
from mmpm.model.names import FormulaName
from mmpm.model.references import Requirement
from mmpm.model.release import Release
from mmpm.model.versions import Version
from mmpm.registry import layout
from mmpm.registry.documents import CatalogLine, catalog_to_bytes
from mmpm.registry.index import INDEX_LINES, PAGE_LINES, FormulaIndex, PageReference, page_to_bytes, release_line
from mmpm.trust.facts import Identity, RoleFile, TargetFile
from mmpm.trust.keys import SigningKey
from mmpm.trust.metadata import (
    Chain,
    make_root,
    sign_bins,
    sign_listing,
    sign_snapshot,
    sign_timestamp,
    sign_top_targets,
)
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 1, tzinfo=UTC)
ROLES = ("root", "targets", "trust", "bins", "bin", "snapshot", "timestamp")


class SignedTree:
    """A registry in `folder`.

    Attributes:
        serial: of the newest snapshot.
        fingerprint: of its first root.
    """

    def __init__(self, folder: Path, registry_id: str, now: datetime = START) -> None:
        self.folder = folder
        self.id = registry_id
        self.now = now
        self.keys = {role: SigningKey.generate() for role in ROLES}
        self.serial = 0
        self.root_version = 1
        self.lines: dict[str, list[dict[str, object]]] = {}
        self.pages: dict[str, list[PageReference]] = {}
        self.catalog: dict[str, dict[str, bytes]] = {}
        self.meta: dict[str, RoleFile] = {}
        self.listed: dict[str, dict[str, TargetFile]] = {role: {} for role in layout.bin_roles()}
        root = make_root(Identity(registry_id, f"The {registry_id} registry"), self._public(), self.keys["root"], now)
        self.fingerprint = Chain(root).fingerprint
        self.write(layout.role_file("root", 1), root)
        self._role(
            "targets",
            sign_top_targets(self.keys["targets"], now, trust=self.keys["trust"].public, bins=self.keys["bins"].public),
            1,
        )
        self._role("trust", sign_listing("trust", self.keys["trust"], now, {}, 1), 1)
        self._role("bins", sign_bins(self.keys["bins"], now, bin_key=self.keys["bin"].public), 1)
        for role in layout.bin_roles():
            self._role(role, sign_listing("bin", self.keys["bin"], now, {}, 1), 1)
        self.show()

    def _public(self):
        return {role: key.public for role, key in self.keys.items()}

    def write(self, path: str, data: bytes) -> None:
        full = self.folder / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(data)

    def _role(self, role: str, data: bytes, version: int) -> None:
        self.write(layout.role_file(role, version), data)
        self.meta[role] = RoleFile.of(version, data)

    def release(
        self, name: str, *versions: str, requires: dict[str, str] | None = None, soft: tuple[str, ...] = ()
    ) -> None:
        """Add releases; nothing shows until `show`."""
        lines = self.lines.setdefault(name, [])
        for version in versions:
            release = Release(
                name=FormulaName.parse(name),
                version=Version.parse(version),
                kind="formula",
                requires=tuple(Requirement.parse(f"{one}@{text}") for one, text in sorted((requires or {}).items())),
                soft=tuple(map(FormulaName.parse, soft)),
                checksum=Checksum.of(f"{self.id} {name} {version}".encode()),
                tree=ObjectId.of(f"tree {name} {version}".encode()),
                size=100,
                published_at="2026-11-01T00:00:00Z",
                serial=self.serial + 1,
                document=ObjectId.of(f"document {name} {version}".encode()),
            )
            lines.append(release_line(release))
        self._index(name)

    def describe(self, name: str, version: str = "1.0.0", description: str = "", **said: object) -> None:
        """Add or replace a catalog line; `said`: author, kind, published_at, and primary, secondary, weights."""
        capabilities = {key: said[key] for key in ("primary", "secondary", "weights") if key in said}
        line = CatalogLine(
            name=FormulaName.parse(name),
            latest=Version.parse(version),
            kind=said.get("kind", "formula"),
            description=description,
            author=said.get("author"),
            license=None,
            repository=None,
            capabilities=Capabilities.of_document(capabilities),
            published_at=said.get("published_at", "2026-11-01T00:00:00Z"),
        )
        shard = layout.shard_of(name)
        lines = self.catalog.setdefault(shard, {})
        lines[name] = line.to_bytes()
        self.target(layout.catalog_target(shard), catalog_to_bytes(lines))

    def yank(self, name: str, version: str) -> None:
        for line in self.lines[name]:
            if line["version"] == version:
                line["yanked"] = "broken"
        self._index(name)

    def remove(self, name: str) -> None:
        del self.lines[name]
        target = layout.index_target(name)
        del self.listed[layout.bin_of(target)][target]

    def _index(self, name: str) -> None:
        pages = self.pages.setdefault(name, [])
        lines = self.lines[name]
        formula = FormulaName.parse(name)
        while len(lines) - len(pages) * PAGE_LINES > INDEX_LINES:
            data = page_to_bytes(formula, lines[len(pages) * PAGE_LINES : (len(pages) + 1) * PAGE_LINES])
            one = TargetFile.of(data)
            pages.append(PageReference(len(pages) + 1, one.sha256, one.length))
            self.write(layout.page_file(name, len(pages), one.sha256), data)
        self.target(
            layout.index_target(name),
            FormulaIndex(formula, tuple(lines[len(pages) * PAGE_LINES :]), tuple(pages)).to_bytes(),
        )

    def target(self, target: str, data: bytes) -> None:
        one = TargetFile.of(data)
        self.write(layout.hashed(target, one.sha256), data)
        self.listed[layout.bin_of(target)][target] = one

    def evidence(self, documents: dict[str, bytes]) -> None:
        """List `documents` (bytes by target) in the role trust, and nothing else; nothing shows until `show`."""
        listed = {target: TargetFile.of(data) for target, data in documents.items()}
        for target, data in documents.items():
            self.write(layout.hashed(target, listed[target].sha256), data)
        version = self.meta["trust"].version + 1
        self._role("trust", sign_listing("trust", self.keys["trust"], self.now, listed, version), version)

    def show(self, *, days: float = 0) -> None:
        """Sign what changed and show it, `days` later than the last time."""
        self.now += timedelta(days=days)
        self.serial += 1
        for role, listed in self.listed.items():
            version = self.meta[role].version
            before = json.loads((self.folder / layout.role_file(role, version)).read_bytes())["signed"]["targets"]
            if {path: one.sha256 for path, one in listed.items()} != {
                path: one["hashes"]["sha256"] for path, one in before.items()
            }:
                self._role(role, sign_listing("bin", self.keys["bin"], self.now, listed, version + 1), version + 1)
        self.sign()

    def sign(self, serial: int | None = None) -> None:
        """Sign snapshot and timestamp anew, for what is there."""
        serial = serial or self.serial
        snapshot = sign_snapshot(self.keys["snapshot"], self.now, self.meta, serial)
        self.write(layout.role_file("snapshot", serial), snapshot)
        timestamp = sign_timestamp(self.keys["timestamp"], self.now, RoleFile.of(serial, snapshot), self.root_version)
        self.write(layout.TIMESTAMP, timestamp)

    def rotate(self, *roles: str) -> None:
        """Give `roles` new keys by a new root; nothing shows until `show`."""
        signers = [self.keys["root"]]
        self.keys |= {role: SigningKey.generate() for role in roles}
        if "root" in roles:
            signers.append(self.keys["root"])
        self.root_version += 1
        identity = Identity(self.id, f"The {self.id} registry")
        # A new root is signed by the key before it and by its own: the same signed part, two signatures.
        signed = [
            json.loads(make_root(identity, self._public(), signer, self.now, version=self.root_version))
            for signer in signers
        ]
        signed[0]["signatures"] = [one for document in signed for one in document["signatures"]]
        self.write(layout.role_file("root", self.root_version), json.dumps(signed[0]).encode())
