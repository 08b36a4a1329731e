"""What the role trust says, as far as it is here: who publishes, which marks there are, and detached signatures.

    snapshot -> N.trust.json -> trust/publishers.json, trust/levels/<xx>.json

Rule: a level only ever rises through evidence. What is not here therefore counts as not said, while something that
is here and has not the signed bytes counts as not here; `lacking` tells of which names something is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from mmpm.errors import RegistryUntrustedError
from mmpm.registry import layout
from mmpm.registry.gather import Wanted, gather
from mmpm.registry.snapshot import MALFORMED, read_bin_targets
from mmpm.trust.facts import TRUST
from mmpm.trust.levels import Marks
from mmpm.trust.publishers import Publishers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mmpm.model.release import Release
    from mmpm.registry.gather import MissingFileError
    from mmpm.registry.local import LocalCopy
    from mmpm.registry.snapshot import Listed
    from mmpm.registry.transport import Transport

_Value = TypeVar("_Value")
MAX_SIGNATURE_BYTES: Final = 1 << 16
"""The longest detached signature; only its sha256 is listed, and no length."""


class Evidence:
    """What one snapshot's role trust lists.

    Attributes:
        version: of the role's metadata; 0 where the snapshot lists none.
    """

    def __init__(self, registry_id: str, copy: LocalCopy, file: tuple[int, str, int] | None) -> None:
        self.version = file[0] if file is not None else 0
        self._registry_id = registry_id
        self._copy = copy
        self._file = file
        self._targets: dict[str, Listed] | None = None
        self._publishers: Publishers | None = None
        self._marks: dict[str, Marks] = {}
        self._missing: set[str] | None = None  # of the targets, when it was looked last
        self._says_anything: bool | None = None

    def targets(self) -> dict[str, Listed] | None:
        """Give sha256 and length of every document that the role lists; None where its metadata is not here.

        Raises:
            RegistryUntrustedError: it is signed and malformed.
        """
        if self._file is None:
            return {}
        if self._targets is None:
            version, sha256, length = self._file
            data = self._copy.read(layout.role_file(TRUST, version), sha256, length)
            if data is not None:
                try:
                    found = read_bin_targets(data)
                except MALFORMED as error:
                    raise RegistryUntrustedError(self._registry_id, f"its {TRUST} is malformed ({error})") from None
                self._targets = {target: one for target, one in found.items() if layout.is_trust_target(target)}
        return self._targets

    def publishers(self) -> Publishers:
        """Give the publishers; nobody where none are listed, or they are not here.

        Raises:
            RegistryUntrustedError: the document is signed and malformed.
        """
        if self._publishers is None:
            data = self.publishers_bytes()
            if data is None:
                return Publishers()
            self._publishers = self._parsed(layout.PUBLISHERS, Publishers.parse, data)
        return self._publishers

    def marks(self, name: str) -> Marks:
        """Give the marks of a formula's shard; none where none are listed, or they are not here.

        Raises:
            RegistryUntrustedError: the document is signed and malformed.
        """
        shard = layout.shard_of(name)
        found = self._marks.get(shard)
        if found is None:
            data = self.marks_bytes(name)
            if data is None:
                return Marks()
            found = self._marks[shard] = self._parsed(layout.levels_target(shard), Marks.parse, data)
        return found

    def says_anything(self) -> bool:
        """Whether, by what is here, there is any publisher or any mark: else nothing can raise a level.

        Looked at once: what comes later is for whoever opens the snapshot then.
        """
        if self._says_anything is None:
            targets = set(self.targets() or ())
            self._says_anything = bool(targets - {layout.PUBLISHERS}) or bool(self.publishers().publishers)
        return self._says_anything

    def publishers_bytes(self) -> bytes | None:
        """Give ``trust/publishers.json``; None where there is none, or it is not here."""
        return self._read(layout.PUBLISHERS)

    def marks_bytes(self, name: str) -> bytes | None:
        """Give the levels shard of a formula; None where there is none, or it is not here."""
        return self._read(layout.levels_target(layout.shard_of(name)))

    def lacking(self, names: Iterable[str]) -> set[str]:
        """Give those of `names` of which not everything is here that the role says of them and of publishers."""
        targets = self.targets()
        if targets is None:
            return set(names)
        if self._missing != set():  # what is missing may have come meanwhile; what is here stays
            self._missing = set(targets) - self.held()
        if layout.PUBLISHERS in self._missing:
            return set(names)
        missing = self._missing
        return {name for name in names if missing and layout.levels_target(layout.shard_of(name)) in missing}

    @property
    def is_whole(self) -> bool:
        """Whether everything that the role lists is here."""
        targets = self.targets()
        return targets is not None and len(self.held()) == len(targets)

    def signature(self, release: Release, key_id: str) -> bytes | None:
        """Give a detached signature of `release`; None where its line names none of that key, or it is not here."""
        sha256 = dict(release.signatures).get(key_id)
        if sha256 is None:
            return None
        return self._copy.read_at_most(signature_path(release, key_id), sha256, MAX_SIGNATURE_BYTES)

    def held(self) -> set[str]:
        """Give the targets that are here."""
        return set(filter(self._is_here, self.targets() or ()))

    def _parsed(self, target: str, parse: Callable[[bytes], _Value], data: bytes) -> _Value:
        try:
            return parse(data)
        except MALFORMED as error:
            raise RegistryUntrustedError(self._registry_id, f"its {target} is malformed ({error})") from None

    def _is_here(self, target: str) -> bool:
        targets = self.targets()
        if targets is None:
            return False
        listed = targets.get(target)
        return listed is None or self._copy.has(layout.hashed(target, listed[0]))

    def _read(self, target: str) -> bytes | None:
        listed = (self.targets() or {}).get(target)
        return None if listed is None else self._copy.read(layout.hashed(target, listed[0]), *listed)


def wanted_for(names: Iterable[str]) -> Iterator[str]:
    """Give the targets of the role trust that speak of `names`, publishers first, each once."""
    yield layout.PUBLISHERS
    for shard in sorted({layout.shard_of(name) for name in names}):
        yield layout.levels_target(shard)


def signature_path(release: Release, key_id: str) -> str:
    """Give the file of a detached signature; the length of the key's id tells its kind."""
    kind = "ed25519" if len(key_id) == 64 else "openpgp"
    return layout.signature_file(release.checksum.hex, key_id, kind)


def bring_signatures(
    registry_id: str, copy: LocalCopy, places: Sequence[Transport], releases: Iterable[Release]
) -> tuple[tuple[Release, str], ...]:
    """Bring the detached signatures of `releases` that are not in `copy`; with no places, look what is there.

    Returns:
        Release and key id of those that could not be had because no place has them.

    Raises:
        RegistryUnreachableError: no place could answer, or one answered 401 or 403.
        RegistryUntrustedError: a place has other bytes under its name, and no other place has the right ones.
    """
    lacking: dict[Wanted, tuple[Release, str]] = {}
    for release in releases:
        for key_id, sha256 in release.signatures:
            path = signature_path(release, key_id)
            if copy.read_at_most(path, sha256, MAX_SIGNATURE_BYTES) is None:
                lacking[Wanted(path, sha256, MAX_SIGNATURE_BYTES, is_exact=False)] = (release, key_id)
    if places and lacking:
        missing: dict[Wanted, MissingFileError] = {}
        for one, data in gather(registry_id, places, tuple(lacking), missing=missing):
            copy.write(one.path, data)
            del lacking[one]
    return tuple(lacking.values())
