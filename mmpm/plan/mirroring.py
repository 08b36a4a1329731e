"""Actions on mirrors: copying registries into one, setting damaged files aside, pruning."""

from __future__ import annotations

from dataclasses import dataclass

from mmpm.errors import size_text


@dataclass(frozen=True, slots=True)
class CarriedLock:
    """What a lock wants of one registry: (name, version, checksum, tree) of each release; the tree may be empty."""

    name: str
    releases: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class CarriedRegistry:
    """A registry that a mirror carries: everything where there are neither locks nor requirements.

    Attributes:
        registry: its id.
        urls: where it comes from, in order; absolute folders among them.
        kept: those of them that ``mirror.json`` remembers.
        fingerprint: of its root, accepted by a person.
        locks: what locks want of it.
        only: requirements, as text.
        everything: whether all of its releases are carried.
        unnamed: those of `urls` that only ``mirror.json`` states, and nobody on this machine: no token or key is
            shown there.
    """

    registry: str
    urls: tuple[str, ...]
    kept: tuple[str, ...]
    fingerprint: str
    locks: tuple[CarriedLock, ...] = ()
    only: tuple[str, ...] = ()
    everything: bool = True
    unnamed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CopyCount:
    """What copying a registry amounts to, to the byte; `new` of its `releases` lack something here."""

    registry: str
    serial: int
    releases: int
    new: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class UpdateMirror:
    """Copy registries into the mirror `folder`, which is made where it is missing; the others in it stay.

    Attributes:
        registries: what is carried from now on.
        counts: what it amounts to, where it was tried beforehand (a dry run).
    """

    folder: str
    registries: tuple[CarriedRegistry, ...]
    counts: tuple[CopyCount, ...] = ()

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        if not self.counts:
            return f"copy {', '.join(one.registry for one in self.registries)} into {self.folder}"
        parts = [
            f"{one.new} of {one.releases} releases of {one.registry} (serial {one.serial}): "
            f"{one.files} file{'s' * (one.files != 1)}, {size_text(one.bytes)}"
            for one in self.counts
        ]
        return f"copy into {self.folder}: {'; '.join(parts)}"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Move damaged files of a mirror out of the way, so that they are fetched again; paths below its folder."""

    folder: str
    paths: tuple[str, ...]

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"set {len(self.paths)} damaged file{'s' * (len(self.paths) != 1)} of {self.folder} aside"


@dataclass(frozen=True, slots=True)
class PruneMirror:
    """Remove from the trees of `registries` what they do not reach any more: so many files and bytes."""

    folder: str
    registries: tuple[str, ...]
    files: int
    bytes: int

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"remove {self.files} file{'s' * (self.files != 1)} ({size_text(self.bytes)}) from {self.folder}"


MirroringAction = UpdateMirror | SetAside | PruneMirror
