"""What is known here of a registry: read from this machine's copy along a chain of hashes, without a network.

    trusted state -> snapshot document -> bins -> index documents, pages, catalog shards

Every signature was verified by `refresh` before the snapshot's hash entered the trusted state; from there on equal
hashes prove equal bytes, so that reading needs neither keys nor python-tuf, and stays fast on the warm path.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mmpm.errors import NotFetchedError, RegistryUntrustedError
from mmpm.model.names import FormulaName
from mmpm.registry import documents, layout
from mmpm.registry.index import FormulaIndex
from mmpm.registry.written_lines import read_written
from mmpm.trust.facts import is_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.model.release import Release
    from mmpm.registry.documents import CatalogLine
    from mmpm.registry.evidence import Evidence
    from mmpm.registry.index import PageReference
    from mmpm.registry.local import LocalCopy
    from mmpm.registry.state import TrustState
    from mmpm.trust.levels import Marks
    from mmpm.trust.publishers import Publishers

MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading JSON of another shape than expected raises."""

Listed = tuple[str, int]
"""The sha256 (hex) and length of a file that signed metadata lists."""


class Snapshot:
    """One verified state of a registry, as far as it was fetched.

    Attributes:
        registry_id: of the registry.
        serial: the snapshot's version.
        issued: when it was last vouched for, RFC 3339.
    """

    def __init__(self, copy: LocalCopy, state: TrustState, roles: dict[str, tuple[int, str, int]]) -> None:
        self.registry_id = state.registry_id
        self.serial = state.serial
        self.issued = state.issued
        self.state = state
        self._copy = copy
        self._roles = roles
        self._evidence: Evidence | None = None
        self._bins: dict[str, dict[str, Listed]] = {}
        # Of each name: its file, its bytes between `knows` and the reading of them, what they say.
        self._files: dict[str, Listed | None] = {}
        self._documents: dict[str, bytes] = {}
        self._indexes: dict[str, FormulaIndex | None] = {}
        self._releases: dict[str, tuple[Release, ...]] = {}

    @classmethod
    def open(cls, copy: LocalCopy, state: TrustState) -> Snapshot:
        """Read the snapshot that `state` believes.

        Raises:
            NotFetchedError: its document is not in this store (another one was used when it was fetched).
            RegistryUntrustedError: its document is signed and yet no snapshot.
        """
        path = layout.role_file("snapshot", state.serial)
        data = copy.read(path, state.snapshot_sha256, state.snapshot_length)
        if data is None:
            raise NotFetchedError(state.registry_id, ["the registry's snapshot"])
        try:
            roles = read_snapshot_roles(data)
        except MALFORMED as error:
            raise RegistryUntrustedError(state.registry_id, f"its snapshot is malformed ({error})") from None
        return cls(copy, state, roles)

    @property
    def is_of_project(self) -> bool:
        """Whether only a project states the root key that this snapshot was verified from."""
        return bool(self._copy.behind)

    @property
    def evidence(self) -> Evidence:
        """What the role trust says, as far as it is here."""
        if self._evidence is None:
            from mmpm.registry.evidence import Evidence  # only where somebody asks for levels

            self._evidence = Evidence(self.registry_id, self._copy, self._roles.get("trust"))
        return self._evidence

    @property
    def trust_version(self) -> int:
        """The version of the role trust's metadata; 0 where there is none."""
        return self.evidence.version

    def publishers(self) -> Publishers:
        """Give the publishers; nobody where none are listed, or they are not here.

        Raises:
            RegistryUntrustedError: the document is signed and malformed.
        """
        return self.evidence.publishers()

    def marks(self, name: str | FormulaName) -> Marks:
        """Give the marks of the shard that a formula belongs to, as `publishers` does."""
        return self.evidence.marks(str(name))

    def signature(self, release: Release, key_id: str) -> bytes | None:
        """Give a detached signature of `release`, its sha256 checked; None where there is none, or it is not here."""
        return self.evidence.signature(release, key_id)

    def index(self, name: str | FormulaName) -> FormulaIndex | None:
        """Give what the registry publishes under `name`; None is proof that it publishes nothing.

        Raises:
            NotFetchedError: the part that would tell is not here.
            RegistryUntrustedError: the document is signed and yet no index.
        """
        text = str(name)
        if text in self._indexes:
            return self._indexes[text]
        formula = FormulaName.parse(text)
        data = self._document(text)
        found: FormulaIndex | None = None
        if data is not None:
            try:
                found = FormulaIndex.parse(data, formula)
            except ValueError as error:
                raise self._untrusted(error) from None
        self._indexes[text] = found
        return found

    def releases(self, name: str | FormulaName) -> tuple[Release, ...]:
        """Give every release of `name` in order of publication, older pages included; empty if proved absent.

        Raises:
            NotFetchedError: the index or one of its pages is not here.
            RegistryUntrustedError: a signed document is malformed, or lists a version twice. That a line is malformed
                in what only its taker needs (`Release.later`) shows when that is asked for.
        """
        text = str(name)
        known = self._releases.get(text)
        if known is not None:
            return known
        formula = FormulaName.parse(text)
        try:
            found = self._written(text, formula)
            if found is None:
                index = self.index(text)
                older = [release for page in index.pages for release in self._page(formula, page)] if index else []
                found = (*older, *(index.releases() if index else ()))
        except ValueError as error:
            raise self._untrusted(error) from None
        if len({release.version.slot for release in found}) != len(found):
            # Which of the two a name and version means would be for the reader to guess.
            raise RegistryUntrustedError(self.registry_id, f"it lists a version of {formula} twice")
        self._releases[text] = found
        return found

    def _written(self, text: str, formula: FormulaName) -> tuple[Release, ...] | None:
        """Read an index by its written form; None where it has to be read by the book."""
        if text in self._indexes:
            return None
        data = self._document(text)
        return () if data is None else read_written(data, formula, self._untrusted)

    def _page(self, formula: FormulaName, page: PageReference) -> tuple[Release, ...]:
        data = self._copy.read(layout.page_file(str(formula), page.number, page.sha256), page.sha256, page.length)
        if data is None:
            raise NotFetchedError(self.registry_id, [str(formula)])
        found = read_written(data, formula, self._untrusted)
        return found if found is not None else FormulaIndex.parse(data, formula).releases()

    def _document(self, text: str) -> bytes | None:
        """Give the verified bytes of a name's index; None is proof that there is none.

        Raises:
            NotFetchedError: the part that would tell is not here.
        """
        data = self._documents.pop(text, None)
        if data is None:
            listed = self._file(text)
            if listed is None:
                return None
            data = self._read(text, listed)
        if data is None:
            raise NotFetchedError(self.registry_id, [text])
        return data

    def _read(self, text: str, listed: Listed) -> bytes | None:
        return self._copy.read(layout.hashed(layout.index_target(text), listed[0]), *listed)

    def _file(self, text: str) -> Listed | None:
        """Give the file of a name's index, as `listed` does of any target."""
        try:
            return self._files[text]
        except KeyError:
            found = self._files[text] = self.listed(layout.index_target(text))
            return found

    def _untrusted(self, error: Exception) -> RegistryUntrustedError:
        return RegistryUntrustedError(self.registry_id, str(error))

    def lists(self, name: str | FormulaName) -> bool:
        """Whether the registry publishes something under `name`, proved either way.

        Raises:
            NotFetchedError: the bin that would tell is not here.
        """
        return self._file(str(name)) is not None

    def knows(self, name: str | FormulaName) -> bool:
        """Whether `index` can answer for `name` from here (with a document or with proved absence)."""
        text = str(name)
        if text in self._releases or text in self._indexes or text in self._documents:
            return True
        try:
            listed = self._file(text)
        except NotFetchedError:
            return False
        data = None if listed is None else self._read(text, listed)
        if data is not None:
            self._documents[text] = data  # whoever asks wants to read it next
        return listed is None or data is not None

    def needs(self, names: Iterable[str | FormulaName]) -> set[str]:
        """Give those of `names` for which `index` cannot answer from here: what a refresh has to bring."""
        return {str(name) for name in names if not self.knows(name)}

    def names(self) -> Iterator[str]:
        """Give the names that the bins at hand list, unsorted; all of them if `has_every_bin`."""
        for role in layout.bin_roles():
            for target in self._bin(role) or ():
                name = layout.name_of_index(target)
                if name is not None:
                    yield str(listed_name(self.registry_id, name))

    @property
    def has_every_bin(self) -> bool:
        """Whether the absence of any name can be proved from here."""
        return all(self._bin(role) is not None for role in layout.bin_roles())

    def catalog(self) -> Iterator[CatalogLine]:
        """Give the catalog lines that are here, sorted within a shard; a shard that is not here is passed over.

        Raises:
            RegistryUntrustedError: a signed shard is malformed.
        """
        for target, listed in self.catalog_shards():
            yield from self.catalog_shard(target, listed) or ()

    def catalog_shards(self) -> Iterator[tuple[str, Listed]]:
        """Give target and file of each catalog shard that there is, as far as the bins at hand list them."""
        for number in range(layout.SHARD_COUNT):
            target = layout.catalog_target(f"{number:02x}")
            targets = self._bin(layout.bin_of(target))
            listed = targets.get(target) if targets is not None else None
            if listed is not None:
                yield target, listed

    def catalog_shard(self, target: str, listed: Listed) -> tuple[CatalogLine, ...] | None:
        """Give the lines of a shard, sorted; `None` where it is not here.

        Raises:
            RegistryUntrustedError: it is signed and malformed.
        """
        data = self._copy.read(layout.hashed(target, listed[0]), *listed)
        if data is None:
            return None
        try:
            return documents.parse_catalog(data)
        except ValueError as error:
            raise RegistryUntrustedError(self.registry_id, str(error)) from None

    @property
    def has_catalog(self) -> bool:
        """Whether every shard of the catalog is here, so that an offline search sees all of it."""
        for number in range(layout.SHARD_COUNT):
            target = layout.catalog_target(f"{number:02x}")
            targets = self._bin(layout.bin_of(target))
            if targets is None:
                return False
            listed = targets.get(target)
            if listed is not None and not self._copy.has(layout.hashed(target, listed[0])):
                return False
        return True

    def listed(self, target: str) -> Listed | None:
        """Give sha256 and length of a target that some bin answers for; None is proof that there is none.

        Raises:
            NotFetchedError: the bin is not here.
        """
        targets = self._bin(layout.bin_of(target))
        if targets is None:
            raise NotFetchedError(self.registry_id, [layout.name_of_index(target) or target])
        return targets.get(target)

    def bin_file(self, role: str) -> tuple[int, str, int] | None:
        """Give version, sha256 and length of a role's document as the snapshot lists it."""
        return self._roles.get(role)

    def gone_back_since(self, old: Snapshot) -> str | None:
        """Give a role of which `old` knew a newer document, or which it knew and this one lacks; None is well."""
        for role, (version, _, _) in old._roles.items():
            now = self._roles.get(role)
            if now is None or now[0] < version:
                return role
        return None

    def bin_targets(self, role: str) -> dict[str, Listed] | None:
        """Give everything that the bin `role` lists, or None where it is not here."""
        return self._bin(role)

    def _bin(self, role: str) -> dict[str, Listed] | None:
        found = self._bins.get(role)
        if found is None:
            # Only what is here is remembered: a refresh may bring the rest meanwhile.
            found = self._read_bin(role)
            if found is not None:
                self._bins[role] = found
        return found

    def _read_bin(self, role: str) -> dict[str, Listed] | None:
        file = self._roles.get(role)
        if file is None:
            raise RegistryUntrustedError(self.registry_id, f"its snapshot does not list {role}")
        version, sha256, length = file
        data = self._copy.read(layout.role_file(role, version), sha256, length)
        if data is None:
            return None
        try:
            return read_bin_targets(data)
        except MALFORMED as error:
            raise RegistryUntrustedError(self.registry_id, f"its {role} is malformed ({error})") from None


