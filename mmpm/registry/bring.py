"""Bringing the documents that a verified chain lists: bins, index documents, pages, catalog shards, marks.

Rule: what is here already and matches is not asked for; what is brought is put into this machine's copy only after
its hash (and for a bin, its signature) was checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmpm.errors import RegistryUntrustedError, UntrustedMetadataError
from mmpm.registry import evidence, layout
from mmpm.registry.gather import MissingFileError, Wanted, gather
from mmpm.registry.index import FormulaIndex
from mmpm.registry.snapshot import listed_name
from mmpm.trust.facts import TRUST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.model.names import FormulaName
    from mmpm.registry.local import LocalCopy
    from mmpm.registry.snapshot import Snapshot
    from mmpm.registry.transport import Transport
    from mmpm.trust.metadata import Chain


@dataclass(frozen=True, slots=True)
class Bringer:
    """Fills `copy` with what `chain` lists, from `places` (the one that gave the timestamp first).

    Attributes:
        left_out: names whose indexes are not asked for: no place carries them.

    Every method raises `RegistryUnreachableError`, `RegistryUntrustedError` and `MissingFileError` as `gather` does.
    """

    registry_id: str
    chain: Chain
    copy: LocalCopy
    places: tuple[Transport, ...]
    left_out: set[str] = field(default_factory=set)

    def bring(self, names: set[str] | None) -> None:
        """Bring what answers for `names` (None: for every name): bins, index documents, their pages, their marks."""
        targets = None if names is None else {layout.index_target(name) for name in names}
        roles = layout.bin_roles() if targets is None else {layout.bin_of(target) for target in targets}
        self._load_bins(roles)
        if names is None:
            listed = (target for role in roles for target in self.chain.targets_of(role))
            names = {name for target in listed if (name := layout.name_of_index(target)) is not None}
        self.bring_evidence(names)
        self._load_indexes(names)

    def bring_evidence(self, names: Iterable[str] | None) -> None:
        """Bring publishers and the marks of `names` (None: all marks), as far as the role trust lists them."""
        targets = self.chain.targets_of(TRUST)
        wanted = filter(layout.is_trust_target, targets) if names is None else evidence.wanted_for(names)
        files = [(target, listed) for target in wanted if (listed := targets.get(target)) is not None]
        self._load_files(Wanted(layout.hashed(target, one.sha256), one.sha256, one.length) for target, one in files)

    def _load_bins(self, roles: Iterable[str]) -> None:
        wanted: dict[str, tuple[str, Wanted]] = {}
        for role in sorted(roles):
            if not self.chain.has(role):
                file = self.chain.role_file(role)
                path = layout.role_file(role, file.version)
                data = self.copy.read(path, file.sha256, file.length)
                if data is None:
                    wanted[path] = (role, Wanted(path, file.sha256, file.length))
                else:
                    self._accept(role, data)
        for one, data in self._gather(entry for _, entry in wanted.values()):
            self._accept(wanted[one.path][0], data)
            self.copy.write(one.path, data)

    def _accept(self, role: str, data: bytes) -> None:
        try:
            self.chain.accept_targets(role, data)
        except UntrustedMetadataError as error:
            raise untrusted(self.registry_id, error, self.places[0]) from None

    def _load_indexes(self, names: Iterable[str]) -> None:
        wanted: dict[str, tuple[FormulaName, Wanted]] = {}
        pages: dict[Wanted, FormulaName] = {}
        missing: dict[Wanted, MissingFileError] = {}
        for text in sorted(set(names) - self.left_out):
            name = listed_name(self.registry_id, text)
            target = layout.index_target(text)
            listed = self.chain.target(target)
            if listed is None:
                continue
            one = Wanted(layout.hashed(target, listed.sha256), listed.sha256, listed.length)
            data = self.copy.read(one.path, one.sha256, one.length)
            if data is None:
                wanted[one.path] = (name, one)
            elif b'"pages"' in data:
                pages |= dict.fromkeys(self._pages_of(name, data), name)
        for one, data in self._gather((entry for _, entry in wanted.values()), missing):
            name = wanted[one.path][0]
            pages |= dict.fromkeys(self._pages_of(name, data), name)
            self.copy.write(one.path, data)
        self._load_files(pages, missing)
        if missing:
            owners = [pages[one] if one in pages else wanted[one.path][0] for one in missing]
            error = next(iter(missing.values()))
            failed = [each for one in missing.values() for each in one.failed]
            raise MissingFileError(error.path, error.origin, failed, frozenset(map(str, owners)))

    def _pages_of(self, name: FormulaName, data: bytes) -> list[Wanted]:
        try:
            index = FormulaIndex.parse(data, name)
        except ValueError as error:
            raise RegistryUntrustedError(self.registry_id, str(error)) from None
        return [
            Wanted(layout.page_file(str(name), page.number, page.sha256), page.sha256, page.length)
            for page in index.pages
        ]

    def _load_files(self, wanted: Iterable[Wanted], missing: dict[Wanted, MissingFileError] | None = None) -> None:
        lacking = (one for one in wanted if self.copy.read(one.path, one.sha256, one.length) is None)
        for one, data in self._gather(lacking, missing):
            self.copy.write(one.path, data)

    def bring_catalog(self) -> None:
        """Bring every bin, every catalog shard and every mark that is not here."""
        self._load_bins(layout.bin_roles())
        shards = []
        for number in range(layout.SHARD_COUNT):
            target = layout.catalog_target(f"{number:02x}")
            listed = self.chain.target(target)
            if listed is not None:
                shards.append(Wanted(layout.hashed(target, listed.sha256), listed.sha256, listed.length))
        self._load_files(shards)
        self.bring_evidence(None)

    def carry_along(self, old: Snapshot) -> None:
        """Bring the new documents of everything that `old` could answer for."""
        held = {role: targets for role in layout.bin_roles() if (targets := old.bin_targets(role)) is not None}
        self._load_bins(held)
        names = set()
        shards = []
        for role, before in held.items():
            after = self.chain.targets_of(role)
            for target, listed in before.items():
                now = after.get(target)
                if now is None or now.sha256 == listed[0] or not self.copy.has(layout.hashed(target, listed[0])):
                    continue
                name = layout.name_of_index(target)
                if name is not None:
                    names.add(name)
                else:
                    shards.append(Wanted(layout.hashed(target, now.sha256), now.sha256, now.length))
        self._load_indexes(names)
        self._load_files(shards)
        self._carry_evidence(old)

    def _carry_evidence(self, old: Snapshot) -> None:
        after = self.chain.targets_of(TRUST)
        held = old.evidence.held()
        files = [(target, after[target]) for target in {*held, layout.PUBLISHERS} if target in after]
        self._load_files(Wanted(layout.hashed(target, one.sha256), one.sha256, one.length) for target, one in files)

    def verify_local_bins(self) -> None:
        """Hold the signature of every bin that is here against the chain: for a copy that other hands brought."""
        for role in layout.bin_roles():
            file = self.chain.role_file(role)
            data = self.copy.read(layout.role_file(role, file.version), file.sha256, file.length)
            if data is not None and not self.chain.has(role):
                self._accept(role, data)

    def _gather(
        self, wanted: Iterable[Wanted], missing: dict[Wanted, MissingFileError] | None = None
    ) -> Iterator[tuple[Wanted, bytes]]:
        return gather(self.registry_id, self.places, wanted, missing=missing)


def untrusted(registry_id: str, error: UntrustedMetadataError, place: Transport) -> RegistryUntrustedError:
    """Say of which registry and place it is that signed metadata was refused."""
    role, reason = error.details["role"], error.details["reason"]
    return RegistryUntrustedError(registry_id, f"its {role} metadata is refused: {reason}", place.origin)