def listed_name(registry_id: str, text: str) -> FormulaName:
    """Read a name that a registry lists; what it signs may still be hostile.

    Raises:
        RegistryUntrustedError: it is no name.
    """
    try:
        return FormulaName.parse(text)
    except ValueError as error:
        raise RegistryUntrustedError(registry_id, f"it lists a formula that cannot be: {error}") from None


def read_snapshot_roles(data: bytes) -> dict[str, tuple[int, str, int]]:
    """Give version, sha256 and length of each role's document from a snapshot whose bytes are verified.

    Raises:
        MALFORMED: one of these; it has another shape.
    """
    meta: dict[str, Any] = json.loads(data)["signed"]["meta"]
    roles = {
        name.removesuffix(".json"): (int(one["version"]), str(one["hashes"]["sha256"]), int(one["length"]))
        for name, one in meta.items()
    }
    if not all(is_sha256(sha256) for _, sha256, _ in roles.values()):
        raise ValueError("a hash is malformed")
    return roles


def read_bin_targets(data: bytes) -> dict[str, Listed]:
    """Give sha256 and length of each target from a bin whose bytes are verified.

    Raises:
        MALFORMED: one of these; it has another shape.
    """
    targets: dict[str, Any] = json.loads(data)["signed"]["targets"]
    listed = {target: (str(one["hashes"]["sha256"]), int(one["length"])) for target, one in targets.items()}
    if not all(is_sha256(sha256) for sha256, _ in listed.values()):
        raise ValueError("a hash is malformed")
    return listed
